"""Every weight set with what it earned, the one chosen on train, and what it has to beat."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from workspace_kit.analysis.replay import Matrix
from workspace_kit.flows.blend import Result
from workspace_kit.layout import names
from workspace_kit.schema import SELECT

EQUAL_ROW = 0


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


def recommended(choice: Mapping[str, Any]) -> str:
    """Return the candidate that ``ensemble_weights.json`` recommends: the ensemble, or equal weight."""
    return "equal_weight" if choice.get("recommended") == "equal" else "ensemble"


def ensemble_trial_id(row: int) -> str:
    """Return the id of the ensemble trial that tries a row of the weight sets."""
    return f"ensemble_{names.trial_id(row)}"
