"""Figures over time: growth, falls, rolling figures and regimes. Each takes numbers and returns a figure."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from workspace_kit.report.ink import INKS, blank, colour, place
from workspace_kit.report.marks import End, Periods, days_of, label_ends, mark_periods, shade
from workspace_kit.report.series import Floats, drawdown, growth, thinned, values
from workspace_kit.report.story import BENCHMARK
from workspace_kit.report.ticks import round_ticks
from workspace_kit.report.words import named, number, round_number, round_percent, short

Series = Mapping[str, pl.DataFrame]

WIDE, NARROW = 860, 360
_ROLLING = {
    "sharpe": "Sharpe ratio",
    "sortino": "Sortino ratio",
    "volatility": "Volatility a year",
    "beta": "Beta to the benchmark",
}
_ROLLING_HEIGHT = 170.0
_MOST_SHOWN, _SPIKE = 0.95, 2.0
_LADDERS = ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 5.0, 7.0))
_SHALLOWEST = 0.01
# Growth beyond these is ruin or nonsense, and an axis that holds it shows nothing else.
_DRAWABLE = (1e-9, 1e12)
# Digits alone: names of months would follow the locale.
_DATES = ["%Y", "%Y-%m", "%m-%d", "%H:%M", "%H:%M", "%S"]
_STRANGERS = ("ensemble", "equal_weight", "best_single", "buy_and_hold")


def growth_chart(series: Series, periods: Periods, *, width: int) -> Figure:
    """Draw what one unit became, on a log scale."""
    figure = blank(width, 400 if width == WIDE else 280)
    axes = _place(figure, width=width, top=44)
    _draw_growth(axes, series, periods, pixels=width, is_labelled=width == WIDE)
    return figure


def drawdown_chart(series: Series, periods: Periods, *, width: int) -> Figure:
    """Draw the falls from the running peak; the first series is filled."""
    figure = blank(width, 260 if width == WIDE else 210)
    axes = _place(figure, width=width, top=44)
    _draw_drawdowns(axes, series, periods, pixels=width, is_labelled=width == WIDE, names_periods=True)
    return figure


def rolling_chart(rolling: Series, periods: Periods, *, width: int) -> Figure:
    """Draw each rolling figure that any series has, one above the other."""
    shown = [name for name in _ROLLING if any(frame[name].count() for frame in rolling.values())]
    figure = blank(width, 30 + _ROLLING_HEIGHT * len(shown))
    for at, column in enumerate(shown):
        top = 30.0 + _ROLLING_HEIGHT * at
        axes = _place(figure, width=width, top=top + 14, bottom=_ROLLING_HEIGHT * (len(shown) - at - 1) + 30)
        ends = _draw_rolling(axes, rolling, column, pixels=width)
        if column == "volatility":
            axes.set_ylim(bottom=0.0)
        else:
            axes.axhline(1.0 if column == "beta" else 0.0, color=colour("faint"), linewidth=0.8)
        round_ticks(axes.yaxis, 4, round_percent if column == "volatility" else round_number)
        _cut_spikes(axes, rolling, column)
        dress(axes, _ROLLING[column], periods, names_periods=at == 0)
        axes.tick_params(labelbottom=at == len(shown) - 1)
        if width == WIDE:
            label_ends(axes, ends)
    return figure


def _cut_spikes(axes: Axes, rolling: Series, column: str) -> None:
    """End the axis where a year almost without a loss would leave nothing else to see."""
    known = np.concatenate([frame[column].drop_nulls().to_numpy() for frame in rolling.values()])
    low, most, high = np.quantile(known, [0.0, _MOST_SHOWN, 1.0])
    if high > _SPIKE * max(most, -low):
        room = 0.05 * (_SPIKE * most - low)
        axes.set_ylim(low - room, _SPIKE * most)


def _draw_rolling(axes: Axes, rolling: Series, column: str, *, pixels: int) -> list[End]:
    ends = []
    for order, (name, frame) in enumerate(rolling.items()):
        known, ink = frame.drop_nulls(column), ink_of(name, rolling)
        heights = known[column].to_numpy()
        line(axes, days_of(known["timestamp"]), heights, ink=ink, pixels=pixels, is_main=order == 0)
        if order == 0 and len(heights):
            axes.axhline(float(np.median(heights)), color=colour(ink), linewidth=1.0, linestyle=":")
        if len(heights):
            ends.append(End(float(heights[-1]), _end_text(name), ink))
    return ends


def regimes_chart(benchmark: pl.DataFrame, regimes: pl.DataFrame, periods: Periods, *, width: int) -> Figure:
    """Draw the benchmark's growth over its regimes."""
    figure = blank(width, 300 if width == WIDE else 240)
    axes = _place(figure, width=width, top=44)
    shade(axes, regimes)
    _draw_growth(axes, {BENCHMARK: benchmark}, periods, pixels=width, is_labelled=width == WIDE)
    return figure


def overview(
    series: Series, falls: Series, regimes: pl.DataFrame, periods: Periods, *, title: str, subtitle: str
) -> Figure:
    """Draw growth over the regimes, and the falls below: one picture that stands alone."""
    width, height = 1000, 625
    figure = blank(width, height)
    figure.text(0.03, 0.955, short(title, most=80), fontsize=18, fontweight="bold", va="center")
    figure.text(0.03, 0.915, short(subtitle, most=150), fontsize=10.5, color=colour("muted"), va="center")
    if not series:
        figure.text(0.5, 0.5, "No return series to draw.", fontsize=14, color=colour("muted"), ha="center")
        return figure
    upper = place(figure, left=56, right=160, top=112, bottom=236)
    lower = place(figure, left=56, right=160, top=440, bottom=36)
    shade(upper, regimes)
    _draw_growth(upper, series, periods, pixels=2 * width, is_labelled=True)
    _draw_drawdowns(lower, falls, periods, pixels=2 * width, is_labelled=True, names_periods=False)
    return figure


def _place(figure: Figure, *, width: int, top: float, bottom: float = 30.0) -> Axes:
    return place(
        figure, left=52 if width == WIDE else 48, right=160 if width == WIDE else 10, top=top, bottom=bottom
    )


def _draw_growth(axes: Axes, series: Series, periods: Periods, *, pixels: int, is_labelled: bool) -> None:
    axes.set_yscale("log")
    ends = []
    for name, frame in reversed(list(series.items())):
        equity = growth(values(frame))
        alive = (equity > _DRAWABLE[0]) & (equity < _DRAWABLE[1])
        line(
            axes,
            days_of(frame["timestamp"])[alive],
            equity[alive],
            ink=ink_of(name, series),
            pixels=pixels,
            is_main=name == next(iter(series)) != BENCHMARK,
        )
        if len(equity) and alive[-1]:
            ends.append(
                End(float(equity[-1]), f"{_end_text(name)}  {_multiple(equity[-1])}", ink_of(name, series))
            )
    axes.yaxis.set_major_locator(FixedLocator(growth_ticks(*axes.get_ylim())))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _multiple(value)))
    dress(axes, "Growth of 1, log scale", periods, names_periods=True)
    if is_labelled:
        label_ends(axes, ends)


def _draw_drawdowns(
    axes: Axes, series: Series, periods: Periods, *, pixels: int, is_labelled: bool, names_periods: bool
) -> None:
    ends = []
    for order, (name, frame) in enumerate(series.items()):
        depth = drawdown(values(frame))
        known = np.isfinite(depth)
        days, falls = thinned(days_of(frame["timestamp"])[known], depth[known], pixels=pixels)
        ink = ink_of(name, series)
        if order == 0:
            axes.fill_between(days, falls, 0.0, color=colour(ink), alpha=0.18, linewidth=0.0)
        line(axes, days, falls, ink=ink, pixels=pixels, is_main=order == 0)
        if len(falls):
            ends.append(End(float(falls[-1]), _end_text(name), ink))
    axes.set_ylim(min(axes.get_ylim()[0], -_SHALLOWEST), 0.0)
    round_ticks(axes.yaxis, 5, round_percent)
    dress(axes, "Fall from the running peak", periods, names_periods=names_periods)
    if is_labelled:
        label_ends(axes, ends)


def line(axes: Axes, days: Floats, heights: Floats, *, ink: str, pixels: int, is_main: bool = False) -> None:
    """Draw one series at the density of the screen, the main one thicker and the benchmark dashed."""
    across, up = thinned(days, heights, pixels=pixels)
    dense = 0.6 if len(days) > 2 * pixels else 1.0
    axes.plot(
        across,
        up,
        color=colour(ink),
        linewidth=dense * (2.0 if is_main else 1.2),
        linestyle=(0, (4, 2)) if ink == BENCHMARK else "-",
        marker="o" if len(across) == 1 else "",
        markersize=4,
    )


def ink_of(name: str, series: Series) -> str:
    """Return a series' own ink; series without one take inks in turn, in the order they come."""
    if name in INKS:
        return name
    return _STRANGERS[list(series).index(name) % len(_STRANGERS)]


def _end_text(name: str) -> str:
    return short(named(name), most=20)


def _multiple(value: float) -> str:
    return f"{number(value, decimals=0) if 1_000 <= value < 1e6 else f'{value:.3g}'}×"


def growth_ticks(low: float, high: float) -> Sequence[float]:
    """Return three to eight round levels between two positive ones."""
    decades = 10.0 ** np.arange(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for ladder in _LADDERS:
        ticks = [
            float(decade * step) for decade in decades for step in ladder if low <= decade * step <= high
        ]
        if len(ticks) >= 3:
            return ticks[:: math.ceil(len(ticks) / 8)]
    return [float(tick) for tick in MaxNLocator(5).tick_values(low, high) if low <= tick <= high]


def dress(axes: Axes, title: str, periods: Periods, *, names_periods: bool) -> None:
    """Title axes over time, date them and mark the periods."""
    axes.set_title(title, color=colour("muted"), pad=22 if names_periods else 8)
    # At least two ticks: three leave spans of two to three years without any interval that fits.
    most = 8 if axes.bbox.width > NARROW else 5
    locator = AutoDateLocator(minticks=2, maxticks=most)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(  # type: ignore[no-untyped-call]
        locator, formats=_DATES, zero_formats=_DATES, show_offset=False
    )
    axes.xaxis.set_major_formatter(formatter)
    mark_periods(axes, periods, is_named=names_periods)
