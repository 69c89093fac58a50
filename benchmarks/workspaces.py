"""P7: a leaderboard over a thousand workspaces."""

import os
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

import msgspec

import workspace_kit as wk
from benchmarks import shapes
from benchmarks.documents import SETTLED_SECONDS, STAT, Document, count_files
from benchmarks.measure import Benchmark, Way
from benchmarks.shapes import Sweep
from benchmarks.targets import OURS, times_the_time

BEST = 5
Scores = list[tuple[str, float]]


def benchmark(*, workspaces: int, trials: int) -> Benchmark:
    """Return it, for so many workspaces of so many trials."""
    return Benchmark(
        "P7",
        "a leaderboard over all workspaces: look for changes, then SQL",
        f"{workspaces:,} workspaces x {trials} trials, each a document and a signal file of five lines",
        "files in the page cache, mirror current",
        partial(make_many, workspaces=workspaces, trials=trials),
        (
            Way(OURS, "ours", look_and_ask),
            Way("msgspec typed, every document", "peer", read_all),
            Way(STAT, "floor", bare_stat),
        ),
        amounts,
        (times_the_time(2, STAT),),
    )


def make_many(folder: Path, *, workspaces: int, trials: int) -> None:
    """Write workspaces whose trials all have numbers of their own."""
    for number in range(workspaces):
        workspace = folder / f"workflow_{number}"
        shapes.write_signals(workspace, Sweep(trials, 5, 1))
        shapes.write_documents(workspace, trials=trials, seed=number)
    time.sleep(SETTLED_SECONDS)


def amounts(folder: Path) -> Mapping[str, float]:
    """Count the files."""
    return {"files": shapes.contents(folder, "workflow_*/*/*.json*")[0]}


def look_and_ask(folder: Path) -> Callable[[], Scores]:
    """Open a root that was looked at before, and ask for the best."""
    _best(folder)
    return partial(_best, folder)


def _best(folder: Path) -> Scores:
    with wk.open_catalog(folder) as catalog:
        rows = catalog.answer("leaderboard", {"most": BEST, "fewest_trades": 1})
    return rows.select("trial_id", "value").rows()


def read_all(folder: Path) -> Callable[[], Scores]:
    """Read every document again."""
    decode = msgspec.json.Decoder(Document).decode

    def call() -> Scores:
        found = (decode(path.read_bytes()) for path in folder.glob("workflow_*/performance/*.json"))
        return top((each.trial_id, each.metrics.sharpe_ratio) for each in found)

    return call


def top(scores: Iterable[tuple[str, float]]) -> Scores:
    """Return the best trials."""
    return sorted(scores, key=lambda each: -each[1])[:BEST]


def bare_stat(folder: Path) -> Callable[[], int]:
    """List all files and their sizes."""
    with os.scandir(folder) as entries:
        found = [Path(entry.path) for entry in entries if entry.name.startswith("workflow_")]
    return partial(count_files, [each / name for each in found for name in ("signals", "performance")])
