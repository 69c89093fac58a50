"""``performance/summary.json``: what a sweep gave, written at the end of phase 1."""

import math
from collections.abc import Mapping
from typing import Any, get_args

import msgspec
import polars as pl

from workspace_kit.analysis import overfitting
from workspace_kit.analysis.measures import distribution
from workspace_kit.analysis.selection import best_trial
from workspace_kit.config import Metric
from workspace_kit.flows.blend import Result, result_of
from workspace_kit.flows.catalogs import open_catalog
from workspace_kit.flows.provenance import digest_of
from workspace_kit.flows.signals import saved_signals
from workspace_kit.flows.trial import excess, replay_signals
from workspace_kit.flows.trip import Trip
from workspace_kit.layout import names
from workspace_kit.layout.writer import write_document
from workspace_kit.schema import SELECT, TRAIN


def summarise_sweep(trip: Trip, *, before: int) -> None:
    """Save counts by status, the best trial by each metric with its odds, and each metric's spread.

    ``before`` counts what had been tried where the trials come from, if not from strategies of this sweep.
    """
    workspace = trip.workspace
    with open_catalog(workspace.root, [workspace.id]) as catalog:
        trials = catalog.answer("trials_on_train")
        metrics = catalog.answer("metrics_on_train")
    tried = trials.height + before
    best = {name: _best(trip, trials, metric=name, tried=tried) for name in get_args(Metric)}
    content = {
        "verdict": _verdict(trip, trials, tried=tried),
        "trials": dict(trials["status"].value_counts(sort=True).iter_rows()),
        "trials_tried": tried,
        "tried_before": before,
        "metric": trip.config.metric,
        "best": best,
        "distribution": distribution(metrics),
        "config_digest": digest_of(msgspec.to_builtins(trip.config)),
    }
    write_document(
        workspace,
        names.SUMMARY,
        "summary",
        content,
        written_at=trip.now,
        durability=trip.config.durability,
    )


def _best(trip: Trip, trials: pl.DataFrame, *, metric: str, tried: int) -> dict[str, Any] | None:
    row = best_trial(trials, metric=metric)
    if row is None:
        return None
    named = {name: row[name] for name in ("trial_id", "strategy", "parameters")}
    return {**named, "value": row[metric], **_odds(trip, trials, row["trial_id"], tried=tried)}


def _odds(trip: Trip, trials: pl.DataFrame, trial_id: str, *, tried: int) -> Mapping[str, Any]:
    """How likely it is that the trial's Sharpe ratio is above zero, and above what luck gives the best."""
    per_bar = math.sqrt(trip.config.data.periods_per_year)
    deviation = overfitting.sharpe_dispersion((trials["sharpe_ratio"] / per_bar).to_list())
    judged = overfitting.judge(
        excess(_result(trip, trial_id, TRAIN).returns["return"], config=trip.config),
        trials_tried=tried,
        sharpe_deviation=deviation,
        mean_correlation=None,
    )
    return {"psr": judged["psr"], "dsr": judged["dsr"]}


def _verdict(trip: Trip, trials: pl.DataFrame, *, tried: int) -> str:
    row = best_trial(trials, metric=trip.config.metric)
    if row is None:
        return f"None of {tried} trials tried has a {trip.config.metric} and a closed trade."
    select = _result(trip, row["trial_id"], SELECT).metrics["sharpe_ratio"]
    held = result_of(trip, trip.market.buy_and_hold(SELECT)).metrics["sharpe_ratio"]
    return overfitting.verdict(
        row["trial_id"],
        trials_tried=tried,
        train_sharpe=row["sharpe_ratio"],
        select_sharpe=select,
        dsr=_odds(trip, trials, row["trial_id"], tried=tried)["dsr"],
        beats_equal_weight=None,
        excess_sharpe=None if select is None or held is None else select - held,
    )


def _result(trip: Trip, trial_id: str, period: str) -> Result:
    signals = saved_signals(trip, [trial_id])[trial_id]
    return result_of(trip, replay_signals(signals, trip.market.bars(period), config=trip.config))
