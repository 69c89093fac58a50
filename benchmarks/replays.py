"""P9: what trials would have earned, beside vectorbt; without cost to the last digits, then with it."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import vectorbt
from numpy.typing import NDArray

from benchmarks import shapes
from benchmarks.measure import Benchmark, Target, Way, nothing
from benchmarks.targets import OURS, times_as_quick
from workspace_kit.analysis.replay import Bars, replay
from workspace_kit.config import Execution

VECTORBT = "vectorbt from_orders(…).value()"
Array = NDArray[np.float64]


class Sizes(NamedTuple):
    """Trials, symbols and days."""

    trials: int
    symbols: int
    days: int


def benchmarks(sizes: Sizes) -> list[Benchmark]:
    """Return a smaller one without cost, whose answers agree to rounding, and the one that is meant.

    With cost the two differ in what a target is a share of: the value before the trade's cost there, the
    value after it here; that is its square for each trade.
    """
    few = sizes._replace(trials=max(sizes.trials // 10, 1))
    target = times_as_quick(20, VECTORBT)
    return [
        _benchmark("P9 zero cost", few, cost_bps=0, tolerance=1e-11, targets=()),
        _benchmark("P9", sizes, cost_bps=1, tolerance=1e-4, targets=(target,)),
    ]


def _benchmark(
    id_: str, sizes: Sizes, *, cost_bps: float, tolerance: float, targets: tuple[Target, ...]
) -> Benchmark:
    chosen = {"sizes": sizes, "cost_bps": cost_bps}
    return Benchmark(
        id_,
        f"replay trials at a cost of {cost_bps} basis points",
        f"{sizes.trials} trials x {sizes.symbols} symbols x {sizes.days:,} days, random walks, long or flat",
        f"arrays in memory; equal within {tolerance:g}",
        nothing,
        (
            Way(OURS, "ours", partial(replay_each, **chosen)),
            Way(VECTORBT, "peer", partial(with_vectorbt, trades=False, **chosen)),
            Way("vectorbt, value and trades", "peer", partial(with_vectorbt, trades=True, **chosen)),
        ),
        partial(amounts, sizes=sizes),
        targets,
        tolerance=tolerance,
    )


def amounts(_folder: Path, *, sizes: Sizes) -> Mapping[str, float]:
    """Count trials, and bars of all accounts."""
    return {"trials": sizes.trials, "bars": sizes.trials * sizes.symbols * sizes.days}


def replay_each(_folder: Path, *, sizes: Sizes, cost_bps: float) -> Callable[[], Array]:
    """Replay one trial after the other, its returns, costs, exposure and trades told."""
    close, targets = _data(sizes)
    names = tuple(f"SYM{number}" for number in range(sizes.symbols))
    on = Bars(shapes.days(sizes.days), names, close, None)
    execution = Execution(cost_bps=cost_bps, allocation="separate")

    def call() -> Array:
        found = (replay(each, on, execution=execution).bars["return"] for each in targets)
        return np.array([np.prod(1 + returns.to_numpy()) for returns in found])

    return call


def with_vectorbt(_folder: Path, *, sizes: Sizes, cost_bps: float, trades: bool) -> Callable[[], Array]:
    """Replay all trials at once, an account a column; the value, and where asked for the trades too."""
    close, targets = _data(sizes)
    index = pd.date_range(shapes.START, periods=sizes.days, freq="1D")
    orders = pd.DataFrame(targets.transpose(1, 0, 2).reshape(sizes.days, -1), index=index)
    prices = pd.DataFrame(np.tile(close, sizes.trials), index=index)
    # It compiles what it is asked for the first time.
    _final_values(prices.head(10), orders.head(10), cost_bps=cost_bps, trades=trades)

    def call() -> Array:
        value = _final_values(prices, orders, cost_bps=cost_bps, trades=trades)
        return np.asarray(value.reshape(sizes.trials, sizes.symbols).mean(axis=1))

    return call


def _final_values(prices: pd.DataFrame, orders: pd.DataFrame, *, cost_bps: float, trades: bool) -> Array:
    portfolio = vectorbt.Portfolio.from_orders(
        prices, size=orders, size_type="targetpercent", fees=cost_bps / 1e4, init_cash=1.0, freq="1D"
    )
    if trades:
        len(portfolio.trades.records)
    return np.asarray(portfolio.value().to_numpy()[-1])


def _data(sizes: Sizes) -> tuple[Array, Array]:
    targets = shapes.held(trials=sizes.trials, symbols=sizes.symbols, bars=sizes.days)
    return shapes.closes(symbols=sizes.symbols, bars=sizes.days), targets
