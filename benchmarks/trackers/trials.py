"""A tracker as its user sees it, and the three things asked of it."""

import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import shapes
from benchmarks.measure import Kind, Way

BEST = 5
SCORE = "sharpe_ratio"
Trial = Mapping[str, Any]
Store = Any


@dataclass(frozen=True, slots=True)
class Tracker:
    """``start`` makes an empty store in a folder, ``write`` adds trials to it.

    ``frame`` returns columns lookback and sharpe_ratio among others, as lists by name; ``best`` the highest
    Sharpe ratios.
    """

    name: str
    kind: Kind
    start: Callable[[Path], Store]
    write: Callable[[Store, Iterable[Trial]], None]
    frame: Callable[[Path], Any]
    best: Callable[[Path], list[float]]

    def writing(self, *, trials: int) -> Way:
        """Write into an empty store."""
        return Way(self.name, self.kind, partial(_write, self, trials), self.best)

    def reading(self, *, trials: int) -> Way:
        """Read all of it."""
        return Way(self.name, self.kind, partial(_read, self, trials, self.frame), _sums)

    def asking(self, *, trials: int) -> Way:
        """Ask for the best."""
        return Way(self.name, self.kind, partial(_read, self, trials, self.best))


def _write(tracker: Tracker, trials: int, folder: Path) -> Callable[[], Path]:
    """Write into a new place each time, for a tracker may remember what it saw at an old one."""
    place = Path(tempfile.mkdtemp(prefix=_prefix(tracker), dir=folder))
    store, drawn = tracker.start(place), list(shapes.documents(trials))

    def call() -> Path:
        tracker.write(store, drawn)
        return place

    return call


def _read(tracker: Tracker, trials: int, read: Callable[[Path], Any], folder: Path) -> Callable[[], Any]:
    """Read what was written before, or is now."""
    written = sorted(folder.glob(f"{_prefix(tracker)}*"))
    return partial(read, written[0] if written else _write(tracker, trials, folder)())


def _prefix(tracker: Tracker) -> str:
    return f"{tracker.start.__module__}."


def _sums(rows: Any) -> tuple[int, int, float]:
    """Tell of a frame of any library how many trials it has, and sums over a parameter and a metric."""
    return len(rows), sum(int(each) for each in rows["lookback"]), float(sum(rows[SCORE]))
