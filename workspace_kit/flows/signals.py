"""What trials signalled, from their files."""

from collections.abc import Sequence

import polars as pl

from workspace_kit.errors import FileDamaged
from workspace_kit.flows.trip import Trip
from workspace_kit.layout import names
from workspace_kit.layout.names import Workspace
from workspace_kit.layout.reader import signals_of


def saved_signals(trip: Trip, trials: Sequence[str]) -> dict[str, pl.DataFrame]:
    """Read what trials of a workflow under way signalled; no strategy is run."""
    return whole_signals(trip.workspace, trials)


def whole_signals(workspace: Workspace, trials: Sequence[str]) -> dict[str, pl.DataFrame]:
    """Read what trials signalled, every line of it.

    Raises
    ------
    FileDamaged
        A line of them cannot be read: a replay of the rest would be of other signals.
    """
    readings = {trial: signals_of(workspace, [trial], kind=names.SIGNALS) for trial in trials}
    for reading in readings.values():
        for path, line, reason in reading.faults.select("path", "line", "reason").iter_rows():
            raise FileDamaged(
                f"{path}, line {line}",
                found=reason,
                expected="whole signals",
                remedy="restore the file, or remove it and its performance file to repeat the trial",
            )
    return {trial: reading.rows for trial, reading in readings.items()}
