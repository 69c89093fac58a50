import re

import pytest
from matplotlib.ticker import AutoMinorLocator

from workspace_kit.report.ink import blank, house_style, place, png_bytes, svg_bytes
from workspace_kit.report.ticks import name_ticks, round_ticks


def written(figure):
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg_bytes(figure).decode())


def small():
    figure = blank(200, 120)
    axes = place(figure, left=40, right=10, top=10, bottom=40)
    axes.plot([0.0, 4.0], [0.0, 1.0])
    return figure, axes


def test_ticks_are_written_where_they_were_named():
    with house_style():
        figure, axes = small()
        name_ticks(axes.xaxis, [1.0, 3.0, 9.0], ["one", "three", "beyond"])
        name_ticks(axes.yaxis, [0.5], ["half"])
        assert sorted(written(figure)) == ["half", "one", "three"]


def test_a_second_drawing_shows_the_same_ticks():
    with house_style():
        figure, _ = small()
        first = svg_bytes(figure)
        assert svg_bytes(figure) == first
        assert png_bytes(figure, scale=1) == png_bytes(figure, scale=1)


def test_ticks_that_were_turned_off_are_not_written():
    with house_style():
        figure, axes = small()
        axes.tick_params(labelbottom=False)
        axes.yaxis.set_visible(False)
        assert written(figure) == []


@pytest.mark.parametrize("side", ["x", "y"])
def test_the_name_of_an_axis_stands_beyond_its_ticks(side):
    with house_style():
        figure, axes = small()
        name_ticks(axes.xaxis, [1.0], ["tick"])
        name_ticks(axes.yaxis, [0.5], ["a long tick"])
        (axes.set_xlabel if side == "x" else axes.set_ylabel)("name")
        svg_bytes(figure)
        boxes = {text.get_text(): text.get_window_extent() for text in axes.texts}
        name = (axes.xaxis if side == "x" else axes.yaxis).label.get_window_extent()
        if side == "x":
            assert name.y1 <= boxes["tick"].y0
        else:
            assert name.x1 <= boxes["a long tick"].x0


def test_minor_ticks_and_ticks_above_are_left_to_matplotlib():
    with house_style():
        figure, axes = small()
        axes.xaxis.set_minor_locator(AutoMinorLocator(2))
        axes.tick_params(axis="y", labelright=True)
        name_ticks(axes.yaxis, [0.5], ["half"])
        assert written(figure).count("half") == 2
        assert len(axes.xaxis.get_minorticklocs())


def test_axes_make_no_tick_of_matplotlib_s_unless_one_is_left_to_it():
    with house_style():
        figure, axes = small()
        svg_bytes(figure)
        assert [*axes.xaxis.majorTicks, *axes.xaxis.minorTicks, *axes.yaxis.majorTicks] == []


def test_round_ticks_are_steps_of_one_two_or_five():
    with house_style():
        figure, axes = small()
        axes.set_ylim(0.0, 2.9)
        round_ticks(axes.yaxis, 4, "{:g}".format)
        axes.xaxis.set_visible(False)
        assert written(figure) == ["0", "1", "2"]
