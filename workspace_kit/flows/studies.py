"""Doors for analysis: a workspace by name or folder, many of them as one."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from workspace_kit.flows.catalogs import open_catalog
from workspace_kit.layout.inventory import find_workspace
from workspace_kit.layout.names import DEFAULT_ROOT, Workspace
from workspace_kit.schema import Reading


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


class CompositeWorkspace:
    """Several workspaces of one root as one: every row says which it came from."""

    def __init__(self, workspace_ids: Sequence[str], root: Path | str = DEFAULT_ROOT) -> None:
        self.root = Path(root)
        self.workspaces = [find_workspace(self.root, name) for name in workspace_ids]

    def aggregate_signals(self) -> pl.DataFrame:
        """Return the signals of all, as table ``signals``, in order of workspace, trial and file."""
        return self.read("signals").rows

    def read(self, table: str) -> Reading:
        """Return a table of all with the faults met, so that nothing is lost silently."""
        with open_catalog(self.root, [each.id for each in self.workspaces]) as catalog:
            return Reading(catalog.table(table), catalog.table("faults"))
