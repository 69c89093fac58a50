"""Pinned, archived, restored, cleaned up, removed, repaired: what is promised, and what is refused."""

import datetime as dt
import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import polars as pl
import pytest

import workspace_kit as wk
from workspace_kit import flows, storage
from workspace_kit.errors import FileDamaged, NameInvalid, NotFound, StorageError, UsageError
from workspace_kit.flows import lifecycle
from workspace_kit.flows.health import examine, file_system
from workspace_kit.flows.lifecycle import (
    cleanup_workspace,
    is_pinned,
    remove_workspace,
    settle,
)
from workspace_kit.layout import names
from workspace_kit.layout.lease import is_leased, leased
from workspace_kit.layout.names import Workspace

LONG_AGO = 1_600_000_000
SIGNAL = {
    "timestamp": "2023-01-03T00:00:00Z",
    "symbol": "A",
    "action": "BUY",
    "strength": 1.0,
    "strategy": "m",
}


@pytest.fixture
def root(tmp_path) -> Path:
    return tmp_path / "results"


def made(root: Path, name: str = "w") -> Workspace:
    folder = wk.WorkspaceManager(root).create_workspace({"name": f"about {name}", "tags": ["a"]}, name)
    signals = pl.DataFrame(
        {"timestamp": [dt.datetime(2023, 1, 2)], "symbol": ["A"], "action": ["BUY"], "strength": [1.0]},
        schema_overrides={"timestamp": pl.Datetime("us")},
    )
    for trial in range(3):
        wk.write_trial(folder, trial, parameters={"a": trial}, metrics={"sharpe_ratio": 1.0}, signals=signals)
    return Workspace(root, name)


def age(workspace: Workspace, at: float = LONG_AGO) -> None:
    for path in workspace.path.rglob("*"):
        os.utime(path, (at, at))


def bytes_of(workspace: Workspace) -> dict[str, bytes]:
    return {
        path.relative_to(workspace.path).as_posix(): path.read_bytes()
        for path in workspace.path.rglob("*")
        if path.is_file() and path.name != "execution_log.json"
    }


def test_what_is_archived_comes_back_byte_for_byte_with_its_times(root):
    workspace = made(root)
    age(workspace)
    before = bytes_of(workspace)
    archive = flows.archive_workspace(workspace)
    assert not workspace.path.exists()
    restored = flows.restore_workspace("w", root)
    assert bytes_of(restored) == before
    assert (restored.path / "metadata" / "config.yaml").stat().st_mtime == LONG_AGO
    assert archive.exists()


def test_two_archives_of_the_same_files_hold_the_same_bytes_under_other_tools_too(root):
    archive = flows.archive_workspace(made(root))
    told, _, name = Path(f"{archive}.sha256").read_text().strip().partition("  ")
    assert name == archive.name
    assert hashlib.sha256(archive.read_bytes()).hexdigest() == told


def test_an_archived_workspace_is_still_listed(root):
    made(root, "kept")
    flows.archive_workspace(made(root))
    with wk.open_catalog(root) as catalog:
        rows = {row["workspace"]: row for row in catalog.table("workspaces").iter_rows(named=True)}
    assert rows["w"]["state"] == "archived"
    assert (rows["w"]["name"], rows["w"]["tags"]) == ("about w", '["a"]')
    assert rows["w"]["path"].endswith("archive/w.tar.zst")
    assert rows["kept"]["state"] is None


def test_a_restored_workspace_is_listed_once_as_itself(root):
    flows.archive_workspace(made(root))
    flows.restore_workspace("w", root)
    with wk.open_catalog(root) as catalog:
        assert catalog.table("workspaces").select("workspace", "trials").rows() == [("w", 3)]


def test_a_later_state_of_the_same_workspace_replaces_its_archive(root):
    flows.archive_workspace(made(root))
    restored = flows.restore_workspace("w", root)
    wk.write_trial(restored, 9, parameters={}, metrics={})
    flows.archive_workspace(restored)
    assert (flows.restore_workspace("w", root).path / "performance" / "trial_9.json").exists()


def test_the_archive_of_another_workspace_of_that_name_is_never_replaced(root):
    archive = flows.archive_workspace(made(root))
    held = archive.read_bytes()
    other = made(root)
    other.path.joinpath("metadata", "environment.json").write_text("{}")
    with pytest.raises(StorageError, match="another workspace of this name"):
        flows.archive_workspace(other)
    assert other.path.exists()
    assert archive.read_bytes() == held


def test_a_workspace_that_went_on_with_other_prices_replaces_its_own_archive(root):
    workspace = made(root)
    flows.pin(workspace, keep=False)
    flows.archive_workspace(workspace)
    restored = flows.restore_workspace("w", root)
    renewed = restored.path / "metadata" / "environment.json"
    renewed.write_text('{"prices": {"digest": "other"}}')
    flows.archive_workspace(restored)
    flows.restore_workspace("w", root)
    assert "other" in renewed.read_text()


def test_a_log_of_its_own_makes_it_another_workspace(root):
    for number in range(2):
        workspace = made(root)
        workspace.path.joinpath("metadata", "environment.json").write_text(f'{{"number": {number}}}')
        flows.pin(workspace, keep=bool(number))
        if not number:
            flows.archive_workspace(workspace)
    with pytest.raises(StorageError, match="another workspace of this name"):
        flows.archive_workspace(workspace)


@pytest.mark.parametrize("what", ["link", "pipe", "name"])
def test_what_no_archive_may_hold_keeps_the_workspace_where_it_is(root, what):
    workspace = made(root)
    place = workspace.path / "signals" / ("x" if what != "name" else " odd.jsonl")
    {"link": lambda: place.symlink_to("/etc/passwd"), "pipe": lambda: os.mkfifo(place), "name": place.touch}[
        what
    ]()
    with pytest.raises(FileDamaged, match=r"no archive may hold.*move it away"):
        flows.archive_workspace(workspace)
    assert workspace.path.exists()
    assert not (root / "archive" / "w.tar.zst").exists()


def test_a_held_workspace_is_neither_archived_nor_removed_nor_cleaned(root):
    workspace = made(root)
    age(workspace)
    with leased(workspace):
        for refused in (flows.archive_workspace, remove_workspace, leased_again):
            with pytest.raises(UsageError, match="another process holds"):
                refused(workspace)
        assert flows.cleanable(root, keep_days=1, keep_last=0).is_empty()
        assert flows.cleanable(root, keep_days=1, keep_last=0, named=["w"]).is_empty()
    assert not is_leased(workspace)


def leased_again(workspace: Workspace) -> None:
    with leased(workspace):
        pass


def test_whoever_only_looks_whether_a_workspace_is_held_keeps_nobody_from_it(root, monkeypatch):
    workspace = made(root)
    looking = ExitStack()
    assert looking.enter_context(storage.held(workspace.path, wait=False))
    monkeypatch.setattr(time, "sleep", lambda _seconds: looking.close())
    with leased(workspace):
        assert is_leased(workspace)


def test_a_lease_ends_with_the_process_that_held_it(root):
    workspace = made(root)
    script = (
        "import sys, time; from pathlib import Path; from workspace_kit.layout.names import Workspace;"
        "from workspace_kit.layout.lease import leased\n"
        "with leased(Workspace(Path(sys.argv[1]), 'w')):\n    print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(root)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        assert is_leased(workspace)
        holder.kill()
        holder.wait()
    assert not is_leased(workspace)


def test_only_what_was_at_rest_for_long_goes_and_the_newest_and_pinned_stay(root):
    for number, name in enumerate(("old", "older", "oldest", "pinned", "young")):
        workspace = made(root, name)
        if name == "pinned":
            flows.pin(workspace, keep=True)
        if name != "young":
            age(workspace, LONG_AGO - number * 1000)
    assert flows.cleanable(root, keep_days=7, keep_last=0)["workspace"].to_list() == [
        "oldest",
        "older",
        "old",
    ]
    assert flows.cleanable(root, keep_days=7, keep_last=3)["workspace"].to_list() == ["oldest"]


def test_a_file_written_inside_makes_a_workspace_young_though_its_folder_is_old(root):
    workspace = made(root)
    age(workspace)
    os.utime(workspace.path, (LONG_AGO, LONG_AGO))
    (workspace.path / "signals" / "trial_0.jsonl").touch()
    assert flows.cleanable(root, keep_days=7, keep_last=0).is_empty()


def test_an_unfinished_workspace_goes_only_when_it_is_named(root):
    workspace = made(root)
    (workspace.path / "checkpoints" / "current_state.json").write_text('{"state": "running"}')
    age(workspace)
    assert flows.cleanable(root, keep_days=7, keep_last=0).is_empty()
    assert flows.cleanable(root, keep_days=7, keep_last=0, named=["w"]).height == 1


def test_a_dry_run_lists_exactly_what_then_goes(root):
    for name in ("a", "b"):
        age(made(root, name))
    made(root, "c")
    listed = flows.cleanable(root, keep_days=7, keep_last=0)
    size = sum(path.stat().st_size for name in "ab" for path in (root / name).rglob("*") if path.is_file())
    assert listed["bytes"].sum() == size
    done = dict(flows.clean(root, keep_days=7, keep_last=0))
    assert sorted(done) == sorted(listed["workspace"])
    assert {path.name for path in root.iterdir() if not path.name.startswith(".")} == {"archive", "c"}


def test_one_that_cannot_be_archived_hinders_no_other(root):
    for name in ("a", "b"):
        workspace = made(root, name)
        if name == "a":
            (workspace.path / "signals" / "link").symlink_to("/etc/passwd")
        for path in workspace.path.rglob("*"):
            os.utime(path, (LONG_AGO, LONG_AGO), follow_symlinks=False)
    done = dict(flows.clean(root, keep_days=7, keep_last=0))
    assert done["a"].startswith("kept: ")
    assert done["b"].startswith("archived as ")
    assert (root / "a").exists()


def test_one_that_is_pinned_after_it_was_listed_stays(root):
    for name in ("a", "b"):
        age(made(root, name), LONG_AGO + (name == "b"))
    done = flows.clean(root, keep_days=7, keep_last=0)
    assert next(done) == ("a", f"archived as {root / 'archive' / 'a.tar.zst'}")
    flows.pin("b", root, keep=True)
    assert "changed since it was listed" in dict(done)["b"]
    assert (root / "b").exists()


def test_a_pin_that_comes_just_before_the_removal_keeps_the_workspace(root, monkeypatch):
    workspace = made(root)

    @contextmanager
    def leased_late(held: Workspace) -> Iterator[None]:
        flows.pin(held, keep=True)
        with leased(held):
            yield

    monkeypatch.setattr(lifecycle, "leased", leased_late)
    with pytest.raises(UsageError, match="pinned"):
        remove_workspace(workspace)
    assert workspace.path.exists()


def test_cleaning_one_workspace_leaves_the_others_alone(root):
    for name in ("a", "b"):
        age(made(root, name))
    assert cleanup_workspace(root / "a", keep_days=7) == root / "archive" / "a.tar.zst"
    assert (root / "b").exists()
    assert cleanup_workspace(made(root, "c").path, keep_days=7) is None


def test_a_pin_holds_until_it_is_taken_off_and_an_unreadable_log_counts_as_one(root):
    workspace = made(root)
    assert not is_pinned(workspace)
    flows.pin(workspace, keep=True)
    assert is_pinned(workspace)
    with pytest.raises(UsageError, match="pinned"):
        remove_workspace(workspace)
    flows.pin(workspace, keep=False)
    assert not is_pinned(workspace)
    (workspace.path / "metadata" / "execution_log.json").write_text("{")
    assert is_pinned(workspace)


def test_removing_leaves_nothing_and_follows_no_link(root, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    workspace = made(root)
    (workspace.path / "signals" / "away").symlink_to(outside)
    remove_workspace(workspace)
    assert not workspace.path.exists()
    assert (outside / "precious").read_text() == "x"


def test_a_record_acknowledged_just_before_the_folder_goes_keeps_it(root):
    workspace = made(root)
    signals = workspace.file(names.SIGNALS, "trial_0")

    def write(operation: str, path: Path) -> None:
        if (operation, path.parent.name) == ("rename", ".trash"):
            wk.SignalWriter(workspace.path).write_signal(0, SIGNAL)

    with storage.watch_operations(write), pytest.raises(StorageError, match="files that changed"):
        flows.archive_workspace(workspace)
    assert len(signals.read_bytes().splitlines()) == 2
    flows.archive_workspace(workspace)
    flows.restore_workspace("w", root)
    assert len(signals.read_bytes().splitlines()) == 2


def test_a_record_that_is_being_appended_while_the_folder_goes_keeps_it(root):
    workspace = made(root)
    signals = workspace.file(names.SIGNALS, "trial_0")
    inode = f":{signals.stat().st_ino} "
    writing, going = threading.Event(), threading.Event()

    def watch(operation: str, path: Path) -> None:
        if (operation, path) == ("write", signals):
            writing.set()
            while not going.is_set() and not any(
                "->" in line and inode in line for line in Path("/proc/locks").read_text().splitlines()
            ):
                time.sleep(0.001)
        elif operation == "rename" and not writing.is_set():
            appender.start()
            assert writing.wait(20)
        elif operation == "unlink" and ".trash" in path.parts:
            going.set()
            appender.join()

    appender = threading.Thread(target=lambda: wk.SignalWriter(workspace.path).write_signal(0, SIGNAL))
    with storage.watch_operations(watch), pytest.raises(StorageError, match="files that changed"):
        flows.archive_workspace(workspace)
    appender.join()
    assert len(signals.read_bytes().splitlines()) == 2


def test_a_folder_stuck_in_the_trash_hinders_no_archive(root):
    trash = root / ".trash" / "stuck"
    made(root, "stuck")
    trash.parent.mkdir()
    (root / "stuck").rename(trash)

    def refuse(operation: str, path: Path) -> None:
        if path.name == "stuck":
            raise PermissionError(1, "Operation not permitted")

    with storage.watch_operations(refuse):
        assert settle(root)[0][1].startswith("kept in the trash: ")
        assert flows.archive_workspace(made(root)).exists()


def test_trash_half_removed_goes_and_one_that_holds_more_than_its_archive_goes_back(root):
    flows.archive_workspace(made(root))
    trash = root / ".trash" / "w"
    flows.restore_workspace("w", root).path.rename(trash)
    (trash / "metadata" / "execution_log.json").unlink()
    (trash / "metadata" / "environment.json").unlink()
    assert settle(root) == [("w", "removed: its archive holds it")]
    wk.write_trial(flows.restore_workspace("w", root), 9, parameters={}, metrics={})
    (root / "w").rename(trash)
    assert settle(root) == [("w", "put back: no whole archive holds it")]
    assert (root / "w" / "performance" / "trial_9.json").exists()


def test_trash_without_a_whole_archive_goes_back_and_with_one_goes(root):
    workspace = made(root)
    copy = root.parent / "copy"
    shutil.copytree(workspace.path, copy)
    archive = flows.archive_workspace(workspace)
    trash = root / ".trash" / "w"
    shutil.copytree(copy, trash)
    assert settle(root) == [("w", "removed: its archive holds it")]
    assert not trash.exists()
    copy.rename(trash)
    archive.write_bytes(archive.read_bytes()[:-40])
    assert settle(root) == [("w", "put back: no whole archive holds it")]
    assert (root / "w" / "signals" / "trial_0.jsonl").exists()


def test_restoring_refuses_a_name_that_is_taken_and_an_archive_that_is_not_there(root):
    workspace = made(root)
    with pytest.raises(NotFound):
        flows.restore_workspace("w", root)
    archive = flows.archive_workspace(workspace)
    made(root)
    with pytest.raises(NameInvalid, match="a workspace of this id"):
        flows.restore_workspace("w", root)
    archive.rename(archive.with_name("other.tar.zst"))
    with pytest.raises(NameInvalid, match="the archive of w"):
        flows.restore_workspace("other", root)


def test_what_another_machine_restores_is_not_taken_for_a_dead_process(root, monkeypatch):
    workspace = made(root)
    before = bytes_of(workspace)
    flows.archive_workspace(workspace)
    monkeypatch.setattr(storage, "is_alive", lambda process: False)

    def settle_meanwhile(operation: str, path: Path) -> None:
        if (operation, path.name) == ("utime", "trial_1.jsonl"):
            assert "that a process holds" in dict(settle(root))[str(path.parent.parent)]

    with storage.watch_operations(settle_meanwhile):
        assert bytes_of(flows.restore_workspace("w", root)) == before


def test_a_file_that_goes_while_it_is_unpacked_ends_the_restoring(root):
    flows.archive_workspace(made(root))

    def remove(operation: str, path: Path) -> None:
        if operation == "fsync" and path.name.endswith(".restoring"):
            (path / "signals" / "trial_0.jsonl").unlink()

    with storage.watch_operations(remove), pytest.raises(StorageError, match="files that went"):
        flows.restore_workspace("w", root)
    assert not [*root.glob("w"), *root.glob(".w.*")]


def test_a_damaged_line_goes_and_its_original_stays_beside(root):
    workspace = made(root)
    path = workspace.path / "signals" / "trial_0.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"torn\n' + whole + b'{"tail')
    damaged = path.read_bytes()
    assert flows.repair_workspace(workspace, "signals/trial_0.jsonl")["damages"].to_list() == [2]
    assert path.read_bytes() == whole * 2
    assert path.with_name("trial_0.jsonl.1.damaged").read_bytes() == damaged
    assert flows.repair_workspace(workspace).is_empty()
    with wk.open_catalog(root) as catalog:
        assert catalog.table("faults").is_empty()
    with pytest.raises(NotFound):
        flows.repair_workspace(workspace, "signals/none.jsonl")


def test_the_three_modes_of_reading_allow_so_much_loss(root):
    path = made(root).path / "signals" / "trial_0.jsonl"
    whole = path.read_bytes()
    assert wk.read_with_recovery(path, "strict").faults.is_empty()
    path.write_bytes(whole + b'{"tail')
    assert wk.read_with_recovery(path, "tolerate_tail").rows.height == 1
    with pytest.raises(FileDamaged, match="no newline at the end"):
        wk.read_with_recovery(path, "strict")
    path.write_bytes(b"{\n" + whole)
    assert wk.read_with_recovery(path).rows.height == 1
    with pytest.raises(FileDamaged, match="line 1"):
        wk.read_with_recovery(path, "tolerate_tail")


def test_a_healthy_document_is_never_called_corrupt(root):
    reading = wk.read_with_recovery(made(root).path / "performance" / "trial_1.json", "strict")
    assert reading.rows["sharpe_ratio"].to_list() == [1.0]


def test_leftovers_go_only_when_their_process_is_dead_and_a_minute_has_passed(root):
    signals = made(root).path / "signals"
    dead = signals / ".trial_0.jsonl.999999999.0123abcd.tmp"
    alive = signals / f".trial_0.jsonl.{os.getpid()}.0123abcd.tmp"
    for path in (dead, alive):
        path.touch()
    assert storage.leftovers(root) == []
    for path in (dead, alive):
        os.utime(path, (LONG_AGO, LONG_AGO))
    assert storage.leftovers(root) == [dead]
    settle(root)
    assert not dead.exists()
    assert alive.exists()


def test_what_goes_while_leftovers_are_looked_for_is_none(root, monkeypatch):
    dead = made(root).path / "signals" / ".trial_0.jsonl.999999999.0123abcd.tmp"
    dead.touch()
    os.utime(dead, (LONG_AGO, LONG_AGO))
    monkeypatch.setattr(storage, "is_alive", lambda _process: dead.unlink())
    assert storage.leftovers(root) == []


def test_the_doctor_names_file_system_locks_versions_and_leftovers(root):
    workspace = made(root)
    flows.pin(workspace, keep=True)
    told = dict(examine(root).iter_rows())
    assert (told["locks"], told["links"], told["pinned"], told["leftovers"]) == ("hold", "work", "w", "none")
    assert told["workspaces"] == "1"
    assert told["polars"] == pl.__version__
    assert told["file system"] == file_system(root) != ""
    with pytest.raises(NotFound):
        examine(root / "nowhere")


@pytest.mark.parametrize(
    ("kind", "network"), [("fuse.rclone", "unknown"), ("nfs4", "unsafe"), ("ext4", "none")]
)
def test_a_file_system_is_found_by_the_mount_point_as_it_is_written(tmp_path, monkeypatch, kind, network):
    root = tmp_path / "Prüfung 1"
    root.mkdir()
    told = str(root).replace(" ", r"\040")
    read_text = Path.read_text
    mounts = f"1 0 0:1 / / rw - overlay o rw\n2 1 0:2 / {told} rw - {kind} o rw\n"
    monkeypatch.setattr(
        Path,
        "read_text",
        lambda path, **how: mounts if path.name == "mountinfo" else read_text(path, **how),
    )
    assert file_system(root) == kind
    assert network in dict(examine(root).iter_rows()).get("network", "none")
