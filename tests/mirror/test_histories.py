"""Whatever happened to the files, the mirror is what reading them from nothing gives."""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from workspace_kit.layout import batches
from workspace_kit.layout.batches import read_batches
from workspace_kit.layout.inventory import inventory, workspaces
from workspace_kit.mirror import Parts, refresh, segments
from workspace_kit.mirror.manifest import STORED
from workspace_kit.schema import Batch, in_file_order

DAY_NS = 86_400 * 10**9


def signal(number: int, symbol: str = "A", offset: str = "", **more: object) -> bytes:
    content = {"timestamp": f"2023-01-01T09:{number % 60:02d}:00{offset}", "symbol": symbol, "action": "BUY"}
    return json.dumps({**content, "strength": 1, "strategy": "m", **more}).encode() + b"\n"


LINES = (
    signal(0),
    signal(1, "B") * 3,
    signal(2, offset="Z"),
    signal(3, note="further"),
    b"damaged\n",
    b"\n",
    signal(4).replace(b"\n", b"\r\n"),
    b'{"timestamp": "2023-01-02", "symbol": "C", "action": "SELL", "strength": 0.5, "strategy": "m"}\n',
    signal(5, "G").rstrip() + signal(6, "G"),
    signal(7, "Ü"),
    signal(8) + signal(9)[:20],
    signal(9)[20:],
    b"\xef\xbb\xbf" + signal(10),
)


class Root:
    """A results root, refreshed as a user would; ``parsed`` are the bytes of each file last parsed."""

    def __init__(self, path: Path) -> None:
        self.path = path / "results"
        self.path.mkdir()
        self.parsed: dict[str, int] = {}

    def file(self, name: str, number: int) -> Path:
        path = self.path / name / "signals" / f"trial_{number}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def refresh(self, folder: str = ".workspace_kit", *names: str, is_young: bool = False) -> Parts:
        self.parsed = {}
        return refresh(
            lambda: inventory([each for each in workspaces(self.path) if not names or each.id in names]),
            folder=self.path / folder,
            workspaces=names or None,
            read=self._read,
            now_ns=time.time_ns() + (0 if is_young else DAY_NS),
            progress=lambda done, total: None,
        )

    def _read(self, files: pl.DataFrame) -> Iterator[Batch]:
        for batch in read_batches(files):
            lined = batch.read.filter(pl.col("read_to").is_not_null())
            for path, size, begun_at in lined.select("path", "size", "begun_at").iter_rows():
                self.parsed["/".join(Path(path).parts[-3:])] = size - begun_at
            yield batch

    def check(self, parts: Parts) -> None:
        shutil.rmtree(self.path / ".cold", ignore_errors=True)
        cold = self.refresh(".cold")
        for table in STORED:
            assert_frame_equal(rows(parts, table), rows(cold, table))


def rows(parts: Parts, table: str) -> pl.DataFrame:
    found = pl.concat([pl.read_parquet(path.read_bytes()) for path in parts.paths(table)])
    found = found.cast({pl.Categorical: pl.String})
    return in_file_order(found) if table == "signals" else found


def appended(root: Root, name: str, number: int, line: int) -> None:
    with root.file(name, number).open("ab") as file:
        file.write(LINES[line])


def replaced(root: Root, name: str, number: int, line: int) -> None:
    path = root.file(name, number)
    new = path.with_name("new")
    new.write_bytes(signal(11) + LINES[line])
    new.replace(path)


def rewritten(root: Root, name: str, number: int, line: int) -> None:
    """Make an older file longer and another one, without giving it another inode."""
    path = root.file(name, number)
    path.write_bytes(signal(12, "R") + LINES[line] + (path.read_bytes() if path.exists() else b""))


def edited(root: Root, name: str, number: int, line: int) -> None:
    path = root.file(name, number)
    if path.exists():
        before = path.stat()
        path.write_bytes(path.read_bytes().replace(b'"A"', b'"E"').replace(b'"B"', b'"A"'))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def cut(root: Root, name: str, number: int, line: int) -> None:
    path = root.file(name, number)
    if path.exists():
        os.truncate(path, path.stat().st_size // 2)


def deleted(root: Root, name: str, number: int, line: int) -> None:
    root.file(name, number).unlink(missing_ok=True)


def configured(root: Root, name: str, number: int, line: int) -> None:
    path = root.path / name / "metadata" / "config.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"data: {timezone: %s}\n" % (b"UTC", b"Asia/Kolkata", b"America/New_York")[number])


def documented(root: Root, name: str, number: int, line: int) -> None:
    path = root.path / name / "performance" / f"trial_{number}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(json.dumps({"parameters": {"n": line}, "metrics": {"cagr": line}}).encode())


def workspace_deleted(root: Root, name: str, number: int, line: int) -> None:
    shutil.rmtree(root.path / name, ignore_errors=True)


CHANGES: tuple[Callable[[Root, str, int, int], None], ...] = (
    *[appended] * 6,
    *(replaced, rewritten, edited, cut, deleted, configured, documented, workspace_deleted),
)
names = st.sampled_from(["w1", "w2"])
change = st.tuples(st.sampled_from(CHANGES), names, st.integers(0, 1), st.integers(0, len(LINES) - 1))
step = st.tuples(st.lists(change, min_size=2, max_size=5), st.none() | names, st.booleans())


@contextmanager
def small_limits() -> Iterator[None]:
    """Let slices, parts, tails and segments come to their limits within a few lines."""
    with pytest.MonkeyPatch.context() as patch:
        for module, name, value in (
            *((batches, "SLICE", 150), (batches, "MOST_FILES", 2)),
            *((segments, "PART_ROWS", 4), (segments, "SMALL_ROWS", 2)),
            *((segments, "MOST_TAILS", 2), (segments, "MOST_SMALL", 2)),
        ):
            patch.setattr(module, name, value)
        yield


@settings(deadline=None, max_examples=25)
@given(st.lists(step, min_size=3, max_size=6), st.booleans())
def test_after_any_history_the_mirror_is_as_built_from_nothing(
    tmp_path_factory: pytest.TempPathFactory, steps: list, is_small: bool
) -> None:
    root = Root(tmp_path_factory.mktemp("root"))
    for changes, name, is_young in steps:
        for change, where, number, line in changes:
            change(root, where, number, line)
        time.sleep(0.005)  # an edit in the same tick of the clock as the last is what `is_young` is for
        if is_small:
            with small_limits():
                root.refresh(".workspace_kit", *([name] if name else []), is_young=is_young)
        else:
            root.refresh(".workspace_kit", *([name] if name else []), is_young=is_young)
    root.check(root.refresh())


# What a refresh costs is counted in bytes parsed and files opened, not in time.


@contextmanager
def files_opened(root: Root) -> Iterator[list[str]]:
    opened: list[str] = []
    real = os.open

    def counting(path: str, flags: int, *more: object, **choices: object) -> int:
        if "/signals/" in str(path) or "/performance/" in str(path):
            opened.append("/".join(Path(path).parts[-3:]))
        return real(path, flags, *more, **choices)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", counting)
        yield opened


@pytest.fixture
def filled(tmp_path: Path) -> Root:
    root = Root(tmp_path)
    for name in ("w1", "w2", "w3"):
        for number in range(20):
            root.file(name, number).write_bytes(signal(number) * (number + 1))
            documented(root, name, number, 0)
    root.refresh()
    return root


def test_where_nothing_changed_no_file_is_opened(filled: Root) -> None:
    with files_opened(filled) as opened:
        filled.refresh()
    assert opened == []


def test_of_files_that_grew_the_new_bytes_alone_are_parsed_and_no_other_is_opened(
    filled: Root,
) -> None:
    grown = [(name, number) for name in ("w1", "w3") for number in range(0, 20, 2)]
    for name, number in grown:
        appended(filled, name, number, 0)
    with files_opened(filled) as opened:
        parts = filled.refresh()
    names = [f"{name}/signals/trial_{number}.jsonl" for name, number in grown]
    assert sorted(opened) == sorted(names)
    assert filled.parsed == dict.fromkeys(names, len(LINES[0]))
    assert [len(each.tails) for each in parts.signals] == [1]
    filled.check(parts)


def test_a_replaced_file_is_parsed_whole_and_no_other_one_is_opened(filled: Root) -> None:
    replaced(filled, "w2", 3, 1)
    with files_opened(filled) as opened:
        filled.refresh()
    assert set(opened) == {"w2/signals/trial_3.jsonl"}
    assert filled.parsed == {"w2/signals/trial_3.jsonl": len(signal(11) + LINES[1])}


def test_a_file_of_the_same_bytes_is_not_parsed_again_once_its_time_can_be_trusted(tmp_path: Path) -> None:
    root = Root(tmp_path)
    appended(root, "w1", 0, 1)
    for is_young, parsed in ((True, len(LINES[1])), (True, 0), (False, 0), (False, None)):
        parts = root.refresh(is_young=is_young)
        assert root.parsed.get("w1/signals/trial_0.jsonl") == parsed
    assert [len(each.parts) for each in parts.signals] == [1]


def test_an_edit_of_equal_size_within_the_tick_that_was_read_is_seen(tmp_path: Path, monkeypatch) -> None:
    root = Root(tmp_path)
    path = root.file("w1", 0)
    path.write_bytes(signal(1, "A") * 5000)
    listed = inventory(workspaces(root.path))
    root.refresh(is_young=True)
    path.write_bytes(signal(1, "A") * 2500 + signal(1, "B") + signal(1, "A") * 2499)
    told = {"workspaces": None, "read": read_batches, "progress": lambda done, total: None}
    # The inventory of before stands for a clock that has not ticked since.
    parts = refresh(
        lambda: listed, folder=root.path / ".workspace_kit", now_ns=time.time_ns() + DAY_NS, **told
    )
    assert rows(parts, "signals")["symbol"].to_list().count("B") == 1


def test_what_is_told_of_a_whole_file_is_told_once_however_often_it_is_read_on(tmp_path: Path) -> None:
    root = Root(tmp_path)
    for _ in range(3):
        appended(root, "w1", 0, 6)
        parts = root.refresh()
    assert rows(parts, "faults")["reason"].to_list() == ["lines end in CRLF, read as LF"]
    assert rows(parts, "signals").height == 3


def test_a_torn_record_is_a_fault_until_it_is_whole(tmp_path: Path) -> None:
    root = Root(tmp_path)
    appended(root, "w1", 0, 10)
    assert rows(root.refresh(), "faults")["reason"].to_list() == ["no newline at the end"]
    appended(root, "w1", 0, 11)
    parts = root.refresh()
    assert rows(parts, "faults").height == 0
    assert rows(parts, "signals")["line"].to_list() == [1, 2]


def test_tails_are_put_together_with_the_rest_when_there_are_too_many(tmp_path: Path) -> None:
    root = Root(tmp_path)
    appended(root, "w1", 0, 0)
    tails = []
    for _ in range(segments.MOST_TAILS + 3):
        (segment,) = root.refresh().signals
        tails.append(len(segment.tails))
        appended(root, "w1", 0, 0)
    assert tails == [*range(segments.MOST_TAILS + 1), 0, 1]


def test_small_workspaces_share_a_part_and_newcomers_join_them_when_they_are_many(tmp_path: Path) -> None:
    root = Root(tmp_path)
    for number in range(10):
        appended(root, f"a{number}", 0, 0)
    assert [len(each.workspaces) for each in root.refresh().signals] == [10]
    for number in range(segments.MOST_SMALL):
        appended(root, f"b{number}", 0, 0)
        parts = root.refresh()
    assert [len(each.workspaces) for each in parts.signals] == [10 + segments.MOST_SMALL]
    root.check(parts)
