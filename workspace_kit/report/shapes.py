"""Small figures of how numbers are spread, and of one number against another."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from workspace_kit.report.curves import WIDE
from workspace_kit.report.ink import blank, colour, place
from workspace_kit.report.marks import boxes, mark_value, slots, strokes
from workspace_kit.report.series import Floats, drawable
from workspace_kit.report.story import BENCHMARK
from workspace_kit.report.ticks import name_ticks, round_ticks
from workspace_kit.report.tracks import TILE, TILE_HEIGHT
from workspace_kit.report.words import count, named, round_metric, round_number, round_percent

_MOST_BINS = 40
_SPREAD = 0.38


def years_chart(yearly: Mapping[str, Mapping[int, float]], inks: Mapping[str, str], *, width: int) -> Figure:
    """Draw each calendar year's return of a few series side by side, and the first one's mean."""
    years = sorted({year for of in yearly.values() for year in of})
    figure = blank(width, 260 if width == WIDE else 220)
    axes = place(figure, left=52, right=16, top=34, bottom=28)
    bar = 0.8 / len(yearly)
    for at, (name, of) in enumerate(yearly.items()):
        left = np.array([*of], dtype=np.float64) - 0.4 + bar * (at + 0.04)
        heights = drawable(np.array([*of.values()]))
        boxes(axes, (left, left + bar * 0.92), (0.0, heights), ink=inks[name], opacity=1.0)
    first = next(iter(yearly))
    mean = float(drawable(np.array(list(yearly[first].values()))).mean())
    axes.axhline(mean, color=colour(inks[first]), linewidth=1.0, linestyle=(0, (4, 3)))
    axes.axhline(0.0, color=colour("muted"), linewidth=0.8)
    axes.set_xlim(years[0] - 0.6, years[-1] + 0.6)
    round_ticks(axes.xaxis, 12 if width == WIDE else 6, "{:.0f}".format, whole=True)
    round_ticks(axes.yaxis, 5, round_percent)
    axes.set_title("Return of the year", color=colour("muted"), pad=8)
    return figure


def histogram_tile(
    values: Floats,
    *,
    title: str,
    ink: str,
    say: Callable[[float], str],
    is_whole: bool = False,
    against: Floats | None = None,
) -> Figure:
    """Draw how values are spread, the mean marked; the outermost bars hold all beyond the 1 % quantiles.

    Bins of whole numbers are as wide as some whole number. ``against`` is outlined in the same bins.
    """
    figure = blank(TILE, TILE_HEIGHT)
    axes = place(figure, left=46, right=10, top=34, bottom=28)
    values = drawable(values)
    edges = _bins(values, is_whole=is_whole)
    boxes(axes, slots(edges), (0.0, _counted(values, edges)), ink=ink, opacity=0.75)
    if against is not None:
        heights = np.repeat(_counted(drawable(against), edges), 2)
        axes.plot(np.repeat(edges, 2)[1:-1], heights, color=colour(BENCHMARK), linewidth=1.2)
    axes.axvline(float(values.mean()), color=colour("ink"), linewidth=1.0)
    round_ticks(axes.xaxis, 6, say, whole=is_whole)
    round_ticks(axes.yaxis, 4, count, whole=True)
    axes.set_title(title, color=colour("muted"), pad=8)
    return figure


def _bins(values: Floats, *, is_whole: bool) -> Floats:
    low, high = np.quantile(values, [0.01, 0.99])
    bins = min(_MOST_BINS, max(8, round(2 * math.sqrt(len(values)))))
    if is_whole:
        first, beyond = math.floor(low) - 0.5, math.ceil(high) + 0.5
        width = math.ceil((beyond - first) / bins)
        return np.arange(first, beyond + width, width, dtype=np.float64)
    return np.linspace(low, high, bins + 1) if high > low else np.linspace(low - 0.01, low + 0.01, 3)


def _counted(values: Floats, edges: Floats) -> Floats:
    """Return how many values lie in each bin, those beyond the ends in the outermost."""
    return np.asarray(np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0], dtype=np.float64)


def quantiles_tile(samples: Mapping[str, Floats], *, ink: str) -> Figure:
    """Draw boxes: quartiles and median, whiskers to the 5 % and 95 % quantiles, points beyond them."""
    figure = blank(TILE, TILE_HEIGHT)
    axes = place(figure, left=70, right=10, top=44, bottom=28)
    least, low, first, middle, third, high, most = np.transpose(
        [
            np.quantile(drawable(sample), [0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0])
            for sample in samples.values()
        ]
    )
    at = np.arange(float(len(samples)))
    box = at - _SPREAD / 2, at + _SPREAD / 2
    strokes(axes, (low, high), (at, at), ink=ink, width=1.0)
    boxes(axes, (first, third), box, ink=ink, opacity=0.35)
    strokes(axes, (middle, middle), box, ink=ink, width=2.0)
    axes.plot([*least, *most], [*at, *at], "o", color=colour(ink), markersize=2.5)
    axes.axvline(0.0, color=colour("faint"), linewidth=0.8)
    axes.margins(x=0.03)
    name_ticks(axes.yaxis, at.tolist(), list(samples))
    axes.tick_params(axis="y", labelcolor=colour("ink"))
    axes.invert_yaxis()
    axes.grid(visible=False)
    axes.grid(visible=True, axis="x")
    round_ticks(axes.xaxis, 6, round_percent)
    axes.set_title("Quantiles of returns", color=colour("muted"), pad=22)
    return figure


def cost_tile(
    costs: pl.DataFrame, inks: Mapping[str, str], *, metric: str, configured: float | None
) -> Figure:
    """Draw a metric over test against the cost of trading, the cost that was configured marked."""
    figure = blank(TILE, TILE_HEIGHT)
    axes = place(figure, left=54, right=12, top=44, bottom=44)
    for name, ink in inks.items():
        rows = costs.filter(pl.col("series") == name).drop_nulls(metric).sort("cost_bps")
        axes.plot(rows["cost_bps"], rows[metric], color=colour(ink), marker="o", markersize=3)
    if configured is not None:
        mark_value(axes, configured, "as run", ink="muted")
    axes.set_xscale("symlog", linthresh=10.0)
    axes.xaxis.set_major_locator(FixedLocator([0, 5, 10, 20, 50, 100]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    round_ticks(axes.yaxis, 5, partial(round_metric, metric))
    axes.margins(x=0.03)
    axes.set_xlabel("cost, basis points of value traded")
    axes.set_title(f"{named(metric)} over test", color=colour("muted"), pad=20)
    return figure


def logits_tile(edges: Floats, counts: Sequence[int]) -> Figure:
    """Draw the logits of the splits; those up to zero, which PBO counts, in the colour of loss."""
    figure = blank(TILE, TILE_HEIGHT)
    axes = place(figure, left=54, right=10, top=34, bottom=44)
    middle = (edges[:-1] + edges[1:]) / 2
    left, right = slots(edges)
    for ink, some in (("loss", middle <= 0.0), ("gain", middle > 0.0)):
        if some.any():
            boxes(axes, (left[some], right[some]), (0.0, np.asarray(counts)[some]), ink=ink, opacity=1.0)
    axes.axvline(0.0, color=colour("ink"), linewidth=1.0)
    round_ticks(axes.yaxis, 4, count, whole=True)
    round_ticks(axes.xaxis, 8, round_number, whole=True)
    axes.set_xlabel("logit of the rank out of sample")
    axes.set_title("Splits", color=colour("muted"), pad=8)
    return figure
