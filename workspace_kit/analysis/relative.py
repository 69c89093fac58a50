"""How a track record moves with what it is held against.

Frames have ``return`` and ``benchmark``: simple returns of the same bars. Every value is a plain number by
name, None where it does not exist (fewer than three bars in common, a benchmark that never moves).
"""

import math
from collections.abc import Mapping

import numpy as np
import polars as pl

from workspace_kit.analysis.measures import correlation, excess_returns

NAMES = (
    "alpha",
    "beta",
    "correlation",
    "r_squared",
    "tracking_error",
    "information_ratio",
    "treynor_ratio",
    "up_capture",
    "down_capture",
)
_FEWEST = 3


def against_benchmark(
    pairs: pl.DataFrame, *, periods_per_year: float, risk_free_rate: float
) -> Mapping[str, float | None]:
    """Return alpha (a year's, arithmetic), beta, correlation, R², tracking error and the ratios upon them.

    Information ratio is the annualised mean difference over its sample deviation; Treynor's the annualised
    mean excess return over beta; a capture is the mean return over the benchmark's mean, on the bars on
    which the benchmark rose (fell).
    """
    rates = {"periods_per_year": periods_per_year, "risk_free_rate": risk_free_rate}
    both = pairs.drop_nulls(["return", "benchmark"])
    mine, theirs = (excess_returns(both[name], **rates).to_numpy() for name in ("return", "benchmark"))
    if len(mine) < _FEWEST or theirs.min() == theirs.max():
        return dict.fromkeys(NAMES)
    spread = float(theirs.var(ddof=1))
    if not spread:
        return dict.fromkeys(NAMES)
    beta = float(np.cov(mine, theirs, ddof=1)[0, 1]) / spread
    alpha = float(mine.mean() - beta * theirs.mean()) * periods_per_year
    together = correlation(mine, theirs)
    apart = mine - theirs
    error = float(apart.std(ddof=1)) if apart.min() < apart.max() else 0.0
    captured = [_capture(both, rising=rising) for rising in (True, False)]
    scale = math.sqrt(periods_per_year)
    values = (
        alpha,
        beta,
        together,
        None if together is None else together**2,
        error * scale,
        float(apart.mean()) / error * scale if error else None,
        float(mine.mean()) * periods_per_year / beta if beta else None,
        *captured,
    )
    return {
        name: None if value is None or not math.isfinite(value) else value
        for name, value in zip(NAMES, values, strict=True)
    }


def _capture(pairs: pl.DataFrame, *, rising: bool) -> float | None:
    theirs = pl.col("benchmark")
    some = pairs.filter(theirs > 0 if rising else theirs < 0)
    mine, whole = some["return"].to_numpy(), some["benchmark"].to_numpy()
    return float(mine.mean() / whole.mean()) if len(some) else None
