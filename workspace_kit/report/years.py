"""Panels about when it was earned: calendar, how returns are spread, rolling year, crises."""

import math
from collections.abc import Iterable, Mapping

import numpy as np
import polars as pl

from workspace_kit.report import words
from workspace_kit.report.blocks import Block, Cell, Grid, Head, Rows, Tiles, chart, multiple_cell, tile
from workspace_kit.report.crises import CRISES
from workspace_kit.report.curves import ink_of, rolling_chart
from workspace_kit.report.results import LACKING, curves_of, days_said, legend_of, main_and_reference
from workspace_kit.report.series import (
    Floats,
    by_month,
    by_year,
    compounded,
    growth,
    is_monthly_or_finer,
    rolling_year,
    starting_flat,
    values,
)
from workspace_kit.report.shapes import histogram_tile, quantiles_tile, years_chart
from workspace_kit.report.story import BENCHMARK, BUY_AND_HOLD, Story
from workspace_kit.report.tracks import bars_tile

_SHORTEST_YEAR = 4
_FEWEST = 8
_SPANS = {"Week": "1w", "Month": "1mo", "Quarter": "1q", "Year": "1y"}
_DRAWN = ("Bar", "Week", "Month", "Year")
_FEWEST_IN_CRISIS = 2


def calendar(story: Story) -> list[Block]:
    """Return the returns of each month and year, or of each year where bars are longer than a month."""
    series = curves_of(story)
    if not series:
        return []
    yearly = {name: dict(by_year(frame).iter_rows()) for name, frame in series.items()}
    name, main = next(iter(series.items()))
    shown = main_and_reference(series)
    if BENCHMARK in series:
        shown[BENCHMARK] = series[BENCHMARK]
    inks = {each: ink_of(each, series) for each in shown}
    drawn = chart(
        "years",
        lambda width: years_chart({each: yearly[each] for each in shown}, inks, width=width),
        caption=f"Return per calendar year, in percent; dashed, the mean of {words.named(name).lower()}."
        f" {LACKING}",
        label=f"Return per calendar year, {days_said(shown)}.",
        legend=legend_of(shown),
    )
    tables = [_months(name, main, yearly[name])] if is_monthly_or_finer(main) else []
    return [drawn, *tables, _years(yearly)]


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
        f"{words.named(name)}: return per month, in percent. {LACKING}",
        heads,
        (Rows("", rows),),
        is_dense=True,
    )


def _years(yearly: Mapping[str, Mapping[int, float]]) -> Grid:
    years = sorted({year for of in yearly.values() for year in of})
    scale = _scale([value for of in yearly.values() for value in of.values()])
    main, *_ = yearly
    benchmark = yearly.get(BENCHMARK, {}) if main != BENCHMARK else {}
    rows = tuple(
        (
            Cell(str(year)),
            *(_heat(of.get(year), scale) for of in yearly.values()),
            *(_against(yearly[main].get(year), benchmark.get(year)) if benchmark else ()),
        )
        for year in years
    )
    heads = (
        Head("Year", is_number=False),
        *(Head(words.short(words.named(name), most=24)) for name in yearly),
        *((Head("Multiplier"), Head("Won", is_number=False)) if benchmark else ()),
    )
    caption = f"Return per calendar year, in percent. {LACKING}" + (
        f" The multiplier is the return of {words.named(main).lower()} over the benchmark's, where that"
        " gained; a year is won that earned more."
        if benchmark
        else ""
    )
    return Grid("years-table", caption, heads, (Rows("", rows),), is_folded=True)


def _against(ours: float | None, theirs: float | None) -> tuple[Cell, Cell]:
    """Return how many times the benchmark's gain was earned, and whether it was more."""
    if ours is None or theirs is None or not math.isfinite(ours - theirs):
        return Cell(words.NOTHING), Cell(words.NOTHING)
    return multiple_cell(ours / theirs if theirs > 0.0 else None), Cell("yes" if ours > theirs else "no")


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
    series = curves_of(story)
    against = starting_flat(series[BENCHMARK], story.periods) if BENCHMARK in series else None
    frames = {
        name: rolling_year(frame, against, periods_per_year=bars, risk_free_rate=story.risk_free_rate)
        for name, frame in main_and_reference(series).items()
    }
    shown = {name: frame for name, frame in frames.items() if frame["volatility"].count()}
    if not shown:
        return []
    return [
        chart(
            "rolling",
            lambda width: rolling_chart(shown, story.periods, width=width),
            caption=f"At each bar, over the {round(bars)} bars up to it: Sharpe ratio, Sortino ratio and"
            " volatility, annualised, and beta; dotted, the median of"
            f" {words.named(next(iter(shown))).lower()}. An axis is cut where a year almost without a loss"
            " would fill it.",
            label=f"Rolling Sharpe ratio, Sortino ratio, volatility and beta, {days_said(shown)}.",
            legend=legend_of(shown),
        )
    ]


def spread(story: Story) -> list[Block]:
    """Return how bars, weeks, months and years are spread, and every bar over time."""
    series = curves_of(story)
    if not series:
        return []
    name, main = next(iter(series.items()))
    samples = _samples(main)
    if len(samples["Bar"]) < _FEWEST:
        return []
    ink, who = ink_of(name, series), words.named(name)
    against = _samples(series[BENCHMARK]) if BENCHMARK in series and name != BENCHMARK else {}
    drawings = [
        tile(
            f"spread-{span.lower()}",
            histogram_tile(
                samples[span],
                title=f"Returns of {words.count(len(samples[span]))} {span.lower()}s",
                ink=ink,
                say=words.round_percent,
                against=against.get(span),
            ),
            label=f"Histogram of returns per {span.lower()} of {who}.",
        )
        for span in _DRAWN
        if len(samples.get(span, ())) >= _FEWEST
    ]
    boxes = quantiles_tile(samples, ink=ink)
    bars = bars_tile(main, ink, story.periods)
    return [
        Tiles(
            f"{who}: how often a return was how large; the line is the mean, and the outermost bars hold all"
            f" beyond the 1\u00a0% quantiles.{' The outline is the benchmark.' if against else ''}",
            tuple(drawings),
        ),
        Tiles(
            f"{who}: boxes hold half of the returns, whiskers nine tenths, dots are the extremes; and the"
            " return of every bar.",
            (
                tile("quantiles", boxes, label=f"Quantiles of returns of {who}."),
                tile("bars", bars, label=f"Return of every bar of {who}."),
            ),
        ),
    ]


def _samples(main: pl.DataFrame) -> dict[str, Floats]:
    """Return returns by bar, and by each span of the calendar that holds more than one bar."""
    found = {"Bar": values(main)}
    for name, every in _SPANS.items():
        sample = compounded(main, every)
        if 1 < len(sample) < 0.8 * len(found["Bar"]):
            found[name] = sample
    return found


def crises(story: Story) -> list[Block]:
    """Return what was earned in known stretches of stress that these bars cover."""
    series = curves_of(story)
    if not series:
        return []
    shown = [name for name in (next(iter(series)), BUY_AND_HOLD, BENCHMARK) if name in series]
    rows = []
    for title, start, end in CRISES:
        inside = {
            name: series[name].filter(pl.col("timestamp").dt.date().is_between(start, end, closed="right"))
            for name in dict.fromkeys(shown)
        }
        bars = inside[shown[0]].height
        if bars >= _FEWEST_IN_CRISIS:
            earned = [
                float(growth(values(frame))[-1] - 1.0) if frame.height >= bars else None
                for frame in inside.values()
            ]
            rows.append(
                (
                    Cell(title),
                    Cell(words.span(start, end)),
                    Cell(words.count(bars), bars),
                    *(Cell(words.percent(each), each) for each in (*earned, *_bars_of(inside[shown[0]]))),
                )
            )
    if not rows:
        return []
    heads = (
        Head("Stretch", is_number=False),
        Head("Days", is_number=False),
        Head("Bars"),
        *(Head(words.short(words.named(name), most=24), group="Return") for name in dict.fromkeys(shown)),
        *(
            Head(title, group=f"Bars, {words.short(words.named(shown[0]).lower(), most=24)}")
            for title in ("Mean", "Worst", "Best")
        ),
    )
    caption = (
        "Return in known stretches of stress, one a rebound, and the mean, worst and best of their bars:"
        " those that close after the first day named and by the last; a stretch with fewer than two is left"
        " out, one that outlasts the bars or begins before them is cut to them. A series that lacks some of"
        " these bars has no number."
        f" {LACKING}"
    )
    return [Grid("crises-table", caption, heads, (Rows("", tuple(rows)),))]


def _bars_of(inside: pl.DataFrame) -> tuple[float, float, float]:
    """Return the mean, worst and best return of a bar."""
    returns = values(inside)
    return float(returns.mean()), float(returns.min()), float(returns.max())
