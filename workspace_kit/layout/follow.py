"""New files and new lines of a workspace, handed over as they appear and each once."""

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import translate
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import msgspec

from workspace_kit.errors import FileDamaged, NameInvalid
from workspace_kit.layout.reader import HEAD, WINDOW, opened, read_at, sha256_of
from workspace_kit.storage import RACY_NS

SLICE = 64 << 20
Identity = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class NewLines:
    """Whole lines that came to one file since its last batch.

    ``key`` is the file's path within the workspace, ``generation`` how often it has been rewritten, ``start``
    the offset of the first byte of ``data``, which ends with a newline.
    """

    path: Path
    key: str
    generation: int
    start: int
    data: bytes

    @property
    def name(self) -> str:
        """Name for what is made of it; in order of names, the outputs of a file are in order of its lines.

        After a crash the same lines, perhaps with more behind them, come again under the same name. Of
        outputs of several generations of a file only those of the last count.
        """
        return f"{self.key.replace('/', '.')}-{self.generation:04d}-{self.start:015d}"

    @property
    def lines(self) -> list[bytes]:
        """Its lines, without newlines."""
        return self.data.split(b"\n")[:-1]


class Seen(msgspec.Struct, frozen=True):
    """What was handed over of one file: its bytes up to ``offset``, and how to tell that they are the same.

    ``identity`` is inode, size and both times of change when all of it was seen, null where it has to be
    looked at again; ``digest`` is over the bytes before the offset, of lines only over the first and last.
    """

    identity: Identity | None
    inode: int
    offset: int
    digest: str
    generation: int


def matching(folder: Path, pattern: str) -> list[tuple[str, os.stat_result]]:
    """List the regular files below a folder whose path within it matches, by path, with their status.

    ``*``, ``?``, ``[…]`` and ``**`` mean what they mean in a shell: no name that begins with a dot matches.
    Links are not followed; a name that is no UTF-8 is left out, for no record could be kept of it.

    Raises
    ------
    NameInvalid
        The pattern is empty or leads out of the folder.
    """
    parts = PurePosixPath(pattern).parts
    if not parts or ".." in parts or pattern.startswith("/"):
        raise NameInvalid(
            "pattern",
            found=ascii(pattern),
            expected="a pattern of paths within the workspace, such as signals/*.jsonl",
            remedy="correct it",
        )
    found = dict(_below(str(folder), parts))
    return [(os.path.relpath(path, folder), found[path]) for path in sorted(found)]


def _below(folder: str, parts: tuple[str, ...]) -> Iterator[tuple[str, os.stat_result]]:
    head, rest = parts[0], parts[1:]
    if head == "**":
        yield from _below(folder, rest or ("*",))
    matches = re.compile(translate(head)).match
    for entry in _entries(folder):
        if entry.is_dir(follow_symlinks=False):
            if head == "**":
                yield from _below(entry.path, parts)
            elif rest and matches(entry.name):
                yield from _below(entry.path, rest)
        elif not rest and matches(entry.name) and (status := _regular(entry)):
            yield entry.path, status


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """What is in a folder, not hidden and named in UTF-8; nothing where it is closed, gone or yet to come."""
    try:
        with os.scandir(folder) as entries:
            return [each for each in entries if not each.name.startswith(".") and _is_text(each.name)]
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []


def _is_text(name: str) -> bool:
    return os.fsencode(name) == name.encode("utf-8", "replace")


def _regular(entry: os.DirEntry[str]) -> os.stat_result | None:
    try:
        status = entry.stat(follow_symlinks=False)
    except (FileNotFoundError, PermissionError):
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def identity_of(status: os.stat_result) -> Identity:
    """Return what tells a file from the same one at another time."""
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def new_file(
    path: Path, _key: str, seen: Seen | None, status: os.stat_result, *, again: bool, now_ns: int
) -> Iterator[tuple[Path | None, Seen]]:
    """Yield the file if its bytes are not those seen, or ``again``, and what is then known of it."""
    digest, identity = sha256_of(path), _settled(status, now_ns=now_ns)
    if seen and digest == seen.digest:
        yield path if again else None, msgspec.structs.replace(seen, identity=identity)
    else:
        generation = seen.generation + 1 if seen else 0
        yield path, Seen(identity, status.st_ino, status.st_size, digest, generation)


def new_lines(
    path: Path, key: str, seen: Seen | None, _status: os.stat_result, *, again: bool, now_ns: int
) -> Iterator[tuple[NewLines | None, Seen]]:
    """Yield the whole lines that came since, a slice at a time, each with what is then known of the file.

    With ``again`` there is a batch even where none came, which has no lines.

    A file of another inode, or whose seen bytes are gone or others, begins anew as its next generation, which
    is told first, by itself; where it has no whole line its batch is empty. A line without its newline waits.

    Raises
    ------
    FileDamaged
        A line is longer than a slice, or the disk refuses.
    """
    with opened(path) as (descriptor, _):
        status = os.fstat(descriptor)
        start, generation = (seen.offset, seen.generation) if seen else (0, 0)
        piece = _read_piece(descriptor, start, status.st_size)
        if seen and not _goes_on(seen, piece, status):
            start, generation = 0, generation + 1
            piece, again = _read_piece(descriptor, start, status.st_size), True
            yield None, Seen(None, status.st_ino, start, piece.digest(start), generation)
        if again and piece.end == start:
            known = Seen(None, status.st_ino, start, piece.digest(start), generation)
            yield NewLines(path, key, generation, start, b""), known
        while (end := piece.end) > start:
            batch = NewLines(path, key, generation, start, piece.between(start, end))
            yield batch, Seen(None, status.st_ino, end, piece.digest(end), generation)
            start = end
            piece = _read_piece(descriptor, start, status.st_size)
        if status.st_size - start >= SLICE:
            raise FileDamaged(
                str(path),
                found=f"a line longer than {SLICE} bytes",
                expected="lines that fit into memory",
                remedy="restore the file",
            )
        settled = _settled(status, now_ns=now_ns)
        yield None, Seen(settled, status.st_ino, start, piece.digest(start), generation)


class _Piece(NamedTuple):
    """Bytes of a file from ``base`` on: a window of those seen, then a slice of those that are new.

    All is read in one go, so that what is handed over and what is remembered of it are the same bytes.
    """

    head: bytes
    base: int
    start: int
    data: bytes

    @property
    def end(self) -> int:
        """Offset behind the last newline that is new, else where the new bytes begin."""
        newline = self.data.rfind(b"\n", self.start - self.base)
        return self.start if newline < 0 else self.base + newline + 1

    def between(self, start: int, end: int) -> bytes:
        return self.data[start - self.base : end - self.base]

    def digest(self, offset: int) -> str:
        """Digest of the first and the last bytes before an offset."""
        head = (self.head or self.data)[: min(HEAD, offset)]
        return hashlib.sha256(head + self.between(max(self.base, offset - WINDOW), offset)).hexdigest()


def _read_piece(descriptor: int, start: int, size: int) -> _Piece:
    base = max(0, start - WINDOW)
    data = read_at(descriptor, max(0, min(size, start + SLICE) - base), base)
    return _Piece(read_at(descriptor, HEAD, 0) if base else b"", base, start, data)


def _goes_on(seen: Seen, piece: _Piece, status: os.stat_result) -> bool:
    """Whether a file still begins with what was handed over; of one without, whatever is there is new."""
    is_there = status.st_ino == seen.inode and status.st_size >= seen.offset
    return not seen.offset or (is_there and piece.digest(seen.offset) == seen.digest)


def _settled(status: os.stat_result, *, now_ns: int) -> Identity | None:
    """Identity of a file, unless it is so young that it may change again without another time of change."""
    is_young = max(status.st_mtime_ns, status.st_ctime_ns) > now_ns - RACY_NS
    return None if is_young else identity_of(status)
