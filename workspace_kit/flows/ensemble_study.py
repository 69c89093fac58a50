"""Phase 3: weigh the members on train, judge the choice on select, and say how much of it may be luck."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import polars as pl

from workspace_kit.analysis.correlation import correlations, near_identical
from workspace_kit.analysis.ensemble import TOLERANCE, effective_members, simplex_size
from workspace_kit.analysis.estimator import find_estimator
from workspace_kit.analysis.replay import Matrix
from workspace_kit.analysis.selection import best_trial
from workspace_kit.config import SIMPLEX_GRID, SKFOLIO_PREFIX, Config
from workspace_kit.errors import ConfigError
from workspace_kit.flows.blend import Blend, Result, blend, result_of, weighed
from workspace_kit.flows.candidates import EQUAL_ROW, ensemble_trial_id
from workspace_kit.flows.choice import (
    Baselines,
    Search,
    choose_row,
    weight_sets,
)
from workspace_kit.flows.correlation_study import Correlated, Series, correlate, series_on_train
from workspace_kit.flows.findings import save
from workspace_kit.flows.intervals import intervals
from workspace_kit.flows.journal import Journal
from workspace_kit.flows.luck import judge
from workspace_kit.flows.members import Member, followed, members_of
from workspace_kit.flows.provenance import analysis_metadata
from workspace_kit.flows.regime_study import DOCUMENT as REGIME_DOCUMENT
from workspace_kit.flows.sweep import Sweep, saved_sweep
from workspace_kit.flows.trial import replay_signals
from workspace_kit.flows.trip import Trip
from workspace_kit.layout import names
from workspace_kit.layout.reader import document_of
from workspace_kit.layout.writer import write_document
from workspace_kit.schema import SELECT, TRAIN

DOCUMENT = "ensemble_weights"
LUCK_DOCUMENT = "overfitting"


class Ensemble(NamedTuple):
    """The members of an ensemble, over train and select; every weight set tried on them; what to beat."""

    members: Sequence[Member]
    blends: Mapping[str, Blend]
    search: Search
    baselines: Baselines


def ensemble_study(trip: Trip, _journal: Journal) -> None:
    """Replay the winners' saved signals as members, try every weight set, save the choice and its odds."""
    sweep = saved_sweep(trip)
    signals = {trial: sweep.signals(trial) for trial in sweep.passed["trial_id"]}
    study = trip.workspace.file(names.ANALYSIS, REGIME_DOCUMENT)
    ensemble = weigh_winners(trip, sweep, signals, document_of(study), where=str(study))
    _write_ensemble_trials(trip, ensemble.members, ensemble.search)
    series = series_on_train(trip, signals)
    correlated = correlate(trip, series)
    for key, finding in correlated.findings.items():
        save(trip, key, finding)
    odds = ensemble_odds(
        trip, sweep, ensemble, series, correlated, winner=ensemble.search.trial_id, inputs=[study]
    )
    save(trip, LUCK_DOCUMENT, odds)
    save(trip, DOCUMENT, ensemble_choice(trip, ensemble, odds))


def weigh_winners(
    trip: Trip,
    sweep: Sweep,
    signals: Mapping[str, pl.DataFrame],
    study: Mapping[str, Any],
    *,
    where: str,
) -> Ensemble:
    """Make members of the winners of a regime study, and try every weight set on them.

    ``signals`` are those of the trials that did not fail; ``where`` names the study in an error.

    Raises
    ------
    DataError
        No strategy has a trial that can be followed.
    """
    members = members_of(
        study, sweep.passed, metric=trip.config.metric, where=where, workspace=trip.workspace
    )
    blends = {
        period: blend(trip, members, signals, sweep.labels, period=period) for period in (TRAIN, SELECT)
    }
    search = _try_weights(trip, blends)
    return Ensemble(members, blends, search, _baselines(trip, sweep.passed, signals, search))


def ensemble_odds(
    trip: Trip,
    sweep: Sweep,
    ensemble: Ensemble,
    series: Series,
    correlated: Correlated,
    *,
    winner: str,
    inputs: Iterable[Path],
) -> dict[str, Any]:
    """Return how much of the choice may be luck; ``inputs`` are what was read beside the members' signals."""
    config = trip.config
    odds = judge(
        trip,
        series.returns,
        winner=winner,
        mean_correlation=correlated.mean,
        trials_tried=sweep.tried,
        search=ensemble.search,
        baselines=ensemble.baselines,
    )
    followed_files = [trip.workspace.file(names.SIGNALS, trial) for trial in followed(ensemble.members)]
    metadata = analysis_metadata(
        trip,
        method=config.ensemble.method,
        options=msgspec.to_builtins(config.ensemble) | {"metric": config.metric},
        period=TRAIN,
        trials_analyzed=sweep.passed.height,
        trials_tried=odds["trials_tried"],
        inputs=[*inputs, *followed_files],
    )
    return {**odds, "analysis_metadata": {**metadata, **sweep.about}}


def ensemble_choice(trip: Trip, ensemble: Ensemble, odds: Mapping[str, Any]) -> dict[str, object]:
    """Return the weights chosen with all they were judged by."""
    return {
        **_describe(trip, ensemble.members, ensemble.search, ensemble.baselines),
        "near_identical": _near_identical(ensemble.members, ensemble.blends[TRAIN]),
        "deflated": odds["subjects"]["ensemble"],
        "analysis_metadata": odds["analysis_metadata"],
    }


def check_ensemble(config: Config) -> None:
    """Refuse, before a long sweep, what this phase could not do after it.

    Raises
    ------
    ConfigError
        A step that does not divide 1, or an estimator that is not there or was to keep a cap.
    """
    ensemble = config.ensemble
    if len(config.strategies) > 1 and ensemble.cap * len(config.strategies) < 1 - TOLERANCE:
        raise ConfigError(
            "key ensemble.cap",
            found=f"{ensemble.cap} with {len(config.strategies)} strategies",
            expected=f"at least {1 / len(config.strategies):.4g}, so that weights can sum to 1",
            remedy="raise the cap",
        )
    if ensemble.method == SIMPLEX_GRID:
        simplex_size(1, step=ensemble.step)
    if ensemble.method.startswith(SKFOLIO_PREFIX):
        find_estimator(ensemble.method.removeprefix(SKFOLIO_PREFIX))
        if ensemble.cap < 1:
            raise ConfigError(
                "key ensemble.cap",
                found=f"{ensemble.cap} with {ensemble.method}",
                expected="1: an estimator has limits of its own",
                remedy="leave the cap out, or choose a built-in method",
            )


def _try_weights(trip: Trip, blends: Mapping[str, Blend]) -> Search:
    config, over = trip.config, blends[TRAIN]
    own = [result_of(trip, each).metrics[config.metric] for each in over.replays]
    sets = weight_sets(over.returns, own, ensemble=config.ensemble, seed=config.seed)
    with trip.reporter("weight sets", len(blends)) as step:
        results = {}
        for period, each in blends.items():
            results[period] = weighed(trip, each, sets.weights)
            step()
    scores = [each.metrics[config.metric] for each in results[TRAIN]]
    choice = choose_row(sets, scores, ensemble=config.ensemble, metric=config.metric)
    return Search(sets.weights, results, choice.row, choice.reason)


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


def _describe(
    trip: Trip, members: Sequence[Member], search: Search, baselines: Baselines
) -> dict[str, object]:
    config = trip.config
    beats = search.beats(baselines.results["equal_weight"][SELECT], metric=config.metric)
    judged = {"ensemble": search.results[SELECT][search.row]}
    judged |= {name: results[SELECT] for name, results in baselines.results.items()}
    return {
        "weights": _by_member(members, search.weights[search.row]),
        "members": {
            each.name: {"strategy": each.strategy, **each.winners, "otherwise": each.otherwise}
            for each in members
        },
        "effective_members": effective_members(search.weights[search.row].tolist()),
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
        "intervals": {
            "period": SELECT,
            **{name: intervals(each.returns["return"], config=config) for name, each in judged.items()},
        },
        "best_single_trial": baselines.single,
        "weight_sets_tried": len(search.weights),
    }


def _near_identical(members: Sequence[Member], over: Blend) -> list[list[str]]:
    """Return the pairs of members that are hardly two, so that weights on both are read as one."""
    returns = pl.DataFrame(over.returns, schema=[each.name for each in members])
    found = correlations(returns, min_overlap=returns.height, window="common")
    return near_identical(found.pairs)


def _by_member(members: Sequence[Member], weights: Matrix) -> dict[str, float]:
    return {member.name: float(weight) for member, weight in zip(members, weights, strict=True)}
