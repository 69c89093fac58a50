import math

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workspace_kit.analysis.overfitting import (
    deflated_sharpe,
    effective_trials,
    expected_maximum_sharpe,
    judge,
    min_backtest_length,
    min_track_record,
    moments,
    probabilistic_sharpe,
    sharpe_dispersion,
    sweep_verdict,
    verdict,
)
from workspace_kit.schema import TABLES

NORMAL = {"skewness": 0.0, "kurtosis": 3.0}
RETURNS = [0.01, -0.02, 0.03, 0.015, -0.005, 0.02, 0.0, 0.01]


def test_psr_of_the_paper():
    assert probabilistic_sharpe(0.458, hurdle=0.0, bars=24, **NORMAL) == pytest.approx(0.982, abs=5e-4)
    skewed = probabilistic_sharpe(0.458, hurdle=0.0, bars=24, skewness=-2.448, kurtosis=10.164)
    assert skewed == pytest.approx(0.913, abs=5e-4)


def test_minimum_track_record_of_the_paper_in_years_of_months():
    first = min_track_record(0.7079, hurdle=0.0, confidence=0.95, skewness=-0.2250, kurtosis=2.9570)
    second = min_track_record(0.8183, hurdle=0.0, confidence=0.95, skewness=-1.4455, kurtosis=7.0497)
    assert first / 12 == pytest.approx(0.7152, abs=5e-5)
    assert second / 12 == pytest.approx(1.1593, abs=5e-5)


def test_expected_maximum_of_a_hundred_trials():
    assert expected_maximum_sharpe(100, deviation=1.0) == pytest.approx(2.5306, abs=5e-5)
    assert expected_maximum_sharpe(100, deviation=0.5) == pytest.approx(2.5306 / 2, abs=5e-5)


def test_dsr_of_the_paper():
    annual, deviation = 2.5 / math.sqrt(250), math.sqrt(0.5 / 250)
    dsr = deflated_sharpe(annual, trials=100, deviation=deviation, bars=1250, skewness=-3.0, kurtosis=10.0)
    assert dsr == pytest.approx(0.9004, abs=5e-5)


def test_minimum_backtest_length_of_the_paper():
    assert min_backtest_length(45, sharpe=1.0) == pytest.approx(4.998, abs=5e-4)


def test_the_error_of_a_normal_sharpe_ratio_is_lo_s():
    sharpe, bars = 0.2, 101
    error = math.sqrt((1 + sharpe**2 / 2) / (bars - 1))
    expected = 0.5 * math.erfc(-(sharpe / error) / math.sqrt(2))
    assert probabilistic_sharpe(sharpe, hurdle=0.0, bars=bars, **NORMAL) == pytest.approx(expected, abs=1e-12)


@settings(deadline=None, max_examples=50)
@given(
    sharpe=st.floats(0.02, 1.0),
    hurdle=st.floats(-0.5, 0.01),
    skewness=st.floats(-1, 1),
    kurtosis=st.floats(3, 9),
)
def test_a_track_record_of_minimum_length_has_exactly_the_confidence_asked_for(
    sharpe, hurdle, skewness, kurtosis
):
    shape = {"skewness": skewness, "kurtosis": kurtosis}
    bars = min_track_record(sharpe, hurdle=hurdle, confidence=0.95, **shape)
    if bars >= 2:
        assert probabilistic_sharpe(sharpe, hurdle=hurdle, bars=bars, **shape) == pytest.approx(
            0.95, abs=1e-9
        )


def test_no_track_record_proves_a_sharpe_ratio_at_or_below_the_hurdle():
    assert min_track_record(0.1, hurdle=0.1, confidence=0.95, **NORMAL) is None
    assert min_track_record(-0.1, hurdle=0.0, confidence=0.95, **NORMAL) is None


@pytest.mark.parametrize("trials", [0, 0.5, 1])
def test_a_single_trial_has_no_luck_to_deflate(trials):
    deflated = deflated_sharpe(0.2, trials=trials, deviation=5.0, bars=60, **NORMAL)
    assert deflated == probabilistic_sharpe(0.2, hurdle=0.0, bars=60, **NORMAL)


@settings(deadline=None, max_examples=50)
@given(trials=st.integers(1, 10_000), more=st.integers(1, 10_000))
def test_more_trials_never_lower_the_hurdle(trials, more):
    few, many = (expected_maximum_sharpe(count, deviation=0.1) for count in (trials, trials + more))
    assert 0 <= few < many


def test_independent_trials_count_in_full_and_equal_ones_as_one():
    assert effective_trials(33, mean_correlation=0.0) == 33
    assert effective_trials(33, mean_correlation=1.0) == 1
    assert effective_trials(33, mean_correlation=0.5) == 17
    assert effective_trials(33, mean_correlation=-0.1) == 33


def test_the_dispersion_is_the_sample_deviation_of_what_is_known():
    assert sharpe_dispersion([1.0, None, 2.0, 3.0]) == pytest.approx(1.0, abs=1e-15)
    assert sharpe_dispersion([1.0, None]) is sharpe_dispersion([]) is None


def test_moments_are_per_bar_with_kurtosis_three_for_normal_data():
    mean = math.fsum(RETURNS) / 8
    second, third, fourth = (math.fsum((r - mean) ** power for r in RETURNS) / 8 for power in (2, 3, 4))
    bars, sharpe, skewness, kurtosis = moments(pl.Series([*RETURNS, None]))
    assert bars == 8
    assert sharpe == pytest.approx(mean / math.sqrt(second * 8 / 7), abs=1e-14)
    assert skewness == pytest.approx(third / second**1.5, abs=1e-12)
    assert kurtosis == pytest.approx(fourth / second**2, abs=1e-12)


def test_a_judgement_fills_the_row_it_is_made_for():
    row = judge(pl.Series(RETURNS), trials_tried=33, sharpe_deviation=0.05, mean_correlation=0.5)
    _, sharpe, skewness, kurtosis = moments(pl.Series(RETURNS))
    shape = {"skewness": skewness, "kurtosis": kurtosis}
    assert row == {
        "psr": probabilistic_sharpe(sharpe, hurdle=0.0, bars=8, **shape),
        "dsr": deflated_sharpe(sharpe, trials=33, deviation=0.05, bars=8, **shape),
        "trials_tried": 33,
        "effective_trials": 17.0,
        "min_track_record": min_track_record(sharpe, hurdle=0.0, confidence=0.95, **shape),
    }
    assert row["dsr"] < row["psr"]
    assert set(row) <= set(TABLES["overfitting"].names)


@pytest.mark.parametrize("returns", [[], [0.1], [0.1, 0.1, 0.1], [None, None]])
def test_where_nothing_varies_there_is_nothing_to_judge(returns):
    row = judge(
        pl.Series(returns, dtype=pl.Float64), trials_tried=1, sharpe_deviation=0.0, mean_correlation=None
    )
    assert (row["psr"], row["dsr"], row["min_track_record"], row["effective_trials"]) == (
        None,
        None,
        None,
        None,
    )


def test_the_verdict_says_it_all_in_one_sentence_and_does_not_hide_buy_and_hold():
    numbers = {"trials_tried": 33, "train_sharpe": 1.234, "select_sharpe": 0.5, "dsr": 0.9004}
    text = verdict("trial_3", **numbers, beats_equal_weight=False, excess_sharpe=-0.126)
    assert text == (
        "Winner trial_3 of 33 tried; Sharpe 0.50 on select against 1.23 on train;"
        " the chance that luck alone gives this is 10.0 %;"
        " beats equal weight on select: no; excess Sharpe over buy-and-hold: -0.13."
        " Buying and holding did as well or better."
    )
    assert verdict("trial_3", **numbers, beats_equal_weight=True, excess_sharpe=0.1).endswith(
        "buy-and-hold: 0.10."
    )


def test_the_sweep_is_judged_by_its_splits_and_by_buy_and_hold():
    assert sweep_verdict(pbo=0.169, spa_p_value=1.0) == (
        "Chosen on one half of train, the best falls below the median of the other half in 16.9 % of splits."
        " Nothing tried is shown to beat buy-and-hold beyond luck (p = 1.00)."
    )
    assert sweep_verdict(pbo=None, spa_p_value=0.04) == (
        "Something tried is shown to beat buy-and-hold beyond luck (p = 0.04)."
    )
    assert sweep_verdict(pbo=None, spa_p_value=None) == ""


def test_a_verdict_without_numbers_says_that_they_are_unknown():
    text = verdict(
        "trial_3",
        trials_tried=1,
        train_sharpe=None,
        select_sharpe=None,
        dsr=None,
        beats_equal_weight=None,
        excess_sharpe=None,
    )
    assert text.count("unknown") == 5


@pytest.mark.parametrize(("dsr", "said"), [(1.0, "below 0.1 %"), (0.0, "above 99.9 %"), (0.5, "50.0 %")])
def test_luck_is_never_said_to_be_impossible_or_certain(dsr, said):
    numbers = {"train_sharpe": 1.0, "select_sharpe": 1.0, "beats_equal_weight": True, "excess_sharpe": 1.0}
    assert f"gives this is {said};" in verdict("trial_3", trials_tried=9, dsr=dsr, **numbers)
