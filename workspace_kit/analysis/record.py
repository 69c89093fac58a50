"""What a track record looks like beyond `measures`: its calendar, streaks, drawdowns and last years.

Frames have ``timestamp`` and ``return``: simple returns, one row a bar in order of time. Every value is a
plain number by name; what does not exist (no loss to divide by, no whole year) is None.
"""

import math
from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from workspace_kit.analysis.measures import TAIL, Floats, bar_measures, correlation, excess_returns

Values = Mapping[str, float | None]

_CALENDARS = {"month": "1mo", "quarter": "1q", "year": "1y"}
_TRAILING = {"three_months": 3, "six_months": 6, "one_year": 12}
_TRAILING_YEARS = {"three_years": 3, "five_years": 5, "ten_years": 10}
_OUTLIER = 0.01


def track_record(returns: pl.DataFrame, *, periods_per_year: float, risk_free_rate: float) -> Values:
    """Return every number of one track record: bar measures, habits of bars, calendar, drawdowns, last years.

    ``returns`` may be empty: then every value is None.
    """
    known = returns.drop_nulls("return")
    by_bar = known.select(
        **bar_measures("return", periods_per_year=periods_per_year, risk_free_rate=risk_free_rate)
    ).row(0, named=True)
    values = known["return"].to_numpy()
    excess = excess_returns(
        known["return"], periods_per_year=periods_per_year, risk_free_rate=risk_free_rate
    ).to_numpy()
    habits = _habits(values)
    found = {
        **by_bar,
        **habits,
        **_by_calendar(known),
        **_falls(values, excess=excess),
        **_trailing(known),
        **{
            f"{name}_adjusted": _adjusted(by_bar[f"{name}_ratio"], values, periods_per_year=periods_per_year)
            for name in ("sharpe", "sortino")
        },
        "sortino_over_root_two": _over(by_bar["sortino_ratio"], math.sqrt(2)),
        "gain_to_pain_month": _gain_to_pain(_by_span(known, "1mo", pl.col("return").sum())),
        "common_sense_ratio": _times(habits["bar_profit_factor"], by_bar["tail_ratio"]),
    }
    return {name: _known(value) for name, value in found.items()}


def _known(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _over(one: float | None, other: float | None) -> float | None:
    return None if one is None or not other else one / other


def _times(*values: float | None) -> float | None:
    known = [value for value in values if value is not None]
    return math.prod(known) if len(known) == len(values) else None


def _gain_to_pain(values: Floats) -> float | None:
    """Return the sum of all over the sum of losses."""
    return _over(float(values.sum()), -float(values[values < 0].sum()))


def _habits(values: Floats) -> Values:
    """How bars win and lose; a bar that returned exactly zero is neither, and is out of the market."""
    gains, losses = values[values > 0], values[values < 0]
    played = len(gains) + len(losses)
    share = len(gains) / played if played else None
    gain, loss = (float(some.mean()) if len(some) else None for some in (gains, losses))
    payoff = _over(gain, None if loss is None else -loss)
    factor = _over(float(gains.sum()), -float(losses.sum())) if played else None
    return {
        "time_in_market": played / len(values) if len(values) else None,
        "win_bars": share,
        "average_gain": gain,
        "average_loss": loss,
        "payoff_ratio": payoff,
        "bar_profit_factor": factor,
        "gain_to_pain": _gain_to_pain(values),
        "kelly": None if share is None or payoff is None else share - (1 - share) / payoff,
        "cpc_index": _times(factor, share, payoff),
        "outlier_win": _over(float(np.quantile(values, 1 - _OUTLIER)), gain) if played else None,
        "outlier_loss": _over(float(np.quantile(values, _OUTLIER)), loss) if played else None,
        "best_bar": float(values.max()) if len(values) else None,
        "worst_bar": float(values.min()) if len(values) else None,
        "expected_bar": _geometric_mean(values),
        "longest_wins": _longest(values > 0),
        "longest_losses": _longest(values < 0),
        "stability": _stability(values),
    }


def _geometric_mean(values: Floats) -> float | None:
    """Return what one bar must earn for all of them to compound to the whole; None after a total loss."""
    if not len(values) or values.min() <= -1:
        return None
    return float(np.expm1(np.log1p(values).mean()))


def _longest(flags: NDArray[np.bool_]) -> float | None:
    """Return the length of the longest unbroken stretch."""
    if not len(flags):
        return None
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False]))))
    return float((edges[1::2] - edges[::2]).max(initial=0))


def _stability(values: Floats) -> float | None:
    """Return how straight log growth is: R² of its line over time, 1 for steady growth."""
    if len(values) < 3 or values.min() <= -1:
        return None
    growth = np.cumsum(np.log1p(values))
    straight = correlation(np.arange(len(growth), dtype=np.float64), growth)
    return None if straight is None else straight**2


def _by_calendar(returns: pl.DataFrame) -> Values:
    """Best, worst, mean and share won of months, quarters and years; a part of one counts as one."""
    found: dict[str, float | None] = {}
    for name, every in _CALENDARS.items():
        values = _compounded(returns, every)
        won, lost = values[values > 0], values[values < 0]
        found |= {
            f"best_{name}": float(values.max()) if len(values) else None,
            f"worst_{name}": float(values.min()) if len(values) else None,
            f"expected_{name}": _geometric_mean(values),
            f"average_up_{name}": float(won.mean()) if len(won) else None,
            f"average_down_{name}": float(lost.mean()) if len(lost) else None,
            f"win_{name}s": _over(float(len(won)), float(len(won) + len(lost))),
        }
    return found


def _compounded(returns: pl.DataFrame, every: str) -> Floats:
    """Return the compounded return of each span of the calendar that has a bar."""
    return _by_span(returns, every, (1 + pl.col("return")).product() - 1)


def _by_span(returns: pl.DataFrame, every: str, value: pl.Expr) -> Floats:
    grouped = returns.sort("timestamp").group_by(pl.col("timestamp").dt.truncate(every), maintain_order=True)
    return grouped.agg(value.alias("value"))["value"].to_numpy()


def _falls(values: Floats, *, excess: Floats) -> Values:
    """How deep and how long it was under water."""
    if not len(values):
        return dict.fromkeys(
            ("average_drawdown", "average_drawdown_bars", "ulcer_index", "recovery_factor", "serenity_index")
        )
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        growth = np.cumprod(1 + values)
        depth = growth / np.maximum(np.maximum.accumulate(growth), 1.0) - 1
        under = np.flatnonzero(np.diff(np.concatenate(([False], depth < 0, [False]))))
        spans = list(zip(under[::2], under[1::2], strict=True))
        deepest = [float(depth[first:after].min()) for first, after in spans]
        ulcer = float(np.sqrt(np.mean(depth**2)))
        pitfall = -float(depth[depth <= np.quantile(depth, TAIL)].mean())
        deviation = float(values.std(ddof=1)) if len(values) > 1 else 0.0
        pain = ulcer * pitfall / deviation if deviation else 0.0
        return {
            "average_drawdown": float(np.mean(deepest)) if spans else None,
            "average_drawdown_bars": float(np.mean(under[1::2] - under[::2])) if spans else None,
            "ulcer_index": ulcer,
            "recovery_factor": _over(float(growth[-1] - 1), -min(deepest)) if spans else None,
            "serenity_index": _over(float(excess.sum()), pain),
        }


def _trailing(returns: pl.DataFrame) -> Values:
    """Return of the month and year that the last bar lies in, and of the last months and years before it.

    Three years and more are a year's rate. None where the record does not reach back that far.
    """
    names = ("month_to_date", "year_to_date", *_TRAILING, *_TRAILING_YEARS)
    if returns.is_empty():
        return dict.fromkeys(names)
    time, last = pl.col("timestamp"), returns["timestamp"].max()
    end = pl.lit(last, dtype=pl.Datetime("us"))
    starts = returns.select(
        month_to_date=end.dt.truncate("1mo").dt.offset_by("-1us").first(),
        year_to_date=end.dt.truncate("1y").dt.offset_by("-1us").first(),
        **{name: _before(end, months) for name, months in _TRAILING.items()},
        **{name: _before(end, 12 * years) for name, years in _TRAILING_YEARS.items()},
    ).row(0, named=True)
    first = returns["timestamp"].min()
    growth = 1 + pl.col("return")
    totals = returns.select(
        **{name: growth.filter(time > start).product() - 1 for name, start in starts.items()}
    )
    found: dict[str, float | None] = {}
    for name, start in starts.items():
        total = totals[name].item()
        is_reached = name.endswith("to_date") or (first is not None and first <= start)
        years = _TRAILING_YEARS.get(name, 1)
        found[name] = (1 + total) ** (1 / years) - 1 if is_reached and total > -1 else None
    return found


def _before(end: pl.Expr, months: int) -> pl.Expr:
    """Return the instant so many months earlier; before a month's last day lies another month's last day."""
    earlier = end.dt.offset_by(f"-{months}mo")
    is_last = end == end.dt.month_end()
    return pl.when(is_last).then(earlier.dt.month_end()).otherwise(earlier).first()


def _adjusted(ratio: float | None, values: Floats, *, periods_per_year: float) -> float | None:
    """A ratio annualised with the autocorrelation of neighbouring bars counted in.

    Source: Lo (2002), "The Statistics of Sharpe Ratios", equation 20 with an AR(1) process.
    """
    bars = round(periods_per_year)
    if ratio is None or len(values) < 3 or bars < 2:
        return ratio
    echo = correlation(values[:-1], values[1:])
    if echo is None:
        return ratio
    lags = np.arange(1, bars)
    spread = bars + 2 * float(((bars - lags) * echo**lags).sum())
    return ratio * math.sqrt(bars / spread) if spread > 0 else None
