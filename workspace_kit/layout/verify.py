"""What has changed since the last checkpoint: one verdict per file, in words that say what to do about it."""

import errno
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from workspace_kit.errors import FileDamaged, WorkspaceCorruptedError, WorkspaceKitError
from workspace_kit.layout import names
from workspace_kit.layout.chain import APPENDED, MUTABLE, Chain, is_entry, read_chain
from workspace_kit.layout.checkpoint import ASIDE
from workspace_kit.layout.digests import Digests
from workspace_kit.layout.inventory import inventory
from workspace_kit.layout.names import Workspace
from workspace_kit.layout.reader import document_of, log_of
from workspace_kit.schema import COUNT, PHASES, TEXT, Column, Table

OK, LONGER, ACCEPTED, REGISTERED, MAY_CHANGE = "ok", "appended", "accepted", "registered", "may change"
PARTIAL, ADDED = "partial output", "added"
MODIFIED, TRUNCATED, DELETED, RETYPED = "modified", "truncated", "deleted", "type changed"
DAMAGED, UNREADABLE = "checkpoint damaged", "unreadable"
CHANGED = (MODIFIED, TRUNCATED, DELETED, RETYPED, DAMAGED)
LOOSE = (PARTIAL, ADDED)
ACCEPT_EVENT, ANALYSIS_EVENT = "accepted", "analysis "
MOST_NAMED = 20
_ANALYSES = (names.ANALYSIS.name, names.ANALYSIS_TABLE.name)
_FREE = (
    names.METADATA.name,
    names.CONFIG.name,
    names.PICTURE.name,
    names.PAGE.name,
    names.ORIGINAL.name,
)

VERDICTS = Table(
    "verdicts",
    "file",
    (
        Column("path", TEXT, "the file within its workspace"),
        Column("verdict", TEXT, "what was found"),
        Column("detail", TEXT, "by how much, since when, or why"),
        Column("bytes", COUNT, "size now, null where it is gone"),
        Column("sha256", TEXT, "digest now, null where it was not read"),
    ),
)


class Verification(NamedTuple):
    """Verdicts (`VERDICTS`) on every file of a workspace, and the checkpoints they rest on."""

    rows: pl.DataFrame
    chain: Chain

    @property
    def problems(self) -> pl.DataFrame:
        """Verdicts that stop a resume."""
        return problems_of(self.rows)

    @property
    def phase(self) -> str | None:
        """The phase last completed."""
        return self.chain.last.phase if self.chain.last else None


def verify(workspace: Workspace, digests: Digests, *, chain: Chain | None = None) -> Verification:
    """Compare every file with the last checkpoint and name each difference.

    ``chain`` leaves out checkpoints that no longer count. Without a checkpoint the marker of the first phase
    says what the run began from. ``digests`` tells the digest of a file, from the disk or from what is known
    of a file that has not changed.

    Raises
    ------
    NewerFormat
        A checkpoint was written by a later version.
    """
    chain = chain or read_chain(workspace)
    recorded = _recorded(workspace, chain)
    log, log_faults = _log(workspace)
    rows = [
        *_on_checkpoints(chain),
        *log_faults,
        *_on_recorded(workspace, recorded, accepted_changes(log), digests),
        *_on_others(workspace, chain, set(recorded), log, digests),
    ]
    return Verification(VERDICTS.frame(sorted(rows, key=lambda row: str(row["path"]))), chain)


def compared_count(workspace: Workspace, chain: Chain) -> int:
    """Return of how many files `verify` takes the digest; the others may change."""
    return sum(
        entry["kind"] != MUTABLE and is_regular(workspace.path / name)
        for name, entry in _recorded(workspace, chain).items()
    )


def _recorded(workspace: Workspace, chain: Chain) -> Mapping[str, Mapping[str, Any]]:
    return chain.last.files if chain.last else _started(workspace, PHASES[0])


def problems_of(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the verdicts that stop a resume."""
    return rows.filter(pl.col("verdict").is_in([*CHANGED, UNREADABLE]))


def check(rows: pl.DataFrame, *, where: Path) -> None:
    """Return where no verdict stops a resume; ``where`` is the workspace's folder.

    Raises
    ------
    WorkspaceCorruptedError
        Files differ from what their checkpoint recorded; all are named.
    FileDamaged
        Files cannot be read; all are named.
    """
    problems = problems_of(rows)
    if problems.is_empty():
        return
    told = [
        f"{path} {verdict}{f' ({detail})' if detail else ''}"
        for path, verdict, detail in problems.select("path", "verdict", "detail").iter_rows()
    ]
    more = f"; and {len(told) - MOST_NAMED} more" if len(told) > MOST_NAMED else ""
    found = f"{'; '.join(told[:MOST_NAMED])}{more}"
    if (problems["verdict"] == UNREADABLE).all():
        raise FileDamaged(
            str(where),
            found=f"{_files(len(told))} that cannot be read: {found}",
            expected="every file readable",
            remedy="give leave to read them, or restore them",
        )
    held = Workspace(where.parent, where.name)
    raise WorkspaceCorruptedError(
        str(where),
        found=f"{_files(len(told))} changed since the last checkpoint: {found}",
        expected="every file as its checkpoint recorded it",
        remedy=f"`{held.command('resume', '--fallback')}` goes back to the last good checkpoint"
        if DAMAGED in problems["verdict"].to_list()
        else "restore what was not meant to change; "
        f"`{held.command('accept', 'PATH', '--reason ...')}` what was",
    )


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def accepted_changes(log: Sequence[Any]) -> dict[str, dict[str | None, dict[str, Any]]]:
    """Return what was accepted of each path, by digest (null: its absence): ``who, reason, after``."""
    found: dict[str, dict[str | None, dict[str, Any]]] = {}
    for event in log:
        detail = event.get("detail") if isinstance(event, dict) else None
        if not isinstance(detail, dict) or event.get("event") != ACCEPT_EVENT or "path" not in detail:
            continue
        if isinstance(digest := detail.get("sha256"), str | None):
            found.setdefault(str(detail["path"]), {})[digest] = detail
    return found


def _log(workspace: Workspace) -> tuple[list[Any], list[dict[str, object]]]:
    try:
        return log_of(workspace), []
    except WorkspaceKitError as error:
        path = _short(workspace.file(names.METADATA, "execution_log"))
        return [], [{"path": path, "verdict": UNREADABLE, "detail": error.found}]


def _on_checkpoints(chain: Chain) -> Iterator[dict[str, object]]:
    for each in chain.whole:
        if each.path not in chain.faults:
            yield {"path": _short(each.path), "verdict": OK, "detail": f"checkpoint {each.seq or 'foreign'}"}
    for path, fault in chain.faults.items():
        yield {"path": _short(path), "verdict": DAMAGED, "detail": fault}


def _on_recorded(
    workspace: Workspace,
    recorded: Mapping[str, Mapping[str, Any]],
    accepted: Mapping[str, Mapping[str | None, Mapping[str, Any]]],
    digests: Digests,
) -> Iterator[dict[str, object]]:
    for name, entry in recorded.items():
        row: dict[str, Any] = {"path": name, **_judge(workspace.path / name, entry, digests)}
        acceptance = accepted.get(name, {}).get(row.get("sha256"))
        is_change = row["verdict"] in {MODIFIED, TRUNCATED, DELETED, LONGER}
        if is_change and acceptance:
            row["verdict"] = ACCEPTED
            row["detail"] = f"by {acceptance.get('who')}: {acceptance.get('reason')}"
        yield row


def _judge(path: Path, entry: Mapping[str, Any], digests: Digests) -> dict[str, object]:
    may_change = entry["kind"] == MUTABLE
    try:
        status = _status(path)
    except FileNotFoundError:
        is_derived = may_change and path.parent.name == names.PAGE.folder
        return {"verdict": MAY_CHANGE if is_derived else DELETED, "detail": ""}
    except OSError as error:
        return {"verdict": UNREADABLE, "detail": _reason(error)}
    if isinstance(status, str):
        return {"verdict": RETYPED, "detail": status}
    if may_change:
        return {"verdict": MAY_CHANGE, "detail": "", "bytes": status.st_size}
    try:
        return {"bytes": status.st_size, **_compare(path, status, entry, digests)}
    except WorkspaceKitError as error:
        cause = error.__cause__
        reason = _reason(cause) if isinstance(cause, OSError) else error.found
        return {"verdict": UNREADABLE, "detail": reason, "bytes": status.st_size}


def _status(path: Path) -> os.stat_result | str:
    """Return the status of a regular file, or what stands in its place."""
    if path.parent.is_symlink():
        return "its folder is now a symbolic link"
    try:
        status = os.lstat(path)
    except NotADirectoryError:
        return "its folder is now a file"
    return status if stat.S_ISREG(status.st_mode) else f"it is now {_type(status.st_mode)}"


def _compare(
    path: Path, status: os.stat_result, entry: Mapping[str, Any], digests: Digests
) -> dict[str, object]:
    grown = status.st_size - entry["bytes"]
    digest = digests.of(path, status)
    found: dict[str, object] = {"sha256": digest, "detail": ""}
    if digest == entry["sha256"]:
        return {**found, "verdict": OK}
    if grown < 0:
        return {**found, "verdict": TRUNCATED, "detail": f"−{-grown} bytes"}
    is_prefix = grown > 0 and digests.of_prefix(path, entry["bytes"]) == entry["sha256"]
    if is_prefix and entry["kind"] == APPENDED:
        return {**found, "verdict": LONGER, "detail": f"+{grown} bytes"}
    return {**found, "verdict": MODIFIED, "detail": f"+{grown} bytes" if grown else "same size, other bytes"}


def _on_others(
    workspace: Workspace, chain: Chain, recorded: set[str], log: Sequence[Any], digests: Digests
) -> Iterator[dict[str, object]]:
    """Judge what the checkpoint does not list: registered, the partial output of a phase, or of nobody."""
    files = inventory([workspace]).filter(~pl.col("kind").is_in(ASIDE))
    accepted, events = accepted_changes(log), [event.get("event") for event in log if isinstance(event, dict)]
    writes = _writes(workspace, chain)
    for kind, name, size in files.select("kind", "path", "bytes").iter_rows():
        path = Path(name)
        short = path.relative_to(workspace.path).as_posix()
        if short in recorded:
            continue
        phase = next((each for each, patterns in writes if _matches(short, patterns)), None)
        row: dict[str, object] = {"path": short, "bytes": size, "detail": ""}
        if kind in _FREE:
            yield {**row, "verdict": MAY_CHANGE}
        elif _is_as_accepted(path, accepted.get(short, {}), digests) or (
            kind in _ANALYSES and f"{ANALYSIS_EVENT}{path.name.partition('.')[0]}" in events
        ):
            yield {**row, "verdict": REGISTERED, "detail": "in the log"}
        elif not is_regular(path):
            yield {**row, "verdict": ADDED, "detail": "no regular file; left where it is"}
        elif phase:
            yield {**row, "verdict": PARTIAL, "detail": f"of {phase}"}
        else:
            yield {**row, "verdict": ADDED, "detail": "in no checkpoint, nor registered in the log"}


def _is_as_accepted(path: Path, accepted: Mapping[str | None, object], digests: Digests) -> bool:
    if not accepted or not is_regular(path):
        return False
    try:
        return digests.of(path, os.lstat(path)) in accepted
    except (OSError, WorkspaceKitError):
        return False


def _writes(workspace: Workspace, chain: Chain) -> list[tuple[str, list[str]]]:
    """Return what each phase that has begun and not ended says it writes."""
    folder = workspace.path / names.STARTED.folder
    found, ended = [], {each.phase for each in chain.whole}
    for path in sorted(folder.glob(f"*{names.STARTED.suffix}")):
        try:
            patterns = document_of(path).get("writes")
        except WorkspaceKitError:
            continue
        if isinstance(patterns, list) and path.stem not in ended:
            found.append((path.stem, [str(each) for each in patterns]))
    return found


def _started(workspace: Workspace, phase: str) -> dict[str, dict[str, Any]]:
    try:
        files = document_of(workspace.file(names.STARTED, phase)).get("files")
    except WorkspaceKitError:
        return {}
    return {each["path"]: each for each in files if is_entry(each)} if isinstance(files, list) else {}


def _matches(path: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)


def _short(path: Path) -> str:
    return "/".join(path.parts[-2:])


def _reason(error: OSError) -> str:
    return f"{errno.errorcode.get(error.errno or 0, error.errno)}: {error.strerror}"


def is_regular(path: Path) -> bool:
    """Whether a regular file lies there, and no link to one."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


def _type(mode: int) -> str:
    kinds = ((stat.S_ISLNK, "a symbolic link"), (stat.S_ISDIR, "a folder"), (stat.S_ISREG, "a file"))
    return next((name for is_kind, name in kinds if is_kind(mode)), "no regular file")
