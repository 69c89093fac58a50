"""The panel of round trips: how often closed trades earned how much, and for how long they were held."""

import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial

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
    count_cell,
    number_cell,
    share_cell,
    text_cell,
    tile,
)
from workspace_kit.report.results import curves_of
from workspace_kit.report.shapes import histogram_tile
from workspace_kit.report.story import Story
from workspace_kit.report.tracks import trips_tile
from workspace_kit.report.trading import first_told
from workspace_kit.schema import PERIODS

_MOST_SYMBOLS, _MOST_DRAWN = 40, 8
_FEWEST_TRADES = 8
_CONFIDENCE = 0.95
_TAIL = (1.0 - _CONFIDENCE) / 2
# Finer than any digit that is shown.
_HALVINGS = 40
_EVERY = "all"
_RATIO = partial(number_cell, decimals=2)
# Each number of some trades, its title and how it reads.
_NUMBERS: Mapping[str, tuple[str, Callable[[object], Cell]]] = {
    "trades": ("Trades", count_cell),
    "gained": ("Won", count_cell),
    "lost": ("Lost", count_cell),
    "even": ("Even", count_cell),
    "won": ("Share won", share_cell),
    "mean": ("Mean", share_cell),
    "median": ("Median", share_cell),
    "gain": ("Mean gain", share_cell),
    "median_gain": ("Median gain", share_cell),
    "loss": ("Mean loss", share_cell),
    "median_loss": ("Median loss", share_cell),
    "payoff": ("Payoff ratio", _RATIO),
    "factor": ("Profit factor", _RATIO),
    "best": ("Best", share_cell),
    "worst": ("Worst", share_cell),
    "bars": ("Mean bars", partial(number_cell, decimals=1)),
    "median_bars": ("Median bars", partial(number_cell, decimals=1)),
}
_SHOWN = ("trades", "won", "mean", "gain", "loss", "factor", "best", "worst", "bars")
_HEADS = (Head("", is_number=False), *(Head(_NUMBERS[name][0]) for name in _SHOWN))


def round_trips(story: Story) -> list[Block]:
    """Return closed trades: in numbers, by period and side, by symbol, how they are spread."""
    every = story.table("round_trips").filter(pl.col("return").is_finite())
    name = first_told(story, every)
    if name is None:
        return []
    trades = every.filter(pl.col("series") == name)
    who = words.named(name)
    symbols = _summary(trades, "symbol").sort("trades", "key", descending=[True, False])
    by_period = (
        f"{who}: closed trades of every member with weight, net of both costs; what was open at the end of"
        " a period is not among them."
    )
    return [
        _statistics(trades, who),
        *_odds(trades),
        Grid("round-trips", by_period, _HEADS, tuple(_by_period(trades))),
        *_drawings(story, trades, who, ink=next(iter(curves_of(story)), name)),
        Grid(
            "trades-by-symbol",
            f"{who}: closed trades by symbol. {_cut(symbols.height)}".strip(),
            _HEADS,
            (Rows("", tuple(map(_row, symbols.head(_MOST_SYMBOLS).iter_rows(named=True)))),),
            is_searchable=True,
        ),
    ]


def _statistics(trades: pl.DataFrame, who: str) -> Grid:
    """Return every number of all trades, of the long and of the short ones, a row each."""
    sides = _by_side(trades)
    rows = tuple((Cell(title), *map(cell, sides[name].to_list())) for name, (title, cell) in _NUMBERS.items())
    heads = (
        Head("", is_number=False),
        *(Head(words.short(side.capitalize(), most=24)) for side in sides["key"]),
    )
    caption = (
        f"{who}: closed trades of all periods, returns net of both costs; an even one returned exactly zero."
        " The payoff ratio is mean gain / mean loss, the profit factor sum of gains / sum of losses."
    )
    return Grid("trade-statistics", caption, heads, (Rows("", rows),))


def _odds(trades: pl.DataFrame) -> Iterator[Note]:
    """Say between what the chance of a profit lies."""
    won = int((trades["return"] > 0).sum())
    others = trades.height - won
    if won and others:
        low, high = (beta_quantile(share, won, others) for share in (_TAIL, 1.0 - _TAIL))
        yield Note(
            f"A trade earned a profit with a probability between {words.percent(low)} and"
            f" {words.percent(high)}: the middle {words.percent(_CONFIDENCE, decimals=0)} of the beta"
            f" distribution of {words.count(won)} won and {words.count(others)} others. It takes trades as"
            " independent; those that overlap are not, so the truth is less certain."
        )


def beta_quantile(share: float, won: int, others: int) -> float:
    """Return what a share of the beta distribution with whole parameters lies below.

    Source: its distribution at x is the chance of at least ``won`` in ``won + others - 1`` draws of chance x
    (Abramowitz and Stegun 26.5.24).
    """
    draws = won + others - 1
    hits = np.arange(won, draws + 1)
    logs = np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, draws + 1)))))
    ways = logs[draws] - logs[hits] - logs[draws - hits]
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        below = np.exp(ways + hits * math.log(middle) + (draws - hits) * math.log1p(-middle)).sum()
        low, high = (low, middle) if below > share else (middle, high)
    return (low + high) / 2


def _drawings(story: Story, trades: pl.DataFrame, who: str, *, ink: str) -> Iterator[Tiles]:
    if trades.height < _FEWEST_TRADES:
        return
    some = f"{words.count(trades.height)} trades"
    returns = histogram_tile(
        trades["return"].to_numpy(), title=f"Returns of {some}", ink=ink, say=words.round_percent
    )
    bars = histogram_tile(
        trades["bars"].drop_nulls().cast(pl.Float64).to_numpy(),
        title=f"Bars that {some} were held",
        ink=ink,
        say=words.count,
        is_whole=True,
    )
    yield Tiles(
        f"{who}: how often a trade earned how much, and was held for how many bars; the line is the mean, the"
        " outermost bars hold all beyond the 1\u00a0% quantiles. From entry to exit: the"
        f" {_MOST_DRAWN} symbols traded most, blue long and orange short, trades that touch as one stroke.",
        (
            tile("trade-returns", returns, label=f"Histogram of trade returns of {who}."),
            tile("trade-bars", bars, label=f"Histogram of bars that trades of {who} were held."),
            *_lifetimes(story, trades, who),
        ),
    )


def _lifetimes(story: Story, trades: pl.DataFrame, who: str) -> Iterator[str]:
    """Yield when the trades in the symbols traded most were open."""
    dated = trades.drop_nulls(["symbol", "entered_at", "exited_at"])
    most = dated.group_by("symbol").len().sort("len", "symbol", descending=[True, False])["symbol"]
    shown = {each: dated.filter(pl.col("symbol") == each) for each in most.head(_MOST_DRAWN)}
    if shown:
        counts = ", ".join(f"{words.short(each, most=20)} {some.height}" for each, some in shown.items())
        yield tile(
            "trade-lifetimes",
            trips_tile(shown, story.periods),
            label=f"Trades of {who} from entry to exit: {counts}.",
        )


def _cut(symbols: int) -> str:
    return f"The {_MOST_SYMBOLS} most traded of {words.count(symbols)}." if symbols > _MOST_SYMBOLS else ""


def _by_period(trades: pl.DataFrame) -> Iterator[Rows]:
    for period in PERIODS:
        some = trades.filter(pl.col("period") == period)
        if some.height:
            rows = [{**row, "key": row["key"].capitalize()} for row in _by_side(some).iter_rows(named=True)]
            yield Rows(period.capitalize(), tuple(map(_row, rows)))


def _by_side(trades: pl.DataFrame) -> pl.DataFrame:
    """Return the numbers of all trades, then of each side's; of the one side where there is no other."""
    every = _summary(trades.with_columns(pl.lit(_EVERY).alias("side")), "side")
    sides = _summary(trades.drop_nulls("side"), "side").sort("key")
    return sides if sides.height == 1 and sides["trades"].equals(every["trades"]) else every.vstack(sides)


def _summary(trades: pl.DataFrame, key: str) -> pl.DataFrame:
    """Return `_NUMBERS` of the trades of each key."""
    earned = pl.col("return")
    gains, losses = earned.filter(earned > 0), earned.filter(earned < 0)
    return (
        trades.sort(trades.columns, nulls_last=True)
        .group_by(pl.col(key).alias("key"), maintain_order=True)
        .agg(
            pl.len().alias("trades"),
            gains.len().alias("gained"),
            losses.len().alias("lost"),
            (earned == 0).sum().alias("even"),
            (earned > 0).mean().alias("won"),
            earned.mean().alias("mean"),
            earned.median().alias("median"),
            gains.mean().alias("gain"),
            gains.median().alias("median_gain"),
            losses.mean().alias("loss"),
            losses.median().alias("median_loss"),
            (gains.mean() / losses.mean().abs()).alias("payoff"),
            pl.when(losses.len() > 0).then(gains.sum() / losses.sum().abs()).alias("factor"),
            earned.max().alias("best"),
            earned.min().alias("worst"),
            pl.col("bars").mean().alias("bars"),
            pl.col("bars").median().alias("median_bars"),
        )
    )


def _row(numbers: Mapping[str, object]) -> tuple[Cell, ...]:
    return text_cell(numbers["key"]), *(_NUMBERS[name][1](numbers[name]) for name in _SHOWN)
