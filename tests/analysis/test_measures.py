import math
from statistics import NormalDist, fmean, stdev

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given, settings

from workspace_kit.analysis import measures
from workspace_kit.analysis.measures import distribution, summarise
from workspace_kit.schema import METRIC_NAMES

MONTHLY = {"periods_per_year": 12.0}
EXCESS = {"periods_per_year": 12.0, "risk_free_rate": 0.02}
BY_BAR = {
    "total_return": measures.total_return("return"),
    "cagr": measures.cagr("return", **MONTHLY),
    "volatility": measures.volatility("return", **MONTHLY),
    "sharpe_ratio": measures.sharpe_ratio("return", **EXCESS),
    "sortino_ratio": measures.sortino_ratio("return", **EXCESS),
    "max_drawdown": measures.max_drawdown("return"),
    "longest_drawdown": measures.longest_drawdown("return"),
    "calmar_ratio": measures.calmar_ratio("return", **MONTHLY),
    "omega_ratio": measures.omega_ratio("return"),
    "skewness": measures.skewness("return"),
    "kurtosis": measures.kurtosis("return"),
    "value_at_risk": measures.value_at_risk("return"),
    "conditional_value_at_risk": measures.conditional_value_at_risk("return"),
    "tail_ratio": measures.tail_ratio("return"),
}
BY_TRADE = {"win_rate": measures.win_rate("return"), "profit_factor": measures.profit_factor("return")}


def frame(*values):
    return pl.DataFrame({"return": values}, schema={"return": pl.Float64})


def measure(expression, *values):
    return frame(*values).select(expression).item()


def near(found, expected):
    """Whether rows of numbers agree up to rounding; None only equals None."""
    return found.keys() == expected.keys() and all(
        found[name] == (value if value is None else pytest.approx(value, rel=1e-9, abs=1e-12))
        for name, value in expected.items()
    )


def plain(returns):
    """Every measure of plain numbers in plain Python, None where it does not exist."""
    n, mean = len(returns), fmean(returns)
    risk_free = 1.02 ** (1 / 12) - 1
    varies = max(returns) > min(returns)
    equity, peak, deepest, below, longest = 1.0, 1.0, 0.0, 0, 0
    for value in returns:
        equity *= 1 + value
        peak = max(peak, equity)
        deepest = min(deepest, equity / peak - 1)
        below = below + 1 if equity < peak else 0
        longest = max(longest, below)
    growth = equity ** (12 / n) - 1
    downside = math.sqrt(fmean(min(value - risk_free, 0) ** 2 for value in returns))
    gains, losses = sum(v for v in returns if v > 0), -sum(v for v in returns if v < 0)
    moment = [fmean((value - mean) ** power for value in returns) for power in range(5)]
    ordered = sorted(returns)

    def quantile(share):
        place = share * (n - 1)
        low = math.floor(place)
        return ordered[low] + (place - low) * (ordered[min(low + 1, n - 1)] - ordered[low])

    worst = quantile(0.05)
    return {
        "total_return": equity - 1,
        "cagr": growth,
        "volatility": (stdev(returns) * math.sqrt(12) if varies else 0.0) if n > 1 else None,
        "sharpe_ratio": (mean - risk_free) / stdev(returns) * math.sqrt(12) if varies else None,
        "sortino_ratio": (mean - risk_free) / downside * math.sqrt(12) if varies and downside else None,
        "max_drawdown": deepest,
        "longest_drawdown": longest,
        "calmar_ratio": growth / -deepest if deepest else None,
        "omega_ratio": gains / losses if losses else None,
        "skewness": moment[3] / moment[2] ** 1.5 if varies else None,
        "kurtosis": moment[4] / moment[2] ** 2 if varies else None,
        "value_at_risk": worst,
        "conditional_value_at_risk": fmean(value for value in returns if value <= worst),
        "tail_ratio": abs(quantile(0.95) / worst) if worst else None,
    }


RETURN = st.integers(-60, 80).map(lambda percent: percent / 100)


@settings(deadline=None, max_examples=50)
@given(st.lists(RETURN, min_size=1, max_size=40))
def test_every_measure_equals_its_plain_spelling(returns):
    found = frame(*returns).select(**BY_BAR).row(0, named=True)
    for name, expected in plain(returns).items():
        assert found[name] == (None if expected is None else pytest.approx(expected, rel=1e-9, abs=1e-12)), (
            name
        )


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.none() | RETURN), min_size=1, max_size=30))
def test_measures_mean_the_same_in_groups_over_windows_and_without_nulls(rows):
    table = pl.DataFrame(rows, schema={"group": pl.String, "return": pl.Float64}, orient="row")
    everything = BY_BAR | BY_TRADE
    grouped = (
        table.sort("group", maintain_order=True).group_by("group", maintain_order=True).agg(**everything)
    )
    windows = table.select("group", **{name: each.over("group") for name, each in everything.items()})
    for row in grouped.rows(named=True):
        alone = table.filter(group=row.pop("group"))
        kept = alone.drop_nulls().select(**everything).row(0, named=True)
        assert near(alone.select(**everything).row(0, named=True), kept)
        assert near(row, kept)
        one = windows.filter(group=alone["group"][0]).drop("group").unique()
        assert near(one.row(0, named=True), kept)
        assert len(one) == 1


def test_a_year_of_months_by_hand():
    returns = [0.1, -0.05, 0.02] * 4
    assert measure(BY_BAR["total_return"], *returns) == pytest.approx((1.1 * 0.95 * 1.02) ** 4 - 1)
    assert measure(BY_BAR["cagr"], *returns) == pytest.approx((1.1 * 0.95 * 1.02) ** 4 - 1)
    assert measure(BY_BAR["omega_ratio"], *returns) == pytest.approx(0.48 / 0.2)


def test_a_loss_on_the_first_bar_is_a_drawdown():
    assert measure(BY_BAR["max_drawdown"], -0.1, 0.05) == pytest.approx(-0.1)
    assert measure(BY_BAR["longest_drawdown"], -0.1, 0.05) == 2
    assert measure(BY_BAR["max_drawdown"], 0.5, -0.2, 0.1, -0.25) == pytest.approx(0.8 * 1.1 * 0.75 - 1)
    assert measure(BY_BAR["longest_drawdown"], 0.5, -0.2, 0.5, -0.1, -0.1, -0.1, 1) == 3


def test_money_that_never_falls_has_no_drawdown_to_divide_by():
    assert measure(BY_BAR["max_drawdown"], 0.1, 0.0, 0.2) == 0
    assert measure(BY_BAR["longest_drawdown"], 0.1, 0.0, 0.2) == 0
    for name in ("calmar_ratio", "omega_ratio"):
        assert measure(BY_BAR[name], 0.1, 0.0, 0.2) is None


def test_equal_returns_have_no_ratio_although_their_deviation_is_not_zero_in_floats():
    equal = [0.1] * 12
    assert frame(*equal).select(pl.col("return").std()).item() != 0
    for name in ("sharpe_ratio", "sortino_ratio", "skewness", "kurtosis"):
        assert measure(BY_BAR[name], *equal) is None
    assert measure(BY_BAR["volatility"], *equal) == 0


def test_one_bar_has_a_return_but_no_deviation():
    found = frame(0.1).select(**BY_BAR).row(0, named=True)
    missing = {name for name, value in found.items() if value is None}
    assert {"volatility", "sharpe_ratio", "sortino_ratio", "skewness", "kurtosis"} <= missing
    assert found["total_return"] == pytest.approx(0.1)


def test_normal_data_have_a_kurtosis_of_three():
    # Equally likely quantiles of the normal distribution.
    values = [NormalDist().inv_cdf((place + 0.5) / 20_000) for place in range(20_000)]
    assert measure(BY_BAR["kurtosis"], *values) == pytest.approx(3, abs=0.01)
    assert measure(BY_BAR["skewness"], *values) == pytest.approx(0, abs=1e-9)
    assert measure(BY_BAR["kurtosis"], -1, 1) == pytest.approx(1)


def test_growth_beyond_the_range_of_floats_is_null():
    assert measure(BY_BAR["total_return"], *[1e10] * 40) is None
    assert measure(measures.cagr("return", periods_per_year=98_280), 0.5, 0.5) is None


def test_losing_everything_is_a_return_of_minus_one():
    assert measure(BY_BAR["total_return"], -1, 0.5) == -1
    assert measure(BY_BAR["cagr"], -1, 0.5) == -1
    assert measure(BY_BAR["max_drawdown"], -1, 0.5) == -1


def test_an_annual_rate_is_taken_from_each_bar_by_compounding():
    returns = [0.03, 0.01, -0.01]
    excess = [value - (1.02 ** (1 / 12) - 1) for value in returns]
    expected = fmean(excess) / stdev(excess) * math.sqrt(12)
    assert measure(BY_BAR["sharpe_ratio"], *returns) == pytest.approx(expected)


def test_trades_that_break_even_are_no_wins():
    assert measure(BY_TRADE["win_rate"], 0.1, 0.0, -0.1, 0.2) == 0.5
    assert measure(BY_TRADE["profit_factor"], 0.1, 0.0, -0.1, 0.2) == pytest.approx(3)
    assert measure(BY_TRADE["profit_factor"], 0.1) is None


def test_turnover_is_a_year_of_it_and_exposure_a_mean():
    assert measure(measures.turnover("return", periods_per_year=252), 0.0, 0.5, 1.0) == pytest.approx(126)
    assert measure(measures.exposure("return"), 0.0, 0.5, 1.0) == pytest.approx(0.5)


def test_a_summary_names_every_measure_in_a_fixed_order():
    found = summarise(frame(0.1, -0.05, 0.02), frame(0.1, -0.02), **EXCESS)
    assert tuple(found)[: len(METRIC_NAMES)] == METRIC_NAMES
    assert set(found) == set(BY_BAR) | set(BY_TRADE)
    direct = frame(0.1, -0.05, 0.02).select(**BY_BAR).row(0, named=True)
    assert found == direct | {"win_rate": 0.5, "profit_factor": pytest.approx(5)}
    assert {type(value) for value in found.values()} == {float, int}


@pytest.mark.parametrize("values", [(), (None,), (None, None, None)])
def test_a_summary_of_nothing_is_all_none(values):
    assert set(summarise(frame(*values), frame(), **EXCESS).values()) == {None}


def test_a_summary_without_trades_has_no_win_rate():
    found = summarise(frame(0.0, 0.0, 0.0), frame(), **EXCESS)
    assert (found["total_return"], found["volatility"], found["max_drawdown"]) == (0, 0, 0)
    for name in ("sharpe_ratio", "sortino_ratio", "win_rate", "profit_factor"):
        assert found[name] is None


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(-5, 1e6) | st.none(), max_size=30))
def test_no_summary_holds_nan_or_infinity(returns):
    found = summarise(frame(*returns), frame(*returns), **EXCESS)
    assert all(value is None or math.isfinite(value) for value in found.values())


def test_a_distribution_counts_only_what_exists():
    rows = {"name": ["b", "a", "a", "a", "c"], "value": [1.0, 4.0, None, 2.0, None]}
    assert distribution(pl.DataFrame(rows)) == {
        "a": {"count": 2, "least": 2, "lower": 2.5, "median": 3, "upper": 3.5, "most": 4},
        "b": dict.fromkeys(("count", "least", "lower", "median", "upper", "most"), 1),
    }
