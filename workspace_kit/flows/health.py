"""What a results root stands on, and what dead processes left in it."""

import os
import platform
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from workspace_kit import storage
from workspace_kit.errors import NotFound, StorageError, WorkspaceKitError
from workspace_kit.flows.lifecycle import is_pinned, stale_folders
from workspace_kit.flows.provenance import versions
from workspace_kit.layout import names
from workspace_kit.layout.inventory import archives, workspaces
from workspace_kit.layout.lease import is_leased
from workspace_kit.mirror import mirror_folder
from workspace_kit.schema import TEXT

UNKNOWN = "unknown"
CHECKS = {"check": TEXT, "found": TEXT}
_OVER_A_NETWORK = ("nfs", "cifs", "smb", "9p", "fuse.sshfs", "ceph", "lustre", "gpfs", "afs")
_ESCAPED = re.compile(r"\\([0-7]{3})")


def examine(root: Path | str) -> pl.DataFrame:
    """Return what was found of a results root: one row per check, in order.

    Raises
    ------
    NotFound
        There is no such folder.
    """
    folder = Path(root)
    if not folder.is_dir():
        raise NotFound(
            str(folder), found="no such folder", expected="a results root", remedy="check --results"
        )
    return pl.DataFrame([*_place(folder), *_contents(folder), *_programs()], schema=CHECKS, orient="row")


def _place(root: Path) -> Iterator[tuple[str, str]]:
    yield "root", str(root.resolve())
    kind = file_system(root)
    yield "file system", kind
    if kind.startswith(_OVER_A_NETWORK):
        yield (
            "network",
            "appends of several hosts to one file are unsafe here: one host a workspace",
        )
    elif kind == UNKNOWN or kind.startswith("fuse."):
        yield "network", "unknown"
    writable = os.access(root, os.W_OK)
    yield "writable", "yes" if writable else "no: read only"
    if writable:
        yield "locks", _locks(root)
        yield "links", _links(root)
    yield "mirror", str(mirror_folder(root))


def _contents(root: Path) -> Iterator[tuple[str, str]]:
    found = workspaces(root)
    yield "workspaces", str(len(found))
    yield "archives", str(archives(root).height)
    yield "held now", ", ".join(each.id for each in found if is_leased(each)) or "none"
    yield "pinned", ", ".join(each.id for each in found if is_pinned(each)) or "none"
    clean = names.command(root, "clean")
    trash = sorted(path.name for path in (root / names.TRASH).glob("*"))
    yield "trash", f"{', '.join(trash)}: `{clean}` settles it" if trash else "empty"
    left = [*stale_folders(root), *storage.leftovers(root)]
    yield "leftovers", f"{len(left)}: `{clean}` removes them" if left else "none"


def _programs() -> Iterator[tuple[str, str]]:
    yield "platform", platform.platform()
    yield "python", platform.python_version()
    yield from versions().items()


def file_system(path: Path) -> str:
    """Return the kind of file system a path lies on, ``unknown`` where nothing says so."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return UNKNOWN
    place, best, kind = path.resolve(), Path(), UNKNOWN
    for line in lines:
        before, _, after = line.partition(" - ")
        mount = Path(_ESCAPED.sub(lambda found: chr(int(found[1], 8)), before.split()[4]))
        if place.is_relative_to(mount) and len(mount.parts) >= len(best.parts):
            best, kind = mount, after.split()[0]
    return kind


def _locks(root: Path) -> str:
    try:
        with storage.held(root, wait=False) as first, storage.held(root, wait=False) as second:
            return (
                "hold" if first and not second else "held by another process" if not first else "do NOT hold"
            )
    except WorkspaceKitError as error:
        return f"refused: {error.found}"


def _links(root: Path) -> str:
    """Whether a document can be put where nothing may be yet, which rests on hard links."""
    probe = root / names.DERIVED / f"doctor.{os.getpid()}"
    try:
        storage.make_folder(probe.parent)
        storage.create(probe, sys.version.encode(), sync=False)
        storage.remove(probe)
    except StorageError as error:
        return f"refused: {error.found}"
    return "work"
