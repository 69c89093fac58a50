"""From a long or wide frame to one row per price, values still as they were written."""

import msgspec
import polars as pl

from workspace_kit import clock
from workspace_kit.config import Columns
from workspace_kit.errors import SchemaMismatch

TIME_NAMES = ("timestamp", "date", "datetime", "time")
OPTIONAL = ("open", "high", "low", "volume")
# Enough values to see that a column holds names, not prices.
GLANCE = 20


def tidy(raw: pl.DataFrame, *, columns: Columns, where: str) -> pl.DataFrame:
    """Return one row per price that is there: row (from 1), timestamp, symbol, close and what else is known.

    A frame with the columns symbol and close is long, any other wide: a column per symbol. Names of the
    columns of long frames and of the time column count in any case; ``columns`` names those called otherwise.

    Raises
    ------
    SchemaMismatch
        No time column, symbol without close or the reverse, no symbol, a column that holds no numbers, or one
        that ``columns`` names and that is not there.
    """
    raw = _renamed(raw, columns, where=where)
    time = next((name for name in raw.columns if name.lower() in TIME_NAMES), None)
    known = {name.lower(): name for name in reversed(raw.columns)}
    if time is None or ("symbol" in known) != ("close" in known) or raw.width < 2 or "" in raw.columns:
        raise _unclear(raw, where=where)
    if "symbol" not in known and (_texts(raw.drop(time)) or _closes(raw)):
        raise _unclear(raw, where=where)
    rows = _long(raw, time, known, where=where) if "symbol" in known else _wide(raw, time, where=where)
    return rows.filter(pl.col("close").is_not_null())


def _renamed(raw: pl.DataFrame, columns: Columns, *, where: str) -> pl.DataFrame:
    """Call the columns named as they are called here; one that had that name already is left out."""
    given: dict[str, str] = msgspec.to_builtins(columns)
    for name, called in given.items():
        if called not in raw.columns:
            raise SchemaMismatch(
                where,
                found=_listed(raw),
                expected=f"{called!r}, as data.columns.{name} says",
                remedy="correct data.columns",
            )
    others = [name for name in raw.columns if name not in given.values() and name.lower() not in given]
    return raw.select(*(pl.col(called).alias(name) for name, called in given.items()), *others)


def _unclear(raw: pl.DataFrame, *, where: str) -> SchemaMismatch:
    """Return the error for columns that are neither long nor wide, with the remedy that is nearest."""
    texts = _texts(raw)
    times = [name for name in raw.columns if name.lower() in TIME_NAMES] or [
        name for name in texts if clock.forms(raw[name].drop_nulls().head(GLANCE)).is_not_null().all()
    ]
    names = [name for name in texts if name not in times]
    return SchemaMismatch(
        where,
        found=_listed(raw) + (f", of which {names[0]!r} holds no numbers" if names else ""),
        expected=f"{', '.join(TIME_NAMES[:-1])} or {TIME_NAMES[-1]}, and symbol and close, "
        "or a column per symbol",
        remedy=_remedy(raw, times[:1], names[:1], _closes(raw)),
    )


def _remedy(raw: pl.DataFrame, times: list[str], names: list[str], closes: list[str]) -> str:
    if raw.width == 1:
        return "separate the columns by commas"
    if times and closes and not names:
        return "add a column symbol with the name of the instrument"
    adjusted = [name for name in closes if "adj" in name.lower()]
    meant = {"timestamp": times or ["…"]}
    if names or closes:
        meant |= {"symbol": names or ["…"], "close": adjusted or closes or ["…"]}
    mapping = ", ".join(
        f"{name}: {called[0]}" for name, called in meant.items() if called[0].lower() not in TIME_NAMES
    )
    return f"rename the columns, or say what they are called, as in `columns: {{{mapping}}}` under data"


def _listed(raw: pl.DataFrame) -> str:
    return f"the columns {', '.join(map(repr, raw.columns[:8]))}{', …' if raw.width > 8 else ''}"


def _texts(raw: pl.DataFrame) -> list[str]:
    """Columns that begin with values none of which is a number."""
    texts = raw.select(pl.col(pl.String, pl.Categorical, pl.Enum)).columns
    return [name for name in texts if _is_text(raw[name].drop_nulls().head(GLANCE).cast(pl.String))]


def _is_text(values: pl.Series) -> bool:
    return bool(values.len() and values.cast(pl.Float64, strict=False).is_null().all())


def _closes(raw: pl.DataFrame) -> list[str]:
    return [name for name in raw.columns if "close" in name.lower()]


def _long(raw: pl.DataFrame, time: str, known: dict[str, str], *, where: str) -> pl.DataFrame:
    values = [name for name in ("close", *OPTIONAL) if name in known]
    _refuse_other_than_numbers(raw.select(known[name] for name in values), where=where)
    return raw.select(
        pl.int_range(1, pl.len() + 1).alias("row"),
        pl.col(time).alias("timestamp"),
        pl.col(known["symbol"]).cast(pl.String).alias("symbol"),
        *(pl.col(known[name]).alias(name) for name in values),
    )


def _wide(raw: pl.DataFrame, time: str, *, where: str) -> pl.DataFrame:
    closes = raw.drop(time)
    _refuse_other_than_numbers(closes, where=where)
    kind = pl.String if pl.String in closes.dtypes else pl.Float64
    rows = pl.int_range(1, raw.height + 1, eager=True)
    return (
        closes.cast(kind)
        .unpivot(variable_name="symbol", value_name="close")
        .with_columns(
            pl.concat([rows] * closes.width).alias("row"),
            pl.concat([raw[time]] * closes.width).alias("timestamp"),
        )
    )


def _refuse_other_than_numbers(values: pl.DataFrame, *, where: str) -> None:
    for name, kind in values.schema.items():
        if not (kind.is_numeric() or isinstance(kind, pl.String | pl.Null)):
            raise SchemaMismatch(
                f"{where}, column {name!r}",
                found=f"the type {kind}",
                expected="numbers",
                remedy="convert or remove the column",
            )
