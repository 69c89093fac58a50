"""What the trials say as a set: a metric over two parameters, train against select, who resembles whom."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl

from workspace_kit.report.linkage import average_linkage, leaf_order
from workspace_kit.report.series import Floats
from workspace_kit.report.story import Story, in_order
from workspace_kit.schema import SELECT, TRAIN

Places = np.ndarray[tuple[int], np.dtype[np.int64]]
Square = np.ndarray[tuple[int, int], np.dtype[np.float64]]


@dataclass(frozen=True, eq=False)
class Surface:
    """A metric over one or two parameters of one strategy.

    ``rows``, ``columns`` and ``means`` are the cells that were tried, by row and column: places in ``ys`` and
    ``xs``, and the metric's mean over the parameters in ``others``. ``y`` is null where one parameter varies.
    ``best`` is the best trial's cell; ``edges`` names its parameters that lie at the end of what was tried.
    """

    strategy: str
    x: str
    xs: tuple[float, ...]
    y: str | None
    ys: tuple[float, ...]
    rows: Places
    columns: Places
    means: Floats
    others: tuple[str, ...]
    best: tuple[int, int]
    edges: tuple[str, ...]

    @property
    def is_sparse(self) -> bool:
        """Whether most of the grid was never tried, as with random draws."""
        return len(self.xs) * len(self.ys) > 4 * len(self.means)

    def cells(self) -> Square:
        """Return the whole grid, NaN where nothing was tried."""
        grid = np.full((len(self.ys), len(self.xs)), math.nan)
        grid[self.rows, self.columns] = self.means
        return grid


class Clusters(NamedTuple):
    """Trials in cluster order and their correlations in that order.

    ``joins`` are those of `average_linkage`, over trials in natural order; ``order`` is their places there.
    """

    trials: tuple[str, ...]
    matrix: Square
    order: tuple[int, ...]
    joins: Square


def first_period(story: Story) -> str | None:
    """Return the period that choices rest on: train, or what another program's files call theirs."""
    periods = story.table("performance")["period"].drop_nulls().unique().sort().to_list()
    return TRAIN if TRAIN in periods else next(iter(periods), None)


def metric_values(story: Story, *, metric: str, period: str | None) -> pl.DataFrame:
    """Return a metric of every ok trial in a period, in natural order: trial_id, kind, strategy, value."""
    is_in_period = pl.col("period") == pl.lit(period, dtype=pl.String)
    performance = story.table("performance").filter(is_in_period, pl.col("status") == "ok")
    loose = story.table("metrics").filter(is_in_period, pl.col("name") == metric)
    known = pl.col(metric) if metric in performance.columns else pl.lit(None, dtype=pl.Float64())
    joined = performance.with_columns(known.alias("known")).join(
        loose.select("trial_id", pl.col("value").alias("loose")).unique(
            "trial_id", keep="first", maintain_order=True
        ),
        on="trial_id",
        how="left",
        maintain_order="left",
    )
    value = pl.coalesce("known", "loose")
    rows = joined.select(
        "trial_id", "kind", "strategy", pl.when(value.is_finite()).then(value).alias("value")
    )
    return in_order(rows.unique("trial_id", keep="first", maintain_order=True), "kind", "trial_id")


def train_and_select(story: Story, *, metric: str) -> pl.DataFrame:
    """Return every trial with the metric in both periods: trial_id, kind, strategy, train, select."""
    train = metric_values(story, metric=metric, period=TRAIN).rename({"value": "train"})
    select = metric_values(story, metric=metric, period=SELECT).select(
        "trial_id", pl.col("value").alias("select")
    )
    return train.join(select, on="trial_id", how="inner", maintain_order="left").drop_nulls(
        ["train", "select"]
    )


def surfaces(story: Story) -> list[Surface]:
    """Return the metric over each strategy's parameters; a strategy without a varied number has none."""
    scored = metric_values(story, metric=story.metric, period=first_period(story))
    trials = scored.filter(pl.col("kind") == "trial").drop_nulls("value")
    values = story.table("parameters").select(
        "trial_id", "name", pl.col("value").cast(pl.Float64, strict=False).alias("setting")
    )
    strategies = trials["strategy"].unique(maintain_order=True).sort(nulls_last=True).to_list()
    found = (
        _surface(
            strategy,
            trials.filter(pl.col("strategy").eq_missing(strategy)),
            values.filter(pl.col("setting").is_finite()),
        )
        for strategy in strategies
    )
    return [surface for surface in found if surface is not None]


def _surface(strategy: str | None, trials: pl.DataFrame, values: pl.DataFrame) -> Surface | None:
    settings = trials.select("trial_id", "value").join(
        values, on="trial_id", how="inner", maintain_order="left"
    )
    varied = _varied(settings, trials=trials.height)
    if not varied:
        return None
    x, y = varied[0], varied[1] if len(varied) > 1 else None
    wide = {name: _by_trial(settings, trials, name) for name in varied}
    score = trials["value"].to_numpy()
    xs = tuple(np.unique(wide[x]).tolist())
    ys = tuple(np.unique(wide[y]).tolist()) if y else (0.0,)
    columns = np.searchsorted(xs, wide[x])
    rows = np.searchsorted(ys, wide[y]) if y else np.zeros(len(score), dtype=np.int64)
    tried, cell = np.unique(rows * len(xs) + columns, return_inverse=True)
    best = int(np.argmax(score))
    return Surface(
        strategy=strategy or "unnamed strategy",
        x=x,
        xs=xs,
        y=y,
        ys=ys,
        rows=tried // len(xs),
        columns=tried % len(xs),
        means=np.bincount(cell, weights=score) / np.bincount(cell),
        others=tuple(varied[2:]),
        best=(int(rows[best]), int(columns[best])),
        edges=tuple(name for name, of in wide.items() if of[best] in {of.min(), of.max()}),
    )


def _varied(settings: pl.DataFrame, *, trials: int) -> list[str]:
    """Return parameters that every trial has as a number and that vary, the most varied first."""
    counted = settings.group_by("name").agg(
        pl.col("trial_id").n_unique().alias("trials"), pl.col("setting").n_unique().alias("settings")
    )
    usable = counted.filter(pl.col("trials") == trials, pl.col("settings") > 1)
    return usable.sort(["settings", "name"], descending=[True, False])["name"].to_list()


def _by_trial(settings: pl.DataFrame, trials: pl.DataFrame, name: str) -> Floats:
    one = settings.filter(pl.col("name") == name).unique("trial_id", keep="first", maintain_order=True)
    joined = trials.select("trial_id").join(one, on="trial_id", how="left", maintain_order="left")
    return joined["setting"].to_numpy()


def clusters(correlations: pl.DataFrame) -> Clusters:
    """Return trials so that those that move together stand together.

    Average linkage on √((1 − ρ)/2); a pair without a correlation counts as uncorrelated in the order and
    stays NaN in the matrix.
    """
    trials, matrix = _matrix(correlations)
    if len(trials) < 2:
        return Clusters(tuple(trials), matrix, tuple(range(len(trials))), np.empty((0, 4)))
    distance = np.sqrt(np.clip(0.5 * (1.0 - np.nan_to_num(matrix, nan=0.0)), 0.0, 1.0))
    np.fill_diagonal(distance, 0.0)
    joins = average_linkage(distance)
    order = leaf_order(joins)
    return Clusters(tuple(trials[at] for at in order), matrix[np.ix_(order, order)], order, joins)


def _matrix(correlations: pl.DataFrame) -> tuple[list[str], Square]:
    pairs = correlations.filter(pl.col("trial_a").is_not_null(), pl.col("trial_b").is_not_null())
    names = pl.concat([pairs["trial_a"], pairs["trial_b"]]).unique().alias("trial_id").to_frame()
    trials = in_order(names, "trial_id")["trial_id"]
    matrix = np.full((len(trials), len(trials)), math.nan)
    position = {trial: at for at, trial in enumerate(trials)}
    first = [position[trial] for trial in pairs["trial_a"]]
    second = [position[trial] for trial in pairs["trial_b"]]
    matrix[first, second] = matrix[second, first] = pairs["correlation"].to_numpy()
    np.fill_diagonal(matrix, 1.0)
    return trials.to_list(), matrix
