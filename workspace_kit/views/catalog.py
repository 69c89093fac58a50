"""DuckDB over the mirror: fixed, typed views and the questions asked of them."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import duckdb
import polars as pl
from duckdb.sqltypes import DuckDBPyType

from workspace_kit.errors import QueryError
from workspace_kit.schema import (
    COUNT,
    DUCKDB_TYPES,
    INVENTORY,
    LINE,
    MIRRORED,
    ORIGIN,
    TABLES,
    TEXT,
    Column,
    Table,
    in_file_order,
)
from workspace_kit.views.paths import as_pattern
from workspace_kit.views.queries import answers, shared, staging, unknown

_RAW: Mapping[str, Table] = {**MIRRORED, "files": INVENTORY}
_WHENCE = (Column(ORIGIN, TEXT, "its file"), Column(LINE, COUNT, "its line there"))
_NOTHING: Mapping[str, object] = {}
_NESTED = frozenset({"list", "array", "struct", "map", "union"})
_BATCH_ROWS = 100_000


class Catalog:
    """The views of `schema.TABLES` over Parquet files, in a DuckDB of this process.

    ``connection`` is a real DuckDB connection, so that every tool that takes one works with it. An answer
    depends on the files alone: frames of this process are seen only once they are registered there, and
    the session is in UTC whatever the host is. Nothing is written to the files.
    """

    def __init__(
        self,
        parts: Mapping[str, Sequence[Path]],
        *,
        scratch: Path,
        workspaces: Collection[str] | None,
    ) -> None:
        """Open the views over Parquet files, by table of the mirror; one without files has no rows.

        ``workspaces`` are those whose rows are seen, null for all; ``scratch`` is a folder for what does not
        fit into memory.
        """
        self.connection = duckdb.connect(":memory:", config={"temp_directory": str(scratch)})
        self.connection.execute("SET GLOBAL TimeZone = 'UTC'")
        self.connection.execute("SET python_enable_replacements = false")
        # Where Python runs without a script, DuckDB would draw its bar into the rows on standard output. In
        # Jupyter without widgets it has none, and refuses to be told so.
        with suppress(duckdb.InvalidInputException):
            self.connection.execute("SET enable_progress_bar = false")
        _create_raw(self.connection, parts, workspaces)
        for query in [*staging().values(), *shared().values()]:
            self.connection.execute(f"CREATE VIEW {query.name} AS {query.sql}")

    def sql(self, text: str, parameters: Mapping[str, object] = _NOTHING) -> pl.DataFrame:
        """Answer SQL; ``parameters`` are the values of its ``$name``.

        Raises
        ------
        QueryError
            DuckDB cannot answer it; its reason and the nearest name it knows are in the message.
        """
        return _ask(self.connection, text, parameters, where="SQL")

    def stream(self, text: str, parameters: Mapping[str, object] = _NOTHING) -> Iterator[pl.DataFrame]:
        """Answer SQL in frames of bounded height, in order, so that no answer has to fit into memory.

        There is always a first frame, with the columns; ask nothing else before the last.

        Raises
        ------
        QueryError
            As `sql`; what only some rows show, when they are reached.
        """
        with _refusals(where="SQL"):
            relation = _relation(self.connection, text, parameters, where="SQL")
            if relation is None:
                yield pl.DataFrame()
                return
            reader = relation.to_arrow_reader(_BATCH_ROWS)
            yield pl.DataFrame(reader.schema.empty_table())
            for batch in reader:
                yield pl.DataFrame(batch)

    def table(self, name: str) -> pl.DataFrame:
        """Return all rows of one view; signals by workspace, trial, file and line.

        In SQL a view has no order but that of ``order by``.

        Raises
        ------
        QueryError
            No view has this name.
        """
        if name not in TABLES:
            raise unknown(name, TABLES, where="views", kind="view")
        if name == "signals":
            return self._signals()
        rows: pl.DataFrame = self.connection.view(name).pl()
        return rows

    def _signals(self) -> pl.DataFrame:
        columns = map(duckdb.ColumnExpression, (*TABLES["signals"].names, ORIGIN, LINE))
        rows: pl.DataFrame = self.connection.view("mirror.signals").select(*columns).pl()
        return in_file_order(rows).drop(ORIGIN, LINE)

    def answer(self, name: str, parameters: Mapping[str, object] = _NOTHING) -> pl.DataFrame:
        """Answer the question of that name, a file of ``queries/answers``, with the columns its head states.

        Raises
        ------
        QueryError
            No question has this name, or a parameter is unknown, missing or of another type.
        """
        if name not in answers():
            raise unknown(name, answers(), where="queries/answers", kind="question")
        query = answers()[name]
        return _ask(self.connection, query.sql, query.values(parameters), where=f"query {name}")

    def views(self) -> pl.DataFrame:
        """List the views: view, grain (what one row is), columns."""
        rows = [(table.name, table.grain, ", ".join(table.names)) for table in TABLES.values()]
        return pl.DataFrame(rows, schema=["view", "grain", "columns"], orient="row")

    def close(self) -> None:
        """Give up memory and temporary files; answers already given stay."""
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _repr_html_(self) -> str:
        with pl.Config(fmt_str_lengths=200, tbl_rows=-1, tbl_hide_dataframe_shape=True):
            return self.views()._repr_html_()


def _create_raw(
    connection: duckdb.DuckDBPyConnection,
    parts: Mapping[str, Sequence[Path]],
    workspaces: Collection[str] | None,
) -> None:
    """Show each table of the mirror as a view in schema ``mirror``; no path enters SQL text."""
    connection.execute("CREATE SCHEMA mirror")
    connection.execute("USE mirror")
    for name, table in _RAW.items():
        paths = [as_pattern(str(path.absolute())) for path in parts.get(name, ())]
        if paths:
            rows = connection.read_parquet(paths, hive_partitioning=False)
            seen = rows if workspaces is None else rows.filter(_is_in(workspaces))
            seen.create_view(name)
        else:
            columns = ", ".join(
                f'NULL::{_mirrored_type(column)} AS "{column.name}"' for column in (*table.columns, *_WHENCE)
            )
            connection.execute(f"CREATE VIEW {name} AS SELECT {columns} WHERE false")
    connection.execute("USE main")


def _mirrored_type(column: Column) -> str:
    return DUCKDB_TYPES[column.type]


def _is_in(workspaces: Collection[str]) -> duckdb.Expression:
    if not workspaces:
        return duckdb.ConstantExpression(False)
    return duckdb.ColumnExpression("workspace").isin(*map(duckdb.ConstantExpression, sorted(workspaces)))


def _ask(
    connection: duckdb.DuckDBPyConnection, text: str, parameters: Mapping[str, object], *, where: str
) -> pl.DataFrame:
    with _refusals(where=where):
        relation = _relation(connection, text, parameters, where=where)
        rows: pl.DataFrame = pl.DataFrame() if relation is None else relation.pl()
    return rows


def _relation(
    connection: duckdb.DuckDBPyConnection, text: str, parameters: Mapping[str, object], *, where: str
) -> duckdb.DuckDBPyRelation | None:
    """Ask, without an answer yet; Polars, which is to hold it, has no intervals."""
    relation = connection.sql(text, params=dict(parameters) or None)
    # Not `if relation`: its length would be counted.
    columns = () if relation is None else zip(relation.columns, relation.types, strict=True)
    for name, kind in columns:
        if _holds_intervals(kind):
            raise QueryError(
                where,
                found=f"intervals in column {name}",
                expected="a type that a frame can hold",
                remedy="cast it to varchar, or count units with date_diff",
            )
    return relation


def _holds_intervals(kind: DuckDBPyType) -> bool:
    inner = kind.children if kind.id in _NESTED else ()
    return kind.id == "interval" or any(
        _holds_intervals(each) for _, each in inner if isinstance(each, DuckDBPyType)
    )


@contextmanager
def _refusals(*, where: str) -> Iterator[None]:
    try:
        yield
    except (duckdb.Error, pl.exceptions.PolarsError) as error:
        raise _query_error(str(error), where=where) from error


def _query_error(message: str, *, where: str) -> QueryError:
    """Say in one line what DuckDB says in several: its reason, the nearest names, the line of the SQL."""
    reason, *more = [line.strip() for line in message.splitlines() if line.strip()] or ["no reason"]
    line = re.search(r"^LINE (\d+):", message, re.MULTILINE)
    hint = next((text for text in more if text.startswith(("Did you mean", "Candidate"))), None)
    return QueryError(
        f"{where}, line {line[1]}" if line else where,
        found=reason,
        expected="SQL over the views that DuckDB can answer",
        remedy=f"{hint[0].lower()}{hint[1:]}" if hint else "correct it",
    )
