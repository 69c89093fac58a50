import matplotlib as mpl

from workspace_kit.report.ink import INKS, blank, colour, house_style, place, png_bytes, svg_bytes


def draw():
    figure = blank(120, 80)
    place(figure, left=20, right=5, top=10, bottom=20).plot([0, 1], [0, 1], color=colour("ensemble"))
    return figure


def luminance(hexadecimal):
    channels = [int(hexadecimal[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_settings_of_the_process_are_as_before():
    before = dict(mpl.rcParams)
    with house_style():
        assert mpl.rcParams["svg.fonttype"] == "none"
    assert dict(mpl.rcParams) == before


def test_a_reader_s_own_settings_change_no_byte():
    with house_style():
        expected = svg_bytes(draw()), png_bytes(draw(), scale=2)
    mine = {"lines.linewidth": 9, "axes.grid": True, "font.size": 30, "savefig.bbox": "tight"}
    with mpl.rc_context(mine), house_style():
        assert (svg_bytes(draw()), png_bytes(draw(), scale=2)) == expected


def test_a_picture_names_no_software_and_no_date():
    with house_style():
        picture = png_bytes(draw(), scale=1)
    assert b"tEXt" not in picture
    assert b"Matplotlib" not in picture


def test_every_ink_that_letters_are_written_in_can_be_read_on_both_papers():
    for name in (
        "ink",
        "muted",
        "loss",
        "ensemble",
        "equal_weight",
        "best_single",
        "buy_and_hold",
        "benchmark",
    ):
        assert contrast(INKS[name].light, INKS["paper"].light) >= 4.5, name
        assert contrast(INKS[name].dark, INKS["paper"].dark) >= 4.5, name
