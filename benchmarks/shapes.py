"""The data: workspaces as the description has them, seeded, so that every run has the same bytes."""

import datetime as dt
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

START = dt.datetime(2020, 1, 1)  # noqa: DTZ001 - frames hold naive times in UTC
ACTIONS = np.array(["BUY", "SELL", "HOLD"])


@dataclass(frozen=True, slots=True)
class Sweep:
    """Trials x symbols x bars, one signal each."""

    trials: int
    symbols: int
    bars: int

    def __str__(self) -> str:
        return f"{self.trials:,} trials x {self.symbols:,} symbols x {self.bars:,} bars"

    @property
    def lines(self) -> int:
        """Signals in all."""
        return self.trials * self.symbols * self.bars


SMALL = Sweep(18, 5, 252)
MEDIUM = Sweep(200, 20, 1_260)
LARGE = Sweep(100, 5, 60 * 390)
MANY_FILES = 7_846


def write_signals(folder: Path, sweep: Sweep, *, first: int = 0) -> None:
    """Write ``signals/trial_N.jsonl`` for each trial, byte for byte as ``json.dumps`` would."""
    (folder / "signals").mkdir(parents=True, exist_ok=True)
    for trial in range(first, first + sweep.trials):
        rows = signal_rows(trial, symbols=sweep.symbols, bars=sweep.bars)
        (folder / "signals" / f"trial_{trial}.jsonl").write_bytes(signal_lines(rows))


def signal_rows(trial: int, *, symbols: int, bars: int) -> pl.DataFrame:
    """Return one trial's signals: timestamp (text in UTC), symbol, action, strength; in order of time."""
    random = np.random.default_rng(trial)
    times = pl.datetime_range(START, START + dt.timedelta(minutes=bars - 1), "1m", time_unit="us", eager=True)
    texts = times.dt.strftime("%Y-%m-%dT%H:%M:%SZ").to_numpy()
    names = np.array([f"SYM{number:02}" for number in range(symbols)])
    return pl.DataFrame(
        {
            "timestamp": np.repeat(texts, symbols),
            "symbol": np.tile(names, bars),
            "action": ACTIONS[random.integers(0, 3, symbols * bars)],
            "strength": random.integers(1, 100, symbols * bars) / 100,
        }
    )


def signal_lines(rows: pl.DataFrame) -> bytes:
    """Write signals as lines with the spaces that ``json.dumps`` puts."""
    line = pl.concat_str(
        pl.lit('{"timestamp": "'),
        "timestamp",
        pl.lit('", "symbol": "'),
        "symbol",
        pl.lit('", "action": "'),
        "action",
        pl.lit('", "strength": '),
        pl.col("strength").cast(pl.String),
        pl.lit(', "strategy": "momentum"}'),
    )
    return ("\n".join(rows.select(line).to_series()) + "\n").encode()


def documents(trials: int, *, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Performance documents as the description shows them, about 350 bytes each."""
    random = np.random.default_rng(seed)
    for trial, (total, sharpe, fall, wins) in enumerate(random.normal(size=(trials, 4)).tolist()):
        yield {
            "trial_id": f"trial_{trial}",
            "parameters": {"lookback": trial % 97, "threshold": trial % 13 / 100},
            "metrics": {
                "total_return": total,
                "sharpe_ratio": sharpe,
                "max_drawdown": -abs(fall),
                "win_rate": wins % 1,
            },
            "trades": 20 + trial % 300,
            "period": {"start": "2023-01-01", "end": "2023-12-31"},
        }


def write_documents(folder: Path, *, trials: int, seed: int = 0) -> None:
    """Write ``performance/trial_N.json`` for each trial."""
    (folder / "performance").mkdir(parents=True, exist_ok=True)
    for document in documents(trials, seed=seed):
        text = json.dumps(document, indent=2)
        (folder / "performance" / f"{document['trial_id']}.json").write_text(text)


def write_small_files(folder: Path, files: int) -> None:
    """Write half as many trials as files, each a performance document and five signals."""
    write_documents(folder, trials=files // 2)
    write_signals(folder, Sweep(files // 2, 5, 1))


def contents(folder: Path, pattern: str) -> tuple[int, float]:
    """Count the files below a folder and their megabytes."""
    sizes = [path.stat().st_size for path in folder.glob(pattern)]
    return len(sizes), sum(sizes) / 1e6


def closes(*, symbols: int, bars: int) -> np.ndarray:
    """Return synthetic prices, [bars, symbols]: independent random walks that trade on every day."""
    steps = np.random.default_rng(5).normal(0.0003, 0.012, (bars, symbols))
    return np.asfortranarray(100 * np.exp(np.cumsum(steps, axis=0)))


def held(*, trials: int, symbols: int, bars: int) -> np.ndarray:
    """Return targets of 0 or 1 that change on a tenth of the days, [trials, bars, symbols]."""
    random = np.random.default_rng(6)
    flips = random.random((trials, bars, symbols), dtype=np.float32) < 0.1
    return (np.cumsum(flips, axis=1) % 2).astype(np.float64)


def returns(*, trials: int, bars: int) -> np.ndarray:
    """Return bar returns of trials that share a market, [bars, trials]."""
    random = np.random.default_rng(7)
    market = random.normal(0.0002, 0.008, (bars, 1))
    return market + random.normal(0.0001, 0.01, (bars, trials))


def days(bars: int) -> pl.Series:
    """Return as many days in a row, as instants."""
    every = itertools.islice(itertools.count(), bars)
    return pl.Series("timestamp", [START + dt.timedelta(days=day) for day in every], pl.Datetime("us"))
