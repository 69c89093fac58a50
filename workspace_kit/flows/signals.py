"""What trials signalled, from their files."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from workspace_kit.config import Config
from workspace_kit.errors import FileDamaged, NotFound
from workspace_kit.flows.trip import Trip
from workspace_kit.layout import names
from workspace_kit.layout.lines import READ_ALL_THE_SAME
from workspace_kit.layout.names import Workspace
from workspace_kit.layout.reader import read_bytes, signals_of, zone_of
from workspace_kit.layout.signals import read_signals
from workspace_kit.layout.zones import Zone


class Signalled(NamedTuple):
    """What a trial signalled, and the digest of the file that says so."""

    rows: pl.DataFrame
    sha256: str


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
        _refuse_losses(reading.faults)
    return {trial: reading.rows for trial, reading in readings.items()}


def signalled(workspace: Workspace, trial: str, config: Config) -> Signalled:
    """Read what a trial of any workspace signalled, every line of it.

    Times without an offset are read as the workspace's own configuration says, else as this one does.

    Raises
    ------
    NotFound, FileDamaged
        There is no signal file, or a line of it cannot be read.
    """
    path = workspace.file(names.SIGNALS, trial)
    # What is recorded of a failure has to be the same wherever the root lies.
    told = "/".join(path.parts[-3:])
    try:
        data = read_bytes(path)
    except (NotFound, FileDamaged) as error:
        raise type(error)(told, found=error.found, expected=error.expected, remedy=error.remedy) from error
    zone = zone_of(workspace.path, otherwise=Zone(config.data.timezone, config.data.close_time))
    reading = read_signals(data, workspace=workspace.id, trial_id=trial, path=told, zone=zone)
    _refuse_losses(reading.faults)
    return Signalled(reading.rows, hashlib.sha256(data).hexdigest())


def _refuse_losses(faults: pl.DataFrame) -> None:
    """Refuse a reading that lost a line; what was odd and yet read is no loss."""
    lost = faults.filter(~pl.col("reason").is_in(READ_ALL_THE_SAME))
    for path, line, reason in lost.select("path", "line", "reason").iter_rows():
        raise FileDamaged(
            f"{path}, line {line}",
            found=reason,
            expected="whole signals",
            remedy="restore the file, or remove it and its performance file to repeat the trial",
        )
