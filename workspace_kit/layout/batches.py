"""Many files to rows and faults, batch by batch in bounded memory; of a grown file only what is new."""

import hashlib
import zlib
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
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
MOST_AT_ONCE = 4
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


class _Parsed(NamedTuple):
    """What slices gave, and the form of times in the file of the last one."""

    batch: Batch
    form: str | None


class _Slice(NamedTuple):
    """Whole lines of a file behind a place, and its end where they reach it.

    Where the form of its times is not known yet, ``before`` are the parsings that will tell it, in order.
    """

    file: _Signals
    data: bytes
    after: Place
    before: Sequence[Future[_Parsed]]
    end: _End | None

    def place(self) -> Place:
        """Return the place with the form of times as far as the file tells it up to there."""
        forms = (each.result().form for each in self.before)
        return self.after._replace(form=self.after.form or next(filter(None, forms), None))


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


class _Parsing:
    """Slices that wait to be parsed together, and those being parsed, a few at once."""

    def __init__(self, pool: Executor) -> None:
        self._pool = pool
        self._zone = UTC
        self._slices: list[_Slice] = []
        self._bytes = 0
        self._begun = deque[Future[_Parsed]]()

    @property
    def last(self) -> Future[_Parsed]:
        """The parsing begun last."""
        return self._begun[-1]

    def add(self, some: _Slice, zone: Zone) -> Iterator[Batch]:
        """Let a slice wait for more, unless they are enough; returns what has to make room."""
        if zone != self._zone:
            self._begin()
        self._zone = zone
        self._slices.append(some)
        self._bytes += len(some.data)
        if some.end is None or len(self._slices) >= MOST_FILES or self._bytes >= SLICE:
            self._begin()
        while len(self._begun) > _at_once():
            yield self._begun.popleft().result().batch

    def finished(self) -> Iterator[Batch]:
        """Return the rest."""
        self._begin()
        while self._begun:
            yield self._begun.popleft().result().batch

    def _begin(self) -> None:
        if self._slices:
            self._begun.append(self._pool.submit(_parsed, self._slices, self._zone))
            self._slices, self._bytes = [], 0


def _parsed(slices: Sequence[_Slice], zone: Zone) -> _Parsed:
    """Parse slices of one calendar."""
    pieces = [
        Piece(some.file.workspace, some.file.trial_id, some.file.path, some.data, some.place())
        for some in slices
    ]
    rows, faults, places = read_pieces(pieces, zone=zone)
    marks = [
        (some.file.path, some.end.size, *place, zone.timezone, zone.close_time, *some.end[1:], False)
        for some, place in zip(slices, places, strict=True)
        if some.end
    ]
    tables = {**NO_ROWS, "signals": rows, "faults": faults}
    return _Parsed(Batch(tables, pl.DataFrame(marks, schema=READ.types, orient="row")), places[-1].form)


def _at_once() -> int:
    """How many groups of slices are parsed at once: memory has to hold one more."""
    return min(pl.thread_pool_size(), MOST_AT_ONCE)


def _signal_batches(files: Iterator[_Signals]) -> Iterator[Batch]:
    """Parse on several threads, for the reader of JSON lines keeps but one of Polars' at work."""
    zones: dict[str, Zone] = {}
    with ThreadPoolExecutor(_at_once()) as pool:
        parsing = _Parsing(pool)
        for file in files:
            try:
                yield from _read(file, parsing, zones)
            except WorkspaceKitError as error:
                yield _unread(file, error)
        yield from parsing.finished()


def _read(file: _Signals, parsing: _Parsing, zones: dict[str, Zone]) -> Iterator[Batch]:
    with opened(file.path) as (descriptor, size):
        mark = file.bookmark if file.bookmark and _stands(descriptor, size, file.bookmark) else None
        zone = Zone(mark.timezone, mark.close_time) if mark else _zone(file.path, zones)
        after, before = mark.place if mark else Place(), list[Future[_Parsed]]()
        for data, end in _slices(descriptor, size, mark):
            yield from parsing.add(_Slice(file, data, after, tuple(before), end), zone)
            if end is None:
                before.append(parsing.last)
                form = after.form
                while before and (form or before[0].done()):
                    form = form or before[0].result().form
                    before.pop(0)
                after = Place(after.byte + len(data), after.line + data.count(b"\n"), form)


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
