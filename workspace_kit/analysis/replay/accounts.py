"""Accounts that follow targets: one per symbol, each with an equal part of the capital.

Over a bar an account moves with the weight it holds, then trades to its target; after a trade the weight
*is* the target, whatever happened before. So all bars of all accounts are computed at once, and only the
capital is a running product.
"""

from typing import NamedTuple

import numpy as np
import polars as pl

from workspace_kit.analysis.replay.calendar import Bars, Indices, Mask, Matrix, move, shifted
from workspace_kit.config import Execution
from workspace_kit.errors import LookAheadError, PriceError, UsageError
from workspace_kit.shown import as_html


class Replay(NamedTuple):
    """What the targets earned.

    ``bars`` has one row a bar, as shares of the capital at the bar's start: ``return`` is net of cost,
    ``turnover`` is the value traded, ``cost`` what trading took, ``exposure`` the value held, long or short.
    ``trades`` has one row a closed trade, by entry and symbol: ``bars`` held and ``return`` net of both
    costs; trades open at the end are counted in ``open_trades`` and marked in ``bars``. ``positions`` is
    the weight of each account over each bar, [T, S], and ``shares`` each account's share of the capital.
    ``ruined`` are the symbols whose account lost everything.
    """

    bars: pl.DataFrame
    trades: pl.DataFrame
    positions: Matrix
    shares: Matrix
    open_trades: int
    ruined: tuple[str, ...]

    @property
    def holdings(self) -> Matrix:
        """Value held in each symbol over each bar as a share of the capital, [T, S]; negative if short."""
        return self.shares * self.positions

    def _repr_html_(self) -> str:
        return as_html(self)


class _Accounts(NamedTuple):
    """Each account's bars, [T, S]: it grows, trades once, and (where filled at the open) grows again.

    ``carried`` is the weight as the bar begins, ``filled`` the one after its trade, ``held`` the one of the
    two that the bar is known by; ``gain`` is the return up to the trade, ``after`` the growth from it on,
    ``net`` the growth over the bar after cost; ``traded`` is value over the capital at the bar's start.
    """

    carried: Matrix
    filled: Matrix
    held: Matrix
    gain: Matrix
    after: Matrix
    traded: Matrix
    net: Matrix


def replay(targets: Matrix, bars: Bars, *, execution: Execution) -> Replay:
    """Return what it earned to follow the targets, [T, S], from flat accounts at the first bar.

    At ``delay`` 1, the target in force at a close is traded at that close (``fill="close"``) or at the next
    bar's open (``"next_open"``) and held until the next trade; each bar more of delay shifts that by one.
    An account opens at the close of its symbol's first price. Where its symbol has no price an account
    does not trade, and what the price did meanwhile is earned on the next bar that has one.
    ``allocation="separate"`` gives each account 1/S once and for all. ``"rebalanced"`` gives the accounts
    listed the bar before equal shares at each bar, at no cost; a trade made on the bar at which an account
    is listed counts with its next bar. An account that loses everything, to the market or to the cost of a
    trade, is worth nothing from there; under ``"rebalanced"`` its share stays in cash.

    Raises
    ------
    LookAheadError
        A delay below 1.
    UsageError
        Targets that are not finite, or of another shape than the bars.
    PriceError
        ``fill="next_open"``, and a bar that has a close has no open.
    """
    _check(targets, bars, execution)
    targets = np.asfortranarray(targets, dtype=np.float64)
    cost = execution.cost_bps / 10_000
    fill = _filled_at_close if execution.fill == "close" else _filled_at_open
    accounts, ruined = _ended_by_ruin(fill(targets, bars, delay=execution.delay, cost=cost), cost=cost)
    trades, open_trades = _trades(accounts, bars, cost=cost)
    rebalanced = execution.allocation == "rebalanced"
    shares = bars.equal_shares if rebalanced else _drifting_shares(accounts.net)
    return Replay(
        _portfolio(accounts, shares, bars, rebalanced=rebalanced),
        trades,
        accounts.held,
        shares,
        open_trades,
        tuple(np.array(bars.symbols, dtype=object)[ruined]),
    )


def _filled_at_close(targets: Matrix, bars: Bars, *, delay: int, cost: float) -> _Accounts:
    filled = bars.at_last_price(shifted(targets, by=delay - 1, fill=0), before=0)
    carried = shifted(filled, by=1, fill=0)
    no_move = np.broadcast_to(1.0, carried.shape)
    return _traded(carried, filled, carried, gain=carried * bars.moves, after=no_move, cost=cost)


def _filled_at_open(targets: Matrix, bars: Bars, *, delay: int, cost: float) -> _Accounts:
    opens = bars.close if bars.open is None else bars.open
    night, day = move(opens, since=bars.earlier_close), move(bars.close, since=opens)
    tradable = bars.priced & shifted(bars.listed, by=1, fill=False)
    asked = np.where(tradable, shifted(targets, by=delay, fill=0), 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        at_close = asked * (1 + day) / (1 + asked * day)
    carried = shifted(bars.at_last_price(at_close, before=0), by=1, fill=0)
    filled = np.where(tradable, asked, carried)
    return _traded(carried, filled, filled, gain=carried * night, after=1 + filled * day, cost=cost)


def _traded(
    carried: Matrix, filled: Matrix, held: Matrix, *, gain: Matrix, after: Matrix, cost: float
) -> _Accounts:
    # Between trades only the position moves, not the cash.
    before, left = 1 + gain, carried + gain
    traded = np.abs(filled * before - left)
    return _Accounts(carried, filled, held, gain, after, traded, net=(before - cost * traded) * after)


def _ended_by_ruin(accounts: _Accounts, *, cost: float) -> tuple[_Accounts, Mask]:
    """Leave nothing of an account from the bar at which its value is gone, and tell which ones those are."""
    carried, filled, held, gain, after, traded, net = accounts
    if net.min(initial=1) > 0 and after.min(initial=1) > 0:
        return accounts, np.zeros(held.shape[1], dtype=bool)
    at_trade = 1 + gain - cost * traded <= 0
    gone = at_trade | (after <= 0)
    ruined = np.asarray(gone.any(axis=0))
    bar, end = np.arange(len(held))[:, None], np.where(ruined, gone.argmax(axis=0), len(held))
    past, lost = bar > end, (bar == end) & at_trade
    # Lost by the time of the trade: as if all had been carried, and all of it gone. Lost after it, within the
    # day: the position stands until the next bar, where it is closed at nothing.
    ended = _traded(
        np.where(past, 0, np.where(lost, 1, carried)),
        np.where(past | lost, 0, filled),
        np.where(past, 0, held),
        gain=np.where(past, 0, np.where(lost, -1, gain)),
        after=np.where(past | lost, 1, np.maximum(after, 0)),
        cost=cost,
    )
    return ended, ruined


def _portfolio(accounts: _Accounts, shares: Matrix, bars: Bars, *, rebalanced: bool) -> pl.DataFrame:
    net, traded = accounts.net, accounts.traded
    if rebalanced:
        net, traded = _with_entry(net, bars, np.multiply), _with_entry(traded, bars, np.add)
    return pl.DataFrame(
        {
            "timestamp": bars.timestamps,
            "return": _weighted(shares, net - 1),
            "turnover": _weighted(shares, traded),
            "cost": _weighted(shares, (1 + accounts.gain) * accounts.after - net),
            "exposure": _weighted(shares, np.abs(accounts.held)),
        }
    )


def _weighted(shares: Matrix, values: Matrix) -> Matrix:
    total: Matrix = np.einsum("ts,ts->t", shares, values)
    return total


def _drifting_shares(net: Matrix) -> Matrix:
    capital = shifted(np.cumprod(net, axis=0), by=1, fill=1)
    total = capital.sum(axis=1, keepdims=True)
    return capital / np.where(total > 0, total, 1)


def _with_entry(values: Matrix, bars: Bars, combine: np.ufunc) -> Matrix:
    """Carry what an account did when listed after the first bar into its next bar, the first with a share."""
    listing = bars.next_priced[0]
    late = np.flatnonzero((listing > 0) & (listing < len(values) - 1))
    carried, entry = values.copy(order="K"), listing[late]
    carried[entry + 1, late] = combine(values[entry, late], values[entry + 1, late])
    return carried


def _trades(accounts: _Accounts, bars: Bars, *, cost: float) -> tuple[pl.DataFrame, int]:
    symbol, entry, exit_, open_trades = _spans(accounts.filled)
    growth = _growth(accounts, symbol, entry, exit_, cost=cost)
    rank = np.argsort(np.argsort(bars.symbols))
    order = np.argsort(entry * len(rank) + rank[symbol])
    symbol, entry, exit_ = symbol[order], entry[order], exit_[order]
    short = accounts.filled[entry, symbol] < 0
    trades = {
        "symbol": pl.Series(bars.symbols, dtype=pl.String)[symbol],
        "side": pl.Series(["long", "short"])[short.astype(np.intp)],
        "entered_at": bars.timestamps[entry],
        "exited_at": bars.timestamps[exit_],
        "bars": exit_ - entry,
        "return": growth[order] - 1,
    }
    return pl.DataFrame(trades), open_trades


def _spans(filled: Matrix) -> tuple[Indices, Indices, Indices, int]:
    """Return symbol, entry and exit of each closed trade, by symbol and time, and how many are open.

    A trade is a longest stretch of one sign. One that runs to the end of all bars is open.
    """
    length, width = filled.shape
    # One row of all accounts, each followed by a bar without position that no trade crosses.
    side = np.zeros((width, length + 1), dtype=np.int8)
    side[:, :-1] = np.subtract(filled > 0, filled < 0, dtype=np.int8).T
    side = side.ravel()
    turns = np.flatnonzero(side != np.roll(side, 1))
    entries, exits = turns[side[turns] != 0], turns[side[turns - 1] != 0]
    closed = exits % (length + 1) < length
    symbol, entry = np.divmod(entries[closed], length + 1)
    return symbol, entry, exits[closed] - symbol * (length + 1), int(np.count_nonzero(~closed))


def _growth(accounts: _Accounts, symbol: Indices, entry: Indices, exit_: Indices, *, cost: float) -> Matrix:
    """Return capital after the exit over capital before the entry, one value a trade."""
    first = (1 - cost * np.abs(accounts.filled[entry, symbol])) * accounts.after[entry, symbol]
    carried, gain = accounts.carried[exit_, symbol], accounts.gain[exit_, symbol]
    # A trade that turns into its opposite pays for its own exit, the next one for its entry.
    last = 1 + gain - cost * np.abs(carried + gain)
    account = symbol * len(accounts.net)
    spans = np.column_stack([account + entry + 1, account + exit_]).ravel()
    if not spans.size:
        return first
    between = np.multiply.reduceat(accounts.net.T.ravel(), spans)[::2]
    growth: Matrix = first * np.where(exit_ > entry + 1, between, 1) * last
    return growth


def _check(targets: Matrix, bars: Bars, execution: Execution) -> None:
    if execution.delay < 1:
        raise LookAheadError(
            "execution.delay",
            found=f"{execution.delay}",
            expected="1 or more bars between a signal and the bar it earns",
            remedy="use 1",
        )
    if targets.shape != bars.close.shape or not np.isfinite(targets).all():
        raise UsageError(
            "targets",
            found=f"shape {targets.shape}, {np.count_nonzero(~np.isfinite(targets))} value(s) not finite",
            expected=f"finite numbers of shape {bars.close.shape}, bars by symbols",
            remedy="make them from the same bars",
        )
    if execution.fill == "next_open":
        _check_opens(bars)


def _check_opens(bars: Bars) -> None:
    missing = bars.priced if bars.open is None else bars.priced & np.isnan(bars.open)
    if missing.any():
        bar, symbol = np.argwhere(missing)[0]
        raise PriceError(
            f"prices, {bars.symbols[symbol]} at {bars.timestamps[int(bar)]}",
            found="a close without an open",
            expected="an open for every close, to fill orders at the next open",
            remedy="add the column open, or use fill: close",
        )
