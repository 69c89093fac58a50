"""One row per file, of one or many workspaces: the frame that every later stage starts from."""

import datetime as dt
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from workspace_kit.errors import WorkspaceNotFound
from workspace_kit.layout import names
from workspace_kit.layout.names import Workspace
from workspace_kit.schema import INVENTORY, TABLES, Reading
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


def inventory(found: Iterable[Workspace]) -> Reading:
    """List the files of workspaces: rows as `schema.INVENTORY`, faults for what may not be read.

    Links, devices, folders named like files, and names that no kind knows are faults; hidden temporary
    files of writers at work are not.
    """
    rows: list[dict[str, object]] = []
    faults: list[dict[str, object]] = []
    for workspace in found:
        context = _context(workspace)
        for folder in names.FOLDERS:
            for entry in _entries(workspace.path / folder):
                row = _row(workspace, folder, entry, context)
                (faults if "reason" in row else rows).append(row)
    return Reading(INVENTORY.frame(rows), TABLES["faults"].frame(faults))


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


def _row(workspace: Workspace, folder: str, entry: os.DirEntry[str], context: str) -> dict[str, object]:
    status = entry.stat(follow_symlinks=False)
    kind = names.classify(folder, entry.name)
    if kind is None or not stat.S_ISREG(status.st_mode):
        reason = "a name that no file kind has" if kind is None else "not a regular file"
        return {"workspace": workspace.id, "path": ascii(entry.path)[1:-1], "reason": reason}
    return {
        "workspace": workspace.id,
        "kind": kind[0].name,
        "key": kind[1],
        "path": entry.path,
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
