"""The commands: each a few lines over a flow, each error one line with its exit code."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from workspace_kit import flows, terminal
from workspace_kit.errors import WorkspaceKitError
from workspace_kit.terminal import Format

INTERRUPTED = 130

app = typer.Typer(
    help="Plain-file workspaces for trading-research sweeps.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)

Results = Annotated[
    Path, typer.Option("--results", envvar="WORKSPACE_KIT_RESULTS", help="Folder that holds the workspaces.")
]
Shape = Annotated[Format, typer.Option("--format", help="How rows are written.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress.")]
ROOT = Path("results")
KEEP_DAYS = 7.0


@app.callback()
def common(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Plain-file workspaces for trading-research sweeps."""


@app.command()
def run(
    config: Annotated[
        Path | None, typer.Argument(help="Workflow file; without one, the packaged example.")
    ] = None,
    *,
    results: Results = ROOT,
    name: Annotated[str | None, typer.Option("--id", help="Id of the new workspace.")] = None,
    title: Annotated[str | None, typer.Option("--name", help="What to call the workflow.")] = None,
    tags: Annotated[list[str], typer.Option("--tag", help="A tag; may be repeated.")] = [],  # noqa: B006
    note: Annotated[str | None, typer.Option(help="A note kept with the workspace.")] = None,
    until: Annotated[str, typer.Option(help="Last phase to run: phase_1 … phase_4.")] = "phase_4",
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; all cores by default.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would cost.")] = False,
    quiet: Quiet = False,
) -> None:
    """Run a workflow: discovery, regimes, ensemble, validation, report.

    Example: `workspace-kit run my_workflow.yaml --results results`
    """
    if dry_run:
        terminal.say(str(flows.cost_of_run(config, root=results, workers=workers)))
        return
    progress = flows.silent if quiet else terminal.progress_bar
    with _interruptible():
        workspace = flows.run_workflow(
            config,
            root=results,
            workspace_id=name,
            about=flows.About(title, tags, note),
            until=until,
            workers=workers,
            reporter=progress,
        )
    terminal.say(flows.closing_line(workspace))


@app.command()
def resume(
    workspace: str,
    *,
    results: Results = ROOT,
    start: Annotated[str | None, typer.Option("--from", help="Repeat from this phase on.")] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try failed trials again.")] = False,
    fallback: Annotated[
        bool, typer.Option("--fallback", help="Go back where the last checkpoint is damaged.")
    ] = False,
    accept_new_prices: Annotated[
        bool, typer.Option("--accept-new-prices", help="Go on although prices changed.")
    ] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; all cores by default.")] = None,
    quiet: Quiet = False,
) -> None:
    """Go on with a run that was interrupted; what is complete is kept, what is half done set aside.

    Example: `workspace-kit resume workflow_20260101_120000_1a2b3c4d --from phase_3`
    """
    with _interruptible():
        resumed = flows.resume_run(
            workspace,
            results,
            start=start,
            retry_failed=retry_failed,
            fallback=fallback,
            accept_new_prices=accept_new_prices,
            workers=workers,
            reporter=flows.silent if quiet else terminal.progress_bar,
        )
    for remark in resumed.remarks:
        terminal.remark(remark)
    terminal.say(flows.closing_line(resumed.workspace))


@app.command()
def verify(
    workspace: str,
    *,
    results: Results = ROOT,
    deep: Annotated[bool, typer.Option("--deep", help="Read every file again.")] = False,
    form: Shape = "table",
) -> None:
    """Say which files changed since the last checkpoint; a table shows differences, other formats all.

    Example: `workspace-kit verify workflow_20260101_120000_1a2b3c4d --format csv`
    """
    rows = flows.verify_workspace(workspace, results, deep=deep)
    told = flows.differences(rows) if form == "table" else rows
    if told.height or form != "table":
        terminal.write_rows(told, form)
    terminal.remark(flows.verdict_counts(rows))
    flows.check_verdicts(rows, where=workspace)


@app.command()
def accept(
    workspace: str,
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


@app.command()
def init(
    path: Annotated[Path, typer.Argument(help="File to write.")] = Path("workflow.yaml"),
) -> None:
    """Write a commented workflow file to start from.

    Example: `workspace-kit init my_workflow.yaml`
    """
    flows.write_example(path)
    terminal.say(f"Wrote {path}. Edit it, then: workspace-kit run {path}")


@app.command(name="list")
def list_(*, results: Results = ROOT, form: Shape = "table") -> None:
    """List the workspaces of a results folder.

    Example: `workspace-kit list --format csv`
    """
    with flows.open_catalog(results) as catalog:
        rows = catalog.answer("workspace_summary")
    if rows.is_empty():
        terminal.remark(f"No workspace in {results} yet; `workspace-kit run` makes one.")
    terminal.write_rows(rows, form)


@app.command()
def show(workspace: str, *, results: Results = ROOT) -> None:
    """Show one workspace: verdict, candidates on test, parameters per regime, failed trials, faults.

    Example: `workspace-kit show workflow_20260101_120000_1a2b3c4d`
    """
    for title, rows in flows.overview(results, workspace):
        terminal.say(title)
        if rows is not None:
            terminal.write_rows(rows, "table")


@app.command()
def compare(a: str, b: str, *, results: Results = ROOT, form: Shape = "table") -> None:
    """Compare two workspaces: configuration, prices, versions, trials with equal strategy and parameters.

    Example: `workspace-kit compare workflow_20260101_120000_1a2b3c4d workflow_20260102_090000_5e6f7a8b`
    """
    comparison = flows.compare_workspaces(a, b, results)
    if form != "table":
        terminal.write_rows(comparison.rows, form)
        return
    for title, rows in flows.comparison_told(comparison):
        terminal.say(title)
        if rows is not None and rows.height:
            terminal.write_rows(rows, "table")


@app.command()
def sql(query: str, *, results: Results = ROOT, form: Shape = "table") -> None:
    """Answer SQL over all workspaces; `show tables` lists the views.

    Example: `workspace-kit sql "select workspace, trial_id, sharpe_ratio from performance
    where kind = 'trial' and period = 'train' order by 3 desc limit 5"`
    """
    with flows.open_catalog(results) as catalog:
        rows = catalog.sql(query)
    terminal.write_rows(rows, form)


@app.command()
def analyze(
    workspace: str,
    *,
    results: Results = ROOT,
    config: Annotated[
        Path | None, typer.Option(help="Workflow file with prices, periods, metric, execution, regimes.")
    ] = None,
    name: Annotated[str, typer.Option("--as", help="Name of the analysis, before each file's own.")],
    what: Annotated[
        list[str] | None,
        typer.Option(help="regimes, ensemble, correlation or overfitting; may be repeated; default all."),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Study the saved signals of any workspace: regimes, ensemble, correlation, overfitting.

    Example: `workspace-kit analyze workflow_123 --config my_workflow.yaml --as second_look --what regimes`
    """
    progress = flows.silent if quiet else terminal.progress_bar
    held = flows.open_workspace(workspace, results)
    for path in flows.analyze(held, config, name=name, what=what or tuple(flows.ANALYSES), reporter=progress):
        terminal.say(f"Wrote {path}")


@app.command()
def report(
    workspace: str,
    *,
    results: Results = ROOT,
    out: Annotated[Path | None, typer.Option(help="Folder for the page; visualizations/ by default.")] = None,
) -> None:
    """Write the page and the chart of a workspace.

    Example: `workspace-kit report workflow_20260101_120000_1a2b3c4d --out pages`
    """
    path = flows.write_report(flows.open_workspace(workspace, results), out=out)
    terminal.say(f"Report: {path}")


@app.command()
def repair(
    workspace: str,
    path: Annotated[
        str | None, typer.Argument(help="One file, such as signals/trial_0.jsonl; all by default.")
    ] = None,
    *,
    results: Results = ROOT,
    form: Shape = "table",
) -> None:
    """Rewrite damaged signal files with every line that can be read; each original stays beside.

    Example: `workspace-kit repair workflow_20260101_120000_1a2b3c4d signals/trial_0.jsonl`
    """
    repaired = flows.repair_workspace(flows.open_workspace(workspace, results), path)
    if repaired.is_empty():
        terminal.remark("Nothing to repair.")
    terminal.write_rows(repaired, form)


@app.command()
def pin(
    workspace: str,
    *,
    results: Results = ROOT,
    off: Annotated[bool, typer.Option("--off", help="Allow it to be cleaned up again.")] = False,
) -> None:
    """Keep a workspace from ever being cleaned up.

    Example: `workspace-kit pin workflow_20260101_120000_1a2b3c4d`
    """
    flows.pin(workspace, results, keep=not off)
    terminal.say(f"{workspace} {'may be cleaned up' if off else 'is pinned'}.")


@app.command()
def archive(workspace: str, *, results: Results = ROOT) -> None:
    """Put a workspace into one compressed file and remove its folder; it is still listed.

    Example: `workspace-kit archive workflow_20260101_120000_1a2b3c4d`
    """
    terminal.say(f"Archive: {flows.archive_workspace(workspace, results)}")


@app.command()
def restore(workspace: str, *, results: Results = ROOT) -> None:
    """Unpack an archived workspace, checked file by file; the archive stays.

    Example: `workspace-kit restore workflow_20260101_120000_1a2b3c4d`
    """
    terminal.say(f"Workspace: {flows.restore_workspace(workspace, results).path}")


@app.command()
def clean(
    workspaces: Annotated[
        list[str] | None, typer.Argument(help="These, whatever their age; else by age.")
    ] = None,
    *,
    results: Results = ROOT,
    keep_days: Annotated[
        float, typer.Option(min=0, help="Keep what changed in the last so many days.")
    ] = KEEP_DAYS,
    keep_last: Annotated[int, typer.Option(min=0, help="Keep so many of the newest.")] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would go.")] = False,
    form: Shape = "table",
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
    for name, what in flows.clean(results, keep_days=keep_days, keep_last=keep_last, named=named):
        terminal.say(f"{name}: {what}")


@app.command()
def doctor(*, results: Results = ROOT, form: Shape = "table") -> None:
    """Say what a results folder lies on, whether its locks hold, and what killed processes left.

    Example: `workspace-kit doctor --results results`
    """
    terminal.write_rows(flows.examine(results), form)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Say how to go on after Ctrl-C, of which Typer makes an exit without a word."""
    try:
        yield
    except KeyboardInterrupt as interrupted:
        terminal.remark(f"Interrupted; what was committed stays. {interrupted}")
        raise typer.Exit(INTERRUPTED) from None


def main() -> None:
    """Run one command; every expected failure is one line on standard error."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        app(arguments)
    except BrokenPipeError:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        sys.exit(0)
    except WorkspaceKitError as error:
        if "--debug" in sys.argv:
            raise
        terminal.remark(f"{type(error).__name__}: {error}")
        sys.exit(error.exit_code)
