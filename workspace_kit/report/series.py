"""What a return series amounts to: growth, falls, calendar and rolling figures, for drawing and for tables.

A series here is a frame ``timestamp, return`` in time order, a row a bar, every return finite. Where
times are local it has an ``instant`` too, which alone tells the hour that clocks repeat from the one before.
"""

import datetime as dt
import itertools
import math
from collections.abc import Mapping

import numpy as np
import polars as pl

from workspace_kit.report.story import BENCHMARK, clock

# What rounding leaves of the variance of a benchmark that stands still.
_NO_SPREAD = 1e-14
_LARGEST = 1e9
Floats = np.ndarray[tuple[int], np.dtype[np.float64]]
Period = tuple[dt.datetime, dt.datetime]
# Depth, peak, trough, recovery, bars and days.
Fall = tuple[float, dt.datetime, dt.datetime, dt.datetime | None, int, int]


def values(series: pl.DataFrame) -> Floats:
    """Return the returns as an array."""
    return series["return"].to_numpy()


def growth(returns: Floats) -> Floats:
    """Return what one unit has become at each bar's close; infinite where no float can hold it."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(np.cumprod(1.0 + returns), dtype=np.float64)


def drawable(numbers: Floats) -> Floats:
    """Return numbers that axes can hold: beyond them lies ruin or nonsense."""
    return np.asarray(np.clip(np.nan_to_num(numbers), -_LARGEST, _LARGEST), dtype=np.float64)


def drawdown(returns: Floats) -> Floats:
    """Return the fall from the running peak at each bar, zero or negative; the start counts as a peak.

    NaN where growth is infinite.
    """
    equity = growth(returns)
    if not len(equity):
        return equity
    with np.errstate(invalid="ignore"):
        return equity / np.maximum(np.maximum.accumulate(equity), 1.0) - 1.0


def within(series: pl.DataFrame, period: Period) -> pl.DataFrame:
    """Return the bars of a period, both ends included."""
    return series.filter(pl.col("timestamp").is_between(*period))


def starting_flat(series: pl.DataFrame, periods: Mapping[str, Period]) -> pl.DataFrame:
    """Return a series as an account would have it: nothing earned on the first bar of each period."""
    firsts = [within(series, period)["timestamp"].min() for period in periods.values()]
    is_first = pl.col("timestamp").is_in(pl.Series(firsts, dtype=series.schema["timestamp"]).implode())
    return series.with_columns(pl.when(~is_first).then("return").otherwise(0.0).alias("return"))


def summary(
    series: pl.DataFrame, *, periods_per_year: float | None, risk_free_rate: float
) -> Mapping[str, float | None]:
    """Total return, Sharpe ratio and deepest drawdown of a series, by METRICS name; null where undefined."""
    returns = values(series)
    if not len(returns):
        return {"total_return": None, "sharpe_ratio": None, "max_drawdown": None}
    return {
        "total_return": float(growth(returns)[-1] - 1.0),
        "sharpe_ratio": _sharpe(returns, periods_per_year=periods_per_year, risk_free_rate=risk_free_rate),
        "max_drawdown": float(drawdown(returns).min()),
    }


def _sharpe(returns: Floats, *, periods_per_year: float | None, risk_free_rate: float) -> float | None:
    """Annualised mean over sample deviation; null for one bar, equal returns or an unknown calendar."""
    if periods_per_year is None or len(returns) < 2 or returns.min() == returns.max():
        return None
    excess = returns - per_bar(risk_free_rate, periods_per_year=periods_per_year)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        ratio = float(math.sqrt(periods_per_year) * excess.mean() / excess.std(ddof=1))
    return ratio if math.isfinite(ratio) else None


def per_bar(annual_rate: float, *, periods_per_year: float) -> float:
    """Return the rate per bar that compounds to an annual rate."""
    return float((1.0 + annual_rate) ** (1.0 / periods_per_year) - 1.0)


def worst_drawdowns(series: pl.DataFrame, *, most: int) -> pl.DataFrame:
    """Return the deepest falls, deepest first: depth, peak, trough, recovery (null if not yet), bars, days.

    ``peak`` is the bar at the peak, the series' first bar where it starts with the fall; ``bars`` and
    calendar ``days`` run from the peak to the recovery or to the last bar.
    """
    depth = drawdown(values(series))
    times = series["timestamp"].to_list()
    under = np.concatenate(([False], depth < 0.0, [False]))
    edges = np.flatnonzero(np.diff(under))
    falls = [
        _fall(depth, times, first=int(first), after=int(after))
        for first, after in zip(edges[::2], edges[1::2], strict=True)
    ]
    deepest = sorted(falls, key=lambda fall: fall[0])[:most]
    return pl.DataFrame(
        deepest,
        schema={
            "depth": pl.Float64(),
            "peak": series.schema["timestamp"],
            "trough": series.schema["timestamp"],
            "recovery": series.schema["timestamp"],
            "bars": pl.Int64(),
            "days": pl.Int64(),
        },
        orient="row",
    )


def _fall(depth: Floats, times: list[dt.datetime], *, first: int, after: int) -> Fall:
    trough = first + int(np.argmin(depth[first:after]))
    peak = max(first - 1, 0)
    recovered = after < len(times)
    end = after if recovered else after - 1
    days = (times[end].date() - times[peak].date()).days
    recovery = times[after] if recovered else None
    return float(depth[trough]), times[peak], times[trough], recovery, end - peak, days


def by_year(series: pl.DataFrame) -> pl.DataFrame:
    """Return the compounded return of each calendar year: year, return."""
    return _compounded(series.with_columns(pl.col("timestamp").dt.year().alias("year")), ["year"])


def by_month(series: pl.DataFrame) -> pl.DataFrame:
    """Return the compounded return of each calendar month: year, month, return."""
    time = pl.col("timestamp").dt
    return _compounded(
        series.with_columns(time.year().alias("year"), time.month().alias("month")), ["year", "month"]
    )


def _compounded(dated: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    spans = dated.with_row_index("row").group_by(keys, maintain_order=True).agg(pl.col("row").first())
    factors = 1.0 + dated["return"].to_numpy()
    with np.errstate(over="ignore", invalid="ignore"):
        product = np.multiply.reduceat(factors, spans["row"].to_numpy()) if len(factors) else factors
    return spans.select(keys).with_columns(pl.Series("return", product - 1.0, dtype=pl.Float64()))


def compounded(series: pl.DataFrame, every: str) -> Floats:
    """Return the compounded return of each span of the calendar, ``1w``, ``1mo``, …, that has a bar."""
    spans = series.select(pl.col("timestamp").dt.truncate(every).alias("span"), "return")
    found = _compounded(spans, ["span"])["return"].to_numpy()
    return np.asarray(found[np.isfinite(found)], dtype=np.float64)


def matched(series: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Return series scaled to the benchmark's deviation; none without one, or where all is flat."""
    if BENCHMARK not in series:
        return {}
    level = _deviation(series[BENCHMARK])
    found = {}
    for name, frame in series.items():
        deviation = _deviation(frame)
        if deviation > 0.0 and math.isfinite(level / deviation):
            found[name] = frame.with_columns(pl.col("return") * (level / deviation))
    return found


def _deviation(series: pl.DataFrame) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        return float(values(series).std())


def is_monthly_or_finer(series: pl.DataFrame) -> bool:
    """Whether bars come at least once a month, by their median distance."""
    gap = series["timestamp"].diff().median()
    return isinstance(gap, dt.timedelta) and gap <= dt.timedelta(days=31)


def rolling_year(
    series: pl.DataFrame, benchmark: pl.DataFrame | None, *, periods_per_year: float, risk_free_rate: float
) -> pl.DataFrame:
    """Return timestamp, sharpe, sortino and volatility, annualised, and beta, over the year to each bar.

    Bars before the first full year are left out; a year of equal returns has no ratio, one without a loss
    no Sortino ratio, and beta is null without a benchmark.
    """
    window = round(periods_per_year)
    excess = series["return"] - per_bar(risk_free_rate, periods_per_year=periods_per_year)
    scale = math.sqrt(periods_per_year)
    varies = excess.rolling_max(window) > excess.rolling_min(window)
    frame = pl.DataFrame(
        {
            "timestamp": series["timestamp"],
            "mean": excess.rolling_mean(window),
            "deviation": excess.rolling_std(window),
            "varies": varies,
            "downside": (excess.clip(upper_bound=0.0) ** 2).rolling_mean(window).clip(lower_bound=0.0).sqrt(),
            "beta": _rolling_beta(series, benchmark, window=window),
        }
    )
    return frame.filter(pl.col("mean").is_not_null()).select(
        "timestamp",
        _finite(pl.when("varies").then(pl.col("mean") / pl.col("deviation") * scale)).alias("sharpe"),
        _finite(pl.when("varies").then(pl.col("mean") / pl.col("downside") * scale)).alias("sortino"),
        _finite(pl.when("varies").then(pl.col("deviation") * scale).otherwise(0.0)).alias("volatility"),
        _finite(pl.col("beta")).alias("beta"),
    )


def _rolling_beta(series: pl.DataFrame, benchmark: pl.DataFrame | None, *, window: int) -> pl.Series:
    if benchmark is None:
        return pl.Series("beta", [None] * series.height, dtype=pl.Float64())
    theirs = pl.col("benchmark")
    pairs = series.join(
        benchmark.select(clock(benchmark), pl.col("return").alias("benchmark")),
        on=clock(benchmark),
        how="left",
        maintain_order="left",
    )
    shared = (pl.col("return") * theirs).rolling_mean(window) - pl.col("return").rolling_mean(
        window
    ) * theirs.rolling_mean(window)
    spread = (theirs**2).rolling_mean(window) - theirs.rolling_mean(window) ** 2
    return pairs.select(pl.when(spread > _NO_SPREAD).then(shared / spread).alias("beta")).to_series()


def _finite(value: pl.Expr) -> pl.Expr:
    return pl.when(value.is_finite()).then(value)


def runs(regimes: pl.DataFrame) -> pl.DataFrame:
    """Return unbroken stretches of each regime: regime, start, end.

    A label is known at its bar's close, so a stretch reaches from its first bar's close to the close of the
    first bar of the next one; bars without a label (warm-up) make none.
    """
    instant = clock(regimes)
    labels = regimes.sort(instant, "regime").unique(instant, keep="first", maintain_order=True)
    stretches = (
        labels.with_columns(pl.col("regime").rle_id().alias("stretch"))
        .group_by("stretch", maintain_order=True)
        .agg(
            pl.col("regime").first(),
            pl.col("timestamp").first().alias("start"),
            pl.col("timestamp").last().alias("last"),
        )
    )
    return stretches.select(
        "regime", "start", pl.coalesce(pl.col("start").shift(-1), "last").alias("end")
    ).drop_nulls("regime")


def thinned(times: Floats, heights: Floats, *, pixels: int) -> tuple[Floats, Floats]:
    """Return a line that looks the same at a width in pixels: per pixel, its lowest and highest point.

    Times ascend; a line of at most two points a pixel is returned as it is.
    """
    if len(times) <= 2 * pixels:
        return times, heights
    edges = np.linspace(0, len(times), pixels + 1).astype(np.int64)
    kept = {0, len(times) - 1}
    for start, end in itertools.pairwise(edges):
        kept.add(int(start + np.argmin(heights[start:end])))
        kept.add(int(start + np.argmax(heights[start:end])))
    rows = np.array(sorted(kept))
    return times[rows], heights[rows]
