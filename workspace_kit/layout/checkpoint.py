"""What a workspace held when a phase ended: every file with its size and digest, sealed by its own digest.

Checkpoints are ordered by ``seq`` alone, never by name or clock.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from workspace_kit import clock, storage
from workspace_kit.layout import names
from workspace_kit.layout.documents import encode_json
from workspace_kit.layout.names import Workspace
from workspace_kit.layout.reader import document_of, read_bytes

FORMAT = 1
_APPENDED = (names.SIGNALS.name,)
_MUTABLE = (names.METADATA.name, names.PICTURE.name, names.PAGE.name)
_ASIDE = (names.CHECKPOINT.name, names.STARTED.name, names.STATE.name)


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
    """Record what the workspace holds, after bringing all of it to the device where ``sync`` asks so."""
    earlier = checkpoints(workspace)
    covered = list(_cover(files, sync=sync))
    for folder in sorted({str(each["path"]).partition("/")[0] for each in covered}) if sync else ():
        storage.sync_folder(workspace.path / folder)
    content: dict[str, object] = {
        "format": FORMAT,
        "seq": max(map(_seq, earlier), default=0) + 1,
        "phase": phase,
        "timestamp": clock.text(written_at),
        "previous": earlier[-1].get("digest") if earlier else None,
        "state": dict(state),
        "completed_trials": list(completed_trials),
        "workspace_hash": workspace_hash(covered),
        "files": covered,
    }
    path = workspace.file(names.CHECKPOINT, f"{phase}_complete")
    storage.replace(path, encode_json({**content, "digest": _seal(content)}), sync=sync)
    return path


def checkpoints(workspace: Workspace) -> list[dict[str, Any]]:
    """Every checkpoint of a workspace, oldest first; those without a number, from elsewhere, before all."""
    folder = workspace.path / names.CHECKPOINT.folder
    found = (document_of(path) for path in sorted(folder.glob(f"*{names.CHECKPOINT.suffix}")))
    return sorted(found, key=_seq)


def _seq(checkpoint: Mapping[str, Any]) -> int:
    seq = checkpoint.get("seq")
    return seq if isinstance(seq, int) else 0


def workspace_hash(covered: Iterable[Mapping[str, object]]) -> str:
    """One digest over names, sizes and digests of all files that do not change after their phase."""
    lasting = [[each["path"], each["bytes"], each["sha256"]] for each in covered if each["kind"] != "mutable"]
    return _seal(lasting)


def _cover(files: pl.DataFrame, *, sync: bool) -> Iterable[dict[str, object]]:
    lasting = files.filter(~pl.col("kind").is_in(_ASIDE)).sort("path")
    for kind, name, modified_ns in lasting.select("kind", "path", "modified_ns").iter_rows():
        path = Path(name)
        if path.is_symlink() or not path.is_file():
            continue
        if sync:
            storage.sync_file(path)
        data = read_bytes(path)
        yield {
            "path": "/".join(path.parts[-2:]),
            "kind": "mutable" if kind in _MUTABLE else "append" if kind in _APPENDED else "replace",
            "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "modified_ns": modified_ns,
        }


def _seal(content: object) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
