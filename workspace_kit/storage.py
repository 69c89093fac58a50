"""The one door to the disk: every call that changes it stands here, and nowhere else.

A final path never holds half a document: bytes go to a hidden file in the same folder, then take its
place in one step. A record is committed by its newline. Nothing here knows what a file means.

`watch_operations` lets tests see, refuse or kill any single operation.
"""

import errno
import fcntl
import os
import re
import secrets
import stat
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

from workspace_kit.errors import StorageError

P = ParamSpec("P")
T = TypeVar("T")
Watcher = Callable[[str, Path], None]
TEMPORARY_SUFFIX = ".tmp"
MOST_KEPT = 128
# Writing one file takes far less; a process number seen from another machine is no proof of death.
LEFT_OVER_SECONDS = 60
# A file that changed this shortly before it was looked at may change again within the same clock tick.
RACY_NS = 2_000_000_000

_TEMPORARY = re.compile(r"\..+\.(\d+)\.[0-9a-f]{8}" + re.escape(TEMPORARY_SUFFIX))
_APPENDING = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
_watchers: list[Watcher] = []
_turn = threading.Lock()
_kept: "OrderedDict[str, _Kept]" = OrderedDict()


@dataclass(slots=True)
class _Kept:
    """A descriptor for appending, its file, where our last whole record in it ends, and if its name lasts."""

    descriptor: int
    file: tuple[int, int]
    end: int = 0
    is_named: bool = False


def _trust(_path: Path) -> None:
    """Check nothing."""


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
    with _refusals("mkdir", path):
        is_there = path.is_dir()
    if not is_there:
        _operate("mkdir", path, lambda: path.mkdir(parents=True, exist_ok=True))


def make_own_folder(path: Path) -> None:
    """Make a folder that nobody else may enter, in one where all may write.

    Raises
    ------
    StorageError
        What is there may be another's: a link, no folder, another user's, or open to others.
    """
    _operate("mkdir", path, lambda: path.mkdir(mode=0o700, exist_ok=True))
    with _refusals("mkdir", path):
        status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise StorageError(
            str(path),
            found="what others may have made or may write",
            expected="a folder of yours alone",
            remedy="remove it, or set XDG_CACHE_HOME to a folder that you may write",
        )


def replace(path: Path, data: bytes, *, sync: bool) -> None:
    """Put a whole document at ``path``: readers see the old bytes or the new ones, never a mixture.

    With ``sync`` the bytes and the name are on the device before this returns.
    """
    replace_checked(path, (data,), check=_trust, sync=sync)


def replace_checked(path: Path, parts: Iterable[bytes], *, check: Callable[[Path], None], sync: bool) -> None:
    """Put a document given in parts at ``path`` once ``check`` has read it back.

    ``check`` is given the hidden file; what it raises keeps the document from ever having its name.
    """
    temporary = _write_beside(path, parts, sync=sync)
    try:
        check(temporary)
        _operate("replace", path, lambda: temporary.replace(path))
    except BaseException:
        _discard(temporary)
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
    create_in_parts(path, (data,), sync=sync)


def create_in_parts(path: Path, parts: Iterable[bytes], *, sync: bool) -> None:
    """Put a document given in parts at ``path`` where nothing may be yet, once all parts are there."""
    temporary = _write_beside(path, parts, sync=sync)
    try:
        _operate("link", path, lambda: os.link(temporary, path))
    finally:
        _discard(temporary)
    if sync:
        sync_folder(path.parent)


def append(path: Path, records: bytes, *, sync: bool, opening: Callable[[Path], None] = _trust) -> None:
    """Add whole records, each ending in a newline, behind those already committed.

    Threads and processes of one machine may append to the same file at once: a lock on the file orders
    them, and the kernel lets go of it when its holder dies. After a torn record the next batch begins on
    a line of its own. The file stays open for the next batch: ``opening`` is told whenever it has to be
    opened, and what it raises keeps it closed.

    Raises
    ------
    StorageError
        It says how many of the records are committed; a half-written one is not.
    """
    if not records.endswith(b"\n"):
        raise StorageError(
            str(path), found="a record without a newline", expected="whole lines", remedy="end it with \\n"
        )
    with _turn:
        kept, size = _locked(path, opening)
        try:
            _append(kept, path, records, size=size, sync=sync)
            fcntl.flock(kept.descriptor, fcntl.LOCK_UN)
        except BaseException:
            _close_kept(str(path))
            raise
    # Whoever made the file may have died before its name was on the device.
    if sync and not kept.is_named:
        sync_folder(path.parent)
        kept.is_named = True


@contextmanager
def appending(path: Path) -> Iterator[None]:
    """Keep all others from appending to a file; those who wait will find what takes its name meanwhile."""
    with _turn:
        _locked(path, _trust)
        try:
            yield
        finally:
            _close_kept(str(path))


def wait_for_append(descriptor: int, path: Path) -> None:
    """Wait until whoever appends to an open file now has written; others wait until it is closed."""
    with _refusals("flock", path):
        fcntl.flock(descriptor, fcntl.LOCK_SH)


def link(source: Path, target: Path) -> None:
    """Give a file a second name, where nothing may be yet."""
    _operate("link", target, lambda: os.link(source, target, follow_symlinks=False))


def rename(source: Path, target: Path) -> None:
    """Give a file or folder another name on the same file system."""
    _operate("rename", target, lambda: source.rename(target))


def remove(path: Path) -> None:
    """Remove a file."""
    _operate("unlink", path, path.unlink)


def remove_tree(path: Path) -> None:
    """Remove a folder and everything in it; a link in it goes, what it points to stays.

    Raises
    ------
    StorageError
        It is itself a link: nothing is removed.
    """
    with _refusals("list", path):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            with os.scandir(descriptor) as entries:
                held = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
        finally:
            os.close(descriptor)
    for name, is_folder in held:
        (remove_tree if is_folder else remove)(path / name)
    _operate("rmdir", path, path.rmdir)


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


@contextmanager
def held(folder: Path, *, wait: bool) -> Iterator[bool]:
    """Hold a folder itself alone, without a file in it; yields whether it is held, always true with ``wait``.

    The kernel lets go of it when its holder dies; the lock goes with the folder when that is renamed.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    while True:
        with _opened(folder, lambda: os.open(folder, flags)) as descriptor:
            is_ours = _is_locked_by_us(descriptor, folder, wait=wait)
            if not is_ours or _is_at(descriptor, folder):
                yield is_ours
                return


def leftovers(folder: Path) -> list[Path]:
    """Hidden files below a folder that a process began and cannot finish, for it is dead."""
    oldest, found = time.time() - LEFT_OVER_SECONDS, []
    for place, _, files in os.walk(folder):
        for name in files:
            path, named = Path(place, name), _TEMPORARY.fullmatch(name)
            with suppress(FileNotFoundError):  # somebody else may have removed it meanwhile
                if named and not is_alive(int(named[1])) and path.lstat().st_mtime < oldest:
                    found.append(path)
    return sorted(found)


def is_alive(process: int) -> bool:
    """Whether this machine runs a process of that number."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _is_locked_by_us(descriptor: int, folder: Path, *, wait: bool) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError as error:
        raise _refusal("flock", folder, error) from error
    return True


def _is_at(descriptor: int, folder: Path) -> bool:
    """Whether a name is still that of the folder opened, and not of another that took it meanwhile."""
    try:
        return os.path.samestat(os.fstat(descriptor), folder.lstat())
    except FileNotFoundError:
        return False


def _operate(operation: str, path: Path, call: Callable[P, T], *arguments: P.args, **choices: P.kwargs) -> T:
    """Carry out one change of the disk, or say which one was refused where."""
    try:
        for watcher in _watchers:
            watcher(operation, path)
        return call(*arguments, **choices)
    except OSError as error:
        raise _refusal(operation, path, error) from error


def _refusal(operation: str, path: Path, error: OSError) -> StorageError:
    is_taken = isinstance(error, FileExistsError)
    return StorageError(
        str(path),
        found=f"{operation} refused: {error.strerror or error}",
        expected=f"{operation} to succeed",
        remedy="choose another name" if is_taken else "free space or correct permissions, then repeat",
    )


@contextmanager
def _refusals(operation: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _refusal(operation, path, error) from error


@contextmanager
def _opened(path: Path, open_it: Callable[[], int]) -> Iterator[int]:
    descriptor = _operate("open", path, open_it)
    try:
        yield descriptor
    finally:
        with _refusals("close", path):
            os.close(descriptor)


def _write_beside(path: Path, parts: Iterable[bytes], *, sync: bool) -> Path:
    """Whole bytes in a hidden file of the same folder; where that fails, nothing is left of it."""
    name = f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}{TEMPORARY_SUFFIX}"
    temporary = path.parent / name
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    descriptor = _operate("open", temporary, lambda: os.open(temporary, flags, 0o666))
    try:
        try:
            for part in parts:
                _write_all(descriptor, temporary, part)
            if sync:
                _operate("fsync", temporary, lambda: os.fsync(descriptor))
        finally:
            with _refusals("close", temporary):
                os.close(descriptor)
    except BaseException:
        _discard(temporary)
        raise
    return temporary


def _discard(temporary: Path) -> None:
    with suppress(StorageError):
        _operate("unlink", temporary, lambda: os.unlink(temporary))  # noqa: PTH108 - as is a Path's, but quicker


def _write_all(descriptor: int, path: Path, data: bytes) -> None:
    while data:
        data = data[_operate("write", path, os.write, descriptor, data) :]


def _append(kept: _Kept, path: Path, records: bytes, *, size: int, sync: bool) -> None:
    # Where the file ends as we left it, it ends in a newline.
    torn = size not in {0, kept.end} and os.pread(kept.descriptor, 1, size - 1) != b"\n"
    start = size + torn
    try:
        _write_all(kept.descriptor, path, b"\n" + records if torn else records)
    except StorageError as error:
        written = os.fstat(kept.descriptor).st_size - start
        committed, all_of_them = records[: max(written, 0)].count(b"\n"), records.count(b"\n")
        error.found += f"; {committed} of {all_of_them} records are committed"
        raise
    kept.end = start + len(records)
    if sync:
        _operate("fsync", path, os.fsync, kept.descriptor)


def _locked(path: Path, opening: Callable[[Path], None]) -> tuple[_Kept, int]:
    """Return what is kept for appending, under its own lock and still that file's, and the file's size."""
    name = str(path)
    while True:
        kept = _kept.get(name) or _open_to_keep(path, opening)
        _kept.move_to_end(name)
        try:
            fcntl.flock(kept.descriptor, fcntl.LOCK_EX)
            there = os.lstat(name)
            if (there.st_dev, there.st_ino) == kept.file:
                return kept, there.st_size
        except FileNotFoundError:
            pass
        except OSError as error:
            _close_kept(name)
            raise _refusal("lock", path, error) from error
        except BaseException:
            _close_kept(name)
            raise
        # Another file has taken the name since this one was opened.
        _close_kept(name)


def _open_to_keep(path: Path, opening: Callable[[Path], None]) -> _Kept:
    """Open a regular file for appending; beyond `MOST_KEPT` the one unused for longest is closed."""
    opening(path)
    descriptor = _operate("open", path, os.open, path, _APPENDING, 0o666)
    try:
        with _refusals("lock", path):
            file = _regular(os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    if len(_kept) >= MOST_KEPT:
        _close_kept(next(iter(_kept)))
    kept = _kept[str(path)] = _Kept(descriptor, file)
    return kept


def _regular(status: os.stat_result) -> tuple[int, int]:
    """Return the identity of a regular file; nothing else is appended to."""
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file")
    return status.st_dev, status.st_ino


def _close_kept(name: str) -> None:
    """Close a descriptor, which also lets go of its lock."""
    with suppress(OSError):
        os.close(_kept.pop(name).descriptor)


def _forget_kept() -> None:
    """Give up the parent's descriptors in a forked child: a lock on one would be the parent's too."""
    global _turn  # noqa: PLW0603 - another thread of the parent may hold it, which the child has not
    _turn = threading.Lock()
    for name in list(_kept):
        _close_kept(name)


os.register_at_fork(after_in_child=_forget_kept)


def _sync(path: Path, flags: int) -> None:
    with _opened(path, lambda: os.open(path, flags)) as descriptor:
        _operate("fsync", path, lambda: os.fsync(descriptor))
