"""Axes that draw their ticks together: Matplotlib's own, five artists each, take half the time of a page."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis, XAxis, YAxis
from matplotlib.backend_bases import RendererBase
from matplotlib.lines import Line2D
from matplotlib.markers import TICKDOWN, TICKLEFT
from matplotlib.text import Text
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from workspace_kit.report.series import Floats

# What may be asked of `tick_params` and is drawn here; any other wish is left to Matplotlib.
_KNOWN = frozenset(
    {"bottom", "left", "labelbottom", "labelleft", "gridOn", "length", "labelcolor", "labelsize"}
)
_SIDES = {"x": "bottom", "y": "left"}
_MARKS: Mapping[str, Any] = {"x": TICKDOWN, "y": TICKLEFT}
# The settings of the moment: names put together here are none that a type knows.
_STYLE: Mapping[str, Any] = cast("Any", mpl.rcParams)
_BENEATH = 0.5
_ROUND = (1, 2, 5, 10)


class _Unticked(Axis):
    """An axis without the two ticks that Matplotlib makes of each as patterns, a third of what axes cost."""

    def reset_ticks(self) -> None:
        """Begin without any tick; where some are drawn after all, they are made then."""
        self.majorTicks, self.minorTicks = [], []


class _Across(_Unticked, XAxis):
    """The axis below."""


class _Up(_Unticked, YAxis):
    """The axis to the left."""


class QuickAxes(Axes):
    """Axes whose ticks, below and to the left, are three artists in all and a label each."""

    def _init_axis(self) -> None:
        self.xaxis, self.yaxis = _Across(self, clear=False), _Up(self, clear=False)
        for side, spine in self.spines.items():
            spine.register_axis(self.xaxis if side in {"bottom", "top"} else self.yaxis)

    def draw(self, renderer: RendererBase) -> None:
        """Draw; where ticks are is settled the first time."""
        for name, axis in (("x", self.xaxis), ("y", self.yaxis)):
            if self.axison and _is_plain(axis):
                _merge(self, axis, name, renderer)
        super().draw(renderer)


def name_ticks(axis: Axis, places: Sequence[float], words: Sequence[str]) -> None:
    """Put ticks with words of their own at places."""
    axis.set_major_locator(FixedLocator(places))
    axis.set_major_formatter(FixedFormatter(words))


def round_ticks(axis: Axis, most: int, say: Callable[[float], str], *, whole: bool = False) -> None:
    """Put ticks at round places, at most so many gaps apart, each told by a function."""
    axis.set_major_locator(MaxNLocator(most, steps=_ROUND, integer=whole))
    axis.set_major_formatter(FuncFormatter(lambda value, _: say(value)))


def _is_plain(axis: Axis) -> bool:
    wishes: Mapping[str, Any] = axis.get_tick_params()
    return (
        axis.get_visible()
        and not isinstance(axis.get_major_locator(), NullLocator)
        and isinstance(axis.get_minor_locator(), NullLocator)
        and all(name in _KNOWN or wish is False for name, wish in wishes.items())
    )


def _merge(axes: Axes, axis: Axis, name: str, renderer: RendererBase) -> None:
    wishes: Mapping[str, Any] = axis.get_tick_params()
    places, words = _inside(axis)
    length: float = wishes.get("length", _STYLE[f"{name}tick.major.size"])
    labels = _labels(axes, name, places, words, wishes, pad=length) if wishes[f"label{_SIDES[name]}"] else []
    drawn: list[Artist] = [*labels]
    if wishes["gridOn"]:
        drawn.append(_grid(axes, name, places))
    if wishes[_SIDES[name]] and length:
        drawn.append(_marks(axes, name, places, length=length))
    for artist in drawn:
        axes.add_artist(artist)
    axis.set_major_locator(NullLocator())
    if axis.get_label_text():
        _make_room(axes, axis, name, labels, renderer)
    else:
        axis.set_visible(False)


def _inside(axis: Axis) -> tuple[Floats, list[str]]:
    """Return the ticks within the limits, and their words."""
    places = np.asarray(axis.get_majorticklocs(), dtype=np.float64)
    words = axis.get_major_formatter().format_ticks(places.tolist())
    across = axis.get_transform().transform
    low, high = np.sort(across(np.asarray(axis.get_view_interval(), dtype=np.float64)))
    at, room = across(places), 1e-10 * (high - low)
    seen = (at >= low - room) & (at <= high + room)
    return places[seen], [word for word, is_seen in zip(words, seen, strict=True) if is_seen]


def _grid(axes: Axes, name: str, places: Floats) -> Line2D:
    along, across = np.repeat(places, 3), np.tile([0.0, 1.0, np.nan], len(places))
    return Line2D(
        *_pair(name, along, across),
        color=_STYLE["grid.color"],
        linewidth=_STYLE["grid.linewidth"],
        solid_capstyle="butt",
        transform=_across(axes, name),
        zorder=_BENEATH,
    )


def _marks(axes: Axes, name: str, places: Floats, *, length: float) -> Line2D:
    return Line2D(
        *_pair(name, places, np.zeros(len(places))),
        linestyle="none",
        marker=_MARKS[name],
        color=_STYLE[f"{name}tick.color"],
        markersize=length,
        markeredgewidth=_STYLE[f"{name}tick.major.width"],
        transform=_across(axes, name),
        clip_on=False,
        zorder=_BENEATH,
    )


def _labels(
    axes: Axes, name: str, places: Floats, words: Sequence[str], wishes: Mapping[str, Any], *, pad: float
) -> list[Text]:
    pad += _STYLE[f"{name}tick.major.pad"]
    shifted, up, along = (axes.get_xaxis_text1_transform if name == "x" else axes.get_yaxis_text1_transform)(
        pad
    )
    return [
        Text(
            *_pair(name, place, 0.0),
            word,
            color=wishes.get("labelcolor", _STYLE[f"{name}tick.labelcolor"]),
            fontsize=wishes.get("labelsize", _STYLE[f"{name}tick.labelsize"]),
            verticalalignment=up,
            horizontalalignment=along,
            transform=shifted,
            clip_on=False,
            zorder=_BENEATH,
        )
        for place, word in zip(places.tolist(), words, strict=True)
        if word
    ]


def _make_room(axes: Axes, axis: Axis, name: str, labels: Sequence[Text], renderer: RendererBase) -> None:
    """Move the axis's name beyond the ticks' labels."""
    side = 1 if name == "x" else 0
    ends = [label.get_window_extent(renderer).min[side] for label in labels]
    axis.labelpad += (axes.bbox.min[side] - min(ends, default=axes.bbox.min[side])) * 72 / axes.figure.dpi


def _pair(name: str, along: Any, across: Any) -> tuple[Any, Any]:
    return (along, across) if name == "x" else (across, along)


def _across(axes: Axes, name: str) -> Any:
    """Return data along the axis, and shares of the axes across it."""
    return axes.get_xaxis_transform() if name == "x" else axes.get_yaxis_transform()
