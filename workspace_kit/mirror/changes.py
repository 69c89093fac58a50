"""What an inventory says that the ledger does not: files to read, and where to go on in each."""

from collections.abc import Collection
from typing import NamedTuple

import polars as pl

from workspace_kit.mirror.manifest import LEDGER, Parts
from workspace_kit.schema import BOOKMARK, INVENTORY
from workspace_kit.storage import RACY_NS

_KNOWN = "_known"
# A file that differs in one of these is another file, or is to be read in another way.
_IDENTITY = ("workspace", "kind", "key", "inode", "context")


class Changes(NamedTuple):
    """How an inventory differs from the ledger.

    ``listed`` is the inventory as the ledger will remember it; ``to_read`` the rows of it that changed, with
    the bookmarks of files that may have grown; ``same`` the ledger's rows of files that did not, ``known`` of
    files that did or are gone, and ``elsewhere`` of workspaces that were not looked at.
    """

    listed: pl.DataFrame
    to_read: pl.DataFrame
    same: pl.DataFrame
    known: pl.DataFrame
    elsewhere: pl.DataFrame


def changes_in(
    inventory: pl.DataFrame, known: Parts, workspaces: Collection[str] | None, *, now_ns: int
) -> Changes | None:
    """Compare an inventory of workspaces (null: of all) with a mirror; null where that is current."""
    ledger = known.files
    # A file system may tell a name twice while names come and go; joins by path would multiply the rows.
    unique = inventory.unique("path", keep="first", maintain_order=True)
    listing = unique.sort("workspace", maintain_order=True)
    is_looked_at = pl.lit(True) if workspaces is None else pl.col("workspace").is_in(workspaces)
    inside = ledger.filter(is_looked_at)
    if known.tables and listing.equals(inside.select(INVENTORY.names)):
        return None
    both = listing.join(inside, on="path", how="left", suffix=_KNOWN, maintain_order="left")
    is_same = pl.all_horizontal(
        pl.col(name).eq_missing(pl.col(name + _KNOWN)) for name in INVENTORY.names if name != "path"
    )
    changed, unchanged = both.filter(~is_same), both.filter(is_same).select("path")
    return Changes(
        _settled(listing, now_ns=now_ns),
        _with_bookmarks(changed),
        inside.join(unchanged, on="path", how="semi", maintain_order="left"),
        inside.join(unchanged, on="path", how="anti", maintain_order="left"),
        ledger.filter(~is_looked_at),
    )


def _settled(listing: pl.DataFrame, *, now_ns: int) -> pl.DataFrame:
    """Forget the exact time of files too young to trust, so that the next look reads them again."""
    young = pl.max_horizontal("modified_ns", "changed_ns") > now_ns - RACY_NS
    return listing.with_columns(pl.when(young).then(-1).otherwise(pl.col("changed_ns")).alias("changed_ns"))


def _with_bookmarks(changed: pl.DataFrame) -> pl.DataFrame:
    may_have_grown = pl.all_horizontal(
        *(pl.col(name).eq_missing(pl.col(name + _KNOWN)) for name in _IDENTITY),
        pl.col("read_to") > 0,
    )
    marks = [name for name in BOOKMARK.names if name != "path"]
    return changed.select(
        *INVENTORY.names, *(pl.when(may_have_grown).then(pl.col(name)).alias(name) for name in marks)
    )


def ledger_of(changes: Changes, read: pl.DataFrame) -> pl.DataFrame:
    """Return the new ledger: ``read`` are the bookmarks of files read, and what they hold.

    What could not be read for a reason that may pass is remembered as it never is, to be read at each look.
    """
    changed = pl.when("is_unread").then(-1).otherwise("changed_ns").alias("changed_ns")
    both = changes.listed.join(read, on="path", how="inner")
    rows = both.with_columns(changed).select(LEDGER.names)
    paths = changes.listed.select("path")
    inside = paths.join(pl.concat([changes.same, rows]), on="path", how="left", maintain_order="left")
    return pl.concat([changes.elsewhere, inside.select(LEDGER.names)]).sort("workspace", maintain_order=True)
