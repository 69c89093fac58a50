"""One row per file, of one or many workspaces: the frame that every later stage starts from."""

import datetime as dt
import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl

from workspace_kit.errors import WorkspaceNotFound
from workspace_kit.layout import names
from workspace_kit.layout.names import Workspace
from workspace_kit.schema import INVENTORY
from workspace_kit.storage import TEMPORARY_SUFFIX

_EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - naive means UTC


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

    What no kind knows has the kind ``unknown``; hidden temporary files of writers at work are left out.
    """
    return INVENTORY.frame([row for workspace in found for row in _rows(workspace)])


def _is_workspace(entry: os.DirEntry[str]) -> bool:
    if not names.ID.fullmatch(entry.name) or not entry.is_dir(follow_symlinks=False):
        return False
    return any(Path(entry.path, folder).is_dir() for folder in names.FOLDERS)


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from sorted((e for e in entries if not _is_temporary(e)), key=lambda entry: entry.name)
    except FileNotFoundError:
        return


def _is_temporary(entry: os.DirEntry[str]) -> bool:
    return entry.name.startswith(".") and entry.name.endswith(TEMPORARY_SUFFIX)


def _rows(workspace: Workspace) -> Iterator[dict[str, object]]:
    context = _context(workspace)
    for folder in names.FOLDERS:
        for entry in _entries(workspace.path / folder):
            kind = names.classify(folder, entry.name)
            status = entry.stat(follow_symlinks=False)
            yield {
                "workspace": workspace.id,
                "kind": kind[0].name if kind else names.UNKNOWN,
                "key": kind[1] if kind else ascii(entry.name)[1:-1],
                "path": os.fsencode(entry.path).decode("utf-8", "backslashreplace"),
                "bytes": status.st_size,
                "modified_at": _EPOCH + dt.timedelta(microseconds=status.st_mtime_ns // 1000),
                "inode": status.st_ino,
                "modified_ns": status.st_mtime_ns,
                "changed_ns": status.st_ctime_ns,
                "context": context,
            }


def _context(workspace: Workspace) -> str:
    """Identity of the configuration: when it changes, every naive time may mean something else."""
    try:
        status = workspace.file(names.CONFIG, "config").lstat()
    except FileNotFoundError:
        return ""
    identity = f"{status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
    return hashlib.sha256(identity.encode()).hexdigest()[:16]
