"""How far a number might have come out otherwise: the stationary bootstrap, and the tests built on it.

Bars are drawn in blocks of random length with a mean of T^(1/3), so that what hangs together in time stays
together. The seed decides every draw.

Source of the bootstrap: Politis and Romano (1994), "The Stationary Bootstrap".
"""

import math
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from workspace_kit.shown import as_html

Array = NDArray[np.float64]

BATCH = 128
FEWEST_BARS = 3


class Superiority(NamedTuple):
    """P-values of "no trial is better than the benchmark"; Hansen's is the consistent one between bounds."""

    lower: float
    consistent: float
    upper: float

    def _repr_html_(self) -> str:
        return as_html(self)


def mean_block(bars: int) -> float:
    """Return the mean length of a block of bars: T^(1/3), at least one bar."""
    return max(1.0, math.cbrt(bars))


def stationary_draws(bars: int, *, draws: int, seed: int) -> NDArray[np.int64]:
    """Return draws x bars: which bar stands where in each draw; blocks wrap around the end."""
    generator = np.random.default_rng(seed)
    begins = generator.random((draws, bars)) < 1 / mean_block(bars)
    begins[:, :1] = True
    starts = generator.integers(0, max(bars, 1), (draws, bars))
    place = np.arange(bars)
    begun = np.maximum.accumulate(np.where(begins, place, 0), axis=1)
    return np.asarray((np.take_along_axis(starts, begun, axis=1) + place - begun) % max(bars, 1))


def confidence_interval(
    returns: pl.Series, measure: pl.Expr, *, confidence: float, draws: int, seed: int
) -> tuple[float, float] | None:
    """Return the percentile interval of a measure of returns.

    ``measure`` reduces the column ``return`` to one value. Draws in which it is null are left out; None
    where fewer than half of them are left.
    """
    known = returns.drop_nulls().to_numpy()
    order = stationary_draws(len(known), draws=draws, seed=seed)
    drawn = pl.DataFrame(
        {"draw": np.repeat(np.arange(draws), len(known)), "return": known[order.ravel()]},
        schema={"draw": pl.Int64, "return": pl.Float64},
    )
    values = drawn.group_by("draw", maintain_order=True).agg(measure.alias("value"))["value"].drop_nulls()
    if 2 * len(values) < draws:
        return None
    low, high = np.quantile(values.to_numpy(), [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def reality_check(returns: Array, benchmark: Array, *, draws: int, seed: int) -> float | None:
    """Return the p-value of "no trial earns more per bar than the benchmark", not studentised.

    Takes returns (bars x trials, no gaps) and the benchmark's. None without trials or for fewer than three
    bars.

    Source: White (2000), "A Reality Check for Data Snooping"; p = (1 + exceeding draws) / (draws + 1).
    """
    excess = returns - benchmark[:, None]
    if not excess.shape[1] or len(excess) < FEWEST_BARS:
        return None
    mean = excess.mean(axis=0)
    exceeding = sum(
        int(((drawn - mean).max(axis=1) >= mean.max()).sum())
        for drawn in _drawn_means(excess, draws=draws, seed=seed)
    )
    return (1 + exceeding) / (draws + 1)


def superior_predictive_ability(
    returns: Array, benchmark: Array, *, draws: int, seed: int
) -> Superiority | None:
    """Return Hansen's p-values of "no trial earns more per bar than the benchmark", studentised.

    Takes returns (bars x trials, no gaps) and the benchmark's. A trial that differs from the benchmark by a
    constant is left out. None where no trial is left, or for fewer than three bars.

    Source: Hansen (2005), "A Test for Superior Predictive Ability"; p = (1 + exceeding draws) / (draws + 1).
    """
    excess = returns - benchmark[:, None]
    bars = len(excess)
    deviation = np.array([_long_run_deviation(column) if bars >= FEWEST_BARS else 0.0 for column in excess.T])
    excess, deviation = excess[:, deviation > 0], deviation[deviation > 0]
    if not len(deviation):
        return None
    mean, scale = excess.mean(axis=0), math.sqrt(bars) / deviation
    statistic = max(0.0, (mean * scale).max())
    hopeless = mean * scale < -math.sqrt(2 * math.log(math.log(bars)))
    centres = (np.maximum(mean, 0.0), np.where(hopeless, 0.0, mean), mean)
    exceeding = np.zeros(len(centres), dtype=np.int64)
    for drawn in _drawn_means(excess, draws=draws, seed=seed):
        for row, centre in enumerate(centres):
            best = ((drawn - centre) * scale).max(axis=1).clip(min=0.0)
            exceeding[row] += int((best >= statistic).sum())
    return Superiority(*((1 + exceeding) / (draws + 1)).tolist())


def _drawn_means(excess: Array, *, draws: int, seed: int) -> list[Array]:
    """Mean of each column over each draw: how often each bar was drawn, times its value."""
    bars = len(excess)
    order = stationary_draws(bars, draws=draws, seed=seed)
    means = []
    for first in range(0, draws, BATCH):
        times = np.array([np.bincount(draw, minlength=bars) for draw in order[first : first + BATCH]])
        means.append(times.astype(np.float64) @ excess / bars)
    return means


def _long_run_deviation(column: Array) -> float:
    """Deviation of sqrt(T) times the mean that the stationary bootstrap has itself (Politis and Romano)."""
    if column.max() == column.min():
        return 0.0
    bars = len(column)
    size = 1 << (2 * bars - 1).bit_length()
    spectrum = np.fft.rfft(column - column.mean(), size)
    covariance = np.fft.irfft(np.abs(spectrum) ** 2, size)[:bars] / bars
    lag, stay = np.arange(bars), 1 - 1 / mean_block(bars)
    kernel = (1 - lag / bars) * stay**lag + lag / bars * stay ** (bars - lag)
    return math.sqrt(max(0.0, 2 * (kernel * covariance).sum() - covariance[0]))
