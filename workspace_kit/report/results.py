"""Panels about what the portfolio earned: headline numbers, growth, falls, calendar, rolling figures."""

import datetime as dt
import math
from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np
import polars as pl

from workspace_kit.report import words
from workspace_kit.report.blocks import Block, Cell, Figures, Grid, Head, Note, Rows, chart
from workspace_kit.report.curves import drawdown_chart, growth_chart, rolling_chart
from workspace_kit.report.series import (
    by_month,
    by_series,
    by_year,
    is_monthly_or_finer,
    rolling_year,
    summary,
    within,
    worst_drawdowns,
)
from workspace_kit.report.story import BENCHMARK, BUY_AND_HOLD, SERIES, Story
from workspace_kit.schema import PERIODS, TEST

Numbers = Mapping[str, float | None]

_SHOWN = ("total_return", "sharpe_ratio", "max_drawdown", "win_rate", "trades")
_HEADS = (Head("", is_number=False), *(Head(title) for title in ("Return", "Sharpe", "Drawdown", "Win rate", "Trades")))
_MOST_SERIES = 5
_WORST = 10
_SHORTEST_YEAR = 4
_FRESH = "Every period starts with fresh, flat accounts; the periods are chained here."


def curves_of(story: Story) -> dict[str, pl.DataFrame]:
    """Return the series that figures show: the known ones, or the first few trials where there are none."""
    series = by_series(story.table("returns"))
    known = {name: frame for name, frame in series.items() if name in SERIES}
    return known or dict(list(series.items())[:_MOST_SERIES])


def main_and_reference(series: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
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
    return [*_largest(story, latest, table[latest]), Grid("headline-table", caption, _HEADS, groups)]


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
            pl.col("trial_id") == story.candidates.get(name), pl.col("period") == period
        )
    return next(rows.select(_SHOWN).iter_rows(named=True), {})


def _period_title(story: Story, period: str) -> str:
    days = f", {words.span(*story.periods[period])}" if period in story.periods else ""
    return f"{period.capitalize()}{days}"


def _headline_row(name: str, of: Numbers) -> tuple[Cell, ...]:
    return (Cell(words.named(name)), *(Cell(_in_unit(key, of.get(key)), of.get(key)) for key in _SHOWN))


def _in_unit(key: str, value: float | None) -> str:
    return words.number(value, decimals=0) if key == "trades" else words.metric(key, value)


def _largest(story: Story, period: str, rows: Mapping[str, Numbers]) -> Iterator[Figures]:
    main, *others = rows
    against = next((name for name in (BUY_AND_HOLD, BENCHMARK) if name in others), None)
    items = tuple(
        (
            _in_unit(key, rows[main].get(key)),
            title.title,
            f"{words.named(against)} {_in_unit(key, rows[against].get(key))}" if against else "",
        )
        for key, title in zip(_SHOWN[:4], _HEADS[1:5], strict=True)
    )
    yield Figures(f"{words.named(main)} on {_period_title(story, period).lower().replace(', ', ': ', 1)}", items)


def equity(story: Story) -> list[Block]:
    """Return growth of every candidate over all periods."""
    series = curves_of(story)
    if not series:
        return []
    ends = "; ".join(
        f"{words.named(name)} {words.percent(summary(frame, periods_per_year=None, risk_free_rate=0.0)['total_return'])}"
        for name, frame in series.items()
    )
    return [
        chart(
            "equity",
            partial(_draw_growth, series, story),
            caption=f"Growth of one unit, net of cost, on a log scale. {_FRESH}",
            label=f"Line chart of growth, {_days(series)}. Total return: {ends}.",
            legend=_legend(series),
        )
    ]


def _draw_growth(series: Mapping[str, pl.DataFrame], story: Story, width: int):
    return growth_chart(series, story.periods, width=width)


def _legend(series: Mapping[str, pl.DataFrame]) -> list[tuple[str, str]]:
    return []


def _days(series: Mapping[str, pl.DataFrame]) -> str:
    return ""
