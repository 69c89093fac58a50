"""Phase 2: which parameters did best in each regime."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from workspace_kit.analysis.selection import best_parameters
from workspace_kit.flows.evidence import RegimeEvidence
from workspace_kit.flows.findings import save
from workspace_kit.flows.journal import Journal
from workspace_kit.flows.provenance import analysis_metadata
from workspace_kit.flows.sweep import Sweep, saved_sweep
from workspace_kit.flows.trip import Trip
from workspace_kit.layout import names
from workspace_kit.schema import TRAIN

DOCUMENT = "regime_optimal_params"


def regime_study(trip: Trip, _journal: Journal) -> None:
    """Find the best parameters per regime and save them beside the data."""
    sweep = saved_sweep(trip)
    inputs = [trip.workspace.file(names.TRIAL, trial) for trial in sweep.trials["trial_id"]]
    save(trip, DOCUMENT, best_by_regime(trip, sweep, inputs=inputs))


def best_by_regime(trip: Trip, sweep: Sweep, *, inputs: Iterable[Path]) -> dict[str, object]:
    """Return the best parameters per regime and the odds that they are luck; ``inputs`` are what was read."""
    config = trip.config
    evidence = RegimeEvidence(trip, sweep)
    best = best_parameters(
        sweep.by_regime,
        sweep.trials,
        metric=config.metric,
        minimum_bars=config.minimum_bars,
        minimum=config.regimes.minimum,
        interval=evidence.interval,
    )
    metadata = analysis_metadata(
        trip,
        method="regime_classification",
        options=msgspec.to_builtins(config.regimes) | {"metric": config.metric},
        period=TRAIN,
        trials_analyzed=sweep.passed.height,
        trials_tried=sweep.tried,
        inputs=inputs,
    )
    odds = evidence.odds(best["regime_optimal_params"])
    return {**best, "overfitting": odds, "analysis_metadata": {**metadata, **sweep.about}}
