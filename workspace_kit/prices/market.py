"""What the rest asks of prices: the traded symbols, the benchmark's closes, the instants of a period."""

import difflib
import itertools
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from numpy.typing import NDArray

from workspace_kit.config import Data
from workspace_kit.errors import ConfigError

_START = 100.0


def day_bounds(first: date, last: date, *, timezone: str) -> tuple[datetime, datetime]:
    """Return the first and last microsecond of two days of a zone and all between, as naive UTC."""
    zone = ZoneInfo(timezone)
    return (
        _utc(datetime.combine(first, time.min, zone)),
        _utc(datetime.combine(last, time.max, zone).replace(fold=1)),
    )


def _utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:  # at either end of the calendar hours do not matter
        return moment.replace(tzinfo=None)


def traded_symbols(frame: pl.DataFrame, data: Data) -> list[str]:
    """Return the symbols that may be traded, sorted; the benchmark is never one of them.

    Raises
    ------
    ConfigError
        A symbol or the benchmark without a price, a symbol named twice or also the benchmark, or none left.
    """
    known = frame["symbol"].unique().sort().to_list()
    if data.benchmark is not None:
        _refuse_unknown(data.benchmark, known, key="data.benchmark")
    if data.symbols == "all":
        symbols = [symbol for symbol in known if symbol != data.benchmark]
    else:
        symbols = sorted(data.symbols)
    for symbol in symbols:
        _refuse_unknown(symbol, known, key="data.symbols")
    _refuse_unusable(symbols, data.benchmark)
    return symbols


def _refuse_unknown(symbol: str, known: list[str], *, key: str) -> None:
    if symbol not in known:
        near = difflib.get_close_matches(symbol, known, n=1, cutoff=0.5)
        shown = ", ".join(known[:12]) + (f", … ({len(known)} in all)" if len(known) > 12 else "")
        raise ConfigError(
            f"key {key}",
            found=f"a symbol without prices {symbol!r}",
            expected=f"one of {shown}",
            remedy=f"did you mean {near[0]!r}?" if near else "correct it, or leave the key out",
        )


def _refuse_unusable(symbols: list[str], benchmark: str | None) -> None:
    doubled = [symbol for symbol, following in itertools.pairwise(symbols) if symbol == following]
    found = (
        "no symbol to trade"
        if not symbols
        else f"{doubled[0]!r} twice"
        if doubled
        else f"the benchmark {benchmark!r}"
        if benchmark in symbols
        else None
    )
    if found:
        raise ConfigError(
            "key data.symbols",
            found=found,
            expected="symbols to trade, each once, and not the benchmark",
            remedy="correct the list",
        )


def benchmark_closes(frame: pl.DataFrame, data: Data) -> pl.DataFrame:
    """Return what regimes are labelled on: timestamp and close of the benchmark, by time.

    Without a benchmark it is the equal-weight index of the traded symbols, 100 at its first bar: each bar
    adds the mean simple return of the symbols that had a price on the bar before or earlier. A symbol
    without a price on a bar returns 0 there, and its whole move on the next bar that has one.
    """
    if data.benchmark is not None:
        return frame.filter(pl.col("symbol") == data.benchmark).select("timestamp", "close").sort("timestamp")
    symbols = traded_symbols(frame, data)
    bars = frame.filter(pl.col("symbol").is_in(symbols))
    times = bars["timestamp"].unique().sort()
    closes = np.full((times.len(), len(symbols)), np.nan)
    row, column = times.search_sorted(bars["timestamp"]), pl.Series(symbols).search_sorted(bars["symbol"])
    closes[row.to_numpy(), column.to_numpy()] = bars["close"].to_numpy()
    return pl.DataFrame({"timestamp": times, "close": _equal_weight(closes)})


def _equal_weight(closes: NDArray[np.float64]) -> NDArray[np.float64]:
    """The index of closes, bars by symbols; NaN where a symbol has no price."""
    last = np.maximum.accumulate(np.where(np.isnan(closes), 0, np.arange(len(closes))[:, None]), axis=0)
    known = np.take_along_axis(closes, last, axis=0)
    returns = known[1:] / known[:-1] - 1
    is_listed = ~np.isnan(returns)
    mean = np.where(is_listed, returns, 0.0).sum(axis=1) / np.maximum(is_listed.sum(axis=1), 1)
    return _START * np.cumprod(np.concatenate([[1.0], 1 + mean]))
