"""How far a workspace is, told from its files alone, whoever writes them."""

import json
import os
from pathlib import Path

import pytest

import workspace_kit as wk
from workspace_kit.errors import NotFound
from workspace_kit.flows import watching
from workspace_kit.flows.watching import Glimpse, glimpses
from workspace_kit.layout.names import FOLDERS, Workspace

SIGNAL = {
    "timestamp": "2023-01-01T09:30:00",
    "symbol": "AAPL",
    "action": "BUY",
    "strength": 0.8,
    "strategy": "m",
}


def put(workspace: Workspace, name: str, content: object) -> Path:
    path = workspace.path / name
    path.write_text(json.dumps(content))
    return path


def look(workspace: Workspace) -> Glimpse:
    (glimpse,) = glimpses(workspace.id, workspace.root, once=True, timeout=None)
    return glimpse


def test_trials_and_signals_of_another_program_are_counted_by_their_files(workspace: Workspace) -> None:
    writer = wk.SignalWriter(workspace.path)
    for trial in (0, 0, 1, 2):
        writer.write_signal(trial, SIGNAL)
    put(workspace, "signals/validation_0.jsonl", SIGNAL)
    put(workspace, "performance/trial_0.json", {"metrics": {}})
    put(workspace, "performance/trial_1.json", {"status": "failed"})
    put(workspace, "performance/ensemble_trial_0.json", {})
    put(workspace, "performance/summary.json", {})
    seen = look(workspace)
    assert (seen.done, seen.failed, seen.under_way, seen.ensembles, seen.signals) == (1, 1, 1, 1, 4)
    assert (seen.phase, seen.state, seen.silent_since, seen.is_over) == (None, None, None, False)
    facts = seen.facts()
    assert facts["state"] == "no run of workspace-kit"
    assert facts["trials"] == "1 done, 1 failed, 1 under way; 1 ensemble trials"
    assert facts["signals"] == "4"
    assert "trial_2 2023-01-01T09:30:00Z AAPL BUY 0.8" in seen.newest


def test_an_empty_workspace_has_nothing_yet(workspace: Workspace) -> None:
    assert look(workspace).facts() == {
        "workspace": "workflow_1",
        "state": "no run of workspace-kit",
        "trials": "0 done, 0 failed, 0 under way",
        "signals": "0",
        "newest": "none yet",
    }


@pytest.mark.parametrize(
    ("phase", "state", "is_over"),
    [
        ("phase_1", "complete", False),
        ("phase_4", "running", False),
        ("phase_4", "complete", True),
        ("phase_2", "failed", True),
        (7, [], False),
    ],
)
def test_it_goes_on_until_the_run_says_that_it_is_over(
    workspace: Workspace, phase: object, state: object, is_over: bool
) -> None:
    put(workspace, "checkpoints/current_state.json", {"phase": phase, "state": state})
    assert look(workspace).is_over is is_over
    looks = list(glimpses(workspace.id, workspace.root, once=False, timeout=0.0 if not is_over else None))
    assert len(looks) == 1


def test_a_run_that_says_nothing_for_long_is_called_silent(workspace: Workspace) -> None:
    path = put(workspace, "checkpoints/current_state.json", {"phase": "phase_1", "state": "running"})
    assert look(workspace).silent_since is None
    os.utime(path, (1_700_000_000, 1_700_000_000))
    told = look(workspace).facts()["state"]
    assert told == "phase_1 running, no sign of life since 2023-11-14T22:13:20Z"


def test_what_comes_between_two_looks_is_added_and_rated(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = wk.SignalWriter(workspace.path)
    clock = [0.0]
    monkeypatch.setattr(watching.time, "monotonic", lambda: clock[0])

    def work(seconds: float) -> None:
        clock[0] += 2
        if clock[0] <= 4:
            for _ in range(3):
                writer.write_signal(0, SIGNAL)
            put(workspace, f"performance/trial_{clock[0]:.0f}.json", {})
        else:
            (workspace.path / "performance" / "trial_2.json").unlink()

    monkeypatch.setattr(watching.time, "sleep", work)
    seen = list(glimpses(workspace.id, workspace.root, once=False, timeout=6))
    assert [each.signals for each in seen] == [0, 3, 6, 6]
    assert [each.rate for each in seen] == [0, 1.5, 1.5, 0]
    assert [each.done for each in seen] == [0, 1, 2, 1]
    assert seen[1].facts()["signals"] == "3 (2/s)"


def test_a_line_that_is_no_signal_is_shown_as_it_lies_there(workspace: Workspace) -> None:
    (workspace.path / "signals" / "trial_0.jsonl").write_bytes(b'{"a": \xff}\n[1]\n')
    assert look(workspace).newest == ("trial_0 [1]",)


def test_the_newest_signals_are_those_of_the_files_last_written(workspace: Workspace) -> None:
    for trial in range(8):
        path = workspace.path / "signals" / f"trial_{trial}.jsonl"
        path.write_text(json.dumps(SIGNAL) + "\n")
        os.utime(path, (1000 - trial, 1000 - trial))
    assert [told.split()[0] for told in look(workspace).newest] == [f"trial_{n}" for n in range(5)]


def test_without_a_name_it_is_the_workspace_last_at_work(workspace: Workspace, tmp_path: Path) -> None:
    other = Workspace(workspace.root, "a_later")
    for folder in FOLDERS:
        (other.path / folder).mkdir(parents=True)
        os.utime(workspace.path / folder, (1, 1))
    (glimpse,) = glimpses(None, workspace.root, once=True, timeout=None)
    assert glimpse.workspace == "a_later"
    with pytest.raises(NotFound, match="found no workspace, expected one to watch"):
        next(glimpses(None, tmp_path / "nowhere", once=True, timeout=None))
