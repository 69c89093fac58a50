"""DuckDB as a peer."""

import duckdb


def connect() -> duckdb.DuckDBPyConnection:
    """Open a database in memory; it draws no bar, as it does where it takes a process for a person's."""
    connection = duckdb.connect()
    connection.execute("set enable_progress_bar = false")
    return connection
