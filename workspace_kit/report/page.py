"""A story as one HTML file that needs no network, and as one picture."""

import datetime as dt
from collections.abc import Mapping

import polars as pl

from workspace_kit.report import words
from workspace_kit.report.curves import overview
from workspace_kit.report.document import environment, policy
from workspace_kit.report.ink import INKS, house_style, png_bytes
from workspace_kit.report.panels import sections
from workspace_kit.report.results import curves_of, main_and_reference
from workspace_kit.report.story import Story, prepared

_NAME = 120
_PNG_SCALE = 1.6


def page(story: Story) -> str:
    """Return the report as one HTML document: text, style, script and drawings in one file.

    What a story lacks is said in the panel's place; text of others is escaped, cut where it runs long, and
    its control and bidirectional characters are spelled out. Equal stories give equal bytes.
    """
    told = prepared(story)
    with house_style():
        shown = sections(told)
    templates = environment()
    style = templates.get_template("style.css").render(inks=INKS)
    script = templates.get_template("script.js").render()
    return templates.get_template("page.html").render(
        story=told,
        name=words.short(told.name or told.workspace, most=_NAME),
        facts=_facts(told),
        sections=[section for section in shown if section.blocks],
        missing=[section for section in shown if section.missing and not section.blocks],
        style=style,
        script=script,
        policy=policy(style=style, script=script),
    )


def performance_chart(story: Story) -> bytes:
    """Return growth over regimes and falls below as a PNG of 1600 × 1000 pixels, the same bytes each time."""
    told = prepared(story)
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
    bars = story.table("returns")["timestamp"].drop_nulls().unique().sort()
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
