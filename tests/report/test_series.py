import datetime as dt
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workspace_kit.analysis.measures import max_drawdown, sharpe_ratio, total_return
from workspace_kit.report.series import (
    by_month,
    by_year,
    drawdown,
    growth,
    is_monthly_or_finer,
    rolling_year,
    runs,
    summary,
    thinned,
    values,
    worst_drawdowns,
)
from workspace_kit.report.story import by_series, prepared
from workspace_kit.schema import BEAR, BULL, TABLES, TIME

RETURNS = st.lists(
    st.integers(-900_000, 2_000_000).map(lambda millionths: millionths / 1e6), min_size=1, max_size=60
)


def series(returns, *, every="1d", start=dt.datetime(2020, 1, 1)):
    times = pl.datetime_range(start, start + dt.timedelta(days=40_000), every, eager=True, time_unit="us")
    return pl.DataFrame(
        {"timestamp": times.head(len(returns)), "return": pl.Series(returns, dtype=pl.Float64)},
        schema={"timestamp": TIME, "return": pl.Float64()},
    )


def returns_table(rows):
    return TABLES["returns"].frame(
        [{"workspace": "w", "series": name, "timestamp": time, "return": value} for name, time, value in rows]
    )


@given(RETURNS, st.sampled_from([12.0, 252.0]), st.sampled_from([0.0, 0.03]))
@settings(deadline=None, max_examples=60)
def test_the_page_and_the_analysis_measure_alike(returns, periods_per_year, risk_free_rate):
    ours = summary(series(returns), periods_per_year=periods_per_year, risk_free_rate=risk_free_rate)
    theirs = (
        series(returns)
        .select(
            total_return("return").alias("total_return"),
            sharpe_ratio("return", periods_per_year=periods_per_year, risk_free_rate=risk_free_rate).alias(
                "sharpe_ratio"
            ),
            max_drawdown("return").alias("max_drawdown"),
        )
        .row(0, named=True)
    )
    for name, value in theirs.items():
        if value is None:
            assert ours[name] is None
        else:
            assert ours[name] == pytest.approx(value, rel=1e-6, abs=1e-9)


def test_a_series_without_bars_has_no_numbers():
    assert set(summary(series([]), periods_per_year=12.0, risk_free_rate=0.0).values()) == {None}


def test_one_bar_and_equal_returns_have_no_sharpe_ratio():
    for returns in ([0.1], [0.1, 0.1, 0.1]):
        assert summary(series(returns), periods_per_year=12.0, risk_free_rate=0.0)["sharpe_ratio"] is None


def test_a_loss_on_the_first_bar_is_a_drawdown():
    assert drawdown(np.array([-0.1, 0.0])).tolist() == pytest.approx([-0.1, -0.1])


def test_growth_beyond_all_floats_is_infinite_and_warns_nobody():
    wild = np.array([1e300, 1e300, -0.5])
    assert growth(wild)[-1] == np.inf
    assert np.isnan(drawdown(wild)[-1])


def test_known_series_come_first_and_trials_in_natural_order():
    day = dt.datetime(2020, 1, 1)
    rows = [(name, day, 0.0) for name in ("trial_10", "benchmark", "trial_9", "ensemble")]
    assert list(by_series(returns_table(rows))) == ["ensemble", "benchmark", "trial_9", "trial_10"]


def test_unsorted_doubled_and_missing_rows_do_not_reach_a_series():
    day = [dt.datetime(2020, 1, at) for at in (1, 2, 3)]
    rows = [
        ("a", day[2], 0.3),
        ("a", day[0], 0.1),
        ("a", day[1], None),
        ("a", day[0], 0.1),
        ("a", day[1], float("inf")),
        ("a", None, 0.5),
    ]
    found = by_series(returns_table(rows))["a"]
    assert found["timestamp"].to_list() == [day[0], day[2]]
    assert found["return"].to_list() == [0.1, 0.3]


def test_the_worst_falls_are_told_from_peak_to_recovery():
    falls = worst_drawdowns(series([0.1, -0.2, 0.5, -0.5, 0.1]), most=10)
    first, second = falls.iter_rows(named=True)
    day = [dt.datetime(2020, 1, at) for at in range(1, 6)]
    assert first["depth"] == pytest.approx(-0.5)
    assert (first["peak"], first["trough"], first["recovery"], first["bars"]) == (day[2], day[3], None, 2)
    assert (second["peak"], second["trough"], second["recovery"], second["bars"]) == (
        day[0],
        day[1],
        day[2],
        2,
    )


def test_a_fall_lasts_as_many_days_as_the_calendar_has_between_its_peak_and_its_end():
    (fall,) = worst_drawdowns(series([0.1, -0.2, 0.1, 0.3], every="7d"), most=1).iter_rows(named=True)
    assert (fall["bars"], fall["days"]) == (3, 21)
    late, early = dt.timedelta(hours=21), dt.timedelta(hours=20)
    weekly = series([0.1, -0.2, 0.1, 0.3], every="7d")
    closes = [each + (early if each.day > 10 else late) for each in weekly["timestamp"]]
    (fall,) = worst_drawdowns(weekly.with_columns(timestamp=pl.Series(closes)), most=1).iter_rows(named=True)
    assert fall["days"] == 21


@given(RETURNS)
@settings(deadline=None, max_examples=60)
def test_the_deepest_fall_is_the_maximum_drawdown(returns):
    falls = worst_drawdowns(series(returns), most=1)
    deepest = drawdown(np.array(returns)).min()
    assert (falls["depth"][0] if falls.height else 0.0) == pytest.approx(deepest)


@given(RETURNS)
@settings(deadline=None, max_examples=60)
def test_months_and_years_compound_to_the_whole(returns):
    frame = series(returns, every="9d")
    whole = growth(np.array(returns))[-1]
    assert (1 + by_year(frame)["return"]).product() == pytest.approx(whole, rel=1e-9)
    assert (1 + by_month(frame)["return"]).product() == pytest.approx(whole, rel=1e-9)


def test_calendar_returns_of_no_bars_are_no_rows():
    assert by_year(series([])).height == by_month(series([])).height == 0


def test_quarters_make_no_monthly_table():
    assert is_monthly_or_finer(series([0.0] * 5, every="1mo"))
    assert not is_monthly_or_finer(series([0.0] * 5, every="3mo"))
    assert not is_monthly_or_finer(series([0.0]))


def test_rolling_figures_begin_with_the_first_full_year():
    returns = np.random.default_rng(1).normal(0.01, 0.04, 30)
    rolled = rolling_year(series(returns), None, periods_per_year=12.0, risk_free_rate=0.0)
    assert rolled.height == 19
    last = summary(series(returns[-12:]), periods_per_year=12.0, risk_free_rate=0.0)["sharpe_ratio"]
    assert rolled["sharpe"][-1] == pytest.approx(last)
    assert rolled["volatility"][-1] == pytest.approx(returns[-12:].std(ddof=1) * 12**0.5)


def test_a_flat_year_has_no_sharpe_ratio_and_no_volatility():
    rolled = rolling_year(series([0.01] * 12), None, periods_per_year=12.0, risk_free_rate=0.0)
    assert rolled.select("sharpe", "sortino", "volatility", "beta").row(0) == (None, None, 0.0, None)


def test_a_stretch_reaches_to_the_close_where_the_next_label_is_known():
    labels = [None, BULL, BULL, BEAR]
    day = [dt.datetime(2020, 1, at) for at in range(1, 5)]
    rows = [
        {"workspace": "w", "timestamp": time, "regime": label, "basis": "causal"}
        for time, label in zip(day, labels, strict=True)
    ]
    found = runs(TABLES["regimes"].frame(rows[::-1]))
    assert found.rows() == [(BULL, day[1], day[3]), (BEAR, day[3], day[3])]


@given(st.integers(1, 3_000), st.integers(10, 300), st.integers(0, 100))
@settings(deadline=None, max_examples=40)
def test_a_thinned_line_keeps_its_ends_and_extremes_within_two_points_a_pixel(count, pixels, seed):
    heights = np.random.default_rng(seed).normal(size=count).cumsum()
    times = np.arange(count, dtype=float)
    across, up = thinned(times, heights, pixels=pixels)
    assert len(across) <= 2 * pixels + 2
    assert (up.min(), up.max()) == (heights.min(), heights.max())
    assert (across[0], across[-1]) == (times[0], times[-1])
    assert (heights[across.astype(int)] == up).all()


def test_no_bar_is_lost_when_clocks_go_back(story):
    hours = pl.datetime_range(
        dt.datetime(2023, 11, 4), dt.datetime(2023, 11, 6, 23), "1h", time_unit="us", eager=True
    )
    returns = pl.concat(
        pl.DataFrame({"timestamp": hours, "return": np.arange(hours.len()) / sign}).select(
            pl.lit("w").alias("workspace"), pl.lit(name).alias("series"), "timestamp", "return"
        )
        for name, sign in (("ensemble", -1e4), ("benchmark", 1e4))
    )
    told = prepared(replace(story, timezone="America/New_York", tables={"returns": returns}))
    series = told.series
    for name, sign in (("ensemble", -1e4), ("benchmark", 1e4)):
        assert values(series[name]).tolist() == (np.arange(72) / sign).tolist()
    assert series["ensemble"]["timestamp"].n_unique() == 71
    rolled = rolling_year(series["ensemble"], series["benchmark"], periods_per_year=24.0, risk_free_rate=0.0)
    assert rolled.height == 72 - 23
    assert rolled["beta"].to_list() == pytest.approx([-1.0] * rolled.height, abs=1e-6)
    assert by_month(series["ensemble"])["month"].to_list() == [11]
