"""Publishing beside readers and writers: whole, current, and never over somebody's own file."""

import os
import shutil
from pathlib import Path

import duckdb
import pytest

import workspace_kit as wk
from workspace_kit import storage
from workspace_kit.errors import NotFound, StorageError, UsageError
from workspace_kit.flows.publishing import publish_catalog

SIGNAL = {"timestamp": "2023-01-01", "symbol": "A", "action": "BUY", "strength": 1, "strategy": "m"}
COUNT = "select count(*) from signals"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    workspace = wk.WorkspaceManager(tmp_path / "results").create_workspace({}, "w")
    wk.SignalWriter(workspace).write_signal(0, SIGNAL)
    return tmp_path / "results"


def test_a_reader_of_the_older_one_goes_on_while_the_next_takes_its_place(root: Path, tmp_path: Path) -> None:
    path = publish_catalog(tmp_path / "c.duckdb", root)
    held = path.with_name("held.duckdb")
    held.hardlink_to(path)  # stands for the file that a reader has open
    wk.SignalWriter(root / "w").write_signal(0, SIGNAL)
    publish_catalog(path, root)
    for place, count in ((held, 1), (path, 2)):
        with duckdb.connect(place, read_only=True) as connection:
            assert connection.sql(COUNT).fetchall() == [(count,)]


def test_a_file_that_is_no_catalog_is_refused_and_stays(root: Path, tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    (tmp_path / "folder").mkdir()
    for name in ("notes", "folder"):
        with pytest.raises(UsageError, match="found a file that is no catalog"):
            publish_catalog(tmp_path / name, root)
    assert (tmp_path / "notes").read_text() == "mine"


def test_a_folder_that_is_not_there_is_named_and_not_made(root: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="nowhere: found no such folder"):
        publish_catalog(tmp_path / "nowhere" / "c.duckdb", root)
    assert not (tmp_path / "nowhere").exists()


def test_what_a_killed_process_left_half_made_is_in_nobodys_way(root: Path, tmp_path: Path) -> None:
    building = root / ".workspace_kit" / "publishing"
    building.mkdir(parents=True)
    (building / "catalog.duckdb").write_bytes(b"half")
    (building / "catalog.duckdb.wal").write_bytes(b"half")
    publish_catalog(tmp_path / "c.duckdb", root)
    assert not building.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.duckdb", "results"]


@pytest.mark.parametrize("operation", ["open", "write", "replace"])
def test_where_the_disk_refuses_the_old_catalog_stays(root: Path, tmp_path: Path, operation: str) -> None:
    path = publish_catalog(tmp_path / "c.duckdb", root)
    before = path.read_bytes()
    wk.SignalWriter(root / "w").write_signal(0, SIGNAL)

    def refuse(what: str, where: Path) -> None:
        if what == operation and where.parent == tmp_path:
            raise OSError(28, "No space left on device")

    with storage.watch_operations(refuse), pytest.raises(StorageError, match="No space left on device"):
        publish_catalog(path, root)
    assert path.read_bytes() == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["c.duckdb", "results"]


def test_a_root_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no such folder"):
        publish_catalog(tmp_path / "c.duckdb", tmp_path / "nowhere")


def test_a_link_in_the_mirrors_place_or_below_it_has_nobodys_files_removed(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    theirs = tmp_path / "theirs"
    (theirs / "publishing").mkdir(parents=True)
    kept = [theirs / "prices.parquet", theirs / f"prices-{'0' * 16}.parquet", theirs / "publishing" / "f"]
    for path in kept:
        path.write_bytes(b"theirs")
        os.utime(path, (0, 0))
    shutil.rmtree(root / ".workspace_kit", ignore_errors=True)
    (root / ".workspace_kit").symlink_to(theirs)
    publish_catalog(tmp_path / "c.duckdb", root)
    (root / ".workspace_kit").unlink()
    publish_catalog(tmp_path / "c.duckdb", root)
    (root / ".workspace_kit" / "publishing").symlink_to(theirs / "publishing")
    with pytest.raises(StorageError):
        publish_catalog(tmp_path / "c.duckdb", root)
    assert all(path.read_bytes() == b"theirs" for path in kept)
