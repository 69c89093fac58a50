"""The replay against vectorbt, on random targets over real stocks.

The two differ in what a target is a share of: the value before the trade's cost there, the value after it
here. Without cost they must agree to rounding; with it, in and out of full positions, to its square.
"""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest

from workspace_kit.analysis.replay import Bars, replay
from workspace_kit.config import Execution

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    vectorbt = pytest.importorskip("vectorbt")
    datasets = pytest.importorskip("skfolio.datasets")
    arch_data = pytest.importorskip("arch.data")
    pytest.importorskip("arch.data.sp500")
    pytest.importorskip("arch.data.nasdaq")

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]

CONFIGURATIONS = 200


@pytest.fixture(scope="module", params=["stocks", "indexes"])
def closes(request):
    if request.param == "stocks":
        return datasets.load_sp500_dataset()
    both = pd.DataFrame({name: getattr(arch_data, name).load()["Adj Close"] for name in ("sp500", "nasdaq")})
    # The referee leaves out orders below 1e-8 of a share: a share has to be small money.
    return both / both.iloc[0]


def draw(rng, closes, levels):
    """Random symbols over a random stretch, and targets that change now and then."""
    length, width = int(rng.integers(20, 750)), int(rng.integers(1, min(6, closes.shape[1] + 1)))
    start = int(rng.integers(0, len(closes) - length))
    table = closes.iloc[start : start + length, rng.choice(closes.shape[1], width, replace=False)]
    targets = np.zeros((length, width))
    for bar in range(length):
        change = rng.random(width) < 0.1
        targets[bar] = np.where(change, rng.choice(levels, width), targets[bar - 1] if bar else 0)
    stamps = pl.Series(table.index.to_numpy()).cast(pl.Datetime("us"))
    on = Bars(stamps, tuple(table.columns), np.asfortranarray(table.to_numpy()), None)
    return table, on, targets


def delayed(targets, delay):
    return np.vstack([np.zeros((delay - 1, targets.shape[1])), targets[: len(targets) - delay + 1]])


def equity(found):
    return np.cumprod(1 + found.bars["return"].to_numpy())


def separate_accounts(table, orders, fees):
    return vectorbt.Portfolio.from_orders(
        table, size=orders, size_type="targetpercent", fees=fees, init_cash=1.0, freq="1D"
    )


@pytest.mark.parametrize(
    ("cost_bps", "levels"),
    [(0, [0.0, 1.0, -1.0, 0.5, -0.3]), (1, [0.0, 1.0]), (10, [0.0, 1.0]), (50, [0.0, 1.0])],
)
def test_separate_accounts_agree_with_vectorbt(closes, cost_bps, levels):
    rng, largest, relative = np.random.default_rng(1), 0.0, 0.0
    cost = cost_bps / 1e4
    for _ in range(CONFIGURATIONS):
        table, on, targets = draw(rng, closes, levels)
        delay = int(rng.integers(1, 4))
        found = replay(
            targets, on, execution=Execution(delay=delay, cost_bps=cost_bps, allocation="separate")
        )
        peer = separate_accounts(table, delayed(targets, delay), cost).value().to_numpy().mean(axis=1)
        assert not found.ruined
        difference = float(np.abs(equity(found) / peer - 1).max())
        largest = max(largest, difference)
        relative = max(relative, difference / (1e-11 + cost**2 * found.bars["turnover"].sum()))
    print(f"cost {cost_bps}: equity {largest:.1e}, over squared cost of all trades {relative:.2f}")  # noqa: T201
    assert relative < 1.1


def test_rebalanced_accounts_agree_with_a_group_that_shares_its_cash(closes):
    rng, largest = np.random.default_rng(2), 0.0
    for _ in range(CONFIGURATIONS):
        table, on, targets = draw(rng, closes, [0.0, 1.0, -1.0, 0.5, -0.3])
        peer = vectorbt.Portfolio.from_orders(
            table,
            size=targets / targets.shape[1],
            size_type="targetpercent",
            init_cash=1.0,
            cash_sharing=True,
            group_by=True,
            call_seq="auto",
            freq="1D",
        )
        found = replay(targets, on, execution=Execution(cost_bps=0, allocation="rebalanced"))
        largest = max(largest, float(np.abs(equity(found) / peer.value().to_numpy() - 1).max()))
    print(f"rebalanced: largest relative difference of equity {largest:.1e}")  # noqa: T201
    # vectorbt leaves out orders smaller than 1e-8.
    assert largest < 1e-6


def test_closed_trades_agree_with_vectorbt(closes):
    rng, largest, trades = np.random.default_rng(3), 0.0, 0
    for _ in range(CONFIGURATIONS):
        table, on, targets = draw(rng, closes, [0.0, 1.0])
        peer = separate_accounts(table, targets, 0.0).positions.closed
        found = replay(targets, on, execution=Execution(cost_bps=0, allocation="separate"))
        rows = found.trades.with_columns(
            column=pl.col("symbol").replace_strict(list(on.symbols), range(len(on.symbols)))
        ).sort("column", "entered_at")
        expected = peer.values["return"]
        assert len(rows) == len(expected)
        trades += len(rows)
        if len(rows):
            largest = max(largest, float(np.abs(rows["return"].to_numpy() - expected).max()))
    print(f"{trades} trades: largest difference of return {largest:.1e}")  # noqa: T201
    assert trades > 1_000
    assert largest < 1e-10


def test_knowing_tomorrow_is_worth_a_fortune_each_day():
    index = datasets.load_sp500_index()
    stamps = pl.Series(index.index.to_numpy()).cast(pl.Datetime("us"))
    on = Bars(stamps, ("index",), np.asfortranarray(index.to_numpy()), None)
    rose = np.where(on.moves > 0, 1.0, -1.0)
    early = np.vstack([rose[1:], [[0.0]]])
    sharpe = []
    for targets in (rose, early):
        returns = replay(targets, on, execution=Execution(cost_bps=0)).bars["return"]
        sharpe.append(returns.mean() / returns.std() * 252**0.5)
    print(f"Sharpe ratio at delay 1 {sharpe[0]:.2f}, one bar early {sharpe[1]:.2f}")  # noqa: T201
    assert sharpe[0] < 0
    assert sharpe[1] > 8
