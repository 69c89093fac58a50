"""Workspaces as another program writes them, from nothing but what the user's document shows."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

MONTHS = [(year, month) for year in range(2000, 2012) for month in range(1, 13)]
PRICES = "prices.csv"
RULES = """
data: {prices: prices.csv, periods_per_year: 12}
periods: {train: [2000-01-01, 2007-12-31], select: [2008-01-01, 2009-12-31], test: [2010-01-01, 2011-12-31]}
regimes: {minimum: {bars: 6, episodes: 1, trades: 1}}
ensemble: {step: 0.5}
luck: {draws: 50, blocks: 4}
"""


def day(year: int, month: int) -> str:
    return f"{year}-{month:02d}-15"


def price(month: int, symbol: int) -> float:
    """A cycle of some years with ripples: made up, so that every regime occurs."""
    return round(
        100 * math.exp(0.3 * math.sin(month / (9 + symbol)) + 0.05 * math.sin(month * (2 + symbol))), 4
    )


def write_prices(folder: Path, *, factor: float = 1.0) -> Path:
    rows = [
        f"{day(*when)},{symbol},{price(number, each) * factor}"
        for number, when in enumerate(MONTHS)
        for each, symbol in enumerate(("A", "B"))
    ]
    path = folder / PRICES
    path.write_text("timestamp,symbol,close\n" + "\n".join(rows) + "\n")
    return path


def dense_signals(every: int, *, until: int = 2011) -> list[Mapping[str, object]]:
    """A row per month and symbol, most of them HOLD."""
    actions = {0: "BUY", every: "SELL"}
    return [
        {
            "timestamp": f"{day(year, month)}T23:59:59",
            "symbol": symbol,
            "action": actions.get(number % (2 * every), "HOLD"),
            "strength": 0.5,
            "strategy": "cycle",
        }
        for number, (year, month) in enumerate(MONTHS)
        if year <= until
        for symbol in ("A", "B")
    ]


def performance(trial: int, every: int) -> Mapping[str, object]:
    return {
        "trial_id": f"trial_{trial}",
        "parameters": {"every": every},
        "metrics": {"total_return": 9.9, "sharpe_ratio": 99.0, "max_drawdown": -0.082, "win_rate": 0.58},
        "trades": 145,
        "period": {"start": "2000-01-01", "end": "2009-12-31"},
    }


def write_foreign(root: Path, name: str, lengths: Sequence[int], *, until: int = 2011) -> Path:
    """A workspace with a trial for each cycle length: two folders, five fields, nothing more."""
    for folder in ("signals", "performance"):
        (root / name / folder).mkdir(parents=True)
    for trial, every in enumerate(lengths):
        lines = [json.dumps(row) + "\n" for row in dense_signals(every, until=until)]
        (root / name / "signals" / f"trial_{trial}.jsonl").write_text("".join(lines))
        text = json.dumps(performance(trial, every), indent=2)
        (root / name / "performance" / f"trial_{trial}.json").write_text(text)
    return root / name


def contents(workspace: Path) -> dict[str, bytes]:
    """Every file of a workspace, by name."""
    files = [path for path in sorted(workspace.rglob("*")) if path.is_file()]
    return {str(path.relative_to(workspace)): path.read_bytes() for path in files}


def document(workspace: Path, name: str) -> dict:
    return json.loads((workspace / name).read_text())
