"""How far a winner of a regime may be believed: from its saved signals, replayed over train."""

import math
from collections.abc import Mapping
from functools import cache
from typing import Any

import polars as pl

from workspace_kit.analysis import overfitting
from workspace_kit.analysis.regimes import label_before
from workspace_kit.flows.intervals import interval
from workspace_kit.flows.sweep import Sweep
from workspace_kit.flows.trial import excess, replay_signals
from workspace_kit.flows.trip import Trip
from workspace_kit.schema import REGIMES, TRAIN


class RegimeEvidence:
    """Intervals and odds of luck of trials within regimes.

    Every regime is another chance to be lucky, so each trial counts once per regime.
    """

    def __init__(self, trip: Trip, sweep: Sweep) -> None:
        self.trip = trip
        self.sweep = sweep
        self.tried = sweep.tried * len(REGIMES)
        self._bars = trip.market.bars(TRAIN)
        self._regimes = label_before(self._bars.timestamps, sweep.labels)["regime"]
        self._returns = cache(self._replayed)

    def interval(self, trial_id: str, regime: str) -> tuple[float, float] | None:
        """Return the metric's bootstrap interval over bars of the regime; null for a metric of trades."""
        return interval(self._inside(trial_id, regime), self.trip.config.metric, config=self.trip.config)

    def odds(self, winners: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """Return what `overfitting.judge` says of each regime's winner over the regime's bars."""
        per_bar = math.sqrt(self.trip.config.data.periods_per_year)
        judged = {}
        for regime, entry in winners.items():
            if entry["trial_id"] is None or entry["performance"] is None:
                continue
            sharpes = self.sweep.by_regime.filter(pl.col("regime") == regime)["sharpe_ratio"] / per_bar
            judged[regime] = overfitting.judge(
                excess(self._inside(entry["trial_id"], regime), config=self.trip.config),
                trials_tried=self.tried,
                sharpe_deviation=overfitting.sharpe_dispersion(sharpes.to_list()),
                mean_correlation=None,
            )
        return judged

    def _inside(self, trial_id: str, regime: str) -> pl.Series:
        return self._returns(trial_id).filter(self._regimes == regime)

    def _replayed(self, trial_id: str) -> pl.Series:
        signals = self.sweep.signals(trial_id)
        return replay_signals(signals, self._bars, config=self.trip.config).bars["return"]
