"""Bring the mirror up to date with an inventory by reading only the files that changed."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import polars as pl

from workspace_kit import storage
from workspace_kit.errors import FileDamaged
from workspace_kit.mirror.manifest import FILES, Parts, commit, empty, load, read_part, write_part
from workspace_kit.schema import INVENTORY, MIRRORED, TEXT, natural_order

Read = Callable[[pl.DataFrame], dict[str, pl.DataFrame]]
Progress = Callable[[int, int], None]

ORIGIN = "origin"
# A file that changed this shortly before it was listed may change again within the same clock tick.
RACY_NS = 2_000_000_000
RETIRED_AFTER_SECONDS = 7 * 86_400
_CHUNK = 512


def refresh(
    inventory: pl.DataFrame,
    *,
    folder: Path,
    workspaces: Collection[str] | None,
    read: Read,
    now_ns: int,
    progress: Progress,
) -> Parts:
    """Return the mirror, current for an inventory.

    ``inventory`` lists all files of ``workspaces`` (null: of the whole root, so that everything else is
    gone); ``read`` turns files into tables, each row with its ``origin``; ``progress`` is told files read
    and files to read. One process refreshes at a time.
    """
    storage.make_folder(folder)
    with storage.locked(folder / "refresh.lock"):
        known = load(folder)
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
    listed = _settled(inventory, now_ns=now_ns)
    inside = known.files if workspaces is None else known.files.filter(pl.col("workspace").is_in(workspaces))
    changed = inventory.join(inside, on=INVENTORY.names, how="anti", nulls_equal=True)
    gone = inside.join(listed, on=INVENTORY.names, how="anti", nulls_equal=True)
    if known.tables and not changed.height and not gone.height:
        return known
    stale = pl.concat([changed, gone])
    fresh = _read_in_chunks(changed, read=read, progress=progress)
    kept = known.files.join(stale, on="path", how="anti")
    files = pl.concat([kept, listed.join(changed, on="path", how="semi")]).sort("path")
    tables = {**_rewrite_tables(known, stale, fresh), FILES: write_part(known.folder, FILES, files)}
    signals = _rewrite_signals(known, stale, fresh["signals"])
    return Parts(known.folder, files, {**known.tables, **tables}, signals)


def _settled(inventory: pl.DataFrame, *, now_ns: int) -> pl.DataFrame:
    """Forget the exact time of files too young to trust, so that the next look reads them again."""
    young = pl.max_horizontal("modified_ns", "changed_ns") > now_ns - RACY_NS
    return inventory.with_columns(pl.when(young).then(-1).otherwise(pl.col("changed_ns")).alias("changed_ns"))


def _read_in_chunks(changed: pl.DataFrame, *, read: Read, progress: Progress) -> dict[str, pl.DataFrame]:
    readings: list[dict[str, pl.DataFrame]] = [read(changed.clear())]
    for start in range(0, changed.height, _CHUNK):
        readings.append(read(changed.slice(start, _CHUNK)))
        progress(min(start + _CHUNK, changed.height), changed.height)
    return {name: pl.concat([reading[name] for reading in readings]) for name in MIRRORED}


def _rewrite_tables(known: Parts, stale: pl.DataFrame, fresh: Mapping[str, pl.DataFrame]) -> dict[str, str]:
    """Rewrite each table that loses or gains rows; an untouched one keeps its part."""
    written: dict[str, str] = {}
    for name in MIRRORED:
        old = _rows(known, name)
        kept = _without(old, stale)
        gained = fresh[name].clear() if name == "signals" else fresh[name]
        if name not in known.tables or kept.height != old.height or gained.height:
            written[name] = write_part(known.folder, name, _ordered(pl.concat([kept, gained])))
    return written


def _rewrite_signals(known: Parts, stale: pl.DataFrame, fresh: pl.DataFrame) -> dict[str, str]:
    """Rewrite the part of each workspace whose signals changed."""
    parts = dict(known.signals)
    for workspace in stale["workspace"].unique(maintain_order=True):
        old = read_part(known.folder, parts[workspace]) if workspace in parts else fresh.clear()
        kept = _without(old, stale)
        gained = fresh.filter(pl.col("workspace") == workspace)
        if kept.height == old.height and not gained.height:
            continue
        rows = pl.concat([kept, gained])
        if rows.height:
            parts[workspace] = write_part(known.folder, f"signals-{workspace}", _ordered(rows))
        else:
            del parts[workspace]
    return dict(sorted(parts.items()))


def _rows(known: Parts, name: str) -> pl.DataFrame:
    if name not in known.tables:
        return pl.DataFrame(schema={**MIRRORED[name].types, ORIGIN: TEXT})
    return read_part(known.folder, known.tables[name])


def _without(rows: pl.DataFrame, stale: pl.DataFrame) -> pl.DataFrame:
    return rows.join(stale, left_on=ORIGIN, right_on="path", how="anti", maintain_order="left")


def _ordered(rows: pl.DataFrame) -> pl.DataFrame:
    """Order by workspace and trial; rows of one file stay in file order."""
    trial = natural_order("trial_id") if "trial_id" in rows.columns else ()
    return rows.sort("workspace", *trial, ORIGIN, maintain_order=True)


def _date_retired(known: Parts, parts: Parts, *, now_ns: int) -> None:
    """Let the week of a part that is no longer named begin now, not when it was written."""
    for name in sorted(_named(known) - _named(parts)):
        storage.touch(known.folder / name, at_ns=now_ns)


def _remove_retired(parts: Parts, *, now_ns: int) -> None:
    """Remove parts that no manifest has named for a week: a catalog opened earlier may still read them."""
    unnamed = {path.name for path in parts.folder.glob("*.parquet")} - _named(parts)
    for path in (parts.folder / name for name in sorted(unnamed)):
        if now_ns / 1e9 - path.stat().st_mtime > RETIRED_AFTER_SECONDS:
            storage.remove(path)


def _named(parts: Parts) -> set[str]:
    return {*parts.tables.values(), *parts.signals.values()}
