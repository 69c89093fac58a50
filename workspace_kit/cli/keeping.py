"""Commands that keep workspaces whole, and put them away."""

from typing import Annotated

import typer

from workspace_kit import flows, terminal
from workspace_kit.cli.options import (
    ROOT,
    Archived,
    Held,
    Quiet,
    Results,
    Shape,
    interruptible,
    known_workspaces,
    watching,
)

KEEP_DAYS = 7.0


def verify(
    workspace: Held,
    *,
    results: Results = ROOT,
    deep: Annotated[bool, typer.Option("--deep", help="Read every file again.")] = False,
    form: Shape = "table",
    quiet: Quiet = False,
) -> None:
    """Say which files changed since the last checkpoint; a table shows differences, other formats all.

    Example: `workspace-kit verify workflow_20260101_120000_1a2b3c4d --format csv`
    """
    held = flows.open_workspace(workspace, results)
    with interruptible():
        rows = flows.verify_workspace(held, deep=deep, reporter=watching(quiet=quiet))
    told = flows.differences(rows) if form == "table" else rows
    if told.height or form != "table":
        terminal.write_rows(told, form)
    terminal.remark(flows.verdict_counts(rows))
    flows.check_verdicts(rows, where=held.path)


def accept(
    workspace: Held,
    path: Annotated[str, typer.Argument(help="The file, or its name within the workspace.")],
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why it was changed.")],
    results: Results = ROOT,
) -> None:
    """Record that a file was changed on purpose; `resume` then repeats the phases that rest on it.

    Example: `workspace-kit accept workflow_1 analysis/ensemble_weights.json --reason "less of breakout"`
    """
    accepted = flows.accept_change(workspace, path, reason=reason, root=results)
    stale = f"; stale, `resume` repeats them: {', '.join(accepted.stale)}" if accepted.stale else ""
    terminal.say(f"Accepted {accepted.path}{stale}")


def repair(
    workspace: Held,
    path: Annotated[
        str | None, typer.Argument(help="One file, such as signals/trial_0.jsonl; all by default.")
    ] = None,
    *,
    results: Results = ROOT,
    form: Shape = "table",
    quiet: Quiet = False,
) -> None:
    """Rewrite damaged signal files with every line that can be read; each original stays beside.

    Example: `workspace-kit repair workflow_20260101_120000_1a2b3c4d signals/trial_0.jsonl`
    """
    held = flows.open_workspace(workspace, results)
    with interruptible():
        repaired = flows.repair_workspace(held, path, reporter=watching(quiet=quiet))
    if repaired.is_empty():
        terminal.remark("Nothing to repair.")
    terminal.write_rows(repaired, form)


def pin(
    workspace: Held,
    *,
    results: Results = ROOT,
    off: Annotated[bool, typer.Option("--off", help="Allow it to be cleaned up again.")] = False,
) -> None:
    """Keep a workspace from ever being cleaned up.

    Example: `workspace-kit pin workflow_20260101_120000_1a2b3c4d`
    """
    flows.pin(workspace, results, keep=not off)
    terminal.say(f"{workspace} {'may be cleaned up' if off else 'is pinned'}.")


def archive(workspace: Held, *, results: Results = ROOT, quiet: Quiet = False) -> None:
    """Put a workspace into one compressed file and remove its folder; it is still listed.

    Example: `workspace-kit archive workflow_20260101_120000_1a2b3c4d`
    """
    with interruptible():
        path = flows.archive_workspace(workspace, results, reporter=watching(quiet=quiet))
    terminal.say(f"Archive: {path}")


def restore(workspace: Archived, *, results: Results = ROOT, quiet: Quiet = False) -> None:
    """Unpack an archived workspace, checked file by file; the archive stays.

    Example: `workspace-kit restore workflow_20260101_120000_1a2b3c4d`
    """
    with interruptible():
        held = flows.restore_workspace(workspace, results, reporter=watching(quiet=quiet))
    terminal.say(f"Workspace: {held.path}")


def clean(
    workspaces: Annotated[
        list[str] | None,
        typer.Argument(help="These, whatever their age; else by age.", autocompletion=known_workspaces),
    ] = None,
    *,
    results: Results = ROOT,
    keep_days: Annotated[
        float, typer.Option(min=0, help="Keep what changed in the last so many days.")
    ] = KEEP_DAYS,
    keep_last: Annotated[int, typer.Option(min=0, help="Keep so many of the newest.")] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would go.")] = False,
    form: Shape = "table",
    quiet: Quiet = False,
) -> None:
    """Archive workspaces at rest for long: never one that is pinned, held, or (unless named) unfinished.

    Example: `workspace-kit clean --keep-days 30 --keep-last 10 --dry-run`
    """
    named = workspaces or ()
    if dry_run:
        going = flows.cleanable(results, keep_days=keep_days, keep_last=keep_last, named=named)
        terminal.remark(f"{going.height} workspace(s) would be archived, {going['bytes'].sum()} bytes.")
        terminal.write_rows(going, form)
        return
    done = flows.clean(
        results, keep_days=keep_days, keep_last=keep_last, named=named, reporter=watching(quiet=quiet)
    )
    with interruptible():
        for name, what in done:
            terminal.say(f"{name}: {what}")


def doctor(*, results: Results = ROOT, form: Shape = "table") -> None:
    """Say what a results folder lies on, whether its locks hold, and what killed processes left.

    Example: `workspace-kit doctor --results results`
    """
    terminal.write_rows(flows.examine(results), form)
