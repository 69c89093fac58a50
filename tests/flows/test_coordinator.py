"""A coordinator of one's own: what it writes is what everyone reads."""

import datetime as dt
import json
import re
import threading

import polars as pl
import pytest

import workspace_kit as wk
from workspace_kit.errors import NameInvalid, SchemaMismatch, WorkspaceNotFound
from workspace_kit.flows.coordinator import FaultsWarning

SIGNAL = {
    "timestamp": "2023-01-01T09:30:00",
    "symbol": "AAPL",
    "action": "BUY",
    "strength": 0.8,
    "strategy": "momentum",
}
FOLDERS = {"signals", "performance", "analysis", "metadata", "checkpoints", "visualizations"}


@pytest.fixture
def workspace(tmp_path):
    return wk.WorkspaceManager(tmp_path / "results").create_workspace({"name": "mine"})


def frame(*actions: str) -> pl.DataFrame:
    times = [dt.datetime(2023, 1, 1 + number) for number in range(len(actions))]
    columns = {"timestamp": times, "symbol": "A", "action": list(actions), "strength": 1.0}
    return pl.DataFrame(columns, schema_overrides={"timestamp": pl.Datetime("us"), "action": pl.String})


def test_a_new_workspace_has_the_six_folders_and_keeps_its_configuration(workspace):
    assert {path.name for path in workspace.iterdir()} == FOLDERS
    assert (workspace / "metadata" / "config.yaml").read_text() == "name: mine\n"
    assert re.fullmatch(r"workflow_\d{8}_\d{6}_[0-9a-f]{8}", workspace.name)


def test_an_id_is_claimed_once(tmp_path):
    manager = wk.WorkspaceManager(tmp_path)
    manager.create_workspace({}, "workflow_1")
    with pytest.raises(NameInvalid, match="a workspace of this id"):
        manager.create_workspace({}, "workflow_1")


def test_threads_write_signals_of_one_trial_without_losing_one(workspace):
    writer = wk.SignalWriter(workspace)

    def write(symbol: str) -> None:
        for _ in range(50):
            writer.write_signal(0, {**SIGNAL, "symbol": symbol})

    threads = [threading.Thread(target=write, args=(f"S{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = wk.CompositeWorkspace([workspace.name], workspace.parent).aggregate_signals()
    assert dict(rows["symbol"].value_counts().iter_rows()) == {f"S{number}": 50 for number in range(4)}


def test_a_signal_that_is_none_is_refused_and_nothing_is_written(workspace):
    with pytest.raises(SchemaMismatch, match="the action 'LONG'"):
        wk.SignalWriter(workspace).write_signal("trial_0", {**SIGNAL, "action": "LONG"})
    assert list((workspace / "signals").iterdir()) == []


def test_trials_come_back_as_they_were_written_in_natural_order(workspace):
    for trial in (10, 2, 0):
        wk.write_trial(workspace, trial, parameters={"lookback": trial}, metrics={"sharpe_ratio": 1.5})
    trials = wk.PerformanceReader().read_all_trials(workspace)
    assert [each["trial_id"] for each in trials] == ["trial_0", "trial_2", "trial_10"]
    assert [each["parameters"]["lookback"] for each in trials] == [0, 2, 10]


def test_a_damaged_trial_is_reported_and_hides_no_other(workspace):
    for trial in (0, 1):
        wk.write_trial(workspace, trial, parameters={}, metrics={})
    (workspace / "performance" / "trial_0.json").write_text('{"trial_id": ')
    reader = wk.PerformanceReader()
    with pytest.warns(FaultsWarning, match=r"1 fault\(s\) in what was read"):
        trials = reader.read_all_trials(workspace)
    assert [each["trial_id"] for each in trials] == ["trial_1"]
    assert reader.faults["path"].to_list() == [str(workspace / "performance" / "trial_0.json")]


def test_signals_of_several_workspaces_say_where_they_came_from(tmp_path):
    manager = wk.WorkspaceManager(tmp_path)
    for name in ("b", "a"):
        folder = manager.create_workspace({}, name)
        wk.write_trial(folder, 0, strategy=name, parameters={}, metrics={}, signals=frame("BUY", "SELL"))
    rows = wk.CompositeWorkspace(["a", "b"], tmp_path).aggregate_signals()
    assert rows.select("workspace", "trial_id", "action").rows() == [
        (name, "trial_0", action) for name in ("a", "b") for action in ("BUY", "SELL")
    ]


def test_a_composite_sees_only_the_workspaces_it_names(tmp_path):
    manager = wk.WorkspaceManager(tmp_path)
    for name in ("a", "b"):
        wk.write_trial(manager.create_workspace({}, name), 0, parameters={}, metrics={}, signals=frame("BUY"))
    assert wk.CompositeWorkspace(["b"], tmp_path).aggregate_signals()["workspace"].to_list() == ["b"]


def test_an_unknown_workspace_of_a_composite_is_an_error(tmp_path):
    with pytest.raises(WorkspaceNotFound):
        wk.CompositeWorkspace(["nobody"], tmp_path)


def test_a_metric_that_is_not_a_number_never_reaches_the_disk(workspace):
    with pytest.raises(SchemaMismatch, match="sharpe_ratio"):
        wk.write_trial(workspace, 0, parameters={}, metrics={"sharpe_ratio": float("nan")})
    assert list((workspace / "performance").iterdir()) == []


def test_the_users_own_files_are_read_with_nothing_more_demanded(workspace):
    performance = {
        "trial_id": "trial_0",
        "parameters": {"lookback": 20, "threshold": 0.02},
        "metrics": {"total_return": 0.156, "sharpe_ratio": 1.45, "max_drawdown": -0.082, "win_rate": 0.58},
        "trades": 145,
        "period": {"start": "2023-01-01", "end": "2023-12-31"},
    }
    (workspace / "performance" / "trial_0.json").write_text(json.dumps(performance))
    (workspace / "signals" / "trial_0.jsonl").write_text(json.dumps(SIGNAL) + "\n")
    with wk.open_catalog(workspace.parent) as catalog:
        row = catalog.sql("select * exclude (parameters, metrics) from performance").row(0, named=True)
        assert catalog.sql("select count(*) as n from faults")["n"].item() == 0
    assert (row["status"], row["period"], row["kind"], row["trades"]) == ("ok", "all", "trial", 145)
    assert row["period_end"] == dt.datetime(2023, 12, 31, 23, 59, 59)
    assert wk.write_report(workspace).stat().st_size > 10_000
