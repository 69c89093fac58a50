"""What a person asks in SQL: words of their own, a file, or one of the questions that are kept."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import polars as pl
from pyarrow.parquet import ParquetWriter

from workspace_kit.errors import NotFound, UsageError
from workspace_kit.views import Catalog, Query, answers, parse_query, unknown

_HEAD = "-- name:"


def kept_questions() -> pl.DataFrame:
    """List the questions that are kept: question, answers, parameters (with defaults), columns."""
    rows = [
        (each.name, each.answers, ", ".join(map(str, each.parameters)), ", ".join(each.columns))
        for each in answers().values()
    ]
    return pl.DataFrame(rows, schema=["question", "answers", "parameters", "columns"], orient="row")


def ask(catalog: Catalog, query: str, parameters: Sequence[str]) -> Iterator[pl.DataFrame]:
    """Answer SQL, or the question of that name; ``parameters`` are ``name=value``.

    Raises
    ------
    UsageError, QueryError
        A parameter is not written so, is unknown or missing, or DuckDB cannot answer.
    """
    given = dict(_parameter(each) for each in parameters)
    kept = answers().get(query)
    if kept is None and query.isidentifier():
        raise unknown(query, answers(), where="sql", kind="question")
    if kept is None:
        return catalog.stream(query, {name: _value(text) for name, text in given.items()})
    return _ask_kept(catalog, kept, given)


def ask_file(catalog: Catalog, path: Path, parameters: Sequence[str]) -> Iterator[pl.DataFrame]:
    """Answer the SQL of a file; a head like those in ``queries/`` gives its parameters types and defaults.

    Raises
    ------
    NotFound
        The file is not there.
    UsageError, QueryError
        As `ask`, or its head is none.
    """
    try:
        text = path.read_text("utf-8", "replace")
    except OSError as error:
        raise NotFound(
            str(path), found=str(error.strerror), expected="a file of SQL", remedy="check --file"
        ) from error
    if not text.startswith(_HEAD):
        return ask(catalog, text, parameters)
    given = dict(_parameter(each) for each in parameters)
    return _ask_kept(catalog, parse_query(text, where=str(path)), given)


def _ask_kept(catalog: Catalog, query: Query, given: Mapping[str, str]) -> Iterator[pl.DataFrame]:
    types = {each.name: each.type for each in query.parameters}
    typed = {name: text if types.get(name) == "VARCHAR" else _value(text) for name, text in given.items()}
    return catalog.stream(query.sql, query.values(typed))


def write_parquet(frames: Iterable[pl.DataFrame], file: BinaryIO) -> None:
    """Write frames of one answer to a file, one after the other, as one Parquet table."""
    tables = (frame.to_arrow() for frame in frames)
    first = next(tables)
    with ParquetWriter(file, first.schema, compression="zstd") as writer:
        for table in chain((first,), tables):
            writer.write_table(table)


def _parameter(written: str) -> tuple[str, str]:
    name, sign, value = written.partition("=")
    if not sign:
        raise UsageError(
            "--param", found=repr(written), expected="name=value, such as most=5", remedy="correct it"
        )
    return name.strip(), value


def _value(text: str) -> object:
    """Return a number, true, false or null as JSON writes it; anything else is text."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return text if isinstance(value, list | dict) else value
