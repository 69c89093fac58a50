"""Panels about what the portfolio earned: headline numbers, growth, falls."""

from collections.abc import Iterator, Mapping

import polars as pl

from workspace_kit.report import words
from workspace_kit.report.blocks import Block, Cell, Figures, Grid, Head, Note, Rows, Tiles, chart, tile
from workspace_kit.report.curves import Series, drawdown_chart, growth_chart, ink_of
from workspace_kit.report.series import (
    Fall,
    drawdown,
    growth,
    matched,
    starting_flat,
    summary,
    values,
    within,
    worst_drawdowns,
)
from workspace_kit.report.story import (
    BENCHMARK,
    BUY_AND_HOLD,
    ENSEMBLE,
    EQUAL_WEIGHT,
    Interval,
    Numbers,
    Story,
)
from workspace_kit.report.tracks import falls_tile, linear_tile
from workspace_kit.schema import PERIODS, TEST

_SHOWN = ("total_return", "sharpe_ratio", "max_drawdown", "win_rate", "trades")
_TITLES = ("Return", "Sharpe", "Drawdown", "Win rate", "Trades")
_WITH_INTERVALS = ("total_return", "sharpe_ratio", "max_drawdown")
_MOST_SERIES = 5
_WORST, _SHADED = 10, 5
CHAINED = "Every period starts with fresh, flat accounts; the periods are chained here."
LACKING = f"{CHAINED} A year in which a period begins lacks that bar, the benchmark only its first of all."


def curves_of(story: Story) -> dict[str, pl.DataFrame]:
    """Return the series that figures show: the known ones, or the first few trials where there are none."""
    known = {name: story.series[name] for name in story.order if name in story.series}
    return known or dict(list(story.series.items())[:_MOST_SERIES])


def main_and_reference(series: Series) -> dict[str, pl.DataFrame]:
    """Return the first series, and what it is held against: buy and hold, else the benchmark."""
    chosen = [*list(series)[:1], *[name for name in (BUY_AND_HOLD, BENCHMARK) if name in series][:1]]
    return {name: series[name] for name in chosen}


def headline(story: Story) -> list[Block]:
    """Return the numbers of each candidate in each period."""
    table = {period: dict(_candidates(story, period)) for period in PERIODS}
    has_intervals = any(
        found for of in story.intervals.values() for name in of for found in of[name].values()
    )
    groups = tuple(
        Rows(
            _period_title(story, period),
            tuple(
                _headline_row(story, period, name, of, has_intervals=has_intervals)
                for name, of in rows.items()
            ),
        )
        for period, rows in table.items()
        if rows
    )
    if not groups:
        return []
    latest = next(period for period in reversed(PERIODS) if table[period])
    caption = "Candidates in each period, net of cost. Sharpe ratios are annualised." + (
        f" Intervals: {_confidence(story)} by the stationary bootstrap of bar returns; train has none,"
        " because the best of many is chosen there."
        if has_intervals
        else ""
    )
    return [
        *_advice(story),
        _largest(story, latest, table[latest]),
        Grid("headline-table", caption, _heads(has_intervals=has_intervals), groups),
    ]


def _advice(story: Story) -> list[Note]:
    """Say which candidate stands first, and why."""
    if story.recommended == EQUAL_WEIGHT:
        why = story.reason or "on select, the weights chosen on train did not beat it"
        return [
            Note(
                f"Equal weight stands first here, as these files recommend it: {words.short(why, most=200)}."
            )
        ]
    if story.recommended == ENSEMBLE:
        return [Note("The ensemble stands first: its weights, chosen on train, beat equal weight on select.")]
    return []


def _confidence(story: Story) -> str:
    return f"{words.percent(story.confidence, decimals=0)} intervals" if story.confidence else "intervals"


def _heads(*, has_intervals: bool) -> tuple[Head, ...]:
    heads = [Head("", is_number=False)]
    for key, title in zip(_SHOWN, _TITLES, strict=True):
        heads.append(Head(title))
        if has_intervals and key in _WITH_INTERVALS:
            heads.append(Head("Interval"))
    return tuple(heads)


def _candidates(story: Story, period: str) -> Iterator[tuple[str, Numbers]]:
    """Yield each candidate's numbers: as its document states them, else from its returns."""
    series = dict(story.series) if period in story.periods else {}
    if BENCHMARK in series:
        series[BENCHMARK] = starting_flat(series[BENCHMARK], story.periods)
    for name in story.order:
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


def _headline_row(
    story: Story, period: str, name: str, of: Numbers, *, has_intervals: bool
) -> tuple[Cell, ...]:
    cells = [Cell(words.named(name))]
    for key in _SHOWN:
        cells.append(Cell(_in_unit(key, of.get(key)), of.get(key)))
        if has_intervals and key in _WITH_INTERVALS:
            cells.append(Cell(_between(key, _interval(story, period, name, key)), shade="aside"))
    return tuple(cells)


def _interval(story: Story, period: str, name: str, key: str) -> Interval:
    return story.intervals.get(period, {}).get(name, {}).get(key)


def _between(key: str, ends: Interval) -> str:
    return words.NOTHING if ends is None else f"{words.metric(key, ends[0])} to {words.metric(key, ends[1])}"


def _in_unit(key: str, value: float | None) -> str:
    return words.number(value, decimals=0) if key == "trades" else words.metric(key, value)


def _largest(story: Story, period: str, rows: Mapping[str, Numbers]) -> Figures:
    main, *others = rows
    against = next((name for name in (BUY_AND_HOLD, BENCHMARK) if name in others), None)
    items = tuple(
        (
            _in_unit(key, rows[main].get(key)),
            title,
            tuple(
                _asides(key, _interval(story, period, main, key), against, rows[against] if against else {})
            ),
        )
        for key, title in zip(_SHOWN[:4], _TITLES[:4], strict=True)
    )
    return Figures(
        f"{words.named(main)} on {_period_title(story, period).replace(period.capitalize(), period, 1)}",
        items,
    )


def _asides(key: str, ends: Interval, against: str | None, other: Numbers) -> Iterator[str]:
    if ends:
        yield _between(key, ends)
    if against and other.get(key) is not None:
        yield f"{words.named(against)} {_in_unit(key, other.get(key))}"


def equity(story: Story) -> list[Block]:
    """Return growth of every candidate over all periods."""
    series = curves_of(story)
    if not series:
        return []
    return [
        chart(
            "equity",
            lambda width: growth_chart(series, story.periods, width=width),
            caption=f"Growth of one unit, net of cost, on a log scale. {CHAINED}",
            label=f"Growth of one unit, {days_said(series)}. Total return: {_totals(series)}.",
            legend=legend_of(series),
        ),
        *_growth_otherwise(story, series),
    ]


def _growth_otherwise(story: Story, series: Series) -> list[Tiles]:
    """Return growth on a linear scale, and at equal volatility."""
    pair = main_and_reference(series)
    if BENCHMARK in series:
        pair[BENCHMARK] = series[BENCHMARK]
    level = matched(pair)
    drawings = [
        tile(
            "linear",
            linear_tile(pair, story.periods, title="Growth of 1, linear scale"),
            label=f"Growth of one unit on a linear scale. Total return: {_totals(pair)}.",
        )
    ]
    if level:
        drawings.append(
            tile(
                "matched",
                linear_tile(level, story.periods, title="At the benchmark's volatility"),
                label=f"Growth at equal volatility. Total return: {_totals(level)}.",
            )
        )
    caption = "The same on a linear scale" + (
        "; and with every bar's return scaled so that each series varies as much as the benchmark."
        if level
        else "."
    )
    return [Tiles(caption, tuple(drawings), tuple(legend_of(pair)))]


def falls(story: Story) -> list[Block]:
    """Return the falls from the running peak, and the worst of them."""
    series = main_and_reference(curves_of(story))
    if not series:
        return []
    name = next(iter(series))
    worst = worst_drawdowns(series[name], most=_WORST)
    drawn = chart(
        "underwater",
        lambda width: drawdown_chart(series, story.periods, width=width),
        caption=f"Distance from the running peak, in percent. {CHAINED}",
        label=f"Drawdowns, {days_said(series)}. Deepest: {_deepest(series)}.",
        legend=legend_of(series),
    )
    heads = tuple(
        Head(title, is_number=title in {"Depth", "Bars", "Days"})
        for title in ("Peak", "Trough", "Recovered", "Depth", "Bars", "Days")
    )
    caption = (
        f"{words.named(name)}: the {_WORST} deepest falls; bars and calendar days from peak to"
        " recovery, or to the last bar."
    )
    if not worst.height:
        return [drawn, Note(f"{words.named(name)} never fell below its peak.")]
    shaded = tile(
        "fall-periods",
        falls_tile(series[name], ink_of(name, series), worst.head(_SHADED), story.periods),
        label=f"Growth of {words.named(name)}, its {_SHADED} deepest falls shaded.",
    )
    return [
        drawn,
        Grid("worst-falls", caption, heads, (Rows("", tuple(map(_fall_row, worst.iter_rows()))),)),
        Tiles(f"{words.named(name)}: its deepest falls, from peak to recovery.", (shaded,)),
    ]


def _fall_row(fall: Fall) -> tuple[Cell, ...]:
    depth, peak, trough, recovery, bars, days = fall
    return (
        Cell(words.date(peak)),
        Cell(words.date(trough)),
        Cell(words.date(recovery) if recovery else "not yet"),
        Cell(words.percent(depth), depth),
        Cell(words.count(bars), bars),
        Cell(words.count(days), days),
    )


def legend_of(series: Series) -> list[tuple[str, str]]:
    """Return the ink and name of each series."""
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


def days_said(series: Series) -> str:
    """Return first and last day of the series."""
    times = [frame["timestamp"] for frame in series.values()]
    return words.span(min(time[0] for time in times), max(time[-1] for time in times))
