"""Correlations against pandas, on random sets of real stocks with and without gaps."""

import warnings

import numpy as np
import polars as pl
import pytest

from workspace_kit.analysis.correlation import correlations

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    datasets = pytest.importorskip("skfolio.datasets")

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]

CONFIGURATIONS = 300
ROUNDING = 5.1e-10


@pytest.mark.parametrize("window", ["pairwise", "common"])
def test_correlations_agree_with_pandas(window):
    stocks = datasets.load_sp500_dataset().pct_change().dropna()
    generator = np.random.default_rng(1)
    largest = 0.0
    for number in range(CONFIGURATIONS):
        members, bars = int(generator.integers(2, 21)), int(generator.integers(5, 2000))
        first = int(generator.integers(0, len(stocks) - bars))
        chosen = sorted(generator.choice(stocks.shape[1], members, replace=False))
        returns = stocks.iloc[first : first + bars, chosen].copy()
        if number % 2:
            # Trials that begin late, and single bars missing.
            for column in range(members):
                returns.iloc[: int(generator.integers(0, bars // 2)), column] = np.nan
            returns = returns.mask(generator.random(returns.shape) < 0.05)
        expected = (returns.dropna() if window == "common" else returns).corr(min_periods=20).to_numpy()
        frame = pl.DataFrame(
            {f"trial_{n}": returns.iloc[:, n].to_numpy() for n in range(members)}, nan_to_null=True
        ).with_row_index("timestamp")
        found = correlations(frame, min_overlap=20, window=window).matrix.drop("trial_id").to_numpy()
        if window == "common" and len(returns.dropna()) < 20:
            expected = np.full(expected.shape, np.nan)
        assert np.array_equal(np.isnan(found), np.isnan(expected))
        if not np.isnan(expected).all():
            largest = max(largest, float(np.nanmax(np.abs(found - expected))))
    print(f"{window}: {CONFIGURATIONS} configurations, largest difference {largest:.1e}")  # noqa: T201
    assert 0 < largest <= ROUNDING
