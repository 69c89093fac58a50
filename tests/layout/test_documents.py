import csv
import datetime as dt
import io
import json

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from workspace_kit.errors import SchemaMismatch
from workspace_kit.layout import names
from workspace_kit.layout.documents import encode_document, encode_json, encode_table, read_document
from workspace_kit.layout.lines import parse_json
from workspace_kit.layout.names import FileKind
from workspace_kit.layout.zones import UTC, Zone
from workspace_kit.schema import METRIC_NAMES, MIRRORED

moment = dt.datetime.fromisoformat

PERFORMANCE = b"""\
{
  "trial_id": "trial_0",
  "parameters": {
    "lookback": 20,
    "threshold": 0.02
  },
  "metrics": {
    "total_return": 0.156,
    "sharpe_ratio": 1.45,
    "max_drawdown": -0.082,
    "win_rate": 0.58
  },
  "trades": 145,
  "period": {
    "start": "2023-01-01",
    "end": "2023-12-31"
  }
}
"""
REGIMES = b"""\
{
  "regime_optimal_params": {
    "bull_market": {
      "lookback": 10,
      "threshold": 0.01,
      "performance": 0.234
    },
    "bear_market": {
      "lookback": 30,
      "threshold": 0.03,
      "performance": 0.145
    },
    "neutral_market": {
      "lookback": 20,
      "threshold": 0.02,
      "performance": 0.089
    }
  },
  "analysis_metadata": {
    "method": "regime_classification",
    "trials_analyzed": 18,
    "timestamp": "2024-01-15T14:30:00Z"
  }
}
"""


def read(
    content: object,
    kind: FileKind = names.TRIAL,
    key: str = "trial_0",
    *,
    zone: Zone = UTC,
    beside: dict[str, object] | None = None,
) -> dict[str, pl.DataFrame]:
    """Tables that a document adds rows to; each fits its table exactly and holds neither NaN nor infinity."""
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    found = read_document(
        data, kind=kind.name, key=key, workspace="w", path="p", zone=zone, beside=beside or {}
    )
    frames = {}
    for name, rows in found.items():
        assert all(set(row) <= set(MIRRORED[name].names) for row in rows)
        frames[name] = MIRRORED[name].frame(rows)
        for series in frames[name].select(pl.col(pl.Float64)):
            assert series.drop_nulls().is_finite().all()
    return frames


def reasons(frames: dict[str, pl.DataFrame]) -> list[str]:
    return frames["faults"]["reason"].to_list()


# The files of the description.


def test_the_performance_file_of_the_description_is_read_as_it_stands() -> None:
    frames = read(PERFORMANCE)
    assert reasons(frames) == []
    (row,) = frames["performance"].to_dicts()
    assert json.loads(row.pop("metrics")) == json.loads(PERFORMANCE)["metrics"]
    assert row == {
        "workspace": "w",
        "trial_id": "trial_0",
        "kind": "trial",
        "period": "all",
        "status": "ok",
        "strategy": None,
        "parameters": '{"lookback":20,"threshold":0.02}',
        "total_return": 0.156,
        "sharpe_ratio": 1.45,
        "max_drawdown": -0.082,
        "win_rate": 0.58,
        "trades": 145,
        "period_start": moment("2023-01-01T23:59:59"),
        "period_end": moment("2023-12-31T23:59:59"),
        "error": None,
    }
    assert frames["parameters"].select("name", "value").rows() == [("lookback", "20"), ("threshold", "0.02")]
    assert frames["metrics"].select("period", "name", "value").rows() == [
        ("all", "total_return", 0.156),
        ("all", "sharpe_ratio", 1.45),
        ("all", "max_drawdown", -0.082),
        ("all", "win_rate", 0.58),
    ]


def test_the_analysis_file_of_the_description_is_read_as_it_stands() -> None:
    frames = read(REGIMES, names.ANALYSIS, "regime_optimal_params")
    assert reasons(frames) == []
    assert frames["regime_params"].select("regime", "strategy", "parameters", "performance").rows() == [
        ("bull_market", None, '{"lookback":10,"threshold":0.01}', 0.234),
        ("bear_market", None, '{"lookback":30,"threshold":0.03}', 0.145),
        ("neutral_market", None, '{"lookback":20,"threshold":0.02}', 0.089),
    ]


# Our own shapes.


def test_metrics_of_further_periods_and_regimes_are_rows_of_their_own() -> None:
    frames = read(
        {
            "strategy": "trend",
            "period_name": "train",
            "metrics": {"sharpe_ratio": 1.0, "cagr": None},
            "trades": 3,
            "metrics_by_period": {"select": {"sharpe_ratio": 0.5, "trades": 2, "bars": 9, "exposure": 1}},
            "metrics_by_regime": {"bull_market": {"sharpe_ratio": 2, "bars": 7, "episodes": 1, "trades": 1}},
        }
    )
    assert reasons(frames) == []
    assert frames["performance"].select("period", "sharpe_ratio", "trades", "metrics").rows() == [
        ("train", 1.0, 3, '{"sharpe_ratio":1.0,"cagr":null}'),
        ("select", 0.5, 2, '{"sharpe_ratio":0.5}'),
    ]
    assert frames["performance_by_regime"].select(
        "strategy", "regime", "bars", "sharpe_ratio", "cagr"
    ).rows() == [("trend", "bull_market", 7, 2.0, None)]


def test_a_failed_trial_keeps_its_reason() -> None:
    (row,) = read({"status": "failed", "error": "ZeroDivisionError"})["performance"].to_dicts()
    assert (row["status"], row["error"], row["metrics"]) == ("failed", "ZeroDivisionError", "{}")


@pytest.mark.parametrize(
    ("key", "named", "fits"),
    [
        ("trial_0", 0, True),
        ("trial_0", "0", True),
        ("trial_0", "trial_0", True),
        ("ensemble_trial_0", "ensemble_trial_0", True),
        ("ensemble_trial_0", "trial_0", True),
        ("ensemble_trial_0", 0, True),
        ("trial_0", "trial_1", False),
        ("trial_0", "../trial_0", False),
        ("trial_0", ["trial_0"], False),
        ("trial_0", True, False),
    ],
)
def test_an_id_that_is_not_that_of_its_file_is_told_and_the_file_counts(
    key: str, named: object, fits: bool
) -> None:
    frames = read({"trial_id": named}, key=key)
    assert frames["performance"]["trial_id"].to_list() == [key]
    assert reasons(frames) == ([] if fits else [f"trial_id is {named!r}, the file's name says {key}"])


def test_an_ensemble_trial_is_told_by_its_name() -> None:
    assert read({}, names.ENSEMBLE, "ensemble_trial_0")["performance"]["kind"].to_list() == ["ensemble"]


def test_candidates_of_the_validation_share_their_period_and_looks() -> None:
    content = {
        "period": {"start": "2016-01-31T23:59:59Z", "end": "2022-05-31"},
        "looks": 2,
        "candidates": {"ensemble": {"metrics": {"cagr": 0.1}, "trades": 4}, "equal_weight": None},
    }
    rows = read(content, names.VALIDATION, "validation_results")["validations"]
    assert rows.select("candidate", "period_start", "trades", "cagr", "looks").rows() == [
        ("ensemble", moment("2016-01-31T23:59:59"), 4, 0.1, 2),
        ("equal_weight", moment("2016-01-31T23:59:59"), None, None, 2),
    ]


def test_the_best_of_each_strategy_stands_beside_the_best_of_all() -> None:
    winner = {
        "lookback": 3,
        "performance": 1,
        "trial_id": "trial_2",
        "edge_of_grid": True,
        "interval": [0, 1],
    }
    content = {
        "regime_optimal_params": {"bull_market": winner},
        "by_strategy": {"trend": {"bull_market": winner}},
    }
    rows = read(content, names.ANALYSIS, "regime_optimal_params")["regime_params"]
    assert rows.select("strategy", "trial_id", "parameters", "edge_of_grid").rows() == [
        (None, "trial_2", '{"lookback":3}', True),
        ("trend", "trial_2", '{"lookback":3}', True),
    ]


def test_weights_name_member_strategy_and_method() -> None:
    content = {
        "weights": {"a": 0.6, "b": 1},
        "members": {"a": {"strategy": "trend"}},
        "method": "simplex_grid",
    }
    rows = read(content, names.ANALYSIS, "ensemble_weights")["ensemble_weights"]
    assert rows.select("member", "strategy", "weight", "method", "recommended").rows() == [
        ("a", "trend", 0.6, "simplex_grid", None),
        ("b", None, 1.0, "simplex_grid", None),
    ]


def test_luck_is_told_by_subject() -> None:
    content = {"subjects": {"ensemble": {"psr": 0.9, "trials_tried": 18}}}
    rows = read(content, names.ANALYSIS, "overfitting")["overfitting"]
    assert rows.select("subject", "psr", "trials_tried", "pbo").rows() == [("ensemble", 0.9, 18, None)]


def facts(content: object, kind: FileKind, key: str) -> list[tuple[object, ...]]:
    return read(content, kind, key).get("facts", MIRRORED["facts"].empty()).select("name", "value").rows()


def test_configuration_environment_and_state_tell_facts_of_their_workspace() -> None:
    config = b"name: a sweep\ntags: [x, 0700]\nnote: null\ndata: {timezone: America/New_York}\n"
    assert facts(config, names.CONFIG, "config") == [("name", "a sweep"), ("tags", '["x", 700]')]
    assert facts({"written_at": "2024-01-15T14:30:00Z"}, names.METADATA, "environment") == [
        ("created_at", "2024-01-15T14:30:00Z")
    ]
    state = {"phase": "phase_2", "state": "running", "heartbeat": "x"}
    assert facts(state, names.STATE, "current_state") == [("phase", "phase_2"), ("state", "running")]


@pytest.mark.parametrize(
    ("config", "fault"),
    [
        (b"data: {timezone: Mars/Phobos}", "'Mars/Phobos' is no calendar; times are read in UTC"),
        (b"data: {timezone: ../../etc/passwd}", "'../../etc/passwd' is no calendar; times are read in UTC"),
        (
            b"data: {close_time: 25:00}",
            "timezone 'UTC', close_time '25:00' is no calendar; times are read in UTC",
        ),
        (
            b"data: {timezone: [UTC]}",
            "timezone ['UTC'], close_time '23:59:59' is no calendar; times are read in UTC",
        ),
    ],
)
def test_a_calendar_that_cannot_be_meant_is_told(config: bytes, fault: str) -> None:
    assert reasons(read(config, names.CONFIG, "config")) == [fault]


@pytest.mark.parametrize("config", [b"", b"- 1", b"text", b"data: 5", b"data: [1]", b"data: null", b"1: 2"])
def test_a_configuration_of_any_shape_is_read(config: bytes) -> None:
    assert reasons(read(config, names.CONFIG, "config")) == []


# Tables as CSV.


def test_regimes_are_read_and_a_label_that_is_not_known_yet_is_null() -> None:
    data = b"timestamp,regime,basis\r\n2020-01-31T23:59:59Z,,causal\r\n2020-02-29,bull_market,causal\r\n"
    frames = read(data, names.ANALYSIS_TABLE, "regimes", zone=Zone("America/New_York", "16:00:00"))
    assert reasons(frames) == []
    assert frames["regimes"].select("timestamp", "regime").rows() == [
        (moment("2020-01-31T23:59:59"), None),
        (moment("2020-02-29T21:00:00"), "bull_market"),
    ]


def test_each_pair_of_the_correlation_matrix_is_read_once() -> None:
    data = b",trial_0,trial_1,trial_2\ntrial_0,1,0.5,\ntrial_1,0.5,1,nan\ntrial_2,,nan,1\n"
    frames = read(data, names.ANALYSIS_TABLE, "correlation_matrix", beside={"bars": 240})
    assert frames["correlations"].select("trial_a", "trial_b", "correlation", "bars").rows() == [
        ("trial_0", "trial_1", 0.5, 240),
        ("trial_0", "trial_2", None, 240),
        ("trial_1", "trial_2", None, 240),
    ]
    assert reasons(frames) == ["nan is not a finite number; read as null"]


def test_returns_are_read_by_series() -> None:
    data = b"timestamp,ensemble,trial_1\n2020-01-31,0.01,\n"
    rows = read(data, names.ANALYSIS_TABLE, "returns")["returns"]
    assert rows.select("series", "return").rows() == [("ensemble", 0.01), ("trial_1", None)]


@pytest.mark.parametrize("key", ["regimes", "returns", "correlation_matrix"])
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n",
        b"timestamp\n",
        b"a,b\n1\n",
        b"timestamp,regime,basis\n1,2,3,4,5\n",
        b'timestamp,"a\nb\n',
        b"\xff\xfe",
        b"timestamp,x\nsoon,abc\n",
        b"timestamp,x\n2020-01-01,1e999\n",
        b"x\x00y,z\n1,2\n",
        b"a," + b"9" * 200_000 + b"\n1,2\n",
        b"\xef\xbb\xbftimestamp,regime,basis\n2020-01-01,a,b\n",
    ],
)
def test_a_table_of_any_shape_is_rows_or_a_fault(key: str, data: bytes) -> None:
    frames = read(data, names.ANALYSIS_TABLE, key)
    assert all(len(reason) < 300 for reason in reasons(frames))


def test_tables_and_documents_that_nobody_asks_about_are_left_unread() -> None:
    for kind, key in ((names.ANALYSIS_TABLE, "mine"), (names.ANALYSIS, "mine"), (names.PAGE, "report")):
        assert read(b"\xff{", kind, key).keys() == {"faults"}
        assert reasons(read(b"\xff{", kind, key)) == []


# What a document may not be, said in words.


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "unreadable: Expecting value: line 1 column 1 (char 0)"),
        (PERFORMANCE[:100], "unreadable: Unterminated string starting at: line 7 column 3 (char 94)"),
        (b"[]", "unreadable: not an object"),
        (b"\xff", "unreadable: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
        (b'{"a": 1, "a": 2}', "unreadable: the key 'a' twice"),
        (b'{"metrics": {"cagr": 1e999}}', "unreadable: 1e999 is beyond the largest number"),
        (b'{"strategy": "\\ud800"}', "unreadable: a text holds half of a surrogate pair"),
        (b'{"strategy": "\\u0000"}', "unreadable: a text holds a NUL"),
        (b'{"a":' * 10_000, "unreadable: maximum recursion depth exceeded while decoding a JSON object"),
        (
            b'{"trades": ' + b"9" * 5000 + b"}",
            "unreadable: Exceeds the limit (4300 digits) for integer string",
        ),
        (b'{"metrics": 5}', "'metrics' is 5, not an object"),
        (b'{"metrics": {"cagr": "high"}}', "'cagr' is 'high', not a number"),
        (b'{"metrics": {"cagr": true}}', "'cagr' is True, not a number"),
        (
            b'{"metrics": {"cagr": 1' + b"0" * 30 + b"}}",
            "'cagr' is 1000000000000000000000000000000, not a number",
        ),
        (b'{"trades": 1.5}', "'trades' is 1.5, not a whole number"),
        (b'{"trades": 1e300}', "'trades' is 1e+300, not a whole number"),
        (b'{"status": 1}', "'status' is 1, not a text"),
        (b'{"period": {"start": "soon"}}', "'start' is 'soon', not a time"),
        (b'{"period": "2020"}', "'period' is '2020', not an object"),
        (b'{"parameters": [1]}', "'parameters' is [1], not an object"),
        (b'{"metrics_by_period": {"all": {"cagr": 1}}}', "the period 'all' twice; its first is read"),
        (b'{"metrics_by_period": {"select": 5}}', "'select' is 5, not an object"),
        (b'{"metrics_by_regime": {"bull": [1]}}', "'bull' is [1], not an object"),
    ],
)
def test_what_cannot_be_meant_is_a_fault_that_says_why(data: bytes, reason: str) -> None:
    (found,) = reasons(read(data))
    assert found.startswith(reason)


def test_what_is_wrong_in_one_place_leaves_the_rest_as_it_is() -> None:
    frames = read({"metrics": {"cagr": "x", "sharpe_ratio": 1.5}, "trades": "y"})
    assert frames["performance"]["sharpe_ratio"].to_list() == [1.5]
    assert len(reasons(frames)) == 2


def test_a_fault_names_its_file_and_shows_its_first_bytes() -> None:
    (fault,) = read(b"\x1b[2J")["faults"].to_dicts()
    assert fault == {
        "workspace": "w",
        "path": "p",
        "line": None,
        "byte_offset": None,
        "length": None,
        "reason": "unreadable: Expecting value: line 1 column 1 (char 0)",
        "excerpt": "\\x1b[2J",
    }


def test_a_metric_that_another_program_wrote_as_nan_is_null_and_told_once() -> None:
    frames = read(b'{"metrics": {"cagr": NaN, "sharpe_ratio": -Infinity, "win_rate": NaN, "volatility": 1}}')
    assert frames["metrics"]["value"].to_list() == [None, None, None, 1.0]
    assert reasons(frames) == [
        "NaN is not a number in JSON; read as null",
        "-Infinity is not a number in JSON; read as null",
    ]


def test_nan_excuses_nothing_else() -> None:
    assert reasons(read(b'{"a": NaN, "metrics": {"cagr": 1e999}}')) == [
        "unreadable: 1e999 is beyond the largest number"
    ]
    assert reasons(read(b'{"a": NaN, "a": 1}')) == ["unreadable: the key 'a' twice"]
    assert reasons(read(b'{"not a number in JSON": 1, "not a number in JSON": 2}')) == [
        "unreadable: the key 'not a number in JSON' twice"
    ]


def test_a_byte_order_mark_is_read_over_and_told() -> None:
    frames = read(b"\xef\xbb\xbf" + PERFORMANCE.replace(b"\n", b"\r\n"))
    assert frames["performance"].equals(read(PERFORMANCE)["performance"])
    assert reasons(frames) == ["a byte order mark, skipped"]


# Any document at all.

WORDS = (
    *(
        "trial_id",
        "parameters",
        "metrics",
        "trades",
        "period",
        "start",
        "end",
        "status",
        "strategy",
        "period_name",
    ),
    *(
        "metrics_by_period",
        "metrics_by_regime",
        "select",
        "bull_market",
        "bars",
        "candidates",
        "looks",
        "ensemble",
    ),
    *("regime_optimal_params", "by_strategy", "edge_of_grid", "weights", "members", "subjects", "written_at"),
    *("phase", "state", "trials_tried", "psr", "error", "name", "tags", "data", "timezone", *METRIC_NAMES),
)
odd = st.sampled_from(
    ["2020-01-01", "2020-01-01T00:00:00+99:00", "trial_0", "\ud800", "\x00", 10**400, 2**53 + 1]
)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | odd
anything = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=6),
    max_leaves=15,
)
readable = st.sampled_from(
    [
        (names.TRIAL, "trial_0"),
        (names.ENSEMBLE, "ensemble_trial_0"),
        (names.VALIDATION, "validation_results"),
        (names.STATE, "current_state"),
        (names.METADATA, "environment"),
        (names.CONFIG, "config"),
        *((names.ANALYSIS, key) for key in ("regime_optimal_params", "ensemble_weights", "overfitting")),
    ]
)


@settings(deadline=None, max_examples=50)
@given(readable, st.dictionaries(st.sampled_from(WORDS), anything, max_size=8))
@example((names.TRIAL, "trial_0"), {"trades": 10**30, "metrics": {"cagr": 10**400}})
@example(
    (names.ANALYSIS, "regime_optimal_params"),
    {"regime_optimal_params": {"bull_market": {"edge_of_grid": "no"}}},
)
@example((names.ANALYSIS, "regime_optimal_params"), {"by_strategy": {"trend": 5}})
@example((names.ANALYSIS, "ensemble_weights"), {"weights": {"a": "x"}, "members": {"a": "y"}})
@example((names.ANALYSIS, "overfitting"), {"subjects": {"a": "y"}})
@example((names.VALIDATION, "validation_results"), {"candidates": {"a": [1]}})
def test_a_document_of_any_shape_is_rows_that_fit_or_a_fault(
    place: tuple[FileKind, str], content: dict
) -> None:
    kind, key = place
    frames = read(content, kind, key)
    assert all(reason.isprintable() and len(reason) < 300 for reason in reasons(frames))


@settings(deadline=None, max_examples=60)
@given(
    readable,
    st.binary(max_size=40) | st.binary(max_size=5).map(lambda noise: PERFORMANCE.replace(b"trial_0", noise)),
)
def test_bytes_of_any_kind_are_rows_that_fit_or_a_fault(place: tuple[FileKind, str], data: bytes) -> None:
    read(data, *place)


# Writing.

texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=6)
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=10,
)


@settings(deadline=None, max_examples=80)
@given(json_values)
def test_json_is_read_back_as_it_was_written(content: object) -> None:
    assert parse_json(encode_json(content)) == content


def test_a_document_begins_with_its_version_and_time_and_ends_with_a_newline() -> None:
    data = encode_document({"b": 1, "a": "ü"}, written_at=moment("2024-01-15T14:30:00"))
    assert data.decode() == (
        '{\n  "schema_version": 1,\n  "written_at": "2024-01-15T14:30:00Z",\n  "b": 1,\n  "a": "ü"\n}\n'
    )


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (float("nan"), "Out of range float values are not JSON compliant: nan"),
        (float("-inf"), "Out of range float values are not JSON compliant: -inf"),
        ({1, 2}, "{1, 2} of type set"),
        ("\ud800", "'utf-8' codec can't encode character '\\ud800' in position 10: surrogates not allowed"),
    ],
)
def test_what_json_cannot_say_is_not_written(value: object, found: str) -> None:
    with pytest.raises(SchemaMismatch) as caught:
        encode_json({"a": value})
    assert caught.value.found == found


def test_dates_and_numpy_scalars_are_written_as_plain_values() -> None:
    content = {
        "at": moment("2020-01-31T23:59:59"),
        "day": dt.date(2020, 1, 31),
        "n": np.int64(3),
        "x": np.float32(0.5),
    }
    assert parse_json(encode_json(content)) == {
        "at": "2020-01-31T23:59:59Z",
        "day": "2020-01-31",
        "n": 3,
        "x": 0.5,
    }


def test_a_table_is_written_with_times_in_utc_and_nulls_as_nothing() -> None:
    frame = pl.DataFrame(
        {"timestamp": [moment("2020-01-31T23:59:59"), None], "a,b": [0.1, None], "c": ["x\ny", ""]}
    )
    data = encode_table(frame)
    assert data == b'timestamp,"a,b",c\n2020-01-31T23:59:59Z,0.1,"x\ny"\n,,""\n'
    assert list(csv.reader(io.StringIO(data.decode())))[1] == ["2020-01-31T23:59:59Z", "0.1", "x\ny"]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=5))
def test_returns_are_read_back_to_the_last_digit(values: list[float]) -> None:
    start = moment("2020-01-01T00:00:00")
    times = [start + dt.timedelta(days=day) for day in range(len(values))]
    schema = {"timestamp": pl.Datetime("us"), "ensemble": pl.Float64}
    data = encode_table(pl.DataFrame({"timestamp": times, "ensemble": values}, schema=schema))
    rows = read(data, names.ANALYSIS_TABLE, "returns").get("returns", MIRRORED["returns"].empty())
    assert rows["timestamp"].to_list() == times
    assert rows["return"].to_list() == values
