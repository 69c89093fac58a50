"""Every change of the disk goes through `workspace_kit.storage`: Python's own audit hook watches."""

import datetime as dt
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import polars as pl
import pytest

from workspace_kit import storage
from workspace_kit.layout import names
from workspace_kit.layout.batches import read_batches
from workspace_kit.layout.checkpoint import write_checkpoint
from workspace_kit.layout.inventory import inventory, workspaces
from workspace_kit.layout.lifecycle import create_workspace
from workspace_kit.layout.reader import document_of, log_of
from workspace_kit.layout.writer import (
    SignalWriter,
    log_event,
    write_document,
    write_file,
    write_signal_file,
    write_table,
)
from workspace_kit.mirror import mirror_folder, refresh
from workspace_kit.schema import STRATEGY_SIGNALS

NOW = dt.datetime(2024, 1, 15, 14, 30)
CHANGES = frozenset(
    {
        *(
            "os.rename",
            "os.remove",
            "os.rmdir",
            "os.mkdir",
            "os.link",
            "os.symlink",
            "os.truncate",
            "os.chmod",
        ),
        *(
            "os.chown",
            "os.utime",
            "os.setxattr",
            "os.removexattr",
            "shutil.rmtree",
            "shutil.copyfile",
            "shutil.move",
        ),
        *("tempfile.mkstemp", "tempfile.mkdtemp", "sqlite3.connect"),
    }
)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

_seen: list[tuple[str, str, bool]] | None = None


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if _seen is None:
        return
    is_change = event in CHANGES or (event == "open" and _is_for_writing(*arguments[1:]))
    if is_change:
        _seen.append((event, str(arguments[0]), _is_inside_the_door(sys._getframe(1))))


def _is_for_writing(mode: object, flags: object) -> bool:
    return bool(int(flags or 0) & WRITING) or (isinstance(mode, str) and bool(set(mode) & set("wax+")))


def _is_inside_the_door(frame: FrameType | None) -> bool:
    while frame:
        if frame.f_code.co_filename == storage.__file__:
            return True
        frame = frame.f_back
    return False


sys.addaudithook(_audit)


@contextmanager
def audited() -> Iterator[list[tuple[str, str, bool]]]:
    global _seen  # noqa: PLW0603 - a hook of the interpreter can neither be given a value nor taken back
    _seen = []
    try:
        yield _seen
    finally:
        _seen = None


def everything_that_changes_the_disk(root: Path) -> None:
    """Use each function of layout and mirror that writes, and those that read."""
    workspace = create_workspace(
        root, "w", config={"name": "x"}, environment={}, now=NOW, durability="always"
    )
    signals = STRATEGY_SIGNALS.frame([{"timestamp": NOW, "symbol": "A", "action": "BUY", "strength": 1}])
    written = {"durability": "always"}
    write_signal_file(workspace, names.SIGNALS, "trial_0", signals, strategy="m", **written)
    write_document(workspace, names.TRIAL, "trial_0", {"metrics": {"cagr": 0.1}}, written_at=NOW, **written)
    write_document(workspace, names.STATE, "current_state", {"phase": "phase_1"}, written_at=NOW, **written)
    write_table(
        workspace, "regimes", pl.DataFrame({"timestamp": [NOW], "regime": ["x"], "basis": ["y"]}), **written
    )
    write_file(workspace, names.PAGE, "report", b"<p>")
    write_file(workspace, names.PAGE, "report", b"<p>", out=root.parent / "pages")
    SignalWriter(workspace.path, **written).write_signals(1, signals, strategy="m")
    log_event(workspace, at=NOW, phase="phase_1", event="x", trial_id=None, detail="")
    state: dict[str, object] = {"state": {}, "completed_trials": [], "written_at": NOW, "sync": True}
    write_checkpoint(workspace, "phase_1", inventory([workspace]), **state)
    document_of(workspace.file(names.TRIAL, "trial_0"))
    log_of(workspace)
    for day in (0, 1, 10):
        SignalWriter(workspace.path).write_signals(2, signals, strategy="m")
        refresh(
            lambda: inventory(workspaces(root)),
            folder=mirror_folder(root),
            workspaces=None,
            read=read_batches,
            now_ns=time.time_ns() + day * 86_400 * 10**9,
            progress=lambda done, total: None,
        )


@pytest.fixture
def audit_of_a_whole_life(tmp_path: Path) -> list[tuple[str, str, bool]]:
    with audited() as seen:
        everything_that_changes_the_disk(tmp_path / "results")
    return seen


def test_every_change_of_the_disk_is_made_inside_storage(
    audit_of_a_whole_life: list[tuple[str, str, bool]],
) -> None:
    outside = [(event, path) for event, path, inside in audit_of_a_whole_life if not inside]
    assert outside == []
    kinds = {event for event, _, _ in audit_of_a_whole_life}
    assert {"open", "os.rename", "os.mkdir", "os.remove", "os.utime"} <= kinds


def test_native_code_makes_no_file_that_storage_did_not_announce(tmp_path: Path) -> None:
    announced: set[Path] = set()
    with storage.watch_operations(lambda operation, path: announced.add(path)):
        everything_that_changes_the_disk(tmp_path / "results")
    building = {path for path in announced if ".w.building" in path.parts}
    announced |= {Path(str(path).replace(".w.building", "w")) for path in building}
    found = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert len(found) > 20
    assert found <= announced


def test_the_audit_sees_what_goes_past_the_door(tmp_path: Path) -> None:
    with audited() as seen:
        (tmp_path / "a").write_bytes(b"")
        (tmp_path / "a").rename(tmp_path / "c")
        (tmp_path / "d").mkdir()
        shutil.rmtree(tmp_path / "d")
        os.close(os.open(tmp_path / "e", os.O_WRONLY | os.O_CREAT))
        (tmp_path / "c").read_bytes()
        storage.replace(tmp_path / "f", b"", sync=False)
    outside = [event for event, _, inside in seen if not inside]
    assert outside == ["open", "os.rename", "os.mkdir", "shutil.rmtree", "os.rmdir", "open"]
    assert [event for event, _, inside in seen if inside] == ["open", "os.rename"]
