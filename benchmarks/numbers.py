"""P10 and P11: the odds that the best is luck, over every split; and how alike a thousand trials are."""

import itertools
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
from numpy.typing import NDArray

from benchmarks import shapes
from benchmarks.measure import Benchmark, Target, Way, nothing
from benchmarks.targets import OURS, megabytes, seconds, times_the_time
from workspace_kit.analysis.correlation import correlations
from workspace_kit.analysis.cross_validation import probability_of_overfitting

BLOCKS = 16
BLAS, PANDAS, NUMPY = "one BLAS product", "pandas.DataFrame.corr", "numpy.corrcoef"
GAPS = 0.02
Array = NDArray[np.float64]


def benchmarks(*, trials: int, short: int, long: int) -> list[Benchmark]:
    """Return them, for so many trials over a short and a long time."""
    return [
        _overfitting(trials, short),
        _alike("P11", trials, long, gaps=0.0, limit=times_the_time(2, BLAS)),
        _alike("P11 gaps", trials, long, gaps=GAPS, limit=times_the_time(8, BLAS)),
    ]


def amounts(_folder: Path, *, trials: int) -> Mapping[str, float]:
    """Count the trials."""
    return {"trials": trials}


# The probability of overfitting.


def _overfitting(trials: int, bars: int) -> Benchmark:
    return Benchmark(
        "P10",
        f"probability of overfitting, exact, {BLOCKS} blocks",
        f"{trials:,} trials x {bars:,} days",
        "arrays in memory",
        nothing,
        (
            Way(OURS, "ours", partial(all_splits, trials=trials, bars=bars)),
            Way("NumPy, a split at a time", "peer", partial(each_split, trials=trials, bars=bars)),
        ),
        partial(amounts, trials=trials),
        (seconds(0.5), megabytes(300)),
    )


def all_splits(_folder: Path, *, trials: int, bars: int) -> Callable[[], tuple[float, float]]:
    """Halve the blocks in every way at once."""
    series = shapes.returns(trials=trials, bars=bars)

    def call() -> tuple[float, float]:
        found = probability_of_overfitting(series, blocks=BLOCKS, metric="sharpe_ratio")
        return found.probability or 0.0, float(found.logits.mean())

    return call


def each_split(_folder: Path, *, trials: int, bars: int) -> Callable[[], tuple[float, float]]:
    """Go through the splits, from sums over blocks."""
    series = shapes.returns(trials=trials, bars=bars)

    def call() -> tuple[float, float]:
        edges = [bars * part // BLOCKS for part in range(BLOCKS + 1)]
        blocks = [series[start:end] for start, end in itertools.pairwise(edges)]
        sums = np.array([[block.sum(axis=0), (block**2).sum(axis=0)] for block in blocks])
        counts, whole = np.array([len(block) for block in blocks]), sums.sum(axis=0)
        logits = []
        for half in itertools.combinations(range(BLOCKS), BLOCKS // 2):
            chosen = list(half)
            inside, count = sums[chosen].sum(axis=0), counts[chosen].sum()
            best = _sharpe(inside, count).argmax()
            outside = _sharpe(whole - inside, bars - count)
            place = ((outside <= outside[best]).sum()) / (trials + 1)
            logits.append(np.log(place / (1 - place)))
        return float((np.array(logits) <= 0).mean()), float(np.mean(logits))

    return call


def _sharpe(sums: Array, count: int) -> Array:
    mean = sums[0] / count
    return np.asarray(mean / np.sqrt((sums[1] - count * mean**2) / (count - 1)))


# Correlation.


def _alike(id_: str, trials: int, bars: int, *, gaps: float, limit: Target) -> Benchmark:
    chosen = {"trials": trials, "bars": bars, "gaps": gaps}
    peer = Way(NUMPY, "peer", partial(by_numpy, **chosen))
    if gaps:
        peer = Way(PANDAS, "peer", partial(by_pandas, **chosen))
    return Benchmark(
        id_,
        "correlation of every pair of trials" + (", pairwise around gaps" if gaps else ""),
        f"{trials:,} trials x {bars:,} days" + (f", {gaps:.0%} of the values missing" if gaps else ""),
        "arrays in memory; equal within 1e-09, as they are written",
        nothing,
        (
            Way(OURS, "ours", partial(by_us, **chosen)),
            peer,
            Way(BLAS, "floor", partial(bare_product, **chosen)),
        ),
        partial(amounts, trials=trials),
        (limit,),
        tolerance=1.1e-9,
    )


def _series(trials: int, bars: int, gaps: float) -> Array:
    series = shapes.returns(trials=trials, bars=bars)
    series[np.random.default_rng(8).random(series.shape) < gaps] = np.nan
    return series


def by_us(_folder: Path, *, trials: int, bars: int, gaps: float) -> Callable[[], Array]:
    """Return the square that is written."""
    names = [f"trial_{number}" for number in range(trials)]
    frame = pl.DataFrame(_series(trials, bars, gaps), schema=names).fill_nan(None)
    frame.insert_column(0, shapes.days(bars))

    def call() -> Array:
        found = correlations(frame, min_overlap=2, window="pairwise")
        return found.matrix.drop("trial_id").to_numpy()

    return call


def by_numpy(_folder: Path, *, trials: int, bars: int, gaps: float) -> Callable[[], Array]:
    """Return coefficients of series without gaps."""
    return partial(np.corrcoef, _series(trials, bars, gaps), rowvar=False)


def by_pandas(_folder: Path, *, trials: int, bars: int, gaps: float) -> Callable[[], Array]:
    """Return coefficients over the days that both of a pair have."""
    frame = pd.DataFrame(_series(trials, bars, gaps))
    return lambda: frame.corr().to_numpy()


def bare_product(_folder: Path, *, trials: int, bars: int, gaps: float) -> Callable[[], Array]:
    """Multiply, and nothing else."""
    series = np.ascontiguousarray(np.nan_to_num(_series(trials, bars, gaps)).T)
    return lambda: series @ series.T
