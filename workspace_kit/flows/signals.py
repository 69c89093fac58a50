"""What trials signalled, from their files."""

from collections.abc import Sequence

import polars as pl

from workspace_kit.errors import FileDamaged
from workspace_kit.flows.trip import Trip
from workspace_kit.layout import names
from workspace_kit.layout.reader import signals_of


def saved_signals(trip: Trip, trials: Sequence[str]) -> dict[str, pl.DataFrame]:
    """Read what trials signalled; no strategy is run.

    Raises
    ------
    FileDamaged
        A line of them cannot be read: a replay of the rest would be of other signals.
    """
    readings = {trial: signals_of(trip.workspace, [trial], kind=names.SIGNALS) for trial in trials}
    for reading in readings.values():
        for path, line, reason in reading.faults.select("path", "line", "reason").iter_rows():
            raise FileDamaged(
                f"{path}, line {line}",
                found=reason,
                expected="whole signals",
                remedy="restore the file, or remove it and its performance file to repeat the trial",
            )
    return {trial: reading.rows for trial, reading in readings.items()}
