"""The one door to the disk: every call that changes it stands here, and nowhere else.

A final path never holds half a document: bytes go to a hidden file in the same folder, then take its
place in one step. A record is committed by its newline. Nothing here knows what a file means.

`watch_operations` lets tests see, refuse or kill any single operation.
"""

import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from workspace_kit.errors import StorageError

T = TypeVar("T")
Watcher = Callable[[str, Path], None]
MAX_RECORD = 16 << 20
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
    temporary = _write_beside(path, data, sync=sync)
    try:
        _operate("replace", path, lambda: temporary.replace(path))
    except StorageError:
        _forget(temporary)
        raise
    if sync:
        sync_folder(path.parent)


def create(path: Path, data: bytes, *, sync: bool) -> None:
    """Put a whole document at ``path`` where nothing may be yet.

    Raises
    ------
    StorageError
        Something is there already; it stays as it was.
    """
    temporary = _write_beside(path, data, sync=sync)
    try:
        _operate("link", path, lambda: os.link(temporary, path))
    finally:
        _forget(temporary)
    if sync:
        sync_folder(path.parent)


def append(path: Path, records: bytes, *, sync: bool) -> None:
    """Add whole records, each ending in a newline, behind those already committed.

    Threads and processes of one machine may append to the same file at once: a lock on the file orders
    them, and the kernel lets go of it when its holder dies. After a torn record the next batch begins on
    a line of its own.
    """
    if not records.endswith(b"\n"):
        raise StorageError(
            str(path), found="a record without a newline", expected="whole lines", remedy="end it with \\n"
        )
    descriptor = _operate("open", path, lambda: _open_locked(path))
    try:
        if _is_torn(descriptor):
            records = b"\n" + records
        _write_all(descriptor, path, records)
        if sync:
            _operate("fsync", path, lambda: os.fsync(descriptor))
    finally:
        os.close(descriptor)


def rename(source: Path, target: Path) -> None:
    """Give a file or folder another name on the same file system."""
    _operate("rename", target, lambda: source.rename(target))


def remove(path: Path) -> None:
    """Remove a file."""
    _operate("unlink", path, path.unlink)


def sync_file(path: Path) -> None:
    """Bring a file's bytes to the device."""
    _sync(path, os.O_RDONLY)


def sync_folder(path: Path) -> None:
    """Bring a folder's names to the device."""
    _sync(path, os.O_RDONLY | os.O_DIRECTORY)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file at ``path`` alone; the kernel lets go of it when its holder dies."""
    descriptor = _operate("open", path, lambda: os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666))
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _operate(operation: str, path: Path, call: Callable[[], T]) -> T:
    """Carry out one change of the disk, or say which one was refused where."""
    for watcher in _watchers:
        watcher(operation, path)
    try:
        return call()
    except OSError as error:
        raise StorageError(
            str(path),
            found=f"{operation} refused: {error.strerror or error}",
            expected=f"{operation} to succeed",
            remedy="free space or correct permissions, then repeat",
        ) from error


def _write_beside(path: Path, data: bytes, *, sync: bool) -> Path:
    temporary = path.parent / f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}{TEMPORARY_SUFFIX}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    descriptor = _operate("open", temporary, lambda: os.open(temporary, flags, 0o666))
    try:
        try:
            _write_all(descriptor, temporary, data)
            if sync:
                _operate("fsync", temporary, lambda: os.fsync(descriptor))
        finally:
            os.close(descriptor)
    except BaseException:
        _forget(temporary)
        raise
    return temporary


def _write_all(descriptor: int, path: Path, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[_operate("write", path, partial(os.write, descriptor, view)) :]


def _open_locked(path: Path) -> int:
    """Open for appending under the file's own lock; another file may have taken the name meanwhile."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            if os.path.samestat(os.fstat(descriptor), path.stat(follow_symlinks=False)):
                return descriptor
        except FileNotFoundError:
            pass
        os.close(descriptor)


def _is_torn(descriptor: int) -> bool:
    size = os.fstat(descriptor).st_size
    return size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        _operate("fsync", path, lambda: os.fsync(descriptor))
    finally:
        os.close(descriptor)


def _forget(temporary: Path) -> None:
    with suppress(FileNotFoundError):
        temporary.unlink()
