"""What signals would have earned: signals and prices in; positions, trades, costs and returns out.

Every symbol has an account with an equal part of the capital. Over one bar an account moves with the
weight it holds, then trades to its target; after a trade the weight *is* the target, whatever happened
before. So every bar of every account is computed at once, and only capital is a running product.

Arrays are [T, S]: T bars in order of time, S symbols in the order asked for.
"""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from workspace_kit.config import Execution
from workspace_kit.errors import LookAheadError, PriceError, SchemaMismatch, SignalConflict, UsageError
from workspace_kit.schema import ACTIONS, PRICES, STRATEGY_SIGNALS, TIME

Matrix = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Bars:
    """The calendar and prices of one period.

    A bar is an instant at which at least one of the symbols has a price; signals have no say in it.
    ``timestamps`` are the bars' closes, naive in UTC, increasing. ``close`` and ``open`` are [T, S], NaN
    where a symbol has no price at that bar; ``open`` is None where the prices have no such column.
    """

    timestamps: pl.Series
    symbols: tuple[str, ...]
    close: Matrix
    open: Matrix | None

    @cached_property
    def priced(self) -> Mask:
        """Where a symbol can be traded, [T, S]."""
        return ~np.isnan(self.close)

    @cached_property
    def last_priced(self) -> Indices:
        """Bar of each symbol's latest price, this bar's included, [T, S]; -1 before its first."""
        bar = np.arange(len(self.close))[:, None]
        return np.maximum.accumulate(np.where(self.priced, bar, -1), axis=0)

    @cached_property
    def next_priced(self) -> Indices:
        """Bar of each symbol's next price, this bar's included, [T + 1, S]; T where none is left."""
        bars = len(self.close)
        ahead = np.where(self.priced, np.arange(bars)[:, None], bars)
        ahead = np.vstack([ahead, np.full((1, ahead.shape[1]), bars)])
        return np.minimum.accumulate(ahead[::-1], axis=0)[::-1]

    @cached_property
    def listed(self) -> Mask:
        """Where a symbol has had a price in this period, [T, S]; one that ends stays listed, as cash or as held."""
        return self.last_priced >= 0

    @cached_property
    def moves(self) -> Matrix:
        """Simple return since the latest earlier close, [T, S]; 0 at a missing bar and at a symbol's first."""
        return _move(self.close, since=self.earlier_close)

    @cached_property
    def earlier_close(self) -> Matrix:
        """Latest close before each bar, [T, S]; NaN up to a symbol's first."""
        latest = np.take_along_axis(self.close, np.maximum(self.last_priced, 0), axis=0)
        return _shifted(latest, by=1, fill=np.nan)

    @cached_property
    def equal_shares(self) -> Matrix:
        """Share of capital of each account over each bar, equal among those listed the bar before, [T, S]."""
        funded = np.vstack([self.listed[:1], self.listed[:-1]]).astype(np.float64)
        return np.asfortranarray(funded / np.maximum(funded.sum(axis=1, keepdims=True), 1.0))


class Targets(NamedTuple):
    """The weight each account is to hold, in force at each close, and what the signals had too much."""

    values: Matrix
    dropped: int
    duplicates: int


class Replay(NamedTuple):
    """What the targets earned.

    ``bars`` has one row a bar, all as shares of the capital at the bar's start: ``return`` is net;
    ``cost`` is what trading took from it; ``turnover`` is the value traded; ``exposure`` is the value in the
    market, long or short. ``trades`` has one row a closed trade, sorted by entry and symbol, its return
    net of both costs; trades still open at the end are counted in ``open_trades`` and marked in ``bars``.
    ``positions`` is the weight of each account over each bar, [T, S]. ``ruined`` are the symbols whose
    account lost everything.
    """

    bars: pl.DataFrame
    trades: pl.DataFrame
    positions: Matrix
    open_trades: int
    ruined: tuple[str, ...]


class _Accounts(NamedTuple):
    """Each account's bars, [T, S]: it grows, trades once, and (filled at the open) grows again.

    ``held`` is the weight over the bar, ``filled`` the weight after its trade; ``before`` and ``after`` are
    growth factors up to and from the trade; ``left`` is the position's value before the trade and
    ``traded`` the value traded, over the capital at the bar's start.
    """

    held: Matrix
    filled: Matrix
    before: Matrix
    left: Matrix
    traded: Matrix
    after: Matrix


class _Orders(NamedTuple):
    """Signals that change a target: symbol and bar as indices, sorted by symbol and time."""

    symbol: Indices
    bar: Indices
    action: npt.NDArray[np.intp]
    strength: Matrix
    dropped: int
    duplicates: int


def bars(prices: pl.DataFrame, *, symbols: Sequence[str], start: datetime, end: datetime) -> Bars:
    """Return the bars of a period from a long price frame, in any order; other symbols are ignored.

    ``start`` and ``end`` are naive in UTC, both included. A row whose close is null is no bar.

    Raises
    ------
    PriceError
        A symbol that the frame does not hold, a price that is not positive and finite, two rows for one
        symbol and instant, or no bar in the period.
    """
    fields = [field for field in ("close", "open") if field in prices.columns]
    _refuse_unknown(symbols, known=prices["symbol"].unique().to_list(), where="symbols asked for")
    rows = (
        PRICES.check(prices, where="prices")
        .with_columns(prices[field] for field in fields)
        .filter(pl.col("symbol").is_in(list(symbols)), pl.col("timestamp").is_between(start, end))
        .drop_nulls("close")
    )
    _check_prices(rows, fields=fields, period=f"prices from {start} to {end}")
    timestamps = rows["timestamp"].unique().sort()
    at = timestamps.search_sorted(rows["timestamp"]).to_numpy(), _positions(rows["symbol"], symbols)
    shape = len(timestamps), len(symbols)
    close, *opens = (_scattered(rows[field], at=at, shape=shape) for field in fields)
    return Bars(timestamps, tuple(symbols), close, opens[0] if opens else None)


def targets(
    signals: pl.DataFrame, bars: Bars, *, execution: Execution, on_duplicate: Literal["error", "last"]
) -> Targets:
    """Return the weight that one trial's signals ask for at each close.

    ``signals`` has at least timestamp, symbol, action and strength, in any order. A signal takes effect on
    the first bar at which its symbol has a price and that closes at or after it, so one that is older than
    the period is in force from its first bar. BUY asks for 1, SELL for 0 or -1, both times strength under
    ``sizing="strength"``; HOLD asks for nothing. ``dropped`` counts signals after their symbol's last
    price, ``duplicates`` rows that repeat another of the same symbol and instant (under
    ``on_duplicate="last"`` also those that a later row replaces).

    Raises
    ------
    SchemaMismatch
        A column is missing, a value null, an action unknown, or a strength that counts not within 0 and 1.
    SignalConflict
        Two rows of one symbol and instant differ.
    PriceError
        A symbol that the bars do not hold.
    """
    by_strength = execution.sizing == "strength"
    orders = _orders(signals, bars, on_duplicate=on_duplicate, check_strength=by_strength)
    sell = -1.0 if execution.direction == "long_short" else 0.0
    asked = np.where(orders.action == ACTIONS.index("BUY"), 1.0, sell)
    values = asked * orders.strength if by_strength else asked
    return Targets(_in_force(values, orders, bars, before=0.0), orders.dropped, orders.duplicates)


def buy_and_hold(bars: Bars) -> Matrix:
    """Return targets that hold every symbol from its first price on."""
    return bars.listed.astype(np.float64)


def dense(signals: pl.DataFrame, bars: Bars) -> pl.DataFrame:
    """Return the signals as one row per bar and symbol that has a price: what changed, else HOLD.

    A row repeats the strength in force; before the first signal that is HOLD with strength 0. Raises what
    `targets` raises. Sorted by timestamp and symbol; replays like the signals given.
    """
    action, strength, news = _states(signals, bars)
    return _signals(bars.priced, action, strength, news, bars)


def changes(signals: pl.DataFrame, bars: Bars) -> pl.DataFrame:
    """Return the rows of `dense` at which action or strength change, and each symbol's first and last row."""
    action, strength, news = _states(signals, bars)
    bar = np.arange(len(bars.close))[:, None]
    first, last = bars.next_priced[:1], bars.last_priced[-1:]
    return _signals(bars.priced & (news | (bar == first) | (bar == last)), action, strength, news, bars)


def replay(targets: Matrix, bars: Bars, *, execution: Execution) -> Replay:
    """Return what it earned to follow the targets, [T, S], from flat accounts at the first bar.

    With ``delay`` 1 and ``fill="close"`` the target in force at a close is traded at it, at a cost, and held
    over the next bar; with ``fill="next_open"`` it is traded at the next bar's open. An account opens at the
    close of its symbol's first price. Without a price there is no trade, and the move is earned on the next
    bar with one. ``allocation="separate"`` gives each symbol 1/S once; ``"rebalanced"`` gives the symbols
    listed the bar before equal shares anew each bar, at no cost, and books an entry made at a symbol's
    listing with its next bar. An account whose value or whose value after costs falls to zero
    is worth nothing from there on.

    Raises
    ------
    LookAheadError
        A delay below 1.
    UsageError
        Targets of another shape than the bars, or not finite.
    PriceError
        ``fill="next_open"`` and a bar with a close has no open.
    """
    _check_replay(targets, bars, execution)
    cost = execution.cost_bps / 10_000
    fill = _filled_at_close if execution.fill == "close" else _filled_at_open
    accounts, ruined = _without_the_ruined(fill(targets, bars, delay=execution.delay), cost=cost)
    trades, open_trades = _trades(accounts, bars, cost=cost)
    return Replay(
        _portfolio(accounts, bars, cost=cost, rebalanced=execution.allocation == "rebalanced"),
        trades,
        accounts.held,
        open_trades,
        tuple(symbol for symbol, lost in zip(bars.symbols, ruined, strict=True) if lost),
    )


def _filled_at_close(targets: Matrix, bars: Bars, *, delay: int) -> _Accounts:
    filled = _at_last_price(_shifted(targets, by=delay - 1, fill=0.0), bars)
    held = _shifted(filled, by=1, fill=0.0)
    gain = held * bars.moves
    before, left = 1 + gain, held + gain
    return _Accounts(
        held, filled, before, left, np.abs(filled * before - left), np.broadcast_to(1.0, held.shape)
    )


def _filled_at_open(targets: Matrix, bars: Bars, *, delay: int) -> _Accounts:
    opens = bars.close if bars.open is None else bars.open
    night, day = _move(opens, since=bars.earlier_close), _move(bars.close, since=opens)
    tradable = bars.priced & _shifted(bars.listed, by=1, fill=False)
    asked = np.where(tradable, _shifted(targets, by=delay, fill=0.0), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        at_close = asked * (1 + day) / (1 + asked * day)
    drifted = _shifted(_at_last_price(at_close, bars), by=1, fill=0.0)
    held = np.where(tradable, asked, drifted)
    before, left = 1 + drifted * night, drifted * (1 + night)
    return _Accounts(held, held, before, left, np.abs(held * before - left), 1 + held * day)


def _without_the_ruined(accounts: _Accounts, *, cost: float) -> tuple[_Accounts, Mask]:
    """Leave accounts nothing from the bar at which their value, or their value after costs, is gone."""
    held, filled, before, left, traded, after = accounts
    bankrupt = before - cost * traded <= 0
    broke = bankrupt | (after <= 0)
    ruined: Mask = broke.any(axis=0)
    if not ruined.any():
        return accounts, ruined
    bar, end = np.arange(len(held))[:, None], np.where(ruined, broke.argmax(axis=0), len(held))
    gone, untraded = bar > end, (bar > end) | (bankrupt & (bar == end))
    return _Accounts(
        np.where(gone, 0.0, held),
        np.where(untraded, 0.0, filled),
        np.where(gone, 1.0, np.where(untraded, 0.0, before)),
        np.where(untraded, 0.0, left),
        np.where(untraded, 0.0, traded),
        np.where(untraded, 1.0, np.maximum(after, 0.0)),
    ), ruined


def _portfolio(accounts: _Accounts, bars: Bars, *, cost: float, rebalanced: bool) -> pl.DataFrame:
    gross, traded = accounts.before * accounts.after, accounts.traded
    net = (accounts.before - cost * traded) * accounts.after
    shares = bars.equal_shares if rebalanced else _drifting_shares(net)
    if rebalanced:
        net, traded = _with_entries(net, bars, np.multiply), _with_entries(traded, bars, np.add)
    columns = {
        "return": net - 1,
        "turnover": traded,
        "cost": gross - net,
        "exposure": np.abs(accounts.held),
    }
    totals = {name: (shares * values).sum(axis=1) for name, values in columns.items()}
    return pl.DataFrame({"timestamp": bars.timestamps, **totals})


def _drifting_shares(net: Matrix) -> Matrix:
    capital = _shifted(np.cumprod(net, axis=0), by=1, fill=1.0)
    total = capital.sum(axis=1, keepdims=True)
    return np.divide(capital, total, out=np.zeros_like(capital), where=total > 0)


def _with_entries(values: Matrix, bars: Bars, combine: np.ufunc) -> Matrix:
    """Carry what an account did on a listing bar after the first into its next bar, its first with a share."""
    listing = bars.next_priced[0]
    late = np.flatnonzero((listing > 0) & (listing + 1 < len(values)))
    if not late.size:
        return values
    entry, carried = listing[late], values.copy(order="K")
    carried[entry + 1, late] = combine(values[entry, late], values[entry + 1, late])
    return carried


def _trades(accounts: _Accounts, bars: Bars, *, cost: float) -> tuple[pl.DataFrame, int]:
    """Pair each entry with its exit; the product between them is the trade's growth."""
    length = len(accounts.held)
    side = np.vstack([np.sign(accounts.filled), np.zeros((1, len(bars.symbols)))]).T
    earlier = _shifted(side.T, by=1, fill=0.0).T
    turned = side != earlier
    symbol, entry = np.nonzero(turned & (side != 0))
    _, exit_ = np.nonzero(turned & (earlier != 0))
    closed = exit_ < length
    symbol, entry, exit_ = symbol[closed], entry[closed], exit_[closed]
    growth = _growth(accounts, symbol, entry, exit_, cost=cost)
    trades = pl.DataFrame(
        {
            "symbol": pl.Series(bars.symbols, dtype=pl.String).gather(symbol),
            "side": pl.Series(["short", "", "long"]).gather(side[symbol, entry].astype(np.intp) + 1),
            "entered_at": bars.timestamps.gather(entry),
            "exited_at": bars.timestamps.gather(exit_),
            "bars": exit_ - entry,
            "return": growth - 1,
        }
    )
    return trades.sort("entered_at", "symbol"), int((~closed).sum())


def _growth(
    accounts: _Accounts, symbol: Indices, entry: Indices, exit_: Indices, *, cost: float
) -> Matrix:
    """Return capital after the exit over capital before the entry, one value a trade."""
    length = len(accounts.held)
    net = (accounts.before - cost * accounts.traded) * accounts.after
    # On a flip the exit pays for what is left and the next trade for its own entry.
    last = accounts.before[exit_, symbol] - cost * np.abs(accounts.left[exit_, symbol])
    first = (1 - cost * np.abs(accounts.filled[entry, symbol])) * accounts.after[entry, symbol]
    flat = np.append(net.T.ravel(), 1.0)
    start, stop = symbol * length + entry + 1, symbol * length + exit_ + 1
    flat[stop - 1] = last
    spans = np.column_stack([start, stop]).ravel()
    between = np.multiply.reduceat(flat, spans)[::2] if spans.size else last
    return np.maximum(first * between, 0.0)


def _orders(
    signals: pl.DataFrame, bars: Bars, *, on_duplicate: Literal["error", "last"], check_strength: bool
) -> _Orders:
    rows = STRATEGY_SIGNALS.check(signals, where="signals")
    _check_signals(rows, bars, check_strength=check_strength)
    rows = rows.sort("symbol", "timestamp", maintain_order=True)
    again = (pl.struct("symbol", "timestamp") == pl.struct("symbol", "timestamp").shift()).fill_null(value=False)
    rows = rows.with_columns(again=again)
    if on_duplicate == "error":
        _refuse_conflicts(rows)
    latest = rows.filter(~pl.col("again").shift(-1, fill_value=False))
    symbol = _positions(latest["symbol"], bars.symbols)
    bar = bars.next_priced[bars.timestamps.search_sorted(latest["timestamp"], side="left").to_numpy(), symbol]
    action = _positions(latest["action"], ACTIONS)
    strength = latest["strength"].to_numpy()
    dropped = bar == len(bars.close)
    kept = ~dropped & (action != ACTIONS.index("HOLD"))
    return _Orders(
        symbol[kept], bar[kept], action[kept], strength[kept], int(dropped.sum()), len(rows) - len(latest)
    )


def _in_force(values: Matrix, orders: _Orders, bars: Bars, *, before: float) -> Matrix:
    """Spread each order's value over the bars until its symbol's next order, [T, S]."""
    length, accounts = bars.close.shape
    starts = np.arange(accounts) * length
    at = np.concatenate([starts, orders.symbol * length + orders.bar])
    # Stable: a start precedes an order on the same bar, and of two such orders the later one is spread.
    order = np.argsort(at, kind="stable")
    spans = np.diff(at[order], append=accounts * length)
    values = np.concatenate([np.full(accounts, before), values])[order]
    return np.repeat(values, spans).reshape(accounts, length).T


def _states(signals: pl.DataFrame, bars: Bars) -> tuple[Indices, Matrix, Mask]:
    """Return action and strength in force at each close, and where either is new, [T, S]."""
    orders = _orders(signals, bars, on_duplicate="error", check_strength=True)
    hold = ACTIONS.index("HOLD")
    action = _in_force(orders.action, orders, bars, before=hold)
    strength = _in_force(orders.strength, orders, bars, before=0.0)
    news = (action != _shifted(action, by=1, fill=hold)) | (strength != _shifted(strength, by=1, fill=0.0))
    return action, strength, news
