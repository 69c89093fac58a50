"""Every weight set with what it earned, the one chosen on train, and what it has to beat."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from workspace_kit.analysis.ensemble import (
    TOLERANCE,
    Choice,
    choose,
    round_weights,
    simplex_grid,
    simplex_sample,
    simplex_size,
)
from workspace_kit.analysis.estimator import estimated_weights
from workspace_kit.analysis.replay import Matrix
from workspace_kit.analysis.weights import Choices, weigh_members
from workspace_kit.config import SIMPLEX_GRID, SKFOLIO_PREFIX, Ensemble
from workspace_kit.flows.blend import Result
from workspace_kit.layout import names
from workspace_kit.schema import SELECT

EQUAL_ROW = 0
MOST_SETS = 20_000


class WeightSets(NamedTuple):
    """The weight sets to try, row 0 equal weight, and why they are equal where a method could not decide."""

    weights: Matrix
    reason: str | None


class Baselines(NamedTuple):
    """What the chosen weights have to beat, by candidate and period; ``single`` is the best trial's id."""

    single: str
    results: Mapping[str, Mapping[str, Result]]


class Search(NamedTuple):
    """Every weight set (row 0 is equal weight) with its result by period, and the row chosen on train.

    ``reason`` says why equal weight was taken where no set could be chosen.
    """

    weights: Matrix
    results: Mapping[str, Sequence[Result]]
    row: int
    reason: str | None

    @property
    def trial_id(self) -> str:
        """Id of the ensemble trial that was chosen."""
        return ensemble_trial_id(self.row)

    def beats(self, equal: Result, *, metric: str) -> bool | None:
        """Whether the chosen set is better than equal weight on select; null where that cannot be said."""
        chosen, hurdle = self.results[SELECT][self.row].metrics[metric], equal.metrics[metric]
        return None if chosen is None or hurdle is None else chosen > hurdle


def weight_sets(
    returns: Matrix, scores: Sequence[float | None], *, ensemble: Ensemble, seed: int
) -> WeightSets:
    """Return the weight sets to try on members; ``scores`` are the members' own, on the same returns."""
    sets, reason = _proposed(returns, scores, ensemble=ensemble, seed=seed)
    equal = np.full((1, returns.shape[1]), 1 / returns.shape[1])
    others = sets[~np.isclose(sets, equal, rtol=0.0, atol=TOLERANCE).all(axis=1)]
    return WeightSets(np.vstack([equal, others]), reason)


def choose_row(
    sets: WeightSets, scores: Sequence[float | None], *, ensemble: Ensemble, metric: str
) -> Choice:
    """Choose the weight set with the best score; a method other than the grid has proposed only its own."""
    if ensemble.method != SIMPLEX_GRID:
        return Choice(len(sets.weights) - 1, sets.reason)
    return choose(sets.weights, scores, metric=metric)


def _proposed(
    returns: Matrix, scores: Sequence[float | None], *, ensemble: Ensemble, seed: int
) -> tuple[Matrix, str | None]:
    members = returns.shape[1]
    if ensemble.method == SIMPLEX_GRID:
        if simplex_size(members, step=ensemble.step) > MOST_SETS:
            return simplex_sample(members, sets=MOST_SETS, cap=ensemble.cap, seed=seed), None
        return simplex_grid(members, step=ensemble.step, cap=ensemble.cap), None
    if ensemble.method.startswith(SKFOLIO_PREFIX):
        name = ensemble.method.removeprefix(SKFOLIO_PREFIX)
        return estimated_weights(returns, estimator=name).reshape(1, -1), None
    choices = Choices(ensemble.cap, ensemble.temperature, ensemble.linkage)
    found = weigh_members(returns, scores, method=ensemble.method, choices=choices)
    return np.array([round_weights(found.values)]), found.reason


def recommended(choice: Mapping[str, Any]) -> str | None:
    """Return the candidate that ``ensemble_weights.json`` recommends, null where it does not say."""
    return {"ensemble": "ensemble", "equal": "equal_weight"}.get(str(choice.get("recommended")))


def ensemble_trial_id(row: int) -> str:
    """Return the id of the ensemble trial that tries a row of the weight sets."""
    return f"ensemble_{names.trial_id(row)}"
