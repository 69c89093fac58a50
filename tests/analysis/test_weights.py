import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workspace_kit.analysis.weights import METHODS, Choices, risk_shares, weigh_members
from workspace_kit.errors import ConfigError, DataError

FREE = Choices(cap=1.0, temperature=1.0, linkage="single")
BY_RISK = ("inverse_volatility", "risk_parity", "hierarchical_risk_parity")


def sample(seed, members, bars=60):
    generator = np.random.default_rng(seed)
    return generator.standard_normal((bars, members)) @ generator.standard_normal((members, members)) * 0.01


def values(returns, method, scores=None, choices=FREE):
    return weigh_members(returns, scores or [1.0] * returns.shape[1], method=method, choices=choices).values


def uncorrelated(*deviations):
    """Returns whose sample covariance is exactly diagonal, with these deviations."""
    signs = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])[:, : len(deviations)]
    return signs * np.array(deviations)


@pytest.mark.parametrize("method", sorted(METHODS))
@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000), members=st.integers(1, 8), room=st.floats(1.0, 3.0))
def test_weights_are_shares_that_keep_the_cap(method, seed, members, room):
    cap = min(1.0, room / members)
    scores = np.random.default_rng(seed).standard_normal(members).tolist()
    choices = Choices(cap=cap, temperature=0.5, linkage="average")
    weights = values(sample(seed, members), method, scores, choices)
    assert weights.min() >= 0
    assert weights.max() <= cap + 1e-9
    assert weights.sum() == pytest.approx(1, abs=1e-12)


def test_equal_weight_asks_nothing():
    assert values(sample(1, 4), "equal").tolist() == [0.25] * 4


def test_inverse_volatility_halves_the_weight_of_twice_the_volatility():
    assert values(uncorrelated(0.01, 0.02), "inverse_volatility") == pytest.approx([2 / 3, 1 / 3], abs=1e-12)


def test_softmax_tells_scores_apart_by_e_per_temperature():
    weights = values(
        sample(1, 3), "softmax", [1.0, 0.5, None], Choices(cap=1.0, temperature=0.5, linkage="single")
    )
    assert weights[0] / weights[1] == pytest.approx(np.e)
    assert weights[2] == 0


@pytest.mark.parametrize("scores", [[-0.1, -2.0], [None, None], [None, -1.0]])
def test_softmax_of_nothing_good_is_equal_weight_and_says_so(scores):
    answer = weigh_members(sample(1, 2), scores, method="softmax", choices=FREE)
    assert answer.values.tolist() == [0.5, 0.5]
    assert "equal weight" in answer.reason


def test_minimum_variance_of_uncorrelated_members_is_inverse_variance():
    weights = values(uncorrelated(0.01, 0.02, 0.04), "minimum_variance")
    assert weights == pytest.approx(np.array([16, 4, 1]) / 21, abs=1e-9)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), members=st.integers(2, 7), room=st.floats(1.1, 7.0))
def test_no_exchange_between_two_members_lowers_the_minimum_variance(seed, members, room):
    cap = min(1.0, room / members)
    returns = sample(seed, members)
    covariance = np.cov(returns.T)
    weights = values(returns, "minimum_variance", choices=Choices(cap=cap, temperature=1.0, linkage="single"))
    slope = covariance @ weights
    able_to_rise, able_to_fall = slope[weights < cap - 1e-9], slope[weights > 1e-9]
    assert able_to_rise.size == 0 or able_to_fall.max() - able_to_rise.min() <= 1e-9 * np.trace(covariance)


def test_a_cap_that_leaves_no_choice_is_kept():
    tight = Choices(cap=1 / 3, temperature=1.0, linkage="single")
    assert values(sample(1, 3), "minimum_variance", choices=tight) == pytest.approx([1 / 3] * 3, abs=1e-12)


@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize("factors", [[1, -1], [1, -2], [1, 1, 1], [1, 1e-6], [1e6, -1e-6]])
def test_members_that_hedge_or_repeat_one_another_still_have_weights(method, factors):
    weights = values(sample(1, 1) * np.array(factors), method)
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1, abs=1e-9)


def test_minimum_variance_of_identical_members_still_ends():
    returns = np.repeat(sample(1, 1), 3, axis=1)
    assert values(returns, "minimum_variance").sum() == pytest.approx(1)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), members=st.integers(1, 8))
def test_risk_parity_gives_every_member_the_same_share_of_the_risk(seed, members):
    returns = sample(seed, members)
    assert risk_shares(values(returns, "risk_parity"), returns) == pytest.approx(
        [1 / members] * members, abs=1e-9
    )


def test_hierarchical_risk_parity_of_uncorrelated_members_by_hand():
    # Halves of the order are {0} and {1, 2}; the pair held by inverse variance has variance 4*16/(4+16).
    pair = 4 * 16 / (4 + 16)
    expected = [pair / (1 + pair), 1 / (1 + pair) * 16 / 20, 1 / (1 + pair) * 4 / 20]
    assert values(uncorrelated(1.0, 2.0, 4.0), "hierarchical_risk_parity") == pytest.approx(
        expected, abs=1e-12
    )


def test_the_linkage_changes_the_answer():
    returns = sample(3, 8)
    single, ward = (
        values(
            returns, "hierarchical_risk_parity", choices=Choices(cap=1.0, temperature=1.0, linkage=linkage)
        )
        for linkage in ("single", "ward")
    )
    assert np.abs(single - ward).max() > 1e-3


def test_what_is_above_the_cap_goes_to_the_others_in_proportion():
    returns = uncorrelated(0.01, 0.04, 0.08)
    free = values(returns, "inverse_volatility")
    capped = values(
        returns, "inverse_volatility", choices=Choices(cap=0.5, temperature=1.0, linkage="single")
    )
    assert free == pytest.approx([8 / 11, 2 / 11, 1 / 11])
    assert capped == pytest.approx([0.5, 1 / 3, 1 / 6])


@pytest.mark.parametrize("method", BY_RISK)
def test_a_member_that_never_moved_gets_nothing(method):
    returns = np.column_stack([np.zeros(60), sample(1, 2)])
    assert values(returns, method)[0] == 0


@pytest.mark.parametrize("method", BY_RISK)
def test_if_no_member_ever_moved_they_are_equal_and_the_reason_is_given(method):
    answer = weigh_members(np.full((5, 2), 0.01), [1.0, 1.0], method=method, choices=FREE)
    assert answer.values.tolist() == [0.5, 0.5]
    assert answer.reason.startswith("no member ever moved")


@pytest.mark.parametrize(
    "returns", [np.array([[0.1, np.nan], [0.1, 0.2]]), np.array([[0.1, 0.2]]), np.empty((0, 2))]
)
def test_returns_with_a_gap_or_without_two_bars_are_refused(returns):
    with pytest.raises(DataError, match="returns of the members"):
        values(returns, "risk_parity")


def test_an_unknown_method_and_a_cap_too_low_are_refused():
    with pytest.raises(ConfigError, match="minimum_variance"):
        values(sample(1, 2), "best")
    with pytest.raises(ConfigError, match=r"at least 0\.5"):
        values(sample(1, 2), "equal", choices=Choices(cap=0.4, temperature=1.0, linkage="single"))
