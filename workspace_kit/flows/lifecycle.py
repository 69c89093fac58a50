"""What becomes of a workspace after its run: pinned, archived, restored, cleaned up, removed, repaired."""

import datetime as dt
import os
import re
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from pathlib import Path

import polars as pl

from workspace_kit import storage
from workspace_kit.errors import NameInvalid, NotFound, StorageError, UsageError, WorkspaceKitError
from workspace_kit.flows.catalogs import open_workspace
from workspace_kit.flows.trip import Reporter, silent, wall_clock
from workspace_kit.layout import names, recovery
from workspace_kit.layout.archive import (
    check_held,
    check_unpacked,
    read_manifest,
    unpack,
    write_archive,
    write_digest,
)
from workspace_kit.layout.inventory import find_workspace, inventory, workspaces
from workspace_kit.layout.lease import is_leased, leased
from workspace_kit.layout.lifecycle import BUILDING, changing_names
from workspace_kit.layout.names import Workspace
from workspace_kit.layout.reader import document_of, log_of, read_rows
from workspace_kit.layout.writer import log_event
from workspace_kit.schema import COUNT, TEXT, TIME

PINNED, UNPINNED = "pinned", "unpinned"
FINISHED = "complete"
GONE = {"workspace": TEXT, "newest_event": TIME, "bytes": COUNT}
_HALF_DONE = re.compile(r"\..+\.(\d+)\.(?:restoring|removing)")
_TOLD_BY = (names.CONFIG.name, names.METADATA.name, names.STATE.name)


def pin(workspace: Workspace | Path | str, root: Path | str = names.DEFAULT_ROOT, *, keep: bool) -> None:
    """Keep a workspace from ever being cleaned up, or with ``keep`` false allow it again."""
    held = open_workspace(workspace, root)
    _log(held, PINNED if keep else UNPINNED, "")


def is_pinned(workspace: Workspace) -> bool:
    """Whether a workspace is to be kept; one whose log cannot be read is."""
    try:
        events = [each["event"] for each in log_of(workspace) if isinstance(each, dict) and "event" in each]
    except WorkspaceKitError:
        return True
    return next((each == PINNED for each in reversed(events) if each in {PINNED, UNPINNED}), False)


def archive_workspace(
    workspace: Workspace | Path | str, root: Path | str = names.DEFAULT_ROOT, *, reporter: Reporter = silent
) -> Path:
    """Put a workspace into ``archive/<id>.tar.zst`` and remove its folder; returns the archive.

    The folder goes only after every byte of the archive was read back and, once nobody finds the folder, was
    compared with what is in it; it is still listed afterwards.

    Raises
    ------
    UsageError
        Another process holds it.
    FileDamaged, StorageError
        It cannot be archived whole; it stays as it is.
    """
    held = open_workspace(workspace, root)
    settle(held.root)
    with leased(held):
        return _archive(held, reporter)


def restore_workspace(
    workspace: str, root: Path | str = names.DEFAULT_ROOT, *, reporter: Reporter = silent
) -> Workspace:
    """Unpack an archived workspace under its own name; the archive stays.

    Raises
    ------
    NotFound, NameInvalid
        No archive has this name, or a workspace has.
    FileDamaged, NewerFormat, StorageError
        The archive is not what was written, or not all of it is there: nothing is left of what was unpacked.
    """
    held = Workspace(Path(root), workspace)
    archive = names.ARCHIVE.path(held.root, held.id)
    manifest = read_manifest(archive)
    _check_told(manifest, archive, held)
    hidden = held.root / f".{held.id}.{os.getpid()}.restoring"
    try:
        storage.make_folder(hidden)
        with storage.held(hidden, wait=True):
            with reporter("Restoring", len(manifest["files"])) as step:
                unpacked = unpack(archive, hidden, step=step)
            for folder in (hidden, *(path for path in sorted(hidden.rglob("*")) if path.is_dir())):
                storage.sync_folder(folder)
            check_unpacked(unpacked, hidden)
            with changing_names(held.root):
                _check_free(held)
                storage.rename(hidden, held.path)
    except BaseException:
        with suppress(NotFound, StorageError):
            storage.remove_tree(hidden)
        raise
    storage.sync_folder(held.root)
    _log(held, "restored", archive.name)
    return held


def remove_workspace(workspace: Workspace | Path | str, root: Path | str = names.DEFAULT_ROOT) -> None:
    """Remove a workspace for good, without an archive.

    Raises
    ------
    UsageError
        Another process holds it, or it is pinned.
    """
    held = open_workspace(workspace, root)
    with leased(held):
        if is_pinned(held):
            raise UsageError(
                str(held.path),
                found="a pinned workspace",
                expected="one that may go",
                remedy=f"`{held.command('pin', '--off')}` first",
            )
        hidden = held.root / f".{held.id}.{os.getpid()}.removing"
        storage.rename(held.path, hidden)
        storage.remove_tree(hidden)


def cleanable(
    root: Path | str,
    *,
    keep_days: float,
    keep_last: int,
    named: Collection[str] = (),
    now: dt.datetime | None = None,
) -> pl.DataFrame:
    """List what `clean` would archive: workspace, newest event in it, bytes; the oldest first.

    A workspace may go when nothing in it changed for ``keep_days``, ``keep_last`` others are newer, it is
    finished, nobody holds it, and it is not pinned. Those ``named`` go whatever their age and state, but not
    while somebody holds them or pinned them.
    """
    at = now or dt.datetime.now(dt.UTC).replace(tzinfo=None)
    found = [find_workspace(Path(root), name) for name in named] or workspaces(Path(root))
    newest = _newest(found).sort("modified_at", "workspace", descending=True).rows()
    by_id = {each.id: each for each in found}
    rows = [
        (name, modified, size)
        for rank, (name, modified, size) in enumerate(newest)
        if (named or (rank >= keep_last and at - modified >= dt.timedelta(days=keep_days)))
        and (named or _is_finished(by_id[name]))
        and not is_pinned(by_id[name])
        and not is_leased(by_id[name])
    ]
    return pl.DataFrame(rows[::-1], schema=GONE, orient="row")


def clean(
    root: Path | str,
    *,
    keep_days: float,
    keep_last: int,
    named: Collection[str] = (),
    reporter: Reporter = silent,
) -> Iterator[tuple[str, str]]:
    """Archive every workspace that `cleanable` lists, and remove what dead processes left half done.

    Yields each with what was done; one that cannot be archived hinders no other.
    """
    yield from settle(Path(root))
    going = cleanable(root, keep_days=keep_days, keep_last=keep_last, named=named)
    for name, modified, size in going.iter_rows():
        try:
            yield (
                name,
                f"archived as {_archive_listed(Workspace(Path(root), name), modified, size, reporter)}",
            )
        except WorkspaceKitError as error:
            yield name, f"kept: {error}"


def cleanup_workspace(workspace: Workspace | Path | str, keep_days: float = 7) -> Path | None:
    """Archive one workspace if nothing in it changed for so many days; null where it stays."""
    held = open_workspace(workspace)
    settle(held.root)
    listed = cleanable(held.root, keep_days=keep_days, keep_last=0).filter(workspace=held.id)
    if listed.is_empty():
        return None
    _, modified, size = listed.row(0)
    return _archive_listed(held, modified, size, silent)


def repair_workspace(
    workspace: Workspace, name: str | None = None, *, reporter: Reporter = silent
) -> pl.DataFrame:
    """Repair the signal files of a workspace, or one of them; see `recovery.repair`.

    Raises
    ------
    NotFound
        The workspace has no signal file of this name.
    """
    files = inventory([workspace])
    if name is not None:
        files = files.filter(pl.col("path") == str(workspace.path / name))
        if files.is_empty():
            listing = names.command(workspace.root, "sql", "'select path from files'")
            raise NotFound(
                str(workspace.path),
                found=f"no file {name!r}",
                expected="a path such as signals/trial_0.jsonl",
                remedy=f"see `{listing}`",
            )
    signals = files.filter(pl.col("kind").is_in([names.SIGNALS.name, names.VALIDATION_SIGNALS.name]))
    with leased(workspace), reporter("Files", signals.height) as step:
        repaired = recovery.repair(signals, step=step)
        for row in repaired.iter_rows(named=True):
            _log(
                workspace, "repaired", f"{'/'.join(Path(row['path']).parts[-2:])}: {row['damages']} place(s)"
            )
    return repaired


def settle(root: Path) -> list[tuple[str, str]]:
    """Finish or undo what a killed command left: each with what was done.

    A folder in the trash goes only where a verified archive holds all in it; else it gets its name back.
    """
    with changing_names(root):
        trash = [path for path in sorted((root / names.TRASH).glob("*")) if names.ID.fullmatch(path.name)]
        done = [(folder.name, _settled(Workspace(root, folder.name), folder)) for folder in trash]
        hidden = [*stale_folders(root), *sorted(root.glob(f".*{BUILDING}"))]
        done += [(str(folder), _swept(folder, _remove_unheld)) for folder in hidden]
    return [*done, *((str(path), _swept(path, storage.remove)) for path in storage.leftovers(root))]


def stale_folders(root: Path) -> list[Path]:
    """Folders that a killed process left half filled or half removed."""
    return [
        path
        for path in sorted(root.glob(".*"))
        if (left := _HALF_DONE.fullmatch(path.name)) and not storage.is_alive(int(left[1]))
    ]


def _newest(found: Collection[Workspace]) -> pl.DataFrame:
    """When the newest file of each workspace was written, and the bytes of all."""
    files = inventory(found).group_by("workspace")
    return files.agg(pl.col("modified_at").max(), pl.col("bytes").sum())


def _archive(held: Workspace, reporter: Reporter) -> Path:
    with reporter("Archiving", inventory([held]).height) as step:
        path = write_archive(held, facts=_facts(held), now=wall_clock(), step=step)
        write_digest(path)
        _remove(held, path)
    return path


def _archive_listed(held: Workspace, modified: dt.datetime, size: int, reporter: Reporter) -> Path:
    """Archive what `cleanable` listed, unless it changed since: a pin, a state, a signal are all files."""
    with leased(held):
        if _newest([held]).rows() != [(held.id, modified, size)]:
            raise UsageError(
                str(held.path),
                found="a workspace that changed since it was listed",
                expected="one at rest",
                remedy="repeat, if it is to go all the same",
            )
        return _archive(held, reporter)


def _swept(path: Path, remove: Callable[[Path], None]) -> str:
    try:
        remove(path)
    except WorkspaceKitError as error:
        return f"kept: {error}"
    return "removed: left by a dead process"


def _remove_unheld(folder: Path) -> None:
    """Remove a folder unless somebody holds it: a process number of another machine looks dead here."""
    with storage.held(folder, wait=False) as is_ours:
        if not is_ours:
            raise UsageError(
                str(folder),
                found="a folder that a process holds",
                expected="one left by a dead process",
                remedy="wait until that has ended",
            )
        storage.remove_tree(folder)


def _settled(held: Workspace, folder: Path) -> str:
    """What was done with a folder in the trash; one that is stuck, or has just gone, hinders no other."""
    try:
        return _settle(held, folder)
    except WorkspaceKitError as error:
        return f"kept in the trash: {error}"


def _settle(held: Workspace, folder: Path) -> str:
    with storage.held(folder, wait=False) as is_ours:
        if not is_ours:
            return "left to the process that removes it"
        try:
            check_held(names.ARCHIVE.path(held.root, held.id), folder)
        except WorkspaceKitError:
            if held.path.exists():
                return "kept in the trash: no whole archive holds it, and its name is taken"
            storage.rename(folder, held.path)
            return "put back: no whole archive holds it"
        storage.remove_tree(folder)
        return "removed: its archive holds it"


def _remove(held: Workspace, archive: Path) -> None:
    """Give the folder up in one step, then take it apart; killed in between, `settle` goes on.

    Nobody finds it any more once its name is gone: only then is it known that nothing was added.
    """
    folder = held.root / names.TRASH / held.id
    storage.make_folder(folder.parent)
    storage.sync_folder(held.root)
    storage.rename(held.path, folder)
    storage.sync_folder(folder.parent)
    storage.sync_folder(held.root)
    try:
        check_held(archive, folder)
    except WorkspaceKitError:
        storage.rename(folder, held.path)
        raise
    storage.remove_tree(folder)


def _facts(held: Workspace) -> dict[str, str]:
    """What is told of a workspace where it is listed, as its own files say it."""
    files = inventory([held]).filter(pl.col("kind").is_in(_TOLD_BY))
    told = read_rows(files)["facts"]
    return {**dict(told.select("name", "value").iter_rows()), "state": "archived"}


def _check_told(manifest: object, archive: Path, held: Workspace) -> None:
    if isinstance(manifest, dict) and manifest["workspace"] != held.id:
        raise NameInvalid(
            str(archive),
            found=f"the archive of {manifest['workspace']}",
            expected=f"the archive of {held.id}",
            remedy="give the file the name of its workspace",
        )
    _check_free(held)
    needed = sum(each["bytes"] for each in manifest["files"]) if isinstance(manifest, dict) else 0
    if needed > (free := shutil.disk_usage(held.root).free):
        raise StorageError(
            str(archive),
            found=f"{needed} bytes in it",
            expected=f"at most the {free} free",
            remedy="free space",
        )


def _check_free(held: Workspace) -> None:
    if held.path.exists() or held.path.is_symlink():
        raise NameInvalid(
            str(held.path),
            found="a workspace of this id",
            expected="a free id",
            remedy="archive or remove that first",
        )


def _is_finished(held: Workspace) -> bool:
    """Whether no phase is under way or failed; a workspace without a state is another program's."""
    try:
        return document_of(held.file(names.STATE, "current_state")).get("state") == FINISHED
    except NotFound:
        return True
    except WorkspaceKitError:
        return False


def _log(held: Workspace, event: str, detail: str) -> None:
    log_event(held, at=wall_clock(), phase="", event=event, trial_id=None, detail=detail)
