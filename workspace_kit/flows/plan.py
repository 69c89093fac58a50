"""Where a resume starts: which checkpoints still hold, which trials are done, what has to be set aside."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from workspace_kit import storage
from workspace_kit.errors import UsageError
from workspace_kit.flows.integrity import START
from workspace_kit.flows.trip import wall_clock
from workspace_kit.layout import names
from workspace_kit.layout.chain import Chain
from workspace_kit.layout.checkpoint import set_aside, withdraw
from workspace_kit.layout.digests import Digests
from workspace_kit.layout.names import Workspace
from workspace_kit.layout.reader import log_of
from workspace_kit.layout.trials import FAILED, complete_trials, status_of
from workspace_kit.layout.verify import (
    ACCEPTED,
    LOOSE,
    Verification,
    accepted_changes,
    check,
    is_regular,
    verify,
)
from workspace_kit.schema import PHASES


class Wish(NamedTuple):
    """What a person asks of a resume beyond going on; see `resume_run`."""

    start: str | None
    retry_failed: bool
    fallback: bool


class Plan(NamedTuple):
    """Verdicts against the checkpoints that still hold, trials that are done, and why it starts there."""

    found: Verification
    done: frozenset[str]
    reasons: Sequence[str]

    @property
    def chain(self) -> Chain:
        """Checkpoints that still hold."""
        return self.found.chain

    @property
    def base(self) -> str:
        """The phase to go on after."""
        return self.found.phase or START

    @property
    def seq(self) -> int:
        """Number of the last checkpoint that still holds, 0 without one."""
        return self.chain.last.seq if self.chain.last else 0

    @property
    def phases(self) -> Sequence[str]:
        """Phases to run."""
        return PHASES[len(self.chain.whole) :]


def plan_resume(workspace: Workspace, wish: Wish) -> Plan:
    """Decide where to start; nothing is touched.

    Raises
    ------
    WorkspaceCorruptedError, FileDamaged, NewerFormat
        Files changed since their checkpoint, cannot be read, or are of a later version.
    UsageError
        The first phase wished for is none or comes too early, or other phases than ours were checkpointed.
    """
    digests, reasons = Digests(workspace, deep=True), list[str]()
    found = verify(workspace, digests)
    bad = set(found.problems["path"])
    if wish.fallback and bad:
        found, reasons = _one_back(workspace, digests, found)
    check(found.rows, where=workspace.path)
    _check_phases(workspace, found)
    still_good = _still_good(workspace, found)
    first = min(_wished(found, wish.start), still_good)
    trials = complete_trials(workspace)
    from_scratch = still_good == 0 or wish.start == PHASES[0]
    kept = set() if from_scratch else {trial for trial in trials if not bad & _names_of(workspace, trial)}
    failed = {trial for trial in kept if wish.retry_failed and status_of(trials[trial]) == FAILED}
    if failed:
        first = 0
        reasons.append(f"Trying {len(failed)} failed trial(s) again.")
    if first < len(found.chain.whole):
        reasons.append(f"Repeating from {PHASES[first]} on.")
    held = verify(workspace, digests, chain=_cut(found.chain, first))
    return Plan(held, frozenset(kept - failed), reasons)


def clear(workspace: Workspace, plan: Plan) -> list[str]:
    """Set aside what no longer holds, and return what it was: checkpoints from the last on, then files.

    Interrupted and done again it ends in the same state. What is no regular file stays where it is.
    """
    kept = (
        set() if plan.chain.whole else {path for trial in plan.done for path in _files_of(workspace, trial)}
    )
    loose = plan.found.rows.filter(pl.col("verdict").is_in(LOOSE))["path"]
    half_done = [path for path in map(workspace.path.joinpath, loose) if path not in kept]
    moved = [
        *withdraw(workspace, _no_longer_good(workspace, plan), after=plan.seq, at=wall_clock()),
        *(set_aside(workspace, path, seq=plan.seq) for path in half_done if is_regular(path)),
    ]
    for folder in map(workspace.path.joinpath, names.FOLDERS):
        for path in () if folder.is_symlink() else storage.leftovers(folder):
            storage.remove(path)
    return ["/".join(path.parts[-2:]) for path in moved if path]


def _one_back(workspace: Workspace, digests: Digests, found: Verification) -> tuple[Verification, list[str]]:
    """Leave out the damaged checkpoints and those after them, or the last where it is files that differ."""
    chain = found.chain
    shorter = _cut(chain, chain.sound if chain.faults else len(chain.whole) - 1)
    back = verify(workspace, digests, chain=shorter)
    return back, [f"Gone back to {back.phase or START}: later checkpoints no longer count."]


def _cut(chain: Chain, length: int) -> Chain:
    kept = chain.whole[: max(length, 0)]
    return Chain(kept, len(kept), {})


def _check_phases(workspace: Workspace, found: Verification) -> None:
    ended = [each.phase for each in found.chain.whole]
    if ended != list(PHASES[: len(ended)]):
        raise UsageError(
            str(workspace.path),
            found=f"checkpoints of {', '.join(ended)}",
            expected=f"those of {', '.join(PHASES)}, as `workspace-kit run` makes them",
            remedy="go on with the program that wrote them",
        )


def _wished(found: Verification, start: str | None) -> int:
    """Return how many phases the person keeps: all that are complete, or those before ``start``."""
    complete = len(found.chain.whole)
    if start is None:
        return complete
    known = PHASES[: complete + 1]
    if start not in known:
        raise UsageError(
            "--from",
            found=repr(start),
            expected=f"one of {', '.join(known)}",
            remedy="begin no later than after the last completed phase",
        )
    return PHASES.index(start)


def _still_good(workspace: Workspace, found: Verification) -> int:
    """Return how many phases, from the first, had not yet read a file that was then changed on purpose."""
    accepted = accepted_changes(log_of(workspace))
    changed = found.rows.filter(pl.col("verdict") == ACCEPTED).select("path", "sha256")
    after = [accepted[path][digest].get("after") for path, digest in changed.iter_rows()]
    return min((PHASES.index(each) + 1 if each in PHASES else 0 for each in after), default=len(PHASES))


def _files_of(workspace: Workspace, trial: str) -> tuple[Path, Path]:
    return workspace.file(names.TRIAL, trial), workspace.file(names.SIGNALS, trial)


def _names_of(workspace: Workspace, trial: str) -> set[str]:
    return {"/".join(path.parts[-2:]) for path in _files_of(workspace, trial)}


def _no_longer_good(workspace: Workspace, plan: Plan) -> list[Path]:
    """Return the checkpoints beyond the plan's, newest first: what is left after each step is a chain."""
    holds = {each.path for each in plan.chain.whole}
    folder = workspace.path / names.CHECKPOINT.folder
    found = sorted(folder.glob(f"*{names.CHECKPOINT.suffix}"), reverse=True)
    return [path for path in found if path not in holds and is_regular(path)]
