"""Panels about how it was earned: exposure, holdings, turnover, round trips, and what costs would do."""

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
    as_float,
    chart,
    count_cell,
    text_cell,
    tile,
)
from workspace_kit.report.results import curves_of
from workspace_kit.report.series import Floats
from workspace_kit.report.shapes import cost_tile, histogram_tile
from workspace_kit.report.story import Story, clock
from workspace_kit.report.tracks import count_tile, exposure_chart, holdings_chart, turnover_tile
from workspace_kit.schema import PERIODS

_MOST_SYMBOLS = 40
_FEWEST_TRADES = 8


def exposure(story: Story) -> list[Block]:
    """Return what the main series held and traded."""
    every = story.table("activity").drop_nulls()
    name = _main(story, every)
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
    yearly = dict(
        activity.group_by(pl.col("timestamp").dt.year().alias("year"), maintain_order=True)
        .agg(pl.col("turnover").sum())
        .iter_rows()
    )
    drawn = chart(
        "exposure",
        lambda width: exposure_chart(activity, story.periods, width=width),
        caption=f"{who}: value held long (blue), short (orange) and net (line) over each bar, as a share of"
        " the capital, all members netted.",
        label=said,
    )
    tiles = Tiles(
        f"{who}: value bought and sold in each calendar year, and how many symbols were held.",
        (
            tile("turnover", turnover_tile(yearly), label=f"Value traded a year by {who}."),
            tile("symbols-held", count_tile(activity, story.periods), label=f"Symbols held by {who}."),
        ),
    )
    return [Note(said), drawn, *_holdings(story, name, activity), tiles, *_activity_table(story)]


def _main(story: Story, frame: pl.DataFrame) -> str | None:
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
            pl.col("largest").max(),
            pl.col("turnover").mean() * bars,
            pl.col("cost").mean() * bars,
        )
        .iter_rows()
    }
    rows = tuple(
        (
            Cell(words.named(name)),
            *(Cell(words.percent(value), value) for value in found[name][:3]),
            _multiple(found[name][3]),
            Cell(words.percent(found[name][4], decimals=2), found[name][4]),
        )
        for name in story.order
        if name in found
    )
    titles = ("Mean long", "Mean short", "Largest position", "Traded a year", "Cost a year")
    heads = (Head("Candidate", is_number=False), *(Head(title) for title in titles))
    caption = "Exposure, turnover (multiples of capital) and cost of every candidate over all periods."
    return [Grid("activity-table", caption, heads, (Rows("", rows),))]


def _multiple(value: float | None) -> Cell:
    return Cell(words.NOTHING if value is None else f"{words.number(value, decimals=2)}×", value)


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
            *(Cell(words.number(of.get((name, cost)), decimals=2), of.get((name, cost))) for cost in levels),
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


def round_trips(story: Story) -> list[Block]:
    """Return closed trades: by period and side, by symbol, and how their returns are spread."""
    every = story.table("round_trips").filter(pl.col("return").is_finite())
    name = _main(story, every)
    if name is None:
        return []
    trades = every.filter(pl.col("series") == name)
    who, ink = words.named(name), next(iter(curves_of(story)), name)
    drawings = []
    if trades.height >= _FEWEST_TRADES:
        drawings = [
            tile(
                "trade-returns",
                histogram_tile(
                    trades["return"].to_numpy(),
                    title=f"Returns of {words.count(trades.height)} trades",
                    ink=ink,
                ),
                label=f"Histogram of trade returns of {who}.",
            )
        ]
    caption = (
        f"{who}: closed trades of every member with weight, net of both costs; what was open at the end of"
        " a period is not among them."
    )
    symbols = _summary(trades, "symbol").sort("trades", "symbol", descending=[True, False])
    return [
        Grid("round-trips", caption, _TRADE_HEADS, tuple(_by_period(trades))),
        *(
            [
                Tiles(
                    f"{who}: how often a trade earned how much; the line is the mean, the outermost bars hold"
                    " all beyond the 1\u00a0% quantiles.",
                    tuple(drawings),
                )
            ]
            if drawings
            else []
        ),
        Grid(
            "trades-by-symbol",
            f"{who}: closed trades by symbol. {_cut(symbols.height)}".strip(),
            _TRADE_HEADS,
            (Rows("", tuple(map(_trade_row, symbols.head(_MOST_SYMBOLS).iter_rows()))),),
            is_searchable=True,
        ),
    ]


_TRADE_HEADS = (
    Head("", is_number=False),
    *(
        Head(title)
        for title in (
            "Trades",
            "Won",
            "Mean",
            "Mean gain",
            "Mean loss",
            "Profit factor",
            "Best",
            "Worst",
            "Bars",
        )
    ),
)


def _cut(symbols: int) -> str:
    return f"The {_MOST_SYMBOLS} most traded of {words.count(symbols)}." if symbols > _MOST_SYMBOLS else ""


def _by_period(trades: pl.DataFrame) -> list[Rows]:
    found = {period: trades.filter(pl.col("period") == period) for period in PERIODS}
    return [
        Rows(
            period.capitalize(),
            tuple(
                _trade_row((side.capitalize(), *row[1:]))
                for row in _summary(some, "side").sort("side").iter_rows()
                if (side := str(row[0]))
            ),
        )
        for period, some in found.items()
        if some.height
    ]


def _summary(trades: pl.DataFrame, key: str) -> pl.DataFrame:
    earned = pl.col("return")
    gains, losses = earned.filter(earned > 0), earned.filter(earned < 0)
    return (
        trades.sort(trades.columns, nulls_last=True)
        .group_by(key, maintain_order=True)
        .agg(
            pl.len().alias("trades"),
            (earned > 0).mean().alias("won"),
            earned.mean().alias("mean"),
            gains.mean().alias("gain"),
            losses.mean().alias("loss"),
            pl.when(losses.len() > 0).then(gains.sum() / losses.sum().abs()).alias("factor"),
            earned.max().alias("best"),
            earned.min().alias("worst"),
            pl.col("bars").mean().alias("bars"),
        )
    )


def _trade_row(row: tuple[object, ...]) -> tuple[Cell, ...]:
    name, trades, won, mean, gain, loss, factor, best, worst, bars = row
    return (
        text_cell(name),
        count_cell(trades),
        *(_share(value) for value in (won, mean, gain, loss)),
        Cell(words.number(as_float(factor), decimals=2), as_float(factor)),
        *(_share(value) for value in (best, worst)),
        Cell(words.number(as_float(bars), decimals=1), as_float(bars)),
    )


def _share(value: object) -> Cell:
    return Cell(words.percent(as_float(value)), as_float(value))
