"""The bars of a period: when symbols have prices, and how those move from bar to bar."""

import difflib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from workspace_kit.errors import PriceError, UsageError
from workspace_kit.schema import PRICES

Matrix = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]
Scalar = TypeVar("Scalar", bound=np.generic)


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
        """Where a symbol has a price and can be traded, [T, S]."""
        return ~np.isnan(self.close)

    @cached_property
    def last_priced(self) -> Indices:
        """Bar of each symbol's latest price, this bar's included, [T, S]; -1 before its first."""
        bar = np.arange(len(self.close))[:, None]
        return np.maximum.accumulate(np.where(self.priced, bar, -1), axis=0)

    @cached_property
    def next_priced(self) -> Indices:
        """Bar of each symbol's next price, this bar's included, [T + 1, S]; T where none is left."""
        length, accounts = self.close.shape
        ahead = np.full((length + 1, accounts), length)
        ahead[:-1] = np.where(self.priced, np.arange(length)[:, None], length)
        return np.minimum.accumulate(ahead[::-1], axis=0)[::-1]

    @cached_property
    def listed(self) -> Mask:
        """Where a symbol has had a price in this period, [T, S]; it stays listed when its prices end."""
        return self.last_priced >= 0

    @cached_property
    def earlier_close(self) -> Matrix:
        """Latest close before each bar, [T, S]; NaN up to a symbol's first."""
        return shifted(self.at_last_price(self.close, before=np.nan), by=1, fill=np.nan)

    @cached_property
    def moves(self) -> Matrix:
        """Simple return since the latest earlier close, [T, S]; 0 without a price and at a symbol's first."""
        return move(self.close, since=self.earlier_close)

    @cached_property
    def equal_shares(self) -> Matrix:
        """Each account's share of capital over a bar: equal among those listed the bar before, [T, S]."""
        funded = np.concatenate([self.listed[:1], self.listed[:-1]]).astype(np.float64)
        return np.asfortranarray(funded / np.maximum(funded.sum(axis=1, keepdims=True), 1.0))

    def at_last_price(self, values: Matrix, *, before: float) -> Matrix:
        """Return each symbol's value as of its latest price, [T, S]; ``before`` up to its first."""
        if self.priced.all():
            return values
        latest = np.take_along_axis(values, np.maximum(self.last_priced, 0), axis=0)
        return np.asfortranarray(np.where(self.listed, latest, before))


def bars(prices: pl.DataFrame, *, symbols: Sequence[str], start: datetime, end: datetime) -> Bars:
    """Return the bars of a period from a long price frame, in any order; other symbols are ignored.

    ``start`` and ``end`` are naive in UTC, both included. A row whose close is null is no bar.

    Raises
    ------
    PriceError
        A symbol that the frame does not hold, a price that is not positive and finite, two rows for one
        symbol and instant, or no bar in the period.
    UsageError
        A symbol asked for twice.
    """
    if len(set(symbols)) < len(symbols):
        raise UsageError("symbols", found="one twice", expected="each once", remedy="remove the repetition")
    PRICES.check(prices, where="prices")
    refuse_unknown(symbols, known=prices["symbol"].unique(), where="symbols asked for")
    fields = [field for field in ("close", "open") if field in prices.columns]
    where = f"prices from {start} to {end}"
    known = prices.select("timestamp", "symbol", *fields).drop_nulls("close")
    known = known.filter(pl.col("symbol").is_in(list(symbols)))
    rows = known.filter(pl.col("timestamp").is_between(start, end))
    if rows.is_empty():
        raise _no_bar(known, where=where)
    _check_prices(rows, fields=fields, where=where)
    timestamps = rows["timestamp"].unique().sort()
    at = timestamps.search_sorted(rows["timestamp"]).to_numpy(), positions(rows["symbol"], symbols)
    shape = len(timestamps), len(symbols)
    close, *opens = (_scattered(rows[field], at=at, shape=shape) for field in fields)
    return Bars(timestamps, tuple(symbols), close, opens[0] if opens else None)


def shifted(values: npt.NDArray[Scalar], *, by: int, fill: float) -> npt.NDArray[Scalar]:
    """Return the values of ``by`` bars before, ``fill`` where there are none; the array itself for 0."""
    if by == 0:
        return values
    earlier = np.full_like(values, fill)
    earlier[by:] = values[:-by]
    return earlier


def move(prices: Matrix, *, since: Matrix) -> Matrix:
    """Return the simple return between two prices, 0 where either is missing."""
    return np.nan_to_num(prices / since - 1, nan=0.0)


def positions(names: pl.Series, known: Sequence[str]) -> Indices:
    """Return where each name stands among the known ones."""
    return names.cast(pl.Enum(known)).to_physical().to_numpy().astype(np.intp)


def refuse_unknown(names: Iterable[str | None], *, known: Iterable[str], where: str) -> None:
    """Raise a PriceError that names a symbol without prices, and the one nearest to it."""
    priced = sorted(known)
    if unknown := sorted(set(map(str, names)).difference(priced)):
        near = difflib.get_close_matches(unknown[0], priced, n=1, cutoff=0.5)
        raise PriceError(
            where,
            found=f"{len(unknown)} symbol(s) without prices: {', '.join(unknown)}",
            expected=f"some of the {len(priced)} that have them",
            remedy=f"did you mean {near[0]!r}?" if near else "add their prices, or leave them out",
        )


def _no_bar(known: pl.DataFrame, *, where: str) -> PriceError:
    span = "none at all"
    for first, last in known.select(pl.min("timestamp"), last=pl.max("timestamp")).drop_nulls().iter_rows():
        span = f"theirs from {first} to {last}"
    return PriceError(
        where,
        found="no bar",
        expected=f"at least one; these symbols have {span}",
        remedy="choose a period with prices",
    )


def _check_prices(rows: pl.DataFrame, *, fields: Sequence[str], where: str) -> None:
    usable = pl.all_horizontal(pl.col(fields).is_between(0, math.inf, closed="none")).fill_null(value=True)
    _refuse(rows.filter(~usable), where=where, problem="not positive and finite")
    _refuse(rows.filter(pl.struct("timestamp", "symbol").is_duplicated()), where=where, problem="given twice")


def _refuse(rows: pl.DataFrame, *, where: str, problem: str) -> None:
    if rows.is_empty():
        return
    timestamp, symbol, close = rows.sort("timestamp", "symbol").row(0)[:3]
    raise PriceError(
        where,
        found=f"{len(rows)} row(s) {problem}, first {symbol} at {timestamp} with close {close}",
        expected="one positive price per symbol and bar",
        remedy="correct the price file",
    )


def _scattered(values: pl.Series, *, at: tuple[Indices, Indices], shape: tuple[int, int]) -> Matrix:
    # By column, as everything that walks along time is.
    table = np.full(shape, np.nan, order="F")
    table[at] = values.to_numpy()
    return table
