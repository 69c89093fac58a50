"""Commands that show what workspaces hold."""

import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from workspace_kit import flows, terminal
from workspace_kit.cli.options import (
    ROOT,
    Held,
    Quiet,
    Results,
    Shape,
    interruptible,
    known_workspaces,
    watching,
)
from workspace_kit.errors import UsageError

# What a table has room for, under short heads.
LISTED = {
    **{name: name for name in ("workspace", "name", "state", "trials", "candidate")},
    **{name: f"{name}_sharpe_ratio" for name in ("train", "select", "test")},
    **{name: name for name in ("dsr", "pbo", "faults")},
}


@interruptible()
def list_(*, results: Results = ROOT, form: Shape = "table") -> None:
    """List the workspaces of a results folder, archived ones too.

    Train, select and test are Sharpe ratios of what is recommended; other formats than a table tell more.

    Example: `workspace-kit list --format csv`
    """
    with (
        flows.reading(terminal.progress_bar) as progress,
        flows.open_catalog(results, progress=progress) as catalog,
    ):
        rows = catalog.answer("workspace_summary")
    if rows.is_empty():
        terminal.remark(f"No workspace in {results} yet; `workspace-kit run` makes one.")
    terminal.write_rows(rows.select(**LISTED) if form == "table" else rows, form)


@interruptible()
def show(workspace: Held, *, results: Results = ROOT) -> None:
    """Show one workspace: verdict, candidates on test, parameters per regime, failed trials, faults.

    Example: `workspace-kit show workflow_20260101_120000_1a2b3c4d`
    """
    for title, rows in flows.overview(results, workspace, reporter=terminal.progress_bar):
        terminal.say(title)
        if rows is not None:
            terminal.write_rows(rows, "table")


@interruptible()
def compare(a: Held, b: Held, *, results: Results = ROOT, form: Shape = "table") -> None:
    """Compare two workspaces: configuration, prices, versions, trials with equal strategy and parameters.

    Example: `workspace-kit compare workflow_20260101_120000_1a2b3c4d workflow_20260102_090000_5e6f7a8b`
    """
    comparison = flows.compare_workspaces(a, b, results, reporter=terminal.progress_bar)
    if form != "table":
        terminal.write_rows(comparison.rows, form)
        return
    for title, rows in flows.comparison_told(comparison):
        terminal.say(title)
        if rows is not None and rows.height:
            terminal.write_rows(rows, "table")


@interruptible()
def sql(
    query: Annotated[
        str | None, typer.Argument(help="SQL, or the name of a question; without one, these are listed.")
    ] = None,
    *,
    file: Annotated[Path | None, typer.Option(help="A file that holds the SQL.")] = None,
    parameters: Annotated[
        list[str] | None,
        typer.Option("--param", help="name=value, the value of $name; may be repeated."),
    ] = None,
    results: Results = ROOT,
    form: Shape = "table",
) -> None:
    """Answer SQL over all workspaces, or a question that is kept; `show tables` lists the views.

    Example: `workspace-kit sql leaderboard --param floor=-0.2 --param most=5`

    Example: `workspace-kit sql "select workspace, trial_id, sharpe_ratio from performance
    where kind = 'trial' and period = 'train' order by 3 desc limit 5" --format csv`
    """
    if query is None and file is None:
        terminal.write_rows(flows.kept_questions(), form)
        return
    if query is not None and file is not None:
        raise typer.BadParameter("SQL stands in QUERY or in --file, not in both")
    with (
        flows.reading(terminal.progress_bar) as progress,
        flows.open_catalog(results, progress=progress) as catalog,
    ):
        given = parameters or ()
        frames = flows.ask_file(catalog, file, given) if file else flows.ask(catalog, query or "", given)
        if form == "parquet":
            flows.write_parquet(frames, sys.stdout.buffer)
        else:
            terminal.write_frames(frames, form)


@interruptible()
def catalog(
    path: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="The file; results/catalog.duckdb by default.")
    ] = None,
    *,
    results: Results = ROOT,
    raw: Annotated[
        bool, typer.Option("--raw", help="Print SQL over the files themselves instead, for DuckDB alone.")
    ] = False,
) -> None:
    """Publish all views and questions in one file that any DuckDB client reads, as a snapshot.

    Example: `workspace-kit catalog results/catalog.duckdb`, then
    `duckdb -readonly results/catalog.duckdb "from leaderboard(metric := 'cagr', most := 5)"`
    """
    if raw:
        terminal.say(flows.raw_views(results))
        return
    with flows.reading(terminal.progress_bar) as progress:
        made = flows.publish_catalog(path or results / "catalog.duckdb", results, progress=progress)
    terminal.say(f"Catalog: {made}")


def watch(
    workspace: Annotated[
        str | None, typer.Argument(help="The workspace; by default the one last at work.")
    ] = None,
    *,
    results: Results = ROOT,
    once: Annotated[bool, typer.Option("--once", help="Look a single time.")] = False,
    timeout: Annotated[float | None, typer.Option(min=0, help="Seconds after which to end.")] = None,
) -> None:
    """Show trials and signals of a workspace as they come, until its run is over; Ctrl-C ends it.

    Example: `workspace-kit watch`, beside a `workspace-kit run`
    """
    with suppress(KeyboardInterrupt), terminal.screen() as show:
        for glimpse in flows.glimpses(workspace, results, once=once, timeout=timeout):
            show(glimpse.facts())


@interruptible("Pages made stay; repeat the command for the rest.")
def report(
    workspace: Annotated[
        str | None,
        typer.Argument(help="One workspace; or else --all.", autocompletion=known_workspaces),
    ] = None,
    *,
    results: Results = ROOT,
    out: Annotated[Path | None, typer.Option(help="Folder for pages; visualizations/ by default.")] = None,
    whole: Annotated[bool, typer.Option("--all", help="All workspaces, and an index of them.")] = False,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes for --all; all cores by default.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Write the page and the chart of a workspace; with `--all` every page that is out of date, and an index.

    Example: `workspace-kit report --all --jobs 2 --out pages`
    """
    if whole == (workspace is not None):
        raise UsageError(
            "report",
            found="a workspace and --all" if whole else "neither a workspace nor --all",
            expected="one of them",
            remedy="name a workspace of `workspace-kit list`, or say --all",
        )
    if workspace is not None:
        held = flows.open_workspace(workspace, results)
        terminal.say(f"Report: {flows.write_report(held, out=out, reporter=watching(quiet=quiet))}")
        return
    batch = flows.write_reports(results, out=out, workers=jobs, reporter=watching(quiet=quiet))
    for name, detail in batch.failed.items():
        terminal.remark(f"{name}: {detail}")
    terminal.say(f"{batch.told}\nIndex: {batch.index}")
    batch.check()
