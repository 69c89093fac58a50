"""What figures over time carry besides lines: names at their ends, periods, regimes."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from workspace_kit.report.ink import colour
from workspace_kit.report.series import Floats, runs
from workspace_kit.report.words import named
from workspace_kit.schema import BEAR, BULL

Periods = Mapping[str, tuple[dt.datetime, dt.datetime]]
# Where something begins and where it ends.
Ends = tuple[Floats | float, Floats | float]

_LABEL_HEIGHT = 14.0
_EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - naive, in the zone shown


class End(NamedTuple):
    """A line's last point and the words beside it."""

    height: float
    text: str
    ink: str


def mark_periods(axes: Axes, periods: Periods, *, is_named: bool) -> None:
    """Draw a line where each period begins, with its name above the axes."""
    low, high = axes.get_xlim()
    for name, (start, end) in periods.items():
        first, last = ((instant - _EPOCH) / dt.timedelta(days=1) for instant in (start, end))
        if last < low or first > high:
            continue
        if low < first < high:
            axes.axvline(
                first, color=colour("muted"), linewidth=0.8, ymax=1.0 if not is_named else 1.05, clip_on=False
            )
        if is_named:
            axes.annotate(
                name,
                (max(first, low), 1.0),
                xycoords=axes.get_xaxis_transform(),
                xytext=(4, 5),
                textcoords="offset points",
                fontsize=11,
                color=colour("muted"),
            )
    axes.set_xlim(low, high)


def shade(axes: Axes, regimes: pl.DataFrame) -> None:
    """Shade bull and bear stretches behind everything else, and say above the axes which shade is which."""
    stretches = runs(regimes)
    for regime, right, square in ((BULL, -56.0, -81.0), (BEAR, 0.0, -30.0)):
        spans = stretches.filter(pl.col("regime") == regime)
        if spans.height:
            _fill(axes, _outline((days_of(spans["start"]), days_of(spans["end"])), (0.0, 1.0)), ink=regime)
            _beside(axes, named(regime).lower(), right, ink="muted", opacity=1.0)
            _beside(axes, "■", square, ink=regime, opacity=0.5)


def boxes(axes: Axes, across: Ends, up: Ends, *, ink: str, opacity: float) -> None:
    """Draw boxes as one shape, which costs little more than one; those from zero stand on the edge."""
    shape = _outline(across, up)
    patch = PathPatch(shape, facecolor=colour(ink), alpha=opacity, linewidth=0.0)
    patch.sticky_edges.y.append(0.0)
    axes.add_artist(patch)
    axes.update_datalim(np.asarray(shape.vertices))
    axes.autoscale_view()


def mark_value(axes: Axes, at: float, text: str, *, ink: str) -> None:
    """Draw a dashed upright line where a value lies, with its words above the axes."""
    axes.axvline(at, color=colour(ink), linewidth=1.0, linestyle=(0, (4, 3)))
    axes.annotate(
        text,
        (at, 1.0),
        xycoords=axes.get_xaxis_transform(),
        xytext=(0, 6),
        textcoords="offset points",
        ha="center",
        color=colour(ink),
    )


def slots(edges: Floats) -> tuple[Floats, Floats]:
    """Return where the bars of bins begin and end: a little before the next."""
    return edges[:-1], edges[:-1] + 0.92 * np.diff(edges)


def strokes(axes: Axes, across: Ends, up: Ends, *, ink: str, width: float) -> None:
    """Draw straight strokes as one line."""
    ends = np.broadcast_arrays(*across, *up)
    gap = np.full(ends[0].shape, np.nan)
    along, high = (np.column_stack((*pair, gap)).ravel() for pair in (ends[:2], ends[2:]))
    axes.plot(along, high, color=colour(ink), linewidth=width, solid_capstyle="butt")


def _fill(axes: Axes, shape: Path, *, ink: str) -> None:
    across = axes.get_xaxis_transform()
    axes.add_artist(
        PathPatch(shape, transform=across, facecolor=colour(ink), alpha=0.2, linewidth=0.0, zorder=0)
    )


def _beside(axes: Axes, text: str, right: float, *, ink: str, opacity: float) -> None:
    """Write above the axes' right end, in the row of the title."""
    axes.annotate(
        text,
        (1.0, 1.0),
        xycoords="axes fraction",
        xytext=(right, 22.0),
        textcoords="offset points",
        ha="right",
        color=colour(ink),
        alpha=opacity,
    )


def _outline(across: Ends, up: Ends) -> Path:
    """Return one outline of many boxes."""
    left, right, low, high = np.broadcast_arrays(*across, *up)
    corners = np.empty((len(left), 5, 2))
    corners[:, :, 0] = np.column_stack((left, right, right, left, left))
    corners[:, :, 1] = np.column_stack((low, low, high, high, low))
    codes = np.tile([Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY], len(left))
    return Path(corners.reshape(-1, 2), codes)


def days_of(times: pl.Series) -> Floats:
    """Return times as days since Matplotlib's epoch."""
    return times.dt.epoch("us").to_numpy() / 86_400e6


def label_ends(axes: Axes, ends: Sequence[End]) -> None:
    """Write each line's name beside its last point, apart from the others."""
    to_pixels = axes.transData.transform
    right = axes.get_xlim()[1]
    wanted = sorted((float(to_pixels((right, end.height))[1]), end) for end in ends)
    for (_, end), at in zip(wanted, _apart([height for height, _ in wanted], axes), strict=True):
        axes.annotate(
            end.text,
            (1.0, 0.0),
            xycoords="axes fraction",
            xytext=(8, at - axes.bbox.y0),
            textcoords="offset points",
            color=colour(end.ink),
            va="center",
            annotation_clip=False,
        )


def _apart(heights: Sequence[float], axes: Axes) -> list[float]:
    """Move ascending heights apart to a line's height, as little as staying inside the axes allows."""
    placed: list[float] = []
    for height in heights:
        placed.append(max(height, placed[-1] + _LABEL_HEIGHT) if placed else max(height, axes.bbox.y0))
    ceiling = axes.bbox.y1
    for at in reversed(range(len(placed))):
        placed[at] = min(placed[at], ceiling)
        ceiling = placed[at] - _LABEL_HEIGHT
    return placed
