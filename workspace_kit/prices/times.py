"""From times as a source wrote them to naive UTC, or an error that names the row."""

import polars as pl

from workspace_kit import clock
from workspace_kit.config import Data
from workspace_kit.errors import PriceError, SchemaMismatch, TimezoneError

_MIDNIGHT = r"[Tt ]00:00(:00(\.0+)?)?$"


def distinct(rows: pl.DataFrame, *, where: str) -> pl.DataFrame:
    """Return each time once: timestamp as the source has it, text, and the first row it stands in.

    Every format's times become text, so that they meet the same rules.

    Raises
    ------
    SchemaMismatch
        The column holds neither text, dates nor times.
    """
    times = rows.group_by("timestamp", maintain_order=True).agg(pl.col("row").min())
    return times.with_columns(_text(rows.schema["timestamp"], where=where).alias("text"))


def _text(kind: pl.DataType, *, where: str) -> pl.Expr:
    column = pl.col("timestamp")
    if isinstance(kind, pl.String | pl.Categorical | pl.Enum | pl.Null):
        return column.cast(pl.String).str.strip_chars()
    if isinstance(kind, pl.Date):
        return column.dt.to_string("%Y-%m-%d")
    if isinstance(kind, pl.Datetime):
        offset = "Z" if kind.time_zone else ""
        utc = column.dt.convert_time_zone("UTC") if kind.time_zone else column
        return utc.dt.to_string(f"%Y-%m-%dT%H:%M:%S%.f{offset}")
    raise SchemaMismatch(
        f"{where}, time column",
        found=f"the type {kind}",
        expected="text, dates or times",
        remedy="write times as text such as 2020-01-31T21:00:00Z",
    )


def are_midnights(times: pl.DataFrame) -> bool:
    """Whether every time is midnight without an offset: a date, by a writer that cannot say one otherwise."""
    return bool(times["text"].str.contains(_MIDNIGHT).all())


def in_utc(times: pl.DataFrame, data: Data, *, where: str) -> pl.DataFrame:
    """Return the times with ``utc``, naive: dates close at `close_time`, times without an offset are local.

    Raises
    ------
    TimezoneError
        Times with and without an offset, or one that the zone skips or repeats when clocks change.
    PriceError
        A time that cannot be read.
    """
    known = times.with_columns(
        clock.forms(times["text"]).alias("form"),
        clock.to_utc(times["text"], timezone=data.timezone, close_time=data.close_time).alias("utc"),
    )
    _refuse_unreadable(known.filter(pl.col("form").is_null()), where=where)
    _refuse_mixed(known, where=where)
    _refuse_unreal(known.filter(pl.col("utc").is_null()), data, where=where)
    return known


def _refuse_unreadable(times: pl.DataFrame, *, where: str) -> None:
    for time, row in times.select("text", "row").head(1).iter_rows():
        raise PriceError(
            f"{where}, row {row}",
            found=f"the time {time!r}" if time else "no time",
            expected="a time such as 2020-01-31, 2020-01-31T16:00:00 or 2020-01-31T21:00:00Z",
            remedy="correct the row",
        )


def _refuse_mixed(times: pl.DataFrame, *, where: str) -> None:
    aware = times["form"] == clock.AWARE
    if aware.any() and not aware.all():
        (with_offset, row), (without, other) = (
            times.filter(which).select("text", "row").row(0) for which in (aware, ~aware)
        )
        raise TimezoneError(
            where,
            found=f"{with_offset!r} in row {row} and {without!r} in row {other}",
            expected="all times with an offset, or none",
            remedy="write the times in one form",
        )


def _refuse_unreal(times: pl.DataFrame, data: Data, *, where: str) -> None:
    for time, row, form in times.select("text", "row", "form").head(1).iter_rows():
        closing = f", closing at {data.close_time}," if form == clock.DATE else ""
        raise TimezoneError(
            f"{where}, row {row}",
            found=f"{time!r}{closing} which does not exist or exists twice in {data.timezone}",
            expected="a time that names one instant",
            remedy="write the times with an offset, or correct data.timezone or data.close_time",
        )
