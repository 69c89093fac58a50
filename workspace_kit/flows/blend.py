"""Members over one period, and what any set of weights on them earns."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from workspace_kit import clock
from workspace_kit.analysis.ensemble import weigh
from workspace_kit.analysis.measures import summarise
from workspace_kit.analysis.replay import Bars, Matrix, Replay, replay
from workspace_kit.flows.members import Member, member_targets
from workspace_kit.flows.trial import counted, measured
from workspace_kit.flows.trip import Trip


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
    """Members over one period: ``targets`` and ``replays`` in their order, ``returns`` bars x members."""

    names: Sequence[str]
    bars: Bars
    targets: Sequence[Matrix]
    replays: Sequence[Replay]
    returns: Matrix


def blend(
    trip: Trip,
    members: Sequence[Member],
    signals: Mapping[str, pl.DataFrame],
    labels: pl.DataFrame,
    *,
    period: str,
) -> Blend:
    """Replay the members over a period from the signals of the trials they may follow."""
    config, bars = trip.config, trip.market.bars(period)
    wanted = member_targets(members, signals, bars, labels, config=config)
    replays = [replay(each, bars, execution=config.execution) for each in wanted]
    returns = np.column_stack([each.bars["return"] for each in replays])
    return Blend([each.name for each in members], bars, wanted, replays, returns)


def weighed(trip: Trip, over: Blend, weights: Matrix) -> list[Result]:
    """Return what each weight set (sets x members) earns in the mode configured.

    By ``return`` each member has an account of its own, and a set's trades are those of its members with
    weight; by ``signal`` the members' targets are netted first and one common account trades them.
    """
    if trip.config.ensemble.mode == "signal":
        execution = trip.config.execution
        return [result_of(trip, replay(netted(over, row), over.bars, execution=execution)) for row in weights]
    earned = weigh(over.returns, weights)
    return [_pooled(trip, over, earned[:, row], weights[row]) for row in range(len(weights))]


def result_of(trip: Trip, replayed: Replay) -> Result:
    """Return a replay as a candidate's result."""
    returns = replayed.bars.select("timestamp", "return")
    return Result(returns, measured(replayed, config=trip.config), counted(replayed))


def netted(over: Blend, weights: Matrix) -> Matrix:
    """Return the members' targets as one, each counted by its weight."""
    net = np.zeros_like(over.targets[0])
    for weight, wanted in zip(weights, over.targets, strict=True):
        net += weight * wanted
    return net


def _pooled(trip: Trip, over: Blend, earned: Matrix, weights: Matrix) -> Result:
    active = [each for each, weight in zip(over.replays, weights, strict=True) if weight > 0]
    trades = pl.concat([each.trades for each in active])
    times = over.bars.timestamps
    returns = pl.DataFrame({"timestamp": times, "return": earned})
    data = trip.config.data
    metrics = summarise(
        returns, trades, periods_per_year=data.periods_per_year, risk_free_rate=data.risk_free_rate
    )
    counts = {
        "trades": trades.height,
        "open_trades": sum(each.open_trades for each in active),
        "bars": returns.height,
        "period": {"start": clock.text(times[0]), "end": clock.text(times[-1])},
    }
    return Result(returns, metrics, counts)
