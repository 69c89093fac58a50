"""Go on with a workspace that was interrupted or changed, or repeat it from some phase on."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from workspace_kit import storage
from workspace_kit.errors import NotFound, PriceError, UsageError
from workspace_kit.flows.catalogs import open_workspace
from workspace_kit.flows.discovery import trials_of
from workspace_kit.flows.journal import Journal, last_phase
from workspace_kit.flows.looks import test_prices
from workspace_kit.flows.market import Market, load_market
from workspace_kit.flows.plan import Plan, Wish, clear, plan_resume
from workspace_kit.flows.run import carry_out, default_workers
from workspace_kit.flows.trip import Reporter, Trip, now, silent, wall_clock
from workspace_kit.layout import names
from workspace_kit.layout.documents import encode_document
from workspace_kit.layout.lease import leased
from workspace_kit.layout.names import DEFAULT_ROOT, Workspace
from workspace_kit.layout.reader import document_of, read_bytes
from workspace_kit.layout.trials import complete_trials
from workspace_kit.layout.verify import ACCEPT_EVENT
from workspace_kit.layout.writer import log_event
from workspace_kit.schema import PHASES
from workspace_kit.shown import as_html
from workspace_kit.workflow_file import parse_config

_HEAD = ("schema_version", "written_at")


class Resumed(NamedTuple):
    """A workspace that was resumed, the phases that ran, and what was decided and set aside before."""

    workspace: Workspace
    phases: Sequence[str]
    remarks: Sequence[str]

    def _repr_html_(self) -> str:
        return as_html(self)


def resume_run(
    name: Path | str | Workspace,
    root: Path | str = DEFAULT_ROOT,
    *,
    start: str | None = None,
    until: str | None = None,
    retry_failed: bool = False,
    fallback: bool = False,
    accept_new_prices: bool = False,
    workers: int | None = None,
    reporter: Reporter = silent,
) -> Resumed:
    """Go on after the last completed phase: complete trials stay, what else is half done is set aside.

    ``start`` repeats from that phase on; ``until`` is the last phase to run, by default that of the run that
    was interrupted, and the last of all where that was reached; ``retry_failed`` repeats the trials that
    failed and all that rests on them; ``fallback`` goes back where the last checkpoint is damaged, or files
    it covers are; with ``accept_new_prices`` the remaining phases use prices that differ from those of the
    beginning. It ends in the same bytes as a run that nothing interrupted.

    Raises
    ------
    WorkspaceCorruptedError, FileDamaged, NewerFormat
        Files changed since their checkpoint, cannot be read, or are of a later version; nothing was touched.
    PriceError
        The prices are others by now.
    UsageError
        ``start`` or ``until`` is no phase or comes too early or late; or another process holds the workspace.
    """
    workspace = open_workspace(name, root)
    with leased(workspace):
        plan = plan_resume(workspace, Wish(start, retry_failed, fallback))
        phases = _phases(workspace, plan, until)
        made = _environment(workspace)
        path = workspace.file(names.CONFIG, "config")
        config = parse_config(read_bytes(path).decode("utf-8", "replace"), where=str(path))
        folder = Path(made["config_folder"])
        market = load_market(config, folder=folder)
        trials_of(market, folder=folder, root=workspace.root)
        changed = market.digest != made["prices"]["digest"]
        if changed:
            plan = _with_new_prices(plan, made, market, accept=accept_new_prices)
        moved = clear(workspace, plan)
        if changed:  # not before: the old record stops whoever goes on while trials of the old prices stand
            _record_prices(workspace, plan, made, market, sync=config.durability != "none")
        aside = f"Set aside in checkpoints/{names.SET_ASIDE}/{plan.seq}: {', '.join(moved)}."
        further = [] if until or list(phases) == list(plan.phases) else [_further(workspace, phases[-1])]
        remarks = [*plan.reasons, *([aside] if moved else []), *further]
        journal = _journal(
            workspace, phases, {"after": plan.base, "reasons": plan.reasons, "set_aside": moved}
        )
        trip = Trip(workspace, config, folder, market, workers or default_workers(), reporter)
        carry_out(trip, journal, phases)
    return Resumed(workspace, phases, remarks)


def _phases(workspace: Workspace, plan: Plan, until: str | None) -> Sequence[str]:
    """Return the phases to run: as far as was asked, or as the run that was interrupted was to go.

    The test period is looked at once and for good: nobody who stopped before it is taken there unasked.
    """
    if until is None:
        until = last_phase(workspace)
        until = until if until in plan.phases else PHASES[-1]
    elif until not in (plan.phases or PHASES):
        raise UsageError(
            "--until",
            found=repr(until),
            expected=f"one of {', '.join(plan.phases or PHASES)}",
            remedy="end no earlier than with the first phase to run",
        )
    return [phase for phase in plan.phases if phase <= until]


def _further(workspace: Workspace, phase: str) -> str:
    return f"Ended after {phase}, as the run was begun; `{workspace.command('resume')}` goes on."


def _environment(workspace: Workspace) -> dict[str, Any]:
    made = document_of(workspace.file(names.METADATA, "environment"))
    prices = made.get("prices")
    if (
        not isinstance(made.get("config_folder"), str)
        or not isinstance(prices, dict)
        or "digest" not in prices
    ):
        raise NotFound(
            str(workspace.path),
            found="no record of the prices used",
            expected="a workspace that `workspace-kit run` made",
            remedy="go on with the program that wrote it",
        )
    return made


def _journal(workspace: Workspace, phases: Sequence[str], told: Mapping[str, object]) -> Journal:
    journal = Journal.resumed(workspace, until=phases[-1] if phases else PHASES[-1])
    journal.recall(complete_trials(workspace))
    journal.phase = phases[0] if phases else PHASES[-1]
    journal.note("resumed", told)
    return journal


def _with_new_prices(plan: Plan, made: Mapping[str, Any], market: Market, *, accept: bool) -> Plan:
    """Return the plan where a person accepts other prices; a sweep half done is then repeated as a whole."""
    before = made["prices"]["digest"]
    if not accept:
        raise PriceError(
            market.source,
            found=f"prices {market.digest}",
            expected=f"those that the workspace was begun with, {before}",
            remedy="restore them, or go on with --accept-new-prices",
        )
    remark = f"Prices changed after {plan.base}: {before} until then, {market.digest} since."
    done = plan.done if plan.chain.whole else frozenset[str]()
    return plan._replace(done=done, reasons=[*plan.reasons, remark])


def _record_prices(
    workspace: Workspace, plan: Plan, made: Mapping[str, Any], market: Market, *, sync: bool
) -> None:
    """Write down other prices once nothing that is half done with the old ones stands any more.

    The log hears of the new environment record before it is written: whenever this is interrupted, the
    record is as the log or as the checkpoint says.
    """
    remark = plan.reasons[-1]
    content = {
        **{key: value for key, value in made.items() if key not in _HEAD},
        "prices": {"source": market.source, "digest": market.digest},
        "test_prices": test_prices(market),
        "warnings": [*made.get("warnings", []), remark],
    }
    data = encode_document(content, written_at=now())
    path = workspace.file(names.METADATA, "environment")
    detail = {
        "path": "/".join(path.parts[-2:]),
        "sha256": hashlib.sha256(data).hexdigest(),
        "who": "--accept-new-prices",
        "reason": remark,
        "after": PHASES[-1],
    }
    log_event(workspace, at=wall_clock(), phase=plan.base, event=ACCEPT_EVENT, trial_id=None, detail=detail)
    storage.replace(path, data, sync=sync)
