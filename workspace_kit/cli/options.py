"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from workspace_kit.terminal import Format

Results = Annotated[
    Path, typer.Option("--results", envvar="WORKSPACE_KIT_RESULTS", help="Folder that holds the workspaces.")
]
Shape = Annotated[Format, typer.Option("--format", help="How rows are written.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes; all cores by default.")]
ROOT = Path("results")
