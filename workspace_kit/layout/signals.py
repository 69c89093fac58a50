"""Signal files, many at once: bytes to rows and faults.

Healthy bytes go through one columnar parse, those of many files joined, whose result is proven complete by
counting. What the proof does not cover, such as further fields, escapes or a damaged line, is searched out
by halving, and read again line by line.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from workspace_kit import clock
from workspace_kit.layout.lines import (
    AS_WRITTEN,
    BYTE_ORDER_MARK,
    CRLF_READ,
    MARK_SKIPPED,
    TORN_TAIL,
    Fault,
    excerpt,
    parse_lines,
    split,
)
from workspace_kit.layout.zones import Zone
from workspace_kit.schema import ACTIONS, COUNT, LINE, NO_ROWS, ORIGIN, TABLES, TEXT, Reading

# Small enough to stay in the processor's cache between the passes over it.
_CHUNK = 1 << 17
_PIECE = "piece"
_TIMED = (clock.NAIVE, clock.AWARE)


class Place(NamedTuple):
    """How far a signal file was read: its whole lines in bytes and in number, and the form of its times."""

    byte: int = 0
    line: int = 0
    form: str | None = None


class Piece(NamedTuple):
    """Bytes of one signal file behind those already read; behind their last newline may be a torn record."""

    workspace: str
    trial_id: str
    path: str
    data: bytes
    after: Place = Place()


class Pieces(NamedTuple):
    """What pieces gave: table ``signals`` with origin and line, table ``faults`` with origin, new places."""

    rows: pl.DataFrame
    faults: pl.DataFrame
    places: list[Place]


def read_signals(data: bytes, *, workspace: str, trial_id: str, path: str, zone: Zone) -> Reading:
    """Read one signal file: rows as table ``signals`` in file order, faults for lines that are not rows.

    Bytes behind the last newline are a record still being written, or torn: reported, never parsed.
    """
    rows, faults, _ = read_pieces([Piece(workspace, trial_id, path, data)], zone=zone)
    return Reading(rows.drop(ORIGIN, LINE).cast(TABLES["signals"].empty().schema), faults.drop(ORIGIN))


def read_pieces(pieces: Sequence[Piece], *, zone: Zone) -> Pieces:
    """Read pieces of signal files of one calendar, rows in the order of the pieces."""
    texts = [split(piece.data)[0] for piece in pieces]
    heights = [_count(text, b"\n")[0] for text in texts]
    parsed, damaged = _parse(texts, heights, range(len(pieces)))
    faults: list[list[Fault]] = [damaged.get(index, []) for index in range(len(pieces))]
    rows, refused, forms = _locate(parsed, pieces, zone)
    for index, (piece, text, height) in enumerate(zip(pieces, texts, heights, strict=True)):
        faults[index] += [*_oddities(piece, text), *_torn(piece, text, height)]
        faults[index] += _shown(refused.get(index, []), text)
    places = [
        Place(piece.after.byte + len(text), piece.after.line + height, form)
        for piece, text, height, form in zip(pieces, texts, heights, forms, strict=True)
    ]
    return Pieces(rows, _told(pieces, faults), places)


def _parse(
    texts: Sequence[bytes], heights: Sequence[int], indexes: range
) -> tuple[pl.DataFrame, dict[int, list[Fault]]]:
    """Parse whole lines in one go where that is proven right, else either half; ``piece`` says which of them.

    Lines and offsets count from the beginning of each piece.
    """
    some = [index for index in indexes if texts[index]]
    joined = texts[some[0]] if len(some) == 1 else b"".join(texts[index] for index in some)
    rows = _parse_proven(joined, height=sum(heights[index] for index in some))
    if rows is not None:
        return _placed(rows, some, [heights[index] for index in some]), {}
    if len(some) <= 1:
        index = some[0] if some else 0
        exact, faults = parse_lines(joined)
        return exact.with_columns(pl.lit(index, pl.Int32).alias(_PIECE)), {index: faults}
    middle = some[len(some) // 2]
    first, damaged = _parse(texts, heights, range(indexes.start, middle))
    second, more = _parse(texts, heights, range(middle, indexes.stop))
    return pl.concat([first, second]), damaged | more


def _parse_proven(data: bytes, *, height: int) -> pl.DataFrame | None:
    """Parse in one go, or return null where counting cannot prove that nothing was lost or bent.

    Every row has its five fields, so at least four commas and one brace: with no more of them in all the
    ``height`` lines there is no sixth field, no doubled one and no nested one. Then ten quotes of a row are
    those of names; with eight more, all four texts are texts, since a quoted strength would be null.
    """
    if not height or not data.isascii() or any(byte in data for byte in (b"\\", b"\r", b"[")):
        return None
    if _count(data, b'{,"') != [height, 4 * height, 18 * height]:
        return None
    try:
        rows = pl.read_ndjson(data, schema=AS_WRITTEN)
    except pl.exceptions.PolarsError:
        return None
    complete = (
        rows.height == height and not any(rows.null_count().row(0)) and rows["strength"].is_finite().all()
    )
    return rows.with_columns(pl.lit(None, TEXT).alias("extra")) if complete else None


def _count(data: bytes, wanted: bytes) -> list[int]:
    """Count some bytes as `bytes.count` does, at several times its speed."""
    array, counts = np.frombuffer(data, np.uint8), [0] * len(wanted)
    for start in range(0, len(array), _CHUNK):
        chunk = array[start : start + _CHUNK]
        for place, byte in enumerate(wanted):
            counts[place] += int(np.count_nonzero(chunk == byte))
    return counts


def _placed(rows: pl.DataFrame, indexes: Sequence[int], heights: Sequence[int]) -> pl.DataFrame:
    """Say of each row which piece it is of and which line of it; every line is a row."""
    begin = np.cumsum([0, *heights[:-1]])
    lines = np.arange(1, rows.height + 1) - np.repeat(begin, heights)
    which = np.repeat(np.asarray(indexes, np.int32), heights)
    return rows.with_columns(pl.Series(LINE, lines, COUNT), pl.Series(_PIECE, which, pl.Int32))


def _oddities(piece: Piece, text: bytes) -> Iterator[Fault]:
    """What is read all the same, though no JSON lines should have it."""
    if not piece.after.byte and piece.data.startswith(BYTE_ORDER_MARK):
        yield Fault(1, 0, len(BYTE_ORDER_MARK), MARK_SKIPPED, "")
    if b"\r" in text and b"\r\n" in text:
        yield Fault(None, None, None, CRLF_READ, "")


def _torn(piece: Piece, text: bytes, height: int) -> Iterator[Fault]:
    if len(text) < len(piece.data):
        tail = piece.data[len(text) :]
        yield Fault(height + 1, len(text), len(tail), TORN_TAIL, excerpt(tail))


def _shown(refused: Sequence[Fault], text: bytes) -> Iterator[Fault]:
    """Say where the refused lines lie, and show what they begin with."""
    if not refused:
        return
    ends = np.flatnonzero(np.frombuffer(text, np.uint8) == ord("\n"))
    for fault in refused:
        line = fault.line or 1
        start = int(ends[line - 2]) + 1 if line > 1 else 0
        data = text[start : ends[line - 1]]
        yield fault._replace(byte_offset=start, length=len(data), excerpt=excerpt(data))


def _told(pieces: Sequence[Piece], found: Sequence[Sequence[Fault]]) -> pl.DataFrame:
    """Make one table of the faults of pieces, in order of line, counted from the beginning of their files."""
    rows = [
        (piece.workspace, piece.path, *_from_the_beginning(fault, piece.after), piece.path)
        for piece, faults in zip(pieces, found, strict=True)
        for fault in sorted(faults, key=lambda fault: fault.line or 0)
    ]
    return pl.DataFrame(rows, schema={**TABLES["faults"].types, ORIGIN: TEXT}, orient="row")


def _from_the_beginning(fault: Fault, after: Place) -> Fault:
    return fault._replace(
        line=None if fault.line is None else fault.line + after.line,
        byte_offset=None if fault.byte_offset is None else fault.byte_offset + after.byte,
    )


def _locate(
    rows: pl.DataFrame, pieces: Sequence[Piece], zone: Zone
) -> tuple[pl.DataFrame, dict[int, list[Fault]], list[str | None]]:
    """Turn times into instants and refuse rows that name none, or an unknown action or strength.

    Also says the form of the times of each piece's file: where some have an offset and some have not, the
    first one counts.
    """
    runs, lengths = _runs(rows)
    known = _instants(runs["timestamp"].unique(), zone)
    timed = runs.join(known, on="timestamp", how="left", maintain_order="left")
    forms = _forms(timed, pieces)
    first = pl.Series(forms, dtype=TEXT).gather(timed[_PIECE])
    is_mixed = (pl.col("form").is_in(_TIMED) & (pl.col("form") != first)).fill_null(False)
    times = timed.select("instant", is_mixed.alias("mixed"))
    told = rows.with_columns(times[np.repeat(np.arange(runs.height, dtype=np.uint32), lengths)])
    is_good = told.select(
        pl.col("instant").is_not_null()
        & ~pl.col("mixed")
        & pl.col("action").is_in(ACTIONS)
        & pl.col("strength").is_between(0, 1)
    ).to_series()
    if is_good.all():
        return _located(told, pieces), {}, forms
    return _located(told.filter(is_good), pieces), _refused(told.filter(~is_good)), forms


def _runs(rows: pl.DataFrame) -> tuple[pl.DataFrame, np.ndarray]:
    """Return the first of neighbours of one piece and time, and how many each time: most bars have many."""
    same = [pl.col(name).eq_missing(pl.col(name).shift()) for name in ("timestamp", _PIECE)]
    starts = rows.select((~pl.all_horizontal(same)).arg_true()).to_series()
    return rows.select("timestamp", _PIECE)[starts], np.diff(starts.to_numpy(), append=rows.height)


def _instants(written: pl.Series, zone: Zone) -> pl.DataFrame:
    """Say of each time its form and its instant; the same few times stand in most rows."""
    instants = clock.to_utc(written, timezone=zone.timezone, close_time=zone.close_time)
    return pl.DataFrame({"timestamp": written, "form": clock.forms(written), "instant": instants})


def _forms(timed: pl.DataFrame, pieces: Sequence[Piece]) -> list[str | None]:
    told = timed.lazy().select(_PIECE, "form").filter(pl.col("form").is_in(_TIMED))
    first = dict(told.unique(_PIECE, keep="first").collect().iter_rows())
    return [piece.after.form or first.get(index) for index, piece in enumerate(pieces)]


def _refused(bad: pl.DataFrame) -> dict[int, list[Fault]]:
    reason = (
        pl.when(pl.col("instant").is_null())
        .then(pl.concat_str(pl.lit("no instant: "), pl.col("timestamp")))
        .when("mixed")
        .then(pl.lit("times with and without an offset in one file"))
        .when(~pl.col("action").is_in(ACTIONS))
        .then(pl.concat_str(pl.lit("unknown action "), pl.col("action")))
        .otherwise(pl.concat_str(pl.lit("strength outside 0 to 1: "), pl.col("strength").cast(TEXT)))
    )
    faults: dict[int, list[Fault]] = {}
    for piece, line, text in bad.select(_PIECE, LINE, reason.alias("reason")).iter_rows():
        faults.setdefault(piece, []).append(Fault(line, None, None, excerpt(text.encode()), ""))
    return faults


def _located(kept: pl.DataFrame, pieces: Sequence[Piece]) -> pl.DataFrame:
    """Put down where each row comes from, its line counted from the beginning of the file."""
    whence = NO_ROWS["signals"].select("workspace", "trial_id", ORIGIN).schema
    files = pl.DataFrame(
        [(piece.workspace, piece.trial_id, piece.path, piece.after.line) for piece in pieces],
        schema={**whence, "before": COUNT},
        orient="row",
    )
    located = kept.with_columns(
        *files[kept[_PIECE]].get_columns(), pl.col("instant").alias("timestamp")
    ).with_columns(pl.col(LINE) + pl.col("before"))
    return located.select(NO_ROWS["signals"].columns)
