"""The reality check, the long-run deviation and the bootstrap against arch, on real stocks."""

import warnings

import numpy as np
import polars as pl
import pytest

from workspace_kit.analysis import bootstrap
from workspace_kit.analysis.bootstrap import confidence_interval, mean_block, reality_check

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    datasets = pytest.importorskip("skfolio.datasets")
    arch = pytest.importorskip("arch.bootstrap")

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]

CONFIGURATIONS = 200
DRAWS = 200


@pytest.fixture(scope="module")
def returns():
    return datasets.load_sp500_dataset().pct_change().dropna().to_numpy()


def samples(returns, seed):
    """Random strategies: some stocks over a random window, the first of them as the benchmark."""
    generator = np.random.default_rng(seed)
    for number in range(CONFIGURATIONS):
        members, bars = int(generator.integers(2, 15)), int(generator.integers(30, 600))
        first = int(generator.integers(0, len(returns) - bars))
        chosen = generator.choice(returns.shape[1], members + 1, replace=False)
        window = returns[first : first + bars, chosen]
        yield number, window[:, 0], window[:, 1:]


def report(name, differences, tolerance):
    print(f"{name}: {len(differences)} configurations, largest difference {max(differences):.1e}")  # noqa: T201
    assert max(differences) <= tolerance


class Draws(arch.StationaryBootstrap):
    """Draw what we drew, so that answers must agree to the last digit."""

    def __init__(self, order, data):
        super().__init__(5, data)
        self.order = iter(order)

    def update_indices(self):
        return next(self.order)


def test_the_reality_check_agrees_with_arch_draw_for_draw(returns):
    differences = []
    for seed, benchmark, trials in samples(returns, 1):
        mine = reality_check(trials, benchmark, draws=DRAWS, seed=seed)
        # Losses: the referee asks who loses least. It does not studentise, though it says so.
        theirs = arch.SPA(-benchmark, -trials, reps=DRAWS, block_size=5)
        theirs.bootstrap = Draws(
            bootstrap.stationary_draws(len(trials), draws=DRAWS, seed=seed), trials - benchmark[:, None]
        )
        theirs.compute()
        differences.append(abs(mine - (1 + theirs.pvalues["upper"] * DRAWS) / (DRAWS + 1)))
    report("reality check", differences, 1e-12)


def test_the_long_run_deviation_agrees_with_arch(returns, monkeypatch):
    monkeypatch.setattr(bootstrap, "mean_block", lambda _bars: 5.0)
    differences = []
    for _, benchmark, trials in samples(returns, 2):
        theirs = arch.SPA(-benchmark, -trials, reps=2, block_size=5)
        theirs.compute()
        mine = [bootstrap._long_run_deviation(column) for column in (trials - benchmark[:, None]).T]
        differences.append(np.abs(np.array(mine) / np.sqrt(theirs._loss_diff_var) - 1).max())
    report("long-run deviation", differences, 1e-9)


def test_p_values_agree_with_arch_s_own_draws_within_their_noise(returns):
    differences = []
    for seed, benchmark, trials in samples(returns, 3):
        mine = reality_check(trials, benchmark, draws=1000, seed=seed)
        theirs = arch.SPA(
            -benchmark, -trials, reps=1000, block_size=round(mean_block(len(trials))), seed=seed
        )
        theirs.compute()
        differences.append(abs(mine - theirs.pvalues["upper"]))
    report("reality check, other draws", differences, 0.12)


def test_intervals_of_a_mean_agree_with_arch_within_their_noise(returns):
    differences = []
    for seed, benchmark, _ in samples(returns, 4):
        mine = confidence_interval(
            pl.Series(benchmark), pl.col("return").mean(), confidence=0.95, draws=1000, seed=seed
        )
        draws = arch.StationaryBootstrap(mean_block(len(benchmark)), benchmark, seed=seed)
        theirs = draws.conf_int(np.mean, reps=1000, method="percentile", size=0.95).ravel()
        differences.append(np.abs(np.array(mine) - theirs).max() / np.ptp(theirs))
    report("intervals", differences, 0.15)
