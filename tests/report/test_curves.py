import datetime as dt
import statistics

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workspace_kit.report.curves import NARROW, WIDE, drawdown_chart, growth_chart, overview, rolling_chart
from workspace_kit.report.ink import house_style
from workspace_kit.report.series import rolling_year
from workspace_kit.report.story import SERIES
from workspace_kit.schema import TABLES


@pytest.fixture(autouse=True)
def styled():
    with house_style():
        yield


def series(returns):
    times = pl.datetime_range(
        dt.datetime(2000, 1, 31), dt.datetime(2080, 1, 1), "1mo", eager=True, time_unit="us"
    )
    return pl.DataFrame({"timestamp": times.head(len(returns)), "return": returns})


def labels(axes):
    """Return the height in CSS pixels of every label beside a line, above the axes' foot, by its text."""
    return {text.get_text(): text.xyann[1] for text in axes.texts if text.xy == (1.0, 0.0)}


def ends(axes):
    """Return the height in CSS pixels of every line's last point, above the axes' foot."""
    points = [line.get_xydata()[-1] for line in axes.lines if len(line.get_xydata()) > 2]
    return [axes.transData.transform(point)[1] - axes.bbox.y0 for point in points]


@pytest.mark.parametrize("every_bar", [0.01, -0.01])
def test_labels_of_lines_that_end_together_stand_apart_and_inside(every_bar):
    same = {name: series([every_bar] * 24) for name in SERIES}
    (axes,) = growth_chart(same, {}, width=WIDE).axes
    heights = sorted(labels(axes).values())
    assert len(heights) == 5
    assert min(np.diff(heights)) >= 14.0
    assert 0.0 <= heights[0] <= heights[-1] <= axes.bbox.height


def test_a_label_stands_beside_its_line_s_end():
    rng = np.random.default_rng(4)
    rolled = {
        "ensemble": rolling_year(
            series(rng.normal(0.01, 0.02, 60)), None, periods_per_year=12.0, risk_free_rate=0.0
        ),
        "benchmark": rolling_year(
            series(rng.normal(0.0, 0.2, 60)), None, periods_per_year=12.0, risk_free_rate=0.0
        ),
    }
    _, _, lower = rolling_chart(rolled, {}, width=WIDE).axes
    assert sorted(labels(lower).values()) == pytest.approx(sorted(ends(lower)), abs=0.5)
    assert lower.get_ylim()[0] == 0.0


def test_the_main_series_of_a_rolling_figure_has_its_median_dotted():
    rolled = rolling_year(
        series(np.random.default_rng(4).normal(0.01, 0.02, 61)),
        None,
        periods_per_year=12.0,
        risk_free_rate=0.0,
    )
    upper, *_ = rolling_chart({"ensemble": rolled, "buy_and_hold": rolled}, {}, width=NARROW).axes
    (dotted,) = [line for line in upper.lines if line.get_linestyle() == ":"]
    assert dotted.get_ydata() == pytest.approx([statistics.median(rolled["sharpe"].to_list())] * 2)


def test_a_narrow_figure_leaves_names_to_the_legend_above_it():
    (axes,) = growth_chart({"ensemble": series([0.01] * 24)}, {}, width=NARROW).axes
    assert labels(axes) == {}


def test_ruin_ends_a_line_instead_of_the_figure():
    (axes,) = growth_chart({"ensemble": series([0.1, -1.0, 0.1])}, {}, width=WIDE).axes
    assert axes.lines[0].get_xydata().shape == (1, 2)
    assert labels(axes) == {}


def test_a_series_that_never_fell_has_an_axis_all_the_same():
    (axes,) = drawdown_chart({"ensemble": series([0.1, 0.1])}, {}, width=WIDE).axes
    low, high = axes.get_ylim()
    assert low < high == 0.0


def test_periods_outside_the_bars_are_not_named():
    periods = {
        "train": (dt.datetime(2000, 1, 1), dt.datetime(2000, 12, 31)),
        "test": (dt.datetime(2050, 1, 1), dt.datetime(2051, 1, 1)),
    }
    (axes,) = growth_chart({"ensemble": series([0.01] * 24)}, periods, width=NARROW).axes
    assert [text.get_text() for text in axes.texts] == ["train"]


@given(st.integers(1, 20_000_000), st.sampled_from([WIDE, NARROW]))
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_span_from_a_minute_to_forty_years_has_dated_ticks_and_no_warning(minutes, width):
    times = [dt.datetime(1990, 1, 31), dt.datetime(1990, 1, 31) + dt.timedelta(minutes=minutes)]
    frame = pl.DataFrame({"timestamp": times, "return": [0.0, 0.1]})
    (axes,) = growth_chart({"ensemble": frame}, {}, width=width).axes
    low, high = axes.get_xlim()
    ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
    assert 1 <= len(ticks) <= 9


def test_a_picture_of_no_returns_says_so():
    figure = overview({}, {}, TABLES["regimes"].empty(), {}, title="t", subtitle="s")
    assert "No return series to draw." in [text.get_text() for text in figure.texts]
