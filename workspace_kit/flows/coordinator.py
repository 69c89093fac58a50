"""Doors for a coordinator of one's own: make a workspace, write trials into it, read them back."""

import datetime as dt
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from workspace_kit.config import DEFAULT_DURABILITY
from workspace_kit.errors import WorkspaceKitError
from workspace_kit.flows.provenance import versions
from workspace_kit.flows.studies import open_workspace
from workspace_kit.flows.trip import now
from workspace_kit.layout import names
from workspace_kit.layout.documents import encode_document
from workspace_kit.layout.inventory import inventory
from workspace_kit.layout.lifecycle import create_workspace
from workspace_kit.layout.names import DEFAULT_ROOT, Workspace
from workspace_kit.layout.reader import document_of
from workspace_kit.layout.writer import write_document, write_signal_file
from workspace_kit.schema import TABLES, natural_order


class WorkspaceManager:
    """Makes workspaces below one root."""

    def __init__(self, root: Path | str = DEFAULT_ROOT) -> None:
        self.root = Path(root)

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
        return workspace.path


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
    encode_document(content, written_at=now())  # refuse what cannot be written before anything is
    held.file(names.TRIAL, key)
    if signals is not None:
        content["signals"] = write_signal_file(
            held, names.SIGNALS, key, signals, strategy=strategy or "", durability=DEFAULT_DURABILITY
        )
    return write_document(held, names.TRIAL, key, content, written_at=now(), durability=DEFAULT_DURABILITY)
