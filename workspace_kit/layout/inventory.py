"""One row per file, of one or many workspaces: the frame that every later stage starts from."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl

from workspace_kit.errors import WorkspaceNotFound
from workspace_kit.layout import names
from workspace_kit.layout.names import Workspace
from workspace_kit.schema import INVENTORY, TIME
from workspace_kit.storage import TEMPORARY_SUFFIX

_LARGEST = (1 << 63) - 1
_INSTANT = (pl.col("modified_ns") // 1000).cast(TIME).alias("modified_at")


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
        There is none; the known ones are counted.
    """
    workspace = Workspace(root, name)
    if not workspace.path.is_dir():
        raise WorkspaceNotFound(
            str(root),
            found=f"no workspace {name!r}",
            expected=f"one of the {len(workspaces(root))} workspaces there",
            remedy="see `workspace-kit list`",
        )
    return workspace


def inventory(found: Iterable[Workspace]) -> pl.DataFrame:
    """List the files of workspaces as `schema.INVENTORY`, in order of workspace, folder and name.

    A workspace given twice is listed once. What no kind knows has the kind ``unknown``, and so has one of the
    six folders that is a link or no folder: nothing below it is listed. Hidden temporary files of writers at
    work are left out, and so is what `resume` has set aside.
    """
    rows = [row for workspace in dict.fromkeys(found) for row in _rows(workspace)]
    return INVENTORY.frame(rows).with_columns(_INSTANT)


def archives(root: Path) -> pl.DataFrame:
    """List the archives of a root as `inventory` does, one row each; restored ones stand for themselves."""
    rows: list[dict[str, object]] = []
    for path in _listing(root / names.ARCHIVE.folder):
        name = Path(path).name
        key, status = names.ARCHIVE.key(names.ARCHIVE.folder, name), _status(path)
        if key and status and not Path(root, key).exists():
            rows.append(_row(key, names.ARCHIVE.name, key, path, status, context=""))
    return INVENTORY.frame(rows).with_columns(_INSTANT)


def _is_workspace(entry: os.DirEntry[str]) -> bool:
    if not names.ID.fullmatch(entry.name) or not entry.is_dir(follow_symlinks=False):
        return False
    return any(Path(entry.path, folder).is_dir() for folder in names.FOLDERS)


def _rows(workspace: Workspace) -> Iterator[dict[str, object]]:
    config = workspace.file(names.CONFIG, "config")
    context = _identity(config)
    for folder in names.FOLDERS:
        for path in _listing(workspace.path / folder):
            name = os.path.basename(path)  # noqa: PTH119 - a Path for each of 200,000 files takes a second
            kind, key = names.classify(folder, name) or (None, ascii(name)[1:-1])
            explained = kind is names.ANALYSIS_TABLE
            if (status := _status(path)) is None:
                continue
            told = _identity(config, names.explanation(Path(path))) if explained else context
            yield _row(workspace.id, kind.name if kind else names.UNKNOWN, key, path, status, context=told)


def _row(
    workspace: str, kind: str, key: str, path: str, status: os.stat_result, *, context: str
) -> dict[str, object]:
    return {
        "workspace": workspace,
        "kind": kind,
        "key": key,
        "path": os.fsencode(path).decode("utf-8", "backslashreplace"),
        "bytes": status.st_size,
        "inode": _int64(status.st_ino),
        "modified_ns": _int64(status.st_mtime_ns),
        "changed_ns": _int64(status.st_ctime_ns),
        "context": context,
    }


def _listing(folder: Path) -> list[str]:
    """Paths in a folder by name; a folder that is none, or that may not be looked into, stands for itself."""
    try:
        if folder.is_symlink():
            return [str(folder)]
        with os.scandir(folder) as entries:
            return sorted(entry.path for entry in entries if not _is_apart(entry, folder))
    except FileNotFoundError:
        return []
    except (NotADirectoryError, PermissionError):
        return [str(folder)]


def _is_apart(entry: os.DirEntry[str], folder: Path) -> bool:
    """Whether an entry is a writer's temporary file, or the folder of what `resume` has set aside."""
    if entry.name == names.SET_ASIDE and folder.name == names.CHECKPOINT.folder:
        return entry.is_dir(follow_symlinks=False)
    return entry.name.startswith(".") and entry.name.endswith(TEMPORARY_SUFFIX)


def _status(path: str | Path) -> os.stat_result | None:
    """What the file system knows of a path, null where it has just gone."""
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _int64(number: int) -> int:
    """Bound what some file systems allow to what a column holds."""
    return max(-_LARGEST, min(number, _LARGEST))


def _identity(*paths: Path) -> str:
    """Identity of the files that say how another is to be read: when they change, it means something else."""
    statuses = [_status(path) for path in paths]
    told = [(each.st_ino, each.st_size, each.st_mtime_ns, each.st_ctime_ns) for each in statuses if each]
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]
