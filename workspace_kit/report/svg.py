"""Matplotlib's SVG made fit for a page: inline, themed by classes, no style attributes, no doubled ids."""

import re
from collections.abc import Iterator
from xml.etree import ElementTree as Xml

from workspace_kit.report.ink import INKS

_INK_OF = {ink.light: name for name, ink in INKS.items()}
_NUMBER = re.compile(r"-?\d+\.\d+")
_REFERENCE = re.compile(r"#([\w.-]+)")
_GEOMETRY = frozenset({"x", "y", "width", "height", "transform", "points"})
_KEPT = frozenset(
    {
        *("fill", "fill-opacity", "stroke", "stroke-opacity", "stroke-width", "stroke-dasharray", "opacity"),
        *("stroke-linejoin", "stroke-linecap", "font-size", "font-weight", "text-anchor", "image-rendering"),
    }
)


def inline(svg: bytes, *, key: str, label: str) -> str:
    """Return an SVG element for a page.

    Colours become classes such as ``f-ensemble`` (fill) and ``s-ensemble`` (stroke), whose value the page's
    theme decides; every other style becomes an attribute, for a page that forbids inline styles. Ids begin
    with ``key``, so that many drawings share a page. ``label`` is what a screen reader says.
    """
    root = Xml.fromstring(svg)  # noqa: S314 - Matplotlib's bytes, from a figure of ours
    referred = set(_references(root))
    for element in root.iter():
        _tidy(element, key=key, referred=referred)
    _prune(root)
    box = root.attrib["viewBox"]
    root.attrib.clear()
    root.attrib.update({"viewBox": box, "role": "img", "aria-label": label})
    return Xml.tostring(root, encoding="unicode")


def _references(root: Xml.Element) -> Iterator[str]:
    for element in root.iter():
        for name, value in element.attrib.items():
            if value.startswith(("#", "url(#")) and name != "id":
                yield from _REFERENCE.findall(value)


def _tidy(element: Xml.Element, *, key: str, referred: set[str]) -> None:
    element.tag = _local_name(element.tag)
    plain = {_local_name(name): value for name, value in element.attrib.items()}
    identity = plain.pop("id", None)
    style = plain.pop("style", "")
    element.attrib.clear()
    if identity in referred:
        element.set("id", f"{key}-{identity}")
    for name, value in plain.items():
        element.set(name, _attribute(name, value, key=key))
    if element.get("transform", "").startswith("rotate(0 "):
        del element.attrib["transform"]
    _apply(style, element)
    element.tail = None
    if element.text and not element.text.strip():
        element.text = None


def _attribute(name: str, value: str, *, key: str) -> str:
    if name == "d":
        return _path(value)
    if name in _GEOMETRY:
        return " ".join(_NUMBER.sub(_rounded, value).split())
    if value.startswith(("#", "url(#")):
        return _REFERENCE.sub(rf"#{key}-\1", value)
    return value


def _path(value: str) -> str:
    """Return a path to a tenth of a pixel; a line after a move or another line needs no letter."""
    parts = (part if part.isalpha() else f"{float(part):.1f}" for part in value.split())
    short = f"{' '.join(parts)} ".replace(".0 ", " ").rstrip()
    return short if "C" in short or "Q" in short else short.replace(" L ", " ")


def _rounded(number: re.Match[str]) -> str:
    return f"{round(float(number[0]), 2) + 0.0:g}"


def _apply(style: str, element: Xml.Element) -> None:
    classes = []
    for declaration in style.split(";"):
        name, _, value = (part.strip() for part in declaration.partition(":"))
        if name in {"fill", "stroke"} and value in _INK_OF:
            classes.append(f"{name[0]}-{_INK_OF[value]}")
        elif name in _KEPT:
            element.set(name, value)
    if classes:
        element.set("class", " ".join(classes))


def _prune(element: Xml.Element) -> None:
    """Take out what shows nothing: empty groups, Matplotlib's style sheet and its metadata."""
    for child in list(element):
        _prune(child)
        hollow = child.tag in {"g", "defs"} and not len(child)
        unseen = child.tag == "path" and child.get("fill") == "none" and not _is_stroked(child)
        if hollow or unseen or child.tag in {"style", "metadata"}:
            element.remove(child)


def _is_stroked(path: Xml.Element) -> bool:
    return "stroke" in path.attrib or "s-" in path.get("class", "")


def _local_name(name: str) -> str:
    return name.rpartition("}")[2]
