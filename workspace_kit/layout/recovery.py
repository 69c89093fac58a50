"""Damaged files: what can be read of one, and how it is put right without losing what was there."""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Literal

import polars as pl

from workspace_kit import storage
from workspace_kit.errors import FileDamaged
from workspace_kit.layout import names
from workspace_kit.layout.lines import TORN_TAIL, salvage
from workspace_kit.layout.reader import read_bytes, read_file, zone_of
from workspace_kit.schema import COUNT, TABLES, TEXT, Reading

REPAIRS = {"path": TEXT, "damages": COUNT, "bytes": COUNT, "bytes_kept": COUNT, "original": TEXT}
Mode = Literal["strict", "tolerate_tail", "salvage"]


def read_with_recovery(path: Path | str, mode: Mode = "salvage") -> Reading:
    """Read one file of a workspace as far as it can be read: its rows, and its faults.

    Signal files give table ``signals``, trials ``performance``, other documents the table they stand for;
    a document without one gives no rows. ``salvage`` reads every line that can be read, ``tolerate_tail``
    allows no loss but a record still being written at the end, ``strict`` none.

    Raises
    ------
    NotFound
        Nothing is there.
    FileDamaged
        What was lost is more than the mode allows.
    """
    reading = _reading(Path(path).absolute())
    tail = pl.col("reason").eq(TORN_TAIL) if mode == "tolerate_tail" else pl.lit(mode == "salvage")
    if (lost := reading.faults.filter(~tail)).height:
        first = lost.row(0, named=True)
        line = "" if first["line"] is None else f"line {first['line']}: "
        raise FileDamaged(
            str(path),
            found=f"{lost.height} fault(s), the first {line}{first['reason']}",
            expected="a whole file",
            remedy="read it with mode 'salvage', or `workspace-kit repair` it",
        )
    return reading


def _reading(path: Path) -> Reading:
    kind, key = names.classify(path.parent.name, path.name) or (None, path.stem)
    if path.suffix == names.SIGNALS.suffix:
        kind = kind or names.SIGNALS
    folder = path.parent.parent
    told = read_file(folder.name, kind.name if kind else names.UNKNOWN, key, str(path), zone_of(folder))
    name = next((each for each in told if each not in {"faults", "facts"}), "performance")
    return Reading(_frame(name, told.get(name, [])), _frame("faults", told["faults"]))


def _frame(name: str, rows: pl.DataFrame | list[dict[str, object]]) -> pl.DataFrame:
    return rows if isinstance(rows, pl.DataFrame) else TABLES[name].frame(rows)


def repair(files: pl.DataFrame, *, step: Callable[[], None]) -> pl.DataFrame:
    """Rewrite the signal files given that hold unreadable bytes; the original stays beside each.

    ``step`` is called after each file. Returns one row per rewritten file: path, places left out or parted,
    bytes before and after, and where the original lies. No process that appends meanwhile loses a record.
    """
    found = []
    for path in files["path"]:
        found.append(_repaired(Path(path)))
        step()
    return pl.DataFrame([row for row in found if row], schema=REPAIRS, orient="row")


def _repaired(path: Path) -> tuple[str, int, int, int, str] | None:
    if path.parent.is_symlink() or not salvage(read_bytes(path))[1]:
        return None
    with storage.appending(path):
        data = read_bytes(path)
        good, damaged = salvage(data)
        original = _original(path)
        if not original.exists():
            storage.link(path, original)
        storage.replace(path, good, sync=True)
    return str(path), damaged, len(data), len(good), str(original)


def _original(path: Path) -> Path:
    """Where the file as it is now is to be kept: where it already is, after a repair that was cut short."""
    places = (names.ORIGINAL.path(path.parent.parent, f"{path.name}.{number}") for number in count(1))
    return next(place for place in places if not place.exists() or place.samefile(path))
