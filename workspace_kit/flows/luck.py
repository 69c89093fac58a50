"""How much of the choice may be luck: every trial and every weight set counted."""

import math
from typing import Any

import polars as pl

from workspace_kit.analysis import overfitting
from workspace_kit.flows.blend import Result
from workspace_kit.flows.choice import Baselines, Search
from workspace_kit.flows.trip import Trip
from workspace_kit.schema import SELECT, TRAIN

ENSEMBLE = "ensemble"


def judge(
    trip: Trip,
    returns: pl.DataFrame,
    *,
    mean_correlation: float | None,
    trials_tried: int,
    search: Search,
    baselines: Baselines,
) -> dict[str, Any]:
    """Return the content of ``overfitting.json``: verdict, hurdle and each subject's odds.

    ``returns`` has ``timestamp`` and a column of train returns per trial that did not fail.
    """
    tried = trials_tried + len(search.weights)
    sharpes = [overfitting.moments(series).sharpe for series in returns.drop("timestamp")]
    deviation = overfitting.sharpe_dispersion(sharpes)
    chosen = {period: search.results[period][search.row] for period in (TRAIN, SELECT)}
    judged = {ENSEMBLE: chosen[TRAIN], baselines.single: baselines.results["best_single"][TRAIN]}
    subjects = {
        name: overfitting.judge(
            result.returns["return"],
            trials_tried=tried,
            sharpe_deviation=deviation,
            mean_correlation=mean_correlation,
        )
        for name, result in judged.items()
    }
    hurdle = overfitting.expected_maximum_sharpe(tried, deviation=deviation)
    equal, held = (baselines.results[name][SELECT] for name in ("equal_weight", "buy_and_hold"))
    return {
        "verdict": overfitting.verdict(
            search.trial_id,
            trials_tried=tried,
            train_sharpe=_sharpe(chosen[TRAIN]),
            select_sharpe=_sharpe(chosen[SELECT]),
            dsr=subjects[ENSEMBLE]["dsr"],
            beats_equal_weight=search.beats(equal, metric=trip.config.metric),
            excess_sharpe=_excess(chosen[SELECT], held),
        ),
        "trials_tried": tried,
        "weight_sets_tried": len(search.weights),
        "sharpe_deviation": deviation,
        "mean_correlation": mean_correlation,
        "luck_hurdle": hurdle * math.sqrt(trip.config.data.periods_per_year),
        "subjects": subjects,
    }


def _sharpe(result: Result) -> float | None:
    value: float | None = result.metrics["sharpe_ratio"]
    return value


def _excess(result: Result, over: Result) -> float | None:
    mine, theirs = _sharpe(result), _sharpe(over)
    return None if mine is None or theirs is None else mine - theirs
