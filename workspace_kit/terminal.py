"""What a person sees in a terminal: rows as a table, text that cannot take over the screen, progress."""

import io
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import reduce
from itertools import accumulate
from typing import TYPE_CHECKING, Literal, TextIO

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from workspace_kit.shown import printable

if TYPE_CHECKING:
    # Help and errors are words: they wait for no columns.
    import polars as pl

Format = Literal["table", "csv", "json", "parquet"]
_UNBOUNDED = 10_000
_WIDEST, _GAP = 40, 3


def write_rows(rows: "pl.DataFrame", form: Format) -> None:
    """Write a frame to standard output; as a table it fits the terminal, otherwise nothing is left out.

    A single row too wide for the terminal is written a line per column. Of more rows the columns that fit
    are written, and those left out are named on standard error.
    """
    if form == "table":
        _write_table(rows)
    elif form == "csv":
        sys.stdout.write(rows.write_csv())
    elif form == "json":
        sys.stdout.write(rows.write_json() + "\n")
    else:
        buffer = io.BytesIO()
        rows.write_parquet(buffer)
        sys.stdout.buffer.write(buffer.getvalue())


def say(text: str) -> None:
    """Write a line to standard output."""
    sys.stdout.write(printable(text) + "\n")


def remark(text: str) -> None:
    """Write a line to standard error, where it does not mix with rows."""
    sys.stderr.write(printable(text) + "\n")


def write_frames(frames: "Iterable[pl.DataFrame]", form: Format) -> None:
    """Write the frames of one answer to standard output, each as it comes; only a table holds them all."""
    if form == "csv":
        for number, frame in enumerate(frames):
            sys.stdout.write(frame.write_csv(include_header=not number))
    elif form == "json":
        rows = (frame.write_json()[1:-1] for frame in frames if frame.height)
        sys.stdout.write("[" + next(rows, ""))
        for more in rows:
            sys.stdout.write("," + more)
        sys.stdout.write("]\n")
    else:
        write_rows(reduce(lambda above, below: above.vstack(below), frames), form)


@contextmanager
def progress_bar(what: str, total: int, /) -> Iterator[Callable[[], None]]:
    """Show steps done, rate and time left on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    columns = (
        TextColumn("{task.description:<12}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=_console(sys.stderr)) as progress:
        task = progress.add_task(what, total=total)
        yield lambda: progress.advance(task)


@contextmanager
def screen() -> Iterator[Callable[[Mapping[str, str]], None]]:
    """Show facts by heading in place of those before; where nobody watches, a line for each change."""
    if not sys.stdout.isatty():
        yield _line_for_each_change()
        return
    with Live(console=_console(sys.stdout), auto_refresh=False) as live:
        yield lambda facts: live.update(_facts(facts), refresh=True)


def _line_for_each_change() -> Callable[[Mapping[str, str]], None]:
    shown: list[str] = []

    def show(facts: Mapping[str, str]) -> None:
        line = " | ".join(f"{name}: {fact.partition(chr(10))[0]}" for name, fact in facts.items())
        if [line] != shown:
            shown[:] = [line]
            say(line)
            sys.stdout.flush()

    return show


def _facts(facts: Mapping[str, str]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, fact in facts.items():
        table.add_row(name, Text(printable(fact)))
    return table


class _Rate(ProgressColumn):
    """Steps a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f}/s" if task.speed else "")


def _console(file: TextIO) -> Console:
    return Console(file=file, width=None if file.isatty() else _UNBOUNDED, highlight=False)


def _write_table(rows: "pl.DataFrame") -> None:
    console = _console(sys.stdout)
    columns = [[_line(_cell(value)) for value in column] for column in rows.iter_columns()]
    fitting = _fitting(rows.columns, columns, console.width)
    left_out = rows.columns[fitting:]
    if left_out and rows.height == 1:
        fields = [rows.columns, [cell for (cell,) in columns]]
        console.print(_table(["column", "value"], fields, numeric=(), widest=None))
        return
    widest = None if console.width == _UNBOUNDED else _WIDEST
    numeric = [name for name, type_ in rows.schema.items() if type_.is_numeric()]
    console.print(_table(rows.columns[:fitting], columns[:fitting], numeric=numeric, widest=widest))
    if left_out:
        remark(f"{len(left_out)} column(s) do not fit: {', '.join(left_out)}; `| less -S` shows all.")


def _fitting(names: Sequence[str], columns: Sequence[Sequence[str]], width: int) -> int:
    """Return how many columns, the first at least, stand side by side within a width."""
    taken = accumulate(
        min(max(map(cell_len, [name, *cells])), _WIDEST) + _GAP
        for name, cells in zip(names, columns, strict=True)
    )
    return max(1, sum(each <= width + 1 for each in taken))


def _table(
    names: Sequence[str], columns: Sequence[Iterable[str]], *, numeric: Sequence[str], widest: int | None
) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in names:
        side: Literal["left", "right"] = "right" if name in numeric else "left"
        table.add_column(Text(_line(name)), justify=side, overflow="fold", max_width=widest)
    for cells in zip(*columns, strict=True):
        table.add_row(*map(Text, cells))
    return table


def _line(text: str) -> str:
    """Keep a text from beginning lines of its own, which would look like rows."""
    return printable(text).replace("\n", "\\n")


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return str(value)
