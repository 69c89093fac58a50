"""What a workspace holds when a phase ends: every file with its size and digest, put down as a checkpoint."""

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl

from workspace_kit import clock, storage
from workspace_kit.errors import SchemaMismatch
from workspace_kit.layout import names
from workspace_kit.layout.chain import (
    APPENDED,
    FORMAT,
    MUTABLE,
    PUBLISHED,
    REPLACED,
    SEALED,
    WITHDRAWN,
    Checkpoint,
    digest_of,
    place_of,
    read_chain,
    sealed,
)
from workspace_kit.layout.documents import encode_document, encode_json
from workspace_kit.layout.inventory import inventory
from workspace_kit.layout.names import Workspace
from workspace_kit.layout.reader import read_bytes
from workspace_kit.layout.trials import recorded_signals
from workspace_kit.layout.writer import inside, log_event

ASIDE = (names.CHECKPOINT.name, names.STARTED.name, names.STATE.name)
_MUTABLE_KINDS = (names.PICTURE.name, names.PAGE.name)
_MUTABLE_METADATA = ("execution_log", "phase_timing")


def write_checkpoint(
    workspace: Workspace,
    phase: str,
    files: pl.DataFrame,
    *,
    state: Mapping[str, object],
    completed_trials: Sequence[str],
    written_at: dt.datetime,
    sync: bool,
) -> Path:
    """Record what the workspace holds, after bringing all of it to the device where ``sync`` asks so.

    A phase that is checkpointed again keeps its place in the chain; those after it are set aside first, since
    they rest on what it was. The log learns the digest before the checkpoint appears, so that a forged one
    can be told, and then that it has appeared, so that a lost one can.

    Raises
    ------
    SchemaMismatch
        ``state`` cannot be written as JSON.
    """
    path = inside(place_of(workspace, phase))
    before = _before(workspace, path, at=written_at)
    covered = list(cover(files, sync=sync))
    for folder in sorted({str(each["path"]).partition("/")[0] for each in covered}) if sync else ():
        storage.sync_folder(workspace.path / folder)
    content = _plain(
        {
            "format": FORMAT,
            "seq": before[-1].seq + 1 if before else 1,
            "phase": phase,
            "timestamp": clock.text(written_at),
            "previous": before[-1].digest if before else None,
            "writer": f"workspace-kit {version('workspace-kit')}",
            "state": dict(state),
            "completed_trials": list(completed_trials),
            "workspace_hash": workspace_hash(covered),
            "files": covered,
        },
        where=str(path),
    )
    told = {"seq": content["seq"], "digest": digest_of(content)}
    log_event(workspace, at=written_at, phase=phase, event=SEALED, trial_id=None, detail=told)
    storage.replace(path, sealed(content), sync=sync)
    log_event(workspace, at=written_at, phase=phase, event=PUBLISHED, trial_id=None, detail=told)
    return path


def write_marker(
    workspace: Workspace, phase: str, *, writes: Sequence[str], written_at: dt.datetime, sync: bool
) -> Path:
    """Say before a phase starts which files it is about to write, as patterns, and what it begins from.

    Only the first phase has no checkpoint before it: its marker covers the configuration and environment.
    """
    path = inside(workspace.file(names.STARTED, phase))
    known = inventory([workspace])
    given = known.filter(pl.col("path").str.contains(f"/{names.CONFIG.folder}/"))
    chain = read_chain(workspace)
    content = {
        "phase": phase,
        "previous": chain.last.digest if chain.last else None,
        "writes": list(writes),
        "files": [] if chain.last else list(cover(given, sync=sync)),
    }
    storage.replace(path, encode_document(content, written_at=written_at), sync=sync)
    return path


def workspace_hash(covered: Iterable[Mapping[str, object]]) -> str:
    """One digest over names, sizes and digests of all files that do not change after their phase."""
    lasting = [[each["path"], each["bytes"], each["sha256"]] for each in covered if each["kind"] != MUTABLE]
    return digest_of(lasting)


def cover(files: pl.DataFrame, *, sync: bool) -> Iterator[dict[str, object]]:
    """Yield path, kind, size, digest and time of change of each regular file of an inventory, by path.

    Signals that their trial's performance document has recorded are final; others may still be appended to.
    """
    lasting = files.filter(~pl.col("kind").is_in(ASIDE)).sort("path")
    final = recorded_signals(files)
    for kind, key, name, modified_ns in lasting.select("kind", "key", "path", "modified_ns").iter_rows():
        path = Path(name)
        if path.is_symlink() or not path.is_file():
            continue
        data = read_bytes(path)
        if sync:  # after reading: what a digest covers is on the device, whoever appends meanwhile
            storage.sync_file(path)
        digest = hashlib.sha256(data).hexdigest()
        yield {
            "path": "/".join(path.parts[-2:]),
            "kind": _kind(kind, key, is_final=final.get(path) == digest),
            "bytes": len(data),
            "sha256": digest,
            "modified_ns": modified_ns,
        }


def _kind(kind: str, key: str, *, is_final: bool) -> str:
    if kind in _MUTABLE_KINDS or (kind == names.METADATA.name and key in _MUTABLE_METADATA):
        return MUTABLE
    return APPENDED if kind == names.SIGNALS.name and not is_final else REPLACED


def _before(workspace: Workspace, path: Path, *, at: dt.datetime) -> Sequence[Checkpoint]:
    """Return what a new checkpoint comes after: all, or those before the one whose place it takes."""
    whole = read_chain(workspace).whole
    places = [place for place, each in enumerate(whole) if each.path == path]
    if not places:
        return whole
    later = [each.path for each in reversed(whole[places[0] + 1 :])]
    withdraw(workspace, later, after=whole[places[0]].seq, at=at)
    return whole[: places[0]]


def withdraw(workspace: Workspace, checkpoints: Sequence[Path], *, after: int, at: dt.datetime) -> list[Path]:
    """Set aside checkpoints that come after number ``after``, in the order given, once the log says so."""
    if checkpoints:
        detail = {"seq": after + 1}
        log_event(workspace, at=at, phase=None, event=WITHDRAWN, trial_id=None, detail=detail)
    moved = [set_aside(workspace, path, seq=after) for path in checkpoints]
    return [path for path in moved if path]


def set_aside(workspace: Workspace, path: Path, *, seq: int) -> Path | None:
    """Move a file into ``checkpoints/set_aside/{seq}/``, never over another; null where it is gone."""
    aside = inside(workspace.path / names.CHECKPOINT.folder / names.SET_ASIDE)
    where = inside(inside(aside / str(seq)) / path.parent.name)
    target, number = inside(where / path.name), 1
    while target.exists() or target.is_symlink():
        number += 1
        target = where / f"{path.name}.{number}"
    if not path.exists() and not path.is_symlink():
        return None
    storage.make_folder(where)
    storage.rename(path, target)
    return target


def _plain(content: Mapping[str, object], *, where: str) -> dict[str, Any]:
    """Return the content as JSON will give it back."""
    try:
        return dict(json.loads(encode_json(content)))
    except (TypeError, ValueError) as error:
        raise SchemaMismatch(
            where, found=str(error), expected="a state that JSON can hold", remedy="leave it out or spell it"
        ) from error
