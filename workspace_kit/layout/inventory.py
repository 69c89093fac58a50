"""One row per file, of one or many workspaces: the frame that every later stage starts from.

Listing 200,000 files takes little longer than asking the file system for each: columns grow as lists, what
a name means is worked out once, and nothing but texts and numbers outlives a folder.
"""

import difflib
import errno
import functools
import hashlib
import os
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from workspace_kit.errors import WorkspaceNotFound
from workspace_kit.layout import names
from workspace_kit.layout.names import Workspace
from workspace_kit.schema import INVENTORY, TIME
from workspace_kit.storage import TEMPORARY_SUFFIX

_LARGEST = (1 << 63) - 1
_MOST_NAMES = 1 << 14
_INSTANT = (pl.col("modified_ns") // 1000).cast(TIME).alias("modified_at")
_TEXTS = ("workspace", "kind", "key", "path", "context")
_NUMBERS: Mapping[str, Callable[[os.stat_result], int]] = {
    "bytes": attrgetter("st_size"),
    "inode": attrgetter("st_ino"),
    "modified_ns": attrgetter("st_mtime_ns"),
    "changed_ns": attrgetter("st_ctime_ns"),
}
# No folder, a link to one, or one that may not be looked into.
_CLOSED = frozenset({errno.ENOTDIR, errno.ELOOP, errno.EACCES, errno.EPERM})
Entries = list[tuple[str, os.stat_result]]


def workspaces(root: Path) -> list[Workspace]:
    """Every workspace of a results root, by id; a folder is one when it has one of the six folders."""
    if not root.is_dir():
        return []
    with os.scandir(root) as entries:
        found = sorted(entry.name for entry in entries if _is_workspace(entry))
    return [Workspace(root, name) for name in found]


def find_workspace(root: Path, name: str) -> Workspace:
    """Return the workspace of that id.

    Raises
    ------
    WorkspaceNotFound
        There is none; the nearest of the known ones is named.
    """
    workspace = Workspace(root, name)
    if not workspace.path.is_dir():
        known = [each.id for each in workspaces(root)]
        raise WorkspaceNotFound(
            str(root),
            found=f"no workspace {name!r}",
            expected=f"one of the {len(known)} workspaces there" if known else "a folder that holds some",
            remedy=_instead(workspace, known),
        )
    return workspace


def _instead(wanted: Workspace, known: list[str]) -> str:
    if names.ARCHIVE.path(wanted.root, wanted.id).is_file():
        return f"it is archived: `{wanted.command('restore')}` brings it back"
    if near := difflib.get_close_matches(wanted.id, known, n=1):
        return f"did you mean {near[0]!r}?"
    return f"see `{names.command(wanted.root, 'list')}`" if known else "check --results"


def inventory(found: Iterable[Workspace]) -> pl.DataFrame:
    """List the files of workspaces as `schema.INVENTORY`, in order of workspace, folder and name.

    A workspace given twice is listed once. What no kind knows has the kind ``unknown``, and so has one of the
    six folders that is a link or no folder: nothing below it is listed. Hidden temporary files of writers at
    work are left out, and so is what `resume` has set aside.
    """
    listing = _Listing()
    for workspace in dict.fromkeys(found):
        config = workspace.file(names.CONFIG, "config")
        context, place = _identity(config), str(workspace.path)
        for folder in names.FOLDERS:
            files = _files(place, folder)
            listing.add(workspace.id, files, _contexts(files, config, context))
    return listing.frame()


def archives(root: Path) -> pl.DataFrame:
    """List the archives of a root as `inventory` does, one row each; restored ones stand for themselves."""
    listing, folder = _Listing(), names.ARCHIVE.folder
    for name, status in _entries(f"{root}/{folder}") or ():
        key = names.ARCHIVE.key(folder, name)
        if key and not (root / key).exists():
            path = _printable(f"{root}/{folder}/{name}")
            listing.add(key, _Files([names.ARCHIVE.name], [key], [path], [status]), [""])
    return listing.frame()


def _is_workspace(entry: os.DirEntry[str]) -> bool:
    if not names.ID.fullmatch(entry.name) or not entry.is_dir(follow_symlinks=False):
        return False
    return any(os.path.isdir(f"{entry.path}/{folder}") for folder in names.FOLDERS)  # noqa: PTH112


class _Files(NamedTuple):
    """The files of one folder, in columns."""

    kinds: Sequence[str]
    keys: Sequence[str]
    paths: Sequence[str]
    statuses: Sequence[os.stat_result]


class _Listing:
    """The files found so far, in columns."""

    def __init__(self) -> None:
        self._texts: dict[str, list[str]] = {name: [] for name in _TEXTS}
        self._numbers = {name: array("q") for name in _NUMBERS}

    def add(self, workspace: str, files: _Files, contexts: Sequence[str]) -> None:
        """Add files of one workspace, each with its context."""
        texts = ([workspace] * len(contexts), files.kinds, files.keys, files.paths, contexts)
        for name, values in zip(_TEXTS, texts, strict=True):
            self._texts[name].extend(values)
        for name, of in _NUMBERS.items():
            self._numbers[name].extend(_int64s([of(status) for status in files.statuses]))

    def frame(self) -> pl.DataFrame:
        """Return `schema.INVENTORY`."""
        numbers = {name: np.frombuffer(values, np.int64) for name, values in self._numbers.items()}
        texts = {name: pl.Series(values, dtype=pl.String) for name, values in self._texts.items()}
        return pl.DataFrame({**texts, **numbers}).with_columns(_INSTANT).select(INVENTORY.names)


def _files(place: str, folder: str) -> _Files:
    """List a folder of a workspace; one that is none, or may not be looked into, stands for itself."""
    path = f"{place}/{folder}"
    entries = _entries(path)
    if entries is None:
        entries, path = [(folder, os.lstat(path))], place
    told = [_told(folder, name) for name, _ in entries]
    before = f"{_printable(path)}/"
    return _Files(
        [kind for kind, _, _ in told],
        [key for _, key, _ in told],
        [before + name for _, _, name in told],
        [status for _, status in entries],
    )


@functools.lru_cache(_MOST_NAMES)
def _told(folder: str, name: str) -> tuple[str, str, str]:
    r"""What a name says: the kind and key of its file, and the name in letters that can be shown.

    Bytes that are no letters are shown as ``\xff``, and where a name has these letters its own
    backslashes are doubled: no two files are to share a path.
    """
    if found := names.classify(folder, name):
        kind, key = found
        return kind.name, key, name
    shown = _printable(name)
    if r"\x" in shown:
        shown = _printable(name.replace("\\", r"\\"))
    return names.UNKNOWN, ascii(name)[1:-1], shown


def _printable(path: str) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _entries(folder: str) -> Entries | None:
    """Names in a folder, in order, with what the file system knows of each; null where none can be told."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return []
    except OSError as error:
        if error.errno in _CLOSED:
            return None
        raise
    try:
        with os.scandir(descriptor) as entries:
            return _looked_at([entry for entry in entries if not _is_apart(entry, folder)])
    except PermissionError:
        return None
    finally:
        os.close(descriptor)


def _looked_at(entries: list[os.DirEntry[str]]) -> Entries:
    """Ask the file system for each entry; one that has just gone is left out."""
    found = []
    for entry in sorted(entries, key=attrgetter("name")):
        try:
            found.append((entry.name, entry.stat(follow_symlinks=False)))
        except FileNotFoundError:
            continue
    return found


def _is_apart(entry: os.DirEntry[str], folder: str) -> bool:
    """Whether an entry is a writer's temporary file, or the folder of what `resume` has set aside."""
    name = entry.name
    if name == names.SET_ASIDE and folder.endswith(f"/{names.CHECKPOINT.folder}"):
        return entry.is_dir(follow_symlinks=False)
    return name.startswith(".") and name.endswith(TEMPORARY_SUFFIX)


def _int64s(numbers: list[int]) -> "array[int]":
    """Bound what some file systems allow to what a column holds."""
    try:
        return array("q", numbers)
    except OverflowError:
        return array("q", [max(-_LARGEST, min(number, _LARGEST)) for number in numbers])


def _contexts(files: _Files, config: Path, context: str) -> list[str]:
    """Identity of what each file is read with: the configuration, for a table also what explains it."""
    return [
        context if kind != names.ANALYSIS_TABLE.name else _identity(config, names.explanation(Path(path)))
        for kind, path in zip(files.kinds, files.paths, strict=True)
    ]


def _status(path: str | Path) -> os.stat_result | None:
    """What the file system knows of a path, null where it has just gone or its folder is closed."""
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None


def _identity(*paths: Path) -> str:
    """Identity of the files that say how another is to be read: when they change, it means something else."""
    statuses = [_status(path) for path in paths]
    told = [(each.st_ino, each.st_size, each.st_mtime_ns, each.st_ctime_ns) for each in statuses if each]
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]
