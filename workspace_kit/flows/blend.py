"""Members over one period, and what any set of weights on them earns."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from workspace_kit import clock
from workspace_kit.analysis.ensemble import weigh
from workspace_kit.analysis.measures import summarise
from workspace_kit.analysis.replay import Replay
from workspace_kit.flows.members import Member, replay_members
from workspace_kit.flows.trial import counted, measured
from workspace_kit.flows.trip import Trip

Matrix = npt.NDArray[np.float64]


class Result(NamedTuple):
    """What one candidate earned over one period: its returns bar by bar, metrics, trades and counts."""

    returns: pl.DataFrame
    metrics: Mapping[str, Any]
    counts: Mapping[str, Any]

    @property
    def row(self) -> dict[str, Any]:
        """Metrics and counts in one mapping, as documents nest them."""
        return {**self.metrics, **self.counts}


class Blend(NamedTuple):
    """Members over one period: ``returns`` is bars x members, in the order of ``replays``."""

    timestamps: pl.Series
    returns: Matrix
    replays: Mapping[str, Replay]


def blend(
    trip: Trip,
    members: Sequence[Member],
    signals: Mapping[str, pl.DataFrame],
    labels: pl.DataFrame,
    *,
    period: str,
) -> Blend:
    """Replay the members over a period from the signals of the trials they may follow."""
    bars = trip.market.bars(period)
    replays = replay_members(members, signals, bars, labels, config=trip.config)
    returns = np.column_stack([each.bars["return"].to_numpy() for each in replays.values()])
    return Blend(bars.timestamps, returns, replays)


def weighed(trip: Trip, over: Blend, weights: Matrix) -> list[Result]:
    """Return what each weight set (sets x members) earns; its trades are those of members with weight."""
    earned = weigh(over.returns, weights)
    return [_weighed(trip, over, earned[:, row], weights[row]) for row in range(len(weights))]


def result_of(trip: Trip, replayed: Replay) -> Result:
    """Return a replay as a candidate's result."""
    returns = replayed.bars.select("timestamp", "return")
    return Result(returns, measured(replayed, config=trip.config), counted(replayed))


def _weighed(trip: Trip, over: Blend, earned: Matrix, weights: Matrix) -> Result:
    active = [each for each, weight in zip(over.replays.values(), weights, strict=True) if weight > 0]
    trades = pl.concat([each.trades for each in active])
    returns = pl.DataFrame({"timestamp": over.timestamps, "return": earned})
    data = trip.config.data
    metrics = summarise(
        returns, trades, periods_per_year=data.periods_per_year, risk_free_rate=data.risk_free_rate
    )
    counts = {
        "trades": trades.height,
        "open_trades": sum(each.open_trades for each in active),
        "bars": returns.height,
        "period": {"start": clock.text(over.timestamps[0]), "end": clock.text(over.timestamps[-1])},
    }
    return Result(returns, metrics, counts)
