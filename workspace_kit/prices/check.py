"""Prices as numbers and each bar once, or an error that names the row; suspicious moves are only marked."""

from datetime import datetime

import polars as pl

from workspace_kit.errors import PriceError
from workspace_kit.prices.shape import OPTIONAL
from workspace_kit.schema import NUMBER, TEXT, TIME, Column, Table

WARNINGS = Table(
    "price warnings",
    "suspicious move",
    (
        Column("symbol", TEXT, "the instrument"),
        Column("timestamp", TIME, "close of the bar, UTC"),
        Column("change", NUMBER, "simple return since the price before, 0.1 is 10 %"),
        Column("reason", TEXT, "what is suspicious"),
    ),
)
_NEAR_SPLIT = 0.01
_LARGEST_SPLIT = 20
_LARGEST_RISE = ((12, 1.5), (52, 0.8))
_LARGEST_DAILY_RISE = 0.4
_LARGEST_FALL = 0.6


def numbers(rows: pl.DataFrame, *, where: str) -> pl.DataFrame:
    """Return the rows with prices and volume as floats; only open, high, low and volume may be null.

    Raises
    ------
    PriceError
        A symbol without a name; text that is no number; a price that is NaN, infinite, zero or negative; a
        volume that is NaN, infinite or negative. The first is named, further ones are counted.
    """
    _refuse(rows, pl.col("symbol").is_null() | (pl.col("symbol") == ""), "symbol", "a name", where=where)
    for name in (name for name in ("close", *OPTIONAL) if name in rows.columns):
        value = pl.col(name).cast(pl.Float64, strict=False)
        is_number = value.is_not_null() & value.is_finite()
        is_possible = is_number & ((value >= 0) if name == "volume" else (value > 0))
        expected = "a finite number, zero or more" if name == "volume" else "a positive finite number"
        _refuse(rows, pl.col(name).is_not_null() & ~is_possible, name, expected, where=where)
        rows = rows.with_columns(value)
    return rows


def _refuse(rows: pl.DataFrame, is_wrong: pl.Expr, name: str, expected: str, *, where: str) -> None:
    wrong = rows.filter(is_wrong).sort("row")
    for first in wrong.head(1).iter_rows(named=True):
        more = f", and {wrong.height - 1} more such" if wrong.height > 1 else ""
        raise PriceError(
            f"{where}, row {first['row']}, symbol {first['symbol']!r}, time {_shown(first['timestamp'])}",
            found=f"{name} {first[name]!r}{more}",
            expected=expected,
            remedy="correct the row, or leave the price empty where there is none",
        )


def one_row_a_bar(rows: pl.DataFrame, *, where: str) -> pl.DataFrame:
    """Return each bar once, sorted by symbol and timestamp; rows that say the same collapse.

    Raises
    ------
    PriceError
        Two rows for one symbol and time disagree.
    """
    values = [name for name in ("close", *OPTIONAL) if name in rows.columns]
    bars = (
        rows.sort("symbol", "timestamp", "row")
        .with_columns(
            _as_before(["symbol", "timestamp"]).alias("is_again"),
            _as_before(values).alias("is_equal"),
            pl.col("row").shift().alias("other"),
        )
        .filter(~(pl.col("is_again") & pl.col("is_equal")))
    )
    for bar in bars.filter("is_again").head(1).iter_rows(named=True):
        raise PriceError(
            f"{where}, rows {bar['other']} and {bar['row']}",
            found=f"different prices for {bar['symbol']!r} at {_shown(bar['timestamp'])}",
            expected="one price for a symbol and time",
            remedy="remove one of the rows",
        )
    return bars.select("timestamp", "symbol", *values)


def _as_before(names: list[str]) -> pl.Expr:
    return pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).shift()) for name in names)


def _shown(moment: datetime) -> str:
    return f"{moment.isoformat()}Z"


def suspicious_moves(bars: pl.DataFrame, *, periods_per_year: float) -> pl.DataFrame:
    """Return the moves that an unadjusted split would leave, as `WARNINGS`, by symbol and time.

    A move is suspicious within 1 % of a whole multiple (2, 3, … 20) or its inverse, or beyond what a bar of
    that length may do: a rise of 40 % daily, 80 % weekly, 150 % monthly; a fall of the same, at most 60 %.
    """
    rise = next((limit for most, limit in _LARGEST_RISE if periods_per_year <= most), _LARGEST_DAILY_RISE)
    ratio = pl.col("ratio")
    multiple = pl.max_horizontal(ratio, 1 / ratio)
    whole = multiple.round(0)
    is_split = whole.is_between(2, _LARGEST_SPLIT) & ((multiple / whole - 1).abs() <= _NEAR_SPLIT)
    is_beyond = (ratio > 1 + rise) | (ratio < 1 - min(rise, _LARGEST_FALL))
    split = pl.format(
        "near {} for {}, as an unadjusted split leaves",
        pl.when(ratio < 1).then(whole).otherwise(1.0).cast(pl.Int64),
        pl.when(ratio < 1).then(1.0).otherwise(whole).cast(pl.Int64),
    )
    moves = bars.with_columns((pl.col("close") / pl.col("close").shift().over("symbol")).alias("ratio"))
    return moves.filter(is_split | is_beyond).select(
        "symbol",
        "timestamp",
        (ratio - 1).alias("change"),
        pl.when(is_split).then(split).otherwise(pl.lit(f"beyond {rise:.0%} in one bar")).alias("reason"),
    )
