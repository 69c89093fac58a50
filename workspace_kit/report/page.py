"""A story as one HTML file that needs no network, and as one picture."""

import base64
import hashlib
from collections.abc import Mapping

from jinja2 import Environment, PackageLoader, StrictUndefined

from workspace_kit.report import words
from workspace_kit.report.curves import overview
from workspace_kit.report.ink import INKS, house_style, png_bytes
from workspace_kit.report.panels import sections
from workspace_kit.report.results import curves_of, main_and_reference
from workspace_kit.report.story import Story, local

_NAME = 120
_PNG_SCALE = 1.6


def page(story: Story) -> str:
    """Return the report as one HTML document: text, style, script and drawings in one file.

    What a story lacks is said in the panel's place; text of others is escaped, cut where it runs long, and
    its control and bidirectional characters are spelled out. Equal stories give equal bytes.
    """
    told = local(story)
    with house_style():
        shown = sections(told)
    environment = _environment()
    style = environment.get_template("style.css").render(inks=INKS)
    script = environment.get_template("script.js").render()
    return environment.get_template("page.html").render(
        story=told,
        name=words.short(told.name or told.workspace, most=_NAME),
        facts=_facts(told),
        sections=shown,
        style=style,
        script=script,
        policy=_policy(style=style, script=script),
    )


def performance_chart(story: Story) -> bytes:
    """Return growth over regimes and falls below as a PNG of 1600 × 1000 pixels; equal stories give equal bytes."""
    told = local(story)
    series = curves_of(told)
    with house_style():
        figure = overview(
            series,
            main_and_reference(series),
            told.table("regimes"),
            told.periods,
            title=told.name or told.workspace,
            subtitle=f"{told.workspace}, net of cost, shaded by regime; every period starts with fresh accounts",
        )
        return png_bytes(figure, scale=_PNG_SCALE)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("workspace_kit.report"),
        autoescape=True,
        finalize=_finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["short"] = words.short
    return environment


def _finalize(value: object) -> object:
    """Spell out what nobody could see in a text; markup of ours stays as it is."""
    return words.printable(value) if type(value) is str else value


def _facts(story: Story) -> Mapping[str, str]:
    performance = story.table("performance").select("trial_id", "kind", "status").unique("trial_id")
    kinds, failed = performance["kind"], (performance["status"] == "failed").sum()
    bars = story.table("returns").select("timestamp").drop_nulls()["timestamp"]
    return {
        "Workspace": story.workspace,
        "Written": f"{words.date(story.as_of)}, {story.as_of:%H:%M} UTC",
        "Created": f"{words.date(story.created_at)}, {story.created_at:%H:%M} UTC"
        if story.created_at
        else words.NOTHING,
        "Bars": f"{words.count(bars.n_unique())}, {words.span(bars.min(), bars.max())}"
        if len(bars)
        else words.NOTHING,
        "Trials": f"{words.count((kinds == 'trial').sum())}"
        + (f", {words.count(failed)} failed" if failed else ""),
        "Weight sets": words.count((kinds == "ensemble").sum()),
        "Faults": words.count(story.table("faults").height),
    }


def _policy(*, style: str, script: str) -> str:
    """Return a content security policy under which nothing runs or loads but the page's own style and script."""
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src '{_digest(style)}'",
            f"script-src '{_digest(script)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
