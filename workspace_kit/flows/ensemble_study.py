"""Phase 3: weigh the members on train, judge the choice on select, and say how much of it may be luck."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import polars as pl

from workspace_kit.analysis.correlation import correlations
from workspace_kit.analysis.ensemble import choose, simplex_grid
from workspace_kit.analysis.selection import best_trial
from workspace_kit.flows.blend import Blend, Matrix, Result, blend, result_of, weighed
from workspace_kit.flows.catalogs import open_catalog
from workspace_kit.flows.choice import EQUAL_ROW, Baselines, Search, ensemble_trial_id
from workspace_kit.flows.journal import Journal
from workspace_kit.flows.luck import judge
from workspace_kit.flows.members import Member, followed, members_of
from workspace_kit.flows.provenance import analysis_metadata
from workspace_kit.flows.regime_study import DOCUMENT as REGIME_DOCUMENT
from workspace_kit.flows.signals import saved_signals
from workspace_kit.flows.trial import replay_signals
from workspace_kit.flows.trip import Trip
from workspace_kit.layout import names
from workspace_kit.layout.reader import document_of
from workspace_kit.layout.writer import write_document, write_table
from workspace_kit.schema import SELECT, TRAIN

PHASE = "phase_3"
DOCUMENT = "ensemble_weights"


def ensemble_study(trip: Trip, _journal: Journal) -> None:
    """Replay the winners' saved signals as members, try every weight set, save the choice and its odds."""
    workspace, config = trip.workspace, trip.config
    with open_catalog(workspace.root, [workspace.id]) as catalog:
        tried = catalog.answer("trials_on_train")
        labels = catalog.answer("regime_labels")
    trials = tried.filter(pl.col("status") == "ok")
    study = workspace.file(names.ANALYSIS, REGIME_DOCUMENT)
    members = members_of(document_of(study), trials, metric=config.metric, where=str(study))
    signals = saved_signals(trip, trials["trial_id"].to_list())
    blends = {period: blend(trip, members, signals, labels, period=period) for period in (TRAIN, SELECT)}
    search = _try_weights(trip, blends)
    baselines = _baselines(trip, trials, signals, search)
    _write_ensemble_trials(trip, members, search)
    returns = _trial_returns(trip, signals)
    mean_correlation = _write_correlations(trip, returns)
    metadata = analysis_metadata(
        trip,
        method=config.ensemble.method,
        options=msgspec.to_builtins(config.ensemble) | {"metric": config.metric},
        period=TRAIN,
        trials_analyzed=trials.height,
        trials_tried=tried.height + len(search.weights),
        inputs=[study, *(workspace.file(names.SIGNALS, trial) for trial in followed(members))],
    )
    luck = judge(
        trip,
        returns,
        mean_correlation=mean_correlation,
        trials_tried=tried.height,
        search=search,
        baselines=baselines,
    )
    _save(trip, "overfitting", {**luck, "analysis_metadata": metadata})
    chosen = _describe(trip, members, search, baselines)
    _save(trip, DOCUMENT, {**chosen, "deflated": luck["subjects"]["ensemble"], "analysis_metadata": metadata})


def _try_weights(trip: Trip, blends: Mapping[str, Blend]) -> Search:
    ensemble = trip.config.ensemble
    members = blends[TRAIN].returns.shape[1]
    grid = simplex_grid(members, step=ensemble.step, cap=ensemble.cap)
    weights = np.vstack([np.full((1, members), 1 / members), grid])
    with trip.reporter("weight sets", len(blends)) as step:
        results = {}
        for period, over in blends.items():
            results[period] = weighed(trip, over, weights)
            step()
    scores = [each.metrics[trip.config.metric] for each in results[TRAIN]]
    choice = choose(weights, scores, metric=trip.config.metric)
    return Search(weights, results, choice.row, choice.reason)


def _baselines(
    trip: Trip, trials: pl.DataFrame, signals: Mapping[str, pl.DataFrame], search: Search
) -> Baselines:
    best = best_trial(trials, metric=trip.config.metric)
    single = best["trial_id"] if best else ""
    results: dict[str, dict[str, Result]] = {"equal_weight": {}, "best_single": {}, "buy_and_hold": {}}
    for period in (TRAIN, SELECT):
        bars = trip.market.bars(period)
        results["equal_weight"][period] = search.results[period][EQUAL_ROW]
        replayed = replay_signals(signals[single], bars, config=trip.config)
        results["best_single"][period] = result_of(trip, replayed)
        results["buy_and_hold"][period] = result_of(trip, trip.market.buy_and_hold(period))
    return Baselines(single, results)


def _write_ensemble_trials(trip: Trip, members: Sequence[Member], search: Search) -> None:
    for row, weights in enumerate(search.weights):
        trial_id = ensemble_trial_id(row)
        train, select = (search.results[period][row] for period in (TRAIN, SELECT))
        content = {
            "trial_id": trial_id,
            "kind": "ensemble",
            "strategy": None,
            "parameters": _by_member(members, weights),
            "status": "ok",
            "error": None,
            "symbols": list(trip.market.symbols),
            "periods_per_year": trip.config.data.periods_per_year,
            "metrics": train.metrics,
            **train.counts,
            "period_name": TRAIN,
            "metrics_by_period": {SELECT: select.row},
        }
        write_document(
            trip.workspace,
            names.ENSEMBLE,
            trial_id,
            content,
            written_at=trip.now,
            durability=trip.config.durability,
        )


def _trial_returns(trip: Trip, signals: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Return ``timestamp`` and a column of train returns per trial."""
    bars = trip.market.bars(TRAIN)
    earned = {
        trial: replay_signals(rows, bars, config=trip.config).bars["return"]
        for trial, rows in signals.items()
    }
    return pl.DataFrame({"timestamp": bars.timestamps, **earned})


def _write_correlations(trip: Trip, returns: pl.DataFrame) -> float | None:
    """Save the matrix over all trials and return the mean over all pairs."""
    found = correlations(returns, min_overlap=trip.config.minimum_bars, window="common")
    options = {"kind": "returns", "coefficient": "Pearson", "window": "common", "bars": returns.height}
    _save(trip, "correlation_matrix.meta", {**options, "period": TRAIN})
    write_table(trip.workspace, "correlation_matrix", found.matrix, durability=trip.config.durability)
    return found.pairs.select(pl.col("correlation").mean().cast(pl.Float64)).item()  # type: ignore[no-any-return]


def _describe(
    trip: Trip, members: Sequence[Member], search: Search, baselines: Baselines
) -> dict[str, object]:
    config = trip.config
    beats = search.beats(baselines.results["equal_weight"][SELECT], metric=config.metric)
    return {
        "weights": _by_member(members, search.weights[search.row]),
        "members": {
            each.name: {"strategy": each.strategy, **each.winners, "otherwise": each.otherwise}
            for each in members
        },
        "method": config.ensemble.method,
        "metric": config.metric,
        "mode": config.ensemble.mode,
        "ensemble_trial": search.trial_id,
        "recommended": "ensemble" if beats and search.reason is None else "equal",
        "reason": search.reason,
        "train": search.results[TRAIN][search.row].row,
        "select": search.results[SELECT][search.row].row,
        **{
            name: {period: result.row for period, result in results.items()}
            for name, results in baselines.results.items()
        },
        "best_single_trial": baselines.single,
        "weight_sets_tried": len(search.weights),
    }


def _by_member(members: Sequence[Member], weights: Matrix) -> dict[str, float]:
    return {member.name: float(weight) for member, weight in zip(members, weights, strict=True)}


def _save(trip: Trip, key: str, content: Mapping[str, Any]) -> None:
    write_document(
        trip.workspace,
        names.ANALYSIS,
        key,
        content,
        written_at=trip.now,
        durability=trip.config.durability,
    )
