"""Each code sketch of the description of workspaces, called as it is written there."""
# ruff: noqa: PTH123, DTZ005 - the sketches open files and tell the time as they do

import datetime as dt
import json
import logging
import os
import re
import threading
import time
from pathlib import Path

import pytest
import yaml

import workspace_kit as wk
from workspace_kit.errors import WorkspaceNotFound

logger = logging.getLogger(__name__)
DIRECTORIES = ["signals", "performance", "analysis", "metadata", "checkpoints", "visualizations"]
SIGNAL = {
    "timestamp": "2023-01-01T09:30:00",
    "symbol": "AAPL",
    "action": "BUY",
    "strength": 0.8,
    "strategy": "momentum",
}
PERFORMANCE = {
    "trial_id": "trial_0",
    "parameters": {"lookback": 20, "threshold": 0.02},
    "metrics": {"total_return": 0.156, "sharpe_ratio": 1.45, "max_drawdown": -0.082, "win_rate": 0.58},
    "trades": 145,
    "period": {"start": "2023-01-01", "end": "2023-12-31"},
}


@pytest.fixture
def manager(tmp_path, monkeypatch):
    """A manager over ``./results``, as in the sketches."""
    monkeypatch.chdir(tmp_path)
    return wk.WorkspaceManager()


@pytest.fixture
def workspace(manager):
    return manager.create_workspace({"strategy": "momentum", "lookback": [10, 20]})


def test_generate_workspace_path():
    base = Path("./results/workflow_123")
    assert wk.generate_workspace_path("workflow_123", "phase_1", "performance") == (
        base / "performance" / "phase_1_performance.json"
    )
    assert wk.generate_workspace_path("workflow_123", "phase_1", "checkpoint").parent == base / "checkpoints"


def test_create_workspace(workspace):
    assert re.fullmatch(r"workflow_\d{8}_\d{6}_[0-9a-f]{8}", workspace.name)
    assert workspace.parent == Path("results")
    assert sorted(path.name for path in workspace.iterdir()) == sorted(DIRECTORIES)
    with open(workspace / "metadata" / "config.yaml") as f:
        assert yaml.safe_load(f) == {"strategy": "momentum", "lookback": [10, 20]}


def test_checkpoint_phase(manager, workspace):
    (workspace / "performance" / "trial_0.json").write_text(json.dumps(PERFORMANCE))
    wk.SignalWriter(workspace).write_signal("0", SIGNAL)
    before = manager.compute_workspace_hash()
    manager.checkpoint_phase("phase_1", {"next": "phase_2"})
    with open(workspace / "checkpoints" / "phase_1_complete.checkpoint") as f:
        checkpoint = json.load(f)
    assert checkpoint["phase"] == "phase_1"
    assert dt.datetime.fromisoformat(checkpoint["timestamp"]).tzinfo is not None
    assert checkpoint["state"] == {"next": "phase_2"}
    assert checkpoint["completed_trials"] == manager.get_completed_trials() == ["trial_0"]
    assert checkpoint["workspace_hash"] == before == manager.compute_workspace_hash()


def test_resume_workflow_without_a_checkpoint_starts_from_the_beginning(manager, workspace):
    assert manager.resume_workflow(workspace.name) is None


def test_resume_workflow_returns_the_phase_last_completed(manager, workspace):
    for number in (9, 10):
        manager.checkpoint_phase(f"phase_{number}", {})
    assert wk.WorkspaceManager("results").resume_workflow(workspace.name) == "phase_10"


def test_resume_workflow_after_an_interruption_in_the_next_phase(manager, workspace):
    writer = wk.SignalWriter(workspace)
    writer.write_signal(0, SIGNAL)
    manager.checkpoint_phase("phase_1", {})
    writer.write_signal(0, SIGNAL)
    (workspace / "analysis" / "half_done.json").write_text("{}")
    assert manager.resume_workflow(workspace.name) == "phase_1"


def test_resume_workflow_of_a_changed_workspace(manager, workspace):
    (workspace / "performance" / "trial_0.json").write_text(json.dumps(PERFORMANCE))
    manager.checkpoint_phase("phase_1", {})
    (workspace / "performance" / "trial_0.json").write_text(json.dumps({**PERFORMANCE, "trades": 146}))
    with pytest.raises(wk.WorkspaceCorruptedError, match=r"performance/trial_0\.json modified"):
        manager.resume_workflow(workspace.name)


def test_resume_workflow_of_nobody(manager):
    with pytest.raises(WorkspaceNotFound):
        manager.resume_workflow("workflow_123")


def test_resume_workflow_goes_on_with_checkpoints_that_the_sketch_wrote(manager, workspace):
    for phase in ("phase_1", "phase_2", "phase_10"):
        checkpoint = {
            "phase": phase,
            "timestamp": dt.datetime.now().isoformat(),
            "state": {},
            "completed_trials": [],
            "workspace_hash": "0123",
        }
        with open(workspace / "checkpoints" / f"{phase}.checkpoint", "w") as f:
            json.dump(checkpoint, f, indent=2)
    assert manager.resume_workflow(workspace.name) == "phase_10"


def test_verify_workspace_integrity(manager, workspace):
    (workspace / "analysis" / "a.json").write_text("{}")
    path = manager.checkpoint_phase("phase_1", {})
    checkpoint_data = json.loads(path.read_text())
    assert manager.verify_workspace_integrity(workspace, checkpoint_data)
    (workspace / "analysis" / "a.json").write_text("[]")
    assert not manager.verify_workspace_integrity(workspace, checkpoint_data)
    assert not manager.verify_workspace_integrity(workspace)


def test_write_signal_from_threads(workspace):
    writer = wk.SignalWriter(workspace)
    threads = [threading.Thread(target=writer.write_signal, args=("0", SIGNAL)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = (workspace / "signals" / "trial_0.jsonl").read_text().splitlines()
    told = [json.loads(line.replace("Z", "")) for line in lines]
    assert told == [SIGNAL] * 20


def test_read_all_trials(workspace):
    for trial in range(12):
        document = {**PERFORMANCE, "trial_id": f"trial_{trial}"}
        (workspace / "performance" / f"trial_{trial}.json").write_text(json.dumps(document))
    results = wk.PerformanceReader().read_all_trials(workspace)
    assert [each["trial_id"] for each in results] == [f"trial_{trial}" for trial in range(12)]
    assert results[0] == PERFORMANCE


def test_aggregate_signals(manager):
    ids = []
    for _ in range(2):
        folder = manager.create_workspace({})
        wk.SignalWriter(folder).write_signal(0, SIGNAL)
        ids.append(folder.name)
    frame = wk.CompositeWorkspace(ids).aggregate_signals().to_pandas()
    assert sorted(frame["workspace"]) == sorted(ids)
    assert frame["strength"].tolist() == [0.8, 0.8]


def test_process_new_files_until_told_to_stop(workspace):
    pattern, stop, processed = "performance/trial_*.json", threading.Event(), []

    def processor(file_path: Path) -> None:
        processed.append(json.loads(file_path.read_text())["trial_id"])
        if len(processed) == 12:
            stop.set()

    for trial in range(12):
        document = {**PERFORMANCE, "trial_id": f"trial_{trial}"}
        (workspace / "performance" / f"trial_{trial}.json").write_text(json.dumps(document))
    wk.IncrementalProcessor(workspace).process_new_files(pattern, processor, stop=stop)
    assert sorted(processed) == sorted(f"trial_{trial}" for trial in range(12))


def test_process_new_files_forever_as_in_the_sketch(workspace):
    (workspace / "performance" / "trial_0.json").write_text(json.dumps(PERFORMANCE))
    processed = []

    def processor(file_path: Path) -> None:
        processed.append(file_path)
        if len(processed) == 1:
            (workspace / "performance" / "trial_1.json").write_text(json.dumps(PERFORMANCE))
        else:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        wk.IncrementalProcessor(workspace).process_new_files("performance/trial_*.json", processor)
    assert [path.name for path in processed] == ["trial_0.json", "trial_1.json"]


def test_read_with_recovery(workspace):
    path = workspace / "signals" / "trial_0.jsonl"
    wk.SignalWriter(workspace).write_signal(0, SIGNAL)
    whole = path.read_text()
    with open(path, "a") as f:
        f.write('{"timestamp": "2023-01-01T0\n' + whole)
    recovered = wk.read_with_recovery(path)
    assert recovered.rows.height == 2
    assert recovered.faults["line"].to_list() == [2]


def age(workspace: Path, days: int) -> None:
    then = time.time() - days * 24 * 60 * 60
    for path in [*workspace.rglob("*"), workspace]:
        os.utime(path, (then, then))


def test_cleanup_workspace_archives_an_old_one_and_leaves_every_other(manager):
    old, young = (manager.create_workspace({}) for _ in range(2))
    for workspace in (old, young):
        manager.workspace = workspace
        manager.checkpoint_phase("phase_4", {})
    age(old, days=8)
    manager.cleanup_workspace(young, keep_days=7)
    archive = manager.cleanup_workspace(old)
    logger.info(f"Cleaned up old workspace: {archive}")
    assert archive.exists()
    assert (old.exists(), young.exists()) == (False, True)


def test_archive_workspace(manager, workspace):
    archive = manager.archive_workspace(workspace)
    assert archive.stat().st_size > 0
    assert not workspace.exists()


def test_remove_workspace(manager, workspace):
    manager.remove_workspace(workspace)
    assert not workspace.exists()
