"""Results in a notebook: small tables, and nothing in them that could act."""

from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import workspace_kit as wk
from workspace_kit.analysis.correlation import correlations
from workspace_kit.flows.frames import ChosenWeights
from workspace_kit.report import words
from workspace_kit.schema import Reading
from workspace_kit.shown import as_html, printable

PLAIN = {"div", "p", "strong", "table", "caption", "thead", "tbody", "tr", "th", "td"}


class Found(NamedTuple):
    name: str | None
    value: float
    rows: pl.DataFrame
    grid: np.ndarray

    def _repr_html_(self) -> str:
        return as_html(self)


@dataclass(frozen=True, slots=True)
class Kept:
    text: str

    def _repr_html_(self) -> str:
        return as_html(self)


def tags(html: str) -> list[tuple[str, list]]:
    """Every tag of a text with its attributes."""
    found: list[tuple[str, list]] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: found.append((tag, attributes))
    parser.feed(html)
    return found


def test_each_field_is_shown_by_its_name_and_a_frame_as_a_table() -> None:
    found = Found(None, 1.23456789, pl.DataFrame({"trial": ["a", None], "bars": [1, 2]}), np.zeros((3, 2)))
    assert found._repr_html_() == (
        "<div><p><strong>Found</strong></p><p>name: </p><p>value: 1.23457</p>"
        "<table><caption>rows: 2 rows</caption>"
        '<thead><tr><th scope="col">trial</th><th scope="col">bars</th></tr></thead>'
        "<tbody><tr><td>a</td><td>1</td></tr><tr><td></td><td>2</td></tr></tbody></table>"
        "<p>grid: 3 × 2 numbers</p></div>"
    )


def test_of_a_long_frame_the_first_rows_are_shown_and_all_are_counted() -> None:
    html = Found("x", 0.0, pl.DataFrame({"n": range(1000)}), np.zeros(0))._repr_html_()
    assert html.count("<tr>") == 9
    assert "rows: 1000 rows, the first 8" in html


@settings(deadline=None, max_examples=50)
@given(st.text(st.sampled_from("<>\"'&/=; abscript\u202e\x1b\x00"), max_size=40))
def test_no_text_becomes_a_tag_or_hides(text: str) -> None:
    html = (
        Kept(text)._repr_html_() + Found(text, 0.0, pl.DataFrame({text: [text]}), np.zeros(1))._repr_html_()
    )
    assert {tag for tag, _ in tags(html)} <= PLAIN
    assert {value for _, attributes in tags(html) for value in attributes} <= {("scope", "col")}
    assert not {"\u202e", "\x1b", "\x00"} & set(html)


def test_a_result_within_a_result_is_shown_as_one() -> None:
    inner = Reading(pl.DataFrame({"a": [1]}), pl.DataFrame())
    html = Found("x", 0.0, inner, np.zeros(1))._repr_html_()
    assert "<p>rows:</p><div><p><strong>Reading</strong></p><table>" in html


def test_a_long_text_is_cut() -> None:
    assert len(Kept("x" * 10_000)._repr_html_()) < 250


def test_workspaces_readings_and_analyses_show_themselves(tmp_path: Path) -> None:
    frame = pl.DataFrame({"a": [0.1, 0.2, -0.1], "b": [0.3, -0.2, 0.1]}).with_row_index("timestamp")
    times = frame.with_columns(timestamp=pl.datetime(2020, 1, pl.col("timestamp") + 1))
    (tmp_path / "w" / "signals").mkdir(parents=True)
    shown = [
        wk.open_workspace("w", tmp_path),
        Reading(frame, frame.clear()),
        correlations(times, min_overlap=2, window="common"),
        ChosenWeights(pl.DataFrame({"member": ["a"], "weight": [1.0]}), None, 1),
    ]
    for each in shown:
        assert f"<strong>{type(each).__name__}</strong>" in each._repr_html_()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u202eb\n", "a\\u202eb\n"),
        ("a\x00\x1b[31m", "a\\x00\\x1b[31m"),
        ("\ud800", "\\ud800"),
        ("שלום", "שלום"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("12\u202f345\u00a0%", "12\u202f345\u00a0%"),
    ],
)
def test_characters_that_nobody_sees_are_spelled_out_alike_on_screens_and_pages(
    text: str, shown: str
) -> None:
    assert printable(text) == shown
    assert words.short(text, most=80) == shown.strip()
