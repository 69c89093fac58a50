"""Catalogs over Parquet files as the mirror hands them over."""

import datetime as dt
import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import polars as pl
import pytest

from workspace_kit.schema import COUNT, FLAG, INVENTORY, MIRRORED, NUMBER, TEXT, TIME, Column
from workspace_kit.views import Catalog

MIRROR = {**MIRRORED, "files": INVENTORY}
Rows = Mapping[str, list[dict[str, object]]]
Open = Callable[..., Catalog]

_SAMPLE = {
    TIME: dt.datetime.fromisoformat("2020-01-02T03:04:05.000006"),
    NUMBER: 0.5,
    COUNT: 7,
    FLAG: True,
    TEXT: "text",
}


def sample(column: Column) -> object:
    return '{"lookback": 20}' if column.json else _SAMPLE[column.type]


def write(folder: Path, name: str, rows: list[dict[str, object]]) -> Path:
    """Write rows as one part of a table, with the columns that only the mirror has."""
    path = folder / f"{name}.parquet"
    buffer = io.BytesIO()
    frame = MIRROR[name].frame(rows)
    whence = [] if name == "files" else [pl.lit("x").alias("origin")]
    if name == "signals":
        whence.append(pl.lit(1, COUNT).alias("line"))
    frame.with_columns(whence).write_parquet(buffer)
    path.write_bytes(buffer.getvalue())
    return path


@pytest.fixture
def open_over(tmp_path: Path) -> Iterator[Open]:
    """Open a catalog over rows given by table of the mirror; columns left out are null."""
    with ExitStack() as stack:

        def opened(workspaces: list[str] | None = None, /, **rows: list[dict[str, object]]) -> Catalog:
            parts = {name: [write(tmp_path, name, given)] for name, given in rows.items()}
            return stack.enter_context(Catalog(parts, scratch=tmp_path, workspaces=workspaces))

        yield opened


@pytest.fixture
def filled(open_over: Open) -> Catalog:
    """A catalog with a row in every table, no value null."""
    return open_over(
        **{
            name: [{column.name: sample(column) for column in table.columns}]
            for name, table in MIRROR.items()
        }
    )
