"""A story as one HTML file that needs no network, and as one picture."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import polars as pl

from workspace_kit.report import words
from workspace_kit.report.blocks import Chart
from workspace_kit.report.curves import overview
from workspace_kit.report.document import rendered
from workspace_kit.report.ink import house_style, png_bytes
from workspace_kit.report.panels import CHART, PANELS, Panel, Section, sections
from workspace_kit.report.results import curves_of, main_and_reference
from workspace_kit.report.story import Story, clock, prepared

_NAME = 120
_PNG_SCALE = 1.6
# Charts without a picture: the performance chart holds the first three, the page explains the others.
_PAGE_ALONE = frozenset(
    {"equity", "underwater", "regimes", "rolling", "exposure", "holdings", "correlations"}
)


class Report(NamedTuple):
    """The page, and a PNG of each chart that stands alone, by name."""

    page: str
    pictures: Mapping[str, bytes]


def report(story: Story, panels: Sequence[Panel] = ()) -> Report:
    """Return the page and pictures of what stands alone; ``panels`` of one's own follow the built-in ones.

    Raises
    ------
    UsageError
        A panel without a usable key, or with the key of another.
    """
    told = prepared(story)
    shown = _shown(told, panels)
    with house_style():
        pictures = {
            block.key.replace("-", "_"): png_bytes(block.figure, scale=_PNG_SCALE)
            for section in shown
            for block in section.blocks
            if isinstance(block, Chart) and block.key not in _PAGE_ALONE
        }
    return Report(_page(told, shown), {CHART: _overview(told), **pictures})


def page(story: Story, panels: Sequence[Panel] = ()) -> str:
    """Return the report as one HTML document: text, style, script and drawings in one file.

    What a story lacks is said in the panel's place; text of others is escaped, cut where it runs long, and
    its control and bidirectional characters are spelled out. Equal stories give equal bytes.
    """
    told = prepared(story)
    return _page(told, _shown(told, panels))


def _shown(told: Story, panels: Sequence[Panel]) -> list[Section]:
    with house_style():
        return sections(told, [*PANELS, *panels])


def _page(told: Story, shown: Sequence[Section]) -> str:
    facts = {
        "story": told,
        "name": words.short(told.name or told.workspace, most=_NAME),
        "facts": _facts(told),
        "sections": [section for section in shown if section.blocks],
        "missing": [section for section in shown if section.missing and not section.blocks],
    }
    return rendered("page.html", facts)


def performance_chart(story: Story) -> bytes:
    """Return growth over regimes and falls below as a PNG of 1600 × 1000 pixels, the same bytes each time."""
    return _overview(prepared(story))


def _overview(told: Story) -> bytes:
    series = curves_of(told)
    with house_style():
        figure = overview(
            series,
            main_and_reference(series),
            told.table("regimes"),
            told.periods,
            title=told.name or told.workspace,
            subtitle=f"{told.workspace}, net of cost; every period starts with fresh accounts, chained here",
        )
        return png_bytes(figure, scale=_PNG_SCALE)


def _facts(story: Story) -> Mapping[str, str]:
    trials = story.table("performance").unique("trial_id")
    failed = trials.filter(pl.col("status") == "failed").height
    returns = story.table("returns").drop_nulls("timestamp")
    bars = returns.unique(clock(returns)).sort(clock(returns))["timestamp"]
    return {
        "Workspace": story.workspace,
        "Written": _instant(story.as_of),
        "Created": _instant(story.created_at),
        "Bars": f"{words.count(len(bars))}, {words.span(bars[0], bars[-1])}" if len(bars) else words.NOTHING,
        "Trials": _of_kind(trials, "trial") + (f", {words.count(failed)} failed" if failed else ""),
        "Weight sets": _of_kind(trials, "ensemble"),
        "Faults": words.count(story.table("faults").height),
    }


def _instant(instant: dt.datetime | None) -> str:
    return f"{words.date(instant)}, {instant:%H:%M} UTC" if instant else words.NOTHING


def _of_kind(trials: pl.DataFrame, kind: str) -> str:
    return words.count(trials.filter(pl.col("kind") == kind).height)
