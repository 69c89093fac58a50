import datetime as dt
import hashlib
import json
import os
from pathlib import Path

import pytest

from workspace_kit import storage
from workspace_kit.errors import FileDamaged
from workspace_kit.layout.checkpoint import checkpoints, workspace_hash, write_checkpoint
from workspace_kit.layout.inventory import inventory
from workspace_kit.layout.names import Workspace

NOW = dt.datetime(2024, 1, 15, 14, 30)


def put(workspace: Workspace, path: str, data: bytes = b"x\n") -> Path:
    (workspace.path / path).write_bytes(data)
    return workspace.path / path


def checkpoint(workspace: Workspace, phase: str = "phase_1", *, sync: bool = False) -> dict[str, object]:
    path = write_checkpoint(
        workspace,
        phase,
        inventory([workspace]),
        state={"failed_trials": []},
        completed_trials=["trial_0"],
        written_at=NOW,
        sync=sync,
    )
    return json.loads(path.read_bytes())


def test_a_checkpoint_holds_what_the_description_says_and_every_file(workspace: Workspace) -> None:
    signals = put(workspace, "signals/trial_0.jsonl", b"one\n")
    put(workspace, "performance/trial_0.json", b"{}")
    put(workspace, "metadata/execution_log.json", b"[]")
    put(workspace, "analysis/notes.txt", b"mine")
    held = checkpoint(workspace)
    files = held.pop("files")
    assert held["workspace_hash"] == workspace_hash(files)
    assert {
        name: held[name] for name in ("phase", "timestamp", "state", "completed_trials", "seq", "previous")
    } == {
        "phase": "phase_1",
        "timestamp": "2024-01-15T14:30:00Z",
        "state": {"failed_trials": []},
        "completed_trials": ["trial_0"],
        "seq": 1,
        "previous": None,
    }
    assert [(each["path"], each["kind"]) for each in files] == [
        ("analysis/notes.txt", "replace"),
        ("metadata/execution_log.json", "mutable"),
        ("performance/trial_0.json", "replace"),
        ("signals/trial_0.jsonl", "append"),
    ]
    assert files[-1] == {
        "path": "signals/trial_0.jsonl",
        "kind": "append",
        "bytes": 4,
        "sha256": hashlib.sha256(b"one\n").hexdigest(),
        "modified_ns": signals.stat().st_mtime_ns,
    }


def test_it_is_named_as_the_description_shows(workspace: Workspace) -> None:
    checkpoint(workspace, "phase_1")
    assert [path.name for path in (workspace.path / "checkpoints").iterdir()] == [
        "phase_1_complete.checkpoint"
    ]


def test_an_empty_workspace_has_a_checkpoint_of_no_file(workspace: Workspace) -> None:
    assert checkpoint(workspace)["files"] == []


def test_checkpoints_state_and_what_is_no_regular_file_are_left_aside(workspace: Workspace) -> None:
    put(workspace, "checkpoints/current_state.json")
    put(workspace, "checkpoints/phase_1.started")
    os.mkfifo(workspace.path / "signals" / "trial_1.jsonl")
    (workspace.path / "signals" / "trial_2.jsonl").symlink_to("/etc/passwd")
    (workspace.path / "signals" / "trial_3.jsonl").mkdir()
    (workspace.path / "visualizations").rmdir()
    (workspace.path / "visualizations").symlink_to("/etc")
    assert checkpoint(workspace, sync=True)["files"] == []
    assert checkpoint(workspace, "phase_2")["files"] == []


def test_each_checkpoint_is_sealed_and_names_the_one_before(workspace: Workspace) -> None:
    first, second = checkpoint(workspace, "phase_1"), checkpoint(workspace, "phase_2")
    assert second["previous"] == first["digest"]
    for held in (first, second):
        digest = held.pop("digest")
        canonical = json.dumps(held, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert digest == hashlib.sha256(canonical.encode()).hexdigest()


def test_order_is_that_of_writing_never_of_names_or_clocks(workspace: Workspace) -> None:
    for phase in ("phase_9", "phase_10", "phase_1"):
        checkpoint(workspace, phase)
    for path in (workspace.path / "checkpoints").iterdir():
        os.utime(path, (0, 0))
    assert [each["phase"] for each in checkpoints(workspace)] == ["phase_9", "phase_10", "phase_1"]


def test_a_phase_that_is_repeated_comes_last_and_no_number_comes_twice(workspace: Workspace) -> None:
    for phase in ("phase_1", "phase_2", "phase_3", "phase_2", "phase_3", "phase_1"):
        checkpoint(workspace, phase)
    found = checkpoints(workspace)
    assert [each["phase"] for each in found] == ["phase_2", "phase_3", "phase_1"]
    assert [each["seq"] for each in found] == [4, 5, 6]


def test_checkpoints_of_another_program_are_read_and_come_before_ours(workspace: Workspace) -> None:
    sketch = {"phase": "phase_1", "timestamp": "2024-01-01T00:00:00", "state": {}, "completed_trials": []}
    put(workspace, "checkpoints/phase_1.checkpoint", json.dumps(sketch | {"workspace_hash": "x"}).encode())
    put(workspace, "checkpoints/odd.checkpoint", b'{"seq": "7", "phase": "odd"}')
    assert checkpoint(workspace, "phase_2")["seq"] == 1
    assert [each["phase"] for each in checkpoints(workspace)] == ["odd", "phase_1", "phase_2"]


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff"])
def test_a_damaged_checkpoint_is_named(data: bytes, workspace: Workspace) -> None:
    path = put(workspace, "checkpoints/phase_1_complete.checkpoint", data)
    with pytest.raises(FileDamaged) as caught:
        checkpoints(workspace)
    assert caught.value.where == str(path)


def test_everything_covered_and_its_names_are_synced_before_the_checkpoint_is_seen(
    workspace: Workspace,
) -> None:
    signals, trial = put(workspace, "signals/trial_0.jsonl"), put(workspace, "performance/trial_0.json")
    seen: list[tuple[str, Path]] = []
    with storage.watch_operations(lambda operation, path: seen.append((operation, path))):
        checkpoint(workspace, sync=True)
    published = [operation for operation, _ in seen].index("replace")
    synced = {path for operation, path in seen[:published] if operation == "fsync"}
    assert {signals, trial, signals.parent, trial.parent} <= synced
    with storage.watch_operations(lambda operation, path: seen.append((operation, path))):
        seen.clear()
        checkpoint(workspace, "phase_2")
    assert "fsync" not in [operation for operation, _ in seen]


def test_the_hash_tells_content_and_names_but_not_what_changes_after_its_phase(workspace: Workspace) -> None:
    def hashed() -> object:
        return checkpoint(workspace)["workspace_hash"]

    put(workspace, "signals/trial_0.jsonl", b"one\n")
    log = put(workspace, "metadata/execution_log.json", b"[]")
    first = hashed()
    log.write_bytes(b"[1]")
    put(workspace, "visualizations/report.html")
    assert hashed() == first
    path = put(workspace, "signals/trial_0.jsonl", b"two\n")
    second = hashed()
    path.rename(path.with_name("trial_1.jsonl"))
    assert len({first, second, hashed()}) == 3
