"""From a long or wide frame to one row per price, values still as they were written."""

import polars as pl

from workspace_kit.errors import SchemaMismatch

TIME_NAMES = ("timestamp", "date", "datetime", "time")
OPTIONAL = ("open", "high", "low", "volume")


def tidy(raw: pl.DataFrame, *, where: str) -> pl.DataFrame:
    """Return one row per price that is there: row (from 1), timestamp, symbol, close and what else is known.

    A frame with the columns symbol and close is long, any other wide: a column per symbol. Names of the
    columns of long frames and of the time column count in any case.

    Raises
    ------
    SchemaMismatch
        No time column, symbol without close or the reverse, no symbol, or a column that holds no numbers.
    """
    time = next((name for name in raw.columns if name.lower() in TIME_NAMES), None)
    known = {name.lower(): name for name in reversed(raw.columns)}
    if time is None or ("symbol" in known) != ("close" in known) or raw.width < 2 or "" in raw.columns:
        raise SchemaMismatch(
            where,
            found=f"the columns {', '.join(map(repr, raw.columns[:8]))}{', …' if raw.width > 8 else ''}",
            expected=f"{', '.join(TIME_NAMES[:-1])} or {TIME_NAMES[-1]}, and symbol and close, "
            "or a column per symbol",
            remedy="rename the columns",
        )
    rows = _long(raw, time, known, where=where) if "symbol" in known else _wide(raw, time, where=where)
    return rows.filter(pl.col("close").is_not_null())


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
