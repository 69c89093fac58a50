"""Panels about what the portfolio earned: headline numbers, growth, falls, calendar, rolling figures."""

import datetime as dt
import math
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import polars as pl

from workspace_kit.report import words
from workspace_kit.report.blocks import Block, Cell, Figures, Grid, Head, Note, Rows, chart
from workspace_kit.report.curves import Series, drawdown_chart, growth_chart, ink_of, rolling_chart
from workspace_kit.report.series import (
    by_month,
    by_series,
    by_year,
    drawdown,
    growth,
    is_monthly_or_finer,
    rolling_year,
    summary,
    values,
    within,
    worst_drawdowns,
)
from workspace_kit.report.story import BENCHMARK, BUY_AND_HOLD, SERIES, Story
from workspace_kit.schema import PERIODS, TEST

Numbers = Mapping[str, float | None]

_SHOWN = ("total_return", "sharpe_ratio", "max_drawdown", "win_rate", "trades")
_HEADS = (
    Head("", is_number=False),
    *(Head(title) for title in ("Return", "Sharpe", "Drawdown", "Win rate", "Trades")),
)
_MOST_SERIES = 5
_WORST = 10
_SHORTEST_YEAR = 4
_CHAINED = "Every period starts with fresh, flat accounts; the periods are chained here."


def curves_of(story: Story) -> dict[str, pl.DataFrame]:
    """Return the series that figures show: the known ones, or the first few trials where there are none."""
    series = by_series(story.table("returns"))
    known = {name: frame for name, frame in series.items() if name in SERIES}
    return known or dict(list(series.items())[:_MOST_SERIES])


def main_and_reference(series: Series) -> dict[str, pl.DataFrame]:
    """Return the first series, and what it is held against: buy and hold, else the benchmark."""
    chosen = [*list(series)[:1], *[name for name in (BUY_AND_HOLD, BENCHMARK) if name in series][:1]]
    return {name: series[name] for name in chosen}


def headline(story: Story) -> list[Block]:
    """Return the numbers of each candidate in each period."""
    table = {period: dict(_candidates(story, period)) for period in PERIODS}
    groups = tuple(
        Rows(_period_title(story, period), tuple(_headline_row(name, of) for name, of in rows.items()))
        for period, rows in table.items()
        if rows
    )
    if not groups:
        return []
    latest = next(period for period in reversed(PERIODS) if table[period])
    caption = "Candidates in each period, net of cost. Sharpe ratios are annualised."
    return [_largest(story, latest, table[latest]), Grid("headline-table", caption, _HEADS, groups)]


def _candidates(story: Story, period: str) -> Iterator[tuple[str, Numbers]]:
    """Yield each candidate's numbers: as its document states them, else from its returns."""
    series = by_series(story.table("returns")) if period in story.periods else {}
    for name in SERIES:
        bars = within(series[name], story.periods[period]) if name in series else None
        computed = (
            summary(bars, periods_per_year=story.periods_per_year, risk_free_rate=story.risk_free_rate)
            if bars is not None and bars.height
            else {}
        )
        stated = {key: value for key, value in _stated(story, name, period).items() if value is not None}
        if computed or stated:
            yield name, {**computed, **stated}


def _stated(story: Story, name: str, period: str) -> Numbers:
    if period == TEST:
        rows = story.table("validations").filter(pl.col("candidate") == name)
    else:
        rows = story.table("performance").filter(
            pl.col("trial_id") == pl.lit(story.candidates.get(name), dtype=pl.String),
            pl.col("period") == period,
        )
    return next(rows.select(_SHOWN).iter_rows(named=True), {})


def _period_title(story: Story, period: str) -> str:
    days = f", {words.span(*story.periods[period])}" if period in story.periods else ""
    return f"{period.capitalize()}{days}"


def _headline_row(name: str, of: Numbers) -> tuple[Cell, ...]:
    return (Cell(words.named(name)), *(Cell(_in_unit(key, of.get(key)), of.get(key)) for key in _SHOWN))


def _in_unit(key: str, value: float | None) -> str:
    return words.number(value, decimals=0) if key == "trades" else words.metric(key, value)


def _largest(story: Story, period: str, rows: Mapping[str, Numbers]) -> Figures:
    main, *others = rows
    against = next((name for name in (BUY_AND_HOLD, BENCHMARK) if name in others), None)
    items = tuple(
        (
            _in_unit(key, rows[main].get(key)),
            head.title,
            f"{words.named(against)} {_in_unit(key, rows[against].get(key))}" if against else "",
        )
        for key, head in zip(_SHOWN[:4], _HEADS[1:5], strict=True)
    )
    return Figures(
        f"{words.named(main)} on {_period_title(story, period).replace(period.capitalize(), period, 1)}",
        items,
    )


def equity(story: Story) -> list[Block]:
    """Return growth of every candidate over all periods."""
    series = curves_of(story)
    if not series:
        return []
    return [
        chart(
            "equity",
            lambda width: growth_chart(series, story.periods, width=width),
            caption=f"Growth of one unit, net of cost, on a log scale. {_CHAINED}",
            label=f"Growth of one unit, {_days(series)}. Total return: {_totals(series)}.",
            legend=_legend(series),
        )
    ]


def falls(story: Story) -> list[Block]:
    """Return the falls from the running peak, and the worst of them."""
    series = main_and_reference(curves_of(story))
    if not series:
        return []
    name = next(iter(series))
    worst = worst_drawdowns(series[name], most=_WORST)
    drawn = chart(
        "falls",
        lambda width: drawdown_chart(series, story.periods, width=width),
        caption=f"Distance from the running peak, in percent. {_CHAINED}",
        label=f"Drawdowns, {_days(series)}. Deepest: {_deepest(series)}.",
        legend=_legend(series),
    )
    heads = tuple(
        Head(title, is_number=title in {"Depth", "Bars"})
        for title in ("Peak", "Trough", "Recovered", "Depth", "Bars")
    )
    caption = (
        f"{words.named(name)}: the {_WORST} deepest falls; bars from peak to recovery, or to the last bar."
    )
    if not worst.height:
        return [drawn, Note(f"{words.named(name)} never fell below its peak.")]
    return [drawn, Grid("worst-falls", caption, heads, (Rows("", tuple(map(_fall_row, worst.iter_rows()))),))]


def _fall_row(fall: tuple[float, dt.datetime, dt.datetime, dt.datetime | None, int]) -> tuple[Cell, ...]:
    depth, peak, trough, recovery, bars = fall
    return (
        Cell(words.date(peak)),
        Cell(words.date(trough)),
        Cell(words.date(recovery) if recovery else "not yet"),
        Cell(words.percent(depth), depth),
        Cell(words.count(bars), bars),
    )


def calendar(story: Story) -> list[Block]:
    """Return the returns of each month and year, or of each year where bars are longer than a month."""
    series = curves_of(story)
    if not series:
        return []
    yearly = {name: dict(by_year(frame).iter_rows()) for name, frame in series.items()}
    name, main = next(iter(series.items()))
    if not is_monthly_or_finer(main):
        return [_years(yearly)]
    return [_months(name, main, yearly[name]), _years(yearly)]


def _months(name: str, main: pl.DataFrame, yearly: Mapping[int, float]) -> Grid:
    months = {(year, month): value for year, month, value in by_month(main).iter_rows()}
    scale = _scale(months.values())
    rows = tuple(
        (
            Cell(str(year)),
            *(_heat(months.get((year, month)), scale) for month in range(1, 13)),
            _heat(yearly[year], None),
        )
        for year in sorted(yearly)
    )
    heads = (Head("Year", is_number=False), *(Head(month) for month in words.MONTHS), Head("Year"))
    return Grid(
        "months",
        f"{words.named(name)}: return per month, in percent.",
        heads,
        (Rows("", rows),),
        is_dense=True,
    )


def _years(yearly: Mapping[str, Mapping[int, float]]) -> Grid:
    years = sorted({year for of in yearly.values() for year in of})
    scale = _scale([value for of in yearly.values() for value in of.values()])
    rows = tuple((Cell(str(year)), *(_heat(of.get(year), scale) for of in yearly.values())) for year in years)
    heads = (
        Head("Year", is_number=False),
        *(Head(words.short(words.named(name), most=24)) for name in yearly),
    )
    return Grid("years", "Return per calendar year, in percent.", heads, (Rows("", rows),), is_folded=True)


def _scale(values: Iterable[float]) -> float:
    """Return the size that gets the strongest shade: all but the largest twentieth are below it."""
    sizes = np.abs(np.fromiter(values, dtype=np.float64))
    finite = sizes[np.isfinite(sizes)]
    return float(np.quantile(finite, 0.95)) if len(finite) else 0.0


def _heat(value: float | None, scale: float | None) -> Cell:
    """Return a percentage without its sign of unit, shaded by its size where a scale is given."""
    text = words.number(None if value is None else value * 100, decimals=1)
    if value is None or not math.isfinite(value) or not scale or value == 0.0:
        return Cell(text, value)
    level = min(5, math.ceil(5 * abs(value) / scale))
    return Cell(text, value, f"{'up' if value > 0 else 'down'}-{level}")


def rolling(story: Story) -> list[Block]:
    """Return Sharpe ratio and volatility over the year before each bar."""
    bars = story.periods_per_year
    if bars is None or bars < _SHORTEST_YEAR:
        return []
    frames = {
        name: rolling_year(frame, periods_per_year=bars, risk_free_rate=story.risk_free_rate)
        for name, frame in main_and_reference(curves_of(story)).items()
    }
    series = {name: frame for name, frame in frames.items() if frame["volatility"].count()}
    if not series:
        return []
    return [
        chart(
            "rolling",
            lambda width: rolling_chart(series, story.periods, width=width),
            caption=f"Sharpe ratio and volatility over {round(bars)} bars, both annualised, at each bar.",
            label=f"Rolling Sharpe ratio and volatility, {_days(series)}.",
            legend=_legend(series),
        )
    ]


def _legend(series: Series) -> list[tuple[str, str]]:
    return [(ink_of(name, series), words.short(words.named(name), most=24)) for name in series]


def _totals(series: Series) -> str:
    return "; ".join(
        f"{words.named(name)} {words.percent(float(growth(values(frame))[-1]) - 1.0)}"
        for name, frame in series.items()
    )


def _deepest(series: Series) -> str:
    return "; ".join(
        f"{words.named(name)} {words.percent(float(drawdown(values(frame)).min()))}"
        for name, frame in series.items()
    )


def _days(series: Series) -> str:
    times = [frame["timestamp"] for frame in series.values()]
    return words.span(min(time[0] for time in times), max(time[-1] for time in times))
