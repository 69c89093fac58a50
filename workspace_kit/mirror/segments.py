"""Signals as Parquet parts, written as they come, in few parts however many workspaces there are.

What is read later of a segment's files becomes a tail, so that a further line costs no more than the line.
A segment with too many tails, or with rows that no file has any more, is written anew from its own parts.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import polars as pl

from workspace_kit.mirror.manifest import PART_ROWS, Segment, part_bytes, write_part
from workspace_kit.schema import NO_ROWS, ORIGIN, TEXT, in_file_order, natural_order

MOST_TAILS = 32
MOST_SMALL = 32
SMALL_ROWS = PART_ROWS // 2
_STEM = "signals"
_FILE = ("workspace", "trial_id", ORIGIN)


class _Source(NamedTuple):
    """A part, and the files whose rows in it are no more."""

    name: str
    stale: Sequence[str]


class SignalParts:
    """The parts that hold signals, while rows are added to those of a mirror."""

    def __init__(self, folder: Path, segments: Iterable[Segment]) -> None:
        self._folder = folder
        self._segments = list(segments)
        self._home = {name: place for place, each in enumerate(self._segments) for name in each.workspaces}
        self._tails: defaultdict[int, list[str]] = defaultdict(list)
        self._waiting: defaultdict[int, list[pl.DataFrame]] = defaultdict(list)
        self._new = _Writer(folder)

    def add(self, rows: pl.DataFrame) -> None:
        """Add rows, which come in order of workspace, trial, path and line."""
        for name, some in _by_workspace(rows):
            home = self._home.get(name)
            if home is None:
                self._new.add(name, some)
            else:
                self._waiting[home].append(some)
        if sum(some.height for frames in self._waiting.values() for some in frames) >= PART_ROWS:
            self._write_tails()

    def finished(self, stale: pl.DataFrame) -> tuple[Segment, ...]:
        """Write what waits and return all segments; ``stale`` are workspace and path of files whose rows go.

        What was added stays, also of these files.
        """
        self._write_tails()
        kept, sources = self._new.finished(), list[_Source]()
        for place, segment in enumerate(self._segments):
            gone = stale.filter(pl.col("workspace").is_in(segment.workspaces))["path"].to_list()
            tails = (*segment.tails, *self._tails[place])
            if gone or len(tails) > MOST_TAILS:
                sources += [_Source(name, gone) for name in (*segment.parts, *segment.tails)]
                sources += [_Source(name, ()) for name in self._tails[place]]
            else:
                kept.append(Segment(segment.workspaces, segment.rows, segment.parts, tails))
        small = [each for each in kept if each.rows < SMALL_ROWS]
        if len(small) > MOST_SMALL:
            kept = [each for each in kept if each not in small]
            sources += [_Source(name, ()) for each in small for name in (*each.parts, *each.tails)]
        return tuple(sorted([*kept, *self._rewritten(sources)], key=lambda each: each.workspaces))

    def _write_tails(self) -> None:
        for place, frames in sorted(self._waiting.items()):
            self._tails[place].append(write_part(self._folder, _STEM, pl.concat(frames)))
        self._waiting.clear()

    def _rewritten(self, sources: Sequence[_Source]) -> list[Segment]:
        writer = _Writer(self._folder)
        for rows in _merged(self._folder, sources) if sources else ():
            for name, some in _by_workspace(rows):
                writer.add(name, some)
        return writer.finished()


class _Writer:
    """Rows in order become segments: small workspaces share one, a large one has several parts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._segments: list[Segment] = []
        self._waiting: dict[str, list[pl.DataFrame]] = {}
        self._parts: list[str] = []
        self._written = 0

    def add(self, workspace: str, rows: pl.DataFrame) -> None:
        if workspace not in self._waiting and (self._parts or self._height() >= SMALL_ROWS):
            self._close()
        self._waiting.setdefault(workspace, []).append(rows)
        if self._height() >= PART_ROWS and len(self._waiting) > 1:
            own = self._waiting.pop(workspace)
            self._close()
            self._waiting[workspace] = own
        while self._height() >= PART_ROWS:
            waiting = pl.concat(self._waiting[workspace])
            self._write(waiting.head(PART_ROWS))
            self._waiting[workspace] = [waiting.slice(PART_ROWS)]

    def finished(self) -> list[Segment]:
        self._close()
        return self._segments

    def _close(self) -> None:
        if not self._waiting:
            return
        if self._height():
            self._write(pl.concat([rows for frames in self._waiting.values() for rows in frames]))
        self._segments.append(Segment(tuple(self._waiting), self._written, tuple(self._parts), ()))
        self._waiting, self._parts, self._written = {}, [], 0

    def _write(self, rows: pl.DataFrame) -> None:
        self._parts.append(write_part(self._folder, _STEM, rows))
        self._written += rows.height

    def _height(self) -> int:
        return sum(rows.height for frames in self._waiting.values() for rows in frames)


def _by_workspace(rows: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """Part rows, which come by workspace, without a copy."""
    start = 0
    for length, name in rows["workspace"].rle().struct.unnest().iter_rows():
        yield name, rows.slice(start, length)
        start += length


def _merged(folder: Path, sources: Sequence[_Source]) -> Iterator[pl.DataFrame]:
    """Return the rows of parts in order of workspace, trial, path and line, few at a time."""
    scans = [
        pl.scan_parquet(BytesIO(part_bytes(folder, each.name)))
        .with_columns(pl.col(_FILE).cast(TEXT))
        .filter(~pl.col(ORIGIN).is_in(each.stale))
        for each in sources
    ]
    counts = pl.concat([scan.group_by(_FILE).len() for scan in scans])
    files = counts.group_by(_FILE).agg(pl.col("len").sum()).collect()
    number = ((pl.col("len").cum_sum() - pl.col("len")) // PART_ROWS).alias("number")
    ordered = files.sort("workspace", *natural_order("trial_id"), ORIGIN).with_columns(number)
    for some in ordered.partition_by("number", maintain_order=True):
        wanted = pl.col(ORIGIN).is_in(some[ORIGIN].to_list())
        rows = in_file_order(pl.concat([scan.filter(wanted) for scan in scans]).collect())
        yield rows.cast(NO_ROWS["signals"].schema)
