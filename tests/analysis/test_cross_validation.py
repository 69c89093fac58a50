import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workspace_kit.analysis.cross_validation import (
    deepest_drawdowns,
    logit_histogram,
    probability_of_overfitting,
    probability_of_overfitting_by,
    purged_splits,
    walk_forward,
)
from workspace_kit.errors import ConfigError


def noise(bars, trials, seed=0):
    return np.random.default_rng(seed).standard_normal((bars, trials)) * 0.01


def mean(rows):
    return [math.fsum(column) / len(column) for column in zip(*rows, strict=True)]


def sharpe(rows):
    deviations = np.std(rows, axis=0, ddof=1)
    return [m / s if s > 1e-12 else math.nan for m, s in zip(mean(rows), deviations, strict=True)]


def sortino(rows):
    shortfalls = mean([[min(value, 0.0) ** 2 for value in row] for row in rows])
    return [m / math.sqrt(s) if s else math.nan for m, s in zip(mean(rows), shortfalls, strict=True)]


def total(rows):
    return [math.prod(1 + value for value in column) - 1 for column in zip(*rows, strict=True)]


PLAIN = {"mean": mean, "sharpe_ratio": sharpe, "sortino_ratio": sortino, "total_return": total}


def brute_force(returns, blocks, score):
    """Combinatorially symmetric cross-validation spelt out: logits by the blocks in sample."""
    rows = returns.tolist()
    edges = [len(rows) * block // blocks for block in range(blocks + 1)]
    logits = {}
    for inside in itertools.combinations(range(blocks), blocks // 2):
        learnt, judged = [], []
        for block in range(blocks):
            (learnt if block in inside else judged).extend(rows[edges[block] : edges[block + 1]])
        first, second = score(learnt), [0.0 if math.isnan(value) else value for value in score(judged)]
        known = [-math.inf if math.isnan(value) else value for value in first]
        if max(known) > -math.inf:
            best = known.index(max(known))
            below = sum(value < second[best] for value in second)
            equal = sum(value == second[best] for value in second)
            relative = (below + (equal + 1) / 2) / (len(second) + 1)
            logits[inside] = (math.log(relative / (1 - relative)), first[best], second[best])
    return list(logits.values())


def test_pbo_by_hand():
    answer = probability_of_overfitting(
        np.array([[1.0, 0.0], [3.0, 1.0], [0.0, 2.0], [1.0, 5.0]]), blocks=2, metric="mean"
    )
    assert answer.probability == 1.0
    assert answer.logits.tolist() == pytest.approx([-0.693147, -0.693147], abs=1e-6)
    assert sorted(answer.in_sample) == [2.0, 3.5]
    assert answer.out_of_sample.tolist() == [0.5, 0.5]
    assert (answer.loss, answer.slope) == (0.0, 0.0)


@pytest.mark.parametrize("metric", sorted(PLAIN))
@settings(deadline=None, max_examples=12)
@given(
    blocks=st.sampled_from([2, 4, 6, 8]),
    extra=st.integers(0, 30),
    trials=st.integers(2, 6),
    seed=st.integers(0, 999),
)
def test_sums_over_blocks_give_what_every_split_spelt_out_gives(metric, blocks, extra, trials, seed):
    returns = noise(2 * blocks + extra, trials, seed)
    returns[: len(returns) // 3, 0] = 0.0
    answer = probability_of_overfitting(returns, blocks=blocks, metric=metric)
    expected = np.array(brute_force(returns, blocks, PLAIN[metric])).reshape(-1, 3)
    found = np.array([answer.logits, answer.in_sample, answer.out_of_sample]).T
    assert len(found) == len(expected)
    assert np.sort(found, axis=0) == pytest.approx(np.sort(expected, axis=0), abs=1e-9)
    assert answer.probability == pytest.approx((expected[:, 0] <= 0).mean())
    assert answer.loss == pytest.approx((expected[:, 2] < 0).mean())
    _, inside, outside = expected.T
    if np.ptp(inside) > 1e-3 * np.abs(inside).max():  # nearer than this, least squares has no one answer
        assert answer.slope == pytest.approx(np.polyfit(inside, outside, 1)[0], rel=1e-6, abs=1e-9)


def test_a_score_of_ones_own_gives_the_same_as_the_sums():
    returns = noise(60, 5)
    fast = probability_of_overfitting(returns, blocks=6, metric="sharpe_ratio")
    slow = probability_of_overfitting_by(
        returns, lambda rows: rows.mean(axis=0) / rows.std(axis=0, ddof=1), blocks=6
    )
    assert slow.logits.tolist() == fast.logits.tolist()
    assert slow.out_of_sample == pytest.approx(fast.out_of_sample, abs=1e-12)


def test_a_drawdown_is_measured_over_the_bars_of_the_half_in_order():
    assert deepest_drawdowns(np.array([[-0.1, 0.1], [0.5, -0.2], [-0.2, 0.3]])) == pytest.approx([-0.2, -0.2])
    assert deepest_drawdowns(np.array([[-0.5, 0.0], [0.1, 0.0]])) == pytest.approx([-0.5, 0.0])
    returns = noise(40, 4)
    answer = probability_of_overfitting_by(returns, deepest_drawdowns, blocks=4)
    expected = brute_force(returns, 4, lambda rows: deepest_drawdowns(np.array(rows)).tolist())
    assert sorted(answer.logits) == pytest.approx(sorted(logit for logit, *_ in expected))


def test_sixteen_blocks_make_12870_splits():
    assert len(
        probability_of_overfitting(noise(64, 3), blocks=16, metric="sharpe_ratio").logits
    ) == math.comb(16, 8)


def test_the_null_of_pbo_is_about_one_half_and_recentred_noise_gives_one():
    probabilities = [
        probability_of_overfitting(noise(240, 20, seed), blocks=8, metric="sharpe_ratio").probability
        for seed in range(30)
    ]
    assert 0.4 < np.mean(probabilities) < 0.6
    recentred = noise(240, 20) - noise(240, 20).mean(axis=0)
    assert probability_of_overfitting(recentred, blocks=8, metric="mean").probability == pytest.approx(
        1.0, abs=0.02
    )


def test_a_trial_that_is_truly_better_is_not_overfitted():
    returns = noise(240, 20)
    returns[:, 7] += 0.01
    answer = probability_of_overfitting(returns, blocks=8, metric="sharpe_ratio")
    assert (answer.probability, answer.loss) == (0.0, 0.0)


def test_equal_trials_score_equal_wherever_they_stand():
    returns = np.repeat(noise(100, 1), 50, axis=1)
    answer = probability_of_overfitting(returns, blocks=10, metric="sharpe_ratio")
    assert np.abs(answer.logits).max() <= 1e-15
    assert answer.probability == 1.0


def test_a_trial_that_never_trades_is_never_best_but_flat_beats_a_loss():
    returns = np.column_stack([np.zeros(40), np.full(40, -0.01) + noise(40, 1)[:, 0] * 0.1])
    answer = probability_of_overfitting(returns, blocks=4, metric="sharpe_ratio")
    assert answer.logits.tolist() == pytest.approx([-math.log(2)] * 6)


@pytest.mark.parametrize(
    "returns", [np.empty((0, 3)), noise(7, 3), noise(40, 1), np.empty((40, 0)), np.zeros((40, 3))]
)
def test_too_few_bars_or_trials_or_nothing_that_moves_give_none(returns):
    answer = probability_of_overfitting(returns, blocks=4, metric="sharpe_ratio")
    assert (answer.probability, answer.loss, answer.slope, len(answer.logits)) == (None, None, None, 0)


@pytest.mark.parametrize("blocks", [0, 1, 7])
def test_blocks_that_cannot_be_halved_are_refused(blocks):
    with pytest.raises(ConfigError, match="even number"):
        probability_of_overfitting(noise(40, 3), blocks=blocks, metric="mean")


def test_walking_forward_judges_each_later_bar_once_on_the_bars_right_before():
    assert walk_forward(10, train=4, test=3) == [(range(4), range(4, 7)), (range(3, 7), range(7, 10))]
    assert walk_forward(9, train=4, test=3)[-1] == (range(3, 7), range(7, 9))
    assert walk_forward(4, train=4, test=3) == walk_forward(0, train=4, test=3) == []


@settings(deadline=None, max_examples=50)
@given(bars=st.integers(0, 60), folds=st.integers(1, 6), horizon=st.integers(0, 8))
def test_purged_splits_judge_every_bar_once_and_never_learn_from_a_bar_held_into_the_judged_ones(
    bars, folds, horizon
):
    splits = purged_splits(bars, folds=folds, horizon=horizon)
    assert [bar for _, judged in splits for bar in judged] == list(range(bars))
    for learnt, judged in splits:
        assert all(bar + horizon < judged.start or bar >= judged.stop + horizon for bar in learnt)
        assert len(learnt) >= bars - len(judged) - 2 * horizon


def test_logits_up_to_zero_are_counted_in_the_bins_up_to_zero():
    logits = np.array([-2.3, -0.5, 0.0, 0.1, 0.5, 2.9])
    found = logit_histogram(logits, bins=6)
    below = [count for edge, count in zip(found["edges"][1:], found["counts"], strict=True) if edge <= 0]
    assert (found["edges"][0], found["edges"][-1]) == (-3.0, 3.0)
    assert (sum(below), sum(found["counts"])) == (3, 6)


def test_no_logit_makes_no_histogram():
    assert logit_histogram(np.array([]), bins=6) == {"edges": [], "counts": []}
    assert sum(logit_histogram(np.array([0.0, 0.0]), bins=2)["counts"]) == 2
