"""From times as a source wrote them to naive UTC, or an error that names the row."""

import polars as pl

from workspace_kit import clock
from workspace_kit.config import Data
from workspace_kit.errors import PriceError, SchemaMismatch, TimezoneError

_MIDNIGHT = r"[Tt ]00:00(:00(\.0+)?)?$"


def as_text(rows: pl.DataFrame, *, where: str) -> pl.DataFrame:
    """Return the rows with ``timestamp`` as text, so that every format's times meet the same rules.

    Raises
    ------
    SchemaMismatch
        The column holds neither text, dates nor times.
    """
    column = pl.col("timestamp")
    kind = rows.schema["timestamp"]
    if isinstance(kind, pl.String | pl.Categorical | pl.Enum | pl.Null):
        text = column.cast(pl.String).str.strip_chars()
    elif isinstance(kind, pl.Date):
        text = column.dt.to_string("%Y-%m-%d")
    elif isinstance(kind, pl.Datetime):
        offset = "Z" if kind.time_zone else ""
        utc = column.dt.convert_time_zone("UTC") if kind.time_zone else column
        text = utc.dt.to_string(f"%Y-%m-%dT%H:%M:%S%.f{offset}")
    else:
        raise SchemaMismatch(
            f"{where}, time column",
            found=f"the type {kind}",
            expected="text, dates or times",
            remedy="write times as text such as 2020-01-31T21:00:00Z",
        )
    return rows.with_columns(text)


def is_dated_at_midnight(rows: pl.DataFrame) -> bool:
    """Whether every time is midnight without an offset: a date, by a writer that cannot say one otherwise."""
    return bool(rows["timestamp"].str.contains(_MIDNIGHT).all()) and not rows.is_empty()


def in_utc(rows: pl.DataFrame, data: Data, *, where: str) -> pl.DataFrame:
    """Return the rows with ``timestamp`` as naive UTC: dates close at `close_time`, naive times are local.

    Raises
    ------
    TimezoneError
        Times with and without an offset, or one that the zone skips or repeats when clocks change.
    PriceError
        A time that cannot be read.
    """
    each = rows.group_by("timestamp", maintain_order=True).agg(pl.col("row").min())
    each = each.with_columns(
        clock.forms(each["timestamp"]).alias("form"),
        clock.to_utc(each["timestamp"], timezone=data.timezone, close_time=data.close_time).alias("utc"),
    )
    _refuse_unreadable(each.filter(pl.col("form").is_null()), where=where)
    _refuse_mixed(each, where=where)
    _refuse_unreal(each.filter(pl.col("utc").is_null()), data, where=where)
    return rows.with_columns(
        pl.col("timestamp").replace_strict(each["timestamp"], each["utc"], return_dtype=each.schema["utc"])
    )


def _refuse_unreadable(each: pl.DataFrame, *, where: str) -> None:
    for time, row in each.select("timestamp", "row").head(1).iter_rows():
        raise PriceError(
            f"{where}, row {row}",
            found=f"the time {time!r}" if time else "no time",
            expected="a time such as 2020-01-31, 2020-01-31T16:00:00 or 2020-01-31T21:00:00Z",
            remedy="correct the row",
        )


def _refuse_mixed(each: pl.DataFrame, *, where: str) -> None:
    aware = each["form"] == clock.AWARE
    if aware.any() and not aware.all():
        (with_offset, row), (without, other) = (
            each.filter(which).select("timestamp", "row").row(0) for which in (aware, ~aware)
        )
        raise TimezoneError(
            where,
            found=f"{with_offset!r} in row {row} and {without!r} in row {other}",
            expected="all times with an offset, or none",
            remedy="write the times in one form",
        )


def _refuse_unreal(each: pl.DataFrame, data: Data, *, where: str) -> None:
    for time, row, form in each.select("timestamp", "row", "form").head(1).iter_rows():
        closing = f", closing at {data.close_time}," if form == clock.DATE else ""
        raise TimezoneError(
            f"{where}, row {row}",
            found=f"{time!r}{closing} which does not exist or exists twice in {data.timezone}",
            expected="a time that names one instant",
            remedy="write the times with an offset, or correct data.timezone or data.close_time",
        )
