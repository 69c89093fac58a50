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
from workspace_kit.analysis.replay import Matrix
from workspace_kit.config import Luck
from workspace_kit.flows.blend import Result
from workspace_kit.flows.choice import Baselines, Search
from workspace_kit.flows.trial import excess
from workspace_kit.flows.trip import Trip
from workspace_kit.schema import SELECT, TRAIN

ENSEMBLE, EQUAL_WEIGHT = "ensemble", "equal_weight"
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
    chosen = {period: search.results[period][search.row] for period in (TRAIN, SELECT)}
    equal, single = (baselines.results[name][TRAIN] for name in (EQUAL_WEIGHT, "best_single"))
    judged = {ENSEMBLE: chosen[TRAIN], EQUAL_WEIGHT: equal, baselines.single: single}
    beyond = returns.select(excess(series, config=trip.config) for series in returns)
    deviation = overfitting.sharpe_dispersion([overfitting.moments(each).sharpe for each in beyond])
    market = baselines.results["buy_and_hold"][TRAIN].returns["return"].to_numpy()
    splits = sweep_splits(beyond.to_numpy(), blocks=trip.config.luck.blocks, metric=trip.config.metric)
    shared = sweep_odds(returns.to_numpy(), splits, market, luck=trip.config.luck, seed=trip.config.seed)
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
    equal, held = (baselines.results[name][SELECT] for name in (EQUAL_WEIGHT, "buy_and_hold"))
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


def sweep_odds(
    returns: Matrix, splits: Overfitting, held: Matrix, *, luck: Luck, seed: int
) -> dict[str, float | None]:
    """Return what is true of choosing the best of these trials at all, whoever was chosen.

    ``returns`` (bars x trials) are set against those of ``held``; ``splits`` are those of `sweep_splits`.
    """
    superior = superior_predictive_ability(returns, held, draws=luck.draws, seed=seed)
    return {
        "pbo": splits.probability,
        "probability_of_loss": splits.loss,
        "degradation_slope": splits.slope,
        "spa_p_value": superior.consistent if superior else None,
        "reality_check_p_value": reality_check(returns, held, draws=luck.draws, seed=seed),
    }


def sweep_splits(beyond: Matrix, *, blocks: int, metric: str) -> Overfitting:
    """Split returns in excess of cash (bars x trials) in halves, each trial ranked by ``metric``.

    Where no split knows the metric, the one that ranks bars the same way stands for it.
    """
    # Trials that never differ are one trial: no half can rank one of them above another.
    distinct = np.unique(beyond, axis=1)
    if metric == "max_drawdown":
        return probability_of_overfitting_by(distinct, deepest_drawdowns, blocks=blocks)
    return probability_of_overfitting(distinct, blocks=blocks, metric=RANKED_BY.get(metric, "sharpe_ratio"))


def _sharpe(result: Result) -> float | None:
    value: float | None = result.metrics["sharpe_ratio"]
    return value


def _excess(result: Result, over: Result) -> float | None:
    mine, theirs = _sharpe(result), _sharpe(over)
    return None if mine is None or theirs is None else mine - theirs
