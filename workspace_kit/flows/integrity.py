"""Doors for what changed: verify a workspace, accept a change that was meant."""

import getpass
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from workspace_kit.errors import NotFound, UsageError
from workspace_kit.flows.catalogs import open_workspace
from workspace_kit.flows.trip import Reporter, silent, wall_clock
from workspace_kit.layout import names
from workspace_kit.layout.chain import read_chain
from workspace_kit.layout.digests import Digests
from workspace_kit.layout.lease import leased
from workspace_kit.layout.names import DEFAULT_ROOT, Workspace
from workspace_kit.layout.verify import (
    ACCEPT_EVENT,
    ADDED,
    DELETED,
    LONGER,
    MAY_CHANGE,
    MODIFIED,
    OK,
    PARTIAL,
    TRUNCATED,
    Verification,
    check,
    compared_count,
    verify,
)
from workspace_kit.layout.writer import log_event
from workspace_kit.schema import PHASES

START = "the start"
_ACCEPTABLE = (MODIFIED, TRUNCATED, DELETED, LONGER, PARTIAL, ADDED)
_INPUTS = ("config.yaml", "environment.json")


class Acceptance(NamedTuple):
    """A change that was accepted: the file, the phase that wrote it, and the phases that now are stale."""

    path: str
    after: str
    stale: Sequence[str]


def verify_workspace(
    workspace: Path | str | Workspace,
    root: Path | str = DEFAULT_ROOT,
    *,
    deep: bool = False,
    reporter: Reporter = silent,
) -> pl.DataFrame:
    """Return a verdict on every file since the last checkpoint: ``path, verdict, detail, bytes, sha256``.

    A file that cannot have changed since its digest was last taken is not read again, unless ``deep``.
    """
    held = open_workspace(workspace, root)
    chain = read_chain(held)
    with reporter("Files", compared_count(held, chain)) as step:
        digests = Digests(held, deep=deep, step=step)
        found = verify(held, digests, chain=chain)
    digests.remember()
    return found.rows


def check_verdicts(rows: pl.DataFrame, *, where: Path) -> None:
    """Return where nothing would stop a resume; ``where`` is the workspace's folder.

    Raises
    ------
    WorkspaceCorruptedError, FileDamaged
        All files that changed, or that cannot be read, are named.
    """
    check(rows, where=where)


def verdict_counts(rows: pl.DataFrame) -> str:
    """Return how many files have which verdict, in words."""
    counts = rows["verdict"].value_counts().sort("count", "verdict", descending=[True, False])
    return f"{rows.height} files: " + ", ".join(f"{count} {verdict}" for verdict, count in counts.iter_rows())


def differences(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the verdicts that say more than that nothing happened."""
    return rows.filter(~pl.col("verdict").is_in([OK, MAY_CHANGE])).drop("sha256")


def accept_change(
    workspace: Path | str | Workspace, path: Path | str, *, reason: str, root: Path | str = DEFAULT_ROOT
) -> Acceptance:
    """Record that a file was changed on purpose, by whom and why; phases after the one it is of are stale.

    ``path`` is that of the file, or its name within the workspace.

    Raises
    ------
    NotFound
        Neither the checkpoint nor the disk knows the file.
    UsageError
        It did not change, or it changed into something that cannot be accepted.
    """
    held = open_workspace(workspace, root)
    with leased(held):
        found = verify(held, Digests(held, deep=True))
        short = _within(held, Path(path))
        rows = found.rows.filter(pl.col("path") == short)
        if rows.is_empty():
            raise NotFound(
                str(held.path),
                found=f"no file {short!r}",
                expected="a file of it",
                remedy=f"see `{held.command('verify')}`",
            )
        row = rows.row(0, named=True)
        if row["verdict"] not in _ACCEPTABLE:
            raise UsageError(
                str(held.path / short),
                found=f"a file that is {row['verdict']}{row['detail'] and ': '}{row['detail']}",
                expected=f"one that is {', '.join(_ACCEPTABLE[:-1])} or {_ACCEPTABLE[-1]}",
                remedy="nothing to accept" if row["verdict"] in {OK, MAY_CHANGE} else "restore it",
            )
        after = _written_by(found, short)
        log_event(
            held,
            at=wall_clock(),
            phase=after,
            event=ACCEPT_EVENT,
            trial_id=None,
            detail={
                "path": short,
                "sha256": _digest(held, row),
                "who": _user(),
                "reason": reason,
                "after": after,
            },
        )
    ended = [each.phase for each in found.chain.whole]
    return Acceptance(short, after, ended[ended.index(after) + 1 :] if after in ended else ended)


def _within(workspace: Workspace, path: Path) -> str:
    """Return a file's name within the workspace, however it was given."""
    whole = path.parent.resolve() / path.name
    home = workspace.path.resolve()
    return whole.relative_to(home).as_posix() if whole.is_relative_to(home) else path.as_posix()


def _written_by(found: Verification, path: str) -> str:
    """Return the phase whose checkpoint was the first to list the file.

    What a run is given is there before all; what it says of itself no phase reads.
    """
    folder, _, name = path.partition("/")
    if folder == names.METADATA.folder:
        return START if name in _INPUTS else found.phase or PHASES[-1]
    first = next((each.phase for each in found.chain.whole if path in each.files), None)
    return first or found.phase or START


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a user whom no list of users names
        return f"uid {os.getuid()}"


def _digest(workspace: Workspace, row: dict[str, object]) -> str | None:
    """Return the digest that is accepted, null for a file that is gone."""
    if row["verdict"] == DELETED:
        return None
    path = workspace.path / str(row["path"])
    return Digests(workspace, deep=True).of(path, path.lstat())
