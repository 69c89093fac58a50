"""What a workspace held when a phase ended: every file with its size and digest, sealed by its own digest.

Checkpoints are ordered by ``seq`` alone, never by name or clock, and each names the digest of the one before.
Whatever a later format adds, it keeps ``format`` and the seal, so that "newer" and "damaged" stay apart.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from workspace_kit import clock, storage
from workspace_kit.errors import NewerFormat, SchemaMismatch, WorkspaceKitError
from workspace_kit.layout import names
from workspace_kit.layout.documents import encode_document, encode_json
from workspace_kit.layout.inventory import inventory
from workspace_kit.layout.lines import parse_json
from workspace_kit.layout.names import Workspace
from workspace_kit.layout.reader import MAX_DOCUMENT, log_of, read_bytes
from workspace_kit.layout.trials import recorded_signals
from workspace_kit.layout.writer import log_event

FORMAT = 1
SEALED = "checkpoint"
MUTABLE, APPENDED, REPLACED = "mutable", "append", "replace"
ASIDE = (names.CHECKPOINT.name, names.STARTED.name, names.STATE.name)
_OURS = ("format", "seq", "files", "digest")
_SUFFIX = "_complete"
_MUTABLE_KINDS = (names.PICTURE.name, names.PAGE.name)
_MUTABLE_METADATA = ("execution_log", "phase_timing")


class Checkpoint(NamedTuple):
    """One checkpoint: where it lies and what it says."""

    path: Path
    content: Mapping[str, Any]

    @property
    def phase(self) -> str:
        """The phase that had ended."""
        return str(self.content["phase"])

    @property
    def seq(self) -> int:
        """Place in the chain, from 1; 0 where another program wrote it."""
        return int(self.content.get("seq", 0))

    @property
    def digest(self) -> str | None:
        """Its seal, null where another program wrote it."""
        return self.content.get("digest")

    @property
    def files(self) -> dict[str, dict[str, Any]]:
        """What it covers, by path within the workspace."""
        return {each["path"]: each for each in self.content.get("files", ())}


class Chain(NamedTuple):
    """The checkpoints of a workspace, in order.

    ``whole`` are those with a good seal; ``sound`` is how many of them, from the first, follow one another
    without a gap. ``faults`` says of each file what is wrong with it.
    """

    whole: Sequence[Checkpoint]
    sound: int
    faults: Mapping[Path, str]

    @property
    def last(self) -> Checkpoint | None:
        """The newest with a good seal."""
        return self.whole[-1] if self.whole else None


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
    can be told.

    Raises
    ------
    SchemaMismatch
        ``state`` cannot be written as JSON.
    """
    path = workspace.file(names.CHECKPOINT, phase if phase.endswith(_SUFFIX) else f"{phase}{_SUFFIX}")
    before = _before(workspace, path)
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
    digest = _seal(content)
    log_event(
        workspace,
        at=written_at,
        phase=phase,
        event=SEALED,
        trial_id=None,
        detail={"seq": content["seq"], "digest": digest},
    )
    storage.replace(path, encode_json({**content, "digest": digest}), sync=sync)
    return path


def write_marker(
    workspace: Workspace, phase: str, *, writes: Sequence[str], written_at: dt.datetime, sync: bool
) -> Path:
    """Say before a phase starts which files it is about to write, as patterns, and what it begins from.

    Only the first phase has no checkpoint before it: its marker covers the configuration and environment.
    """
    path = workspace.file(names.STARTED, phase)
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


def read_chain(workspace: Workspace) -> Chain:
    """Read every checkpoint: those with a good seal in order, and what is wrong with the others.

    Raises
    ------
    NewerFormat
        A checkpoint was written by a later version.
    """
    faults: dict[Path, str] = {}
    whole: list[Checkpoint] = []
    folder = workspace.path / names.CHECKPOINT.folder
    for path in sorted(folder.glob(f"*{names.CHECKPOINT.suffix}")):
        try:
            whole.append(_load(path))
        except (ValueError, RecursionError) as error:
            faults[path] = f"damaged: {error}"
        except NewerFormat:
            raise
        except WorkspaceKitError as error:
            faults[path] = error.found
    whole.sort(key=lambda each: (each.seq, len(each.phase), each.phase))
    forged = _forged(workspace, whole)
    faults |= forged
    sound, gap = _follow([each for each in whole if each.path not in forged])
    if gap and not faults:
        faults[gap[0]] = gap[1]
    return Chain(whole, len(whole) if not faults else sound, faults)


def workspace_hash(covered: Iterable[Mapping[str, object]]) -> str:
    """One digest over names, sizes and digests of all files that do not change after their phase."""
    lasting = [[each["path"], each["bytes"], each["sha256"]] for each in covered if each["kind"] != MUTABLE]
    return _seal(lasting)


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
        if sync:
            storage.sync_file(path)
        data = read_bytes(path)
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


def _before(workspace: Workspace, path: Path) -> Sequence[Checkpoint]:
    """Return what a new checkpoint comes after: all, or those before the one whose place it takes."""
    whole = read_chain(workspace).whole
    places = [place for place, each in enumerate(whole) if each.path == path]
    if not places:
        return whole
    for later in reversed(whole[places[0] + 1 :]):
        set_aside(workspace, later.path, seq=later.seq)
    return whole[: places[0]]


def set_aside(workspace: Workspace, path: Path, *, seq: int) -> Path | None:
    """Move a file into ``checkpoints/set_aside/{seq}/``, never over another; null where it is gone."""
    where = workspace.path / names.CHECKPOINT.folder / names.SET_ASIDE / str(seq) / path.parent.name
    target, number = where / path.name, 1
    while target.exists() or target.is_symlink():
        number += 1
        target = where / f"{path.name}.{number}"
    if not path.exists() and not path.is_symlink():
        return None
    storage.make_folder(where)
    storage.rename(path, target)
    return target


def _load(path: Path) -> Checkpoint:
    data = read_bytes(path, at_most=MAX_DOCUMENT)
    content = parse_json(data)
    if not isinstance(content, dict) or not isinstance(content.get("phase"), str):
        raise ValueError("no checkpoint of a phase")
    if not any(name in content for name in _OURS):
        return Checkpoint(path, content)
    sealed = {key: value for key, value in content.items() if key != "digest"}
    if content.get("digest") != _seal(sealed) or encode_json(content) != data:
        raise ValueError("it is not as it was sealed")
    if not isinstance(content.get("format"), int):
        raise ValueError("no number of a format")
    if content["format"] > FORMAT:
        raise NewerFormat(
            str(path),
            found=f"checkpoint format {content['format']}",
            expected=f"at most {FORMAT}",
            remedy="use a newer workspace-kit",
        )
    entries = content.get("files")
    is_list = isinstance(entries, list) and all(map(is_entry, entries))
    if not is_list or not isinstance(content.get("seq"), int):
        raise ValueError("it says what no checkpoint says")
    return Checkpoint(path, content)


def is_entry(entry: object) -> bool:
    """Whether something read says of one file of a workspace, and of none elsewhere, what it was."""
    if not isinstance(entry, dict):
        return False
    path, size = entry.get("path"), entry.get("bytes")
    folder, _, name = path.partition("/") if isinstance(path, str) else ("", "", "")
    is_inside = folder in names.FOLDERS and "/" not in name and name not in {"", ".", ".."}
    return (
        is_inside
        and isinstance(size, int)
        and entry.get("kind") in {MUTABLE, APPENDED, REPLACED}
        and isinstance(entry.get("sha256"), str)
    )


def _follow(whole: Sequence[Checkpoint]) -> tuple[int, tuple[Path, str] | None]:
    """Return how many checkpoints follow one another, and the first that does not with what is wrong."""
    seq, digest = 0, None
    for place, each in enumerate(whole):
        if each.digest is None:
            continue
        if each.seq != seq + 1:
            found = "the same number as another" if each.seq == seq else f"after {seq}: one is missing"
            return place, (each.path, f"number {each.seq}, {found}")
        if each.content.get("previous") != digest:
            return place, (each.path, "it does not follow the checkpoint before it")
        seq, digest = each.seq, each.digest
    return len(whole), None


def _forged(workspace: Workspace, whole: Sequence[Checkpoint]) -> dict[Path, str]:
    """Name checkpoints whose digest the log never heard of, though it heard of others of that phase."""
    heard: dict[str, set[str]] = {}
    try:
        events = log_of(workspace)
    except WorkspaceKitError:
        return {}
    for event in events:
        if isinstance(event, dict) and event.get("event") == SEALED and isinstance(event.get("detail"), dict):
            heard.setdefault(str(event.get("phase")), set()).add(str(event["detail"].get("digest")))
    return {
        each.path: "forged: the log records another digest"
        for each in whole
        if each.digest and each.phase in heard and each.digest not in heard[each.phase]
    }


def _plain(content: Mapping[str, object], *, where: str) -> dict[str, Any]:
    """Return the content as JSON will give it back."""
    try:
        return dict(json.loads(encode_json(content)))
    except (TypeError, ValueError) as error:
        raise SchemaMismatch(
            where, found=str(error), expected="a state that JSON can hold", remedy="leave it out or spell it"
        ) from error


def _seal(content: object) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
