"""Prices, ready for every question: typed, sorted, each bar once, with a digest of what they say."""

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from workspace_kit.config import Data
from workspace_kit.prices.check import numbers, one_row_a_bar, suspicious_moves
from workspace_kit.prices.market import traded_symbols
from workspace_kit.prices.shape import tidy
from workspace_kit.prices.source import empty, fetch
from workspace_kit.prices.times import are_midnights, distinct, in_utc


class Prices(NamedTuple):
    """What a workflow knows of the market.

    ``frame`` is `schema.PRICES` and, where the source has them, open, high, low (prices) and volume, which
    alone may be null; sorted by symbol and timestamp. ``digest`` is a sha256 of its content, whatever file
    format, row or column order it came in. ``warnings`` are suspicious moves, flagged and never mended.
    ``source`` says where the prices came from and what a reader of results must know about them.
    """

    frame: pl.DataFrame
    digest: str
    warnings: pl.DataFrame
    source: str


def load_prices(data: Data, *, folder: Path) -> Prices:
    """Read the prices that a workflow names; a relative path starts at the folder.

    A date closes at ``data.close_time`` in ``data.timezone``, and so does midnight where a source knows no
    other time; a naive time lies in that zone. An empty price is no bar.

    Raises
    ------
    NotFound, FileDamaged
        There is no such file, or it cannot be read.
    SchemaMismatch
        Its columns are neither those of long nor of wide prices.
    TimezoneError
        Times with and without an offset, or one that the zone skips or repeats.
    PriceError
        No price at all, an unreadable time, a price that is not positive and finite, or two for one bar.
    ConfigError
        A symbol, benchmark, sample or file type that is not known.
    """
    raw, where, about = fetch(data.prices, folder=folder)
    rows = tidy(raw, columns=data.columns, where=where)
    if rows.is_empty():
        raise empty(where)
    times = distinct(rows, where=where)
    if are_midnights(times):
        times = times.with_columns(pl.col("text").str.head(10))
        about += "; every time is midnight without an offset, so each was read as a date"
    known = in_utc(times, data, where=where)
    timed = rows.with_columns(pl.col("timestamp").replace_strict(known["timestamp"], known["utc"]))
    bars = one_row_a_bar(numbers(timed, where=where), where=where)
    traded_symbols(bars, data)
    moves = suspicious_moves(bars, periods_per_year=data.periods_per_year)
    return Prices(bars, digest(bars), moves, about)


def digests_by_month(bars: pl.DataFrame) -> dict[str, str]:
    """Return the `digest` of the bars of each month (2016-01), its first sixteen digits."""
    months = bars.with_columns(pl.col("timestamp").dt.strftime("%Y-%m").alias("month")).sort(
        "month", "symbol", "timestamp"
    )
    parts = months.partition_by("month", as_dict=True, include_key=False)
    return {month: digest(part)[:16] for (month,), part in parts.items()}


def digest(bars: pl.DataFrame) -> str:
    """Return the sha256 of sorted bars: a JSON head, then each column's values, little endian.

    The head names the columns and counts each symbol's bars, in order; times are microseconds since 1970,
    prices doubles, null the one NaN.
    """
    runs = bars["symbol"].rle().struct.unnest().select("value", "len").rows()
    content = hashlib.sha256(json.dumps({"columns": bars.columns, "symbols": runs}).encode())
    content.update(bars["timestamp"].cast(pl.Int64).to_numpy().astype("<i8").tobytes())
    for name in bars.columns[2:]:
        content.update(bars[name].fill_null(np.nan).to_numpy().astype("<f8").tobytes())
    return content.hexdigest()
