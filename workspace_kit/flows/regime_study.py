"""Phase 2: which parameters did best in each regime."""

import msgspec
import polars as pl

from workspace_kit.analysis.selection import best_parameters
from workspace_kit.flows.catalogs import open_catalog
from workspace_kit.flows.evidence import RegimeEvidence
from workspace_kit.flows.journal import Journal
from workspace_kit.flows.provenance import analysis_metadata
from workspace_kit.flows.trip import Trip
from workspace_kit.layout import names
from workspace_kit.layout.writer import write_document
from workspace_kit.schema import TRAIN

PHASE = "phase_2"
DOCUMENT = "regime_optimal_params"


def regime_study(trip: Trip, _journal: Journal) -> None:
    """Find the best parameters per regime and save them beside the data."""
    workspace, config = trip.workspace, trip.config
    with open_catalog(workspace.root, [workspace.id]) as catalog:
        by_regime = catalog.answer("performance_by_regime")
        trials = catalog.answer("trials_on_train")
        labels = catalog.answer("regime_labels")
    evidence = RegimeEvidence(trip, labels, by_regime, tried=trials.height)
    best = best_parameters(
        by_regime,
        trials,
        metric=config.metric,
        minimum_bars=config.minimum_bars,
        minimum=config.regimes.minimum,
        interval=evidence.interval,
    )
    winners = best["regime_optimal_params"]
    metadata = analysis_metadata(
        trip,
        method="regime_classification",
        options=msgspec.to_builtins(config.regimes) | {"metric": config.metric},
        period=TRAIN,
        trials_analyzed=trials.filter(pl.col("status") == "ok").height,
        trials_tried=trials.height,
        inputs=[workspace.file(names.TRIAL, trial) for trial in trials["trial_id"]],
    )
    write_document(
        workspace,
        names.ANALYSIS,
        DOCUMENT,
        {**best, "overfitting": evidence.odds(winners), "analysis_metadata": metadata},
        written_at=trip.now,
        durability=config.durability,
    )
