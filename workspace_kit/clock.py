"""How times written as text become instants: naive UTC in frames, RFC 3339 with ``Z`` on disk."""

import datetime as dt
import re
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl

from workspace_kit.errors import TimezoneError
from workspace_kit.schema import TIME

DATE, NAIVE, AWARE = "date", "naive", "aware"

# Later than 2099 the time zone databases disagree on when clocks change.
_DAY = r"(?:1[0-9]|20)[0-9]{2}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_DATE = rf"^{_DAY}$"
_TIME = rf"^({_DAY})[Tt ]({_CLOCK}(?::[0-5][0-9](?:\.[0-9]{{1,9}})?)?)"
_OFFSET = r"([Zz]|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])$"
_READABLE = re.compile(f"{_DATE}|{_TIME}({_OFFSET}|$)")


def forms(text: pl.Series) -> pl.Series:
    """Which form each time has: date, naive or aware; null where it is none of them."""
    return (
        text.to_frame("text")
        .select(
            pl.when(pl.col("text").str.contains(_DATE))
            .then(pl.lit(DATE))
            .when(pl.col("text").str.contains(_TIME + "$"))
            .then(pl.lit(NAIVE))
            .when(pl.col("text").str.contains(_TIME + _OFFSET))
            .then(pl.lit(AWARE))
            .alias("form")
        )
        .to_series()
    )


def to_utc(text: pl.Series, *, timezone: str, close_time: str) -> pl.Series:
    """Read times: a date closes at ``close_time``, a naive time lies in ``timezone``; null where unreadable.

    A naive time that the zone skips or repeats when clocks change is unreadable too: it names no instant.
    So is a year before 1000 or after 2099.
    """
    form = forms(text)
    day_time = pl.concat_str(pl.col("text").str.extract(_TIME, 1), pl.lit("T"), _seconds())
    frame = text.to_frame("text").with_columns(form.alias("form"))
    local = (
        pl.when(pl.col("form") == DATE)
        .then(pl.concat_str(pl.col("text"), pl.lit(f"T{_with_seconds(close_time)}")))
        .when(pl.col("form") == NAIVE)
        .then(day_time)
        .str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False)
        .dt.replace_time_zone(timezone, ambiguous="null", non_existent="null")
    )
    offset = pl.col("text").str.extract(_OFFSET, 1).str.replace("(?i)z", "+00:00").str.replace(":", "")
    aware = (
        pl.when(pl.col("form") == AWARE)
        .then(pl.concat_str(day_time, offset))
        .str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%z", time_unit="us", time_zone="UTC", strict=False)
    )
    return frame.select(
        pl.coalesce(local.dt.convert_time_zone("UTC"), aware).dt.replace_time_zone(None).cast(TIME)
    ).to_series()


def _with_seconds(time: str) -> str:
    return time if len(time) > len("HH:MM") else f"{time}:00"


def _seconds() -> pl.Expr:
    time = pl.col("text").str.extract(_TIME, 2)
    return pl.when(time.str.len_bytes() == 5).then(pl.concat_str(time, pl.lit(":00"))).otherwise(time)


def instant(written: str, *, timezone: str, close_time: str) -> dt.datetime | None:
    """Read one time as `to_utc` reads a column of them."""
    if not _READABLE.match(written):
        return None
    try:
        local = dt.datetime.fromisoformat(
            f"{written}T{close_time}" if len(written) == 10 else written.upper()
        )
    except ValueError:
        return None
    if local.tzinfo is None:
        local = local.replace(tzinfo=ZoneInfo(timezone))
        if local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset():
            return None
    return local.astimezone(dt.UTC).replace(tzinfo=None)


def text(moment: dt.datetime) -> str:
    """Write an instant (naive means UTC) as RFC 3339, without a fraction where it is zero."""
    utc = moment if moment.tzinfo is None else moment.astimezone(dt.UTC).replace(tzinfo=None)
    return f"{utc.isoformat()}Z"


def texts(column: str) -> pl.Expr:
    """Write a column of instants as `text` does."""
    moment = pl.col(column)
    whole = moment.dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        pl.when(moment.dt.microsecond() == 0)
        .then(whole)
        .otherwise(moment.dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ"))
    )


def moments(column: str) -> pl.Expr:
    """Read a column of instants that `texts` wrote."""
    return pl.col(column).str.strip_suffix("Z").str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us")


def moment(written: str) -> dt.datetime:
    """Read an instant that `text` wrote."""
    return dt.datetime.fromisoformat(written).astimezone(dt.UTC).replace(tzinfo=None)


def check_zone(name: str, *, where: str) -> ZoneInfo:
    """Return the time zone of that name."""
    try:
        # Both readers of times have to know it: one reads columns, the other single times.
        pl.Series([], dtype=pl.Datetime).dt.replace_time_zone(name)
        return ZoneInfo(name)
    except (pl.exceptions.ComputeError, ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise TimezoneError(
            where,
            found=f"{name!r}",
            expected="an IANA zone such as UTC or America/New_York",
            remedy="correct it",
        ) from error
