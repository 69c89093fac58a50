"""Measures against empyrical-reloaded and scipy, on random portfolios of real stocks and indexes."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest

from workspace_kit.analysis.measures import summarise

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    empyrical = pytest.importorskip("empyrical")
    datasets = pytest.importorskip("skfolio.datasets")
    stats = pytest.importorskip("scipy.stats")
    arch_data = pytest.importorskip("arch.data")
    pytest.importorskip("arch.data.sp500")
    pytest.importorskip("arch.data.nasdaq")

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]

CONFIGURATIONS = 300
TOLERANCE = 1e-9


def referee(returns, periods_per_year, rate):
    per_bar = (1 + rate) ** (1 / periods_per_year) - 1
    annual = {"annualization": periods_per_year}
    return {
        "total_return": empyrical.cum_returns_final(returns),
        "cagr": empyrical.annual_return(returns, **annual),
        "volatility": empyrical.annual_volatility(returns, **annual),
        "sharpe_ratio": empyrical.sharpe_ratio(returns, risk_free=per_bar, **annual),
        "sortino_ratio": empyrical.sortino_ratio(returns, required_return=per_bar, **annual),
        "max_drawdown": empyrical.max_drawdown(returns),
        "calmar_ratio": empyrical.calmar_ratio(returns, **annual),
        "omega_ratio": empyrical.omega_ratio(returns),
        "skewness": stats.skew(returns),
        "kurtosis": stats.kurtosis(returns, fisher=False),
        "value_at_risk": empyrical.value_at_risk(returns),
        "conditional_value_at_risk": empyrical.conditional_value_at_risk(returns),
        "tail_ratio": empyrical.tail_ratio(returns),
    }


def stocks():
    return datasets.load_sp500_dataset()


def indexes():
    both = {name: getattr(arch_data, name).load()["Adj Close"] for name in ("sp500", "nasdaq")}
    return pd.DataFrame(both)


@pytest.mark.parametrize("source", [stocks, indexes])
def test_measures_agree_with_empyrical_and_scipy(source):
    daily = source().pct_change().dropna().to_numpy()
    rng = np.random.default_rng(0)
    largest = dict.fromkeys(referee(daily[:9, 0], 252, 0.0), 0.0)
    for _ in range(CONFIGURATIONS):
        length = int(rng.integers(30, 2_000))
        start = int(rng.integers(0, len(daily) - length))
        weights = rng.dirichlet(np.ones(daily.shape[1]))
        returns = daily[start : start + length] @ weights * rng.choice([1.0, -1.0])
        periods_per_year, rate = float(rng.choice([252, 52, 12])), float(rng.choice([0.0, 0.02]))
        found = summarise(
            pl.DataFrame({"return": returns}),
            pl.DataFrame(schema={"return": pl.Float64}),
            periods_per_year=periods_per_year,
            risk_free_rate=rate,
        )
        for name, expected in referee(returns, periods_per_year, rate).items():
            difference = abs(found[name] - expected) / max(1.0, abs(expected))
            largest[name] = max(largest[name], difference)
    print(source.__name__, {name: f"{difference:.1e}" for name, difference in largest.items()})  # noqa: T201
    assert max(largest.values()) < TOLERANCE
