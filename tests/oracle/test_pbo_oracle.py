"""The probability of backtest overfitting against every split spelt out, on real stocks."""

import warnings

import numpy as np
import pytest

from tests.analysis.test_cross_validation import PLAIN, brute_force
from workspace_kit.analysis.cross_validation import probability_of_overfitting

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    datasets = pytest.importorskip("skfolio.datasets")

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]

CONFIGURATIONS = 200


def test_block_sums_give_what_every_split_gives_on_real_returns():
    returns = datasets.load_sp500_dataset().pct_change().dropna().to_numpy()
    generator = np.random.default_rng(7)
    differences = []
    for _ in range(CONFIGURATIONS):
        blocks, trials = int(generator.choice([2, 4, 6])), int(generator.integers(2, 10))
        bars, metric = int(generator.integers(24, 200)), str(generator.choice(sorted(PLAIN)))
        first = int(generator.integers(0, len(returns) - bars))
        window = returns[first : first + bars, generator.choice(returns.shape[1], trials, replace=False)]
        found = probability_of_overfitting(window, blocks=blocks, metric=metric)
        expected = np.array(brute_force(window, blocks, PLAIN[metric])).reshape(-1, 3)
        spelt = np.array([found.logits, found.in_sample, found.out_of_sample]).T
        differences.append(np.abs(np.sort(spelt, axis=0) - np.sort(expected, axis=0)).max())
        assert found.probability == pytest.approx((expected[:, 0] <= 0).mean(), abs=1e-12)
    print(f"PBO: {len(differences)} configurations, largest difference {max(differences):.1e}")  # noqa: T201
    assert max(differences) < 1e-9
