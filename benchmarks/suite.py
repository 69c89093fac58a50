"""All benchmarks, in the order of the page; those that share data are neighbours."""

from typing import NamedTuple

from benchmarks import (
    appends,
    documents,
    imports,
    numbers,
    pages,
    replays,
    scaling,
    shapes,
    signals,
    trackers,
    workspaces,
)
from benchmarks.measure import Benchmark
from benchmarks.shapes import Sweep


class Sizes(NamedTuple):
    """How much of everything."""

    documents: int
    signals: Sweep
    workspaces: int
    tracked: int
    records: int
    replays: replays.Sizes
    trials: int
    short: int
    long: int
    reports: int
    small_files: int
    large: Sweep


FULL = Sizes(
    documents=10_000,
    signals=shapes.MEDIUM,
    workspaces=1_000,
    tracked=3_000,
    records=20_000,
    replays=replays.Sizes(200, 20, 8_313),
    trials=1_000,
    short=2_520,
    long=8_313,
    reports=100,
    small_files=shapes.MANY_FILES,
    large=shapes.LARGE,
)
SMALL = Sizes(
    documents=100,
    signals=shapes.SMALL,
    workspaces=10,
    tracked=30,
    records=200,
    replays=replays.Sizes(20, 5, 500),
    trials=20,
    short=320,
    long=500,
    reports=3,
    small_files=200,
    large=Sweep(10, 5, 400),
)


def suite(sizes: Sizes) -> list[Benchmark]:
    """Return every benchmark at the sizes."""
    return [
        *documents.benchmarks(trials=sizes.documents),
        *signals.benchmarks(sizes.signals),
        workspaces.benchmark(workspaces=sizes.workspaces, trials=100),
        *trackers.benchmarks(trials=sizes.tracked),
        *appends.benchmarks(records=sizes.records),
        *replays.benchmarks(sizes.replays),
        *numbers.benchmarks(trials=sizes.trials, short=sizes.short, long=sizes.long),
        *pages.benchmarks(reports=sizes.reports),
        imports.benchmark(),
        *scaling.benchmarks(files=sizes.small_files, sweep=sizes.signals, large=sizes.large),
    ]
