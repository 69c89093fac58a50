"""A catalog as one database file for any DuckDB client: a snapshot of its views, its questions as macros."""

import datetime as dt
import re
from pathlib import Path

import duckdb

from workspace_kit.views.catalog import Catalog
from workspace_kit.views.queries import Parameter, Query, answers, shared, staging

# What every client since DuckDB 1.0 reads; the format of this library's own version, no older one does.
STORAGE_VERSION = "v1.0.0"
_PUBLISHED = "published"


def publish(catalog: Catalog, database: Path, *, as_of: dt.datetime, root: str) -> None:
    """Write the views of a catalog into a new database file.

    Each view becomes a table of the rows it has now, but ``signals``, which stays a view over the Parquet
    files below; each question of ``queries/answers`` becomes a table macro with its parameters. Table
    ``as_of`` has one row: as_of (the instant it is a snapshot of, in UTC) and root.
    """
    connection = catalog.connection
    signals = _over_its_files(connection, staging()["signals"])
    connection.execute(
        f"ATTACH $database AS {_PUBLISHED} (STORAGE_VERSION '{STORAGE_VERSION}')", {"database": str(database)}
    )
    for name in [*staging(), *shared()]:
        if name != "signals":
            connection.execute(f"CREATE TABLE {_PUBLISHED}.{name} AS FROM {name}")
    connection.execute(f"USE {_PUBLISHED}")
    connection.execute(f"CREATE VIEW signals AS {signals}")
    connection.execute(
        "CREATE TABLE as_of AS SELECT $as_of::TIMESTAMP AS as_of, $root::VARCHAR AS root",
        {"as_of": as_of, "root": root},
    )
    for query in answers().values():
        connection.execute(_macro(query))
    connection.execute("USE memory")
    connection.execute(f"DETACH {_PUBLISHED}")


def _over_its_files(connection: duckdb.DuckDBPyConnection, query: Query) -> str:
    """Return the SQL of a view with its table of the mirror spelt out, as DuckDB itself wrote that down.

    A view that names another one is not found by older clients where its database is attached.
    """
    ((below,),) = connection.sql(
        "select sql from duckdb_views() where schema_name = 'mirror' and view_name = $name",
        params={"name": query.name},
    ).fetchall()
    select = below.split(" AS ", 1)[1].rstrip(";")
    return re.sub(rf"\bmirror\.{query.name}\b", lambda _: f"({select}) AS {query.name}", query.sql)


def is_published(path: Path) -> bool:
    """Whether a file is a catalog that was published: another, or one that a program writes to, is none."""
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            found = connection.sql("select table_name from duckdb_tables()").fetchall()
    except duckdb.Error:
        return False
    return {("as_of",), ("performance",)} <= set(found)


def _macro(query: Query) -> str:
    """Return the question as a macro; a named parameter stands there as it is, without its sign."""
    parameters = ", ".join(_parameter(parameter) for parameter in query.parameters)
    body = re.sub(r"\$([a-z_]+)", r"\1", query.sql)
    return f"CREATE MACRO {query.name}({parameters}) AS TABLE {body}"


def _parameter(parameter: Parameter) -> str:
    if parameter.required:
        return parameter.name
    if parameter.default is None:
        return f"{parameter.name} := NULL"
    is_text = isinstance(parameter.default, str)
    default = "'" + str(parameter.default).replace("'", "''") + "'" if is_text else parameter.default
    return f"{parameter.name} := {default}"
