"""What the signals that any program saved say of regimes, members, likeness and luck; no strategy is run."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from workspace_kit import storage
from workspace_kit.errors import NameInvalid, UsageError
from workspace_kit.flows.catalogs import open_workspace
from workspace_kit.flows.correlation_study import Correlated, Series, correlate, series_on_train
from workspace_kit.flows.ensemble_study import DOCUMENT as WEIGHTS_DOCUMENT
from workspace_kit.flows.ensemble_study import (
    LUCK_DOCUMENT,
    Ensemble,
    check_ensemble,
    ensemble_choice,
    ensemble_odds,
    weigh_winners,
)
from workspace_kit.flows.findings import Finding, save
from workspace_kit.flows.inherited import refuse_other_prices
from workspace_kit.flows.market import load_market
from workspace_kit.flows.regime_study import DOCUMENT as REGIME_DOCUMENT
from workspace_kit.flows.regime_study import best_by_regime
from workspace_kit.flows.run import read_workflow_file
from workspace_kit.flows.sweep import Sweep, replayed_sweep
from workspace_kit.flows.trip import Reporter, Trip, silent, wall_clock
from workspace_kit.layout import names
from workspace_kit.layout.names import Workspace
from workspace_kit.layout.reader import log_of, read_bytes
from workspace_kit.layout.writer import log_event


@dataclass(frozen=True, eq=False)
class Study:
    """All that can be found in a sweep, each part computed when it is first asked for."""

    trip: Trip
    sweep: Sweep

    @cached_property
    def regimes(self) -> dict[str, Any]:
        """The best parameters per regime."""
        files = [self.trip.workspace.file(names.SIGNALS, trial) for trial in self.sweep.passed["trial_id"]]
        return best_by_regime(self.trip, self.sweep, inputs=files)

    @cached_property
    def correlated(self) -> Correlated:
        """How alike trials are."""
        return correlate(self.trip, self._series)

    @cached_property
    def odds(self) -> dict[str, Any]:
        """How much of the choice may be luck."""
        chosen = f"weight set {self._ensemble.search.row}"
        return ensemble_odds(
            self.trip, self.sweep, self._ensemble, self._series, self.correlated, winner=chosen, inputs=[]
        )

    @cached_property
    def choice(self) -> dict[str, object]:
        """The weights chosen; the weight sets tried for it are counted and not saved, so none is named."""
        return {**ensemble_choice(self.trip, self._ensemble, self.odds), "ensemble_trial": None}

    @cached_property
    def _signals(self) -> dict[str, pl.DataFrame]:
        return {trial: self.sweep.signals(trial) for trial in self.sweep.passed["trial_id"]}

    @cached_property
    def _series(self) -> Series:
        return series_on_train(self.trip, self._signals)

    @cached_property
    def _ensemble(self) -> Ensemble:
        where = str(self.trip.workspace.path)
        return weigh_winners(self.trip, self.sweep, self._signals, self.regimes, where=where)


ANALYSES: Mapping[str, Callable[[Study], Mapping[str, Finding]]] = {
    "regimes": lambda study: {REGIME_DOCUMENT: study.regimes},
    "ensemble": lambda study: {WEIGHTS_DOCUMENT: study.choice},
    "correlation": lambda study: study.correlated.findings,
    "overfitting": lambda study: {LUCK_DOCUMENT: study.odds},
}
DOCUMENTS = (
    *(REGIME_DOCUMENT, WEIGHTS_DOCUMENT, LUCK_DOCUMENT),
    *(names.RETURN_CORRELATIONS, f"{names.RETURN_CORRELATIONS}.meta"),
    *(names.POSITION_CORRELATIONS, f"{names.POSITION_CORRELATIONS}.meta"),
)


def analyze(
    workspace: Workspace | Path | str,
    config: Path | str | None,
    *,
    name: str,
    what: Sequence[str] = tuple(ANALYSES),
    reporter: Reporter = silent,
) -> list[Path]:
    """Replay the saved signals of any workspace over train and select, and save what they say under a name.

    ``config`` is a workflow file with prices, periods, metric, execution, regimes and ensemble; its
    strategies are not run and may be left out. ``what`` names some of `ANALYSES`. Writes
    ``analysis/{name}_…`` and an event in the log, and nothing else; returns the paths written.

    Raises
    ------
    UsageError, NameInvalid
        No configuration, an unknown analysis, or a name that is taken.
    PriceError
        The workspace rests on other prices.
    DataError
        No trial can be best.
    """
    held = open_workspace(workspace)
    wanted = _known(what)
    told, folder = read_workflow_file(_given(config))
    _refuse_taken(held, name)
    log_of(held)
    check_ensemble(told)
    market = load_market(told, folder=folder)
    refuse_other_prices(held, market)
    trip = Trip(held, told, folder, market, 1, reporter)
    study = Study(trip, replayed_sweep(trip))
    findings = {key: finding for each in wanted for key, finding in ANALYSES[each](study).items()}
    for kind in (names.ANALYSIS, names.METADATA):
        storage.make_folder(held.path / kind.folder)
    paths = [save(trip, f"{name}_{key}", finding) for key, finding in findings.items()]
    _register(held, name, paths)
    return paths


def _known(what: Sequence[str]) -> list[str]:
    for each in what:
        if each not in ANALYSES:
            raise UsageError(
                "what to analyze", found=repr(each), expected=", ".join(ANALYSES), remedy="correct it"
            )
    return list(dict.fromkeys(what))


def _given(config: Path | str | None) -> Path | str:
    if config is None:
        raise UsageError(
            "analyze",
            found="no configuration",
            expected="the workflow file that names prices, periods, metric and execution to replay with",
            remedy="pass --config FILE; `workspace-kit init` writes one to start from",
        )
    return config


def _refuse_taken(workspace: Workspace, name: str) -> None:
    """Refuse a name whose files are there, or are called like those of a run."""
    names.check_id(name, what="name of the analysis")
    keys = [f"{name}_{each}" for each in DOCUMENTS]
    kinds = (names.ANALYSIS, names.ANALYSIS_TABLE)
    taken = [key for key in keys if any(workspace.file(kind, key).exists() for kind in kinds)]
    if found := [*taken, *(key for key in keys if key in DOCUMENTS)]:
        raise NameInvalid(
            f"analysis {name}",
            found=f"{names.ANALYSIS.folder}/{found[0]}, which is there or a run's own",
            expected="a name that no analysis of this workspace has",
            remedy="choose another with --as",
        )


def _register(workspace: Workspace, name: str, paths: Sequence[Path]) -> None:
    """Log what was written, so that it is known not to be anybody's leftover."""
    files = [
        {"path": "/".join(path.parts[-2:]), "sha256": hashlib.sha256(read_bytes(path)).hexdigest()}
        for path in paths
    ]
    log_event(
        workspace,
        at=wall_clock(),
        phase="",
        event=f"analysis {name}",
        trial_id=None,
        detail={"files": files},
    )
