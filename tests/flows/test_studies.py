"""Several workspaces as one: each trial once, with where it was found, and no faults lost."""

import datetime as dt
import json
import shutil

import polars as pl
import pytest

import workspace_kit as wk
from workspace_kit.errors import NotFound, PriceError, UsageError
from workspace_kit.schema import TABLES

pytestmark = pytest.mark.usefixtures("without_pages")

START = dt.datetime.fromisoformat("2023-01-02")
PERIOD = {"start": "2023-01-01", "end": "2023-12-31"}


def signals(*actions: str) -> pl.DataFrame:
    columns = {
        "timestamp": [START + dt.timedelta(days=n) for n in range(len(actions))],
        "symbol": ["A"] * len(actions),
        "action": list(actions),
        "strength": [1.0] * len(actions),
    }
    return pl.DataFrame(columns, schema_overrides={"timestamp": pl.Datetime("us")})


def trial(root, workspace: str, number: int = 0, **told: object) -> None:
    """Write one trial of another backtester."""
    if not (root / workspace).exists():
        wk.WorkspaceManager(root).create_workspace({}, workspace)
    usual = {"strategy": "s", "parameters": {"x": 1}, "metrics": {"sharpe_ratio": 1.0}, "period": PERIOD}
    wk.write_trial(root / workspace, number, **{**usual, "signals": signals("BUY", "SELL"), **told})


def places(rows: pl.DataFrame) -> list[str]:
    told = [json.loads(each) for each in rows["found_in"]]
    return [" ".join(f"{each['workspace']}/{each['trial_id']}" for each in place) for place in told]


def test_a_foreign_trial_in_two_workspaces_counts_once_with_its_lineage(tmp_path):
    trial(tmp_path, "a", 0)
    trial(tmp_path, "b", 3, parameters={"x": 1.0})
    trial(tmp_path, "b", 0, parameters={"x": 2})
    composite = wk.CompositeWorkspace(["b", "a"], tmp_path)
    assert places(composite.trials()) == ["a/trial_0 b/trial_3", "b/trial_0"]
    assert composite.conflicts().height == 0
    rows = composite.aggregate_signals()
    assert rows.columns == [*TABLES["signals"].names, "found_in"]
    assert rows.select("workspace", "trial_id", "action").rows() == [
        (name, "trial_0", action) for name in ("a", "b") for action in ("BUY", "SELL")
    ]
    assert places(rows) == ["a/trial_0 b/trial_3"] * 2 + ["b/trial_0"] * 2


def test_the_same_parameters_with_other_signals_are_another_trial(tmp_path):
    trial(tmp_path, "a")
    trial(tmp_path, "b", signals=signals("BUY", "HOLD"))
    composite = wk.CompositeWorkspace(["a", "b"], tmp_path)
    assert places(composite.trials()) == ["a/trial_0", "b/trial_0"]
    assert composite.aggregate_signals().height == 4


def test_signals_are_the_same_however_they_were_written(tmp_path):
    trial(tmp_path, "a")
    trial(tmp_path, "b")
    path = tmp_path / "b" / "signals" / "trial_0.jsonl"
    lines = [dict(reversed(json.loads(line).items())) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(line) + "\n" for line in reversed(lines)))
    assert places(wk.CompositeWorkspace(["a", "b"], tmp_path).trials()) == ["a/trial_0 b/trial_0"]


def test_the_same_trial_with_other_numbers_is_a_conflict(tmp_path):
    trial(tmp_path, "a")
    trial(tmp_path, "b", metrics={"sharpe_ratio": 2.0})
    composite = wk.CompositeWorkspace(["a", "b"], tmp_path)
    assert composite.trials()["sharpe_ratio"].to_list() == [1.0]
    assert composite.conflicts().rows() == [
        ("s", '{"x": 1}', "a", "trial_0", "b", "trial_0", "sharpe_ratio", 1.0, 2.0, 1.0)
    ]


def test_a_workspace_named_twice_is_one(tmp_path):
    trial(tmp_path, "a")
    composite = wk.CompositeWorkspace(["a", "a"], tmp_path)
    assert places(composite.trials()) == ["a/trial_0"]
    assert composite.aggregate_signals().height == 2


def test_signals_of_no_known_trial_are_all_kept(tmp_path):
    for name in ("a", "b"):
        folder = wk.WorkspaceManager(tmp_path).create_workspace({}, name)
        wk.SignalWriter(folder).write_signals(0, signals("BUY"), strategy="s")
    rows = wk.CompositeWorkspace(["a", "b"], tmp_path).aggregate_signals()
    assert places(rows) == ["a/trial_0", "b/trial_0"]


def test_nothing_and_empty_workspaces_have_no_trials(tmp_path):
    wk.WorkspaceManager(tmp_path).create_workspace({}, "a")
    for named in ([], ["a"]):
        composite = wk.CompositeWorkspace(named, tmp_path)
        assert composite.trials().height == composite.conflicts().height == 0
        assert composite.aggregate_signals().columns == [*TABLES["signals"].names, "found_in"]
        assert composite.ensemble_weights().height == composite.faults().height == 0


def test_a_damaged_file_is_a_fault_of_the_composite_and_hides_no_other(tmp_path):
    trial(tmp_path, "a")
    trial(tmp_path, "b", 1, parameters={"x": 2})
    (tmp_path / "b" / "performance" / "trial_0.json").write_text("{")
    composite = wk.CompositeWorkspace(["a", "b"], tmp_path)
    assert places(composite.trials()) == ["a/trial_0", "b/trial_1"]
    assert composite.faults()["workspace"].to_list() == ["b"]


def test_two_runs_of_one_workflow_are_one_sweep(sweeps):
    once = wk.CompositeWorkspace(["first"], sweeps)
    twice = wk.CompositeWorkspace(["first", "again"], sweeps)
    assert places(twice.trials()) == ["again/trial_0 first/trial_0", "again/trial_1 first/trial_1"]
    assert twice.conflicts().height == 0
    assert twice.trials().drop("workspace", "found_in").equals(once.trials().drop("workspace", "found_in"))
    assert once.aggregate_signals().height == twice.aggregate_signals().height > 0


@pytest.mark.parametrize("name", ["costly", "other"])
def test_other_costs_and_other_prices_make_other_trials(sweeps, name):
    composite = wk.CompositeWorkspace(["first", name], sweeps)
    assert composite.trials().height == 4
    assert composite.conflicts().height == 0


def test_a_number_that_was_changed_afterwards_is_a_conflict(sweeps, tmp_path):
    for name in ("first", "again"):
        shutil.copytree(sweeps / name, tmp_path / name)
    path = tmp_path / "first" / "performance" / "trial_1.json"
    document = json.loads(path.read_text())
    document["metrics"]["sharpe_ratio"] += 1
    path.write_text(json.dumps(document))
    conflicts = wk.CompositeWorkspace(["first", "again"], tmp_path).conflicts()
    assert conflicts.select("workspace_a", "workspace_b", "trial_b", "metric").rows() == [
        ("again", "first", "trial_1", "sharpe_ratio")
    ]
    assert conflicts["difference"].item() == pytest.approx(1)


def test_test_period_signals_follow_their_trial(example, tmp_path):
    for name in ("a", "b"):
        shutil.copytree(example, tmp_path / name)
    one = wk.CompositeWorkspace(["a"], tmp_path)
    both = wk.CompositeWorkspace(["a", "b"], tmp_path).aggregate_signals()
    assert both.drop("found_in").equals(one.aggregate_signals().drop("found_in"))
    assert both.height == one.read("signals").rows.height
    tested = both.filter(pl.col("trial_id").str.starts_with("validation_"))
    assert tested.height > 0
    assert set(places(tested)) == {f"a/{name} b/{name}" for name in tested["trial_id"].unique()}
    weights = wk.CompositeWorkspace(["a", "b"], tmp_path).ensemble_weights()
    assert weights["workspace"].unique().sort().to_list() == ["a", "b"]


def test_correlations_span_workspaces_and_count_a_trial_once(sweeps):
    found = wk.CompositeWorkspace(["first", "again", "costly"], sweeps).correlations(min_overlap=20)
    names = [f"{name}/trial_{n}" for name in ("again", "costly") for n in (0, 1)]
    assert found.matrix["trial_id"].to_list() == names
    row = found.pairs.filter((pl.col("trial_a") == names[0]) & (pl.col("trial_b") == names[2])).row(
        0, named=True
    )
    assert 0.9 < row["correlation"] < 1
    assert row["bars"] == 6 * 27


def test_correlations_of_one_workspace_are_those_of_its_own_study(example):
    found = wk.CompositeWorkspace([example.name], example.parent).correlations(min_overlap=24).pairs
    with wk.open_catalog(example.parent, [example.name]) as catalog:
        saved = catalog.table("correlations").filter(pl.col("kind") == "returns")
    assert found["trial_b"].str.strip_prefix(f"{example.name}/").to_list() == saved["trial_b"].to_list()
    assert found["correlation"].to_list() == saved["correlation"].to_list()


def test_no_workspaces_have_no_correlations(tmp_path):
    assert wk.CompositeWorkspace([], tmp_path).correlations(min_overlap=2).pairs.height == 0


def test_correlations_over_different_prices_are_refused_with_both_digests(sweeps):
    digests = [
        json.loads((sweeps / name / "metadata" / "environment.json").read_text())["prices"]["digest"]
        for name in ("first", "other")
    ]
    with pytest.raises(PriceError) as refused:
        wk.CompositeWorkspace(["first", "other"], sweeps).correlations(min_overlap=20)
    assert all(text in str(refused.value) for text in ("first and other", *digests))


def test_correlations_over_prices_that_changed_are_refused(sweeps, tmp_path):
    shutil.copytree(sweeps / "first", tmp_path / "first")
    path = tmp_path / "first" / "metadata" / "environment.json"
    environment = json.loads(path.read_text())
    path.write_text(json.dumps({**environment, "prices": {"digest": "0123"}}))
    with pytest.raises(PriceError, match=r"expected those that workspace first used, 0123; restore them"):
        wk.CompositeWorkspace(["first"], tmp_path).correlations(min_overlap=20)


def test_correlations_need_a_record_of_the_prices(tmp_path):
    trial(tmp_path, "a")
    with pytest.raises(NotFound, match="no record of the prices used"):
        wk.CompositeWorkspace(["a"], tmp_path).correlations(min_overlap=2)


def test_saved_signals_do_not_reach_into_test(sweeps):
    with pytest.raises(UsageError, match="expected one of train, select"):
        wk.CompositeWorkspace(["first"], sweeps).correlations(min_overlap=2, period="test")
