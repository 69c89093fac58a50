"""Doors for a coordinator of one's own: make a workspace, write trials, checkpoint, read them back."""

import datetime as dt
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from workspace_kit.config import DEFAULT_DURABILITY
from workspace_kit.errors import UsageError, WorkspaceKitError
from workspace_kit.flows import lifecycle
from workspace_kit.flows.catalogs import open_workspace
from workspace_kit.flows.provenance import versions
from workspace_kit.flows.trip import now
from workspace_kit.layout import names
from workspace_kit.layout.chain import Chain, Checkpoint, read_chain
from workspace_kit.layout.checkpoint import (
    cover,
    workspace_hash,
    write_checkpoint,
)
from workspace_kit.layout.digests import Digests
from workspace_kit.layout.documents import encode_document
from workspace_kit.layout.inventory import inventory
from workspace_kit.layout.lifecycle import create_workspace
from workspace_kit.layout.names import DEFAULT_ROOT, Workspace
from workspace_kit.layout.reader import document_of
from workspace_kit.layout.trials import FAILED, complete_trials, status_of
from workspace_kit.layout.verify import check, verify
from workspace_kit.layout.writer import write_document, write_signal_file
from workspace_kit.schema import TABLES, natural_order


class WorkspaceManager:
    """Makes workspaces below one root, checkpoints them, and says where to go on.

    ``workspace`` is the folder at work: the one last made or resumed, or one that is set.
    """

    def __init__(self, root: Path | str = DEFAULT_ROOT, workspace: Path | str | None = None) -> None:
        self.root = Path(root)
        self.workspace = None if workspace is None else open_workspace(workspace, self.root).path

    def create_workspace(self, workflow_config: Mapping[str, object], name: str | None = None) -> Path:
        """Make a workspace with the standard folders, keep the configuration in it, and return its folder.

        ``name`` is its id; by default the time and eight random digits.
        """
        workspace = create_workspace(
            self.root,
            name,
            config=workflow_config,
            environment={"versions": versions()},
            now=now(),
            durability=DEFAULT_DURABILITY,
        )
        self.workspace = workspace.path
        return workspace.path

    def checkpoint_phase(self, phase_name: str, state: Mapping[str, object]) -> Path:
        """Record that a phase is complete, with every file then present; returns the checkpoint.

        ``state`` is yours, whatever JSON can hold. A phase recorded again takes its old place; checkpoints
        after it no longer count.

        Raises
        ------
        NameInvalid, SchemaMismatch, StorageError
            Nothing was recorded.
        """
        workspace = self._at_work()
        return write_checkpoint(
            workspace,
            phase_name,
            inventory([workspace]),
            state=state,
            completed_trials=self.get_completed_trials(),
            written_at=now(),
            sync=True,
        )

    def get_completed_trials(self, workspace: Path | str | None = None) -> list[str]:
        """Return the ids of trials with a valid performance document and the signals it recorded."""
        trials = complete_trials(self._at_work(workspace))
        return [trial for trial, document in trials.items() if status_of(document) != FAILED]

    def compute_workspace_hash(self, workspace: Path | str | None = None) -> str:
        """Return one digest over all files but logs and pictures, which change after their phase."""
        return workspace_hash(cover(inventory([self._at_work(workspace)]), sync=False))

    def verify_workspace_integrity(
        self, workspace: Path | str, checkpoint_data: Mapping[str, Any] | None = None
    ) -> bool:
        """Whether every file is as the last checkpoint recorded it, or the one whose content is given.

        Files that came later, and lines appended since, are no change: they are of the phase after it.
        """
        held = self._at_work(workspace)
        chain = read_chain(held)
        if checkpoint_data is not None:
            given = Checkpoint(held.path / names.CHECKPOINT.folder, checkpoint_data)
            chain = Chain([given], 1, chain.faults)
        return verify(held, Digests(held, deep=True), chain=chain).problems.is_empty()

    def resume_workflow(self, workflow_id: str) -> str | None:
        """Return the last completed phase, null where none is; the workspace is then at work.

        Raises
        ------
        WorkspaceNotFound
            There is none of this id.
        WorkspaceCorruptedError, FileDamaged, NewerFormat
            Files changed since the last checkpoint, cannot be read, or are of a later version; all are named.
        """
        workspace = open_workspace(workflow_id, self.root)
        found = verify(workspace, Digests(workspace, deep=True))
        check(found.rows, where=workspace.path)
        self.workspace = workspace.path
        return found.phase

    def archive_workspace(self, workspace: Path | str) -> Path:
        """Put a workspace into an archive that was read back whole, remove its folder, return the archive."""
        return lifecycle.archive_workspace(workspace, self.root)

    def cleanup_workspace(self, workspace: Path | str, keep_days: float = 7) -> Path | None:
        """Archive a workspace if nothing happened in it for that long; null where it has to stay.

        This one alone: one that is pinned, unfinished or at work stays, whatever its age.
        """
        return lifecycle.cleanup_workspace(open_workspace(workspace, self.root), keep_days)

    def remove_workspace(self, workspace: Path | str) -> None:
        """Remove a workspace for good, without an archive; a pinned one, or one at work, is refused."""
        lifecycle.remove_workspace(workspace, self.root)

    def _at_work(self, workspace: Path | str | None = None) -> Workspace:
        place = workspace or self.workspace
        if place is None:
            raise UsageError(
                "WorkspaceManager",
                found="no workspace at work",
                expected="one that was made or resumed",
                remedy="call create_workspace or resume_workflow first, or name one",
            )
        return open_workspace(place, self.root)


class FaultsWarning(UserWarning):
    """Some files could not be read; `PerformanceReader.faults` lists them."""


class PerformanceReader:
    """Reads the performance documents of a workspace; ``faults`` lists those it could not read."""

    def __init__(self) -> None:
        self.faults = TABLES["faults"].empty()

    def read_all_trials(self, workspace: Path | str) -> list[dict[str, Any]]:
        """Return every trial's document as it was written, in natural order of the trials.

        One damaged file hides no other: it is left out, warned of and listed in ``faults``. NaN and infinity,
        which JSON has not, are null and listed there too.
        """
        files = inventory([open_workspace(Path(workspace))]).filter(pl.col("kind") == names.TRIAL.name)
        documents, faults = [], []
        for path in files.sort(*natural_order("key"))["path"]:
            try:
                constants: list[str] = []
                documents.append(document_of(Path(path), constant=constants.append))
                reasons = [f"{each} is not a number in JSON; read as null" for each in constants]
            except WorkspaceKitError as error:
                reasons = [error.found]
            faults += [{"workspace": Path(workspace).name, "path": path, "reason": each} for each in reasons]
        self.faults = TABLES["faults"].frame(faults)
        if faults:
            warnings.warn(
                f"{len(faults)} fault(s) in what was read: see .faults", FaultsWarning, stacklevel=2
            )
        return documents


def write_trial(
    workspace: Path | str | Workspace,
    trial_id: int | str,
    *,
    parameters: Mapping[str, object],
    metrics: Mapping[str, float | None],
    signals: pl.DataFrame | None = None,
    strategy: str | None = None,
    trades: int | None = None,
    period: Mapping[str, str | dt.date] | None = None,
) -> Path:
    """Write one trial of any backtester: its signals, if given, then its performance document, each whole.

    ``signals`` has ``timestamp, symbol, action, strength``, times naive in UTC; ``metrics`` are numbers by
    name, null where one does not exist; ``period`` has ``start`` and ``end``. Returns the document's path.

    Raises
    ------
    NameInvalid, SchemaMismatch, StorageError
        Nothing was written; where the disk refused, perhaps the signals alone.
    """
    held, key = open_workspace(workspace), names.trial_id(trial_id)
    content: dict[str, object] = {
        "trial_id": key,
        "kind": "trial",
        "strategy": strategy,
        "parameters": dict(parameters),
        "metrics": dict(metrics),
        "trades": trades,
        "period": dict(period or {}),
        "status": "ok",
    }
    held.file(names.TRIAL, key)
    if signals is not None:
        encode_document(content, written_at=now())  # refuse what cannot be written before anything is
        content["signals"] = write_signal_file(
            held, names.SIGNALS, key, signals, strategy=strategy or "", durability=DEFAULT_DURABILITY
        )
    return write_document(held, names.TRIAL, key, content, written_at=now(), durability=DEFAULT_DURABILITY)
