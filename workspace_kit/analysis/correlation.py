"""How alike the trials are: Pearson's coefficient for each pair of series, and an order that shows clusters.

Coefficients have nine decimals. A matrix product rounds its last digits as it likes, by threads and by
width, so a coefficient too close to the middle between two decimals is computed again, by itself: the
bytes depend on the pair alone.
"""

from typing import Literal, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from workspace_kit.schema import COUNT, NUMBER, naturally
from workspace_kit.shown import as_html

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Counts = NDArray[np.int64]

DECIMALS = 9
# Sums of products of unit vectors, added block by block, are off by less; differences of such sums by more.
PRODUCT_ERROR = 1e-13
DIFFERENCE_ERROR = 5e-13
WORST_CONDITION = 2.0
# Two series more alike than this are one that was tried twice.
NEAR_IDENTICAL = 0.9999


class Correlations(NamedTuple):
    """Every pair once (``trial_a, trial_b, correlation, bars``), and the same as a square.

    The square has ``trial_id`` and a column per trial. Rows, columns and pairs are in natural order; a
    coefficient is null where a series is constant or the bars are too few.
    """

    pairs: pl.DataFrame
    matrix: pl.DataFrame

    def _repr_html_(self) -> str:
        return as_html(self)


def correlations(
    returns: pl.DataFrame, *, min_overlap: int, window: Literal["common", "pairwise"]
) -> Correlations:
    """Correlate every series with every other.

    Takes ``timestamp`` and a column per trial, one row per bar, null where a trial has none. ``common``
    uses the bars that all trials have, ``pairwise`` for each pair those that both have. Fewer bars than
    ``min_overlap`` (or than two) give null.
    """
    names = naturally(returns.drop("timestamp", strict=False).columns)
    # A row per trial: its sums then run over neighbours in memory, whatever the number of trials.
    series = returns.select(names).cast(NUMBER).to_numpy().T
    gaps = np.isnan(series)
    if window == "common" and gaps.any():
        complete = ~gaps.any(axis=0)
        series, gaps = series[:, complete], gaps[:, complete]
    if gaps.any():
        bars = _overlaps(~gaps)
        values, doubt = _with_gaps(series, ~gaps, bars)
    else:
        bars = np.full((len(names), len(names)), series.shape[1], dtype=np.int64)
        values, doubt = _without_gaps(series)
    _settle(values, doubt, series)
    values[bars < max(min_overlap, 2)] = np.nan
    return Correlations(_pairs(names, values, bars), _square(names, values))


def cluster_order(matrix: pl.DataFrame) -> list[str]:
    """Return the trials so that alike ones are neighbours.

    Takes the square of `correlations`. Average linkage on the distance sqrt((1 - correlation) / 2), leaves
    ordered so that neighbours are nearest; a missing coefficient counts as 0.
    """
    names = matrix["trial_id"].to_list()
    if len(names) < 3:
        return names
    values = matrix.drop("trial_id").fill_null(0.0).to_numpy().copy()
    np.fill_diagonal(values, 1.0)
    distance = squareform(np.sqrt((1 - values) / 2), checks=False)
    order = leaves_list(linkage(distance, method="average", optimal_ordering=True))
    return [names[leaf] for leaf in order]


def near_identical(pairs: pl.DataFrame) -> list[list[str]]:
    """Return the pairs of `correlations` that are hardly two: those correlated above `NEAR_IDENTICAL`."""
    alike = pairs.filter(pl.col("correlation") > NEAR_IDENTICAL)
    return [list(pair) for pair in alike.select("trial_a", "trial_b").iter_rows()]


def _overlaps(known: Flags) -> Counts:
    """Bars that each pair has in common; single precision counts them exactly up to 2^24."""
    ones = known.astype(np.float32)
    return (ones @ ones.T).astype(np.int64)


def _without_gaps(series: Array) -> tuple[Array, Flags]:
    """Coefficients of complete series, and which of them have to be computed again."""
    unit = np.empty(series.shape)
    for row, values in enumerate(series):
        unit[row] = _unit(values)
    values = unit @ unit.T
    return values, _near_middle(values, PRODUCT_ERROR)


def _with_gaps(series: Array, known: Flags, bars: Counts) -> tuple[Array, Flags]:
    """Coefficients over each pair's own bars, and which of them have to be computed again."""
    unit = np.zeros(series.shape)
    for row, has in enumerate(known):
        unit[row, has] = _unit(series[row, has])
    ones, count = known.astype(np.float64), np.maximum(bars, 1)
    total, square = unit @ ones.T, unit * unit @ ones.T
    spread = square - total**2 / count
    ill = square >= WORST_CONDITION * spread
    spread[ill] = np.nan
    values = (unit @ unit.T - total * total.T / count) / np.sqrt(spread * spread.T)
    return values, ill | ill.T | _near_middle(values, DIFFERENCE_ERROR)


def _unit(series: Array) -> Array:
    """Series about its mean, of length 1; NaN where it is constant."""
    if not series.size or series.max() == series.min():
        return np.full(series.shape, np.nan)
    about = series - series.mean()
    return np.asarray(about / (np.sqrt((about * about).sum()) or np.nan), dtype=np.float64)


def _near_middle(values: Array, error: float) -> Flags:
    """Whether an error this small could round a coefficient to another decimal."""
    units = values * 10**DECIMALS
    return np.asarray(np.abs(units - np.floor(units) - 0.5) <= error * 10**DECIMALS, dtype=np.bool_)


def _settle(values: Array, doubt: Flags, series: Array) -> None:
    """Compute the doubtful coefficients one by one, mirror them, and round all."""
    for row, column in np.argwhere(np.triu(doubt, k=1)):
        values[row, column] = values[column, row] = _coefficient(series[row], series[column])
    np.fill_diagonal(values, np.where(np.isnan(values.diagonal()), np.nan, 1.0))
    np.clip(values.round(DECIMALS), -1.0, 1.0, out=values)


def _coefficient(first: Array, second: Array) -> float:
    """Pearson's coefficient of two series over the bars that both have; NaN where one is constant there."""
    both = ~(np.isnan(first) | np.isnan(second))
    return float((_unit(first[both]) * _unit(second[both])).sum())


def _pairs(names: list[str], values: Array, bars: Counts) -> pl.DataFrame:
    rows, columns = np.triu_indices(len(names), k=1)
    trials = pl.Series("trial", names, dtype=pl.String)
    return pl.DataFrame(
        {
            "trial_a": trials.gather(rows),
            "trial_b": trials.gather(columns),
            "correlation": pl.Series(values[rows, columns], dtype=NUMBER, nan_to_null=True),
            "bars": pl.Series(bars[rows, columns], dtype=COUNT),
        }
    )


def _square(names: list[str], values: Array) -> pl.DataFrame:
    square = pl.DataFrame(values, schema=names, nan_to_null=True)
    return square.insert_column(0, pl.Series("trial_id", names, dtype=pl.String))
