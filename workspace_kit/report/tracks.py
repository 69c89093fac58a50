"""Small figures over time: growth seen otherwise, single bars, what was held and traded."""

import datetime as dt
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from workspace_kit.report.curves import WIDE, Series, dress, growth_ticks, ink_of, line
from workspace_kit.report.ink import blank, colour, place, show, tint
from workspace_kit.report.marks import Periods, boxes, days_of, strokes
from workspace_kit.report.series import Floats, drawable, growth, thinned, values
from workspace_kit.report.ticks import name_ticks, round_ticks
from workspace_kit.report.words import count, percent, round_number, round_percent, short

TILE, TILE_HEIGHT = 400, 230
_LEFT = 50
# A strip's height, and the room beside strips.
_ROW, _NAMES, _RIGHT = 20, 74, 30
# How far a stroke lies from the middle of its strip, in strips, and how thick it is.
_LANE, _STROKE = 0.16, 5.0


def linear_tile(series: Series, periods: Periods, *, title: str) -> Figure:
    """Draw what one unit became, on a linear scale; the axis ends where the main series needs it."""
    figure, axes = _tile()
    for order, (name, frame) in reversed(list(enumerate(series.items()))):
        equity = drawable(growth(values(frame)))
        line(
            axes,
            days_of(frame["timestamp"]),
            equity,
            ink=ink_of(name, series),
            pixels=TILE,
            is_main=order == 0,
        )
    round_ticks(axes.yaxis, 5, lambda value: f"{round_number(value)}×")
    dress(axes, title, periods, names_periods=True)
    return figure


def falls_tile(main: pl.DataFrame, ink: str, falls: pl.DataFrame, periods: Periods) -> Figure:
    """Draw growth of the main series with its deepest falls shaded, from peak to recovery."""
    figure, axes = _tile()
    axes.set_yscale("log")
    days, equity = days_of(main["timestamp"]), np.maximum(drawable(growth(values(main))), 1e-9)
    ends = falls["recovery"].fill_null(main["timestamp"].max())
    for start, end in zip(days_of(falls["peak"]), days_of(ends), strict=True):
        axes.axvspan(start, end, color=colour("loss"), alpha=0.16, linewidth=0.0)
    line(axes, days, equity, ink=ink, pixels=TILE, is_main=True)
    axes.yaxis.set_major_locator(FixedLocator(growth_ticks(*axes.get_ylim())))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}×"))
    dress(axes, f"Growth, {falls.height} deepest falls shaded", periods, names_periods=True)
    return figure


def bars_tile(main: pl.DataFrame, ink: str, periods: Periods) -> Figure:
    """Draw the return of every bar."""
    figure, axes = _tile()
    days, returns = days_of(main["timestamp"]), drawable(values(main))
    across, up = thinned(days, returns, pixels=TILE)
    strokes(axes, (across, across), (0.0, up), ink=ink, width=0.7)
    round_ticks(axes.yaxis, 5, round_percent)
    dress(axes, "Return of each bar", periods, names_periods=True)
    return figure


def exposure_chart(activity: pl.DataFrame, periods: Periods, *, width: int) -> Figure:
    """Draw value held long, short, net and gross as shares of the capital."""
    figure = blank(width, 250 if width == WIDE else 220)
    axes = place(figure, left=52, right=24, top=44, bottom=30)
    days = days_of(activity["timestamp"])
    sums = {"-": activity["long"] + activity["short"], ":": activity["long"] - activity["short"]}
    for column, ink in (("long", "gain"), ("short", "loss")):
        across, up = thinned(days, activity[column].to_numpy(), pixels=width)
        if np.any(up != 0.0):
            axes.fill_between(across, up, 0.0, step="post", color=colour(ink), alpha=0.3, linewidth=0.0)
    for style, held in sums.items():
        across, up = thinned(days, held.to_numpy(), pixels=width)
        axes.step(across, up, where="post", color=colour("ink"), linewidth=0.9, linestyle=style)
    axes.axhline(0.0, color=colour("faint"), linewidth=0.8)
    round_ticks(axes.yaxis, 5, round_percent)
    dress(axes, "Share of capital held", periods, names_periods=True)
    return figure


def turnover_tile(yearly: Mapping[int, float]) -> Figure:
    """Draw value traded in each calendar year, as a multiple of the capital."""
    figure, axes = _tile()
    years = np.array([*yearly], dtype=np.float64)
    boxes(axes, (years - 0.375, years + 0.375), (0.0, np.array([*yearly.values()])), ink="muted", opacity=1.0)
    round_ticks(axes.yaxis, 5, lambda value: f"{round_number(value)}×")
    round_ticks(axes.xaxis, 7, "{:.0f}".format, whole=True)
    axes.set_title("Value traded a year, in multiples of capital", color=colour("muted"), pad=22)
    return figure


def count_tile(activity: pl.DataFrame, periods: Periods) -> Figure:
    """Draw how many symbols were held at each bar."""
    figure, axes = _steps(activity, "symbols")
    round_ticks(axes.yaxis, 5, count, whole=True)
    dress(axes, "Symbols held", periods, names_periods=True)
    return figure


def largest_tile(activity: pl.DataFrame, periods: Periods) -> Figure:
    """Draw how much of the capital the largest position held at each bar."""
    figure, axes = _steps(activity, "largest")
    round_ticks(axes.yaxis, 5, round_percent)
    dress(axes, "Largest position, share of capital", periods, names_periods=True)
    return figure


def traded_tile(activity: pl.DataFrame, periods: Periods) -> Figure:
    """Draw the share of capital traded on each bar, and its mean by calendar month where bars are shorter."""
    figure, axes = _steps(activity, "turnover", ink="faint")
    months = activity.group_by(pl.col("timestamp").dt.truncate("1mo"), maintain_order=True).agg(
        pl.col("turnover").mean()
    )
    if months.height < activity.height:
        across, up = thinned(days_of(months["timestamp"]), months["turnover"].to_numpy(), pixels=TILE)
        axes.step(across, up, where="post", color=colour("ink"), linewidth=1.2)
    round_ticks(axes.yaxis, 5, round_percent)
    dress(axes, "Value traded on a bar, share of capital", periods, names_periods=True)
    return figure


def _steps(activity: pl.DataFrame, column: str, *, ink: str = "muted") -> tuple[Figure, Axes]:
    """Return a tile with one column of what was held and traded, from zero."""
    figure, axes = _tile()
    heights = activity[column].cast(pl.Float64).to_numpy()
    across, up = thinned(days_of(activity["timestamp"]), heights, pixels=TILE)
    axes.step(across, up, where="post", color=colour(ink), linewidth=1.0)
    axes.set_ylim(bottom=0.0)
    return figure, axes


def holdings_chart(
    symbols: Sequence[str], shares: Sequence[Floats], times: Sequence[dt.datetime], *, width: int
) -> Figure:
    """Draw one strip a symbol, deeper where more of the capital was in it; blue long, orange short."""
    figure, axes = _strips(symbols, width=width, top=30)
    strips = np.vstack([_pooled(each, pixels=width - _NAMES - _RIGHT) for each in shares])
    size = np.abs(strips)
    depth = 0.05 + 0.85 * size / (size.max() or 1.0)
    depth[size == 0.0] = 0.0
    pixels = np.where((strips < 0.0)[..., np.newaxis], tint("loss", depth), tint("gain", depth))
    show(axes, pixels, origin="upper")
    _mark_years(axes, times, columns=strips.shape[1])
    axes.set_title(
        f"Share of capital, deepest {percent(float(size.max()), decimals=0)}", color=colour("muted"), pad=8
    )
    return figure


def trips_tile(trades: Mapping[str, pl.DataFrame], periods: Periods) -> Figure:
    """Draw one strip a symbol with a stroke from entry to exit of its trades, long above short."""
    figure, axes = _strips(list(trades), width=TILE, top=44)
    every = pl.concat(trades.values())
    a_pixel = float(np.ptp([days_of(every["entered_at"]), days_of(every["exited_at"])])) / TILE
    lane = _LANE if every["side"].n_unique() > 1 else 0.0
    for side, ink, shift in (("long", "gain", -lane), ("short", "loss", lane)):
        for at, of in enumerate(trades.values()):
            some = of.filter(pl.col("side") == side)
            if some.height:
                spans = joined(days_of(some["entered_at"]), days_of(some["exited_at"]), gap=a_pixel)
                strokes(axes, spans, (at + shift, at + shift), ink=ink, width=_STROKE)
    axes.set_ylim(len(trades) - 0.5, -0.5)
    dress(axes, "Trades from entry to exit", periods, names_periods=True)
    return figure


def joined(starts: Floats, ends: Floats, *, gap: float) -> tuple[Floats, Floats]:
    """Return stretches in order of time, those no more than a gap apart as one."""
    order = np.argsort(starts, kind="stable")
    begins, reach = starts[order], np.maximum.accumulate(ends[order])
    heads = np.flatnonzero(np.concatenate(([True], begins[1:] > reach[:-1] + gap)))
    return begins[heads], reach[np.append(heads[1:] - 1, len(reach) - 1)]


def _strips(symbols: Sequence[str], *, width: int, top: float) -> tuple[Figure, Axes]:
    """Return axes with a row for each symbol, named to the left."""
    figure = blank(width, top + 32 + _ROW * len(symbols))
    axes = place(figure, left=_NAMES, right=_RIGHT, top=top, bottom=30)
    name_ticks(axes.yaxis, range(len(symbols)), [short(each, most=10) for each in symbols])
    axes.tick_params(axis="y", labelcolor=colour("ink"))
    axes.grid(visible=False)
    return figure, axes


def _pooled(values_: Floats, *, pixels: int) -> Floats:
    """Return means over equal stretches, at most one a pixel."""
    columns = min(len(values_), pixels)
    edges = np.linspace(0, len(values_), columns + 1).astype(np.int64)[:-1]
    counts = np.diff(np.append(edges, len(values_)))
    return np.asarray(np.add.reduceat(values_, edges) / counts, dtype=np.float64)


def _mark_years(axes: Axes, times: Sequence[dt.datetime], *, columns: int) -> None:
    marks = np.unique(np.linspace(0, len(times) - 1, min(6, len(times))).astype(int))
    places = [at * columns / len(times) for at in marks.tolist()]
    name_ticks(axes.xaxis, places, [f"{times[at]:%Y-%m}" for at in marks.tolist()])


def _tile() -> tuple[Figure, Axes]:
    figure = blank(TILE, TILE_HEIGHT)
    return figure, place(figure, left=_LEFT, right=10, top=44, bottom=28)
