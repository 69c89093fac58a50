"""P8: signals appended one by one and as a frame, beside the description's writer."""

import json
import shutil
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import polars as pl

import workspace_kit as wk
from benchmarks import shapes
from benchmarks.measure import Benchmark, Target, Way, nothing
from benchmarks.targets import OURS, times_as_quick

SKETCH = "the description's writer"
TRIAL = "0"
Signals = list[dict[str, object]]


def benchmarks(*, records: int) -> list[Benchmark]:
    """Return both, for so many records."""
    return [
        _benchmark("P8", "append signals, one a call", append_each, records, times_as_quick(2, SKETCH)),
        _benchmark("P8 frame", "append signals, a frame", append_frame, records, times_as_quick(40, SKETCH)),
    ]


def _benchmark(
    id_: str, work: str, ours: Callable[..., Callable[[], Path]], records: int, target: Target
) -> Benchmark:
    return Benchmark(
        id_,
        work,
        "to one file, committed when the call returns, not synced",
        "an empty file",
        nothing,
        (
            Way(OURS, "ours", partial(ours, records=records), lines),
            Way(SKETCH, "peer", partial(append_sketch, records=records), lines),
        ),
        partial(amounts, records=records),
        (target,),
    )


def amounts(_folder: Path, *, records: int) -> Mapping[str, float]:
    """Count the records."""
    return {"records": records}


def append_each(folder: Path, *, records: int) -> Callable[[], Path]:
    """Append by a lock between threads and processes, a check of the last byte, and one write each."""
    place, signals = _place(folder, "each"), _signals(records)
    writer = wk.SignalWriter(place, durability="none")

    def call() -> Path:
        for signal in signals:
            writer.write_signal(TRIAL, signal)
        return place

    return call


def append_frame(folder: Path, *, records: int) -> Callable[[], Path]:
    """Append all of them by one lock and one write."""
    place, frame = _place(folder, "frame"), _frame(records)
    writer = wk.SignalWriter(place, durability="none")

    def call() -> Path:
        writer.write_signals(TRIAL, frame, strategy="momentum")
        return place

    return call


class SignalWriter:
    """The writer that the description sketches: safe for threads, not for processes."""

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace
        self.locks: dict[Path, threading.Lock] = {}

    def write_signal(self, trial_id: str, signal: dict[str, object]) -> None:
        """Write a signal with file locking."""
        file_path = self.workspace / "signals" / f"trial_{trial_id}.jsonl"
        if file_path not in self.locks:
            self.locks[file_path] = threading.Lock()
        with self.locks[file_path], file_path.open("a") as file:
            file.write(json.dumps(signal) + "\n")


def append_sketch(folder: Path, *, records: int) -> Callable[[], Path]:
    """Open, append, close."""
    place, signals = _place(folder, "sketch"), _signals(records)
    writer = SignalWriter(place)

    def call() -> Path:
        for signal in signals:
            writer.write_signal(TRIAL, signal)
        return place

    return call


def _place(folder: Path, name: str) -> Path:
    shutil.rmtree(folder / name, ignore_errors=True)
    (folder / name / "signals").mkdir(parents=True)
    return folder / name


def _rows(records: int) -> pl.DataFrame:
    return shapes.signal_rows(0, symbols=5, bars=records // 5)


def _signals(records: int) -> Signals:
    return [{**row, "strategy": "momentum"} for row in _rows(records).iter_rows(named=True)]


def _frame(records: int) -> pl.DataFrame:
    instants = pl.col("timestamp").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us")
    return _rows(records).with_columns(instants)


def lines(place: Path) -> list[tuple[object, ...]]:
    """Read what was appended."""
    path = place / "signals" / f"trial_{TRIAL}.jsonl"
    return [tuple(sorted(json.loads(line).items())) for line in path.read_text().splitlines()]
