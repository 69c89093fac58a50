"""P13: what it costs to import the package, and to be told of its commands."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from benchmarks.measure import Benchmark, Figures, Target, Way, nothing
from benchmarks.targets import seconds

IMPORT, HELP, BARE = "import workspace_kit", "workspace-kit --help", "python alone"
COMMANDS = {
    IMPORT: ("-c", "import workspace_kit"),
    HELP: (
        "-c",
        "import sys; sys.argv = ['workspace-kit', '--help'];from workspace_kit.cli import program; program()",
    ),
    BARE: ("-c", "pass"),
}


def benchmark() -> Benchmark:
    """Return it."""
    return Benchmark(
        "P13",
        "start",
        "a process of its own each",
        "page cache warm, bytecode compiled",
        nothing,
        tuple(
            Way(name, "floor" if name == BARE else "ours", partial(begin, arguments=arguments))
            for name, arguments in COMMANDS.items()
        ),
        no_amounts,
        (_more_than_python(0.05), seconds(0.2, of=HELP)),
    )


def no_amounts(_folder: Path) -> Mapping[str, float]:
    """Count nothing."""
    return {}


def _more_than_python(limit: float) -> Target:
    def more(figures: Figures) -> float:
        return figures[IMPORT].median - figures[BARE].median

    return Target(f"{IMPORT} ≤ {limit:g} s more than {BARE}", more, limit, "s")


def begin(_folder: Path, *, arguments: tuple[str, ...]) -> Callable[[], int]:
    """Start a process and wait for its end; all end well."""
    command = [sys.executable, *arguments]
    # The first round, which is not timed, leaves bytecode for the others.
    told = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return lambda: subprocess.run(command, check=True, capture_output=True, env=told).returncode  # noqa: S603
