"""Commands that make results: a run, its going on, a study of what is there."""

from pathlib import Path
from typing import Annotated

import typer

from workspace_kit import flows, terminal
from workspace_kit.cli.options import ROOT, Held, Quiet, Results, Workers, interruptible, watching


def init(
    path: Annotated[Path, typer.Argument(help="File to write.")] = Path("workflow.yaml"),
) -> None:
    """Write a commented workflow file to start from.

    Example: `workspace-kit init my_workflow.yaml`
    """
    flows.write_example(path)
    terminal.say(f"Wrote {path}. Edit it, then: workspace-kit run {path}")


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
    workers: Workers = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would try and cost.")] = False,
    quiet: Quiet = False,
) -> None:
    """Run a workflow: discovery, regimes, ensemble, validation, report.

    Example: `workspace-kit run my_workflow.yaml --results results`
    """
    if config is None and not quiet:
        terminal.remark("No workflow file is named: this is the packaged example.")
    if dry_run:
        terminal.say(str(flows.cost_of_run(config, root=results, workers=workers)))
        return
    with interruptible():
        workspace = flows.run_workflow(
            config,
            root=results,
            workspace_id=name,
            about=flows.About(title, tags, note),
            until=until,
            workers=workers,
            reporter=watching(quiet=quiet),
        )
    terminal.say(flows.closing_line(workspace))


def resume(
    workspace: Held,
    *,
    results: Results = ROOT,
    start: Annotated[str | None, typer.Option("--from", help="Repeat from this phase on.")] = None,
    until: Annotated[str | None, typer.Option(help="Last phase to run; by default as it was begun.")] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try failed trials again.")] = False,
    fallback: Annotated[
        bool, typer.Option("--fallback", help="Go back where the last checkpoint is damaged.")
    ] = False,
    accept_new_prices: Annotated[
        bool, typer.Option("--accept-new-prices", help="Go on although prices changed.")
    ] = False,
    workers: Workers = None,
    quiet: Quiet = False,
) -> None:
    """Go on with a run that was interrupted; what is complete is kept, what is half done set aside.

    Example: `workspace-kit resume workflow_20260101_120000_1a2b3c4d --from phase_3`
    """
    with interruptible():
        resumed = flows.resume_run(
            workspace,
            results,
            start=start,
            until=until,
            retry_failed=retry_failed,
            fallback=fallback,
            accept_new_prices=accept_new_prices,
            workers=workers,
            reporter=watching(quiet=quiet),
        )
    for remark in resumed.remarks:
        terminal.remark(remark)
    terminal.say(flows.closing_line(resumed.workspace))


def analyze(
    workspace: Held,
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
    held, parts = flows.open_workspace(workspace, results), what or tuple(flows.ANALYSES)
    with interruptible("Nothing was written; repeat the command."):
        written = flows.analyze(held, config, name=name, what=parts, reporter=watching(quiet=quiet))
    for path in written:
        terminal.say(f"Wrote {path}")
