"""Small trips around workspaces: what one holds, a workflow file to start from."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from workspace_kit import storage
from workspace_kit.errors import UsageError
from workspace_kit.flows.catalogs import open_catalog, open_workspace, reading
from workspace_kit.flows.origins import content_of
from workspace_kit.flows.pages import PAGE_KEY, verdict_of
from workspace_kit.flows.trip import Reporter, silent
from workspace_kit.flows.validation import NO_VALIDATION
from workspace_kit.layout import names
from workspace_kit.layout.names import Workspace
from workspace_kit.layout.reader import log_of
from workspace_kit.workflow_file import example_text


def write_example(path: Path) -> None:
    """Write the packaged workflow file, commented, where nothing is yet.

    Raises
    ------
    UsageError
        A file of this name is there; it stays as it is.
    """
    if path.exists():
        raise UsageError(
            str(path), found="a file of this name", expected="none yet", remedy="name another, or remove it"
        )
    storage.create(path, example_text().encode(), sync=False)


def closing_line(workspace: Workspace) -> str:
    """Return what a run found, what failed in it, where to see it, and why it ended early if it did."""
    page = workspace.file(names.PAGE, PAGE_KEY)
    told = [each["detail"] for each in log_of(workspace) if each["event"] == NO_VALIDATION]
    failed = content_of(workspace, names.STATE, "current_state").get("failed_trials") or []
    lines = [
        verdict_of(workspace),
        f"{len(failed)} trial(s) failed; why: {workspace.command('show')}" if failed else "",
        f"Report: {page}" if page.exists() else f"Workspace: {workspace.path}",
        *(f"Ended after phase 3: {each}." for each in told[-1:]),
    ]
    return "\n".join(line for line in lines if line)


def overview(
    root: Path, name: str, *, reporter: Reporter = silent
) -> Iterator[tuple[str, pl.DataFrame | None]]:
    """Yield what one asks first of a workspace, each with a title: verdict, results, failures, faults."""
    workspace = open_workspace(name, root)
    with (
        reading(reporter) as progress,
        open_catalog(workspace.root, [workspace.id], progress=progress) as catalog,
    ):
        about = catalog.answer("workspace_summary")
        results = catalog.table("validations").drop("workspace")
        regimes = catalog.table("regime_params").filter(pl.col("strategy").is_null())
        failed = catalog.answer("failed_trials")
        faults = catalog.table("faults")
    yield verdict_of(workspace), None
    yield "Workspace", about
    if results.height:
        yield "On test", results
    if regimes.height:
        yield "Best parameters per regime", regimes.drop("workspace", "strategy")
    if failed.height:
        yield f"{failed.height} trial(s) failed", failed
    if faults.height:
        yield f"{faults.height} fault(s): lines or files that could not be read", faults
