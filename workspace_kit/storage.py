"""The one door to the disk: every call that changes it stands here, and nowhere else.

A final path never holds half a document: bytes go to a hidden file in the same folder, then take its
place in one step. A record is committed by its newline. Nothing here knows what a file means.

`watch_operations` lets tests see, refuse or kill any single operation.
"""

import errno
import fcntl
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from workspace_kit.errors import StorageError

T = TypeVar("T")
Watcher = Callable[[str, Path], None]
TEMPORARY_SUFFIX = ".tmp"

_watchers: list[Watcher] = []


@contextmanager
def watch_operations(watcher: Watcher) -> Iterator[None]:
    """Call ``watcher(operation, path)`` before each change of the disk; what it raises stops the change."""
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)


def make_folder(path: Path) -> None:
    """Make a folder and those above it; one that exists is fine."""
    _operate("mkdir", path, lambda: path.mkdir(parents=True, exist_ok=True))


def replace(path: Path, data: bytes, *, sync: bool) -> None:
    """Put a whole document at ``path``: readers see the old bytes or the new ones, never a mixture.

    With ``sync`` the bytes and the name are on the device before this returns.
    """
    with _written_beside(path, data, sync=sync) as temporary:
        _operate("replace", path, lambda: temporary.replace(path))
    if sync:
        sync_folder(path.parent)


def create(path: Path, data: bytes, *, sync: bool) -> None:
    """Put a whole document at ``path`` where nothing may be yet.

    Raises
    ------
    StorageError
        Something is there already; it stays as it was.
    """
    with _written_beside(path, data, sync=sync) as temporary:
        _operate("link", path, lambda: os.link(temporary, path))
    if sync:
        sync_folder(path.parent)


def append(path: Path, records: bytes, *, sync: bool) -> None:
    """Add whole records, each ending in a newline, behind those already committed.

    Threads and processes of one machine may append to the same file at once: a lock on the file orders
    them, and the kernel lets go of it when its holder dies. After a torn record the next batch begins on
    a line of its own.

    Raises
    ------
    StorageError
        It says how many of the records are committed; a half-written one is not.
    """
    if not records.endswith(b"\n"):
        raise StorageError(
            str(path), found="a record without a newline", expected="whole lines", remedy="end it with \\n"
        )
    with _opened(path, lambda: _open_locked(path)) as descriptor:
        size = os.fstat(descriptor).st_size
        start = b"\n" if size and os.pread(descriptor, 1, size - 1) != b"\n" else b""
        try:
            _write_all(descriptor, path, start + records)
        except StorageError as error:
            written = os.fstat(descriptor).st_size - size - len(start)
            committed, all_of_them = records[: max(written, 0)].count(b"\n"), records.count(b"\n")
            error.found += f"; {committed} of {all_of_them} records are committed"
            raise
        if sync:
            _operate("fsync", path, lambda: os.fsync(descriptor))
    if sync and not size:
        sync_folder(path.parent)


def rename(source: Path, target: Path) -> None:
    """Give a file or folder another name on the same file system."""
    _operate("rename", target, lambda: source.rename(target))


def remove(path: Path) -> None:
    """Remove a file."""
    _operate("unlink", path, path.unlink)


def touch(path: Path, *, at_ns: int) -> None:
    """Date a file's last change, in nanoseconds since 1970."""
    _operate("utime", path, lambda: os.utime(path, ns=(at_ns, at_ns)))


def sync_file(path: Path) -> None:
    """Bring a file's bytes to the device."""
    _sync(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)


def sync_folder(path: Path) -> None:
    """Bring a folder's names to the device."""
    _sync(path, os.O_RDONLY | os.O_DIRECTORY)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file at ``path`` alone; the kernel lets go of it when its holder dies."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
    with _opened(path, lambda: os.open(path, flags, 0o666)) as descriptor:
        with _refusals("flock", path):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


def _operate(operation: str, path: Path, call: Callable[[], T]) -> T:
    """Carry out one change of the disk, or say which one was refused where."""
    for watcher in _watchers:
        watcher(operation, path)
    with _refusals(operation, path):
        return call()


@contextmanager
def _refusals(operation: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        is_taken = isinstance(error, FileExistsError)
        raise StorageError(
            str(path),
            found=f"{operation} refused: {error.strerror or error}",
            expected=f"{operation} to succeed",
            remedy="choose another name" if is_taken else "free space or correct permissions, then repeat",
        ) from error


@contextmanager
def _opened(path: Path, open_it: Callable[[], int]) -> Iterator[int]:
    descriptor = _operate("open", path, open_it)
    try:
        yield descriptor
    finally:
        with _refusals("close", path):
            os.close(descriptor)


@contextmanager
def _written_beside(path: Path, data: bytes, *, sync: bool) -> Iterator[Path]:
    """Whole bytes in a hidden file of the same folder; whatever happens, that file is gone afterwards."""
    temporary = path.parent / f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}{TEMPORARY_SUFFIX}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    try:
        with _opened(temporary, lambda: os.open(temporary, flags, 0o666)) as descriptor:
            _write_all(descriptor, temporary, data)
            if sync:
                _operate("fsync", temporary, lambda: os.fsync(descriptor))
        yield temporary
    finally:
        with suppress(OSError):
            temporary.unlink()


def _write_all(descriptor: int, path: Path, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[_operate("write", path, partial(os.write, descriptor, view)) :]


def _open_locked(path: Path) -> int:
    """Open for appending under the file's own lock."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _lies_at(path, os.fstat(descriptor)):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _lies_at(path: Path, held: os.stat_result) -> bool:
    """Whether the name still means this file; another may have taken it while the lock was waited for."""
    if not stat.S_ISREG(held.st_mode):
        raise OSError(errno.EINVAL, "not a regular file")
    try:
        return os.path.samestat(held, path.stat(follow_symlinks=False))
    except FileNotFoundError:
        return False


def _sync(path: Path, flags: int) -> None:
    with _opened(path, lambda: os.open(path, flags)) as descriptor:
        _operate("fsync", path, lambda: os.fsync(descriptor))
