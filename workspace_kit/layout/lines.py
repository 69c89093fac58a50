"""Lines of signal files: one line to a record or to what is wrong with it, and rows to bytes.

This is the exact way, line by line; `layout.signals` goes it where its quick way proves nothing.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec
import polars as pl

from workspace_kit import clock
from workspace_kit.errors import SchemaMismatch
from workspace_kit.schema import ACTIONS, COUNT, LINE, NUMBER, STRATEGY_SIGNALS, TEXT

FIELDS = ("timestamp", "symbol", "action", "strength", "strategy")
AS_WRITTEN: dict[str, pl.DataType] = {**dict.fromkeys(FIELDS, TEXT), "strength": NUMBER}
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
MARK_SKIPPED = "a byte order mark, skipped"
CRLF_READ = "lines end in CRLF, read as LF"
READ_ALL_THE_SAME = frozenset({MARK_SKIPPED, CRLF_READ})
TORN_TAIL = "no newline at the end"
_ESCAPED_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
MAX_LINE = 16 << 20
EXCERPT = 80


class Fault(NamedTuple):
    """One line that could not be read."""

    line: int | None
    byte_offset: int | None
    length: int | None
    reason: str
    excerpt: str


def encode_signals(signals: pl.DataFrame, *, strategy: str) -> bytes:
    """Write signals (`schema.STRATEGY_SIGNALS`) as JSON lines, one signal a line, in the order given.

    Raises
    ------
    SchemaMismatch
        A column is missing or of another type, a value null, or an action or strength is not one.
    """
    where = f"signals of strategy {strategy!r}"
    rows = STRATEGY_SIGNALS.check(signals, where=where)
    is_one = pl.col("action").is_in(ACTIONS) & pl.col("strength").is_between(0, 1)
    wrong = rows.filter(~(is_one & pl.all_horizontal(pl.all().is_not_null())).fill_null(False))
    if wrong.height:
        raise SchemaMismatch(
            where,
            found=f"{wrong.height} row(s) that are no signals, the first {wrong.row(0)}",
            expected=f"no nulls; an action of {', '.join(ACTIONS)}; a strength from 0 to 1",
            remedy="correct the rows",
        )
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
        A field is missing or has another type, the time, action or strength is not one, or a further field
        cannot be written as JSON.
    """
    try:
        _check_record(signal)
        text = json.dumps(signal, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return _check_length(_utf8(text)) + b"\n"
    except (ValueError, TypeError, RecursionError) as error:
        raise SchemaMismatch(
            where,
            found=reason_of(error),
            expected=f"{', '.join(FIELDS)}; an action of {', '.join(ACTIONS)}; a strength from 0 to 1",
            remedy="correct the signal",
        ) from error


def salvage(data: bytes) -> tuple[bytes, int]:
    """Return the lines that are records, byte for byte, and how many places had to be left out or parted.

    Of two records glued together each half that is one gets a line of its own. Bytes behind the last newline
    were never committed. A record of no meaning, such as an unknown action, stays: a person may correct it.
    """
    whole, tail = split(data)
    lines = [_records(line) for line in _lines(whole) if line.strip()]
    good = [[piece for piece in pieces if _is_record(piece)] for pieces in lines]
    damaged = sum(len(pieces) > 1 or not kept for pieces, kept in zip(lines, good, strict=True))
    return b"".join(piece.strip() + b"\n" for kept in good for piece in kept), damaged + bool(tail)


def _is_record(piece: bytes) -> bool:
    try:
        _record(piece)
    except (ValueError, OverflowError, RecursionError):
        return False
    return True


def excerpt(data: bytes) -> str:
    """Return the first bytes for a message, with everything that is not printable escaped."""
    text = data[: EXCERPT * 4].decode("utf-8", "backslashreplace")[:EXCERPT]
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def split(data: bytes) -> tuple[bytes, bytes]:
    """Return the whole lines, and what lies behind the last newline."""
    end = data.rfind(b"\n") + 1
    return data[:end], data[end:]


def parse_lines(data: bytes) -> tuple[pl.DataFrame, list[Fault]]:
    """Read whole lines one by one: the fields as written, ``extra`` and ``line``; and what is no record."""
    rows: list[tuple[object, ...]] = []
    faults: list[Fault] = []
    offset = 0
    for number, line in enumerate(_lines(data), 1):
        pieces = _records(line) if line.strip() else []
        start = offset + (line.find(pieces[0]) if pieces else 0)
        for piece in pieces:
            try:
                rows.append((*_record(piece), number))
            except (ValueError, OverflowError, RecursionError) as error:
                faults.append(Fault(number, start, len(piece), reason_of(error), excerpt(piece)))
            start += len(piece)
        offset += len(line)
    schema = {**AS_WRITTEN, "extra": TEXT, LINE: COUNT}
    return pl.DataFrame(rows, schema=schema, orient="row"), faults


def _lines(data: bytes) -> list[bytes]:
    """Lines by newline alone: a carriage return is white space, not an end."""
    return [line + b"\n" for line in data.split(b"\n")[:-1]]


def _records(line: bytes) -> list[bytes]:
    """Return the line, or its two halves where a torn record has another glued behind it."""
    text = line.removeprefix(BYTE_ORDER_MARK).strip()
    torn = re.match(rb'(?s)(.*[^{\s,:\[])(\{"timestamp":.*)', text)
    return [torn[1], torn[2]] if torn else [text]


def _record(line: bytes) -> tuple[object, ...]:
    """Return the five fields and the rest as JSON text.

    Raises
    ------
    ValueError
        Says what is wrong with the line.
    """
    record = parse_json(_check_length(line))
    if not isinstance(record, dict):
        raise ValueError("not an object")
    _check_fields(record)
    extra = {name: value for name, value in record.items() if name not in FIELDS}
    rest = json.dumps(extra, ensure_ascii=False, allow_nan=False) if extra else None
    return (*(record[name] for name in FIELDS[:3]), float(record["strength"]), record["strategy"], rest)


def _check_length(line: bytes) -> bytes:
    if len(line) > MAX_LINE:
        raise ValueError(f"longer than {MAX_LINE} bytes")
    return line


def _check_fields(record: Mapping[str, object]) -> None:
    for name in FIELDS:
        value = record.get(name)
        wanted = (int, float) if name == "strength" else str
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise ValueError(f"{name!r} is {'missing' if name not in record else ascii(value)[:40]}")


def _check_record(record: Mapping[str, Any]) -> None:
    _check_fields(record)
    if clock.instant(record["timestamp"], timezone="UTC", close_time="00:00:00") is None:
        raise ValueError(f"the time {ascii(record['timestamp'])[:40]}")
    if record["action"] not in ACTIONS:
        raise ValueError(f"the action {ascii(record['action'])[:40]}")
    if not 0 <= record["strength"] <= 1:
        raise ValueError(f"the strength {record['strength']}")


def refuse_constant(constant: str) -> None:
    """Refuse NaN and infinity, which JSON has not."""
    raise ValueError(f"{constant} is not a number in JSON")


def parse_json(data: bytes, *, constant: Callable[[str], None] = refuse_constant) -> Any:
    """Read JSON strictly: no doubled key, no number beyond a float, no half of a surrogate pair, no NUL.

    Most documents are what a faster reader says; a key that stands twice is lost there, and a colon with it.
    ``constant`` is told of each NaN and infinity, which JSON has not; where it does not refuse, null is read.

    Raises
    ------
    ValueError
        Says what is wrong.
    """
    try:
        usual = msgspec.json.decode(data)
        if b"\\" not in data and msgspec.json.encode(usual).count(b":") == data.count(b":"):
            return usual
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass
    if b"\\u0000" in data and _ESCAPED_NUL.search(data):
        raise ValueError("a text holds a NUL")
    text = data.removeprefix(BYTE_ORDER_MARK).decode()
    content = json.loads(text, object_pairs_hook=_unique, parse_constant=constant, parse_float=_finite)
    if b"\\ud" in data or b"\\uD" in data:
        _utf8(json.dumps(content, ensure_ascii=False))
    return content


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise ValueError("a text holds half of a surrogate pair") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        [(doubled, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"the key {ascii(doubled)[:40]} twice")
    return record


def _finite(text: str) -> float:
    value = float(text)
    if value in {float("inf"), float("-inf")}:
        raise ValueError(f"{text[:40]} is beyond the largest number")
    return value


def reason_of(error: Exception) -> str:
    """Say in words what is wrong with something that was to be read as JSON."""
    if isinstance(error, json.JSONDecodeError):
        of_line = f" of line {error.lineno}" if error.lineno > 1 else ""
        return f"not JSON: {error.msg.removesuffix(' at')} at column {error.colno}{of_line}"
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)
