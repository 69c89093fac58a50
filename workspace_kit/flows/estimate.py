"""What a sweep will cost, told by running the first trial of each strategy without writing it."""

import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from workspace_kit.flows.discovery import trials_of
from workspace_kit.flows.market import Market, load_market
from workspace_kit.flows.run import default_workers, read_config
from workspace_kit.flows.trial import Trial, measured, replay_signals, signals_over
from workspace_kit.layout.lines import encode_signals
from workspace_kit.schema import PERIODS, SELECT, TRAIN


class Estimate(NamedTuple):
    """What is tried on which bars; the seconds of phase 1 with so many workers, the bytes of its signals."""

    symbols: int
    bars: Mapping[str, int]
    benchmark: str
    remarks: tuple[str, ...]
    trials: int
    workers: int
    seconds: float
    bytes: float

    def __str__(self) -> str:
        held = ", ".join(f"{count} bars of {period}" for period, count in self.bars.items())
        lines = [
            f"{self.symbols} symbols, {held}; benchmark: {self.benchmark}",
            f"{self.trials} trials, about {self.seconds:.0f} s for the first phase with"
            f" {self.workers} worker(s) and {self.bytes / 1e6:.1f} MB of signals",
            *self.remarks,
        ]
        return "\n".join(lines)


def cost_of_run(config: Path | str | None, *, root: Path | str, workers: int | None) -> Estimate:
    """Run the first trial of each strategy in memory and multiply; nothing is written.

    Raises
    ------
    UsageError, NotFound, DataError
        As `run_workflow`, and where one of these trials fails.
    """
    told, folder = read_config(config)
    market = load_market(told, folder=folder)
    wanted = trials_of(market, folder=folder, root=Path(root))
    first = {trial.strategy: trial for trial in reversed(wanted)}
    count = Counter(trial.strategy for trial in wanted)
    costs = {name: _cost(market, trial, folder=folder) for name, trial in first.items()}
    processes = workers or default_workers()
    return Estimate(
        len(market.symbols),
        {period: market.bars(period).timestamps.len() for period in PERIODS},
        market.benchmark_name,
        tuple(market.remarks),
        len(wanted),
        processes,
        sum(seconds * count[name] for name, (seconds, _) in costs.items()) / processes,
        sum(size * count[name] for name, (_, size) in costs.items()),
    )


def _cost(market: Market, trial: Trial, *, folder: Path) -> tuple[float, int]:
    """Return the seconds that one trial takes, and the bytes of its signals."""
    begun = time.perf_counter()
    signals = signals_over(market, trial, (TRAIN, SELECT), folder=folder)
    for period in (TRAIN, SELECT):
        measured(replay_signals(signals, market.bars(period), config=market.config), config=market.config)
    seconds = time.perf_counter() - begun
    return seconds, len(encode_signals(signals, strategy=trial.strategy))
