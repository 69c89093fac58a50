import re
from html.parser import HTMLParser

import pytest

from workspace_kit.report.ink import INKS, blank, colour, house_style, place, svg_bytes
from workspace_kit.report.svg import inline


@pytest.fixture
def drawn():
    with house_style():
        figure = blank(200, 100)
        axes = place(figure, left=20, right=10, top=20, bottom=20)
        axes.plot([0, 1], [0, 1], color=colour("ensemble"), alpha=0.5)
        axes.scatter([0, 1], [1, 0], color=colour("loss"))
        axes.set_title('<script>alert("$x$")</script>')
        return inline(svg_bytes(figure), key="k", label='a "label" & more')


class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.text = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture
def read(drawn):
    reader = Reader()
    reader.feed(drawn)
    return reader


def test_a_drawing_has_no_style_attribute_and_no_namespace(drawn):
    assert "style=" not in drawn
    assert "<style" not in drawn
    assert "xmlns" not in drawn
    assert "http" not in drawn


def test_a_drawing_has_a_role_and_a_label(read):
    tag, attributes = read.tags[0]
    assert tag == "svg"
    assert attributes["role"] == "img"
    assert attributes["aria-label"] == 'a "label" & more'


def test_text_stays_text_and_is_escaped(read, drawn):
    assert '<script>alert("$x$")</script>' in read.text
    assert "<script" not in drawn


def test_every_ink_becomes_a_class_and_no_colour_is_fixed(drawn, read):
    used = {name for _, attributes in read.tags for name in attributes.get("class", "").split()}
    assert {"s-ensemble", "f-loss", "f-ink"} <= used
    assert not re.search(r'(fill|stroke)="#', drawn)


def test_every_reference_has_its_id_and_ids_carry_the_key(drawn, read):
    ids = [attributes["id"] for _, attributes in read.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert all(name.startswith("k-") for name in ids)
    referred = set(re.findall(r'(?:href="|url\()#([\w.-]+)', drawn))
    assert referred
    assert referred <= set(ids)


def test_a_path_is_told_to_a_tenth_of_a_pixel():
    told = inline(
        b'<svg viewBox="0 0 9 9"><path d="M 1.04999 2.000001 \nL 3.25 -0.96 \nL 5 6 \nz" stroke="x"/></svg>',
        key="k",
        label="",
    )
    assert ' d="M 1 2 3.2 -1 5 6 z"' in told


def test_no_two_inks_share_a_light_value():
    assert len({ink.light for ink in INKS.values()}) == len(INKS)
