"""Phase 4: look at the test period, once, with what was chosen before it."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from workspace_kit.analysis.ensemble import check_weights
from workspace_kit.analysis.overfitting import validation_verdict
from workspace_kit.analysis.replay import Matrix
from workspace_kit.flows.blend import Blend, Result, blend, result_of, weighed
from workspace_kit.flows.books import books_of, records
from workspace_kit.flows.candidates import recommended
from workspace_kit.flows.discovery import candidates_of, labels_until
from workspace_kit.flows.ensemble_study import DOCUMENT as WEIGHTS_DOCUMENT
from workspace_kit.flows.inherited import inherited_again, inherited_signals
from workspace_kit.flows.intervals import intervals
from workspace_kit.flows.journal import Journal
from workspace_kit.flows.looks import earlier_looks
from workspace_kit.flows.members import Member, followed
from workspace_kit.flows.provenance import analysis_metadata, content_digest
from workspace_kit.flows.signals import saved_signals
from workspace_kit.flows.trial import Setting, Trial, replay_signals, write_trial_signals
from workspace_kit.flows.trip import Trip
from workspace_kit.layout import names
from workspace_kit.layout.reader import document_of
from workspace_kit.layout.writer import write_document, write_table
from workspace_kit.prices import price_quality
from workspace_kit.schema import PERIODS, PRICE_QUALITY, SELECT, TEST

NO_VALIDATION = "no validation"
CANDIDATES = ("ensemble", "equal_weight", "best_single", "buy_and_hold")
MEMBER_FIELDS = ("strategy", "otherwise")


def validate(trip: Trip, _journal: Journal) -> None:
    """Run the chosen trials over test for the first time and set them beside their baselines."""
    workspace, config = trip.workspace, trip.config
    choice_path = workspace.file(names.ANALYSIS, WEIGHTS_DOCUMENT)
    choice = document_of(choice_path)
    members = _members(choice)
    weights = check_weights(
        choice["weights"], members=[each.name for each in members], where=str(choice_path)
    ).reshape(1, -1)
    single = choice["best_single_trial"]
    labels = labels_until(trip.market, TEST, folder=trip.folder)
    chosen = _chosen(choice)
    fresh = _run_on_test(trip, labels, chosen)
    saved = saved_signals(trip, chosen)
    signals = {period: fresh if period == TEST else saved for period in PERIODS}
    overs = {
        period: blend(trip, members, {name: of[name] for name in followed(members)}, labels, period=period)
        for period, of in signals.items()
    }
    results = {
        period: _candidates(trip, over, weights, signals[period][single], period=period)
        for period, over in overs.items()
    }
    unseen = labels.filter(pl.col("timestamp") > trip.market.bounds[SELECT][1])
    write_table(workspace, names.TEST_REGIMES, unseen, durability=config.durability)
    write_table(workspace, "returns", _returns(trip, results, fresh, saved), durability=config.durability)
    books = {
        period: books_of(trip, over, weights[0], signals[period][single]) for period, over in overs.items()
    }
    for key, record in records(books, recommended=recommended(choice) or "ensemble", config=config).items():
        write_table(workspace, key, record, durability=config.durability)
    # Not before: it looks at the prices of the test period too.
    quality = price_quality(trip.market.prices, trip.market.warnings)
    write_table(workspace, PRICE_QUALITY.name, quality, durability=config.durability)
    metadata = analysis_metadata(
        trip,
        method="validation",
        options={"metric": config.metric},
        period=TEST,
        trials_analyzed=len(chosen),
        trials_tried=document_of(workspace.file(names.ANALYSIS, "overfitting"))["trials_tried"],
        inputs=[choice_path],
    )
    write_document(
        workspace,
        names.VALIDATION,
        "validation_results",
        {**_describe(trip, results[TEST], chosen), "analysis_metadata": metadata},
        written_at=trip.now,
        durability=config.durability,
    )


def silent_on_test(trip: Trip) -> list[str]:
    """Return which chosen trials cannot be validated: those of other workspaces without a signal in test."""
    if not trip.config.discovery:
        return []
    choice = document_of(trip.workspace.file(names.ANALYSIS, WEIGHTS_DOCUMENT))
    within = pl.col("timestamp").is_between(*trip.market.bounds[TEST])
    return [
        trial
        for trial, each in inherited_again(trip.workspace, _chosen(choice)).items()
        if inherited_signals(each, trip.market).filter(within).is_empty()
    ]


def _chosen(choice: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys([*followed(_members(choice)), choice["best_single_trial"]]))


def _members(choice: Mapping[str, Any]) -> list[Member]:
    return [
        Member(
            name,
            each["strategy"],
            {regime: trial for regime, trial in each.items() if regime not in MEMBER_FIELDS},
            each["otherwise"],
        )
        for name, each in choice["members"].items()
    ]


def _run_on_test(trip: Trip, labels: pl.DataFrame, trials: Sequence[str]) -> dict[str, pl.DataFrame]:
    """Ask trials for their signals over test and write them, ``validation_N`` for trial N."""
    by_id = _trials_by_id(trip, trials)
    setting = Setting(trip.workspace, trip.folder, trip.market, labels)
    fresh = {}
    with trip.reporter("validation", len(trials)) as step:
        for trial in trials:
            fresh[trial], _ = write_trial_signals(
                setting,
                by_id[trial],
                [TEST],
                kind=names.VALIDATION_SIGNALS,
                key=f"validation_{by_id[trial].number}",
            )
            step()
    return fresh


def _trials_by_id(trip: Trip, trials: Sequence[str]) -> Mapping[str, Trial]:
    if trip.config.discovery:
        return inherited_again(trip.workspace, trials)
    return {names.trial_id(each.number): each for each in candidates_of(trip.config, folder=trip.folder)}


def _candidates(
    trip: Trip, over: Blend, weights: Matrix, single: pl.DataFrame, *, period: str
) -> dict[str, Result]:
    equal = weights * 0 + 1 / weights.size
    results = (
        weighed(trip, over, weights)[0],
        weighed(trip, over, equal)[0],
        result_of(trip, replay_signals(single, over.bars, config=trip.config)),
        result_of(trip, trip.market.buy_and_hold(period)),
    )
    return dict(zip(CANDIDATES, results, strict=True))


def _returns(
    trip: Trip,
    results: Mapping[str, Mapping[str, Result]],
    fresh: Mapping[str, pl.DataFrame],
    saved: Mapping[str, pl.DataFrame],
) -> pl.DataFrame:
    """Return ``timestamp`` and a column of bar returns per candidate, benchmark and winner, all periods."""
    parts = []
    for period in PERIODS:
        bars = trip.market.bars(period)
        signals = fresh if period == TEST else saved
        benchmark = trip.market.benchmark_returns(period)
        columns = {name: result.returns["return"] for name, result in results[period].items()}
        winners = {
            trial: replay_signals(rows, bars, config=trip.config).bars["return"]
            for trial, rows in signals.items()
        }
        frame = pl.DataFrame({"timestamp": bars.timestamps, **columns})
        frame = frame.join(benchmark.rename({"return": "benchmark"}), on="timestamp", how="left")
        parts.append(frame.with_columns(**winners))
    return pl.concat(parts)


def _describe(trip: Trip, results: Mapping[str, Result], trials: Sequence[str]) -> dict[str, object]:
    looks = earlier_looks(trip)
    keys = [f"validation_{trial.removeprefix('trial_')}" for trial in trials]
    sharpes = {name: result.metrics["sharpe_ratio"] for name, result in results.items()}
    return {
        "verdict": validation_verdict(sharpes, looks=len(looks) + 1),
        "candidates": {
            name: {
                "metrics": result.metrics,
                "intervals": intervals(result.returns["return"], config=trip.config),
                **result.counts,
            }
            for name, result in results.items()
        },
        "period": results["buy_and_hold"].counts["period"],
        "looks": len(looks) + 1,
        "looked_at_before_by": looks,
        "prices": {"source": trip.config.data.prices, "digest": trip.market.digest},
        "signals": {key: content_digest(trip.workspace.file(names.VALIDATION_SIGNALS, key)) for key in keys},
    }
