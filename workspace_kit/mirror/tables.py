"""Tables of documents: one part each for the whole root, rewritten where a row comes or goes."""

from collections import defaultdict
from collections.abc import Mapping

import polars as pl

from workspace_kit.mirror.manifest import HOLDS, Parts, read_part, write_part
from workspace_kit.schema import COUNT, LINE, MIRRORED, NO_ROWS, ORIGIN, READ, TEXT, Batch, natural_order

BITS: Mapping[str, int] = {name: 1 << place for place, name in enumerate(MIRRORED)}
_FAULTS, _SIGNALS = "faults", "signals"
_OF_DOCUMENTS = [name for name in MIRRORED if name != _SIGNALS]
_FAULT_ORDER = ("workspace", ORIGIN, LINE, "byte_offset", "reason", "excerpt")


class Gathered:
    """What batches gave, the signals themselves aside."""

    def __init__(self) -> None:
        self._rows = defaultdict[str, list[pl.DataFrame]](list)
        self._held: list[pl.DataFrame] = []
        self._read: list[pl.DataFrame] = []

    def add(self, batch: Batch) -> None:
        """Keep the rows of documents, and which files gave rows to which table."""
        self._read.append(batch.read)
        for name, rows in batch.tables.items():
            if rows.height and name != _SIGNALS:
                self._rows[name].append(rows)
            if rows.height and name != _FAULTS:
                self._held.append(_held(rows, BITS[name]))

    def rows(self, name: str) -> pl.DataFrame:
        """Return the rows of one table."""
        return pl.concat([NO_ROWS[name], *self._rows[name]])

    def read(self, known: pl.DataFrame) -> pl.DataFrame:
        """Return bookmarks with ``begun_at`` and what each file holds; ``known`` is the ledger before."""
        read = pl.concat([READ.empty(), *self._read])
        faults = self.rows(_FAULTS).join(read, left_on=ORIGIN, right_on="path", how="left")
        is_torn = (pl.col("byte_offset") >= pl.col("read_to")).fill_null(False)
        held = pl.concat([*self._held, _held(faults.filter(~is_torn), BITS[_FAULTS])]).unique()
        sums = held.group_by("path").agg(pl.col(HOLDS).sum())
        before = known.select("path", pl.col(HOLDS).alias("before"))
        kept = pl.when(pl.col("begun_at") > 0).then("before").fill_null(0)
        both = read.join(sums, on="path", how="left").join(before, on="path", how="left")
        return both.with_columns(pl.col(HOLDS).fill_null(0) | kept).drop("before")


def _held(rows: pl.DataFrame, bit: int) -> pl.DataFrame:
    return rows.select(pl.col(ORIGIN).unique().cast(TEXT).alias("path"), pl.lit(bit, COUNT).alias(HOLDS))


def rewrite(known: Parts, gathered: Gathered, *, stale: pl.DataFrame, grown: pl.DataFrame) -> dict[str, str]:
    """Rewrite each table that loses or gains rows and return its part; an untouched one is not even read.

    ``stale`` are the ledger's rows of files whose rows go, ``grown`` of those read on from their bookmark.
    """
    written: dict[str, str] = {}
    if _SIGNALS not in known.tables:
        written[_SIGNALS] = write_part(known.folder, _SIGNALS, NO_ROWS[_SIGNALS])
    for name in _OF_DOCUMENTS:
        fresh = gathered.rows(name)
        if name in known.tables and not fresh.height and not _loses(name, stale, grown):
            continue
        old = read_part(known.folder, known.tables[name]) if name in known.tables else NO_ROWS[name]
        kept = old.join(stale, left_on=ORIGIN, right_on="path", how="anti", maintain_order="left")
        if name == _FAULTS:
            rows = _in_fault_order(pl.concat([_completed(kept, grown), fresh]))
        else:
            rows = _in_order(pl.concat([kept, fresh]))
        written[name] = write_part(known.folder, name, rows)
    return written


def _loses(name: str, stale: pl.DataFrame, grown: pl.DataFrame) -> bool:
    if name == _FAULTS and any((each["read_to"] < each["size"]).any() for each in (stale, grown)):
        return True
    return (stale[HOLDS] & BITS[name] != 0).any()


def _completed(faults: pl.DataFrame, grown: pl.DataFrame) -> pl.DataFrame:
    """Leave out the torn record behind a bookmark: it may be whole by now."""
    marked = faults.join(grown.select("path", "read_to"), left_on=ORIGIN, right_on="path", how="left")
    is_behind = (pl.col("byte_offset") >= pl.col("read_to")).fill_null(False)
    return marked.filter(~is_behind).select(faults.columns)


def _in_fault_order(faults: pl.DataFrame) -> pl.DataFrame:
    """Order by file and line, whatever was read when; what is told of a whole file is told once."""
    is_of_file = pl.col(LINE).is_null()
    return pl.concat([faults.filter(is_of_file).unique(), faults.filter(~is_of_file)]).sort(_FAULT_ORDER)


def _in_order(rows: pl.DataFrame) -> pl.DataFrame:
    """Order by workspace and trial; rows of one file stay in file order."""
    trial = natural_order("trial_id") if "trial_id" in rows.columns else ()
    return rows.sort("workspace", *trial, ORIGIN, maintain_order=True)
