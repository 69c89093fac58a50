"""How far a metric might have come out otherwise, by the stationary bootstrap of bar returns."""

import polars as pl

from workspace_kit.analysis.bootstrap import confidence_interval
from workspace_kit.analysis.measures import bar_measures
from workspace_kit.config import Config


def interval(returns: pl.Series, metric: str, *, config: Config) -> tuple[float, float] | None:
    """Return low and high of a metric of bar returns; null for a metric of trades, or of too few bars."""
    measures = bar_measures(
        "return",
        periods_per_year=config.data.periods_per_year,
        risk_free_rate=config.data.risk_free_rate,
    )
    if metric not in measures:
        return None
    return confidence_interval(
        returns,
        measures[metric],
        confidence=config.luck.confidence,
        draws=config.luck.draws,
        seed=config.seed,
    )


def intervals(returns: pl.Series, *, config: Config) -> dict[str, object]:
    """Return the interval of return, Sharpe ratio, drawdown and the configured metric, by name."""
    named = dict.fromkeys(("total_return", "sharpe_ratio", "max_drawdown", config.metric))
    found = {name: interval(returns, name, config=config) for name in named}
    return {name: list(each) if each else None for name, each in found.items()}
