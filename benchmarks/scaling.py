"""P14: the same work on 1, 10 and 100 times as many files and bytes; and a large workspace as a stream."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import polars as pl

import workspace_kit as wk
from benchmarks import shapes, signals
from benchmarks.documents import STAT, count_files, forget_mirror, make_settled
from benchmarks.measure import Benchmark, Figures, Target, Way
from benchmarks.shapes import Sweep
from benchmarks.table import SCALED
from workspace_kit.flows.questions import write_parquet

STREAMED = "P14 memory"
COLD, MIRRORED = "workspace_kit, cold", "workspace_kit, mirrored"
PARTS = (100, 10, 1)


def benchmarks(*, files: int, sweep: Sweep, large: Sweep) -> list[Benchmark]:
    """Return one for each size of either kind, and the stream."""
    smaller = [Sweep(max(sweep.trials // part, 1), sweep.symbols, sweep.bars) for part in PARTS]
    return [
        *(_of_files(max(files // part, 2)) for part in PARTS),
        *(_of_bytes(each) for each in smaller),
        _stream(large),
    ]


def _of_files(files: int) -> Benchmark:
    return Benchmark(
        SCALED,
        f"{files:,} small files: count signals and documents",
        "half performance documents, half signal files of five lines, in one workspace",
        "files in the page cache",
        partial(make_settled, write=partial(shapes.write_small_files, files=files)),
        (
            Way(COLD, "ours", count_cold),
            Way(MIRRORED, "ours", count_mirrored),
            Way(STAT, "floor", bare_stat),
        ),
        amounts_of_files,
    )


def _of_bytes(sweep: Sweep) -> Benchmark:
    return Benchmark(
        SCALED,
        f"{sweep.lines:,} signals: an aggregate",
        f"{sweep}",
        "files in the page cache",
        partial(make_settled, write=partial(shapes.write_signals, sweep=sweep)),
        (
            Way(COLD, "ours", signals.forget_and_ask),
            Way(MIRRORED, "ours", signals.look_and_ask),
            Way(signals.DUCKDB, "peer", signals.ask_lines),
        ),
        amounts_of_bytes,
    )


def amounts_of_files(folder: Path) -> Mapping[str, float]:
    """Count the files."""
    return {"files": shapes.contents(folder, "workflow_*/*/*.json*")[0]}


def amounts_of_bytes(folder: Path) -> Mapping[str, float]:
    """Count the bytes."""
    return {"MB": shapes.contents(folder, "workflow_*/signals/*.jsonl")[1]}


def count_cold(folder: Path) -> Callable[[], tuple[object, ...]]:
    """Open a root that was never looked at."""
    forget_mirror(folder)
    return partial(_counted, folder)


def count_mirrored(folder: Path) -> Callable[[], tuple[object, ...]]:
    """Open a root that was looked at before."""
    _counted(folder)
    return partial(_counted, folder)


def _counted(folder: Path) -> tuple[object, ...]:
    with wk.open_catalog(folder) as catalog:
        return catalog.sql("select (from signals select count(*)), (from performance select count(*))").row(0)


def bare_stat(folder: Path) -> Callable[[], int]:
    """List the files and their sizes."""
    return partial(count_files, [folder / "workflow_1" / name for name in ("signals", "performance")])


# A large workspace, and a tenth of it.

STEPS = ("to the mirror", "to an aggregate", "to Parquet")


def _stream(large: Sweep) -> Benchmark:
    tenth = Sweep(max(large.trials // 10, 1), large.symbols, large.bars)
    ways = [
        Way(_named(step, part), "ours", partial(begin, part=part), partial(is_whole, sweep=sweep))
        for step, begin in zip(STEPS, (to_mirror, to_aggregate, to_parquet), strict=True)
        for part, sweep in (("tenth", tenth), ("whole", large))
    ]
    return Benchmark(
        STREAMED,
        "a large workspace as a stream, and a tenth of it",
        f"{large}",
        "files in the page cache; the mirror is built anew for the first step",
        partial(_write_both, large=large, tenth=tenth),
        tuple(ways),
        amounts_of_whole,
        tuple(_flat(step) for step in STEPS),
    )


def _named(step: str, part: str) -> str:
    return f"{step}, {part}"


def _flat(step: str) -> Target:
    """Allow half as much memory more for ten times the data."""

    def ratio(figures: Figures) -> float:
        return figures[_named(step, "whole")].peak / figures[_named(step, "tenth")].peak

    return Target(f"{step}: ≤ 1.5x the memory that a tenth takes", ratio, 1.5, "x")


def _write_both(folder: Path, *, large: Sweep, tenth: Sweep) -> None:
    make_settled(folder / "whole", write=partial(shapes.write_signals, sweep=large))
    make_settled(folder / "tenth", write=partial(shapes.write_signals, sweep=tenth))


def amounts_of_whole(folder: Path) -> Mapping[str, float]:
    """Count the bytes of the larger one."""
    return amounts_of_bytes(folder / "whole")


def to_mirror(folder: Path, *, part: str) -> Callable[[], int]:
    """Read everything for the first time."""
    forget_mirror(folder / part)

    def call() -> int:
        with wk.open_catalog(folder / part) as catalog:
            return _count(catalog.sql("select count(*) from signals"))

    return call


def to_aggregate(folder: Path, *, part: str) -> Callable[[], int]:
    """Ask the mirror about every signal."""
    catalog = wk.open_catalog(folder / part)
    return lambda: int(catalog.sql(signals.QUESTION.format(source="signals"))["signals"].sum())


def to_parquet(folder: Path, *, part: str) -> Callable[[], int]:
    """Write every signal into one file, as ``workspace-kit sql --format parquet`` does."""
    catalog, out = wk.open_catalog(folder / part), folder / f"{part}.parquet"

    def call() -> int:
        with out.open("wb") as file:
            write_parquet(catalog.stream("select * from signals"), file)
        return _count(catalog.connection.read_parquet(str(out)).aggregate("count(*)").pl())

    return call


def _count(rows: pl.DataFrame) -> int:
    return int(rows.item())


def is_whole(count: int, *, sweep: Sweep) -> bool:
    """Whether no signal is missing."""
    return count == sweep.lines
