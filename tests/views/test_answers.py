import datetime as dt
import itertools
import tempfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.views.conftest import Open, write
from workspace_kit.views import Catalog

moment = dt.datetime.fromisoformat
DAY = dt.timedelta(days=1)
START = moment("2020-01-01")
Row = dict[str, object]


def trial(trial_id: str, **values: object) -> Row:
    """A row of ``performance``: a trial on train unless told otherwise."""
    told = {"workspace": "w", "kind": "trial", "period": "train", "status": "ok", "trades": 10}
    return {**told, "trial_id": trial_id, "strategy": "m", "parameters": "{}", **values}


def metric(
    trial_id: str, name: str, value: float | None, *, period: str = "train", workspace: str = "w"
) -> Row:
    return {"workspace": workspace, "trial_id": trial_id, "period": period, "name": name, "value": value}


def test_trials_come_in_natural_order_with_all_metrics_of_train(open_over: Open) -> None:
    catalog = open_over(
        performance=[
            trial("trial_10", sharpe_ratio=1.0, parameters='{"lookback": 3}'),
            trial("trial_2", status="failed", trades=None),
            trial("trial_2", status="ok", period="select", sharpe_ratio=9.0),
            trial("trial_3", kind="ensemble"),
        ],
        metrics=[
            metric("trial_10", "cagr", 0.1),
            metric("trial_10", "volatility", 0.2),
            metric("trial_10", "sortino_ratio", None),
            metric("trial_10", "cagr", 9.0, period="select"),
            metric("trial_10", "cagr", 9.0, workspace="other"),
        ],
    )
    rows = catalog.answer("trials_on_train").select(
        "trial_id", "status", "parameters", "cagr", "volatility", "sharpe_ratio", "sortino_ratio"
    )
    assert rows.rows() == [
        ("trial_2", "failed", "{}", None, None, None, None),
        ("trial_10", "ok", '{"lookback": 3}', 0.1, 0.2, 1.0, None),
    ]


def test_a_trial_without_a_named_period_counts_and_train_goes_before_it(open_over: Open) -> None:
    catalog = open_over(
        performance=[
            trial("trial_0", period="all", sharpe_ratio=1.0),
            trial("trial_1", period="all", sharpe_ratio=1.0),
            trial("trial_1", period="train", sharpe_ratio=2.0),
        ],
        performance_by_regime=[{"workspace": "w", "trial_id": "trial_1", "regime": "bull_market"}],
        metrics=[metric(f"trial_{n}", "cagr", n / 10, period=p) for n in (0, 1) for p in ("all", "train")],
    )
    rows = catalog.answer("trials_on_train").select("trial_id", "sharpe_ratio", "cagr")
    assert rows.rows() == [("trial_0", 1.0, 0.0), ("trial_1", 2.0, 0.1)]
    assert catalog.answer("performance_by_regime").height == 1
    assert catalog.answer("leaderboard", {"metric": "cagr"})["trial_id"].to_list() == ["trial_1", "trial_0"]


def test_regimes_are_those_of_trials_that_did_not_fail(open_over: Open) -> None:
    part = {"regime": "bull_market", "bars": 20, "sharpe_ratio": 1.5}
    catalog = open_over(
        performance=[
            trial("trial_0", parameters='{"lookback": 3}', sharpe_ratio=0.5),
            trial("trial_1", status="failed"),
            trial("ensemble_trial_0", kind="ensemble"),
        ],
        performance_by_regime=[
            {"workspace": "w", "trial_id": name, **part}
            for name in ("trial_0", "trial_1", "ensemble_trial_0")
        ]
        + [{"workspace": "other", "trial_id": "trial_0", **part}],
    )
    rows = catalog.answer("performance_by_regime")
    assert rows.select("workspace", "trial_id", "parameters", "regime", "bars", "sharpe_ratio").rows() == [
        ("w", "trial_0", '{"lookback": 3}', "bull_market", 20, 1.5)
    ]


def test_the_leaderboard_keeps_to_floor_trades_and_places(open_over: Open) -> None:
    catalog = open_over(
        performance=[
            trial("trial_0", max_drawdown=-0.05),
            trial("trial_1", max_drawdown=-0.5),
            trial("trial_2", max_drawdown=-0.05, trades=0),
            trial("trial_3", max_drawdown=None),
            trial("trial_4", max_drawdown=-0.05, status="failed"),
            trial("trial_5", max_drawdown=-0.05, kind="ensemble"),
        ],
        metrics=[metric(f"trial_{n}", "sharpe_ratio", float(n)) for n in range(6)],
    )

    def places(**parameters: object) -> list[str]:
        return catalog.answer("leaderboard", parameters)["trial_id"].to_list()

    assert places() == ["trial_3", "trial_1", "trial_0"]
    assert places(floor=-0.1) == ["trial_0"]
    assert places(fewest_trades=0) == ["trial_3", "trial_2", "trial_1", "trial_0"]
    assert places(most=1) == ["trial_3"]
    assert places(metric="cagr") == []


few = st.sampled_from([0.0, 1.0, 2.0])


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["v", "w"]),
            st.integers(0, 30),
            few | st.none(),
            st.integers(0, 2),
            few.map(float.__neg__) | st.none(),
        ),
        unique_by=lambda row: row[:2],
        max_size=12,
    )
)
@settings(deadline=None, max_examples=15)
def test_places_follow_metric_then_trades_then_drawdown_then_name(rows) -> None:
    performance = [
        trial(f"trial_{n}", workspace=w, trades=trades, max_drawdown=drawdown)
        for w, n, _, trades, drawdown in rows
    ]
    metrics = [metric(f"trial_{n}", "sharpe_ratio", value, workspace=w) for w, n, value, _, _ in rows]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parts = {
            "performance": [write(folder, "performance", performance)],
            "metrics": [write(folder, "metrics", metrics)],
        }
        with Catalog(parts, scratch=folder, workspaces=None) as catalog:
            found = catalog.answer("leaderboard").select("place", "workspace", "trial_id").rows()
            best = catalog.answer("leaderboard", {"most": 1})["trial_id"].to_list()
    worst = float("-inf")
    eligible = [row for row in rows if row[2] is not None and row[3] > 0]
    ordered = sorted(
        eligible, key=lambda row: (-row[2], -row[3], -(worst if row[4] is None else row[4]), row[0], row[1])
    )
    assert found == [(place, w, f"trial_{n}") for place, (w, n, *_) in enumerate(ordered, 1)]
    assert best == [f"trial_{n}" for _, n, *_ in ordered[:1]]


def test_a_bar_earns_in_the_regime_known_at_the_bar_before(open_over: Open) -> None:
    labels = [None, "bull_market", "bear_market"]
    catalog = open_over(
        regimes=[
            {"workspace": "w", "timestamp": START + n * DAY, "regime": label, "basis": "causal"}
            for n, label in enumerate(labels)
        ]
        + [{"workspace": "other", "timestamp": START - DAY, "regime": "bear_market", "basis": "causal"}],
        returns=[
            {"workspace": "w", "series": series, "timestamp": START + n * DAY, "return": float(n)}
            for series in ("trial_10", "trial_9")
            for n in (3, 2, 1, 0)
        ],
    )
    rows = catalog.answer("returns_by_regime")
    assert rows["series"].to_list() == ["trial_9"] * 4 + ["trial_10"] * 4
    assert rows.head(4).select("regime", "return").rows() == [
        (None, 0.0),
        (None, 1.0),
        ("bull_market", 2.0),
        ("bear_market", 3.0),
    ]


@given(st.lists(st.sampled_from([None, "bull_market", "bear_market"]), max_size=12))
@settings(deadline=None, max_examples=15)
def test_stretches_of_regimes_agree_with_a_plain_loop(labels: list[str | None]) -> None:
    regimes = [
        {"workspace": "w", "timestamp": START + n * DAY, "regime": label, "basis": "causal"}
        for n, label in enumerate(labels)
    ]
    with tempfile.TemporaryDirectory() as name:
        parts = {"regimes": [write(Path(name), "regimes", regimes[::-1])]}
        with Catalog(parts, scratch=Path(name), workspaces=None) as catalog:
            rows = catalog.answer("regime_table").select(
                "regime", "bars", "episodes", "mean_bars", "first_bar"
            )
    stretches = [label for label, _ in itertools.groupby(labels)]
    assert rows.rows() == [
        (
            label,
            labels.count(label),
            stretches.count(label),
            labels.count(label) / stretches.count(label),
            START + labels.index(label) * DAY,
        )
        for label in sorted(set(labels), key=lambda label: label or "")
    ]


def test_trials_are_counted_once_whatever_periods_they_have(open_over: Open) -> None:
    catalog = open_over(
        performance=[
            trial("trial_0"),
            trial("trial_0", period="select"),
            trial("trial_1"),
            trial("trial_2", status="failed"),
            trial("ensemble_trial_0", kind="ensemble"),
        ]
    )
    assert catalog.answer("trial_counts").rows() == [
        ("w", "trial", "ok", 2),
        ("w", "trial", "failed", 1),
        ("w", "ensemble", "ok", 1),
    ]


def test_faults_are_counted_by_reason_the_most_frequent_first(open_over: Open) -> None:
    faults = [("torn", "b", 3), ("torn", "a", 9), ("torn", "a", 8), ("NaN", "c", None)]
    catalog = open_over(
        faults=[
            {"workspace": "w", "reason": reason, "path": path, "line": line} for reason, path, line in faults
        ]
    )
    assert catalog.answer("data_health").rows() == [("w", "torn", 3, 2, "a"), ("w", "NaN", 1, 1, "c")]


def test_signals_are_counted_by_action(open_over: Open) -> None:
    signals = [("BUY", "A", 0), ("SELL", "A", 1), ("HOLD", "B", 2), ("BUY", "B", 3)]
    catalog = open_over(
        signals=[
            {"workspace": "w", "trial_id": name, "action": a, "symbol": s, "timestamp": START + n * DAY}
            for name in ("trial_10", "trial_9")
            for a, s, n in signals
        ]
    )
    rows = catalog.answer("signal_counts").drop("workspace", "strategy").rows()
    assert rows == [(name, 4, 2, 1, 1, 2, START, START + 3 * DAY) for name in ("trial_9", "trial_10")]


def test_a_workspace_is_summed_up_in_one_row(open_over: Open) -> None:
    files = [
        {"workspace": name, "kind": kind, "bytes": 10, "path": f"results/{name}/performance/{kind}.json"}
        for name in ("w", "bare")
        for kind in ("trial", "summary")
    ]
    facts = {
        "name": "first",
        "note": "n",
        "tags": '["a", "b"]',
        "created_at": "2020-01-01T12:00:00+02:00",
        "phase": "phase_2",
        "state": "running",
    }
    catalog = open_over(
        files=files,
        facts=[{"workspace": "w", "name": name, "value": value} for name, value in facts.items()],
        performance=[
            trial("trial_10", sharpe_ratio=2.0, strategy="late"),
            trial("trial_9", sharpe_ratio=2.0, strategy="early"),
            trial("trial_1", sharpe_ratio=3.0, trades=0),
            trial("trial_1", sharpe_ratio=4.0, period="select"),
            trial("trial_2", status="failed"),
            trial("ensemble_trial_0", kind="ensemble", sharpe_ratio=5.0),
        ],
        ensemble_weights=[{"workspace": "w", "member": m, "recommended": "equal"} for m in "ab"],
        faults=[{"workspace": "w", "reason": "torn"}],
    )
    created = moment("2020-01-01T10:00:00")
    assert catalog.sql("from workspaces order by workspace").rows() == [
        ("bare", None, None, None, None, None, None, 1, 20, "results/bare"),
        ("w", "first", '["a", "b"]', "n", created, "phase_2", "running", 1, 20, "results/w"),
    ]
    tags, nothing = '["a", "b"]', (None,) * 7
    found = ("trial_9", "early", 2.0, "equal", "equal_weight", *nothing)
    assert catalog.answer("workspace_summary").rows() == [
        ("w", "first", tags, created, "phase_2", "running", 3, 1, 1, *found, 1, 20),
        ("bare", None, None, None, None, None, 0, 0, 0, *(None,) * 5, *nothing, 0, 20),
    ]


def judged(workspace: str, recommended: str) -> dict[str, list[Row]]:
    """Tables of a workspace with three weight sets: unequal, the chosen one, and equal weight."""
    own: Row = {"workspace": workspace}
    sets = {"ensemble_trial_2": (0.7, 0.3), "ensemble_trial_10": (0.2, 0.8), "ensemble_trial_3": (0.5, 0.5)}
    return {
        "files": [own | {"kind": "trial", "bytes": 1, "path": f"r/{workspace}/performance/trial_0.json"}],
        "performance": [
            own | trial(name, workspace=workspace, kind="ensemble", period=period, sharpe_ratio=value + at)
            for at, name in enumerate(sets)
            for period, value in (("train", 10.0), ("select", 20.0), ("all", 90.0))
        ]
        + [trial("trial_0", workspace=workspace, sharpe_ratio=1.0)],
        "parameters": [
            own | {"trial_id": name, "name": member, "value": str(weight)}
            for name, weights in sets.items()
            for member, weight in zip("ab", weights, strict=True)
        ],
        "ensemble_weights": [
            own | {"member": member, "weight": weight, "recommended": recommended}
            for member, weight in (("a", 0.2), ("b", 0.8))
        ],
        "validations": [
            own | {"candidate": name, "sharpe_ratio": value, "looks": 2}
            for name, value in (("ensemble", 31.0), ("equal_weight", 32.0), ("best_single", 99.0))
        ],
        "overfitting": [
            own | {"subject": "trial_0", "dsr": 0.99, "pbo": 0.2},
            own | {"subject": "ensemble", "dsr": 0.4, "pbo": 0.3},
            own | {"subject": "equal_weight", "dsr": 0.5, "pbo": 0.25},
        ],
        "returns": [
            own | {"series": series, "timestamp": START + at * DAY, "return": value}
            for at in (1, 0)
            for series, value in (("ensemble", 0.1), ("equal_weight", 0.2), ("benchmark", 0.3))
        ],
    }


def test_what_is_recommended_is_told_with_its_trial_and_how_it_fared_in_each_period(open_over: Open) -> None:
    chosen, equal = judged("a", "ensemble"), judged("b", "equal")
    catalog = open_over(**{name: chosen[name] + equal[name] for name in chosen})
    columns = ("workspace", "candidate", "candidate_trial")
    numbers = ("train_sharpe_ratio", "select_sharpe_ratio", "test_sharpe_ratio", "dsr", "pbo", "looks")
    assert catalog.answer("workspace_summary").select(*columns, *numbers).rows() == [
        ("a", "ensemble", "ensemble_trial_10", 11.0, 21.0, 31.0, 0.4, 0.3, 2),
        ("b", "equal_weight", "ensemble_trial_3", 12.0, 22.0, 32.0, 0.5, 0.25, 2),
    ]
    assert catalog.answer("recommended_returns").rows() == [
        (workspace, series, START + at * DAY, value)
        for workspace, series, value in (("a", "ensemble", 0.1), ("b", "equal_weight", 0.2))
        for at in (0, 1)
    ]


def test_the_odds_of_another_candidate_are_never_those_of_what_is_recommended(open_over: Open) -> None:
    told = judged("b", "equal")
    told["overfitting"] = [row for row in told["overfitting"] if row["subject"] != "equal_weight"]
    row = open_over(**told).answer("workspace_summary").row(0, named=True)
    assert (row["candidate"], row["dsr"], row["pbo"]) == ("equal_weight", None, 0.3)


def test_without_an_ensemble_the_best_trial_is_what_a_workspace_recommends(open_over: Open) -> None:
    catalog = open_over(
        files=[{"workspace": "w", "kind": "trial", "bytes": 1, "path": "r/w/performance/trial_0.json"}],
        performance=[trial("trial_0", sharpe_ratio=1.5, period="all"), trial("trial_1", sharpe_ratio=1.0)],
        returns=[{"workspace": "w", "series": "best_single", "timestamp": START, "return": 0.1}],
    )
    rows = catalog.answer("workspace_summary").select("candidate", "candidate_trial", "train_sharpe_ratio")
    assert rows.rows() == [("best_single", "trial_0", 1.5)]
    assert catalog.answer("recommended_returns")["return"].to_list() == [0.1]


def test_what_a_workspace_says_of_itself_cannot_stop_a_question(open_over: Open) -> None:
    told = {"tags": "not json", "created_at": "yesterday"}
    catalog = open_over(
        files=[{"workspace": "w", "kind": "config", "path": "config.yaml", "bytes": 1}],
        facts=[{"workspace": "w", "name": name, "value": value} for name, value in told.items()],
    )
    assert catalog.sql("select tags, created_at from workspaces").rows() == [(None, None)]


@pytest.mark.parametrize("name", ["trials_on_train", "leaderboard"])
def test_the_same_rows_in_another_order_give_the_same_answer(name: str, tmp_path: Path) -> None:
    performance = [trial(f"trial_{n}", sharpe_ratio=1.0, max_drawdown=-0.1) for n in range(20)]
    metrics = [metric(f"trial_{n}", "sharpe_ratio", 1.0) for n in range(20)]
    found: list[pl.DataFrame] = []
    for turn in (1, -1):
        parts = {
            "performance": [write(tmp_path, "performance", performance[::turn])],
            "metrics": [write(tmp_path, "metrics", metrics[::turn])],
        }
        with Catalog(parts, scratch=tmp_path, workspaces=None) as catalog:
            found.append(catalog.answer(name))
    assert found[0].equals(found[1])
    assert found[0]["trial_id"].to_list() == [f"trial_{n}" for n in range(20)]


def test_equal_strategy_and_parameters_are_found_however_they_are_written(open_over: Open) -> None:
    settings_of = {
        ("a", "trial_10"): {"x": "1", "y": '"1"'},
        ("a", "trial_2"): {"y": '"1"', "x": "1.0"},
        ("b", "trial_0"): {"x": "1e0", "y": '"1"'},
        ("b", "trial_1"): {"x": "1", "y": "1"},
        ("b", "trial_2"): {"x": "true", "y": '"1"'},
    }
    catalog = open_over(
        performance=[
            trial(name, workspace=w, period=p) for w, name in settings_of for p in ("train", "select")
        ]
        + [trial("trial_7", workspace=w, strategy="bare", sharpe_ratio=1.5) for w in "ab"]
        + [trial("trial_8", workspace=w, strategy=None) for w in "ab"],
        parameters=[
            {"workspace": w, "trial_id": name, "name": key, "value": value}
            for (w, name), told in settings_of.items()
            for key, value in told.items()
        ],
    )
    rows = catalog.answer("same_trials").select("strategy", "tried", "workspace", "trial_id", "sharpe_ratio")
    assert rows.rows() == [
        ("bare", 2, "a", "trial_7", 1.5),
        ("bare", 2, "b", "trial_7", 1.5),
        ("m", 3, "a", "trial_2", None),
        ("m", 3, "a", "trial_10", None),
        ("m", 3, "b", "trial_0", None),
    ]


def test_equal_signals_have_equal_digests_in_any_order_and_other_signals_another(open_over: Open) -> None:
    lines = [("BUY", "A", 0, 1.0), ("SELL", "A", 1, None), ("BUY", "B", 1, 0.5)]
    changed = [("BUY", "A", 0, 1.0), ("SELL", "A", 1, 0.0), ("BUY", "B", 1, 0.5)]
    given = {"trial_0": lines, "trial_1": lines[::-1], "trial_2": changed, "trial_10": [*lines, lines[0]]}
    catalog = open_over(
        signals=[
            {
                "workspace": "w",
                "trial_id": name,
                "timestamp": START + n * DAY,
                "symbol": symbol,
                "action": action,
                "strength": strength,
            }
            for name, rows in given.items()
            for action, symbol, n, strength in rows
        ]
    )
    rows = catalog.answer("signal_digests")
    assert rows.select("trial_id", "signals").rows() == [(name, len(told)) for name, told in given.items()]
    assert rows["digest"][0] == rows["digest"][1]
    assert rows["digest"].n_unique() == 3


def test_a_workspace_with_a_linked_folder_lies_where_its_files_do(open_over: Open) -> None:
    files = [("unknown", "r/w/analysis"), ("trial", "r/w/performance/trial_0.json")]
    catalog = open_over(
        files=[{"workspace": "w", "kind": kind, "path": path, "bytes": 1} for kind, path in files]
    )
    assert catalog.table("workspaces")["path"].to_list() == ["r/w"]
