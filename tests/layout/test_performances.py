import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from workspace_kit.layout import names, reader
from workspace_kit.layout.documents import read_document
from workspace_kit.layout.inventory import inventory
from workspace_kit.layout.names import Workspace
from workspace_kit.layout.performances import ORIGIN, Performances
from workspace_kit.layout.reader import read_rows
from workspace_kit.layout.zones import UTC, Zone
from workspace_kit.schema import INVENTORY, METRIC_NAMES, MIRRORED, TEXT

USUAL = {
    "trial_id": "trial_0",
    "parameters": {"lookback": 20, "threshold": 0.02},
    "metrics": {"total_return": 0.156, "sharpe_ratio": 1.45, "max_drawdown": -0.082, "win_rate": 0.58},
    "trades": 145,
    "period": {"start": "2023-01-01", "end": "2023-12-31"},
}
OURS = {
    "schema_version": 1,
    "written_at": "2024-01-15T14:30:00Z",
    **USUAL,
    "kind": "trial",
    "strategy": "trend",
    "status": "ok",
    "error": None,
    "symbols": ["A", "B"],
    "period_name": "train",
    "metrics_by_period": {
        "select": {
            "sharpe_ratio": 1,
            "cagr": None,
            "trades": 2,
            "bars": 9,
            "ruined": False,
            "period": {"start": "2024-01-01T09:30:00+02:00", "end": None},
        },
        "empty": None,
    },
    "metrics_by_regime": {"bull_market": {"bars": 7, "episodes": 1, "sharpe_ratio": 2}, "bear_market": None},
    "signals": {"rows": 3, "sha256": "00"},
}


def fast(data: bytes, key: str = "trial_0", *, zone: Zone = UTC) -> dict[str, pl.DataFrame] | None:
    """Tables as columns, null where the document was left to the exact reader."""
    taken = Performances()
    kind = names.ENSEMBLE.name if key.startswith("ensemble") else names.TRIAL.name
    files = INVENTORY.frame([{"workspace": "w", "kind": kind, "key": key, "path": "p"}])
    return taken.tables(files) if taken.add(0, key, data, zone=zone) else None


def exact(data: bytes, key: str = "trial_0", *, zone: Zone = UTC) -> dict[str, pl.DataFrame]:
    kind = names.ENSEMBLE.name if key.startswith("ensemble") else names.TRIAL.name
    found = read_document(data, kind=kind, key=key, workspace="w", path="p", zone=zone, beside={})
    return {
        name: MIRRORED[name].frame(found.get(name, [])).with_columns(pl.lit("p", TEXT).alias(ORIGIN))
        for name in ("performance", "metrics", "parameters", "performance_by_regime", "faults")
    }


def check_same(data: bytes, key: str = "trial_0", *, zone: Zone = UTC) -> bool:
    """Hold what was read fast against the exact reader, which may have found no fault then."""
    found = fast(data, key, zone=zone)
    if found is not None:
        told = exact(data, key, zone=zone)
        assert told.pop("faults").rows() == []
        for name, rows in told.items():
            assert found[name].equals(rows), name
            assert found[name].schema == rows.schema
    return found is not None


@pytest.mark.parametrize("content", [USUAL, OURS, {}, {"status": "failed", "error": "x"}, {"trial_id": 0}])
@pytest.mark.parametrize("choices", [{}, {"indent": 4}, {"separators": (",", ":")}])
def test_usual_documents_are_read_fast_whatever_their_spacing(content: dict, choices: dict) -> None:
    assert check_same(json.dumps(content, **choices).encode())
    assert check_same(
        json.dumps(content, **choices).encode().replace(b"\n", b"\r\n"), zone=Zone("Asia/Tokyo")
    )


def test_ensemble_trials_are_read_fast_under_each_spelling_of_their_id() -> None:
    for named in ("ensemble_trial_3", "trial_3", "3", 3):
        assert check_same(json.dumps({**USUAL, "trial_id": named}).encode(), "ensemble_trial_3")


def test_trades_that_stand_among_the_metrics_count() -> None:
    assert check_same(b'{"metrics": {"trades": 12}}')
    assert check_same(b'{"metrics": {"trades": 12}, "trades": null}')
    assert check_same(b'{"metrics": {"trades": null}}')


TEXT_OF = json.dumps(USUAL).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"null",
        b"\xff",
        TEXT_OF[:100],
        TEXT_OF + b"x",
        b"\xef\xbb\xbf" + TEXT_OF,
        TEXT_OF.replace(b'"win_rate": 0.58', b'"win_rate": NaN'),
        TEXT_OF.replace(b'"win_rate": 0.58', b'"win_rate": -Infinity'),
        TEXT_OF.replace(b'"win_rate": 0.58', b'"win_rate": 1e999'),
        TEXT_OF.replace(b'"win_rate": 0.58', b'"win_rate": "high"'),
        TEXT_OF.replace(b'"win_rate": 0.58', b'"win_rate": true'),
        TEXT_OF.replace(b'"win_rate": 0.58', b'"win_rate": 9007199254740993'),
        TEXT_OF.replace(b'"win_rate": 0.58', b'"win_rate": 1' + b"0" * 30),
        TEXT_OF.replace(b'"win_rate": 0.58', b'"sharpe_ratio": 0.58'),
        TEXT_OF.replace(b'"lookback": 20', b'"threshold": 0.02'),
        TEXT_OF.replace(b'"trades": 145', b'"trades": 145, "note": {"a": 1, "a": 2}'),
        TEXT_OF.replace(b'"trades": 145', b'"trades": 145, "trades": 145'),
        TEXT_OF.replace(b'"trades": 145', b'"trades": 145.5'),
        TEXT_OF.replace(b'"trades": 145', b'"trades": 1, "strategy": "\\ud800"'),
        TEXT_OF.replace(b'"trades": 145', b'"trades": 1, "strategy": "\\u0000"'),
        TEXT_OF.replace(b'"trades": 145', b'"trades": 1, "strategy": "\xed\xa0\x80"'),
        TEXT_OF.replace(b'"trades": 145', b'"trades": 1, "strategy": "a\nb"'),
        TEXT_OF.replace(b"trial_0", b"trial_1"),
        TEXT_OF.replace(b"2023-12-31", b"soon"),
        TEXT_OF.replace(b"2023-12-31", b""),
        b'{"metrics": {"period": null}}',
        b'{"metrics": {"period": 5}}',
        b'{"metrics": {"trades": 1.5}}',
        b'{"metrics_by_period": {"select": 5}}',
        b'{"metrics_by_period": {"all": {"cagr": 1}}}',
        b'{"period_name": "train", "metrics_by_period": {"train": null}}',
        b'{"metrics_by_period": {"select": {"cagr": "x"}}}',
        b'{"metrics_by_period": {"select": {"trades": "x"}}}',
        b'{"metrics_by_regime": {"bull": [1]}}',
        b'{"metrics_by_regime": {"bull": {"bars": 0.5}}}',
        b'{"period": "2020"}',
        b'{"status": 1}',
        b'{"a":' * 10_000,
        b'{"trades": ' + b"9" * 5000 + b"}",
    ],
)
def test_a_document_with_anything_unusual_is_left_to_the_exact_reader(data: bytes) -> None:
    assert fast(data) is None


# Any document at all: where both can read it, they say the same.

WORDS = (
    *("trial_id", "parameters", "metrics", "trades", "period", "start", "end", "status", "strategy"),
    *("period_name", "metrics_by_period", "metrics_by_regime", "select", "bull_market", "bars", "error"),
    *("episodes", "exposure", "ruined", "note", *METRIC_NAMES),
)
odd = st.sampled_from(
    [
        "2020-01-01",
        "2020-01-01T00:00:00+99:00",
        "trial_0",
        "",
        "a:b",
        "\ud800",
        "\x00",
        10**400,
        2**53 + 1,
        2**64,
    ]
)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | odd
anything = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5),
    max_leaves=12,
)
numbers = st.none() | st.integers(-(2**54), 2**54) | st.floats() | st.sampled_from([-0.0, 1e16, 1e-7, 5e-324])
metrics = st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=4), numbers, max_size=5)
times = st.none() | st.sampled_from(["2020-01-01", "2020-03-08T02:30:00", "2020-01-01t00:00:00z", "1/1/20"])
spans = st.none() | st.fixed_dictionaries({}, optional={"start": times, "end": times, "note": leaves})
texts = st.none() | st.text(max_size=4)
labels = st.text(min_size=1, max_size=4)
parts = st.none() | metrics | st.fixed_dictionaries({"period": spans})
documents = st.fixed_dictionaries(
    {},
    optional={
        "trial_id": st.sampled_from(["trial_0", "0", 0, None, "trial_1", True]),
        "strategy": texts,
        "status": texts,
        "error": texts,
        "period_name": texts | st.just("select"),
        "parameters": st.none() | st.dictionaries(st.text(max_size=4), anything, max_size=4),
        "metrics": st.none() | metrics,
        "trades": numbers,
        "period": spans,
        "metrics_by_period": st.none()
        | st.dictionaries(labels | st.sampled_from(["select", "all"]), parts, max_size=3),
        "note": anything,
    },
)


@settings(deadline=None, max_examples=200)
@given(documents | st.dictionaries(st.sampled_from(WORDS), anything, max_size=6), st.booleans())
@example({"parameters": {"a": -0.0, "b": 10**30, "c": 1e-7, "d": [1e16, {"e": None}]}}, True)
@example({"metrics": {"a": 2**53}, "trades": -(2**53)}, True)
def test_what_is_read_fast_is_what_the_exact_reader_says(content: dict, escapes: bool) -> None:
    check_same(json.dumps(content, ensure_ascii=escapes).encode("utf-8", "surrogatepass"))


@settings(deadline=None, max_examples=200)
@given(
    st.integers(0, len(TEXT_OF)),
    st.integers(0, 8),
    st.binary(max_size=6) | st.sampled_from([b'"', b"1", b"-", b","]),
)
def test_a_document_damaged_anywhere_is_read_as_the_exact_reader_does(at: int, cut: int, put: bytes) -> None:
    check_same(TEXT_OF[:at] + put + TEXT_OF[at + cut :])


# Files.


def put(workspace: Workspace, path: str, data: bytes) -> Path:
    place = workspace.path / path
    place.write_bytes(data)
    return place


def test_a_sweep_is_read_fast_and_its_odd_documents_exactly(workspace: Workspace, monkeypatch) -> None:
    for trial in range(20):
        put(workspace, f"performance/trial_{trial}.json", TEXT_OF.replace(b"trial_0", b"trial_%d" % trial))
    put(workspace, "performance/trial_3.json", b'{"metrics": {"cagr": NaN}}')
    put(workspace, "performance/trial_4.json", b"{")
    (workspace.path / "performance" / "trial_5.json").unlink()
    (workspace.path / "performance" / "trial_5.json").symlink_to("trial_6.json")
    seen: list[str] = []
    real = reader.read_document
    monkeypatch.setattr(
        reader,
        "read_document",
        lambda *given, **choices: (seen.append(choices["key"]), real(*given, **choices))[1],
    )
    tables = read_rows(inventory([workspace]))
    assert seen == ["trial_3", "trial_4"]
    assert set(tables["performance"]["trial_id"]) == {f"trial_{trial}" for trial in range(20)} - {
        "trial_4",
        "trial_5",
    }
    assert tables["faults"]["reason"].to_list() == [
        "NaN is not a number in JSON; read as null",
        "unreadable: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
        "a symbolic link",
    ]


def test_each_row_says_which_file_it_is_from_and_rows_of_a_file_keep_their_order(
    workspace: Workspace,
) -> None:
    for trial in (0, 1):
        content = {**OURS, "trial_id": trial, "metrics": {"b": trial, "a": None}}
        put(workspace, f"performance/trial_{trial}.json", json.dumps(content).encode())
    tables = read_rows(inventory([workspace]))
    rows = tables["metrics"].select("trial_id", "period", "name", "value").rows()
    assert rows[:5] == [
        ("trial_0", "train", "b", 0.0),
        ("trial_0", "train", "a", None),
        ("trial_0", "select", "sharpe_ratio", 1.0),
        ("trial_0", "select", "cagr", None),
        ("trial_1", "train", "b", 1.0),
    ]
    for rows in tables.values():
        for trial, origin in rows.select(rows.columns[1], ORIGIN).iter_rows():
            assert Path(origin).stem == trial
