import errno
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stopping import Killed, killing
from workspace_kit import storage
from workspace_kit.layout.batches import read_batches
from workspace_kit.layout.inventory import inventory, workspaces
from workspace_kit.layout.names import Workspace
from workspace_kit.mirror import Parts, refresh, tables
from workspace_kit.mirror.manifest import STORED
from workspace_kit.mirror.refresh import RETIRED_AFTER_SECONDS
from workspace_kit.schema import INVENTORY, Batch, in_file_order

DAY_NS = 86_400 * 10**9
FOLDERS = ("signals", "performance", "analysis", "metadata")


def later() -> int:
    """An instant at which every file is old enough to trust its times."""
    return time.time_ns() + DAY_NS


def quiet(_done: int, _total: int) -> None:
    pass


class Root:
    """A results root with a mirror; ``read`` are the files that its last refresh read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.mirror = path / ".workspace_kit"
        self.read: list[str] = []

    def workspace(self, name: str) -> Workspace:
        for folder in FOLDERS:
            (self.path / name / folder).mkdir(parents=True, exist_ok=True)
        return Workspace(self.path, name)

    def put(self, name: str, path: str, data: bytes) -> Path:
        place = self.workspace(name).path / path
        storage.replace(place, data, sync=False)
        return place

    def refresh(self, *names: str, now_ns: int | None = None, folder: Path | None = None) -> Parts:
        found = [each for each in workspaces(self.path) if not names or each.id in names]
        self.read = []
        return refresh(
            lambda: inventory(found),
            folder=folder or self.mirror,
            workspaces=names or None,
            read=self._read,
            now_ns=now_ns or later(),
            progress=quiet,
        )

    def _read(self, files: pl.DataFrame) -> Iterator[Batch]:
        self.read += files["path"].to_list()
        return read_batches(files)

    def files(self) -> set[str]:
        return {str(path) for path in self.path.glob("[!.]*/*/*")}

    def is_as_built_from_nothing(self, parts: Parts) -> bool:
        fresh = self.path.parent / "fresh"
        shutil.rmtree(fresh, ignore_errors=True)
        read = self.read
        built = self.refresh(folder=fresh)
        self.read = read
        return all(rows(parts, table).equals(rows(built, table)) for table in STORED)


def rows(parts: Parts, table: str) -> pl.DataFrame:
    found = pl.concat([pl.read_parquet(path.read_bytes()) for path in parts.paths(table)])
    found = found.cast({pl.Categorical: pl.String})
    return in_file_order(found) if table == "signals" else found


def with_signals(parts: Parts) -> list[str]:
    """Workspaces that a segment has signals of."""
    return [name for segment in parts.signals for name in segment.workspaces]


def signal(number: int, symbol: str = "A") -> bytes:
    content = {"timestamp": f"2023-01-01T09:{number % 60:02d}:00", "symbol": symbol, "action": "BUY"}
    return json.dumps({**content, "strength": 1, "strategy": "m"}).encode() + b"\n"


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path / "results")


@pytest.fixture
def filled(root: Root) -> Root:
    for name in ("w1", "w2"):
        root.put(name, "signals/trial_0.jsonl", signal(0))
        root.put(name, "signals/trial_1.jsonl", signal(1) + b"{")
        root.put(name, "performance/trial_0.json", b'{"parameters": {"a": 1}, "metrics": {"cagr": 0.5}}')
    return root


# Whatever happens, the mirror is what reading everything would give.


def new_signals(root: Root, name: str, number: int) -> set[str]:
    return {str(root.put(name, f"signals/trial_{number}.jsonl", signal(number) * (number + 1)))}


def appended(root: Root, name: str, number: int) -> set[str]:
    path = root.workspace(name).path / "signals" / f"trial_{number}.jsonl"
    storage.append(path, signal(number, "appended"), sync=False)
    return {str(path)}


def torn(root: Root, name: str, number: int) -> set[str]:
    path = root.workspace(name).path / "signals" / f"trial_{number}.jsonl"
    with path.open("ab") as file:
        file.write(signal(number)[:30])
    return {str(path)}


def edited_in_place_behind_restored_times(root: Root, name: str, number: int) -> set[str]:
    path = root.workspace(name).path / "signals" / f"trial_{number}.jsonl"
    if not path.exists():
        return set()
    time.sleep(0.01)  # one tick of the coarsest clock that a file system dates changes with
    before = path.stat()
    with path.open("r+b") as file:
        data = file.read()
        file.seek(0)
        file.write(data.replace(b"A", b"B"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    return {str(path)}


def trial_document(root: Root, name: str, number: int) -> set[str]:
    content = {
        "parameters": {"n": number},
        "metrics": {"cagr": time.time()},
        "period": {"start": "2020-01-01"},
    }
    return {str(root.put(name, f"performance/trial_{number}.json", json.dumps(content).encode()))}


def matrix(root: Root, name: str, number: int) -> set[str]:
    data = f",a,b\na,1,0.{number}\nb,0.{number},1\n".encode()
    return {str(root.put(name, "analysis/correlation_matrix.csv", data))}


def explanation(root: Root, name: str, number: int) -> set[str]:
    path = root.put(name, "analysis/correlation_matrix.meta.json", json.dumps({"bars": number}).encode())
    return {str(path), str(path.with_name("correlation_matrix.csv"))}


def calendar(root: Root, name: str, number: int) -> set[str]:
    zone = ("UTC", "America/New_York", "Asia/Kolkata", "Mars/Phobos")[number]
    path = root.put(name, "metadata/config.yaml", f"name: x\ndata: {{timezone: {zone}}}\n".encode())
    return {str(each) for each in path.parent.parent.glob("*/*")}


def stranger(root: Root, name: str, number: int) -> set[str]:
    return {str(root.put(name, f"signals/notes_{number}.txt", b"mine"))}


def file_deleted(root: Root, name: str, number: int) -> set[str]:
    (root.workspace(name).path / "signals" / f"trial_{number}.jsonl").unlink(missing_ok=True)
    return set()


def workspace_deleted(root: Root, name: str, number: int) -> set[str]:
    shutil.rmtree(root.path / name, ignore_errors=True)
    return set()


CHANGES: tuple[Callable[[Root, str, int], set[str]], ...] = (
    *(
        new_signals,
        appended,
        torn,
        edited_in_place_behind_restored_times,
        trial_document,
        matrix,
        explanation,
    ),
    *(calendar, stranger, file_deleted, workspace_deleted),
)
names = st.sampled_from(["w1", "w2", "w10"])
change = st.tuples(st.sampled_from(CHANGES), names, st.integers(0, 3))
steps = st.lists(st.tuples(st.lists(change, max_size=4), st.none() | names), min_size=1, max_size=4)


@settings(deadline=None, max_examples=15)
@given(steps)
def test_after_any_changes_the_mirror_is_as_built_from_nothing_and_only_changed_files_were_read(
    tmp_path_factory: pytest.TempPathFactory, steps: list
) -> None:
    root = Root(tmp_path_factory.mktemp("root") / "results")
    root.path.mkdir()
    unread: set[str] = set()
    for changes, name in [*steps, ([], None)]:
        for change, where, number in changes:
            unread |= change(root, where, number)
        parts = root.refresh(*([name] if name else []))
        looked_at = {path for path in unread if name in (None, Path(path).parent.parent.name)}
        assert sorted(root.read) == sorted(looked_at & root.files())
        unread -= looked_at
    assert root.is_as_built_from_nothing(parts)


def test_a_root_without_files_has_every_table_empty(root: Root) -> None:
    root.path.mkdir()
    parts = root.refresh()
    for table, shape in STORED.items():
        found = rows(parts, table)
        assert found.height == 0
        assert {name: found.schema[name] for name in shape.names} == shape.types


def test_nothing_changed_nothing_read_and_nothing_written(filled: Root) -> None:
    first = filled.refresh()
    seen: list[str] = []
    with storage.watch_operations(lambda operation, path: seen.append(f"{operation} {path.name}")):
        second = filled.refresh()
    assert filled.read == []
    assert seen == ["open refresh.lock"]
    assert (second.tables, second.signals) == (first.tables, first.signals)


def test_a_replaced_file_rewrites_only_the_tables_it_has_rows_in_and_its_segment(filled: Root) -> None:
    filled.refresh()
    filled.put("w3", "signals/trial_0.jsonl", signal(0))
    first = filled.refresh()
    filled.put("w1", "signals/trial_0.jsonl", signal(5))
    second = filled.refresh()
    assert {name for name in STORED if first.tables[name] != second.tables[name]} == {"files"}
    assert [each.workspaces for each in second.signals] == [("w1", "w2"), ("w3",)]
    assert [one == other for one, other in zip(first.signals, second.signals, strict=True)] == [False, True]


def test_a_table_none_of_whose_rows_change_is_not_even_read(filled: Root, monkeypatch) -> None:
    filled.refresh()
    filled.put("w1", "signals/trial_0.jsonl", signal(5))
    read: list[str] = []
    real = tables.read_part
    monkeypatch.setattr(tables, "read_part", lambda folder, name: read.append(name) or real(folder, name))
    filled.refresh()
    assert read == []
    filled.put("w1", "performance/trial_0.json", b'{"parameters": {"a": 2}, "metrics": {"cagr": 0.5}}')
    filled.refresh()
    assert {name.split("-")[0] for name in read} == {"performance", "parameters", "metrics"}


def test_a_segment_lives_for_workspaces_with_signals_alone(filled: Root) -> None:
    filled.put("w3", "performance/trial_0.json", b"{}")
    assert with_signals(filled.refresh()) == ["w1", "w2"]
    for number in range(2):
        (filled.path / "w1" / "signals" / f"trial_{number}.jsonl").unlink()
    assert with_signals(filled.refresh()) == ["w2"]


def test_rows_come_by_workspace_and_trial_as_people_count(root: Root) -> None:
    for name in ("w2", "w1"):
        for number in (10, 2):
            root.put(name, f"performance/trial_{number}.json", b"{}")
            root.put(name, f"signals/trial_{number}.jsonl", signal(1, "second") + signal(0, "first"))
    parts = root.refresh()
    order = [("w1", "trial_2"), ("w1", "trial_10"), ("w2", "trial_2"), ("w2", "trial_10")]
    assert rows(parts, "performance").select("workspace", "trial_id").rows() == order
    assert rows(parts, "signals")["symbol"].to_list() == ["second", "first"] * 4


def test_names_that_a_document_holds_may_be_anything_and_have_a_place(root: Root) -> None:
    content = {"regime_optimal_params": {"bull": {"trial_id": "trial_٣"}, "bear": {"trial_id": ""}}}
    root.put("w1", "analysis/regime_optimal_params.json", json.dumps(content).encode())
    assert rows(root.refresh(), "regime_params").height == 2


# Some workspaces only.


def test_a_refresh_of_some_workspaces_leaves_the_others_as_they_were(filled: Root) -> None:
    first = filled.refresh()
    for name in ("w1", "w2"):
        filled.put(name, "signals/trial_0.jsonl", signal(5, "new"))
        filled.put(name, "performance/trial_9.json", b"{}")
    some = filled.refresh("w1")
    assert {Path(path).parts[-3] for path in filled.read} == {"w1"}
    assert rows(some, "signals").filter(workspace="w2").equals(rows(first, "signals").filter(workspace="w2"))
    assert rows(some, "performance").select("workspace", "trial_id").rows() == [
        ("w1", "trial_0"),
        ("w1", "trial_9"),
        ("w2", "trial_0"),
    ]
    every = filled.refresh()
    assert {Path(path).parts[-3] for path in filled.read} == {"w2"}
    assert filled.is_as_built_from_nothing(every)


def test_a_workspace_that_is_gone_is_forgotten_when_it_or_all_are_looked_at(filled: Root) -> None:
    filled.refresh()
    shutil.rmtree(filled.path / "w2")
    assert "w2" in with_signals(filled.refresh("w1"))
    assert with_signals(filled.refresh("w2")) == ["w1"]
    assert filled.is_as_built_from_nothing(filled.refresh())


# Times that cannot be trusted yet. The inventory is made up, so that no clock takes part.


class Disk:
    """One file as an inventory lists it, and a reader that counts."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.count = folder, 0
        self.modified_ns = self.changed_ns = 100 * 10**9
        self.path = folder / "p"
        self.path.write_bytes(b"x")

    def look(self, *, seconds_later: float) -> None:
        file = {
            "workspace": "w",
            "kind": "signals",
            "key": "trial_0",
            "path": str(self.path),
            "bytes": 1,
            "inode": 1,
        }
        times = {"modified_ns": self.modified_ns, "changed_ns": self.changed_ns, "context": ""}
        refresh(
            lambda: INVENTORY.frame([{**file, **times}]),
            folder=self.folder,
            workspaces=None,
            read=self._read,
            now_ns=max(self.modified_ns, self.changed_ns) + int(seconds_later * 10**9),
            progress=quiet,
        )

    def _read(self, files: pl.DataFrame) -> Iterator[Batch]:
        self.count += files.height
        return read_batches(files)


def test_a_file_that_just_changed_is_read_again_until_its_time_can_be_trusted(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    for seconds, count in ((0, 1), (1.9, 2), (2.1, 3), (2.2, 3), (1000, 3)):
        disk.look(seconds_later=seconds)
        assert disk.count == count


def test_a_file_whose_time_was_set_back_just_now_is_not_trusted_either(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    disk.modified_ns = 0
    for seconds, count in ((0, 1), (1, 2), (3, 3), (4, 3)):
        disk.look(seconds_later=seconds)
        assert disk.count == count


def test_a_file_dated_in_the_future_is_read_at_every_look(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    for count in (1, 2, 3):
        disk.look(seconds_later=-3600)
        assert disk.count == count


@pytest.mark.parametrize("what", ["inode", "modified_ns", "changed_ns", "bytes", "context", "kind", "key"])
def test_whatever_else_a_file_is_now_it_is_read_again(what: str, tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    disk.look(seconds_later=10)
    other = {"kind": "trial", "key": "trial_1", "context": "x"}.get(what, 7)
    file = {
        "workspace": "w",
        "kind": "signals",
        "key": "trial_0",
        "path": str(disk.path),
        "bytes": 1,
        "inode": 1,
        "context": "",
    }
    times = {"modified_ns": disk.modified_ns, "changed_ns": disk.changed_ns}
    parts = refresh(
        lambda: INVENTORY.frame([{**file, **times, what: other}]),
        folder=tmp_path,
        workspaces=None,
        read=disk._read,
        now_ns=200 * 10**9,
        progress=quiet,
    )
    assert disk.count == 2
    assert rows(parts, "files")[what].to_list() == [other]


def test_progress_is_told_by_files_read_and_to_be_read(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    files = INVENTORY.frame(
        [{"workspace": "w", "kind": "x", "key": "", "path": f"{number}"} for number in range(1100)]
    )
    refresh(
        lambda: files,
        folder=tmp_path,
        workspaces=None,
        read=read_batches,
        now_ns=1,
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(512, 1100), (1024, 1100), (1100, 1100)]


# Damage, death and company.


@pytest.mark.parametrize(
    "harm", ["gone", "no manifest", "torn manifest", "older", "no part", "cut part", "no lock"]
)
def test_a_damaged_mirror_is_built_again(harm: str, filled: Root) -> None:
    parts = filled.refresh()
    manifest = filled.mirror / "manifest.json"
    part = parts.paths("performance")[0]
    match harm:
        case "gone":
            shutil.rmtree(filled.mirror)
        case "no manifest":
            manifest.unlink()
        case "torn manifest":
            manifest.write_bytes(manifest.read_bytes()[:100])
        case "older":
            manifest.write_bytes(b'{"content": {"schema": "0"}, "digest": "0"}')
        case "no part":
            part.unlink()
        case "cut part":
            part.write_bytes(part.read_bytes()[:-1])
        case "no lock":
            (filled.mirror / "refresh.lock").unlink()
    again = filled.refresh()
    assert set(filled.read) == (set() if harm == "no lock" else filled.files())
    assert filled.is_as_built_from_nothing(again)


@pytest.mark.parametrize("table", ["performance", "signals"])
def test_a_part_with_a_flipped_bit_is_not_carried_on(table: str, filled: Root) -> None:
    path = filled.refresh().paths(table)[-1]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    filled.put("w2", "signals/trial_1.jsonl", signal(7))
    filled.put("w2", "performance/trial_1.json", b"{}")
    parts = filled.refresh()
    assert set(filled.read) == filled.files()
    assert filled.is_as_built_from_nothing(parts)


def test_killed_before_any_operation_the_next_refresh_makes_it_good(filled: Root) -> None:
    filled.refresh()
    before = filled.mirror.with_name("before")
    shutil.copytree(filled.mirror, before)
    filled.put("w1", "signals/trial_0.jsonl", signal(7))
    filled.put("w1", "performance/trial_1.json", b"{}")
    seen: list[str] = []
    with storage.watch_operations(lambda operation, path: seen.append(operation)):
        whole = filled.refresh()
    for step in range(len(seen)):
        for path in filled.mirror.iterdir():
            path.unlink()
        shutil.copytree(before, filled.mirror, dirs_exist_ok=True)
        with storage.watch_operations(killing(step)), pytest.raises(Killed):
            filled.refresh()
        again = filled.refresh()
        assert (again.tables, again.signals) == (whole.tables, whole.signals)


_REFRESHER = """
import sys, time
from pathlib import Path
from workspace_kit.layout.inventory import inventory, workspaces
from workspace_kit.layout.batches import read_batches
from workspace_kit.mirror import refresh
root = Path(sys.argv[1])
sys.stdin.read()
for _ in range(4):
    refresh(lambda: inventory(workspaces(root)), folder=root / ".workspace_kit", workspaces=None,
            read=read_batches, now_ns=time.time_ns(), progress=lambda done, total: None)
"""


def test_processes_that_refresh_at_once_beside_a_writer_leave_a_mirror_as_built_from_nothing(
    filled: Root,
) -> None:
    command = [sys.executable, "-c", _REFRESHER, filled.path]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(2)]
    for process in processes:
        process.stdin.close()
    number = 0
    while any(process.poll() is None for process in processes):
        appended(filled, "w1", number % 4)
        number += 1
        time.sleep(0.002)
    assert [process.returncode for process in processes] == [0, 0]
    assert filled.is_as_built_from_nothing(filled.refresh())


def test_a_part_that_an_open_catalog_may_read_lives_a_week_from_when_it_was_last_named(filled: Root) -> None:
    first = filled.refresh()
    old = first.paths("performance")[0]
    month_ago = time.time() - 30 * 86_400
    for path in filled.mirror.glob("*.parquet"):
        os.utime(path, (month_ago, month_ago))
    filled.put("w1", "performance/trial_1.json", b"{}")
    now = later()
    filled.refresh(now_ns=now)
    assert old.exists()
    for number, days in enumerate((6.9, 7.1)):
        filled.put("w1", "performance/trial_1.json", b"{}" + b" " * number)
        filled.refresh(now_ns=now + int(days * DAY_NS))
        assert old.exists() is (days * 86_400 < RETIRED_AFTER_SECONDS)


def test_parts_that_are_named_live_for_ever(filled: Root) -> None:
    filled.refresh()
    filled.put("w1", "performance/trial_1.json", b"{}")
    parts = filled.refresh(now_ns=later() + 1000 * DAY_NS)
    assert all(path.exists() for table in STORED for path in parts.paths(table))


def test_a_file_that_is_not_called_as_a_part_stays_however_old(filled: Root) -> None:
    filled.refresh()
    theirs = [filled.mirror / name for name in ("prices.parquet", f"a b-{'0' * 16}.parquet")]
    for path in theirs:
        path.write_bytes(b"theirs")
        os.utime(path, (0, 0))
    filled.put("w1", "performance/trial_1.json", b"{}")
    filled.refresh()
    assert all(path.exists() for path in theirs)


def test_a_file_that_is_listed_twice_is_one_file(tmp_path: Path) -> None:
    file = {"workspace": "w", "kind": "x", "key": "", "path": "p", "bytes": 1}
    twice = INVENTORY.frame([file, {**file, "bytes": 2}])
    for _ in range(3):
        parts = refresh(
            lambda: twice, folder=tmp_path, workspaces=None, read=read_batches, now_ns=1, progress=quiet
        )
        assert rows(parts, "files")["bytes"].to_list() == [1]


def test_files_are_listed_once_nobody_else_refreshes(filled: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    real = storage.locked

    @contextmanager
    def locked(path: Path) -> Iterator[None]:
        with real(path):
            filled.put("w1", "signals/trial_7.jsonl", signal(7))  # by another, who held the lock before
            yield

    monkeypatch.setattr(storage, "locked", locked)
    parts = filled.refresh()
    assert rows(parts, "signals").filter(pl.col("trial_id") == "trial_7").height == 1


@pytest.mark.parametrize("harm", ["torn manifest", "flipped part"])
def test_parts_of_a_mirror_that_cannot_be_read_live_a_week_from_then_on(harm: str, filled: Root) -> None:
    parts = filled.refresh()
    old = parts.paths("performance")[0]
    for path in filled.mirror.glob("*.parquet"):
        os.utime(path, (0, 0))
    if harm == "torn manifest":
        (filled.mirror / "manifest.json").write_bytes(b"{")
    else:
        signals = parts.paths("signals")[-1]
        signals.write_bytes(signals.read_bytes()[:-1] + b"x")
    filled.put("w1", "performance/trial_1.json", b"{}")
    filled.put("w1", "signals/trial_0.jsonl", signal(7))
    now = later()
    filled.refresh(now_ns=now)
    assert old.exists()
    filled.put("w1", "performance/trial_1.json", b"{ }")
    filled.refresh(now_ns=now + 8 * DAY_NS)
    assert not old.exists()


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EIO, errno.ESTALE])
def test_a_file_that_could_not_be_opened_for_a_while_is_read_once_it_can_be(
    number: int, filled: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def refuse(path: str, flags: int, *more: int, **named: int) -> int:
        if str(path).endswith(("w1/signals/trial_0.jsonl", "w1/performance/trial_0.json")):
            raise OSError(number, os.strerror(number), str(path))
        return real(path, flags, *more, **named)

    monkeypatch.setattr(os, "open", refuse)
    for _ in range(2):
        parts = filled.refresh()
        assert set(rows(parts, "faults").filter(pl.col("line").is_null())["reason"]) == {os.strerror(number)}
    assert len(filled.read) == 2
    monkeypatch.setattr(os, "open", real)
    parts = filled.refresh()
    assert rows(parts, "faults")["line"].null_count() == 0
    assert filled.is_as_built_from_nothing(parts)
    filled.refresh()
    assert filled.read == []


def test_times_are_not_taken_for_utc_while_the_configuration_that_says_more_cannot_be_opened(
    filled: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled.put("w1", "metadata/config.yaml", b"data: {timezone: Asia/Kolkata}\n")
    filled.put("w1", "performance/trial_0.json", b'{"period": {"start": "2023-01-01T09:00:00"}}')
    real = os.open

    def refuse(path: str, flags: int, *more: int, **named: int) -> int:
        if str(path).endswith("w1/metadata/config.yaml"):
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return real(path, flags, *more, **named)

    monkeypatch.setattr(os, "open", refuse)
    parts = filled.refresh()
    assert set(rows(parts, "signals")["workspace"]) == {"w2"}
    unread = rows(parts, "faults").filter(
        pl.col("line").is_null(), pl.col("reason").str.contains("config.yaml")
    )
    told = {Path(path).name for path in unread["path"]}
    assert told == {"config.yaml", "trial_0.json", "trial_0.jsonl", "trial_1.jsonl"}
    monkeypatch.setattr(os, "open", real)
    parts = filled.refresh()
    assert str(rows(parts, "performance")["period_start"][0]) == "2023-01-01 03:30:00"
    assert filled.is_as_built_from_nothing(parts)
