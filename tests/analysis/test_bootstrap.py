import math

import numpy as np
import polars as pl
import pytest

from workspace_kit.analysis.bootstrap import (
    _long_run_deviation,
    confidence_interval,
    mean_block,
    reality_check,
    stationary_draws,
    superior_predictive_ability,
)
from workspace_kit.analysis.measures import sharpe_ratio, total_return

MEAN = pl.col("return").mean()


def noise(bars, trials=None, seed=0):
    return np.random.default_rng(seed).standard_normal((bars, trials) if trials else bars) * 0.01


def test_draws_consist_of_blocks_whose_mean_length_is_the_cube_root_of_the_bars():
    order = stationary_draws(1000, draws=200, seed=3)
    assert order.shape == (200, 1000)
    assert (order.min(), order.max()) == (0, 999)
    joins = (np.diff(order, axis=1) % 1000 == 1).mean()
    assert 1 / (1 - joins) == pytest.approx(10, rel=0.05)
    assert mean_block(1000) == pytest.approx(10)


def test_every_bar_is_drawn_equally_often():
    counts = np.bincount(stationary_draws(20, draws=5000, seed=3).ravel())
    assert counts == pytest.approx(np.full(20, 5000), rel=0.06)


def test_the_seed_decides_every_draw():
    assert np.array_equal(stationary_draws(50, draws=9, seed=1), stationary_draws(50, draws=9, seed=1))
    assert not np.array_equal(stationary_draws(50, draws=9, seed=1), stationary_draws(50, draws=9, seed=2))


def test_the_interval_of_a_mean_has_the_width_that_theory_gives():
    returns = pl.Series(noise(400))
    low, high = confidence_interval(returns, MEAN, confidence=0.95, draws=4000, seed=1)
    assert low < returns.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * returns.std() / 20, rel=0.25)


def test_more_confidence_asks_for_a_wider_interval():
    sharpe = sharpe_ratio("return", periods_per_year=12.0, risk_free_rate=0.0)
    narrow, wide = (
        confidence_interval(pl.Series(noise(120)), sharpe, confidence=confidence, draws=500, seed=1)
        for confidence in (0.5, 0.99)
    )
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_equal_returns_have_an_interval_of_no_width():
    low, high = confidence_interval(
        pl.Series([0.01] * 5), total_return("return"), confidence=0.95, draws=50, seed=1
    )
    assert low == high == pytest.approx(1.01**5 - 1)


def test_a_measure_that_does_not_exist_has_no_interval():
    sharpe = sharpe_ratio("return", periods_per_year=12.0, risk_free_rate=0.0)
    for returns in ([], [0.1], [0.1, 0.1, 0.1], [None, None]):
        series = pl.Series(returns, dtype=pl.Float64)
        assert confidence_interval(series, sharpe, confidence=0.95, draws=50, seed=1) is None


def test_nulls_are_left_out_of_the_interval():
    with_gaps = pl.Series([0.01, None, 0.02, -0.01, None, 0.0])
    interval = {"confidence": 0.9, "draws": 200, "seed": 1}
    assert confidence_interval(with_gaps, MEAN, **interval) == confidence_interval(
        with_gaps.drop_nulls(), MEAN, **interval
    )


def test_without_skill_p_values_are_spread_evenly():
    benchmark = np.zeros(120)
    checks = [reality_check(noise(120, 8, seed), benchmark, draws=100, seed=seed) for seed in range(60)]
    hansens = [
        superior_predictive_ability(noise(120, 8, seed), benchmark, draws=100, seed=seed).consistent
        for seed in range(60)
    ]
    for values in (checks, hansens):
        assert 0.35 < np.mean(values) < 0.65
        assert np.mean(np.array(values) <= 0.1) < 0.25


def test_a_trial_that_beats_the_benchmark_every_few_bars_is_found():
    returns, benchmark = noise(240, 10), noise(240, seed=9)
    returns[:, 4] = benchmark + 0.002 + noise(240, seed=5) * 0.2
    assert reality_check(returns, benchmark, draws=200, seed=1) < 0.4
    assert superior_predictive_ability(returns, benchmark, draws=200, seed=1) == (1 / 201, 1 / 201, 1 / 201)


def test_a_noisy_trial_hides_a_good_one_from_the_reality_check_but_not_from_the_studentised_test():
    benchmark = np.zeros(240)
    returns = np.column_stack([0.001 + noise(240, seed=5) * 0.2, noise(240, 20, seed=6) * 20])
    assert reality_check(returns, benchmark, draws=200, seed=1) > 0.1
    assert superior_predictive_ability(returns, benchmark, draws=200, seed=1).upper < 0.05


def test_the_three_p_values_come_in_order_and_bad_trials_raise_only_the_upper_one():
    benchmark = np.zeros(240)
    good = noise(240, 3) + 0.0006
    bad = noise(240, 60, seed=8) - 0.01
    lower, consistent, upper = superior_predictive_ability(
        np.column_stack([good, bad]), benchmark, draws=400, seed=1
    )
    assert lower <= consistent < upper
    assert consistent == pytest.approx(
        superior_predictive_ability(good, benchmark, draws=400, seed=1).consistent, abs=0.02
    )


def test_a_p_value_is_never_zero_and_never_above_one():
    returns = noise(60, 2) + 0.1
    assert reality_check(returns, np.zeros(60), draws=99, seed=1) == 1 / 100
    assert superior_predictive_ability(-returns, np.zeros(60), draws=99, seed=1).upper == 1.0


def test_the_studentised_deviation_is_that_of_the_bootstrapped_mean():
    column = noise(60).cumsum()
    means = column[stationary_draws(60, draws=20_000, seed=1)].mean(axis=1)
    assert _long_run_deviation(column) == pytest.approx(math.sqrt(60) * means.std(), rel=0.02)


@pytest.mark.parametrize("returns", [np.empty((0, 3)), np.empty((60, 0)), noise(2, 3), np.zeros((60, 2))])
def test_without_bars_or_trials_or_any_difference_there_is_no_superiority(returns):
    assert superior_predictive_ability(returns, np.zeros(len(returns)), draws=50, seed=1) is None


@pytest.mark.parametrize("returns", [np.empty((0, 3)), np.empty((60, 0)), noise(2, 3)])
def test_without_bars_or_trials_there_is_no_reality_check(returns):
    assert reality_check(returns, np.zeros(len(returns)), draws=50, seed=1) is None
