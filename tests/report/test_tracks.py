"""Small figures draw the numbers that plain Python finds."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workspace_kit.report import words
from workspace_kit.report.ink import house_style
from workspace_kit.report.shapes import histogram_tile
from workspace_kit.report.tracks import exposure_chart, joined, traded_tile, trips_tile

DAYS = [dt.datetime(2020, 1, 30) + dt.timedelta(days=at) for at in range(6)]


@pytest.fixture
def activity():
    traded = [0.1, 0.3, 0.0, 0.5, 0.1, 0.2]
    return pl.DataFrame(
        {
            "timestamp": pl.Series(DAYS, dtype=pl.Datetime("us")),
            "long": [0.5, 0.6, 0.7, 0.5, 0.4, 0.3],
            "short": [-0.1, -0.2, 0.0, -0.3, 0.0, -0.4],
            "turnover": traded,
        }
    )


def drawn(figure, at):
    """Return the heights of one line of the only axes."""
    return figure.axes[0].lines[at].get_ydata()


def test_gross_is_dotted_and_net_is_not(activity):
    with house_style():
        figure = exposure_chart(activity, {}, width=400)
    net, gross = figure.axes[0].lines[:2]
    assert net.get_ydata() == pytest.approx([0.4, 0.4, 0.7, 0.2, 0.4, -0.1])
    assert gross.get_ydata() == pytest.approx([0.6, 0.8, 0.7, 0.8, 0.4, 0.7])
    assert (net.get_linestyle(), gross.get_linestyle()) == ("-", ":")


def test_the_mean_traded_is_that_of_each_calendar_month(activity):
    with house_style():
        figure = traded_tile(activity, {})
    assert drawn(figure, 0) == pytest.approx([0.1, 0.3, 0.0, 0.5, 0.1, 0.2])
    assert drawn(figure, 1) == pytest.approx([(0.1 + 0.3) / 2, (0.0 + 0.5 + 0.1 + 0.2) / 4])


def test_bars_of_a_month_are_their_own_mean(activity):
    with house_style():
        figure = traded_tile(activity[1:3], {})
    whole = len(figure.axes[0].lines)
    with house_style():
        finer = traded_tile(activity[2:4], {})
    assert len(finer.axes[0].lines) == whole + 1


@pytest.mark.parametrize("most", [3, 9, 5_000])
def test_every_bar_of_a_histogram_of_whole_numbers_holds_equally_many_of_them(most):
    whole = np.repeat(np.arange(1.0, most + 1), 4)
    with house_style():
        figure = histogram_tile(whole, title="", ink="muted", say=words.count, is_whole=True)
    (bars,) = figure.axes[0].patches
    lefts = np.unique(bars.get_path().vertices[:, 0])[::2]
    assert np.ptp(np.diff(lefts)) == pytest.approx(0.0)
    assert np.diff(lefts)[0] == pytest.approx(round(np.diff(lefts)[0]))
    assert lefts[0] % 1 == 0.5


def test_the_outline_counts_the_other_values_in_the_same_bins():
    ours, theirs = np.linspace(-0.1, 0.1, 100), np.linspace(-0.2, 0.2, 60)
    with house_style():
        figure = histogram_tile(ours, title="", ink="muted", say=words.round_percent, against=theirs)
    heights = drawn(figure, 0)
    assert heights[::2].sum() == heights[1::2].sum() == 60
    assert len(heights) == 2 * 20


def test_trades_that_touch_make_one_stroke():
    starts, ends = joined(np.array([5.0, 0.0, 1.0, 9.0]), np.array([6.0, 2.0, 4.5, 9.5]), gap=0.5)
    assert (starts.tolist(), ends.tolist()) == ([0.0, 9.0], [6.0, 9.5])


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9)), min_size=1, max_size=30))
@settings(deadline=None, max_examples=50)
def test_strokes_cover_what_the_trades_cover(trades):
    starts, lengths = (np.array(column, dtype=float) for column in zip(*trades, strict=True))
    covered = {day for start, length in trades for day in range(2 * start, 2 * (start + length) + 1)}
    found = joined(starts, starts + lengths, gap=0.0)
    assert {
        day for start, end in zip(*found, strict=True) for day in range(int(2 * start), int(2 * end) + 1)
    } == covered
    assert (found[0][1:] > found[1][:-1]).all()


def test_long_trades_lie_above_short_ones_of_the_same_symbol():
    trades = pl.DataFrame(
        {"side": ["long", "short"], "entered_at": DAYS[:2], "exited_at": DAYS[2:4]},
        schema_overrides={"entered_at": pl.Datetime("us"), "exited_at": pl.Datetime("us")},
    )
    with house_style():
        figure = trips_tile({"AAA": trades, "BBB": trades}, {})
    (axes,) = figure.axes
    heights = [axes.transData.transform((0.0, line.get_ydata()[0]))[1] for line in axes.lines]
    longs, shorts = heights[:2], heights[2:]
    assert longs[0] > shorts[0] > longs[1] > shorts[1]
