"""Panels about what was held and paid: exposure, holdings, turnover, and what costs would do."""

from collections.abc import Iterator

import numpy as np
import polars as pl

from workspace_kit.report import words
from workspace_kit.report.blocks import (
    Block,
    Cell,
    Grid,
    Head,
    Note,
    Rows,
    Tiles,
    chart,
    multiple_cell,
    number_cell,
    share_cell,
    tile,
)
from workspace_kit.report.series import Floats
from workspace_kit.report.shapes import cost_tile, histogram_tile
from workspace_kit.report.story import Story, clock
from workspace_kit.report.tracks import (
    count_tile,
    exposure_chart,
    holdings_chart,
    largest_tile,
    traded_tile,
    turnover_tile,
)

_FEWEST_BARS = 8


def exposure(story: Story) -> list[Block]:
    """Return what the main series held and traded."""
    every = story.table("activity").drop_nulls()
    name = first_told(story, every)
    if name is None:
        return []
    activity = every.filter(pl.col("series") == name).sort(clock(every))
    who = words.named(name)
    mean = activity.select(
        pl.col("long", "short").mean(), pl.col("symbols").mean(), pl.col("largest").max()
    ).row(0, named=True)
    said = (
        f"{who} held {words.percent(mean['long'])} of the capital long on average and"
        f" {words.percent(abs(mean['short']))} short, in {words.number(mean['symbols'], decimals=1)} symbols;"
        f" never more than {words.percent(mean['largest'])} in one."
    )
    drawn = chart(
        "exposure",
        lambda width: exposure_chart(activity, story.periods, width=width),
        caption=f"{who}: value held long (blue), short (orange), net (line) and gross (dotted: long and"
        " short together) over each bar, as a share of the capital, all members netted.",
        label=said,
    )
    return [
        Note(said),
        drawn,
        *_holdings(story, name, activity),
        *_tiles(story, activity, who),
        *_activity_table(story),
    ]


def _tiles(story: Story, activity: pl.DataFrame, who: str) -> tuple[Tiles, ...]:
    yearly = dict(
        activity.group_by(pl.col("timestamp").dt.year().alias("year"), maintain_order=True)
        .agg(pl.col("turnover").sum())
        .iter_rows()
    )
    return (
        Tiles(
            f"{who}: how many symbols were held, and how much of the capital the largest position took.",
            (
                tile("symbols-held", count_tile(activity, story.periods), label=f"Symbols held by {who}."),
                tile("largest", largest_tile(activity, story.periods), label=f"Largest position of {who}."),
            ),
        ),
        Tiles(
            f"{who}: value bought and sold in each calendar year; on each bar, with its mean by calendar"
            " month where bars are shorter (dark); and how often a bar traded how much, its mean marked.",
            (
                tile("turnover", turnover_tile(yearly), label=f"Value traded a year by {who}."),
                tile("traded", traded_tile(activity, story.periods), label=f"Value traded a bar by {who}."),
                *_traded_spread(activity, who),
            ),
        ),
    )


def _traded_spread(activity: pl.DataFrame, who: str) -> Iterator[str]:
    if activity.height >= _FEWEST_BARS:
        traded = activity["turnover"].to_numpy()
        title = f"Value traded on {words.count(len(traded))} bars"
        drawing = histogram_tile(traded, title=title, ink="muted", say=words.round_percent)
        yield tile("traded-spread", drawing, label=f"Histogram of value traded a bar by {who}.")


def first_told(story: Story, frame: pl.DataFrame) -> str | None:
    """Return the first known series that a record tells of."""
    told = set(frame["series"].drop_nulls())
    return next((name for name in story.order if name in told), None)


def _holdings(story: Story, name: str, activity: pl.DataFrame) -> list[Block]:
    rows = story.table("holdings").filter(pl.col("series") == name).drop_nulls()
    symbols = rows["symbol"].unique(maintain_order=True).to_list()
    if not symbols:
        return []
    calendar = activity.select(clock(activity))
    shares = {symbol: _filled(rows.filter(pl.col("symbol") == symbol), calendar) for symbol in symbols}
    ranked = sorted(symbols, key=lambda symbol: (-float(np.abs(shares[symbol]).mean()), symbol))
    instants = activity["timestamp"].to_list()
    return [
        chart(
            "holdings",
            lambda width: holdings_chart(ranked, [shares[each] for each in ranked], instants, width=width),
            caption=f"{words.named(name)}: share of the capital in the {len(ranked)} symbols held most;"
            " deeper is more, blue long and orange short.",
            label="Share of capital by symbol over time, most held first: "
            + ", ".join(
                f"{words.short(each, most=20)} {words.percent(float(np.abs(shares[each]).mean()))}"
                for each in ranked
            ),
        )
    ]


def _filled(changes: pl.DataFrame, calendar: pl.DataFrame) -> Floats:
    """Return the share at every bar: that of the last change, zero before the first."""
    instant = clock(changes)
    known = changes.sort(instant, "share").unique(instant, keep="first", maintain_order=True)
    joined = calendar.join_asof(known.select(instant, "share"), on=instant)
    return joined["share"].fill_null(0.0).to_numpy()


def _activity_table(story: Story) -> list[Block]:
    """Return exposure, turnover and cost a year of every candidate; the last two need to know the year."""
    bars = pl.lit(story.periods_per_year, dtype=pl.Float64)
    every = story.table("activity").drop_nulls()
    found = {
        name: row
        for name, *row in every.group_by("series")
        .agg(
            pl.col("long").mean(),
            pl.col("short").mean(),
            (pl.col("long") - pl.col("short")).mean().alias("gross"),
            pl.col("largest").max(),
            pl.col("turnover").mean() * bars,
            pl.col("cost").mean() * bars,
        )
        .iter_rows()
    }
    rows = tuple(
        (
            Cell(words.named(name)),
            *map(share_cell, found[name][:4]),
            multiple_cell(found[name][4]),
            Cell(words.percent(found[name][5], decimals=2), found[name][5]),
        )
        for name in story.order
        if name in found
    )
    titles = ("Mean long", "Mean short", "Mean gross", "Largest position", "Traded a year", "Cost a year")
    heads = (Head("Candidate", is_number=False), *(Head(title) for title in titles))
    caption = "Exposure, turnover (multiples of capital) and cost of every candidate over all periods."
    return [Grid("activity-table", caption, heads, (Rows("", rows),))]


def costs(story: Story) -> list[Block]:
    """Return what test would have earned at other costs of trading."""
    rows = story.table("cost_sensitivity")
    names = [name for name in story.order if name in set(rows["series"].drop_nulls())]
    if not names:
        return []
    inks = {name: name for name in names}
    drawings = tuple(
        tile(
            f"cost-{metric.replace('_', '-')}",
            cost_tile(rows, inks, metric=metric, configured=story.cost_bps),
            label=f"{words.named(metric)} over test against the cost of trading.",
        )
        for metric in ("sharpe_ratio", "total_return")
    )
    levels = rows["cost_bps"].unique().sort().drop_nulls().to_list()
    of = {(series, cost): sharpe for series, cost, _, sharpe in rows.iter_rows()}
    body = tuple(
        (
            Cell(words.named(name)),
            *(number_cell(of.get((name, cost)), decimals=2) for cost in levels),
        )
        for name in names
    )
    heads = (
        Head("Candidate", is_number=False),
        *(Head(f"{cost:g}", group="Sharpe at a cost of … basis points") for cost in levels),
    )
    return [
        Tiles(
            "The same targets over the test period, replayed at other costs; the choice itself was made at"
            " the cost configured.",
            drawings,
            tuple((name, words.named(name)) for name in names),
        ),
        Grid("costs-table", "Sharpe ratio over test by cost.", heads, (Rows("", body),)),
    ]
