"""From files on disk to SQL: list, refresh the mirror, open the views."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import polars as pl

from workspace_kit.errors import NotFound
from workspace_kit.flows.trip import Reporter
from workspace_kit.layout.batches import read_batches
from workspace_kit.layout.inventory import archives, find_workspace, inventory
from workspace_kit.layout.inventory import workspaces as all_workspaces
from workspace_kit.layout.names import DEFAULT_ROOT, Workspace
from workspace_kit.mirror import Progress, mirror_folder, refresh
from workspace_kit.schema import MIRRORED
from workspace_kit.views import Catalog


def quiet(_done: int, _total: int) -> None:
    """Show no progress."""


def open_catalog(
    root: Path | str = "results", workspaces: Sequence[str] | None = None, *, progress: Progress = quiet
) -> Catalog:
    """Open the views over all workspaces of a results root, or over those named, current as of now.

    Of an archived workspace, which only the whole root shows, what its archive's manifest says is known.

    Reads only files that changed since the last look. Use it in a ``with`` block or close it.

    Raises
    ------
    NotFound
        The root or a workspace is not there.
    """
    folder, now_ns = Path(root).resolve(), time.time_ns()
    if not folder.is_dir():
        raise NotFound(str(root), found="no such folder", expected="a results root", remedy="check --results")
    found = None if workspaces is None else [find_workspace(folder, name) for name in workspaces]
    scope = None if found is None else [each.id for each in found]
    parts = refresh(
        partial(_listed, folder, found),
        folder=mirror_folder(folder),
        workspaces=scope,
        read=read_batches,
        now_ns=now_ns,
        progress=progress,
    )
    tables = {name: parts.paths(name, scope) for name in [*MIRRORED, "files"]}
    return Catalog(tables, scratch=parts.folder, workspaces=scope)


def _listed(root: Path, found: Sequence[Workspace] | None) -> pl.DataFrame:
    """List the files of workspaces (null: of all, with the archives) as they are now."""
    if found is not None:
        return inventory(found)
    return pl.concat([inventory(all_workspaces(root)), archives(root)])


@contextmanager
def reading(reporter: Reporter) -> Iterator[Progress]:
    """Show through a reporter how many files were read, once there is one to read."""
    with ExitStack() as shown:
        step: list[Callable[[], None]] = []
        seen = 0

        def told(done: int, total: int) -> None:
            nonlocal seen
            if not step:
                step.append(shown.enter_context(reporter("Files", total)))
            for _ in range(done - seen):
                step[0]()
            seen = done

        yield told


def open_workspace(name: str | Path | Workspace, root: Path | str = DEFAULT_ROOT) -> Workspace:
    """Return a workspace by its id below a root, or by its own folder.

    Raises
    ------
    WorkspaceNotFound, NameInvalid
        There is none, or the name may not be one.
    """
    if isinstance(name, Workspace):
        return name
    if isinstance(name, str) and Path(name).name == name:
        return find_workspace(Path(root), name)
    return find_workspace(Path(name).parent, Path(name).name)


def workspace_ids(root: Path | str) -> list[str]:
    """Return the ids of a root's workspaces in order; none where there is no such folder."""
    return [each.id for each in all_workspaces(Path(root))]


def archive_ids(root: Path | str) -> list[str]:
    """Return the ids of a root's archived workspaces in order."""
    return archives(Path(root))["workspace"].to_list()
