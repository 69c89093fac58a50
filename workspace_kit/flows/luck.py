"""How much of the choice may be luck: every trial and every weight set counted."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from workspace_kit.analysis import overfitting
from workspace_kit.analysis.bootstrap import reality_check, superior_predictive_ability
from workspace_kit.analysis.cross_validation import (
    Metric,
    Overfitting,
    deepest_drawdowns,
    logit_histogram,
    probability_of_overfitting,
    probability_of_overfitting_by,
)
from workspace_kit.flows.blend import Result
from workspace_kit.flows.choice import Baselines, Search
from workspace_kit.flows.trial import excess
from workspace_kit.flows.trip import Trip
from workspace_kit.schema import SELECT, TRAIN

ENSEMBLE = "ensemble"
# Even, so that zero is an edge.
LOGIT_BINS = 40
RANKED_BY: Mapping[str, Metric] = {
    "total_return": "total_return",
    "cagr": "total_return",
    "sortino_ratio": "sortino_ratio",
}


def judge(
    trip: Trip,
    returns: pl.DataFrame,
    *,
    winner: str,
    mean_correlation: float | None,
    trials_tried: int,
    search: Search,
    baselines: Baselines,
) -> dict[str, Any]:
    """Return the content of ``overfitting.json``: verdict, hurdle and each subject's odds.

    ``winner`` is what the verdict calls the weights chosen; ``returns`` has a column of train returns per
    trial that did not fail.
    """
    tried = trials_tried + len(search.weights)
    sharpes = [overfitting.moments(excess(series, config=trip.config)).sharpe for series in returns]
    deviation = overfitting.sharpe_dispersion(sharpes)
    chosen = {period: search.results[period][search.row] for period in (TRAIN, SELECT)}
    judged = {ENSEMBLE: chosen[TRAIN], baselines.single: baselines.results["best_single"][TRAIN]}
    splits = _splits(trip, returns)
    shared = _of_the_sweep(trip, returns, splits, baselines)
    subjects = {
        name: overfitting.judge(
            excess(result.returns["return"], config=trip.config),
            trials_tried=tried,
            sharpe_deviation=deviation,
            mean_correlation=mean_correlation,
        )
        | shared
        for name, result in judged.items()
    }
    hurdle = overfitting.luck_hurdle(tried, deviation=deviation)
    equal, held = (baselines.results[name][SELECT] for name in ("equal_weight", "buy_and_hold"))
    verdict = overfitting.verdict(
        winner,
        trials_tried=tried,
        train_sharpe=_sharpe(chosen[TRAIN]),
        select_sharpe=_sharpe(chosen[SELECT]),
        dsr=subjects[ENSEMBLE]["dsr"],
        beats_equal_weight=search.beats(equal, metric=trip.config.metric),
        excess_sharpe=_excess(chosen[SELECT], held),
    )
    worth = overfitting.sweep_verdict(pbo=shared["pbo"], spa_p_value=shared["spa_p_value"])
    return {
        "verdict": f"{verdict} {worth}".strip(),
        "trials_tried": tried,
        "weight_sets_tried": len(search.weights),
        "sharpe_deviation": deviation,
        "mean_correlation": mean_correlation,
        "luck_hurdle": None if hurdle is None else hurdle * math.sqrt(trip.config.data.periods_per_year),
        "subjects": subjects,
        "logits": logit_histogram(splits.logits, bins=LOGIT_BINS),
    }


def _of_the_sweep(
    trip: Trip, returns: pl.DataFrame, splits: Overfitting, baselines: Baselines
) -> dict[str, float | None]:
    """What is true of choosing the best of these trials at all, whoever was chosen."""
    luck, seed = trip.config.luck, trip.config.seed
    matrix = returns.to_numpy()
    held = baselines.results["buy_and_hold"][TRAIN].returns["return"].to_numpy()
    superior = superior_predictive_ability(matrix, held, draws=luck.draws, seed=seed)
    return {
        "pbo": splits.probability,
        "probability_of_loss": splits.loss,
        "degradation_slope": splits.slope,
        "spa_p_value": superior.consistent if superior else None,
        "reality_check_p_value": reality_check(matrix, held, draws=luck.draws, seed=seed),
    }


def _splits(trip: Trip, returns: pl.DataFrame) -> Overfitting:
    """Split by the configured metric, or by the one that ranks bars the same way."""
    blocks, metric = trip.config.luck.blocks, trip.config.metric
    beyond = returns.select(excess(series, config=trip.config) for series in returns).to_numpy()
    # Trials that never differ are one trial: no half can rank one of them above another.
    beyond = np.unique(beyond, axis=1)
    if metric == "max_drawdown":
        return probability_of_overfitting_by(beyond, deepest_drawdowns, blocks=blocks)
    return probability_of_overfitting(beyond, blocks=blocks, metric=RANKED_BY.get(metric, "sharpe_ratio"))


def _sharpe(result: Result) -> float | None:
    value: float | None = result.metrics["sharpe_ratio"]
    return value


def _excess(result: Result, over: Result) -> float | None:
    mine, theirs = _sharpe(result), _sharpe(over)
    return None if mine is None or theirs is None else mine - theirs
