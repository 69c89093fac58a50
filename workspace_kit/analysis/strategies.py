"""The built-in strategies: prices and parameters in, signals out.

Each looks at one symbol at a time and only at closes up to the bar it speaks about. It takes a price frame
and returns a row for every bar at which its indicator exists: timestamp, symbol, action, strength, sorted
by timestamp and symbol. These rules are on or off: BUY and SELL have strength 1, HOLD has 0.
All raise a StrategyError that names a parameter which is missing, unknown or out of range.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from workspace_kit.config import Value
from workspace_kit.errors import StrategyError
from workspace_kit.schema import PRICES, STRATEGY_SIGNALS

Strategy = Callable[[pl.DataFrame, Mapping[str, Value]], pl.DataFrame]

close = pl.col("close")


def momentum(prices: pl.DataFrame, parameters: Mapping[str, Value]) -> pl.DataFrame:
    """Buy while the return over ``lookback`` bars exceeds ``threshold`` (0.02 is 2 %), sell otherwise."""
    given = _Parameters("momentum", parameters, names=("lookback", "threshold"))
    rise = close / close.shift(given.count("lookback", least=1)) - 1
    above = rise > given.number("threshold", above=-1)
    return _signals(prices, buy=above, sell=~above)


def crossover(prices: pl.DataFrame, parameters: Mapping[str, Value]) -> pl.DataFrame:
    """Buy while the mean of the last ``fast`` closes is above that of the last ``slow``, sell otherwise."""
    given = _Parameters("crossover", parameters, names=("fast", "slow"))
    fast, slow = given.count("fast", least=1), given.count("slow", least=1)
    if fast >= slow:
        raise given.error("fast", expected=f"fewer bars than slow, {slow}")
    above = _varies(slow) & (close.rolling_mean(fast) > close.rolling_mean(slow))
    return _signals(prices, buy=above, sell=~above)


def reversion(prices: pl.DataFrame, parameters: Mapping[str, Value]) -> pl.DataFrame:
    """Buy ``entry`` sample deviations below the mean of the last ``window`` closes, sell back at the mean."""
    given = _Parameters("reversion", parameters, names=("window", "entry"))
    window, entry = given.count("window", least=2), given.number("entry", above=0)
    mean, deviation = close.rolling_mean(window), close.rolling_std(window)
    below = _varies(window) & (close < mean)
    return _signals(prices, buy=below & (close < mean - entry * deviation), sell=~below)


def breakout(prices: pl.DataFrame, parameters: Mapping[str, Value]) -> pl.DataFrame:
    """Buy at a close above the highest of the ``lookback`` closes before it, sell at one below the lowest."""
    given = _Parameters("breakout", parameters, names=("lookback",))
    lookback, before = given.count("lookback", least=1), close.shift()
    return _signals(
        prices, buy=close > before.rolling_max(lookback), sell=close < before.rolling_min(lookback)
    )


BUILT_IN: Mapping[str, Strategy] = {
    "momentum": momentum,
    "crossover": crossover,
    "reversion": reversion,
    "breakout": breakout,
}


@dataclass(frozen=True)
class _Parameters:
    """One parameter set of a strategy, checked as it is read."""

    strategy: str
    given: Mapping[str, Value]
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if set(self.given) != set(self.names):
            unmatched = ", ".join(sorted(set(self.given) ^ set(self.names)))
            raise self.error(unmatched, expected=f"exactly {', '.join(self.names)}")

    def count(self, name: str, *, least: int) -> int:
        """Return a whole number of bars."""
        value = self.given[name]
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise self.error(name, expected=f"a whole number of bars, {least} or more")
        return value

    def number(self, name: str, *, above: float) -> float:
        """Return a finite number above the bound given."""
        value = self.given[name]
        if not isinstance(value, int | float) or isinstance(value, bool) or not above < value < math.inf:
            raise self.error(name, expected=f"a finite number above {above}")
        return value

    def error(self, name: str, *, expected: str) -> StrategyError:
        """Return the error that names a parameter."""
        return StrategyError(
            f"strategy {self.strategy}, parameter {name}",
            found=", ".join(f"{key}={value!r}" for key, value in sorted(self.given.items())) or "none",
            expected=expected,
            remedy=f"give {' and '.join(self.names)}",
        )


def _varies(window: int) -> pl.Expr:
    # A running mean of equal closes misses them in the last digit, and would trade on that.
    return close.rolling_max(window) > close.rolling_min(window)


def _signals(prices: pl.DataFrame, *, buy: pl.Expr, sell: pl.Expr) -> pl.DataFrame:
    """Return a row wherever both conditions, told of one symbol's bars in order, exist."""
    rows = (
        PRICES.check(prices, where="prices")
        .sort("symbol", "timestamp")
        .with_columns(buy=buy.over("symbol"), sell=sell.over("symbol"))
        .drop_nulls(["buy", "sell"])
        .with_columns(
            action=pl.when("buy")
            .then(pl.lit("BUY"))
            .when("sell")
            .then(pl.lit("SELL"))
            .otherwise(pl.lit("HOLD")),
            strength=pl.when(pl.col("buy") | pl.col("sell")).then(1.0).otherwise(0.0),
        )
    )
    return STRATEGY_SIGNALS.check(rows, where="signals").sort("timestamp", "symbol")
