"""What panels are made of: notes, charts, tables and large figures, as values that a template lays out."""

import datetime as dt
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import polars as pl
from matplotlib.figure import Figure

from workspace_kit.report import words
from workspace_kit.report.curves import NARROW, WIDE
from workspace_kit.report.ink import svg_bytes
from workspace_kit.report.svg import inline

MOST_ROWS = 2_000
_CELL_CHARACTERS, _PARAMETERS_CHARACTERS = 160, 90
_FEW_ROWS, _SHORT_ROWS = 8, 16


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence or two."""

    kind: ClassVar[str] = "note"
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing for wide and one for narrow screens; ``legend`` pairs an ink with its words.

    ``figure`` is the wide one, from which a picture is made; ``key`` names its file.
    """

    kind: ClassVar[str] = "chart"
    key: str
    caption: str
    wide: str
    narrow: str
    legend: tuple[tuple[str, str], ...]
    figure: Figure


@dataclass(frozen=True, slots=True)
class Tiles:
    """Small drawings of one kind, side by side as space allows."""

    kind: ClassVar[str] = "tiles"
    caption: str
    drawings: tuple[str, ...]
    legend: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Figures:
    """The few largest numbers: each a value, its name and what to hold it against."""

    kind: ClassVar[str] = "figures"
    caption: str
    items: tuple[tuple[str, str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Head:
    """A column's head; ``group`` stands above columns that belong together."""

    title: str
    group: str = ""
    is_number: bool = True


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell's words, the number it sorts by, and its shade: ``up-1`` … ``up-5``, ``down-1`` … ``down-5``.

    ``hint`` is said of a row's name where a pointer rests on it.
    """

    text: str
    value: float | None = None
    shade: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows under a common title; the first cell of a row names it."""

    title: str
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """A table; a searchable one can be sorted and filtered, a folded one is closed at first."""

    kind: ClassVar[str] = "grid"
    key: str
    caption: str
    heads: tuple[Head, ...]
    groups: tuple[Rows, ...]
    is_searchable: bool = False
    is_folded: bool = False
    is_dense: bool = False

    @property
    def head_groups(self) -> list[tuple[str, int]]:
        """Heads above heads with the columns each spans; none where no column has one."""
        spans: list[tuple[str, int]] = []
        for head in self.heads:
            if spans and spans[-1][0] == head.group:
                spans[-1] = (head.group, spans[-1][1] + 1)
            else:
                spans.append((head.group, 1))
        return spans if any(group for group, _ in spans) else []

    @property
    def is_filterable(self) -> bool:
        """Whether there are more rows than an eye takes in."""
        return self.is_searchable and self.row_count > _FEW_ROWS

    @property
    def is_short(self) -> bool:
        """Whether it fits on what is left of a printed page, so that none of its rows need stand alone."""
        return self.row_count <= _SHORT_ROWS

    def told(self, row: Sequence[Cell]) -> Iterator[tuple[str, str, float | None]]:
        """Yield classes, words and number of every cell beyond the first, which names the row."""
        for head, cell in zip(self.heads[1:], row[1:], strict=True):
            yield f"{'n' if head.is_number else ''} {cell.shade}".strip(), cell.text, cell.value

    @property
    def row_count(self) -> int:
        """How many rows there are."""
        return sum(len(group.rows) for group in self.groups)


Block = Note | Chart | Tiles | Figures | Grid


def chart(
    key: str,
    draw: Callable[[int], Figure],
    *,
    caption: str,
    label: str,
    legend: Sequence[tuple[str, str]] = (),
) -> Chart:
    """Draw for both widths; ``label`` says to a screen reader what is to be seen."""
    figures = {width: draw(width) for width in (WIDE, NARROW)}
    wide, narrow = (
        inline(svg_bytes(figure), key=f"{key}-{width}", label=words.short(label, most=600))
        for width, figure in figures.items()
    )
    return Chart(key, caption, wide, narrow, tuple(legend), figures[WIDE])


def tile(key: str, figure: Figure, *, label: str) -> str:
    """Return one small drawing."""
    return inline(svg_bytes(figure), key=key, label=words.short(label, most=600))


def table(key: str, frame: pl.DataFrame, *, caption: str) -> Grid:
    """Return a frame as a table: numbers to four digits, times as days, everything else as text."""
    heads = tuple(
        Head(words.short(name, most=60), is_number=type_.is_numeric()) for name, type_ in frame.schema.items()
    )
    rows = tuple(tuple(map(_any_cell, row)) for row in frame.head(MOST_ROWS).iter_rows())
    said = " ".join(part for part in (caption, cut(frame.height)) if part)
    return Grid(key, said, heads, (Rows("", rows),), is_searchable=True)


def _any_cell(value: object) -> Cell:
    if isinstance(value, dt.date):
        return date_cell(value)
    number = as_float(value)
    if number is None or isinstance(value, bool):
        return text_cell(value)
    return Cell(words.number(number, decimals=0) if isinstance(value, int) else f"{number:.4g}", number)


def text_cell(value: object) -> Cell:
    """Return a cell of somebody's words, on one line, cut where they run long."""
    return Cell(words.short(str(value), most=_CELL_CHARACTERS) if value else words.NOTHING)


def date_cell(instant: dt.date | None) -> Cell:
    """Return a cell of a day, which sorts by the instant."""
    if instant is None:
        return Cell(words.NOTHING)
    whole = instant if isinstance(instant, dt.datetime) else dt.datetime.combine(instant, dt.time())
    return Cell(words.date(instant), whole.replace(tzinfo=dt.UTC).timestamp())


def parameters_cell(value: object) -> Cell:
    """Return a cell of parameters, given as a JSON object."""
    return Cell(words.parameters(value if isinstance(value, str) else None, most=_PARAMETERS_CHARACTERS))


def metric_cell(name: str, value: object) -> Cell:
    """Return a cell of a metric in its unit."""
    return Cell(words.metric(name, as_float(value)), as_float(value))


def count_cell(value: object) -> Cell:
    """Return a cell of a whole number."""
    return Cell(words.number(as_float(value), decimals=0), as_float(value))


def share_cell(value: object) -> Cell:
    """Return a cell of a share, in percent."""
    return Cell(words.percent(as_float(value)), as_float(value))


def number_cell(value: object, *, decimals: int) -> Cell:
    """Return a cell of a number."""
    return Cell(words.number(as_float(value), decimals=decimals), as_float(value))


def multiple_cell(value: object) -> Cell:
    """Return a cell of how many times."""
    known = as_float(value)
    return Cell(words.NOTHING if known is None else f"{words.number(known, decimals=2)}×", known)


def as_float(value: object) -> float | None:
    """Return a finite number as a float, anything else as null."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def cut(rows: int) -> str:
    """Return a sentence where a table shows only its first rows."""
    shown, all_rows = words.count(MOST_ROWS), words.count(rows)
    return f"The first {shown} of {all_rows} rows are shown." if rows > MOST_ROWS else ""
