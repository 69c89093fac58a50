"""P7, beside the trackers people use: write trials, read them all as a frame, find the best."""

from functools import partial
from pathlib import Path

from benchmarks.measure import Benchmark, nothing
from benchmarks.targets import OURS, times_as_quick
from benchmarks.trackers import with_mlflow, with_optuna, with_us
from benchmarks.trackers.trials import Tracker

MLFLOW, OPTUNA = "MLflow, SQLite", "Optuna, journal file"


def benchmarks(*, trials: int) -> list[Benchmark]:
    """Return writing, reading and asking, for so many trials of two parameters and four metrics."""
    trackers = [
        Tracker(OURS, "ours", with_us.start, with_us.write, with_us.frame, with_us.best),
        Tracker(MLFLOW, "peer", with_mlflow.start, with_mlflow.write, with_mlflow.frame, with_mlflow.best),
        Tracker(OPTUNA, "peer", with_optuna.start, with_optuna.write, with_optuna.frame, with_optuna.best),
    ]
    return [
        Benchmark(
            id_,
            work,
            f"{trials:,} trials of two parameters and four metrics",
            "page cache warm",
            nothing,
            tuple(way(tracker, trials=trials) for tracker in trackers),
            partial(amounts, trials=trials),
            (times_as_quick(10, MLFLOW), times_as_quick(10, OPTUNA)),
        )
        for id_, work, way in (
            ("P7 write", "write trials, one by one", Tracker.writing),
            ("P7 read", "all trials to a frame", Tracker.reading),
            ("P7 best", "the best five trials", Tracker.asking),
        )
    ]


def amounts(_folder: Path, *, trials: int) -> dict[str, float]:
    """Count the trials."""
    return {"trials": trials}
