"""What a sweep will cost, told by running its first trial without writing it."""

import time
from pathlib import Path
from typing import NamedTuple

from workspace_kit.flows.discovery import trials_of
from workspace_kit.flows.market import load_market
from workspace_kit.flows.run import default_workers, read_config
from workspace_kit.flows.trial import measured, replay_signals, signals_over
from workspace_kit.layout.lines import encode_signals
from workspace_kit.schema import SELECT, TRAIN


class Estimate(NamedTuple):
    """Trials of phase 1, the seconds they take with so many workers, and the bytes of their signals."""

    trials: int
    workers: int
    seconds: float
    bytes: float

    def __str__(self) -> str:
        return (
            f"{self.trials} trials, about {self.seconds / 60:.2f} minutes with {self.workers} worker(s),"
            f" about {self.bytes / 1e6:.1f} megabytes of signals"
        )


def cost_of_run(config: Path | str | None, *, root: Path | str, workers: int | None) -> Estimate:
    """Run the first trial in memory and multiply; nothing is written."""
    told, folder = read_config(config)
    market = load_market(told, folder=folder)
    wanted = trials_of(market, folder=folder, root=Path(root))
    begun = time.perf_counter()
    signals = signals_over(market, wanted[0], (TRAIN, SELECT), folder=folder)
    for period in (TRAIN, SELECT):
        measured(replay_signals(signals, market.bars(period), config=told), config=told)
    seconds = time.perf_counter() - begun
    size = len(encode_signals(signals, strategy=wanted[0].strategy))
    count = workers or default_workers()
    return Estimate(len(wanted), count, seconds * len(wanted) / count, size * len(wanted))
