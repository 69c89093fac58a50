"""Doors for frames at hand, with no workspace: what was earned, what was best, what of it may be luck."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import polars as pl

from workspace_kit.analysis import overfitting as odds
from workspace_kit.analysis import selection
from workspace_kit.analysis.correlation import correlations
from workspace_kit.analysis.ensemble import weigh
from workspace_kit.analysis.measures import bar_measures, excess_returns
from workspace_kit.analysis.replay import Replay, bars, targets
from workspace_kit.analysis.replay import replay as follow
from workspace_kit.config import Ensemble, Execution, Luck, Minimum, fewest_bars
from workspace_kit.errors import DataError, UsageError
from workspace_kit.flows.choice import choose_row, weight_sets
from workspace_kit.flows.luck import sweep_odds, sweep_splits
from workspace_kit.schema import PRICES, TABLES, WINNER_FACTS
from workspace_kit.shown import as_html


class ChosenWeights(NamedTuple):
    """Weights that were chosen on the returns given.

    ``weights`` has a row per member, ``member, weight``, which are shares of capital and sum to 1;
    ``reason`` says why they are equal where nothing could be chosen, else it is None; ``sets_tried`` counts
    the weight sets tried, equal weight included, each of which had its chance to be lucky.
    """

    weights: pl.DataFrame
    reason: str | None
    sets_tried: int

    def _repr_html_(self) -> str:
        return as_html(self)


def replay(signals: pl.DataFrame, prices: pl.DataFrame, *, execution: Execution) -> Replay:
    """Tell what signals would have earned after costs, bar by bar and trade by trade.

    ``signals`` has ``timestamp, symbol, action`` (BUY, SELL, HOLD) and ``strength`` (0 to 1) of one trial;
    ``prices`` has ``timestamp, symbol, close`` (and ``open``, for ``fill: next_open``). Both in any order,
    times naive in UTC. Every symbol and bar of ``prices`` counts: filter them for fewer symbols or a period.
    Accounts start flat; a signal from before the first bar is in force from it, later ones than the last bar
    are left out. The answer has ``bars`` (timestamp and, as shares of capital, return net of cost, turnover,
    cost, exposure), closed ``trades``, ``positions`` [bars, symbols by name], ``open_trades``, ``ruined``.

    Raises
    ------
    SchemaMismatch, SignalConflict
        A column is missing or of another type, an action or strength is none, or two signals disagree.
    PriceError, LookAheadError
        A price is missing or not positive, a symbol has none, or the delay is below one bar.
    """
    known = PRICES.check(prices, where="prices")
    symbols = known["symbol"].unique().sort().to_list()
    first, last = known.select(pl.col("timestamp").min(), last=pl.col("timestamp").max()).row(0)
    held = bars(prices, symbols=symbols, start=first, end=last)
    wanted = targets(signals, held, execution=execution, on_duplicate="error")
    return follow(wanted.values, held, execution=execution)


def best_parameters(
    by_regime: pl.DataFrame,
    trials: pl.DataFrame,
    *,
    metric: str,
    minimum: Minimum,
    periods_per_year: float,
) -> pl.DataFrame:
    """Tell which parameters did best in each regime, over all strategies and for each.

    ``by_regime`` is view ``performance_by_regime`` and ``trials`` the answer ``trials_on_train``, of one or
    many workspaces, each asked by itself. The answer has the columns of view ``regime_params``, by
    workspace, strategy (null: the best of all, first) and regime. Where no trial shows enough of a regime
    (``minimum``, whose ``bars: auto`` follows ``periods_per_year``) the best over all of train stands in,
    with ``performance`` null and a ``fallback_reason``. A trial that failed or closed no trade is never best.
    """
    rows = []
    for workspace in trials["workspace"].unique().sort():
        here = pl.col("workspace") == workspace
        best = selection.best_parameters(
            by_regime.filter(here),
            trials.filter(here),
            metric=metric,
            minimum_bars=fewest_bars(minimum, periods_per_year=periods_per_year),
            minimum=minimum,
        )
        rows += [{"workspace": workspace, **row} for row in _entries(best)]
    return TABLES["regime_params"].frame(rows)


def ensemble_weights(
    returns: pl.DataFrame,
    *,
    ensemble: Ensemble,
    metric: str,
    periods_per_year: float,
    risk_free_rate: float,
    seed: int,
) -> ChosenWeights:
    """Choose how much capital each member gets, as far as these returns tell.

    ``returns`` has a column of simple bar returns per member, in order of time and without a gap, and may
    have ``timestamp``. Choose on train and judge on later returns: whatever is judged on these too looks
    better than it is. ``ensemble.mode`` is ``return`` here: each member has an account of its own.

    Raises
    ------
    UsageError
        No measure of bar returns has this name.
    DataError, ConfigError
        A gap in the returns, fewer than two bars, or a method, step or cap that cannot be kept.
    """
    members = returns.drop("timestamp", strict=False)
    _refuse_gaps(members)
    score = _measure(metric, periods_per_year=periods_per_year, risk_free_rate=risk_free_rate)
    matrix = members.to_numpy()
    sets = weight_sets(matrix, _scores(members, score), ensemble=ensemble, seed=seed)
    earned = pl.DataFrame(weigh(matrix, sets.weights), schema=[str(row) for row in range(len(sets.weights))])
    choice = choose_row(sets, _scores(earned, score), ensemble=ensemble, metric=metric)
    weights = pl.DataFrame({"member": members.columns, "weight": sets.weights[choice.row]})
    return ChosenWeights(weights, choice.reason, len(sets.weights))


def overfitting(
    returns: pl.DataFrame,
    *,
    benchmark: str,
    trials_tried: int,
    metric: str,
    luck: Luck,
    periods_per_year: float,
    risk_free_rate: float,
    seed: int,
) -> pl.DataFrame:
    """Tell how much of what each trial shows may be luck, given how many were tried.

    ``returns`` has a column of simple bar returns per trial and one of the benchmark to be beaten, in order
    of time and without a gap, and may have ``timestamp``; use those of train. ``trials_tried`` counts every
    trial that had its chance, kept here or not. The answer has the columns of view ``overfitting`` but for
    the workspace, a row per trial in the order given: ``psr`` and ``dsr`` are probabilities of skill, ``pbo``
    and ``spa_p_value`` are of the whole sweep and so the same in each row. What cannot be said is null.

    Raises
    ------
    UsageError
        The benchmark is no column, or fewer trials were tried than are here.
    DataError
        A gap in the returns.

    Source: Bailey and López de Prado (2012, 2014); Bailey, Borwein, López de Prado and Zhu (2017);
    Hansen (2005).
    """
    series = returns.drop("timestamp", strict=False)
    _refuse_gaps(series)
    trials = series.drop(benchmark, strict=False)
    _check_count(series, benchmark=benchmark, trials_tried=trials_tried)
    annual = {"periods_per_year": periods_per_year, "risk_free_rate": risk_free_rate}
    beyond = trials.select(excess_returns(each, **annual) for each in trials)
    held = series[benchmark].to_numpy()
    splits = sweep_splits(beyond.to_numpy(), blocks=luck.blocks, metric=metric)
    shared = sweep_odds(trials.to_numpy(), splits, held, luck=luck, seed=seed)
    deviation = odds.sharpe_dispersion([odds.moments(each).sharpe for each in beyond])
    pairs = correlations(trials, min_overlap=2, window="common").pairs
    judged: list[dict[str, object]] = [
        {
            "subject": each.name,
            **shared,
            **odds.judge(
                each,
                trials_tried=trials_tried,
                sharpe_deviation=deviation,
                mean_correlation=pairs.select(pl.col("correlation").mean()).item(),
            ),
        }
        for each in beyond
    ]
    return TABLES["overfitting"].frame(judged).drop("workspace")


def _entries(best: Mapping[str, Any]) -> Iterator[dict[str, object]]:
    """Rows of table ``regime_params``: the best of all first, then of each strategy."""
    scopes = {None: best["regime_optimal_params"], **best["by_strategy"]}
    for strategy, regimes in scopes.items():
        for regime, entry in regimes.items():
            facts = {name: entry[name] for name in WINNER_FACTS}
            parameters = {name: value for name, value in entry.items() if name not in facts}
            said = msgspec.json.encode(parameters).decode()
            yield {**facts, "regime": regime, "strategy": strategy, "parameters": said}


def _measure(metric: str, *, periods_per_year: float, risk_free_rate: float) -> Callable[[str], pl.Expr]:
    """Return what measures a column of bar returns by a metric's name."""
    annual = {"periods_per_year": periods_per_year, "risk_free_rate": risk_free_rate}
    known = list(bar_measures("", **annual))
    if metric not in known:
        raise UsageError(
            "metric", found=repr(metric), expected=f"one of {', '.join(known)}", remedy="correct it"
        )
    return lambda column: bar_measures(column, **annual)[metric].alias(column)


def _scores(returns: pl.DataFrame, score: Callable[[str], pl.Expr]) -> Sequence[float | None]:
    return returns.select(map(score, returns.columns)).row(0)


def _refuse_gaps(returns: pl.DataFrame) -> None:
    if missing := sum(returns.height - int(each.is_finite().sum()) for each in returns.cast(pl.Float64)):
        raise DataError(
            "returns",
            found=f"{missing} value(s) missing or not finite",
            expected="a number for every bar and column",
            remedy="keep the bars that all have, as with drop_nulls",
        )


def _check_count(series: pl.DataFrame, *, benchmark: str, trials_tried: int) -> None:
    if benchmark not in series.columns:
        raise UsageError(
            "benchmark",
            found=repr(benchmark),
            expected=f"one of the columns {', '.join(series.columns[:12])}",
            remedy="add its returns, or correct the name",
        )
    if trials_tried < series.width - 1:
        raise UsageError(
            "trials_tried",
            found=f"{trials_tried} for {series.width - 1} trials",
            expected="every trial that was tried, those here included",
            remedy="count them all: luck grows with every one",
        )
