import datetime as dt
import io
import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workspace_kit.config import Columns, Data
from workspace_kit.errors import (
    ConfigError,
    FileDamaged,
    NotFound,
    PriceError,
    SchemaMismatch,
    TimezoneError,
)
from workspace_kit.prices import Prices, load_prices
from workspace_kit.schema import PRICES

moment = dt.datetime.fromisoformat

LONG = "timestamp,symbol,close\n2020-01-02,B,20\n2020-01-02,A,10\n2020-01-03,A,11\n2020-01-03,B,19.5\n"
WIDE = "Date,B,A\n2020-01-03,19.5,11\n2020-01-02,20,10\n"


def load(folder: Path, content: str | bytes, *, name: str = "p.csv", **data: object) -> Prices:
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return load_prices(Data(**{"prices": name, "periods_per_year": 252, **data}), folder=folder)


def parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def day(number: int, time: str = "23:59:59") -> dt.datetime:
    return moment(f"2020-01-{number:02d}T{time}")


def test_long_and_wide_give_the_same_sorted_frame_and_digest(tmp_path: Path) -> None:
    long, wide = load(tmp_path, LONG), load(tmp_path, WIDE)
    assert long.frame.rows() == [
        (day(2), "A", 10.0),
        (day(3), "A", 11.0),
        (day(2), "B", 20.0),
        (day(3), "B", 19.5),
    ]
    assert dict(long.frame.schema) == PRICES.types
    assert wide.frame.equals(long.frame)
    assert wide.digest == long.digest


def test_the_digest_is_the_same_for_every_format_and_column_order(tmp_path: Path) -> None:
    frame = pl.read_csv(LONG.encode(), try_parse_dates=True)
    lines = "".join(
        json.dumps({"symbol": s, "close": c, "extra": None, "Time": str(t)}) + "\n"
        for t, s, c in frame.sample(fraction=1, shuffle=True, seed=1).iter_rows()
    )
    ours = load(tmp_path, LONG).digest
    assert (
        load(tmp_path, parquet(frame.select("close", "symbol", "timestamp")), name="p.parquet").digest == ours
    )
    assert load(tmp_path, lines, name="p.jsonl").digest == ours
    assert load(tmp_path, "﻿" + LONG.replace("\n", "\r\n")).digest == ours


@pytest.mark.parametrize(
    "changed",
    [
        LONG.replace("19.5", "19.500000000000004"),
        LONG.replace("2020-01-03,B", "2020-01-04,B"),
        LONG.replace("B", "C"),
        LONG.replace("2020-01-03,B,19.5\n", ""),
        LONG.replace("close", "close,volume").replace("10\n", "10,0\n"),
    ],
)
def test_the_digest_differs_when_any_value_does(tmp_path: Path, changed: str) -> None:
    assert load(tmp_path, changed).digest != load(tmp_path, LONG).digest


@given(
    st.dictionaries(
        st.tuples(st.integers(0, 400), st.sampled_from(["A", "B", "Ü"])),
        st.floats(1e-6, 1e9),
        min_size=1,
        max_size=30,
    ),
    st.randoms(use_true_random=False),
)
@settings(deadline=None, max_examples=40)
def test_neither_format_nor_order_changes_a_bit_of_any_price(tmp_path_factory, bars, random) -> None:
    folder = tmp_path_factory.mktemp("p")
    start = dt.date(2020, 1, 1)
    rows = [(start + dt.timedelta(days=d), symbol, close) for (d, symbol), close in bars.items()]
    shuffled = random.sample(rows, len(rows))
    long = "date,symbol,close\n" + "".join(f"{d},{s},{c!r}\n" for d, s, c in rows)
    wide = pl.DataFrame(shuffled, schema=["date", "symbol", "close"], orient="row").pivot(
        "symbol", index="date", values="close"
    )
    first = load(folder, long)
    second = load(folder, parquet(wide), name="p.parquet")
    assert first.digest == second.digest
    assert first.frame.equals(second.frame)
    assert first.frame["close"].to_list() == [c for _, _, c in sorted(rows, key=lambda row: (row[1], row[0]))]


def test_a_date_closes_at_the_close_time_of_its_zone(tmp_path: Path) -> None:
    prices = load(
        tmp_path,
        "date,A\n2020-01-15,1\n2020-07-15,1\n",
        timezone="America/New_York",
        close_time="16:00:00",
    )
    assert prices.frame["timestamp"].to_list() == [
        moment("2020-01-15T21:00:00"),
        moment("2020-07-15T20:00:00"),
    ]


def test_a_naive_time_lies_in_the_declared_zone_and_an_aware_one_where_it_says(tmp_path: Path) -> None:
    naive = load(tmp_path, "date,A\n2020-01-15 09:30,1\n", timezone="Asia/Tokyo")
    aware = load(tmp_path, "date,A\n2020-01-15T09:30:00+09:00,1\n2020-01-15T01:30:00Z,2\n")
    assert naive.frame["timestamp"].to_list() == [day(15, "00:30:00")]
    assert aware.frame["timestamp"].to_list() == [day(15, "00:30:00"), day(15, "01:30:00")]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_typed_times_mean_what_written_ones_mean(tmp_path: Path, unit: str) -> None:
    times = pl.Series("time", [day(15, "09:30:00")], dtype=pl.Datetime(unit))
    naive = parquet(pl.DataFrame({"time": times, "A": [1]}))
    aware = parquet(pl.DataFrame({"time": times.dt.replace_time_zone("Asia/Tokyo"), "A": [1]}))
    for content in (naive, aware):
        prices = load(tmp_path, content, name="p.parquet", timezone="Asia/Tokyo")
        assert prices.frame["timestamp"].to_list() == [day(15, "00:30:00")]
        assert prices.frame.schema["timestamp"] == pl.Datetime("us")


def test_midnights_without_any_other_time_are_dates_and_said_to_be(tmp_path: Path) -> None:
    frame = pl.read_csv(LONG.encode(), try_parse_dates=True).cast({"timestamp": pl.Datetime("ns")})
    prices = load(tmp_path, parquet(frame), name="p.parquet")
    assert prices.digest == load(tmp_path, LONG).digest
    assert "read as a date" in prices.source
    assert "read as a date" not in load(tmp_path, LONG).source


def test_midnight_is_midnight_where_other_times_occur(tmp_path: Path) -> None:
    prices = load(tmp_path, "time,A\n2020-01-15T00:00:00,1\n2020-01-15T01:00:00,1\n")
    assert prices.frame["timestamp"].to_list() == [day(15, "00:00:00"), day(15, "01:00:00")]


@pytest.mark.parametrize("other", ["2020-01-02T10:00:00", "2020-01-02"])
def test_times_with_and_without_an_offset_are_refused(tmp_path: Path, other: str) -> None:
    with pytest.raises(TimezoneError, match=r"'2020-01-01T10:00:00Z' in row 1 and .* in row 2"):
        load(tmp_path, f"time,A\n2020-01-01T10:00:00Z,1\n{other},1\n")


@pytest.mark.parametrize("time", ["2020-03-08T02:30:00", "2020-11-01T01:30:00"])
def test_a_time_that_clocks_skip_or_repeat_is_refused_by_row(tmp_path: Path, time: str) -> None:
    with pytest.raises(TimezoneError, match=f"row 2: found '{time}' which does not exist or exists twice"):
        load(tmp_path, f"time,A\n2020-01-01T10:00:00,1\n{time},1\n", timezone="America/New_York")


@pytest.mark.parametrize("time", ["2020-13-01", "yesterday", "20200102", "1577836800000", ""])
def test_an_unreadable_time_is_refused_by_row(tmp_path: Path, time: str) -> None:
    with pytest.raises((PriceError, TimezoneError), match="row 2"):
        load(tmp_path, f"time,A\n2020-01-01,1\n{time},1\n")


@pytest.mark.parametrize("price", ["0", "-1", "NaN", "inf", "-inf", "1.2.3", "n/a"])
def test_an_impossible_price_is_refused_with_symbol_time_value_and_row(tmp_path: Path, price: str) -> None:
    wanted = rf"row 2, symbol 'B', time 2020-01-03T23:59:59Z: found close '{price}'"
    with pytest.raises(PriceError, match=wanted):
        load(tmp_path, f"date,A,B\n2020-01-02,1,1\n2020-01-03,1,{price}\n")


@pytest.mark.parametrize("price", [0.0, -1.0, float("nan"), float("inf")])
def test_an_impossible_typed_price_is_refused(tmp_path: Path, price: float) -> None:
    frame = pl.DataFrame({"date": [dt.date(2020, 1, 2)], "symbol": ["A"], "close": [price]})
    with pytest.raises(PriceError, match="symbol 'A'"):
        load(tmp_path, parquet(frame), name="p.parquet")


def test_further_impossible_prices_are_counted(tmp_path: Path) -> None:
    with pytest.raises(PriceError, match="close '-1', and 2 more such"):
        load(tmp_path, "date,A\n2020-01-02,-1\n2020-01-03,-2\n2020-01-04,0\n")


def test_an_empty_price_is_no_bar(tmp_path: Path) -> None:
    prices = load(tmp_path, 'date,A,B\n2020-01-02,1,\n2020-01-03,,\n2020-01-04, 3 ,""\n2020-01-05,1,2\n')
    assert prices.frame.rows() == [
        (day(2), "A", 1.0),
        (day(4), "A", 3.0),
        (day(5), "A", 1.0),
        (day(5), "B", 2.0),
    ]


def test_rows_that_say_the_same_collapse(tmp_path: Path) -> None:
    assert load(tmp_path, LONG + "2020-01-03,A,11.0\n").digest == load(tmp_path, LONG).digest


def test_rows_that_disagree_are_refused_with_both_row_numbers(tmp_path: Path) -> None:
    wanted = "rows 3 and 5: found different prices for 'A' at 2020-01-03T23:59:59Z"
    with pytest.raises(PriceError, match=wanted):
        load(tmp_path, LONG + "2020-01-03,A,12\n")


def test_a_date_and_the_same_instant_written_out_are_one_bar(tmp_path: Path) -> None:
    prices = load(tmp_path, "date,A\n2020-01-02,1\n2020-01-02T23:59:59,1\n2020-01-03,2\n")
    assert prices.frame.height == 2


def test_open_high_low_and_volume_come_along_where_they_are_known(tmp_path: Path) -> None:
    prices = load(
        tmp_path,
        "Volume,Close,Open,symbol,Date,adjusted,LOW,High\n100,10,9,A,2020-01-02,x,8,11\n,10,,A,2020-01-03,x,,\n",
    )
    assert prices.frame.columns == ["timestamp", "symbol", "close", "open", "high", "low", "volume"]
    assert prices.frame.rows() == [
        (day(2), "A", 10.0, 9.0, 11.0, 8.0, 100.0),
        (day(3), "A", 10.0, None, None, None, None),
    ]


@pytest.mark.parametrize(("column", "value"), [("open", "0"), ("low", "-1"), ("volume", "-1"), ("high", "x")])
def test_impossible_other_values_are_refused(tmp_path: Path, column: str, value: str) -> None:
    with pytest.raises(PriceError, match=f"found {column} '{value}'"):
        load(tmp_path, f"date,symbol,close,{column}\n2020-01-02,A,10,{value}\n")


def test_symbols_that_are_words_of_long_frames_may_have_a_column(tmp_path: Path) -> None:
    assert load(tmp_path, "date,LOW,OPEN,row\n2020-01-02,1,2,3\n").frame["symbol"].to_list() == [
        "LOW",
        "OPEN",
        "row",
    ]


@pytest.mark.parametrize(
    "header",
    ["when,A", "date", "date,open,high,low,close", "date,symbol,price", "date,A,", ",A", "a;b"],
)
def test_columns_that_are_neither_long_nor_wide_are_named(tmp_path: Path, header: str) -> None:
    values = ",".join(["1"] * (header.count(",") + 1))
    with pytest.raises(SchemaMismatch, match="a column per symbol"):
        load(tmp_path, f"{header}\n{values}\n")


FOREIGN = "Date,Ticker,Close,Adj Close\n2020-01-02,B,40,20\n2020-01-02,A,10,10\n2020-01-03,A,11,11\n"


def test_a_long_file_with_foreign_headers_is_refused_with_the_mapping_that_reads_it(tmp_path: Path) -> None:
    with pytest.raises(SchemaMismatch, match="'Ticker' holds no numbers") as error:
        load(tmp_path, FOREIGN)
    assert "`columns: {symbol: Ticker, close: Adj Close}` under data" in error.value.remedy


def test_columns_say_what_a_file_calls_them_and_win_over_its_own_names(tmp_path: Path) -> None:
    prices = load(tmp_path, FOREIGN, columns=Columns(symbol="Ticker", close="Adj Close"))
    assert prices.frame.rows() == [(day(2), "A", 10.0), (day(3), "A", 11.0), (day(2), "B", 20.0)]


def test_a_wide_file_may_call_its_times_otherwise(tmp_path: Path) -> None:
    prices = load(tmp_path, WIDE.replace("Date", "Day"), columns=Columns(timestamp="Day"))
    assert prices.digest == load(tmp_path, WIDE).digest


@pytest.mark.parametrize(
    ("header", "row", "remedy"),
    [
        ("Day,A,B", "2020-01-02,1,2", "`columns: {timestamp: Day}` under data"),
        ("Day,Name,Close", "2020-01-02,A,2", "{timestamp: Day, symbol: Name, close: Close}"),
        ("Date,Name,Last", "2020-01-02,A,2", "{symbol: Name, close: …}"),
        ("Date,Open,Close", "2020-01-02,1,2", "add a column symbol with the name of the instrument"),
        ("Date,Adj Close", "2020-01-02,1", "add a column symbol with the name of the instrument"),
        ("Date;A;B", "2020-01-02;1;2", "separate the columns by commas"),
    ],
)
def test_the_remedy_for_unclear_columns_is_the_nearest(
    tmp_path: Path, header: str, row: str, remedy: str
) -> None:
    with pytest.raises(SchemaMismatch) as error:
        load(tmp_path, f"{header}\n{row}\n")
    assert remedy in error.value.remedy


def test_columns_that_name_one_that_is_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SchemaMismatch, match=r"'Tickr', as data\.columns\.symbol says"):
        load(tmp_path, FOREIGN, columns=Columns(symbol="Tickr"))


def test_a_column_of_something_else_is_refused(tmp_path: Path) -> None:
    lists = pl.DataFrame({"date": ["2020-01-02"], "A": [[1.0]]})
    epochs = pl.DataFrame({"date": [1577836800000], "A": [1.0]})
    with pytest.raises(SchemaMismatch, match="column 'A': found the type List"):
        load(tmp_path, parquet(lists), name="p.parquet")
    with pytest.raises(SchemaMismatch, match="time column: found the type Int64"):
        load(tmp_path, parquet(epochs), name="p.parquet")


def test_a_long_row_without_a_symbol_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PriceError, match="row 1, symbol None"):
        load(tmp_path, "date,symbol,close\n2020-01-02,,1\n")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("p.csv", b""),
        ("p.csv", b"\n\n"),
        ("p.csv", b"date,A\n"),
        ("p.csv", b"date,A\n2020-01-02,\n"),
        ("p.csv", b"date,symbol,close\n"),
        ("p.jsonl", b""),
        ("p.jsonl", b"\n"),
        ("p.parquet", parquet(pl.DataFrame({"date": [], "A": []}))),
    ],
)
def test_a_source_without_a_price_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    with pytest.raises(PriceError, match=f"{name}: found no price"):
        load(tmp_path, content, name=name)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("p.csv", b"date,A\n2020-01-02,\xff\n"),
        ("p.csv", b"date,A\n2020-01-02,1,2,3\n"),
        ("p.csv", b"date,A,A\n2020-01-02,1,2\n"),
        ("p.csv", b'date,A\n"2020-01-02,1\n'),
        ("p.jsonl", b'{"date": "2020-01-02", "A": NaN}\n'),
        ("p.jsonl", b'{"date": "2020-01-02", "A": 1}\n{"da'),
        ("p.jsonl", b"[1]\n"),
        ("p.parquet", b""),
        ("p.parquet", b"PAR1 not really PAR1"),
        ("p.parquet", LONG.encode()),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_damaged(tmp_path: Path, name: str, content: bytes) -> None:
    with pytest.raises(FileDamaged, match=name):
        load(tmp_path, content, name=name)


def test_a_missing_file_a_folder_and_an_unknown_ending_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    for prices, error in (("no.csv", NotFound), ("folder.csv", FileDamaged), ("prices.xlsx", ConfigError)):
        with pytest.raises(error):
            load_prices(Data(prices=prices, periods_per_year=12), folder=tmp_path)


def test_an_absolute_path_stands_for_itself(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(LONG)
    data = Data(prices=str(tmp_path / "p.csv"), periods_per_year=252)
    assert load_prices(data, folder=Path("/nowhere")).digest == load(tmp_path, LONG).digest


def test_a_file_may_be_one_row(tmp_path: Path) -> None:
    assert load(tmp_path, "date,A\n2020-01-02,1\n").frame.rows() == [(day(2), "A", 1.0)]


def test_an_unknown_symbol_or_benchmark_names_the_nearest(tmp_path: Path) -> None:
    content = "date,AAPL,MSFT\n2020-01-02,1,2\n"
    with pytest.raises(ConfigError, match=r"data\.symbols: .*'APPL'.* did you mean 'AAPL'"):
        load(tmp_path, content, symbols=["APPL"])
    with pytest.raises(ConfigError, match=r"data\.benchmark: .*'MSF'.* did you mean 'MSFT'"):
        load(tmp_path, content, benchmark="MSF")


@pytest.mark.parametrize(
    ("ratio", "periods_per_year", "reason"),
    [
        (0.5, 252, "near 2 for 1"),
        (1 / 3, 12, "near 3 for 1"),
        (2.01, 12, "near 1 for 2"),
        (1.45, 252, "beyond 40%"),
        (0.55, 252, "beyond 40%"),
        (1.39, 252, None),
        (0.65, 252, None),
        (1.45, 12, None),
        (2.4, 12, None),
        (2.6, 12, "beyond 150%"),
        (0.39, 12, "beyond 150%"),
        (1.7, 52, None),
        (1.85, 52, "beyond 80%"),
    ],
)
def test_moves_like_a_split_are_flagged_and_not_mended(
    tmp_path: Path, ratio: float, periods_per_year: float, reason: str | None
) -> None:
    content = f"date,A,B\n2020-01-02,100,1\n2020-01-03,{100 * ratio},1\n"
    prices = load(tmp_path, content, periods_per_year=periods_per_year)
    assert prices.frame["close"].to_list() == [100, 100 * ratio, 1, 1]
    if reason is None:
        assert prices.warnings.is_empty()
    else:
        assert prices.warnings.select("symbol", "timestamp").rows() == [("A", day(3))]
        assert prices.warnings["change"].item() == pytest.approx(ratio - 1)
        assert reason in prices.warnings["reason"].item()


def test_a_change_of_symbol_is_no_move(tmp_path: Path) -> None:
    assert load(tmp_path, "date,A,B\n2020-01-02,1,100\n2020-01-03,1,100\n").warnings.is_empty()
