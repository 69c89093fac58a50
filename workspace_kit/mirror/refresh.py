"""Bring the mirror up to date with an inventory by reading only what changed."""

from collections.abc import Callable, Collection, Iterable
from pathlib import Path

import polars as pl

from workspace_kit import storage
from workspace_kit.errors import FileDamaged
from workspace_kit.mirror.changes import Changes, changes_in, ledger_of
from workspace_kit.mirror.manifest import FILES, HOLDS, PART, Parts, Segment, commit, empty, load, write_part
from workspace_kit.mirror.segments import SignalParts
from workspace_kit.mirror.tables import BITS, Gathered, rewrite
from workspace_kit.schema import Batch

Read = Callable[[pl.DataFrame], Iterable[Batch]]
Progress = Callable[[int, int], None]

RETIRED_AFTER_SECONDS = 7 * 86_400


def refresh(
    listed: Callable[[], pl.DataFrame],
    *,
    folder: Path,
    workspaces: Collection[str] | None,
    read: Read,
    now_ns: int,
    progress: Progress,
) -> Parts:
    """Return the mirror, current for an inventory.

    ``listed`` is asked for the inventory, once nobody else refreshes: one from before would take the mirror
    back. It lists all files of ``workspaces`` (null: of the whole root, so that everything else is gone) as
    they are at ``now_ns`` or later. ``read`` turns files into batches, given what it told of them when they
    were read before; ``progress`` is told files read and files to read. One process refreshes at a time.
    """
    storage.make_folder(folder)
    with storage.locked(folder / "refresh.lock"):
        known, inventory = load(folder), listed()
        try:
            parts = _refreshed(known, inventory, workspaces, read=read, now_ns=now_ns, progress=progress)
        except FileDamaged:
            known = empty(folder)
            parts = _refreshed(known, inventory, workspaces, read=read, now_ns=now_ns, progress=progress)
        if parts is not known:
            _date_retired(known, parts, now_ns=now_ns)
            commit(parts)
            _remove_retired(parts, now_ns=now_ns)
        return parts


def _refreshed(
    known: Parts,
    inventory: pl.DataFrame,
    workspaces: Collection[str] | None,
    *,
    read: Read,
    now_ns: int,
    progress: Progress,
) -> Parts:
    """Read what changed and write the parts that hold it; the mirror as it is where nothing did."""
    changes = changes_in(inventory, known, workspaces, now_ns=now_ns)
    if changes is None:
        return known
    gathered, signals = Gathered(), SignalParts(known.folder, _kept_segments(known, changes))
    done = 0
    for batch in read(changes.to_read):
        signals.add(batch.tables["signals"])
        gathered.add(batch)
        done += batch.read.height
        progress(done, changes.to_read.height)
    marks = gathered.read(changes.known)
    went_on = marks.filter(pl.col("begun_at") > 0)
    grown = changes.known.join(went_on, on="path", how="semi")
    stale = changes.known.join(went_on, on="path", how="anti")
    ledger = ledger_of(changes, marks)
    tables = {
        **rewrite(known, gathered, stale=stale, grown=grown),
        FILES: write_part(known.folder, FILES, ledger),
    }
    segments = signals.finished(stale.filter(_holds_signals()).select("workspace", "path"))
    return Parts(known.folder, ledger, {**known.tables, **tables}, segments)


def _kept_segments(known: Parts, changes: Changes) -> list[Segment]:
    """Leave out segments none of whose files can keep its rows: they need no reading to be replaced."""
    lost = changes.known.join(changes.to_read.filter(pl.col("read_to").is_not_null()), on="path", how="anti")
    left = known.files.filter(_holds_signals()).join(lost, on="path", how="anti")["workspace"].unique()
    return [each for each in known.signals if not set(left).isdisjoint(each.workspaces)]


def _holds_signals() -> pl.Expr:
    return pl.col(HOLDS) & BITS["signals"] != 0


def _date_retired(known: Parts, parts: Parts, *, now_ns: int) -> None:
    """Let the week of a part that is no longer named begin now, not when it was written.

    Where nothing is known, a manifest that could not be read may have named any.
    """
    before = known.names or _written(known.folder)
    for name in sorted(before - parts.names):
        storage.touch(known.folder / name, at_ns=now_ns)


def _remove_retired(parts: Parts, *, now_ns: int) -> None:
    """Remove parts that no manifest has named for a week: a catalog opened earlier may still read them."""
    for path in (parts.folder / name for name in sorted(_written(parts.folder) - parts.names)):
        if now_ns / 1e9 - path.stat().st_mtime > RETIRED_AFTER_SECONDS:
            storage.remove(path)


def _written(folder: Path) -> set[str]:
    """Return the names of all parts there; what is called otherwise is not ours."""
    return {path.name for path in folder.glob("*.parquet") if PART.fullmatch(path.name)}
