"""What each candidate held, traded and paid, bar by bar: recorded, so that a page needs no prices."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import polars as pl

from workspace_kit.analysis.measures import sharpe_ratio, total_return
from workspace_kit.analysis.replay import Bars, Matrix, Replay, buy_and_hold, replay, targets
from workspace_kit.config import Config, Execution
from workspace_kit.flows.blend import Blend, netted
from workspace_kit.flows.trip import Trip
from workspace_kit.schema import ACTIVITY, COST_SENSITIVITY, HOLDINGS, ROUND_TRIPS, TEST

MOST_SYMBOLS = 10
# A millionth of the capital, and of it a hundredth for costs: finer is noise, and half of a file.
DIGITS, COST_DIGITS = 6, 8
COSTS_BPS = (0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)


class Line(NamedTuple):
    """An account of its own within a candidate: its share of capital and what it follows."""

    weight: float
    member: str | None
    targets: Matrix


class Book(NamedTuple):
    """A candidate over one period, as accounts that can be replayed under any execution."""

    bars: Bars
    lines: Sequence[Line]

    def replays(self, execution: Execution) -> list[tuple[Line, Replay]]:
        """Return each line with what it earned."""
        return [(line, replay(line.targets, self.bars, execution=execution)) for line in self.lines]


Books = Mapping[str, Mapping[str, Book]]


def books_of(trip: Trip, over: Blend, weights: Matrix, single: pl.DataFrame) -> dict[str, Book]:
    """Return each candidate's book over the period of a blend; ``single`` are the best trial's signals."""
    bars, config = over.bars, trip.config
    equal = np.full_like(weights, 1 / len(weights))
    known = single.filter(pl.col("timestamp") <= bars.timestamps.max())
    alone = targets(known, bars, execution=config.execution, on_duplicate="error").values
    return {
        "ensemble": Book(bars, _lines(over, weights, config=config)),
        "equal_weight": Book(bars, _lines(over, equal, config=config)),
        "best_single": Book(bars, [Line(1.0, None, alone)]),
        "buy_and_hold": Book(bars, [Line(1.0, None, buy_and_hold(bars))]),
    }


def _lines(over: Blend, weights: Matrix, *, config: Config) -> list[Line]:
    if config.ensemble.mode == "signal":
        return [Line(1.0, None, netted(over, weights))]
    known = zip(weights.tolist(), over.names, over.targets, strict=True)
    return [Line(weight, name, wanted) for weight, name, wanted in known if weight > 0]


def records(books: Books, *, recommended: str, config: Config) -> dict[str, pl.DataFrame]:
    """Return `schema.RECORDS` by name: activity and costs of every candidate, the rest of the recommended.

    ``books`` are by period, in order of time, and candidate.
    """
    played = {
        period: {name: book.replays(config.execution) for name, book in of.items()}
        for period, of in books.items()
    }
    followed = {period: (books[period][recommended].bars, of[recommended]) for period, of in played.items()}
    return {
        ACTIVITY.name: pl.concat(
            _activity(name, books[period][name].bars, each)
            for name in books[TEST]
            for period, each in ((period, of[name]) for period, of in played.items())
        ),
        HOLDINGS.name: _holdings(recommended, list(followed.values())),
        ROUND_TRIPS.name: pl.concat(
            _round_trips(recommended, period, each) for period, (_, each) in followed.items()
        ),
        COST_SENSITIVITY.name: _cost_sensitivity(books[TEST], config=config),
    }


def _held(played: Sequence[tuple[Line, Replay]]) -> Matrix:
    """Return value held over each bar in each symbol as a share of the capital, [T, S], netted over lines."""
    total = np.zeros_like(played[0][1].shares)
    for line, each in played:
        total += line.weight * each.holdings
    return total


def _pooled(played: Sequence[tuple[Line, Replay]], column: str) -> Matrix:
    total = np.zeros(played[0][1].bars.height)
    for line, each in played:
        total += line.weight * each.bars[column].to_numpy()
    return total


def _activity(name: str, bars: Bars, played: Sequence[tuple[Line, Replay]]) -> pl.DataFrame:
    held = _held(played)
    return pl.DataFrame(
        {
            "series": [name] * len(held),
            "timestamp": bars.timestamps,
            "long": held.clip(min=0.0).sum(axis=1).round(DIGITS),
            "short": held.clip(max=0.0).sum(axis=1).round(DIGITS) + 0.0,
            "symbols": (held != 0.0).sum(axis=1),
            "largest": np.abs(held).max(axis=1).round(DIGITS),
            "turnover": _pooled(played, "turnover").round(DIGITS),
            "cost": _pooled(played, "cost").round(COST_DIGITS),
        },
        schema=ACTIVITY.types,
    )


def _holdings(name: str, periods: Sequence[tuple[Bars, Sequence[tuple[Line, Replay]]]]) -> pl.DataFrame:
    """Return when the share of each of the symbols held most changed; before its first row it is zero."""
    symbols = periods[0][0].symbols
    held = np.vstack([_held(played) for _, played in periods]).round(DIGITS) + 0.0
    times = pl.concat([bars.timestamps for bars, _ in periods])
    most = np.argsort(-np.abs(held).mean(axis=0), kind="stable")[:MOST_SYMBOLS]
    before = np.vstack([np.zeros((1, held.shape[1])), held[:-1]])
    rows = [
        pl.DataFrame({"timestamp": times, "share": held[:, at]})
        .filter(pl.Series(held[:, at] != before[:, at]))
        .select(pl.lit(name).alias("series"), pl.lit(symbols[at]).alias("symbol"), "timestamp", "share")
        for at in most
    ]
    return pl.concat([HOLDINGS.empty(), *rows])


def _round_trips(name: str, period: str, played: Sequence[tuple[Line, Replay]]) -> pl.DataFrame:
    found = [
        each.trades.with_columns(
            pl.lit(name).alias("series"),
            pl.lit(period).alias("period"),
            pl.lit(line.member, dtype=pl.String).alias("member"),
            pl.col("bars").cast(pl.Int64),
        ).select(ROUND_TRIPS.names)
        for line, each in played
    ]
    return pl.concat([ROUND_TRIPS.empty(), *found])


def _cost_sensitivity(books: Mapping[str, Book], *, config: Config) -> pl.DataFrame:
    costs = sorted({*COSTS_BPS, config.execution.cost_bps})
    rows = [
        _at_cost(name, book, cost_bps=cost, config=config) for name, book in books.items() for cost in costs
    ]
    return COST_SENSITIVITY.frame(rows)


def _at_cost(name: str, book: Book, *, cost_bps: float, config: Config) -> dict[str, object]:
    execution = msgspec.structs.replace(config.execution, cost_bps=cost_bps)
    earned = pl.DataFrame({"return": _pooled(book.replays(execution), "return")})
    data = config.data
    ratio = sharpe_ratio("return", periods_per_year=data.periods_per_year, risk_free_rate=data.risk_free_rate)
    measured = earned.select(total_return=total_return("return"), sharpe_ratio=ratio).row(0, named=True)
    return {"series": name, "cost_bps": cost_bps, **measured}
