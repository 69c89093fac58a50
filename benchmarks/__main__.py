"""Runs the benchmarks: all of them rewrite ``benchmarks/README.md``, some of them are printed."""

import argparse
import itertools
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.machine import described
from benchmarks.measure import Benchmark, measure, steps
from benchmarks.plot import draw
from benchmarks.suite import FULL, SMALL, suite
from benchmarks.table import Measured, page, scaling, section
from workspace_kit.terminal import progress_bar

HERE = Path(__file__).parent


def main() -> None:
    """Time the package beside its peers, once all gave equal answers."""
    asked = _arguments()
    chosen = [each for each in suite(SMALL if asked.small else FULL) if not asked.ids or each.id in asked.ids]
    if asked.ids or asked.small:
        for each in _measured(chosen, scratch=asked.scratch):
            sys.stdout.write(f"{section(each)}\n")
            sys.stdout.flush()
    else:
        begun, machine = time.perf_counter(), described()
        measured = list(_measured(chosen, scratch=asked.scratch))
        minutes = (time.perf_counter() - begun) / 60
        (HERE / "scaling.svg").write_bytes(draw(scaling(measured)))
        (HERE / "README.md").write_text(page(measured, machine=machine, minutes=minutes))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=main.__doc__)
    parser.add_argument("ids", nargs="*", metavar="ID", help="such as P1; without any, all, and the page")
    parser.add_argument("--small", action="store_true", help="a hundredth of the data, to see that it works")
    parser.add_argument("--scratch", type=Path, help="where 6 GB of data may lie meanwhile")
    return parser.parse_args()


def _measured(chosen: Sequence[Benchmark], *, scratch: Path | None) -> Iterator[Measured]:
    """Make data once for neighbours that share them, and remove them then."""
    with progress_bar("benchmarks", steps() * len(chosen)) as done:
        for make, sharing in itertools.groupby(chosen, key=lambda each: each.make):
            with tempfile.TemporaryDirectory(prefix="benchmarks-", dir=scratch) as name:
                make(Path(name))
                for each in sharing:
                    figures = measure(each, Path(name), done=done)
                    yield Measured(each, figures, each.amounts(Path(name)))


if __name__ == "__main__":
    main()
