"""Which trial did best, in each regime and over all, and how far may that be believed.

Every metric here is better when larger (a drawdown is negative). A trial that failed, has no value of the
metric or closed no trade is never best. Ties go to more trades, then to the smaller drawdown, then to the
smaller parameters, then to the lower trial number.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import polars as pl

from workspace_kit.config import Minimum
from workspace_kit.schema import REGIMES, WINNER_FACTS, natural_order

Row = Mapping[str, Any]
Entry = dict[str, Any]
Interval = Callable[[str, str], tuple[float, float] | None]


@dataclass(frozen=True, slots=True)
class Grid:
    """Parameter sets that were tried with one strategy: what lies next to one, and what at the edge."""

    axes: Mapping[str, tuple[float, ...]]

    def neighbours(self, parameters: Row) -> Iterable[Row]:
        """Return the sets that differ by one step in one numeric parameter; they need not have been tried."""
        for name, values in self.axes.items():
            if parameters.get(name) in values:
                here = values.index(parameters[name])
                for value in values[max(here - 1, 0) : here] + values[here + 1 : here + 2]:
                    yield {**parameters, name: value}

    def at_edge(self, parameters: Row) -> bool:
        """Whether a numeric parameter with more than one value is at its first or last."""
        return any(
            len(values) > 1 and parameters.get(name) in (values[0], values[-1])
            for name, values in self.axes.items()
        )


def best_trial(trials: pl.DataFrame, *, metric: str) -> dict[str, Any] | None:
    """Return the row of the best trial, None where no trial can be best.

    Takes one row per trial with ``trial_id, parameters`` (JSON), ``status, trades, max_drawdown`` and the
    metric; the row returned has ``parameters`` as a dictionary.
    """
    best = _best(_rows(trials, metric=metric), metric=metric)
    return dict(best) if best else None


def best_parameters(
    by_regime: pl.DataFrame,
    trials: pl.DataFrame,
    *,
    metric: str,
    minimum_bars: int,
    minimum: Minimum,
    interval: Interval | None = None,
) -> dict[str, Any]:
    """Return the best parameters per regime, over all strategies and for each.

    ``by_regime`` has one row per trial and regime, as table ``performance_by_regime`` names the columns;
    ``trials`` has one row per trial over the whole of train, as in `best_trial`, with ``strategy``.
    A trial competes in a regime with at least the bars, episodes and closed trades demanded. Where none
    does, the best over all of train stands in with ``performance`` null and a ``fallback_reason``; where
    there is none either, the entry is nulls with the reason. ``interval`` gives low and high of the metric
    for a trial and a regime.

    The answer has ``regime_optimal_params`` and ``by_strategy``; in an entry, a fact named like a parameter
    stands in the parameter's place.
    """
    overall = _rows(trials, metric=metric)
    facts = trials.select("trial_id", "strategy", "parameters", "status")
    counted = by_regime.select("trial_id", "regime", *_COUNTS, *sorted({metric, "max_drawdown"}))
    inside = _rows(counted.join(facts, on="trial_id"), metric=metric)
    strategies = {row["strategy"] for row in overall}
    grids = {name: _grid(row["parameters"] for row in _of(overall, name)) for name in strategies}
    question = _Question(metric, minimum_bars, minimum, grids, interval)

    def entries(overall: Sequence[Row], inside: Sequence[Row]) -> dict[str, Entry]:
        return {regime: _entry(regime, overall, inside, question=question) for regime in REGIMES}

    return {
        "regime_optimal_params": entries(overall, inside),
        "by_strategy": {
            name: entries(_of(overall, name), _of(inside, name)) for name in sorted(strategies - {None})
        },
    }


@dataclass(frozen=True, slots=True)
class _Question:
    """What best means, what a trial must show in a regime to be it, and among which grids."""

    metric: str
    bars: int
    minimum: Minimum
    grids: Mapping[str | None, Grid]
    interval: Interval | None

    def met_by(self, row: Row) -> bool:
        wanted = (self.bars, self.minimum.episodes, self.minimum.trades)
        return all((row[name] or 0) >= least for name, least in zip(_COUNTS, wanted, strict=True))

    def unmet(self, rows: Sequence[Row]) -> str:
        most = (max((row[name] or 0 for row in rows), default=0) for name in _COUNTS)
        seen = ", ".join(f"{count} {name}" for name, count in zip(_COUNTS, most, strict=True))
        return (
            f"no trial has a {self.metric} over {self.bars} bars, {self.minimum.episodes} episodes"
            f" and {self.minimum.trades} closed trades of this regime; at most {seen} were seen"
        )


_COUNTS = ("bars", "episodes", "trades")


def _entry(regime: str, overall: Sequence[Row], inside: Sequence[Row], *, question: _Question) -> Entry:
    metric, interval = question.metric, question.interval
    here = [row for row in inside if row["regime"] == regime]
    if winner := _best([row for row in here if question.met_by(row)], metric=metric):
        between = interval(winner["trial_id"], regime) if interval else None
        return _describe(winner, winner, here, question=question) | {
            "interval": list(between) if between else None
        }
    unmet = question.unmet(here)
    if substitute := _best(overall, metric=metric):
        counts = next((row for row in here if row["trial_id"] == substitute["trial_id"]), {})
        value = f"{metric} {substitute[metric]:.4g}"
        return _describe(substitute, counts, overall, question=question) | {
            "performance": None,
            "fallback_reason": f"{unmet}; this is the best over all of train ({value})",
        }
    return dict.fromkeys(WINNER_FACTS) | {
        "metric": metric,
        "fallback_reason": f"{unmet}; nor has any a {metric} and a closed trade over all of train",
    }


def _describe(best: Row, counts: Row, rivals: Sequence[Row], *, question: _Question) -> Entry:
    grid = question.grids[best["strategy"]]
    facts = {
        **best,
        **{name: counts.get(name) for name in _COUNTS},
        "performance": best[question.metric],
        "metric": question.metric,
        "plateau_score": _plateau_score(best, rivals, grid=grid, metric=question.metric),
        "edge_of_grid": grid.at_edge(best["parameters"]),
    }
    return {**best["parameters"], **{name: facts.get(name) for name in WINNER_FACTS}}


def _plateau_score(winner: Row, rivals: Sequence[Row], *, grid: Grid, metric: str) -> float:
    """Mean of the metric over the winner and those of its grid neighbours that have one."""
    values = {_key(row["parameters"]): row[metric] for row in _of(rivals, winner["strategy"])}
    around = [values.get(_key(each)) for each in grid.neighbours(winner["parameters"])]
    seen = [winner[metric], *(value for value in around if value is not None)]
    return float(sum(seen) / len(seen))


def _rows(frame: pl.DataFrame, *, metric: str) -> list[Row]:
    """Rows in natural order of their trials, parameters read, a value that is not finite as None."""
    value = pl.when(pl.col(metric).is_finite()).then(pl.col(metric)).alias(metric)
    return [
        {**row, "parameters": msgspec.json.decode(row["parameters"] or "{}")}
        for row in frame.sort(*natural_order("trial_id")).with_columns(value).iter_rows(named=True)
    ]


def _best(rows: Iterable[Row], *, metric: str) -> Row | None:
    """First of the best; rows come in natural order of their trials."""
    able = [
        row
        for row in rows
        if row["status"] in ("ok", None) and row[metric] is not None and row["trades"] != 0
    ]
    return min(able, key=lambda row: _rank(row, metric=metric), default=None)


def _rank(row: Row, *, metric: str) -> tuple[Any, ...]:
    drawdown = row["max_drawdown"]
    return (
        -row[metric],
        -(row["trades"] or 0),
        float("inf") if drawdown is None else -drawdown,
        _key(row["parameters"]),
    )


def _key(parameters: Row) -> tuple[Any, ...]:
    return tuple((name, *_orderable(value)) for name, value in sorted(parameters.items()))


def _orderable(value: object) -> tuple[int, float, str]:
    """Numbers by size before all else, which goes by its text."""
    if isinstance(value, int | float):
        return 0, value, ""
    return 1, 0.0, str(value)


def _of(rows: Iterable[Row], strategy: str | None) -> list[Row]:
    return [row for row in rows if row["strategy"] == strategy]


def _grid(sets: Iterable[Row]) -> Grid:
    values: dict[str, set[float]] = {}
    for parameters in sets:
        for name, value in parameters.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                values.setdefault(name, set()).add(value)
    return Grid({name: tuple(sorted(seen)) for name, seen in sorted(values.items())})
