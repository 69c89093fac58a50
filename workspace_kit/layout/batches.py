"""Many files to rows and faults, batch by batch in bounded memory; of a grown file only what is new."""

import hashlib
import zlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import polars as pl

from workspace_kit.errors import WorkspaceKitError
from workspace_kit.layout import names
from workspace_kit.layout.reader import (
    HEAD,
    SIGNAL_KINDS,
    WINDOW,
    may_pass,
    opened,
    read_at,
    read_rows,
    zone_of,
)
from workspace_kit.layout.signals import Piece, Place, read_pieces
from workspace_kit.layout.zones import UTC, Zone
from workspace_kit.schema import BOOKMARK, NO_ROWS, ORIGIN, READ, TEXT, Batch, natural_order

SLICE = 16 << 20
MOST_FILES = 4096
MOST_DOCUMENTS = 512
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class _Bookmark:
    """One row of `schema.BOOKMARK` behind its path."""

    size: int
    read_to: int
    lines: int
    form: str | None
    timezone: str
    close_time: str
    digest: str
    checksum: int

    @property
    def place(self) -> Place:
        return Place(self.read_to, self.lines, self.form)


class _Signals(NamedTuple):
    """One signal file, and what an earlier reading left of it."""

    workspace: str
    trial_id: str
    path: str
    bookmark: _Bookmark | None


class _End(NamedTuple):
    """What a file amounts to where it was read to its end."""

    size: int
    digest: str
    checksum: int
    begun_at: int


class _Slice(NamedTuple):
    """A piece of a file, and the file's end where this is its last one."""

    piece: Piece
    end: _End | None


def read_batches(files: pl.DataFrame) -> Iterator[Batch]:
    """Read files: columns of `schema.INVENTORY`, and of `schema.BOOKMARK` where they were read before.

    A signal file that still begins with what was read of it is read from there on: one that grew by the
    digest of its first 4 KiB and of the 64 KiB before the mark, one of the same size by the checksum of all.
    Signals come in order of workspace, trial as people count, path and line. What could not be read is in
    the table ``faults``; no file stops another.
    """
    is_signals = pl.col("kind").is_in(SIGNAL_KINDS)
    documents = files.filter(~is_signals)
    for start in range(0, documents.height, MOST_DOCUMENTS):
        some = documents.slice(start, MOST_DOCUMENTS)
        unread = set[str]()
        tables = {**read_rows(some, unread=unread.add), "signals": NO_ROWS["signals"]}
        yield Batch(tables, _unmarked(some["path"], unread))
    yield from _signal_batches(_in_order(files.filter(is_signals)))


def _in_order(files: pl.DataFrame) -> Iterator[_Signals]:
    trials = pl.Series("trial_id", [names.trial_id(key) for key in files["key"]], TEXT)
    rows = files.with_columns(trials).sort("workspace", *natural_order("trial_id"), "path")
    for workspace, trial_id, path, *mark in rows.select("workspace", "trial_id", *BOOKMARK.names).iter_rows():
        yield _Signals(workspace, trial_id, path, None if mark[0] is None else _Bookmark(*mark))


class _Waiting:
    """Slices of one calendar that are to be parsed together, and how far the file of the last one is read."""

    def __init__(self) -> None:
        self.zone, self.place = UTC, Place()
        self._slices: list[_Slice] = []
        self._bytes = 0

    def add(self, file: _Signals, data: bytes, end: _End | None) -> None:
        piece = Piece(file.workspace, file.trial_id, file.path, data, self.place)
        self._slices.append(_Slice(piece, end))
        self._bytes += len(data)

    def is_enough(self) -> bool:
        return len(self._slices) >= MOST_FILES or self._bytes >= SLICE

    def parsed(self) -> Iterator[Batch]:
        if not self._slices:
            return
        rows, faults, places = read_pieces([each.piece for each in self._slices], zone=self.zone)
        marks = [
            (
                each.piece.path,
                each.end.size,
                *place,
                self.zone.timezone,
                self.zone.close_time,
                *each.end[1:],
                False,
            )
            for each, place in zip(self._slices, places, strict=True)
            if each.end
        ]
        self._slices, self._bytes, self.place = [], 0, places[-1]
        yield Batch(
            {**NO_ROWS, "signals": rows, "faults": faults},
            pl.DataFrame(marks, schema=READ.types, orient="row"),
        )


def _signal_batches(files: Iterator[_Signals]) -> Iterator[Batch]:
    zones: dict[str, Zone] = {}
    waiting = _Waiting()
    for file in files:
        try:
            with opened(file.path) as (descriptor, size):
                mark = file.bookmark if file.bookmark and _stands(descriptor, size, file.bookmark) else None
                zone = Zone(mark.timezone, mark.close_time) if mark else _zone(file.path, zones)
                if zone != waiting.zone:
                    yield from waiting.parsed()
                waiting.zone, waiting.place = zone, mark.place if mark else Place()
                for data, end in _slices(descriptor, size, mark):
                    waiting.add(file, data, end)
                    if end is None or waiting.is_enough():
                        yield from waiting.parsed()
        except WorkspaceKitError as error:
            yield _unread(file, error)
    yield from waiting.parsed()


def _zone(path: str, zones: dict[str, Zone]) -> Zone:
    workspace = path.rsplit("/", 2)[0]
    if workspace not in zones:
        zones[workspace] = zone_of(Path(workspace))
    return zones[workspace]


def _stands(descriptor: int, size: int, mark: _Bookmark) -> bool:
    """Whether a file still begins with what was read of it."""
    if size == mark.size:
        return _checksum(descriptor, mark.read_to) == mark.checksum
    return size > mark.size and _digest(descriptor, mark.read_to) == mark.digest


def _checksum(descriptor: int, length: int) -> int:
    checksum, position = 0, 0
    while position < length and (data := read_at(descriptor, min(_BLOCK, length - position), position)):
        checksum = zlib.crc32(data, checksum)
        position += len(data)
    return checksum


def _digest(descriptor: int, read_to: int) -> str:
    last = max(0, read_to - WINDOW)
    digest = hashlib.sha256(read_at(descriptor, min(HEAD, read_to), 0))
    digest.update(read_at(descriptor, read_to - last, last))
    return digest.hexdigest()


def _slices(descriptor: int, size: int, mark: _Bookmark | None) -> Iterator[tuple[bytes, _End | None]]:
    """Return a file's bytes behind its mark in slices of whole lines; the last one with all there is."""
    begun_at, checksum = (mark.read_to, mark.checksum) if mark else (0, 0)
    position, is_last = begun_at, False
    while not is_last:
        data, is_last = _next(descriptor, position, size)
        whole = data.rfind(b"\n") + 1
        checksum = zlib.crc32(memoryview(data)[:whole], checksum)
        position += whole
        if is_last:
            yield data, _End(size, _digest(descriptor, position), checksum, begun_at)
        else:
            yield data[:whole], None


def _next(descriptor: int, position: int, size: int) -> tuple[bytes, bool]:
    """Return bytes with a newline among them, and whether they are the last."""
    length = SLICE
    while True:
        wanted = min(length, size - position)
        data = read_at(descriptor, wanted, position)
        is_last = len(data) < wanted or position + wanted == size
        if is_last or b"\n" in data:
            return data, is_last
        length *= 2


def _unread(file: _Signals, error: WorkspaceKitError) -> Batch:
    fault = {"workspace": file.workspace, "path": file.path, "reason": error.found, ORIGIN: file.path}
    faults = pl.DataFrame([{**fault, "excerpt": ""}], schema=NO_ROWS["faults"].schema)
    return Batch(
        {**NO_ROWS, "faults": faults}, _unmarked([file.path], [file.path] if may_pass(error) else ())
    )


def _unmarked(paths: Iterable[str], unread: Collection[str]) -> pl.DataFrame:
    """Return the rows of files without a bookmark."""
    rows = [{"path": path, "begun_at": 0, "is_unread": path in unread} for path in paths]
    return pl.DataFrame(rows, schema=READ.types)
