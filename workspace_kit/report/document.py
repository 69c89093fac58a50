"""What every HTML document of ours rests on: templates that escape, and a policy that lets nothing in."""

import base64
import functools
import hashlib
from collections.abc import Mapping, Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined

from workspace_kit.report import words
from workspace_kit.report.ink import INKS
from workspace_kit.shown import printable


def rendered(name: str, facts: Mapping[str, object], *, styles: Sequence[str] = ()) -> str:
    """Return a document of ours: a template filled with facts, and every page's style before its own."""
    templates = _environment()
    style = "".join(templates.get_template(each).render(inks=INKS) for each in ("style.css", *styles))
    script = templates.get_template("script.js").render()
    shell = {"style": style, "script": script, "policy": _policy(style=style, script=script)}
    return templates.get_template(name).render({**facts, **shell})


@functools.cache
def _environment() -> Environment:
    """Return the templates, which escape whatever is not said to be markup of ours."""
    templates = Environment(
        loader=PackageLoader("workspace_kit.report"),
        autoescape=True,
        finalize=_finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["short"] = words.short
    return templates


def _finalize(value: object) -> object:
    """Spell out what nobody could see in a text; markup of ours stays as it is."""
    return printable(value) if type(value) is str else value


def _policy(*, style: str, script: str) -> str:
    """Return a content security policy that lets nothing in but the page's own style and script."""
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
