import json
import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workspace_kit.analysis.ensemble import (
    check_weights,
    choose,
    effective_members,
    round_weights,
    simplex_grid,
    simplex_sample,
    simplex_size,
    switch,
    weigh,
)
from workspace_kit.errors import ConfigError
from workspace_kit.schema import BEAR, BULL, NEUTRAL

SHARES = st.lists(st.floats(0.001, 1), min_size=1, max_size=12).map(
    lambda raw: [each / math.fsum(raw) for each in raw]
)


def test_four_members_in_tenths_have_286_weight_sets():
    grid = simplex_grid(4, step=0.1, cap=1.0)
    assert grid.shape == (286, 4)
    assert simplex_size(4, step=0.1) == 286


@pytest.mark.parametrize(("members", "step"), [(1, 0.1), (2, 0.25), (3, 0.2), (5, 0.1), (8, 0.25)])
def test_the_grid_holds_every_set_once_in_order_and_every_weight_is_a_multiple(members, step):
    grid = simplex_grid(members, step=step, cap=1.0)
    steps = round(1 / step)
    assert grid.tolist() == sorted(map(list, {tuple(row) for row in grid.tolist()}))
    assert len(grid) == math.comb(members + steps - 1, members - 1)
    assert set(grid.ravel().tolist()) <= {count / steps for count in range(steps + 1)}
    assert np.abs(grid.sum(axis=1) - 1).max() <= 1e-12


def test_a_cap_leaves_out_the_sets_above_it():
    whole, capped = simplex_grid(3, step=0.1, cap=1.0), simplex_grid(3, step=0.1, cap=0.4)
    assert capped.tolist() == [row for row in whole.tolist() if max(row) <= 0.4]
    assert capped.max() == 0.4


@pytest.mark.parametrize("step", [0.3, 0.07])
def test_a_step_that_does_not_divide_one_is_refused(step):
    with pytest.raises(ConfigError, match="divides 1"):
        simplex_grid(3, step=step, cap=1.0)


def test_a_cap_that_no_set_keeps_is_refused():
    with pytest.raises(ConfigError, match=r"at least 0\.3333"):
        simplex_grid(3, step=0.1, cap=0.3)


def test_a_sample_of_the_simplex_keeps_the_cap_sums_to_one_and_repeats_with_its_seed():
    sample = simplex_sample(6, sets=500, cap=0.5, seed=7)
    assert sample.shape == (500, 6)
    assert sample.max() <= 0.5 + 2e-9
    assert sample.min() >= 0
    assert np.abs(sample.sum(axis=1) - 1).max() <= 1e-12
    assert np.array_equal(sample, simplex_sample(6, sets=500, cap=0.5, seed=7))
    assert not np.array_equal(sample, simplex_sample(6, sets=500, cap=0.5, seed=8))


def test_a_member_follows_the_winner_of_the_regime_known_at_each_close():
    targets = {
        name: np.full((5, 2), value) for name, value in (("trial_0", 0.1), ("trial_1", 0.2), ("trial_2", 0.3))
    }
    labels = [None, BULL, BEAR, NEUTRAL, BULL]
    chosen = switch(targets, labels, {BULL: "trial_1", BEAR: "trial_2"}, otherwise="trial_0")
    assert chosen[:, 0].tolist() == [0.1, 0.2, 0.3, 0.1, 0.2]
    assert chosen[:, 1].tolist() == chosen[:, 0].tolist()
    assert targets["trial_0"].max() == 0.1


def test_a_member_without_bars_has_no_targets():
    assert switch({"trial_0": np.empty((0, 3))}, [], {}, otherwise="trial_0").shape == (0, 3)


def test_the_ensemble_earns_the_weighted_sum_of_its_members():
    returns = np.array([[0.01, -0.02], [0.03, 0.04]])
    weights = np.array([[1.0, 0.0], [0.5, 0.5], [0.25, 0.75]])
    expected = [[0.01, -0.005, -0.0125], [0.03, 0.035, 0.0375]]
    assert weigh(returns, weights) == pytest.approx(np.array(expected), abs=1e-15)


@settings(deadline=None, max_examples=30)
@given(bars=st.integers(0, 40), members=st.integers(1, 6), seed=st.integers(0, 99))
def test_a_weight_set_earns_the_same_to_the_last_bit_alone_or_among_others(bars, members, seed):
    returns = np.random.default_rng(seed).standard_normal((bars, members)) * 0.01
    weights = simplex_grid(members, step=0.25, cap=1.0)
    together = weigh(returns, weights)
    for row in range(len(weights)):
        assert weigh(returns, weights[row : row + 1])[:, 0].tobytes() == together[:, row].tobytes()


def test_the_highest_score_is_chosen():
    grid = simplex_grid(2, step=0.5, cap=1.0)
    assert choose(grid, [0.1, 0.3, 0.2], metric="sharpe_ratio") == (1, None)
    assert choose(grid, [None, None, 0.2], metric="sharpe_ratio") == (2, None)


def test_of_equal_scores_the_set_nearest_to_equal_weight_is_chosen_then_the_first():
    grid = simplex_grid(4, step=0.1, cap=1.0)
    assert grid[choose(grid, [1.0] * len(grid), metric="sharpe_ratio").row].tolist() == [0.2, 0.2, 0.3, 0.3]
    corners = np.eye(3)
    assert choose(corners, [1.0, 1.0, 1.0], metric="sharpe_ratio").row == 0


@pytest.mark.parametrize("scores", [[-1.0, -2.0, -3.0], [None, None, None], [-1.0, None, None]])
def test_where_nothing_is_worth_choosing_equal_weight_stands_in_and_says_so(scores):
    chosen = choose(simplex_grid(2, step=0.5, cap=1.0), scores, metric="sharpe_ratio")
    assert chosen.row == 1
    assert "equal weight" in chosen.reason


def test_a_drawdown_is_negative_and_chosen_all_the_same():
    assert choose(simplex_grid(2, step=0.5, cap=1.0), [-0.1, -0.2, -0.3], metric="max_drawdown") == (0, None)


def test_the_effective_number_of_members_counts_equal_ones_in_full():
    assert effective_members([0.25] * 4) == pytest.approx(4)
    assert effective_members([1.0, 0.0]) == 1
    assert effective_members([0.5, 0.3, 0.2]) == pytest.approx(1 / 0.38)


def test_weights_come_back_in_the_order_of_the_members():
    weights = check_weights({"b": 0.3, "a": 0.7}, members=["a", "b"], where="test")
    assert weights.tolist() == [0.7, 0.3]


@pytest.mark.parametrize(
    "weights",
    [
        {"a": 0.5},
        {"a": 0.5, "b": 0.5, "c": 0.0},
        {"a": 1.5, "b": -0.5},
        {"a": 0.5, "b": float("nan")},
        {"a": 0.5, "b": float("inf")},
        {"a": 0.5, "b": 0.5000001},
        {"a": 0.0, "b": 0.0},
        {},
    ],
)
def test_bad_weights_are_refused_and_never_rescaled(weights):
    with pytest.raises(ConfigError):
        check_weights(weights, members=["a", "b"], where="test")


@settings(deadline=None, max_examples=100)
@given(shares=SHARES)
def test_rounded_weights_sum_to_exactly_one_as_written_and_move_by_less_than_a_unit(shares):
    rounded = round_weights(shares)
    written = json.dumps(rounded)
    assert sum(json.loads(written, parse_float=Decimal)) == 1
    assert max(abs(a - b) for a, b in zip(rounded, shares, strict=True)) < 1.0000001e-9
    assert round_weights(rounded) == rounded


def test_the_largest_remainder_is_rounded_up_first():
    assert round_weights([1 / 3, 1 / 3, 1 / 3]) == [0.333333334, 0.333333333, 0.333333333]
    assert round_weights([1 / 6, 1 / 6, 2 / 3]) == [0.166666667, 0.166666667, 0.666666666]
