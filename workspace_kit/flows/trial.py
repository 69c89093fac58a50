"""One trial: one strategy with one parameter set over all symbols; a function of that trial alone."""

import datetime as dt
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from workspace_kit import clock
from workspace_kit.analysis.measures import excess_returns, summarise
from workspace_kit.analysis.regimes import by_regime
from workspace_kit.analysis.replay import Bars, Replay, changes, dense, replay, targets
from workspace_kit.analysis.search import Candidate
from workspace_kit.analysis.strategies import BUILT_IN
from workspace_kit.config import Config
from workspace_kit.errors import StorageError, StrategyError
from workspace_kit.flows.foresight import refuse_foresight
from workspace_kit.flows.functions import find_function
from workspace_kit.flows.inherited import Inherited, inherited_signals
from workspace_kit.flows.market import Market
from workspace_kit.flows.trip import now, wall_clock
from workspace_kit.layout import names
from workspace_kit.layout.names import FileKind, Workspace
from workspace_kit.layout.writer import write_document, write_signal_file
from workspace_kit.schema import SELECT, STRATEGY_SIGNALS, TRAIN

Trial = Candidate | Inherited
# A message may hold a whole frame; every trial that fails records one.
MOST_TOLD = 2000


class Setting(NamedTuple):
    """What all trials of a sweep share; ``labels`` are the causal regimes up to the end of select."""

    workspace: Workspace
    folder: Path
    market: Market
    labels: pl.DataFrame

    @property
    def config(self) -> Config:
        """The workflow."""
        return self.market.config


class Outcome(NamedTuple):
    """How one trial ended; ``error`` is null where it went well."""

    trial_id: str
    error: str | None
    started: dt.datetime
    seconds: float


def run_trial(setting: Setting, trial: Trial) -> Outcome:
    """Run one trial over train and select and write its signals and performance.

    Whatever a strategy raises is recorded with the trial and never stops the sweep; nor do signals of
    another workspace that cannot be read or replayed.
    """
    started, begun = wall_clock(), time.perf_counter()
    trial_id = names.trial_id(trial.number)
    try:
        content, error = _tried(setting, trial, trial_id), None
    except StorageError:
        raise
    except (Exception, SystemExit) as failure:
        content, error = {}, cause_of(failure)
    _record(setting, trial, trial_id, _outcome(content, error))
    return Outcome(trial_id, error, started, time.perf_counter() - begun)


def lost_trial(setting: Setting, trial: Trial) -> Outcome:
    """Record a trial whose process died under it."""
    trial_id, error = names.trial_id(trial.number), "its process died, without saying why"
    _record(setting, trial, trial_id, _outcome({}, error))
    return Outcome(trial_id, error, wall_clock(), 0.0)


def cause_of(failure: BaseException) -> str:
    """Return what is recorded of anything that was raised: its kind and message, cut where it is long."""
    text = f"{type(failure).__name__}: {failure}"
    return text if len(text) <= MOST_TOLD else f"{text[:MOST_TOLD]} … of {len(text)} characters"


def _record(setting: Setting, trial: Trial, trial_id: str, outcome: Mapping[str, Any]) -> None:
    write_document(
        setting.workspace,
        names.TRIAL,
        trial_id,
        {**_identity(setting, trial, trial_id), **outcome},
        written_at=now(),
        durability=setting.config.durability,
    )


def write_trial_signals(
    setting: Setting, trial: Trial, periods: Sequence[str], *, kind: FileKind, key: str
) -> tuple[pl.DataFrame, Mapping[str, object]]:
    """Ask a trial for its signals over periods and write them."""
    signals = signals_over(setting.market, trial, periods, folder=setting.folder)
    recorded = write_signal_file(
        setting.workspace,
        kind,
        key,
        signals,
        strategy=trial.strategy,
        durability=setting.config.durability,
    )
    return signals, recorded


def replay_signals(signals: pl.DataFrame, bars: Bars, *, config: Config) -> Replay:
    """Replay what had been signalled by the last bar."""
    known = signals.filter(pl.col("timestamp") <= bars.timestamps.max())
    wanted = targets(known, bars, execution=config.execution, on_duplicate="error")
    return replay(wanted.values, bars, execution=config.execution)


def measured(replayed: Replay, *, config: Config) -> dict[str, Any]:
    """Return every metric of a replay by name."""
    return summarise(
        replayed.bars,
        replayed.trades,
        periods_per_year=config.data.periods_per_year,
        risk_free_rate=config.data.risk_free_rate,
    )


def excess(returns: pl.Series, *, config: Config) -> pl.Series:
    """Return bar returns less what cash would earn in a bar, as the Sharpe ratio takes them."""
    data = config.data
    return excess_returns(returns, periods_per_year=data.periods_per_year, risk_free_rate=data.risk_free_rate)


def counted(replayed: Replay) -> dict[str, Any]:
    """Return what a performance document counts of a replay beside its metrics."""
    times = replayed.bars["timestamp"]
    return {
        "trades": replayed.trades.height,
        "open_trades": replayed.open_trades,
        "bars": replayed.bars.height,
        "exposure": replayed.bars["exposure"].mean(),
        "ruined": list(replayed.ruined),
        "period": {"start": clock.text(times[0]), "end": clock.text(times[-1])},
    }


def measured_by_regime(
    replayed: Replay, labels: pl.DataFrame, *, config: Config
) -> dict[str, dict[str, float | int | None]]:
    """Return every metric and count of a replay within each regime."""
    return by_regime(
        replayed.bars,
        replayed.trades,
        labels,
        periods_per_year=config.data.periods_per_year,
        risk_free_rate=config.data.risk_free_rate,
    )


def _tried(setting: Setting, trial: Trial, trial_id: str) -> dict[str, Any]:
    config, market = setting.config, setting.market
    if not isinstance(trial, Inherited):
        ask = partial(_asked, trial, setting.folder)
        refuse_foresight(ask, market, where=f"strategy {trial.strategy!r}")
    signals, recorded = write_trial_signals(setting, trial, (TRAIN, SELECT), kind=names.SIGNALS, key=trial_id)
    train, select = (replay_signals(signals, market.bars(name), config=config) for name in (TRAIN, SELECT))
    return {
        "metrics": measured(train, config=config),
        **counted(train),
        "period_name": TRAIN,
        "metrics_by_period": {SELECT: {**measured(select, config=config), **counted(select)}},
        "metrics_by_regime": measured_by_regime(train, setting.labels, config=config),
        "signals": recorded,
    }


def _identity(setting: Setting, trial: Trial, trial_id: str) -> dict[str, Any]:
    return {
        "trial_id": trial_id,
        "kind": "trial",
        "strategy": trial.strategy,
        "parameters": dict(trial.parameters),
        "symbols": list(setting.market.symbols),
        "periods_per_year": setting.config.data.periods_per_year,
        **({"source": trial.source} if isinstance(trial, Inherited) else {}),
    }


def _outcome(content: Mapping[str, Any], error: str | None) -> dict[str, Any]:
    if error is None:
        return {"status": "ok", "error": None, **content}
    return {"status": "failed", "error": error, "metrics": {}, "trades": None, "period_name": TRAIN}


def signals_over(market: Market, trial: Trial, periods: Sequence[str], *, folder: Path) -> pl.DataFrame:
    """Return what a trial says over each period, as dense as configured, from nothing later than its end.

    Raises
    ------
    StrategyError, SchemaMismatch
        Its strategy did not return signals.
    NotFound, FileDamaged, WorkspaceCorruptedError
        Its signals in another workspace cannot be read, or have changed.
    """
    say = _voice(market, trial, folder=folder)
    thin = dense if market.config.signals == "dense" else changes
    return pl.concat(thin(say(period), market.bars(period)) for period in periods)


def _voice(market: Market, trial: Trial, *, folder: Path) -> Callable[[str], pl.DataFrame]:
    """Return what gives a trial's signals up to a period's end."""
    if not isinstance(trial, Inherited):
        return lambda period: _asked(trial, folder, market.until(period))
    said = inherited_signals(trial, market)
    return lambda period: said.filter(pl.col("timestamp") <= market.bounds[period][1])


def _asked(candidate: Candidate, folder: Path, prices: pl.DataFrame) -> pl.DataFrame:
    function = find_function(
        candidate.function, folder=folder, built_in=BUILT_IN, where=f"strategy {candidate.strategy!r}"
    )
    answer = function(prices, candidate.parameters)
    if not isinstance(answer, pl.DataFrame):
        raise StrategyError(
            f"strategy {candidate.strategy!r}",
            found=type(answer).__name__,
            expected=f"a Polars frame with {', '.join(STRATEGY_SIGNALS.names)}",
            remedy="return one",
        )
    return STRATEGY_SIGNALS.check(answer, where=f"signals of strategy {candidate.strategy!r}")
