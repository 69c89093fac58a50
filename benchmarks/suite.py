"""All benchmarks, in the order of the page; those that share data are neighbours."""

from typing import NamedTuple

from benchmarks import documents, scaling, shapes, signals
from benchmarks.measure import Benchmark
from benchmarks.shapes import Sweep


class Sizes(NamedTuple):
    """How much of everything."""

    documents: int
    signals: Sweep
    small_files: int
    large: Sweep


FULL = Sizes(10_000, shapes.MEDIUM, shapes.MANY_FILES, shapes.LARGE)
SMALL = Sizes(100, shapes.SMALL, 200, Sweep(10, 5, 400))


def suite(sizes: Sizes) -> list[Benchmark]:
    """Return every benchmark at the sizes."""
    return [
        *documents.benchmarks(trials=sizes.documents),
        *signals.benchmarks(sizes.signals),
        *scaling.benchmarks(files=sizes.small_files, sweep=sizes.signals, large=sizes.large),
    ]
