"""Trials as plain files."""

from collections.abc import Iterable
from pathlib import Path

import polars as pl

import workspace_kit as wk
from benchmarks.trackers.trials import BEST, SCORE, Trial

NAME = "workflow_1"


def start(place: Path) -> Path:
    """Make a workspace."""
    return wk.WorkspaceManager(place).create_workspace({"name": "trackers"}, name=NAME)


def write(workspace: Path, trials: Iterable[Trial]) -> None:
    """Write a document each."""
    for trial in trials:
        wk.write_trial(
            workspace,
            trial["trial_id"],
            parameters=trial["parameters"],
            metrics=trial["metrics"],
            trades=trial["trades"],
        )


def frame(place: Path) -> pl.DataFrame:
    """Return the view, and its parameter as a column."""
    with wk.open_catalog(place) as catalog:
        return catalog.sql("select *, cast(parameters->>'$.lookback' as bigint) as lookback from performance")


def best(place: Path) -> list[float]:
    """Ask the leaderboard."""
    with wk.open_catalog(place) as catalog:
        return catalog.answer("leaderboard", {"metric": SCORE, "most": BEST})["value"].to_list()
