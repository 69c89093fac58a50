"""Signals against bars: the targets they mean, and the signals that say the same in few rows or in all."""

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from workspace_kit.analysis.replay.calendar import (
    Bars,
    Indices,
    Mask,
    Matrix,
    Scalar,
    positions,
    refuse_unknown,
    shifted,
)
from workspace_kit.config import Execution
from workspace_kit.errors import SchemaMismatch, SignalConflict
from workspace_kit.schema import ACTIONS, STRATEGY_SIGNALS

BUY, HOLD = ACTIONS.index("BUY"), ACTIONS.index("HOLD")


class Targets(NamedTuple):
    """The weight each account is to hold, [T, S], in force at each close.

    ``dropped`` counts signals later than their symbol's last price, ``duplicates`` rows that another row of
    the same symbol and instant repeats or, where that is allowed, replaces.
    """

    values: Matrix
    dropped: int
    duplicates: int


class _Orders(NamedTuple):
    """Signals that ask for something, sorted by symbol and time; symbol, bar and action as indices."""

    symbol: Indices
    bar: Indices
    action: Indices
    strength: Matrix
    dropped: int
    duplicates: int


class _States(NamedTuple):
    """Action and strength in force at each close, and where either is new, [T, S]."""

    action: Indices
    strength: Matrix
    new: Mask


def targets(
    signals: pl.DataFrame, bars: Bars, *, execution: Execution, on_duplicate: Literal["error", "last"]
) -> Targets:
    """Return the weight that one trial's signals ask for at each close.

    ``signals`` has at least timestamp, symbol, action and strength, in any order. A signal takes effect on
    the first bar that closes at or after it with a price of its symbol, so one from before the period is in
    force from the first bar. BUY asks for 1; SELL for 0, or -1 under ``long_short``; both times strength
    under ``sizing="strength"``, which ``"unit"`` does not look at. HOLD, and no signal, ask for nothing.

    Raises
    ------
    SchemaMismatch
        A column is missing, a timestamp null, an action unknown, or a strength used that is not in [0, 1].
    SignalConflict
        Rows of one symbol and instant differ, and ``on_duplicate`` is not ``"last"``.
    PriceError
        A symbol that the bars do not hold.
    """
    by_strength = execution.sizing == "strength"
    orders = _orders(signals, bars, on_duplicate=on_duplicate, check_strength=by_strength)
    asked = np.where(orders.action == BUY, 1.0, -1.0 if execution.direction == "long_short" else 0.0)
    values = asked * orders.strength if by_strength else asked
    return Targets(_in_force(values, orders, bars, before=0.0), orders.dropped, orders.duplicates)


def buy_and_hold(bars: Bars) -> Matrix:
    """Return targets that hold each symbol from its first price on."""
    return bars.listed.astype(np.float64)


def dense(signals: pl.DataFrame, bars: Bars) -> pl.DataFrame:
    """Return what the signals say at every bar and symbol with a price: the new action, else HOLD.

    Strength is the one in force, 0 before the first signal. Sorted by timestamp and symbol. Raises what
    `targets` raises, and replays to the same.
    """
    states = _states(signals, bars)
    return _rows(bars.priced, states, bars)


def changes(signals: pl.DataFrame, bars: Bars) -> pl.DataFrame:
    """Return the rows of `dense` where action or strength are new, and each symbol's first and last row."""
    states = _states(signals, bars)
    bar = np.arange(len(bars.close))[:, None]
    ends = (bar == bars.next_priced[0]) | (bar == bars.last_priced[-1])
    return _rows(states.new | ends, states, bars)


def _states(signals: pl.DataFrame, bars: Bars) -> _States:
    orders = _orders(signals, bars, on_duplicate="error", check_strength=True)
    action = _in_force(orders.action, orders, bars, before=HOLD)
    strength = _in_force(orders.strength, orders, bars, before=0)
    new = (action != shifted(action, by=1, fill=HOLD)) | (strength != shifted(strength, by=1, fill=0))
    return _States(action, strength, new)


def _rows(where: Mask, states: _States, bars: Bars) -> pl.DataFrame:
    bar, symbol = np.nonzero(where)
    action = np.where(states.new, states.action, HOLD)[where]
    rows = {
        "timestamp": bars.timestamps.gather(bar),
        "symbol": pl.Series(bars.symbols, dtype=pl.String).gather(symbol),
        "action": pl.Series(ACTIONS).gather(action),
        "strength": states.strength[where],
    }
    return pl.DataFrame(rows, schema=STRATEGY_SIGNALS.types).sort("timestamp", "symbol")


def _in_force(
    values: npt.NDArray[Scalar], orders: _Orders, bars: Bars, *, before: float
) -> npt.NDArray[Scalar]:
    """Spread each order's value over the bars until its symbol's next order, [T, S]."""
    length, accounts = bars.close.shape
    at = np.concatenate([np.arange(accounts) * length, orders.symbol * length + orders.bar])
    # Stable, so that of several on one bar the last is spread, and the start of a symbol comes first.
    order = np.argsort(at, kind="stable")
    spans = np.diff(at[order], append=accounts * length)
    starts = np.full(accounts, before, dtype=values.dtype)
    return np.repeat(np.concatenate([starts, values])[order], spans).reshape(accounts, length).T


def _orders(
    signals: pl.DataFrame, bars: Bars, *, on_duplicate: Literal["error", "last"], check_strength: bool
) -> _Orders:
    rows = STRATEGY_SIGNALS.check(signals, where="signals")
    _check(rows, bars, check_strength=check_strength)
    rows = rows.sort("symbol", "timestamp", maintain_order=True).with_columns(
        again=(pl.col("symbol") == pl.col("symbol").shift())
        & (pl.col("timestamp") == pl.col("timestamp").shift())
    )
    if on_duplicate == "error":
        _refuse_conflicts(rows)
    latest = rows.filter(~pl.col("again").shift(-1, fill_value=False))
    symbol, action = positions(latest["symbol"], bars.symbols), positions(latest["action"], ACTIONS)
    bar = bars.timestamps.search_sorted(latest["timestamp"], side="left").to_numpy()
    bar = bars.next_priced[bar, symbol]
    late = bar == len(bars.close)
    kept = ~late & (action != HOLD)
    return _Orders(
        symbol[kept],
        bar[kept],
        action[kept],
        latest["strength"].to_numpy()[kept],
        dropped=int(late.sum()),
        duplicates=len(rows) - len(latest),
    )


def _check(rows: pl.DataFrame, bars: Bars, *, check_strength: bool) -> None:
    refuse_unknown(rows["symbol"].unique(), known=bars.symbols, where="signals")
    _refuse(rows.filter(pl.col("timestamp").is_null()), column="timestamp", expected="an instant")
    known = pl.col("action").is_in(ACTIONS).fill_null(value=False)
    _refuse(rows.filter(~known), column="action", expected=f"one of {', '.join(ACTIONS)}")
    if check_strength:
        within = pl.col("strength").is_between(0, 1).fill_null(value=False)
        _refuse(rows.filter(~within), column="strength", expected="a number from 0 to 1")


def _refuse(rows: pl.DataFrame, *, column: str, expected: str) -> None:
    if rows.is_empty():
        return
    first = rows.sort("timestamp", "symbol").row(0, named=True)
    raise SchemaMismatch(
        f"signals, {first['symbol']} at {first['timestamp']}",
        found=f"{column} {first[column]!r} ({len(rows)} such row(s))",
        expected=expected,
        remedy="correct the signals",
    )


def _refuse_conflicts(rows: pl.DataFrame) -> None:
    differs = pl.struct("action", "strength") != pl.struct("action", "strength").shift()
    conflicts = rows.filter(pl.col("again") & differs).sort("timestamp", "symbol")
    if not conflicts.is_empty():
        first = conflicts.row(0, named=True)
        raise SignalConflict(
            f"signals, {first['symbol']} at {first['timestamp']}",
            found=f"rows that differ ({len(conflicts)} such pair(s))",
            expected="one signal per symbol and instant",
            remedy="remove one, or say that the last one counts",
        )
