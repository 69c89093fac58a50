"""How good a series of returns is: every measure an expression over a column of simple returns.

Each function takes a column's name and returns a Polars expression that reduces it to one value, so the
same definition works in ``select``, ``group_by().agg()`` and ``over()``. Bars must be in order of time.
Nulls are ignored. A value that does not exist (fewer than two bars, no spread to divide by, no trades) is
null, never NaN or infinite. ``periods_per_year`` is bars a year; ``risk_free_rate`` is a year's, simple.
"""

import math

import numpy as np
import polars as pl
from numpy.typing import NDArray

from workspace_kit.schema import METRIC_NAMES

TAIL = 0.05
Floats = NDArray[np.float64]


def total_return(column: str) -> pl.Expr:
    """Compounded return over all bars, 0.1 is 10 %; null without bars."""
    return _finite(_growth(column) - 1)


def cagr(column: str, *, periods_per_year: float) -> pl.Expr:
    """Compound annual growth rate, (1 + total)^(periods_per_year / bars) - 1; null without bars."""
    return _finite(_annual_growth(column, periods_per_year=periods_per_year))


def volatility(column: str, *, periods_per_year: float) -> pl.Expr:
    """Annualised sample deviation (ddof 1); exactly 0 for equal returns, null for fewer than two bars."""
    returns = pl.col(column)
    deviation = returns.std(ddof=1) * math.sqrt(periods_per_year)
    return pl.when(_varies(returns)).then(deviation).when(returns.count() > 1).then(0.0)


def sharpe_ratio(column: str, *, periods_per_year: float, risk_free_rate: float) -> pl.Expr:
    """Annualised mean excess return over its sample deviation; null where all returns are equal."""
    returns = pl.col(column)
    excess = returns.mean() - _per_bar(risk_free_rate, periods_per_year=periods_per_year)
    ratio = excess / returns.std(ddof=1) * math.sqrt(periods_per_year)
    return pl.when(_varies(returns)).then(_finite(ratio))


def sortino_ratio(column: str, *, periods_per_year: float, risk_free_rate: float) -> pl.Expr:
    """Annualised mean excess return over the root mean square, over all bars, of its negative part.

    Null where all returns are equal, or none falls short of the risk-free rate.
    """
    returns = pl.col(column)
    excess = returns - _per_bar(risk_free_rate, periods_per_year=periods_per_year)
    downside = (excess.clip(upper_bound=0.0) ** 2).mean().sqrt()
    ratio = excess.mean() / downside * math.sqrt(periods_per_year)
    return pl.when(_varies(returns)).then(_finite(ratio))


def max_drawdown(column: str) -> pl.Expr:
    """Deepest fall from the running peak, zero or negative; a loss on the first bar counts."""
    return _finite(_deepest(column))


def longest_drawdown(column: str) -> pl.Expr:
    """Most consecutive bars that closed below the running peak; null without bars."""
    equity, peak = _equity_and_peak(column)
    below = (equity < peak).cast(pl.Int64)
    count = below.cum_sum()
    return (count - (count * (1 - below)).cum_max()).max()


def calmar_ratio(column: str, *, periods_per_year: float) -> pl.Expr:
    """Compound annual growth rate over the depth of the deepest drawdown; null without a drawdown."""
    return _finite(_annual_growth(column, periods_per_year=periods_per_year) / _deepest(column).abs())


def omega_ratio(column: str) -> pl.Expr:
    """Sum of gains over sum of losses, bar by bar, about a threshold of zero; null without a loss."""
    return _gains_over_losses(column)


def skewness(column: str) -> pl.Expr:
    """Third standardised moment (population); null where all returns are equal."""
    returns = pl.col(column)
    return pl.when(_varies(returns)).then(_finite(returns.skew(bias=True)))


def kurtosis(column: str) -> pl.Expr:
    """Fourth standardised moment (population), 3 for normal data; null where all returns are equal."""
    returns = pl.col(column)
    return pl.when(_varies(returns)).then(_finite(returns.kurtosis(fisher=False, bias=True)))


def value_at_risk(column: str) -> pl.Expr:
    """Return that one bar in twenty falls below (interpolated 5 % quantile); a loss is negative."""
    return pl.col(column).quantile(TAIL, interpolation="linear")


def conditional_value_at_risk(column: str) -> pl.Expr:
    """Mean return of the bars at or below the value at risk; a loss is negative."""
    returns = pl.col(column)
    return returns.filter(returns <= value_at_risk(column)).mean()


def tail_ratio(column: str) -> pl.Expr:
    """Size of the 95 % quantile over size of the 5 % quantile; null where the latter is zero."""
    best = pl.col(column).quantile(1 - TAIL, interpolation="linear")
    return _finite((best / value_at_risk(column)).abs())


def turnover(column: str, *, periods_per_year: float) -> pl.Expr:
    """Value traded a year, as a multiple of capital, from a column of turnover by bar."""
    return pl.col(column).mean() * periods_per_year


def exposure(column: str) -> pl.Expr:
    """Mean share of capital in the market, from a column of exposure by bar."""
    return pl.col(column).mean()


def win_rate(column: str) -> pl.Expr:
    """Share of trades with a profit, from a column of trade returns; null without trades."""
    return (pl.col(column) > 0).mean()


def profit_factor(column: str) -> pl.Expr:
    """Sum of gains over sum of losses, trade by trade; null without a loss."""
    return _gains_over_losses(column)


def bar_measures(column: str, *, periods_per_year: float, risk_free_rate: float) -> dict[str, pl.Expr]:
    """Return every measure of a column of bar returns by name."""
    annual = {"periods_per_year": periods_per_year}
    excess = {"periods_per_year": periods_per_year, "risk_free_rate": risk_free_rate}
    return {
        "total_return": total_return(column),
        "cagr": cagr(column, **annual),
        "volatility": volatility(column, **annual),
        "sharpe_ratio": sharpe_ratio(column, **excess),
        "sortino_ratio": sortino_ratio(column, **excess),
        "max_drawdown": max_drawdown(column),
        "longest_drawdown": longest_drawdown(column),
        "calmar_ratio": calmar_ratio(column, **annual),
        "omega_ratio": omega_ratio(column),
        "skewness": skewness(column),
        "kurtosis": kurtosis(column),
        "value_at_risk": value_at_risk(column),
        "conditional_value_at_risk": conditional_value_at_risk(column),
        "tail_ratio": tail_ratio(column),
    }


def summarise(
    returns: pl.DataFrame, trades: pl.DataFrame, *, periods_per_year: float, risk_free_rate: float
) -> dict[str, float | int | None]:
    """Return every measure of one strategy by name, `METRIC_NAMES` first.

    ``returns`` has a column ``return``, one row a bar in order of time; ``trades`` has a column
    ``return``, one row a closed trade. Values are plain numbers; what does not exist is None.
    """
    by_bar = returns.select(
        **bar_measures("return", periods_per_year=periods_per_year, risk_free_rate=risk_free_rate)
    )
    by_trade = trades.select(win_rate=win_rate("return"), profit_factor=profit_factor("return"))
    values = by_bar.row(0, named=True) | by_trade.row(0, named=True)
    return {name: values[name] for name in dict.fromkeys((*METRIC_NAMES, *values))}


def distribution(metrics: pl.DataFrame) -> dict[str, dict[str, float | int | None]]:
    """Return how each metric spreads over trials: count, least, quartiles (linear) and most, by name.

    Takes ``name, value``, one row per trial and metric; a null value is not counted.
    """
    known = metrics.drop_nulls("value").sort("name", "value")
    spread = known.group_by("name", maintain_order=True).agg(
        pl.len().cast(pl.Int64).alias("count"),
        *(
            pl.col("value").quantile(share, "linear").alias(label)
            for label, share in (
                ("least", 0.0),
                ("lower", 0.25),
                ("median", 0.5),
                ("upper", 0.75),
                ("most", 1.0),
            )
        ),
    )
    return {row.pop("name"): row for row in spread.iter_rows(named=True)}


def excess_returns(returns: pl.Series, *, periods_per_year: float, risk_free_rate: float) -> pl.Series:
    """Return bar returns less what cash would earn in a bar."""
    return returns - _per_bar(risk_free_rate, periods_per_year=periods_per_year)


def correlation(one: Floats, other: Floats) -> float | None:
    """Pearson's coefficient of two series; null where either hardly moves."""
    with np.errstate(all="ignore"):
        value = float(np.corrcoef(one, other)[0, 1]) if len(one) > 1 else math.nan
    return value if math.isfinite(value) else None


def _per_bar(rate: float, *, periods_per_year: float) -> float:
    return float((1 + rate) ** (1 / periods_per_year) - 1)


def _varies(values: pl.Expr) -> pl.Expr:
    # The deviation of equal floats comes out as 1e-17, not as zero.
    return values.max() > values.min()


def _finite(value: pl.Expr) -> pl.Expr:
    return pl.when(value.is_finite()).then(value)


def _growth(column: str) -> pl.Expr:
    returns = pl.col(column)
    return pl.when(returns.count() > 0).then((1 + returns).product())


def _annual_growth(column: str, *, periods_per_year: float) -> pl.Expr:
    return _growth(column) ** (periods_per_year / pl.col(column).count()) - 1


def _equity_and_peak(column: str) -> tuple[pl.Expr, pl.Expr]:
    equity = (1 + pl.col(column)).cum_prod()
    return equity, equity.cum_max().clip(lower_bound=1.0)


def _deepest(column: str) -> pl.Expr:
    equity, peak = _equity_and_peak(column)
    return (equity / peak - 1).min()


def _gains_over_losses(column: str) -> pl.Expr:
    values = pl.col(column)
    return _finite(values.clip(lower_bound=0.0).sum() / values.clip(upper_bound=0.0).sum().abs())
