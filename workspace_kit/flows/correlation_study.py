"""How alike trials are: their returns and their positions over train, each with each."""

from collections.abc import Mapping
from typing import NamedTuple

import polars as pl

from workspace_kit.analysis.correlation import correlations
from workspace_kit.flows.findings import Finding
from workspace_kit.flows.trial import replay_signals
from workspace_kit.flows.trip import Trip
from workspace_kit.layout import names
from workspace_kit.schema import TRAIN


class Series(NamedTuple):
    """A column per trial over train: ``returns`` by bar, ``positions`` by bar and symbol."""

    returns: pl.DataFrame
    positions: pl.DataFrame


class Correlated(NamedTuple):
    """The matrices of both with what explains them, by file key, and the mean correlation of returns."""

    findings: Mapping[str, Finding]
    mean: float | None


def series_on_train(trip: Trip, signals: Mapping[str, pl.DataFrame]) -> Series:
    """Replay what trials signalled over train."""
    bars = trip.market.bars(TRAIN)
    replays = {trial: replay_signals(rows, bars, config=trip.config) for trial, rows in signals.items()}
    return Series(
        pl.DataFrame({trial: each.bars["return"] for trial, each in replays.items()}),
        pl.DataFrame({trial: each.positions.ravel() for trial, each in replays.items()}),
    )


def correlate(trip: Trip, series: Series) -> Correlated:
    """Correlate each trial with each, over the bars configured."""
    returns, mean = _matrix(trip, names.RETURN_CORRELATIONS, series.returns)
    positions, _ = _matrix(trip, names.POSITION_CORRELATIONS, series.positions)
    return Correlated({**returns, **positions}, mean)


def _matrix(trip: Trip, key: str, series: pl.DataFrame) -> tuple[dict[str, Finding], float | None]:
    """Return the matrix over all trials with what explains it, and the mean over all pairs."""
    window = trip.config.correlation.window
    found = correlations(series, min_overlap=trip.config.minimum_bars, window=window)
    about = {
        "coefficient": "Pearson",
        "window": window,
        "rows": series.height,
        "period": TRAIN,
        "bars": trip.market.bars(TRAIN).timestamps.len(),
    }
    mean = found.pairs.select(pl.col("correlation").mean().cast(pl.Float64)).item()
    return {f"{key}.meta": about, key: found.matrix}, mean
