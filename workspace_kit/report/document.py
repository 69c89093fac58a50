"""What every HTML document of ours rests on: templates that escape, and a policy that lets nothing in."""

import base64
import hashlib

from jinja2 import Environment, PackageLoader, StrictUndefined

from workspace_kit.report import words
from workspace_kit.shown import printable


def environment() -> Environment:
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


def policy(*, style: str, script: str) -> str:
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
