"""Figures over trials: train against select, correlations, weights."""

import math
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from workspace_kit.report.curves import WIDE
from workspace_kit.report.ink import MOST_VECTORS, Pixels, blank, colour, place, show, tint
from workspace_kit.report.marks import boxes, mark_value, slots
from workspace_kit.report.series import Floats
from workspace_kit.report.story import BEST_SINGLE, ENSEMBLE, EQUAL_WEIGHT
from workspace_kit.report.ticks import name_ticks, round_ticks
from workspace_kit.report.trials import Clusters, Square
from workspace_kit.report.words import count, named, number, percent, round_metric, short

CANDIDATES = {BEST_SINGLE: "D", EQUAL_WEIGHT: "s", ENSEMBLE: "o"}
_SIGNS = {"D": "◆", "s": "■", "o": "●"}
_MOST_NAMED, _MOST_JOINS = 50, 150
_LARGEST_SQUARE = 560
_MEMBER_NAMES, _SHARES = 120, 66


def scatter_chart(
    pairs: pl.DataFrame, *, metric: str, hurdle: float | None, candidates: Mapping[str, str], width: int
) -> Figure:
    """Draw each trial's metric on select against train, the hurdle of luck and the ones that were chosen."""
    figure = blank(width, 420 if width == WIDE else 340)
    axes = place(figure, left=56, right=24, top=54, bottom=44)
    axes.grid(visible=True, axis="both")
    for kind, size, opacity in ((ENSEMBLE, 10, 0.28), ("trial", 28, 0.8)):
        some = pairs.filter(pl.col("kind") == kind)
        axes.scatter(
            some["train"],
            some["select"],
            s=size,
            color=colour(ENSEMBLE if kind == ENSEMBLE else "muted"),
            alpha=opacity,
            linewidths=0.0,
            rasterized=some.height > MOST_VECTORS,
        )
    axes.margins(0.08)
    _mark_equal(axes)
    if hurdle is not None:
        _mark_hurdle(axes, hurdle)
    right = 0.0
    for series, marker in CANDIDATES.items():
        trial = pl.lit(candidates.get(series), dtype=pl.String)
        rows = pairs.filter(pl.col("trial_id") == trial)
        if rows.height:
            _mark_candidate(axes, rows, series, marker=marker)
            right = _name_candidate(axes, series, marker=marker, right=right) if width == WIDE else right
    for axis in (axes.xaxis, axes.yaxis):
        round_ticks(axis, 6, partial(round_metric, metric))
    axes.set_xlabel(f"{named(metric)} on train")
    axes.set_title(f"{named(metric)} on select", color=colour("muted"), pad=24)
    return figure


def distribution_chart(values: Floats, *, metric: str, hurdle: float | None, width: int) -> Figure:
    """Draw how a metric is spread over the trials, with the hurdle of luck."""
    figure = blank(width, 240)
    axes = place(figure, left=56, right=24, top=54, bottom=44)
    counts, edges = np.histogram(values, min(30, max(5, round(math.sqrt(len(values))) * 2)))
    boxes(axes, slots(edges), (0.0, counts), ink="muted", opacity=0.75)
    if hurdle is not None:
        _mark_hurdle(axes, hurdle)
    round_ticks(axes.yaxis, 4, count, whole=True)
    round_ticks(axes.xaxis, 8, partial(round_metric, metric))
    axes.margins(x=0.04)
    axes.set_xlabel(named(metric))
    axes.set_title("Trials", color=colour("muted"), pad=24)
    return figure


def correlation_chart(groups: Clusters, strategies: Mapping[str, str], *, width: int) -> Figure:
    """Draw correlations in cluster order with their tree; colours are fixed to [−1, 1]."""
    is_named = width == WIDE and len(groups.trials) <= _MOST_NAMED
    left, tree = (150, 70) if is_named else (8, 40)
    side = min(width - left - 8, _LARGEST_SQUARE)
    right = width - left - side
    figure = blank(width, side + tree + 52)
    axes = place(figure, left=left, right=right, top=tree + 4, bottom=48)
    step = math.ceil(len(groups.trials) / side)
    show(axes, _diverging(groups.matrix[::step, ::step]), origin="upper")
    axes.grid(visible=False)
    axes.xaxis.set_visible(False)
    axes.yaxis.set_visible(is_named)
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(axis="y", labelsize=10)
    name_ticks(
        axes.yaxis,
        range(len(groups.trials)),
        [_trial_label(trial, strategies) for trial in groups.trials],
    )
    _tree(place(figure, left=left, right=right, top=0, bottom=side + 50), groups)
    _scale(place(figure, left=left, right=width - left - 220, top=side + tree + 20, bottom=22))
    return figure


def weights_chart(members: Sequence[str], weights: Sequence[float], *, equal: float, width: int) -> Figure:
    """Draw each member's share of capital, and equal weight as a mark."""
    bar = min(width - _MEMBER_NAMES, 520) - _SHARES
    figure = blank(width, 32 * len(members) + 40)
    axes = place(figure, left=_MEMBER_NAMES, right=width - _MEMBER_NAMES - bar, top=24, bottom=8)
    places = range(len(members))
    middle = np.arange(float(len(members)))
    boxes(axes, (0.0, np.array(weights)), (middle - 0.25, middle + 0.25), ink=ENSEMBLE, opacity=1.0)
    axes.set_xlim(0.0, max(*weights, equal))
    mark_value(axes, equal, "equal weight", ink="muted")
    for at, weight in zip(places, weights, strict=True):
        axes.annotate(
            percent(weight),
            (1.0, at),
            xycoords=axes.get_yaxis_transform(),
            xytext=(_SHARES, 0),
            textcoords="offset points",
            ha="right",
            va="center",
        )
    name_ticks(axes.yaxis, places, [short(member, most=18) for member in members])
    axes.tick_params(axis="y", labelcolor=colour("ink"))
    axes.invert_yaxis()
    axes.grid(visible=False)
    axes.xaxis.set_visible(False)
    axes.spines["bottom"].set_visible(False)
    return figure


def _diverging(matrix: Square) -> Pixels:
    size = np.abs(np.nan_to_num(matrix))
    return np.where((matrix < 0.0)[..., np.newaxis], tint("loss", size), tint("gain", size))


def _mark_equal(axes: Axes) -> None:
    low = max(axes.get_xlim()[0], axes.get_ylim()[0])
    high = min(axes.get_xlim()[1], axes.get_ylim()[1])
    if low < high:
        limits = axes.get_xlim(), axes.get_ylim()
        axes.plot([low, high], [low, high], color=colour("faint"), linewidth=0.9)
        axes.set_xlim(limits[0])
        axes.set_ylim(limits[1])


def _mark_hurdle(axes: Axes, hurdle: float) -> None:
    mark_value(axes, hurdle, f"luck alone reaches {number(hurdle, decimals=2)}", ink="loss")


def _mark_candidate(axes: Axes, rows: pl.DataFrame, series: str, *, marker: str) -> None:
    axes.plot(
        rows["train"],
        rows["select"],
        marker,
        color=colour(series),
        markersize=8,
        markeredgecolor=colour("paper"),
        markeredgewidth=1.0,
    )


def _name_candidate(axes: Axes, series: str, *, marker: str, right: float) -> float:
    """Name what was chosen above the axes, where no dot hides it; return the next place."""
    text = f"{_SIGNS[marker]} {named(series)}"
    axes.annotate(
        text,
        (1.0, 1.0),
        xycoords="axes fraction",
        xytext=(-right, 26.0),
        textcoords="offset points",
        ha="right",
        color=colour(series),
    )
    return right + 6.6 * len(text) + 10.0


def _trial_label(trial: str, strategies: Mapping[str, str]) -> str:
    strategy = strategies.get(trial)
    return short(f"{strategy} {trial}" if strategy else trial, most=24)


def _tree(axes: Axes, groups: Clusters) -> None:
    """Draw the highest joins above the matrix, each as high as the distance at which it joins."""
    count = len(groups.trials)
    order = {old: new for new, old in enumerate(groups.order)}
    at = [float(order[trial]) for trial in range(count)]
    height = [0.0] * count
    brackets = []
    for left, right, distance, _ in groups.joins:
        one, other = int(left), int(right)
        brackets.append(
            [(at[one], height[one]), (at[one], distance), (at[other], distance), (at[other], height[other])]
        )
        at.append((at[one] + at[other]) / 2)
        height.append(float(distance))
    axes.add_collection(LineCollection(brackets[-_MOST_JOINS:], colors=colour("muted"), linewidths=0.8))
    axes.set_xlim(-0.5, count - 0.5)
    axes.set_ylim(0.0, max(height, default=0.0) * 1.05 or 1.0)
    axes.set_axis_off()


def _scale(axes: Axes) -> None:
    steps = 81
    show(axes, _diverging(np.linspace(-1.0, 1.0, steps)[np.newaxis]), origin="upper")
    name_ticks(axes.xaxis, [0, (steps - 1) / 2, steps - 1], [number(at, decimals=0) for at in (-1, 0, 1)])
    axes.yaxis.set_visible(False)
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
