"""The trials of a workspace over train, whoever ran them: what regimes and ensembles are studied on."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import polars as pl

from workspace_kit.errors import DataError, WorkspaceKitError
from workspace_kit.flows.catalogs import open_catalog
from workspace_kit.flows.discovery import labels_until
from workspace_kit.flows.origins import content_of, origin_of
from workspace_kit.flows.signals import saved_signals, signalled
from workspace_kit.flows.sources import named_trials
from workspace_kit.flows.trial import measured, measured_by_regime, replay_signals
from workspace_kit.flows.trip import Trip
from workspace_kit.layout import names
from workspace_kit.layout.inventory import workspaces
from workspace_kit.schema import COUNT, METRIC_NAMES, NUMBER, SELECT, TABLES, TEXT, TRAIN

_NAMED = ("trial_id", "strategy", "parameters", "status")
_TRIALS = {**dict.fromkeys(_NAMED, TEXT), "trades": COUNT, **dict.fromkeys(METRIC_NAMES, NUMBER)}


class Sweep(NamedTuple):
    """Trials as frames.

    ``trials`` has a row per trial, failed ones too, with its metrics on train; ``by_regime`` one per trial
    that did not fail and regime; ``labels`` one per bar up to the end of select. ``signals`` gives what a
    trial signalled. ``tried`` counts every trial that had its chance to be lucky, and ``about`` is what the
    documents say of that beyond their number.
    """

    trials: pl.DataFrame
    by_regime: pl.DataFrame
    labels: pl.DataFrame
    signals: Callable[[str], pl.DataFrame]
    tried: int
    about: Mapping[str, object]

    @property
    def passed(self) -> pl.DataFrame:
        """Trials that did not fail."""
        return self.trials.filter(pl.col("status") == "ok")


class _Replayed(NamedTuple):
    """One trial replayed over train: its signals, trades, metrics and those within each regime."""

    signals: pl.DataFrame
    trades: int
    metrics: Mapping[str, Any]
    regimes: Mapping[str, Mapping[str, Any]]


def saved_sweep(trip: Trip) -> Sweep:
    """Return the trials of a workflow under way as it saved them."""
    workspace = trip.workspace
    with open_catalog(workspace.root, [workspace.id]) as catalog:
        trials = catalog.answer("trials_on_train")
        by_regime = catalog.answer("performance_by_regime")
        labels = catalog.answer("regime_labels")
    return Sweep(
        trials,
        by_regime,
        labels,
        lambda trial: saved_signals(trip, [trial])[trial],
        tried=trials.height + content_of(workspace, names.SUMMARY, "summary").get("tried_before", 0),
        about={},
    )


def replayed_sweep(trip: Trip) -> Sweep:
    """Return the trials of any workspace, their saved signals replayed; no number of its documents is used.

    A trial whose signals cannot be read or replayed has failed. ``about`` says why, and which workspaces'
    trials were counted.

    Raises
    ------
    DataError
        Not one trial can be replayed.
    """
    named = named_trials(trip.workspace.root, [trip.workspace.id]).select(_NAMED)
    labels = labels_until(trip.market, SELECT, folder=trip.folder)
    replayed: dict[str, _Replayed] = {}
    left_out: dict[str, str] = {}
    passed = named.filter(pl.col("status") == "ok")["trial_id"]
    with trip.reporter("replays", passed.len()) as step:
        for trial in passed:
            try:
                replayed[trial] = _replayed(trip, trial, labels)
            except WorkspaceKitError as error:
                left_out[trial] = f"{type(error).__name__}: {error}"
            step()
    if not replayed:
        raise DataError(
            f"workspace {trip.workspace.id}",
            found=next(iter(left_out.values()), "no trial that did not fail"),
            expected="signals/trial_0.jsonl beside performance/trial_0.json, and their like",
            remedy=f"see `{trip.workspace.command('show')}` for what cannot be read",
        )
    counted = _counted(trip, named)
    return Sweep(
        pl.DataFrame([_row(each, replayed) for each in named.rows(named=True)], schema=_TRIALS),
        _by_regime(replayed),
        labels,
        lambda trial: replayed[trial].signals,
        tried=counted.height,
        about={
            "trials_counted_from": counted["workspace"].unique().sort().to_list(),
            "left_out": left_out,
        },
    )


def _replayed(trip: Trip, trial: str, labels: pl.DataFrame) -> _Replayed:
    market, config = trip.market, trip.config
    said = signalled(trip.workspace, trial, config).rows
    signals = said.filter(pl.col("timestamp") <= market.bounds[SELECT][1])
    replay_signals(signals, market.bars(SELECT), config=config)
    train = replay_signals(signals, market.bars(TRAIN), config=config)
    regimes = measured_by_regime(train, labels, config=config)
    return _Replayed(signals, train.trades.height, measured(train, config=config), regimes)


def _row(named: Mapping[str, Any], replayed: Mapping[str, _Replayed]) -> dict[str, object]:
    found = replayed.get(named["trial_id"])
    if found is None:
        return {**named, "status": "failed"}
    return {**named, "trades": found.trades, **{name: found.metrics[name] for name in METRIC_NAMES}}


def _by_regime(replayed: Mapping[str, _Replayed]) -> pl.DataFrame:
    table = TABLES["performance_by_regime"]
    return table.frame(
        [
            {name: value for name, value in part.items() if name in table.names}
            | {"trial_id": trial, "regime": regime}
            for trial, each in replayed.items()
            for regime, part in each.regimes.items()
        ]
    )


def _counted(trip: Trip, named: pl.DataFrame) -> pl.DataFrame:
    """Return every trial of these strategies in workspaces of the root that rest on the same prices.

    Where this workspace does not say on which prices it rests, those are its own.
    """
    own, root = trip.workspace, trip.workspace.root
    alike = [own.id]
    if digest := origin_of(own).prices_digest:
        alike = [each.id for each in workspaces(root) if origin_of(each).prices_digest == digest]
    return named_trials(root, alike).filter(pl.col("strategy").is_in(named["strategy"].to_list()))
