"""Phase 1: try every strategy with every parameter set, over train and select."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from workspace_kit.analysis.regimes import METHODS, label_regimes
from workspace_kit.analysis.search import Candidate, candidates
from workspace_kit.analysis.strategies import BUILT_IN
from workspace_kit.config import Config
from workspace_kit.flows.functions import find_function
from workspace_kit.flows.journal import Journal
from workspace_kit.flows.provenance import digest_of
from workspace_kit.flows.summary import summarise_sweep
from workspace_kit.flows.trial import Setting, run_trial
from workspace_kit.flows.trip import Trip
from workspace_kit.flows.workers import each
from workspace_kit.layout import names
from workspace_kit.layout.trials import complete_trials
from workspace_kit.layout.writer import write_table
from workspace_kit.schema import SELECT

PHASE = "phase_1"


def discover(trip: Trip, journal: Journal) -> None:
    """Label the regimes, then run every trial that has no complete result yet."""
    labels = labels_until(trip, SELECT)
    write_table(trip.workspace, "regimes", labels, durability=trip.config.durability)
    setting = Setting(trip.workspace, trip.folder, trip.market, labels)
    wanted = candidates_of(trip.config, folder=trip.folder)
    done = _done(trip, wanted)
    journal.recall(done)
    left = [candidate for candidate in wanted if names.trial_id(candidate.number) not in done]
    with trip.reporter("trials", len(left)) as step:
        for outcome in each(run_trial, left, shared=setting, workers=trip.workers):
            journal.trial(outcome)
            step()
    summarise_sweep(trip)


def _done(trip: Trip, wanted: Sequence[Candidate]) -> dict[str, dict[str, Any]]:
    """Return the documents of complete trials that tried just what is wanted under their number."""
    complete = complete_trials(trip.workspace)
    asked = {
        names.trial_id(each.number): digest_of([each.strategy, dict(each.parameters)]) for each in wanted
    }
    return {
        trial: document
        for trial, document in complete.items()
        if asked.get(trial) == digest_of([document.get("strategy"), document.get("parameters")])
    }


def candidates_of(config: Config, *, folder: Path) -> list[Candidate]:
    """Return every trial of the workflow, after making sure that each strategy can be imported."""
    for strategy in config.strategies:
        find_function(
            strategy.function, folder=folder, built_in=BUILT_IN, where=f"strategy {strategy.name!r}"
        )
    return candidates(config.strategies, search=config.search, seed=config.seed)


def labels_until(trip: Trip, period: str) -> pl.DataFrame:
    """Label the benchmark's bars up to a period's end; a label rests on nothing later than its bar."""
    config, market = trip.config, trip.market
    method = config.regimes.method
    labeller = (
        None
        if method in METHODS
        else find_function(method, folder=trip.folder, built_in={}, where="regimes.method")
    )
    known = market.benchmark.filter(pl.col("timestamp") <= market.bounds[period][1])
    return label_regimes(
        known, regimes=config.regimes, periods_per_year=config.data.periods_per_year, labeller=labeller
    )
