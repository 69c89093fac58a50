import datetime as dt
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workspace_kit.config import Data
from workspace_kit.errors import ConfigError
from workspace_kit.prices import benchmark_closes, day_bounds, traded_symbols
from workspace_kit.schema import PRICES

moment = dt.datetime.fromisoformat

DATA = Data(prices="p.csv", periods_per_year=12)


def frame(closes: dict[str, list[float | None]]) -> pl.DataFrame:
    """Long prices from closes by symbol, one a day; null where there is none."""
    return PRICES.frame(
        [
            {"timestamp": moment("2020-01-01") + dt.timedelta(days=bar), "symbol": symbol, "close": close}
            for symbol, series in sorted(closes.items())
            for bar, close in enumerate(series)
            if close is not None
        ]
    )


def data(**choices: object) -> Data:
    return Data(**{"prices": "p.csv", "periods_per_year": 12, **choices})


def test_all_symbols_are_traded_but_the_benchmark() -> None:
    prices = frame({"B": [1.0], "A": [1.0], "X": [1.0]})
    assert traded_symbols(prices, DATA) == ["A", "B", "X"]
    assert traded_symbols(prices, data(benchmark="X")) == ["A", "B"]
    assert traded_symbols(prices, data(benchmark="X", symbols=["B", "A"])) == ["A", "B"]


@pytest.mark.parametrize(
    "choices",
    [
        {"symbols": []},
        {"symbols": ["A", "A"]},
        {"symbols": ["A", "X"], "benchmark": "X"},
        {"symbols": ["Z"]},
        {"benchmark": "Z"},
    ],
)
def test_symbols_that_cannot_be_traded_are_refused(choices: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        traded_symbols(frame({"A": [1.0], "X": [1.0]}), data(**choices))


def test_a_benchmark_alone_leaves_nothing_to_trade() -> None:
    with pytest.raises(ConfigError, match="no symbol to trade"):
        traded_symbols(frame({"X": [1.0]}), data(benchmark="X"))


def test_the_benchmark_is_its_own_closes() -> None:
    prices = frame({"A": [1.0, 2.0], "X": [None, 5.0, 6.0]})
    closes = benchmark_closes(prices, data(benchmark="X"))
    assert closes.columns == ["timestamp", "close"]
    assert closes["close"].to_list() == [5.0, 6.0]


def test_without_one_it_is_the_mean_return_of_those_listed_the_bar_before() -> None:
    prices = frame(
        {"A": [10.0, 11.0, 11.0, 22.0], "B": [None, None, 100.0, 150.0], "C": [5.0, 5.0, 10.0, 10.0]}
    )
    index = benchmark_closes(prices, DATA)["close"].to_list()
    assert index == pytest.approx([100, 105, 105 * 1.5, 105 * 1.5 * 1.5])


def test_a_missing_price_returns_nothing_until_the_next_has_it_all() -> None:
    prices = frame({"A": [10.0, None, 12.0], "B": [1.0, 1.0, 1.0]})
    assert benchmark_closes(prices, DATA)["close"].to_list() == pytest.approx([100, 100, 110])


def test_what_is_not_traded_does_not_move_the_index() -> None:
    prices = frame({"A": [10.0, 11.0], "B": [1.0, 9.0]})
    assert benchmark_closes(prices, data(symbols=["A"]))["close"].to_list() == pytest.approx([100, 110])


closes = st.lists(st.none() | st.floats(0.1, 1000), min_size=6, max_size=6)


@given(st.dictionaries(st.sampled_from("ABCDEFGHIJ"), closes, min_size=1))
@settings(deadline=None, max_examples=50)
def test_the_index_never_knows_the_future_and_agrees_with_a_plain_loop(series) -> None:
    prices = frame(series)
    if prices.is_empty():
        return
    index = benchmark_closes(prices, DATA)
    last: dict[str, float] = {}
    level, expected = 100.0, []
    for moment in sorted(set(prices["timestamp"])):
        now = dict(prices.filter(pl.col("timestamp") == moment).select("symbol", "close").rows())
        returns = [now.get(symbol, close) / close - 1 for symbol, close in sorted(last.items())]
        level *= 1 + sum(returns) / max(len(returns), 1)
        expected.append(level)
        last |= now
    assert index["close"].to_list() == pytest.approx(expected, rel=1e-12)
    prefix = prices.filter(pl.col("timestamp") <= index["timestamp"][-1] - dt.timedelta(days=2))
    if prefix.height:
        known = benchmark_closes(prefix, DATA)
        assert known["close"].to_list() == pytest.approx(index["close"][: known.height].to_list(), rel=1e-12)


def test_days_are_whole_days_of_their_zone() -> None:
    first, last = dt.date(2020, 3, 8), dt.date(2020, 11, 1)
    assert day_bounds(first, last, timezone="America/New_York") == (
        moment("2020-03-08T05:00:00"),
        moment("2020-11-02T04:59:59.999999"),
    )
    assert day_bounds(first, first, timezone="UTC") == (
        moment("2020-03-08"),
        moment("2020-03-08T23:59:59.999999"),
    )


def test_days_reach_to_the_ends_of_the_calendar() -> None:
    for zone in ("America/New_York", "Asia/Tokyo", "UTC"):
        first, last = day_bounds(dt.date.min, dt.date.max, timezone=zone)
        assert first.year == 1
        assert last.year == 9999


@given(
    st.dates(dt.date(1950, 1, 1), dt.date(2037, 1, 1)),
    st.sampled_from(["America/Sao_Paulo", "Africa/Cairo", "Europe/London", "Australia/Lord_Howe"]),
)
@settings(deadline=None, max_examples=100)
def test_one_day_ends_where_the_next_begins(first: dt.date, zone: str) -> None:
    tomorrow = first + dt.timedelta(days=1)
    _, end = day_bounds(first, first, timezone=zone)
    start, _ = day_bounds(tomorrow, tomorrow, timezone=zone)
    assert start - end == dt.timedelta(microseconds=1)
    assert start.replace(tzinfo=dt.UTC).astimezone(ZoneInfo(zone)).date() == tomorrow
