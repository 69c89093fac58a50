"""Commands that show what workspaces hold."""

from pathlib import Path
from typing import Annotated

import typer

from workspace_kit import flows, terminal
from workspace_kit.cli.options import ROOT, Results, Shape


def list_(*, results: Results = ROOT, form: Shape = "table") -> None:
    """List the workspaces of a results folder.

    Example: `workspace-kit list --format csv`
    """
    with flows.open_catalog(results) as catalog:
        rows = catalog.answer("workspace_summary")
    if rows.is_empty():
        terminal.remark(f"No workspace in {results} yet; `workspace-kit run` makes one.")
    terminal.write_rows(rows, form)


def show(workspace: str, *, results: Results = ROOT) -> None:
    """Show one workspace: verdict, candidates on test, parameters per regime, failed trials, faults.

    Example: `workspace-kit show workflow_20260101_120000_1a2b3c4d`
    """
    for title, rows in flows.overview(results, workspace):
        terminal.say(title)
        if rows is not None:
            terminal.write_rows(rows, "table")


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


def sql(query: str, *, results: Results = ROOT, form: Shape = "table") -> None:
    """Answer SQL over all workspaces; `show tables` lists the views.

    Example: `workspace-kit sql "select workspace, trial_id, sharpe_ratio from performance
    where kind = 'trial' and period = 'train' order by 3 desc limit 5"`
    """
    with flows.open_catalog(results) as catalog:
        rows = catalog.sql(query)
    terminal.write_rows(rows, form)


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
