"""P12: the report of a workspace, from its files to one page."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import workspace_kit as wk
from benchmarks.measure import Benchmark, Way
from benchmarks.targets import OURS, seconds

NAME = "workflow_1"


def benchmark() -> Benchmark:
    """Return it."""
    return Benchmark(
        "P12",
        "the report of a workspace, all panels",
        "the packaged example: 42 trials, four phases",
        "files in the page cache, mirror current",
        run_example,
        (Way(OURS, "ours", write),),
        amounts,
        (seconds(3),),
    )


def run_example(folder: Path) -> None:
    """Run the packaged example."""
    wk.run_workflow(root=folder, workspace_id=NAME)


def amounts(_folder: Path) -> Mapping[str, float]:
    """Count the page."""
    return {"pages": 1}


def write(folder: Path) -> Callable[[], Path]:
    """Write page and chart again."""
    return partial(wk.write_report, folder / NAME)
