"""Trials of other workspaces, taken as they signalled; nothing is assumed of who wrote them."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import polars as pl

from workspace_kit.config import Value
from workspace_kit.errors import PriceError, WorkspaceCorruptedError, WorkspaceKitError
from workspace_kit.flows.market import Market
from workspace_kit.flows.origins import origin_of
from workspace_kit.flows.provenance import content_digest
from workspace_kit.flows.signals import signalled
from workspace_kit.layout import names
from workspace_kit.layout.inventory import find_workspace
from workspace_kit.layout.names import Workspace
from workspace_kit.layout.reader import document_of


class Inherited(NamedTuple):
    """One trial of another workspace: its number here, where it comes from, and the digest of its signals.

    The digest is null where there was no signal file to be read.
    """

    number: int
    strategy: str
    parameters: Mapping[str, Value]
    workspace: Workspace
    trial_id: str
    signals_sha256: str | None

    @property
    def identity(self) -> object:
        """Return what makes it the same trial as another: one found in two places counts once."""
        parameters = json.dumps(self.parameters, sort_keys=True)
        return (self.strategy, parameters, self.signals_sha256 or (self.workspace.id, self.trial_id))

    @property
    def source(self) -> dict[str, object]:
        """Return where it comes from, as its document says it."""
        return {
            "workspace": self.workspace.id,
            "trial_id": self.trial_id,
            "signals_sha256": self.signals_sha256,
        }


def inherited_again(workspace: Workspace, trials: Iterable[str]) -> dict[str, Inherited]:
    """Return trials by their id here, from what this workspace recorded when it took them."""
    return {trial: _recorded(workspace, trial) for trial in trials}


def refuse_other_prices(workspace: Workspace, market: Market) -> None:
    """Raise a PriceError where a workspace says that it rests on other prices than these."""
    recorded = origin_of(workspace).prices_digest
    if recorded not in {None, market.digest}:
        raise PriceError(
            f"workspace {workspace.id}",
            found=f"prices {recorded}",
            expected=f"those of this workflow, {market.digest}",
            remedy="use the prices it rests on, or run it again on these",
        )


def inherited_signals(trial: Inherited, market: Market) -> pl.DataFrame:
    """Read what a trial signalled where it comes from, over every period.

    Raises
    ------
    NotFound, FileDamaged
        There is no signal file, or a line of it cannot be read.
    WorkspaceCorruptedError
        It holds other signals than when it was taken.
    """
    said = signalled(trial.workspace, trial.trial_id, market.config)
    if said.sha256 != trial.signals_sha256:
        raise WorkspaceCorruptedError(
            f"signals of {trial.trial_id} in workspace {trial.workspace.id}",
            found=f"digest {said.sha256}",
            expected=f"{trial.signals_sha256}, as when the trial was taken",
            remedy="restore the file, or run the workflow again",
        )
    return said.rows


def inherit(number: int, row: Mapping[str, Any], workspace: Workspace) -> Inherited:
    """Return a row of the query ``named_trials`` as a trial of this number."""
    trial, parameters = row["trial_id"], json.loads(row["parameters"])
    return Inherited(number, row["strategy"], parameters, workspace, trial, _digest(workspace, trial))


def _digest(workspace: Workspace, trial: str) -> str | None:
    try:
        return content_digest(workspace.file(names.SIGNALS, trial))
    except WorkspaceKitError:
        return None


def _recorded(workspace: Workspace, trial: str) -> Inherited:
    document = document_of(workspace.file(names.TRIAL, trial))
    source = document["source"]
    return Inherited(
        int(trial.removeprefix("trial_")),
        document["strategy"],
        document["parameters"],
        find_workspace(workspace.root, source["workspace"]),
        source["trial_id"],
        source["signals_sha256"],
    )
