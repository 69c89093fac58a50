"""The checkpoints of a workspace as a chain: sealed one by one, each naming the one before it.

Ordered by ``seq`` alone, never by name or clock. The log hears of a checkpoint before it appears, when it
has appeared, and before it is withdrawn: so a forged one can be told, and a lost one from one never written.
Whatever a later format adds, it keeps ``format`` and the seal, so that "newer" and "damaged" stay apart.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from workspace_kit.errors import NameInvalid, NewerFormat, WorkspaceKitError
from workspace_kit.layout import names
from workspace_kit.layout.documents import encode_json
from workspace_kit.layout.lines import parse_json, reason_of
from workspace_kit.layout.names import Workspace
from workspace_kit.layout.reader import log_of, read_inside

FORMAT = 1
SEALED, PUBLISHED, WITHDRAWN = "checkpoint", "checkpoint published", "checkpoints withdrawn"
MUTABLE, APPENDED, REPLACED = "mutable", "append", "replace"
Logged = tuple[str, str, Mapping[str, Any]]
_OURS = ("format", "seq", "files", "digest")
_SUFFIX = "_complete"


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
            faults[path] = reason_of(error)
        except NewerFormat:
            raise
        except WorkspaceKitError as error:
            faults[path] = error.found
    whole.sort(key=lambda each: (each.seq, len(each.phase), each.phase))
    logged = _logged(workspace)
    forged = _forged(whole, logged)
    faults |= {**forged, **_lost(workspace, logged)}
    sound, gap = _follow([each for each in whole if each.path not in forged])
    if gap and not faults:
        faults[gap[0]] = gap[1]
    return Chain(whole, len(whole) if not faults else sound, faults)


def place_of(workspace: Workspace, phase: str) -> Path:
    """Where the checkpoint of a phase lies."""
    return workspace.file(names.CHECKPOINT, phase if phase.endswith(_SUFFIX) else f"{phase}{_SUFFIX}")


def digest_of(content: object) -> str:
    """Return the digest that seals something written as JSON, whatever its layout there."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def sealed(content: Mapping[str, object]) -> bytes:
    """Return the bytes of a checkpoint, its own digest last."""
    return encode_json({**content, "digest": digest_of(content)})


def _load(path: Path) -> Checkpoint:
    data = read_inside(path)
    content = parse_json(data)
    if not isinstance(content, dict) or not isinstance(content.get("phase"), str):
        raise ValueError("no checkpoint of a phase")
    if not any(name in content for name in _OURS):
        return Checkpoint(path, content)
    told = {key: value for key, value in content.items() if key != "digest"}
    if content.get("digest") != digest_of(told) or encode_json(content) != data:
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


def _logged(workspace: Workspace) -> list[Logged]:
    """Return what the log says of checkpoints: event, phase and detail; nothing where it cannot be read."""
    try:
        events = log_of(workspace)
    except WorkspaceKitError:
        return []
    return [
        (str(each["event"]), str(each.get("phase")), each["detail"])
        for each in events
        if isinstance(each, dict)
        and each.get("event") in {SEALED, PUBLISHED, WITHDRAWN}
        and isinstance(each.get("detail"), dict)
    ]


def _forged(whole: Sequence[Checkpoint], logged: Sequence[Logged]) -> dict[Path, str]:
    """Name checkpoints whose digest the log never heard of, though it heard of others of that phase."""
    heard: dict[str, set[str]] = {}
    for event, phase, detail in logged:
        if event == SEALED:
            heard.setdefault(phase, set()).add(str(detail.get("digest")))
    return {
        each.path: "forged: the log records another digest"
        for each in whole
        if each.digest and each.phase in heard and each.digest not in heard[each.phase]
    }


def _lost(workspace: Workspace, logged: Sequence[Logged]) -> dict[Path, str]:
    """Name checkpoints that are gone though the log says that they had appeared, and not that they may go."""
    standing: dict[int, str] = {}
    for event, phase, detail in logged:
        seq = detail.get("seq")
        if not isinstance(seq, int):
            continue
        if event == PUBLISHED:
            standing[seq] = phase
        else:
            standing = {number: each for number, each in standing.items() if number < seq}
    found = {}
    for phase in standing.values():
        with suppress(NameInvalid):
            path = place_of(workspace, phase)
            if not os.path.lexists(path):
                found[path] = "deleted: the log records that it was written"
    return found
