"""Members of the ensemble: for each strategy, what its winner of the moment would have held."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl

from workspace_kit.analysis.ensemble import switch
from workspace_kit.analysis.regimes import label_at
from workspace_kit.analysis.replay import Bars, Matrix, targets
from workspace_kit.analysis.selection import best_trial
from workspace_kit.config import Config
from workspace_kit.errors import DataError
from workspace_kit.layout.names import Workspace


class Member(NamedTuple):
    """One part of the ensemble: the trial it follows in each regime, and the one where none is known."""

    name: str
    strategy: str
    winners: Mapping[str, str]
    otherwise: str

    @property
    def trials(self) -> tuple[str, ...]:
        """Every trial it may follow, each once."""
        return tuple(dict.fromkeys([self.otherwise, *self.winners.values()]))


def members_of(
    study: Mapping[str, Any], trials: pl.DataFrame, *, metric: str, where: str, workspace: Workspace
) -> list[Member]:
    """Return one member per strategy of a regime study; with one strategy its distinct winners instead.

    ``trials`` has one row per trial over the whole of train; a strategy none of whose trials can be best
    has no member.

    Raises
    ------
    DataError
        No strategy has a trial that can be followed.
    """
    members = []
    for strategy, regimes in study["by_strategy"].items():
        best = best_trial(trials.filter(pl.col("strategy") == strategy), metric=metric)
        if best is not None:
            winners = {name: entry["trial_id"] for name, entry in regimes.items() if entry["trial_id"]}
            members.append(Member(strategy, strategy, winners, best["trial_id"]))
    if not members:
        raise DataError(
            where,
            found=f"no trial with a {metric} and a closed trade on train",
            expected="at least one",
            remedy=f"see the errors of failed trials with `{workspace.command('show')}`",
        )
    if len(members) == 1:
        return [Member(trial, members[0].strategy, {}, trial) for trial in members[0].trials]
    return members


def followed(members: Iterable[Member]) -> list[str]:
    """Return every trial that some member may follow, each once."""
    return list(dict.fromkeys(trial for member in members for trial in member.trials))


def member_targets(
    members: Sequence[Member],
    signals: Mapping[str, pl.DataFrame],
    bars: Bars,
    labels: pl.DataFrame,
    *,
    config: Config,
) -> list[Matrix]:
    """Return each member's targets: at each close those of its winner for the regime known then."""
    last = bars.timestamps.max()
    wanted = {
        trial: targets(
            rows.filter(pl.col("timestamp") <= last), bars, execution=config.execution, on_duplicate="error"
        ).values
        for trial, rows in signals.items()
    }
    known = label_at(bars.timestamps, labels)["regime"].to_list()
    return [switch(wanted, known, each.winners, otherwise=each.otherwise) for each in members]
