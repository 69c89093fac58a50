"""Phase 1: try every strategy with every parameter set, or replay others' trials, over train and select."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from workspace_kit.analysis.regimes import METHODS, label_regimes, refuse_hindsight
from workspace_kit.analysis.search import Candidate, candidates
from workspace_kit.analysis.strategies import BUILT_IN
from workspace_kit.config import Config
from workspace_kit.errors import DataError
from workspace_kit.flows.functions import find_function
from workspace_kit.flows.inherited import Inherited
from workspace_kit.flows.journal import Journal
from workspace_kit.flows.market import Market
from workspace_kit.flows.provenance import digest_of
from workspace_kit.flows.sources import inherited_trials, tried_before
from workspace_kit.flows.summary import summarise_sweep
from workspace_kit.flows.trial import Setting, Trial, lost_trial, run_trial
from workspace_kit.flows.trip import Trip
from workspace_kit.flows.workers import each
from workspace_kit.layout import names
from workspace_kit.layout.reader import document_of
from workspace_kit.layout.trials import FAILED, complete_trials, status_of
from workspace_kit.layout.writer import write_table
from workspace_kit.schema import SELECT


def discover(trip: Trip, journal: Journal) -> None:
    """Label the regimes, then run every trial."""
    labels = labels_until(trip.market, SELECT, folder=trip.folder)
    write_table(trip.workspace, names.REGIMES, labels, durability=trip.config.durability)
    setting = Setting(trip.workspace, trip.folder, trip.market, labels)
    wanted = trials_of(trip.market, folder=trip.folder, root=trip.workspace.root)
    done = _done(trip, wanted)
    journal.recall(done)
    left = [trial for trial in wanted if names.trial_id(trial.number) not in done]
    with trip.reporter("trials", len(left)) as step:
        for outcome in each(
            run_trial, left, shared=setting, workers=trip.workers, lost=partial(lost_trial, setting)
        ):
            journal.trial(outcome)
            step()
    if not journal.completed:
        raise DataError(
            str(trip.workspace.path),
            found=f"all {len(wanted)} trials failed, the first one with: {journal.first_error}",
            expected="at least one that does not",
            remedy=f"see `{trip.workspace.command('show')}`",
        )
    inherited = [trial for trial in wanted if isinstance(trial, Inherited)]
    summarise_sweep(trip, before=tried_before(inherited, root=trip.workspace.root) if inherited else 0)


def trials_of(market: Market, *, folder: Path, root: Path) -> Sequence[Trial]:
    """Return every trial of the workflow: those of its strategies, or of other workspaces of the root."""
    if market.config.discovery:
        return inherited_trials(market.config.discovery.sources, root=root, market=market)
    return candidates_of(market.config, folder=folder)


def failed_strategies(trip: Trip) -> list[str]:
    """Return the strategies of this workflow of which not one trial ended well."""
    if trip.config.discovery:
        return []
    ended: dict[str, set[str]] = {}
    for trial in candidates_of(trip.config, folder=trip.folder):
        path = trip.workspace.file(names.TRIAL, names.trial_id(trial.number))
        ended.setdefault(trial.strategy, set()).add(status_of(document_of(path)))
    return [strategy for strategy, found in ended.items() if found == {FAILED}]


def _done(trip: Trip, wanted: Sequence[Trial]) -> dict[str, dict[str, Any]]:
    """Return the documents of complete trials that tried just what is wanted under their number."""
    complete = complete_trials(trip.workspace)
    asked = {names.trial_id(each.number): digest_of(_identity(each)) for each in wanted}
    told = ("strategy", "parameters", "source")
    return {
        trial: document
        for trial, document in complete.items()
        if asked.get(trial) == digest_of([document.get(name) for name in told])
    }


def _identity(trial: Trial) -> list[object]:
    source = trial.source if isinstance(trial, Inherited) else None
    return [trial.strategy, dict(trial.parameters), source]


def candidates_of(config: Config, *, folder: Path) -> list[Candidate]:
    """Return every trial of the strategies, after making sure that each strategy can be imported."""
    for strategy in config.strategies:
        find_function(
            strategy.function, folder=folder, built_in=BUILT_IN, where=f"strategy {strategy.name!r}"
        )
    return candidates(config.strategies, search=config.search, seed=config.seed)


def labels_until(market: Market, period: str, *, folder: Path) -> pl.DataFrame:
    """Label the benchmark's bars up to a period's end; a label rests on nothing later than its bar.

    Raises
    ------
    LookAheadError
        The method looks ahead, or a labeller of one's own is found to.
    """
    data, regimes = market.config.data, market.config.regimes
    method = regimes.method
    labeller = (
        None
        if method in METHODS
        else find_function(method, folder=folder, built_in={}, where="regimes.method")
    )
    known = market.benchmark.filter(pl.col("timestamp") <= market.bounds[period][1])
    labels = label_regimes(known, regimes=regimes, periods_per_year=data.periods_per_year, labeller=labeller)
    refuse_hindsight(labels)
    return labels
