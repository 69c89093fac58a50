"""A track record's numbers, by hand and against a second way to the same answer."""

import datetime as dt
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workspace_kit.analysis.record import track_record

START = dt.datetime(2020, 1, 31, 23, 59, 59)


def monthly(returns: list[float]) -> pl.DataFrame:
    ends = pl.datetime_range(START, START + dt.timedelta(days=31 * len(returns) + 31), "1mo", eager=True)
    times = ends.head(len(returns)).cast(pl.Datetime("us"))
    return pl.DataFrame({"timestamp": times, "return": pl.Series(returns, dtype=pl.Float64)})


def record(returns: list[float]) -> dict[str, float | None]:
    return dict(track_record(monthly(returns), periods_per_year=12, risk_free_rate=0.0))


def test_wins_and_losses_by_hand():
    found = record([0.10, -0.05, 0.0, 0.02, 0.03, -0.01])
    assert found["time_in_market"] == pytest.approx(5 / 6)
    assert found["win_bars"] == pytest.approx(3 / 5)
    assert found["average_gain"] == pytest.approx(0.05)
    assert found["average_loss"] == pytest.approx(-0.03)
    assert found["payoff_ratio"] == pytest.approx(5 / 3)
    assert found["bar_profit_factor"] == pytest.approx(0.15 / 0.06)
    assert found["gain_to_pain"] == pytest.approx(0.09 / 0.06)
    assert found["kelly"] == pytest.approx(0.6 - 0.4 / (5 / 3))
    assert (found["longest_wins"], found["longest_losses"]) == (2, 1)
    assert (found["best_bar"], found["worst_bar"]) == (0.10, -0.05)


def test_months_quarters_and_years_compound():
    found = record([0.1] * 14)
    assert found["best_year"] == pytest.approx(1.1**12 - 1)
    assert found["worst_year"] == pytest.approx(1.1**2 - 1)
    assert found["best_quarter"] == pytest.approx(1.1**3 - 1)
    assert found["expected_month"] == pytest.approx(0.1)
    assert (found["win_years"], found["average_down_year"]) == (1.0, None)


def test_the_last_months_and_years_are_those_before_the_last_bar():
    found = record([0.0] * 12 + [0.01] * 12)
    assert found["month_to_date"] == pytest.approx(0.01)
    assert found["year_to_date"] == pytest.approx(1.01**12 - 1)
    assert found["three_months"] == pytest.approx(1.01**3 - 1)
    assert found["one_year"] == pytest.approx(1.01**12 - 1)
    assert found["three_years"] is None


@pytest.mark.parametrize(
    "last", [dt.datetime(2020, 11, 30, 23, 59, 59), dt.datetime(2021, 2, 28, 23, 59, 59)], ids=str
)
def test_months_that_end_with_a_short_month_are_as_many_as_they_say(last):
    ends = pl.datetime_range(dt.datetime(2009, 1, 1), last, "1mo", eager=True).dt.month_end()
    times = ends.dt.offset_by("23h59m59s").cast(pl.Datetime("us"))
    assert times[-1] == last
    returns = pl.DataFrame({"timestamp": times, "return": [0.01] * len(times)})
    found = track_record(returns, periods_per_year=12, risk_free_rate=0.0)
    for name, months in (("three_months", 3), ("six_months", 6), ("one_year", 12)):
        assert found[name] == pytest.approx(1.01**months - 1)
    for name in ("three_years", "five_years", "ten_years"):
        assert found[name] == pytest.approx(1.01**12 - 1)


def test_drawdowns_by_hand():
    found = record([0.1, -0.1, 0.2, -0.05, -0.05, 0.3])
    assert found["average_drawdown"] == pytest.approx((-0.1 + (0.95**2 - 1)) / 2)
    assert found["average_drawdown_bars"] == pytest.approx(1.5)
    depths = [0, -0.1, 0, -0.05, 0.95**2 - 1, 0]
    assert found["ulcer_index"] == pytest.approx(math.sqrt(sum(depth**2 for depth in depths) / 6))
    total = 1.1 * 0.9 * 1.2 * 0.95 * 0.95 * 1.3 - 1
    assert found["recovery_factor"] == pytest.approx(total / 0.1)


def test_steady_growth_is_stable_and_noise_is_not():
    assert record([0.01, 0.011] * 20)["stability"] == pytest.approx(1.0, abs=1e-3)
    assert record([0.05, -0.05] * 20)["stability"] < 0.9


def test_autocorrelation_lowers_the_adjusted_ratio_and_its_reverse_raises_it():
    trending, reverting = [0.03] * 10 + [-0.01] * 10 + [0.02] * 10, [0.03, -0.01] * 15
    assert record(trending)["sharpe_adjusted"] < record(trending)["sharpe_ratio"]
    assert record(reverting)["sharpe_adjusted"] > record(reverting)["sharpe_ratio"]


def daily(returns: list[float], *, first: dt.datetime) -> pl.DataFrame:
    times = [first + dt.timedelta(days=at) for at in range(len(returns))]
    return pl.DataFrame({"timestamp": pl.Series(times, dtype=pl.Datetime("us")), "return": returns})


def test_pain_by_month_adds_the_bars_of_a_month_before_it_asks_for_losses():
    first = dt.datetime(2020, 1, 30)
    lost = daily([0.02, -0.01, -0.05, 0.01], first=first)
    found = track_record(lost, periods_per_year=252, risk_free_rate=0.0)
    january, february = 0.02 - 0.01, -0.05 + 0.01
    assert found["gain_to_pain_month"] == pytest.approx((january + february) / -february)
    won = daily([0.02, -0.01, -0.05, 0.06], first=first)
    assert track_record(won, periods_per_year=252, risk_free_rate=0.0)["gain_to_pain_month"] is None


def test_the_common_sense_ratio_is_profit_factor_times_tail_ratio():
    returns = [0.10, -0.05, 0.0, 0.02, 0.03, -0.01]
    ordered = sorted(returns)
    high = ordered[4] + 0.75 * (ordered[5] - ordered[4])
    low = ordered[0] + 0.25 * (ordered[1] - ordered[0])
    assert record(returns)["common_sense_ratio"] == pytest.approx(0.15 / 0.06 * high / -low)
    assert record([0.01, 0.02])["common_sense_ratio"] is None


def test_sortino_over_root_two_and_adjusted_by_hand():
    returns = [0.03] * 10 + [-0.01] * 10 + [0.02] * 10
    found = record(returns)
    mean = sum(returns) / 30
    sortino = math.sqrt(12) * mean / math.sqrt(10 * 0.01**2 / 30)
    assert found["sortino_over_root_two"] == pytest.approx(sortino / math.sqrt(2))
    assert found["sortino_adjusted"] / sortino == pytest.approx(
        found["sharpe_adjusted"] / found["sharpe_ratio"]
    )


def test_no_bar_has_no_numbers():
    assert set(record([]).values()) == {None}


@pytest.mark.parametrize("returns", [[0.01], [0.0, 0.0, 0.0], [-1.0, 0.5, 0.1], [0.02] * 30])
def test_degenerate_records_have_finite_numbers_or_none(returns):
    for value in record(returns).values():
        assert value is None or math.isfinite(value)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(-0.5, 0.5).map(lambda value: round(value, 4)), min_size=2, max_size=60))
def test_what_every_bar_must_earn_compounds_to_the_whole(returns):
    found = record(returns)
    assert (1 + found["expected_bar"]) ** len(returns) - 1 == pytest.approx(
        found["total_return"], rel=1e-6, abs=1e-9
    )
    gains, losses = [value for value in returns if value > 0], [value for value in returns if value < 0]
    if gains and losses:
        assert found["bar_profit_factor"] == pytest.approx(np.sum(gains) / -np.sum(losses))
