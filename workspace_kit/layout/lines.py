"""Signal files: bytes to rows and faults, and rows to bytes.

A healthy file goes through one columnar parse whose result is proven complete by counting. Whatever the
proof does not cover, such as extra fields, escapes or a damaged line, is read again line by line.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import polars as pl

from workspace_kit import clock
from workspace_kit.errors import SchemaMismatch
from workspace_kit.schema import ACTIONS, NUMBER, STRATEGY_SIGNALS, TABLES, TEXT, Reading

FIELDS = ("timestamp", "symbol", "action", "strength", "strategy")
_AS_WRITTEN: dict[str, pl.DataType] = {**dict.fromkeys(FIELDS, TEXT), "strength": NUMBER}
_LINES = TABLES["signals"].types
MAX_LINE = 16 << 20
EXCERPT = 80


class Zone(NamedTuple):
    """How a workspace's times without an offset are read."""

    timezone: str
    close_time: str


class Fault(NamedTuple):
    """One line that could not be read."""

    line: int | None
    byte_offset: int | None
    reason: str
    excerpt: str


def encode_signals(signals: pl.DataFrame, *, strategy: str) -> bytes:
    """Write signals (`schema.STRATEGY_SIGNALS`) as JSON lines, one signal a line, in the order given."""
    rows = STRATEGY_SIGNALS.check(signals, where=f"signals of strategy {strategy!r}")
    written = rows.select(
        clock.texts("timestamp").alias("timestamp"),
        "symbol",
        "action",
        "strength",
        pl.lit(strategy).alias("strategy"),
    )
    return written.write_ndjson().encode()


def encode_signal(signal: Mapping[str, object], *, where: str) -> bytes:
    """Write one signal as a line, its fields in the order given.

    Raises
    ------
    SchemaMismatch
        A field is missing or has another type, or the action or strength is not one.
    """
    try:
        _check_record(signal)
    except ValueError as error:
        raise SchemaMismatch(
            where,
            found=str(error),
            expected=f"{', '.join(FIELDS)}; an action of {', '.join(ACTIONS)}; a strength from 0 to 1",
            remedy="correct the signal",
        ) from error
    return json.dumps(signal, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def read_signals(data: bytes, *, workspace: str, trial_id: str, path: str, zone: Zone) -> Reading:
    """Read one signal file: rows as table ``signals`` in file order, faults for lines that are not rows.

    Bytes behind the last newline are a record still being written, or torn: reported, never parsed.
    """
    whole, tail = _split(data)
    rows, faults = _parse_proven(whole), list[Fault]()
    if rows is None:
        rows, faults = _parse_lines(whole)
    if tail:
        faults.append(Fault(whole.count(b"\n") + 1, len(whole), "no newline at the end", excerpt(tail)))
    located, more = _locate(rows, zone)
    identity = (pl.lit(workspace).alias("workspace"), pl.lit(trial_id).alias("trial_id"))
    found = pl.DataFrame(
        sorted(faults + more, key=lambda fault: fault.line or 0),
        schema={name: TABLES["faults"].types[name] for name in Fault._fields},
        orient="row",
    )
    return Reading(
        located.with_columns(*identity).select(TABLES["signals"].names),
        found.with_columns(identity[0], pl.lit(path).alias("path")).select(TABLES["faults"].names),
    )


def excerpt(data: bytes) -> str:
    """Return the first bytes for a message, with everything that is not printable escaped."""
    text = data[: EXCERPT * 4].decode("utf-8", "backslashreplace")[:EXCERPT]
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def _split(data: bytes) -> tuple[bytes, bytes]:
    end = data.rfind(b"\n") + 1
    return data[:end], data[end:]


def _parse_proven(data: bytes) -> pl.DataFrame | None:
    """Parse in one go, or return null where counting cannot prove that nothing was lost or bent.

    Each record has eighteen quotes (five names, four texts) and seven colons (five fields, two in the
    time): a doubled, missing or unknown field, or a text where a number belongs, changes one of the counts.
    """
    height = data.count(b"\n")
    if not height or not data.isascii() or b"\\" in data or b"\r" in data:
        return None
    if data.count(b'"') != 18 * height or data.count(b":") != 7 * height:
        return None
    try:
        rows = pl.read_ndjson(data, schema=_AS_WRITTEN)
    except pl.exceptions.PolarsError:
        return None
    complete = (
        rows.height == height and not any(rows.null_count().row(0)) and rows["strength"].is_finite().all()
    )
    if not complete:
        return None
    numbers = pl.int_range(1, height + 1, dtype=pl.Int64, eager=True).alias("line")
    return rows.with_columns(numbers, pl.lit(None, TEXT).alias("extra"))


def _parse_lines(data: bytes) -> tuple[pl.DataFrame, list[Fault]]:
    rows: list[tuple[object, ...]] = []
    faults: list[Fault] = []
    offset = 0
    for number, line in enumerate(_lines(data), 1):
        if line.strip():
            for piece in _records(line):
                try:
                    rows.append((*_record(piece), number))
                except (ValueError, OverflowError, RecursionError) as error:
                    faults.append(Fault(number, offset, _reason(error), excerpt(piece)))
        offset += len(line)
    schema = {**_AS_WRITTEN, "extra": TEXT, "line": pl.Int64()}
    return pl.DataFrame(rows, schema=schema, orient="row"), faults


def _lines(data: bytes) -> list[bytes]:
    """Lines by newline alone: a carriage return is white space, not an end."""
    return [line + b"\n" for line in data.split(b"\n")[:-1]]


def _records(line: bytes) -> list[bytes]:
    """Return the line, or its two halves where a torn record has another glued behind it."""
    torn = re.match(rb'(?s)(.*[^{\s,:\[])(\{"timestamp":.*)', line.rstrip())
    return [torn[1], torn[2]] if torn else [line.removeprefix(b"\xef\xbb\xbf").strip()]


def _record(line: bytes) -> tuple[object, ...]:
    """Return the five fields and the rest as JSON text.

    Raises
    ------
    ValueError
        Says what is wrong with the line.
    """
    if len(line) > MAX_LINE:
        raise ValueError(f"longer than {MAX_LINE} bytes")
    record = parse_json(line)
    if not isinstance(record, dict):
        raise ValueError("not an object")
    _check_fields(record)
    extra = {name: value for name, value in record.items() if name not in FIELDS}
    rest = json.dumps(extra, ensure_ascii=False, allow_nan=False) if extra else None
    return (*(record[name] for name in FIELDS[:3]), float(record["strength"]), record["strategy"], rest)


def _check_fields(record: Mapping[str, object]) -> None:
    for name in FIELDS:
        value = record.get(name)
        wanted = (int, float) if name == "strength" else str
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise ValueError(f"{name!r} is {'missing' if name not in record else ascii(value)[:40]}")


def _check_record(record: Mapping[str, Any]) -> None:
    _check_fields(record)
    if record["action"] not in ACTIONS:
        raise ValueError(f"the action {ascii(record['action'])[:40]}")
    if not 0 <= record["strength"] <= 1:
        raise ValueError(f"the strength {record['strength']}")


def parse_json(data: bytes) -> Any:
    """Read JSON strictly: no NaN or infinity, no doubled key, no number beyond a float.

    Raises
    ------
    ValueError
        Says what is wrong.
    """
    return json.loads(
        data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} twice")
    return record


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a number in JSON")


def _finite(text: str) -> float:
    value = float(text)
    if value in {float("inf"), float("-inf")}:
        raise ValueError(f"{text} is beyond the largest number")
    return value


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON: {error.msg} at column {error.colno}"
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)


def _locate(rows: pl.DataFrame, zone: Zone) -> tuple[pl.DataFrame, list[Fault]]:
    """Turn times into instants and refuse rows that name none, or an unknown action or strength."""
    form = clock.forms(rows["timestamp"])
    aware = form == clock.AWARE
    mixed = aware.any() and (form == clock.NAIVE).any()
    first_is_aware = bool(aware.drop_nulls().first()) if mixed else False
    instants = clock.to_utc(rows["timestamp"], timezone=zone.timezone, close_time=zone.close_time)
    told = rows.with_columns(
        instants.alias("instant"),
        pl.when(instants.is_null())
        .then(pl.concat_str(pl.lit("no instant: "), pl.col("timestamp")))
        .when(pl.lit(mixed) & (form != clock.DATE) & (aware != first_is_aware))
        .then(pl.lit("times with and without an offset in one file"))
        .when(~pl.col("action").is_in(ACTIONS))
        .then(pl.concat_str(pl.lit("unknown action "), pl.col("action")))
        .when(~pl.col("strength").is_between(0, 1))
        .then(pl.concat_str(pl.lit("strength outside 0 to 1: "), pl.col("strength").cast(TEXT)))
        .alias("reason"),
    )
    bad = told.filter(pl.col("reason").is_not_null())
    faults = [
        Fault(line, None, excerpt(reason.encode()), "")
        for line, reason in bad.select("line", "reason").iter_rows()
    ]
    good = told.filter(pl.col("reason").is_null()).with_columns(pl.col("instant").alias("timestamp"))
    return good.select("timestamp", "symbol", "action", "strength", "strategy", "extra"), faults
