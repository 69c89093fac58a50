"""SQL: the mirror's Parquet files as DuckDB views, and the questions of ``queries/`` asked of them."""

from workspace_kit.views.catalog import Catalog
from workspace_kit.views.published import is_published, publish
from workspace_kit.views.queries import Parameter, Query, answers, parse_query, shared, staging, unknown
from workspace_kit.views.raw import raw_sql

__all__ = [
    "Catalog",
    "Parameter",
    "Query",
    "answers",
    "is_published",
    "parse_query",
    "publish",
    "raw_sql",
    "shared",
    "staging",
    "unknown",
]
