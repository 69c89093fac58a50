import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest

from workspace_kit import storage
from workspace_kit.errors import NameInvalid, WorkspaceNotFound
from workspace_kit.layout import names
from workspace_kit.layout.inventory import find_workspace, inventory, workspaces
from workspace_kit.layout.names import Workspace
from workspace_kit.schema import INVENTORY


def put(workspace: Workspace, path: str, data: bytes = b"x\n") -> Path:
    place = workspace.path / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    return place


def listed(workspace: Workspace) -> dict[str, str]:
    """Kind of each file, by folder and name."""
    rows = inventory([workspace])
    return {"/".join(Path(path).parts[-2:]): kind for path, kind in rows.select("path", "kind").iter_rows()}


def test_no_workspace_and_an_empty_one_have_no_files(workspace: Workspace) -> None:
    for found in ([], [workspace], [Workspace(workspace.root, "missing")]):
        rows = inventory(found)
        assert rows.height == 0
        assert rows.schema == pl.Schema(INVENTORY.types)


def test_each_file_is_a_row_with_kind_key_size_and_times(workspace: Workspace) -> None:
    path = put(workspace, "signals/trial_0.jsonl", b"12345")
    os.utime(path, ns=(0, 1_600_000_000_123_456_789))
    (row,) = inventory([workspace]).to_dicts()
    status = path.stat()
    assert row | {"context": ""} == {
        "workspace": "workflow_1",
        "kind": "signals",
        "key": "trial_0",
        "path": str(path),
        "bytes": 5,
        "modified_at": row["modified_at"],
        "inode": status.st_ino,
        "modified_ns": 1_600_000_000_123_456_789,
        "changed_ns": status.st_ctime_ns,
        "context": "",
    }
    assert row["modified_at"].isoformat() == "2020-09-13T12:26:40.123456"


def test_files_come_by_workspace_as_given_folder_and_name(workspace: Workspace) -> None:
    other = Workspace(workspace.root, "workflow_0")
    for each in (workspace, other):
        for path in ("performance/trial_1.json", "signals/trial_9.jsonl", "signals/trial_10.jsonl"):
            put(each, path)
    rows = inventory([workspace, other]).select("workspace", "kind", "key").rows()
    files = [("signals", "trial_10"), ("signals", "trial_9"), ("trial", "trial_1")]
    assert rows == [(name, *file) for name in ("workflow_1", "workflow_0") for file in files]


def test_a_workspace_given_twice_is_listed_once(workspace: Workspace) -> None:
    put(workspace, "signals/trial_0.jsonl")
    assert inventory([workspace, Workspace(workspace.root, workspace.id)]).height == 1


def test_hidden_files_of_writers_at_work_are_left_out_and_other_strangers_are_not(
    workspace: Workspace,
) -> None:
    put(workspace, "signals/trial_0.jsonl")
    seen: list[dict[str, str]] = []
    with storage.watch_operations(lambda operation, path: seen.append(listed(workspace))):
        storage.replace(workspace.path / "signals" / "trial_1.jsonl", b"x", sync=False)
    assert seen == [{"signals/trial_0.jsonl": "signals"}] * 3
    put(workspace, "signals/.DS_Store")
    put(workspace, "signals/notes.txt")
    assert listed(workspace) == {
        "signals/.DS_Store": "unknown",
        "signals/notes.txt": "unknown",
        "signals/trial_0.jsonl": "signals",
        "signals/trial_1.jsonl": "signals",
    }


@pytest.mark.parametrize(
    "name", ["new\nline.jsonl", "\x1b[2J.jsonl", "trial_\udcff.jsonl", "..jsonl", "-rf.jsonl"]
)
def test_a_name_of_ill_will_is_listed_as_unknown_in_printable_words(name: str, workspace: Workspace) -> None:
    put(workspace, f"signals/{name}")
    (row,) = inventory([workspace]).to_dicts()
    assert row["kind"] == "unknown"
    assert row["key"].isprintable()
    row["path"].encode()


def test_links_pipes_and_folders_named_like_files_are_listed_by_what_they_are_called(
    workspace: Workspace,
) -> None:
    signals = workspace.path / "signals"
    outside = workspace.root / "outside.jsonl"
    outside.write_bytes(b"x" * 1000)
    (signals / "trial_0.jsonl").symlink_to(outside)
    (signals / "trial_1.jsonl").symlink_to("nowhere")
    (signals / "trial_2.jsonl").mkdir()
    os.mkfifo(signals / "trial_3.jsonl")
    rows = inventory([workspace])
    assert rows["key"].to_list() == ["trial_0", "trial_1", "trial_2", "trial_3"]
    assert rows["bytes"][0] == len(str(outside))


@pytest.mark.parametrize("what", ["link", "dangling link", "file", "pipe"])
def test_nothing_is_listed_below_a_folder_that_is_none(what: str, workspace: Workspace) -> None:
    folder = workspace.path / "signals"
    folder.rmdir()
    if "link" in what:
        folder.symlink_to(workspace.root if what == "link" else "nowhere")
    elif what == "file":
        folder.write_bytes(b"")
    else:
        os.mkfifo(folder)
    rows = inventory([workspace]).select("kind", "key", "path").rows()
    assert rows == [("unknown", "signals", str(folder))]


@pytest.mark.parametrize("seconds", [-(10**11), -1, 0, 2**34, 10**12, 2**62])
def test_a_time_beyond_every_calendar_stops_nothing(seconds: int, workspace: Workspace) -> None:
    path = put(workspace, "signals/trial_0.jsonl")
    os.utime(path, (seconds, seconds))
    inventory([workspace]).rows()


class Entry:
    """An entry of a folder that tells of each look at its file first."""

    def __init__(self, entry: os.DirEntry[str], look: Callable[[str], os.stat_result | None]) -> None:
        self.name, self._entry, self._look = entry.name, entry, look

    def is_dir(self, *, follow_symlinks: bool) -> bool:
        return self._entry.is_dir(follow_symlinks=follow_symlinks)

    def stat(self, *, follow_symlinks: bool) -> os.stat_result:
        return self._look(self.name) or self._entry.stat(follow_symlinks=follow_symlinks)


def watch_looks(monkeypatch: pytest.MonkeyPatch, look: Callable[[str], os.stat_result | None]) -> None:
    """Let ``look`` answer for each file that a listing asks the file system for; null: as it is."""
    real = os.scandir

    @contextmanager
    def scandir(folder: int) -> Iterator[list[Entry]]:
        with real(folder) as entries:
            yield [Entry(entry, look) for entry in entries]

    monkeypatch.setattr(os, "scandir", scandir)


def test_identities_beyond_what_a_column_holds_stop_nothing(workspace: Workspace, monkeypatch) -> None:
    real = os.lstat(put(workspace, "signals/trial_0.jsonl"))
    far = os.stat_result(
        (real.st_mode, 2**64 - 1, *real[2:]),
        {"st_mtime_ns": 2**62 * 10**9, "st_ctime_ns": -(2**80), "st_atime_ns": 0},
    )
    watch_looks(monkeypatch, lambda name: far)
    (row,) = inventory([workspace]).to_dicts()
    assert (row["inode"], row["modified_ns"], row["changed_ns"]) == (2**63 - 1, 2**63 - 1, -(2**63) + 1)


def test_a_file_that_goes_while_it_is_listed_is_left_out(workspace: Workspace, monkeypatch) -> None:
    put(workspace, "signals/trial_0.jsonl")
    going = put(workspace, "signals/trial_1.jsonl")
    watch_looks(monkeypatch, lambda name: going.unlink() if name == going.name else None)
    assert listed(workspace) == {"signals/trial_0.jsonl": "signals"}


def test_a_listing_asks_for_each_file_once_and_for_what_it_is_read_with_once_a_workspace(
    workspace: Workspace, monkeypatch
) -> None:
    for trial in range(30):
        put(workspace, f"signals/trial_{trial}.jsonl")
        put(workspace, f"performance/trial_{trial}.json")
    looks: list[str] = []
    beside: list[str] = []
    watch_looks(monkeypatch, looks.append)
    real = os.lstat
    monkeypatch.setattr(os, "lstat", lambda path: (beside.append(Path(path).name), real(path))[1])
    assert inventory([workspace]).height == 60
    assert sorted(looks) == sorted(
        name for trial in range(30) for name in (f"trial_{trial}.jsonl", f"trial_{trial}.json")
    )
    assert beside == ["config.yaml"]


def contexts(workspace: Workspace) -> dict[str, str]:
    return dict(inventory([workspace]).select("key", "context").iter_rows())


def test_another_configuration_changes_how_every_file_is_to_be_read(workspace: Workspace) -> None:
    put(workspace, "signals/trial_0.jsonl")
    put(workspace, "performance/trial_1.json")
    none = contexts(workspace)
    assert len(set(none.values())) == 1
    put(workspace, "metadata/config.yaml")
    one = contexts(workspace)
    assert all(one[key] != none[key] for key in none)
    storage.replace(workspace.path / "metadata" / "config.yaml", b"y\n", sync=False)
    assert all(contexts(workspace)[key] not in {none[key], one[key]} for key in none)


def test_the_document_that_explains_a_table_changes_how_that_table_is_to_be_read(
    workspace: Workspace,
) -> None:
    put(workspace, "analysis/correlation_matrix.csv")
    put(workspace, "analysis/regimes.csv")
    before = contexts(workspace)
    put(workspace, "analysis/correlation_matrix.meta.json")
    after = contexts(workspace)
    assert after["correlation_matrix"] != before["correlation_matrix"]
    assert after["regimes"] == before["regimes"]


def test_a_root_holds_the_folders_that_look_like_workspaces(workspace: Workspace) -> None:
    root = workspace.root
    for folder in (
        ".workspace_kit/signals",
        "archive",
        "b ad/signals",
        "workflow_0/metadata",
        ".x.building/signals",
    ):
        (root / folder).mkdir(parents=True)
    (root / "link").symlink_to(workspace.path)
    (root / "index.html").write_bytes(b"")
    assert [each.id for each in workspaces(root)] == ["workflow_0", "workflow_1"]


def test_a_root_that_is_not_there_or_no_folder_holds_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert workspaces(tmp_path / "missing") == workspaces(tmp_path / "file") == []


def test_a_workspace_is_found_by_its_id(workspace: Workspace) -> None:
    assert find_workspace(workspace.root, "workflow_1") == workspace


def test_an_unknown_workspace_is_missing_among_how_many_and_the_nearest_is_named(
    workspace: Workspace,
) -> None:
    with pytest.raises(WorkspaceNotFound) as caught:
        find_workspace(workspace.root, "workflow_2")
    assert str(caught.value) == (
        f"{workspace.root}: found no workspace 'workflow_2', expected one of the 1 workspaces there; "
        "did you mean 'workflow_1'?"
    )


@pytest.mark.parametrize("name", ["..", "../results", "/etc", "", "a\nb"])
def test_a_name_that_leads_elsewhere_is_no_workspace(name: str, workspace: Workspace) -> None:
    with pytest.raises(NameInvalid):
        find_workspace(workspace.root, name)


def test_every_folder_of_the_description_is_listed(workspace: Workspace) -> None:
    for folder in names.FOLDERS:
        put(workspace, f"{folder}/strange")
    assert set(listed(workspace)) == {f"{folder}/strange" for folder in names.FOLDERS}


def test_names_that_no_kind_knows_are_told_apart_whatever_bytes_they_have(workspace: Workspace) -> None:
    odd = (b"x\xff", b"x\\xff", b"x\\\xff", b"x\\\\xff")
    for name in odd:
        (workspace.path / "signals" / os.fsdecode(name)).write_bytes(b"")
    assert inventory([workspace])["path"].n_unique() == len(set((workspace.path / "signals").iterdir())) == 4


def test_a_folder_that_may_be_listed_but_not_entered_stands_for_itself(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(workspace, "signals/trial_0.jsonl")

    def refuse(name: str) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", name)

    watch_looks(monkeypatch, refuse)
    rows = inventory([workspace]).select("kind", "path").rows()
    assert rows == [("unknown", str(workspace.path / "signals"))]


def test_a_configuration_that_may_not_be_looked_at_ends_no_listing(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(workspace, "signals/trial_0.jsonl")
    real = os.lstat

    def lstat(path: Path) -> os.stat_result:
        if Path(path).name == "config.yaml":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "lstat", lstat)
    assert listed(workspace) == {"signals/trial_0.jsonl": "signals"}
