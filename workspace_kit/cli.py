"""The commands: each a few lines over a flow, each error one line with its exit code."""

import signal
import sys
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
    try:
        workspace = flows.run_workflow(
            config,
            root=results,
            workspace_id=name,
            about=flows.About(title, tags, note),
            until=until,
            workers=workers,
            reporter=progress,
        )
    except KeyboardInterrupt:
        terminal.remark("Interrupted. What was written stays; `workspace-kit list` shows how far it came.")
        raise typer.Exit(INTERRUPTED) from None
    terminal.say(flows.closing_line(workspace))


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
