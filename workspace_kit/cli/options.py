"""What several commands share: options, progress, and what is said after Ctrl-C."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from workspace_kit import flows, terminal
from workspace_kit.terminal import Format

INTERRUPTED = 130

Results = Annotated[
    Path, typer.Option("--results", envvar="WORKSPACE_KIT_RESULTS", help="Folder that holds the workspaces.")
]
Shape = Annotated[Format, typer.Option("--format", help="How rows are written.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes; all cores by default.")]
ROOT = Path("results")


def known_workspaces(context: typer.Context, incomplete: str) -> list[str]:
    """Complete a workspace's id while it is typed, from the results folder named so far."""
    root = context.params.get("results") or ROOT
    return [name for name in flows.workspace_ids(root) if name.startswith(incomplete)]


def known_archives(context: typer.Context, incomplete: str) -> list[str]:
    """Complete the id of an archived workspace."""
    root = context.params.get("results") or ROOT
    return [name for name in flows.archive_ids(root) if name.startswith(incomplete)]


Archived = Annotated[str, typer.Argument(help="Id of an archived workspace.", autocompletion=known_archives)]
Held = Annotated[
    str, typer.Argument(help="Id of a workspace, as `list` has it.", autocompletion=known_workspaces)
]


def watching(*, quiet: bool) -> "flows.Reporter":
    """Return what shows progress: nothing where it is not wanted."""
    return flows.silent if quiet else terminal.progress_bar


@contextmanager
def interruptible(remedy: str = "Repeat the command.") -> Iterator[None]:
    """Say how to go on after Ctrl-C, of which Typer makes an exit without a word."""
    try:
        yield
    except KeyboardInterrupt as interrupted:
        terminal.remark(f"Interrupted; what was committed stays. {str(interrupted) or remedy}")
        raise typer.Exit(INTERRUPTED) from None
