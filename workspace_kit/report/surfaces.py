"""Figures of a metric over a strategy's parameters: shaded cells, points where they are sparse, or a line."""

import math
from collections.abc import Sequence
from functools import partial
from typing import TypeVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter

from workspace_kit.report.ink import MOST_VECTORS, blank, colour, place, show, tint
from workspace_kit.report.series import Floats
from workspace_kit.report.story import ENSEMBLE
from workspace_kit.report.ticks import name_ticks, round_ticks
from workspace_kit.report.trials import Square, Surface
from workspace_kit.report.words import metric as metric_text
from workspace_kit.report.words import number, round_metric, short

_WIDTH = 400
_MOST_NUMBERED = 120
_PALEST, _DEEPEST = 0.06, 0.8

Item = TypeVar("Item")
Depths = TypeVar("Depths", Floats, Square)


def surface_chart(surface: Surface, *, metric: str, scale: tuple[float, float]) -> Figure:
    """Draw a metric over one or two parameters, the best outlined.

    ``scale`` is the metric's range over all strategies, so that a shade means the same on each.
    """
    if surface.y is None:
        return _line_chart(surface, metric=metric)
    if surface.is_sparse:
        return _points_chart(surface, scale=scale)
    return _cells_chart(surface, metric=metric, scale=scale)


def _cells_chart(surface: Surface, *, metric: str, scale: tuple[float, float]) -> Figure:
    cells = surface.cells()
    rows, columns = cells.shape
    figure = blank(_WIDTH, min(max(64 + 36 * rows, 170), 400))
    axes = place(figure, left=64, right=8, top=30, bottom=44)
    show(axes, tint("gain", np.nan_to_num(_depth(cells, scale))), origin="lower")
    if rows * columns <= _MOST_NUMBERED:
        _write_cells(axes, cells, metric=metric)
    row, column = surface.best
    outline = Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=colour("ink"), linewidth=2.0)
    outline.set_clip_on(False)
    axes.add_patch(outline)
    _name_settings(axes, surface)
    _dress(axes, surface)
    return figure


def _points_chart(surface: Surface, *, scale: tuple[float, float]) -> Figure:
    figure = blank(_WIDTH, 300)
    axes = place(figure, left=64, right=16, top=30, bottom=44)
    across, up = np.array(surface.xs)[surface.columns], np.array(surface.ys)[surface.rows]
    inks = tint("gain", _depth(surface.means, scale)[np.newaxis])[0]
    axes.scatter(across, up, s=24, color=inks, linewidths=0.0, rasterized=len(inks) > MOST_VECTORS)
    row, column = surface.best
    _ring(axes, surface.xs[column], surface.ys[row])
    axes.margins(0.06)
    for axis in (axes.xaxis, axes.yaxis):
        round_ticks(axis, 6, _setting)
    _dress(axes, surface)
    return figure


def _line_chart(surface: Surface, *, metric: str) -> Figure:
    figure = blank(_WIDTH, 208)
    axes = place(figure, left=64, right=16, top=30, bottom=44)
    axes.plot(surface.xs, surface.means, color=colour(ENSEMBLE), marker="o", markersize=4)
    best = surface.best[1]
    _ring(axes, surface.xs[best], float(surface.means[best]))
    axes.margins(x=0.06, y=0.2)
    axes.xaxis.set_major_locator(FixedLocator(_sample(surface.xs, most=8)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _setting(value)))
    round_ticks(axes.yaxis, 4, partial(round_metric, metric))
    _dress(axes, surface)
    return figure


def _depth(values: Depths, scale: tuple[float, float]) -> Depths:
    """Return opacities, deeper for larger values; NaN stays."""
    low, high = scale
    share = (values - low) / (high - low) if high > low else values * 0.0
    return _PALEST + (_DEEPEST - _PALEST) * share


def _ring(axes: Axes, across: float, up: float) -> None:
    axes.plot([across], [up], "o", markersize=9, markerfacecolor="none", markeredgecolor=colour("ink"))


def _write_cells(axes: Axes, cells: Square, *, metric: str) -> None:
    for (row, column), value in np.ndenumerate(cells):
        if math.isfinite(value):
            axes.text(column, row, metric_text(metric, value), ha="center", va="center", fontsize=11.5)


def _name_settings(axes: Axes, surface: Surface) -> None:
    across, up = _sample(range(len(surface.xs)), most=10), _sample(range(len(surface.ys)), most=10)
    name_ticks(axes.xaxis, across, [_setting(surface.xs[at]) for at in across])
    name_ticks(axes.yaxis, up, [_setting(surface.ys[at]) for at in up])
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.spines["bottom"].set_visible(False)


def _sample(items: Sequence[Item], *, most: int) -> list[Item]:
    return list(items[:: max(1, math.ceil(len(items) / most))])


def _setting(value: float) -> str:
    return number(value, decimals=0) if value == round(value) and abs(value) < 1e6 else f"{value:.4g}"


def _dress(axes: Axes, surface: Surface) -> None:
    axes.set_title(short(surface.strategy, most=40), pad=8, fontweight="bold")
    axes.set_xlabel(short(surface.x, most=40))
    axes.set_ylabel(short(surface.y or "", most=24))
