"""What people are shown of a value: text that cannot take over a screen, and results in a notebook."""

import dataclasses
import html
import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

_ROWS, _CHARACTERS = 8, 120


def printable(text: str) -> str:
    r"""Return the text with control, bidirectional and other unseen characters spelled out, as ``\u202e``."""
    if text.isprintable():
        return text
    return "".join(each if _is_seen(each) else ascii(each)[1:-1] for each in text)


def _is_seen(character: str) -> bool:
    return character.isprintable() or character == "\n" or unicodedata.category(character) == "Zs"


def as_html(result: object) -> str:
    """Return a frozen value as HTML for a notebook: its kind, then each field, every text escaped.

    Of a frame the first rows are shown, of an array its shape; long texts are cut. It is meant to be a
    class's ``_repr_html_``.
    """
    parts = "".join(_part(name, getattr(result, name)) for name in _fields(result))
    return f"<div><p><strong>{type(result).__name__}</strong></p>{parts}</div>"


def _fields(result: Any) -> Iterator[str]:
    if dataclasses.is_dataclass(result):
        yield from (field.name for field in dataclasses.fields(result))
    else:
        yield from result._fields


def _part(name: str, value: Any) -> str:
    # A frame is told by what it can do: help and errors come this way too, and wait for no Polars.
    if hasattr(value, "iter_rows"):
        return _table(name, value)
    if hasattr(value, "_fields"):
        return f"<p>{_safe(name)}:</p>{as_html(value)}"
    shape = getattr(value, "shape", None)
    told = f"{' × '.join(map(str, shape))} numbers" if shape else _safe(value)
    return f"<p>{_safe(name)}: {told}</p>"


def _table(name: str, frame: "pl.DataFrame") -> str:
    heads = "".join(f'<th scope="col">{_safe(column)}</th>' for column in frame.columns)
    rows = "".join(
        f"<tr>{''.join(f'<td>{_safe(value)}</td>' for value in row)}</tr>" for row in frame.head(_ROWS).rows()
    )
    first = f", the first {_ROWS}" if frame.height > _ROWS else ""
    caption = f"<caption>{_safe(name)}: {frame.height} rows{first}</caption>"
    return f"<table>{caption}<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"


def _safe(value: object) -> str:
    if value is None:
        return ""
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    cut = text if len(text) <= _CHARACTERS else f"{text[: _CHARACTERS - 1]}…"
    return html.escape(printable(cut))
