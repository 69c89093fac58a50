import datetime as dt
import json
import math

import polars as pl
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from workspace_kit.errors import SchemaMismatch
from workspace_kit.layout import lines
from workspace_kit.layout import signals as quick
from workspace_kit.layout.lines import (
    FIELDS,
    MAX_LINE,
    encode_signal,
    encode_signals,
    excerpt,
    parse_json,
)
from workspace_kit.layout.signals import read_signals
from workspace_kit.layout.zones import UTC, Zone
from workspace_kit.schema import ACTIONS, STRATEGY_SIGNALS, TABLES, Reading

moment = dt.datetime.fromisoformat

DESCRIBED = b"".join(
    b'{"timestamp": "2023-01-01T09:%d:00", "symbol": "AAPL", '
    b'"action": "%b", "strength": %b, "strategy": "momentum"}\n' % values
    for values in ((30, b"BUY", b"0.8"), (31, b"HOLD", b"0.6"), (32, b"SELL", b"0.9"))
)
SIGNAL = {
    "timestamp": "2023-01-01T09:30:00",
    "symbol": "AAPL",
    "action": "BUY",
    "strength": 0.8,
    "strategy": "momentum",
}


def read(data: bytes, zone: Zone = UTC) -> Reading:
    return read_signals(data, workspace="w", trial_id="trial_0", path="p", zone=zone)


def line(**changes: object) -> bytes:
    return json.dumps({**SIGNAL, **changes}).encode() + b"\n"


def faults(data: bytes) -> list[tuple[int | None, int | None, str]]:
    return read(data).faults.select("line", "byte_offset", "reason").rows()


BAD = (
    b"[1]\n",
    b'{"a": 1}',
    line(action="STEAL"),
    line(timestamp="never"),
    line(strength=7),
    b"\xff\n",
    b"  7 \n",
)


@given(st.lists(st.sampled_from((*BAD, line(), b"\n", line(note="\u00e9"), line()[:30] + line()))))
@settings(deadline=None, max_examples=50)
def test_offset_and_length_cut_just_what_the_excerpt_shows_out_of_the_file(parts: list[bytes]) -> None:
    data = b"".join(part if part.endswith(b"\n") else part + b"\n" for part in parts) + b'{"torn'
    for number, start, length, shown in (
        read(data).faults.select("line", "byte_offset", "length", "excerpt").iter_rows()
    ):
        cut = data[start : start + length]
        assert shown == excerpt(cut)
        assert b"\n" not in cut
        assert data[:start].count(b"\n") == number - 1


# The file of the description, and what it must become.


def test_the_signal_file_of_the_description_is_read_as_it_stands() -> None:
    reading = read(DESCRIBED)
    assert reading.faults.height == 0
    assert reading.rows.schema == pl.Schema(TABLES["signals"].types)
    assert reading.rows.drop("workspace", "trial_id").rows() == [
        (moment("2023-01-01T09:30:00"), "AAPL", "BUY", 0.8, "momentum", None),
        (moment("2023-01-01T09:31:00"), "AAPL", "HOLD", 0.6, "momentum", None),
        (moment("2023-01-01T09:32:00"), "AAPL", "SELL", 0.9, "momentum", None),
    ]


@pytest.mark.parametrize("data", [b"", b"\n", b" \n\t\n", b"\r\n" * 3])
def test_a_file_without_a_record_has_no_rows(data: bytes) -> None:
    reading = read(data)
    assert reading.rows.height == 0
    assert reading.rows.schema == pl.Schema(TABLES["signals"].types)
    assert reading.faults.schema == pl.Schema(TABLES["faults"].types)
    assert reading.faults.filter(pl.col("reason") != "lines end in CRLF, read as LF").height == 0


def test_one_row_is_read() -> None:
    assert read(line()).rows.height == 1


def test_only_faults_leave_no_rows() -> None:
    reading = read(b"x\n" * 3)
    assert (reading.rows.height, reading.faults.height) == (0, 3)


# Two parsers, one answer.

JSON_VALUES = (
    *(
        '"A"',
        "5",
        "0.5",
        "true",
        "null",
        '["A"]',
        '{"a":1}',
        "{}",
        "[]",
        '"0.5"',
        '"a,b"',
        '","',
        '":"',
        '"{"',
    ),
    *(
        '"}"',
        '"\\u0041"',
        '"\\ud800"',
        '"é"',
        '""',
        "1e400",
        "-0",
        "01",
        "1" * 30,
        "NaN",
        "-Infinity",
        '"a\x00"',
    ),
    *('"a\tb"', ""),
)
values = st.sampled_from(JSON_VALUES)
times = st.sampled_from(
    [
        '"2020-01-01"',
        '"2020-01-01T09:30"',
        '"2020-01-01T09:30:00"',
        '"2020-01-01T09:30:00Z"',
        '"20"',
        '"2020-1-1 9:30"',
    ]
)
fields = st.one_of(
    st.tuples(st.sampled_from([f'"{name}"' for name in FIELDS]), values),
    st.tuples(st.sampled_from(['"x"', '"symbol"', '"strength"', '""', "x", '"sym\\u0062ol"']), values),
)
healthy = st.tuples(
    times,
    values,
    st.sampled_from(['"BUY"', '"SELL"', '"hold"']),
    st.sampled_from(["0.5", "1", '"1"', "true", "1e5"]),
).map(lambda v: [*zip([f'"{n}"' for n in FIELDS], (v[0], v[1], v[2], v[3], '"m"'), strict=True)])
objects = st.builds(
    lambda pairs, more, comma, colon: "{" + comma.join(f"{k}{colon}{v}" for k, v in [*pairs, *more]) + "}",
    healthy | st.lists(fields, max_size=6),
    st.lists(fields, max_size=1),
    st.sampled_from([", ", ",", " ,", ",,"]),
    st.sampled_from([": ", ":", " : ", "::"]),
)
files = st.lists(
    st.tuples(
        objects | st.just(DESCRIBED.decode().splitlines()[0]),
        st.sampled_from(["\n"] * 8 + ["", "\n\n", "\r\n", " \n", "x\n", ",\n"]),
    ),
    max_size=4,
).map(lambda parts: "".join(text + end for text, end in parts).encode() + b"\n")
mutations = st.lists(
    st.tuples(
        st.sampled_from("+-="),
        st.floats(0, 1),
        st.sampled_from(b'"{}[],:\\ \n\r\t0.5eE-+truex\x00\xff\xef\xbb\xbf'),
    ),
    max_size=3,
)


def mutated(data: bytes, changes: list[tuple[str, float, int]]) -> bytes:
    array = bytearray(data)
    for kind, where, byte in changes:
        place = int(where * len(array))
        array[place : place + (kind != "+")] = b"" if kind == "-" else bytes([byte])
    return bytes(array)


def proven(data: bytes) -> pl.DataFrame | None:
    return quick._parse_proven(data, height=data.count(b"\n"))


def as_compared(rows: pl.DataFrame) -> list[dict[str, object]]:
    return rows.select(*FIELDS, "extra", "line").to_dicts()


@settings(deadline=None, max_examples=200)
@given(files | st.just(DESCRIBED), mutations)
@example(
    b'{"timestamp":"2020-01-01T09:30","symbol":5,"action":"BUY","strength":1,"strategy":"m","x":1}\n', []
)
@example(
    b'{"timestamp":"2020-01-01T09:30","symbol":{"a":1},"action":"BUY","strength":1,"strategy":"m"}\n', []
)
@example(
    b'{"timestamp":"2020-01-01T09:30:00","symbol":["A"],"action":"BUY","strength":1,"strategy":"m"}\n', []
)
@example(b'{"timestamp":"2020-01-01T09:30:00","symbol":5,"action":"BUY","strength":"1","strategy":"m"}\n', [])
@example(b'{"timestamp":"2020","symbol":"A","action":"BUY","strength":true,"strategy":"m"}\n', [])
@example(DESCRIBED.replace(b"}\n{", b"}{", 1) + b"\n", [])
def test_where_the_quick_parse_answers_it_answers_what_the_slow_one_does(data: bytes, changes) -> None:
    whole, _ = lines.split(mutated(data, changes))
    rows = proven(whole)
    if rows is not None:
        slow, found = lines.parse_lines(whole)
        assert found == []
        assert as_compared(rows.with_row_index("line", offset=1)) == as_compared(slow)


@pytest.mark.parametrize(
    "data",
    [
        DESCRIBED,
        DESCRIBED.replace(b", ", b",").replace(b": ", b":"),
        DESCRIBED.replace(b"T09:30:00", b"").replace(b":00", b""),
        line(strength=1),
        line(strength=1e-320),
        json.dumps(dict(reversed(SIGNAL.items()))).encode() + b"\n",
    ],
)
def test_a_healthy_file_is_parsed_the_quick_way(data: bytes) -> None:
    assert proven(data) is not None


@pytest.mark.parametrize("data", [line(note="x"), line(symbol="é"), line(symbol="a,b"), b"\n" + line(), b""])
def test_what_counting_cannot_prove_goes_the_slow_way(data: bytes) -> None:
    assert proven(data) is None


# Any bytes at all.


@settings(deadline=None, max_examples=80)
@given(files | st.just(DESCRIBED) | st.binary(max_size=60), mutations)
def test_every_line_is_a_row_or_a_fault_and_nothing_is_raised(data: bytes, changes) -> None:
    data = mutated(data, changes)
    reading = read(data)
    filled = {number for number, text in enumerate(data.split(b"\n"), 1) if text.strip()}
    assert set(reading.faults["line"].drop_nulls()) <= set(range(1, data.count(b"\n") + 2))
    assert reading.rows.height + reading.faults["line"].drop_nulls().n_unique() >= len(filled)
    assert not reading.rows["timestamp"].has_nulls()
    assert reading.rows["strength"].is_between(0, 1).all()
    assert reading.rows["action"].is_in(ACTIONS).all()
    for text in [*reading.faults["reason"], *reading.faults["excerpt"]]:
        assert text.isprintable()


UMLAUTS = (
    line(symbol="ÄÖ").replace(b"\\u00c4\\u00d6", "ÄÖ".encode())
    + line(note={"a": [1, "ü"]})
    + line(symbol="B")
)


@pytest.mark.parametrize(("behind", "step"), [(b"", 1), (b"\x00" * 5, 7), (b"\xff\xfe", 7)])
def test_cut_at_any_byte_the_rows_are_an_exact_prefix(behind: bytes, step: int) -> None:
    data = UMLAUTS
    whole = read(data).rows
    for cut in range(0, len(data) + 1, step):
        torn = data[:cut] + behind
        committed, reading = torn.count(b"\n"), read(torn)
        assert reading.rows.equals(whole.head(committed))
        tail = torn[torn.rfind(b"\n") + 1 :]
        place = [(committed + 1, len(torn) - len(tail), "no newline at the end")]
        assert reading.faults.select("line", "byte_offset", "reason").rows() == (place if tail else [])


def test_a_record_glued_behind_a_torn_one_is_recovered() -> None:
    first, second = line().rstrip(), line(symbol="B")
    for cut in range(1, len(first)):
        if first[:cut].endswith((b"{", b" ", b":", b",")):
            continue
        glued = first[:cut] + second
        reading = read(glued + line(symbol="C"))
        assert reading.rows["symbol"].to_list() == ["B", "C"], glued
        assert reading.faults.select("line", "byte_offset").rows() == [(1, 0)]


def test_two_whole_records_on_one_line_are_two_rows() -> None:
    assert read(line().rstrip() + line(symbol="B")).rows["symbol"].to_list() == ["AAPL", "B"]


def test_the_offset_of_a_fault_is_that_of_its_record() -> None:
    data = line() + line().rstrip() + b'{"timestamp": 5}\n' + b"x\n"
    assert [(number, data[place:].split(b"\n")[0]) for number, place, _ in faults(data)] == [
        (2, b'{"timestamp": 5}'),
        (3, b"x"),
    ]


# What a line may not be, said in words.


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"{", "not JSON: Expecting property name enclosed in double quotes at column 2"),
        (b"[1]", "not an object"),
        (b"5", "not an object"),
        (line(strength=None), "'strength' is None"),
        (line(strength="0.5"), "'strength' is '0.5'"),
        (line(strength=True), "'strength' is True"),
        (line(symbol=5), "'symbol' is 5"),
        (line(symbol=None), "'symbol' is None"),
        (b'{"timestamp": "2020-01-01"}', "'symbol' is missing"),
        (line(strength=0.5).replace(b"0.5", b"NaN"), "NaN is not a number in JSON"),
        (line(strength=0.5).replace(b"0.5", b"-Infinity"), "-Infinity is not a number in JSON"),
        (line(strength=0.5).replace(b"0.5", b"1e999"), "1e999 is beyond the largest number"),
        (line(strength=0.5).replace(b"0.5", b"1" + b"0" * 400), "int too large to convert to float"),
        (line().replace(b"{", b'{"symbol": "B", '), "the key 'symbol' twice"),
        (line(note={"a": 1}).replace(b'"a"', b'"a": 2, "a"'), "the key 'a' twice"),
        (b'"' + b"\xff" + b'"', "'utf-8' codec can't decode byte 0xff in position 1: invalid start byte"),
        (line(symbol="\x00"), "a text holds a NUL"),
        (
            line(symbol="\ud800"),
            "a text holds half of a surrogate pair",
        ),
        (
            line(note=["\udfff"]),
            "a text holds half of a surrogate pair",
        ),
        (b"\x00" * 10, "not JSON: Expecting value at column 1"),
        (b"[" * 10_000, "nested too deeply"),
        (line(timestamp="soon"), "no instant: soon"),
        (line(timestamp="2021-13-01"), "no instant: 2021-13-01"),
        (line(timestamp="0000-12-31T23:00:00-02:00"), "no instant: 0000-12-31T23:00:00-02:00"),
        (line(action="buy"), "unknown action buy"),
        (line(action="\x1b[2J"), "unknown action \\x1b[2J"),
        (line(strength=1.5), "strength outside 0 to 1: 1.5"),
        (line(strength=-0.1), "strength outside 0 to 1: -0.1"),
    ],
)
def test_a_line_that_is_no_signal_is_a_fault_that_says_why(text: bytes, reason: str) -> None:
    data = line() + text.rstrip() + b"\n" + line()
    reading = read(data)
    assert reading.rows.height == 2
    assert reading.faults["reason"].to_list() == [reason]
    assert reading.faults["line"].to_list() == [2]


def test_a_literal_backslash_before_u0000_is_no_nul_and_a_pair_of_surrogates_is_a_character() -> None:
    assert read(line(symbol="\\u0000")).rows["symbol"].to_list() == ["\\u0000"]
    assert read(line(symbol="\U0001f600")).rows["symbol"].to_list() == ["\U0001f600"]


def test_a_line_longer_than_any_record_is_a_fault_with_a_short_excerpt(monkeypatch) -> None:
    monkeypatch.setattr(lines, "MAX_LINE", 1000)
    data = line(note="x" * 1000)
    reading = read(data + line())
    assert reading.rows.height == 1
    assert reading.faults["reason"].to_list() == ["longer than 1000 bytes"]
    assert len(reading.faults["excerpt"][0]) <= 4 * lines.EXCERPT


def test_a_doubled_key_among_very_many_is_found_at_once() -> None:
    many = ",".join(f'"{number}":1' for number in range(20_000))
    with pytest.raises(ValueError, match="the key '19999' twice"):
        parse_json(f'{{{many},"19999":2}}'.encode())


# What is accepted all the same, and told.


def test_windows_line_ends_and_a_byte_order_mark_are_read_and_told() -> None:
    data = b"\xef\xbb\xbf" + DESCRIBED.replace(b"\n", b"\r\n")
    assert read(data).rows.equals(read(DESCRIBED).rows)
    assert faults(data) == [
        (None, None, "lines end in CRLF, read as LF"),
        (1, 0, "a byte order mark, skipped"),
    ]


def test_blank_lines_are_no_faults_and_count_as_lines() -> None:
    data = b"\n\n" + line() + b"  \n" + b"x\n"
    assert read(data).rows.height == 1
    assert [number for number, *_ in faults(data)] == [5]


def test_further_fields_are_kept_as_json_in_the_order_written() -> None:
    extra = read(line(note="ü", levels=[1, 2.5, None], deep={"a": {"b": True}}, count=10**30)).rows["extra"]
    assert extra.to_list() == [
        '{"note": "ü", "levels": [1, 2.5, null], "deep": {"a": {"b": true}}, "count": 1' + "0" * 30 + "}"
    ]


def test_duplicate_and_unsorted_signals_stay_in_file_order() -> None:
    data = line(symbol="B") + line(timestamp="2022-01-01") + line(symbol="B")
    assert read(data).rows["symbol"].to_list() == ["B", "AAPL", "B"]


# Time.


def test_times_without_an_offset_lie_in_the_declared_zone_and_dates_close_with_it() -> None:
    zone = Zone("America/New_York", "16:00:00")
    naive = line(timestamp="2020-07-01T09:30:00") + line(timestamp="2020-07-01")
    aware = line(timestamp="2020-07-01T09:30:00+02:00") + line(timestamp="2020-07-01T09:30:00Z")
    assert [f"{each:%H:%M}" for data in (naive, aware) for each in read(data, zone).rows["timestamp"]] == [
        "13:30",
        "20:00",
        "07:30",
        "09:30",
    ]


@pytest.mark.parametrize(
    ("forms", "kept"),
    [
        (["2020-01-01T00:00Z", "2020-01-02T00:00", "2020-01-03T00:00Z"], [0, 2]),
        (["2020-01-01T00:00", "2020-01-02T00:00Z", "2020-01-03T00:00"], [0, 2]),
        (["2020-01-01", "2020-01-02T00:00Z", "2020-01-03T00:00"], [0, 1]),
        (["2020-01-01", "2020-01-02T00:00", "2020-01-03T00:00Z"], [0, 1]),
        (["2020-01-01", "2020-01-02T00:00Z", "2020-01-03"], [0, 1, 2]),
    ],
)
def test_in_a_file_that_mixes_times_with_and_without_offset_the_first_kind_counts(forms, kept) -> None:
    reading = read(b"".join(line(timestamp=form, symbol=str(place)) for place, form in enumerate(forms)))
    assert reading.rows["symbol"].to_list() == [str(place) for place in kept]
    assert set(reading.faults["reason"]) <= {"times with and without an offset in one file"}
    assert reading.faults["line"].to_list() == [place + 1 for place in range(3) if place not in kept]


def test_a_time_that_the_zone_skips_or_repeats_is_a_fault() -> None:
    data = line(timestamp="2021-03-14T02:30:00") + line(timestamp="2021-11-07T01:30:00")
    assert read(data, Zone("America/New_York", "16:00:00")).faults["reason"].to_list() == [
        "no instant: 2021-03-14T02:30:00",
        "no instant: 2021-11-07T01:30:00",
    ]


# There and back.

texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)
signals = st.fixed_dictionaries(
    {
        "timestamp": st.datetimes(moment("1000-01-02"), moment("2099-12-30")),
        "symbol": texts,
        "action": st.sampled_from(ACTIONS),
        "strength": st.floats(0, 1),
    }
)


@settings(deadline=None, max_examples=50)
@given(st.lists(signals, max_size=6), texts)
def test_signals_written_as_a_frame_are_read_back_without_a_fault(
    rows: list[dict[str, object]], strategy: str
) -> None:
    frame = STRATEGY_SIGNALS.frame(rows)
    data = encode_signals(frame, strategy=strategy)
    reading = read(data, Zone("Asia/Kolkata", "00:00:00"))
    assert data.count(b"\n") == len(rows)
    assert reading.faults.height == 0
    assert reading.rows.select(STRATEGY_SIGNALS.names).equals(frame)
    assert set(reading.rows["strategy"]) <= {strategy}
    assert reading.rows["extra"].null_count() == len(rows)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None, max_examples=50)
@given(signals, texts, st.dictionaries(texts, json_values, max_size=3))
def test_a_signal_written_alone_is_read_back_with_all_its_further_fields(row, strategy, more) -> None:
    assume(not set(more) & set(FIELDS))
    written = {**row, "timestamp": f"{row['timestamp'].isoformat()}Z", "strategy": strategy, **more}
    data = encode_signal(written, where="here")
    reading = read(data)
    assert data.count(b"\n") == 1
    assert reading.faults.height == 0
    assert reading.rows.select(STRATEGY_SIGNALS.names).equals(STRATEGY_SIGNALS.frame([row]))
    assert json.loads(reading.rows["extra"][0] or "{}") == more


@pytest.mark.parametrize(
    ("signal", "found"),
    [
        ({**SIGNAL, "action": "buy"}, "the action 'buy'"),
        ({**SIGNAL, "strength": 1.5}, "the strength 1.5"),
        ({**SIGNAL, "strength": math.nan}, "the strength nan"),
        ({**SIGNAL, "strength": True}, "'strength' is True"),
        ({**SIGNAL, "timestamp": moment("2020-01-01")}, "'timestamp' is datetime.datetime(2020, 1, 1, 0, 0)"),
        ({**SIGNAL, "timestamp": "soon"}, "the time 'soon'"),
        ({name: value for name, value in SIGNAL.items() if name != "symbol"}, "'symbol' is missing"),
        ({**SIGNAL, "note": math.inf}, "Out of range float values are not JSON compliant"),
        ({**SIGNAL, "note": {1, 2}}, "Object of type set is not JSON serializable"),
        ({**SIGNAL, "symbol": "\ud800"}, "a text holds half of a surrogate pair"),
        ({**SIGNAL, "note": "x" * MAX_LINE}, f"longer than {MAX_LINE} bytes"),
        ({}, "'timestamp' is missing"),
    ],
)
def test_what_could_not_be_read_back_is_not_written(signal: dict[str, object], found: str) -> None:
    with pytest.raises(SchemaMismatch) as caught:
        encode_signal(signal, where="signals/trial_0.jsonl")
    assert str(caught.value).startswith(f"signals/trial_0.jsonl: found {found}")
    assert str(caught.value).endswith(
        "expected timestamp, symbol, action, strength, strategy; an action of BUY, SELL, HOLD; "
        "a strength from 0 to 1; correct the signal"
    )


def test_a_frame_without_the_columns_of_a_signal_is_not_written() -> None:
    with pytest.raises(
        SchemaMismatch, match=r"signals of strategy 'm': found 1 difference.*'strength' is missing"
    ):
        encode_signals(STRATEGY_SIGNALS.empty().drop("strength"), strategy="m")


@pytest.mark.parametrize(
    "change",
    [{"action": "buy"}, {"strength": 1.5}, {"strength": math.nan}, {"symbol": None}, {"timestamp": None}],
)
def test_a_frame_with_a_row_that_is_no_signal_is_not_written(change: dict[str, object]) -> None:
    row = {"timestamp": moment("2020-01-01"), "symbol": "A", "action": "BUY", "strength": 1.0}
    with pytest.raises(
        SchemaMismatch, match=r"signals of strategy 'm': found 1 row\(s\) that are no signals"
    ):
        encode_signals(STRATEGY_SIGNALS.frame([row, {**row, **change}]), strategy="m")


def test_no_signals_are_no_bytes() -> None:
    assert encode_signals(STRATEGY_SIGNALS.empty(), strategy="m") == b""


@settings(deadline=None, max_examples=50)
@given(st.binary(max_size=400))
def test_an_excerpt_is_short_and_printable(data: bytes) -> None:
    assert excerpt(data).isprintable()
    assert len(excerpt(data)) <= 10 * lines.EXCERPT
