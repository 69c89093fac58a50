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
            inventory([each for each in workspaces(self.path) if not names or each.id in names]),
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
    return in_file_order(found) if table == "signals" else found


def appended(root: Root, name: str, number: int, line: int) -> None:
    with root.file(name, number).open("ab") as file:
        file.write(LINES[line])


def replaced(root: Root, name: str, number: int, line: int) -> None:
    path = root.file(name, number)
    new = path.with_name("new")
    new.write_bytes(signal(11) + LINES[line])
    new.replace(path)


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
    *(replaced, edited, cut, deleted, configured, documented, workspace_deleted),
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


@settings(deadline=None, max_examples=50)
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
