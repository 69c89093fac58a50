"""Performance documents by the thousand, as columns; one that is not as most are is left to `documents`.

Most documents hold what is asked of them: values of the right types, every key once. Such a one is read by
a typed decoder in a few microseconds, and its values become cells of columns. Of any other, which only the
exact reader can tell, nothing is taken. Where both can read a document they say the same.
"""

import datetime as dt
import functools
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Annotated, Any, TypeVar

import msgspec
import numpy as np
import polars as pl
from msgspec import UNSET, UnsetType, convert
from msgspec.structs import astuple

from workspace_kit import clock
from workspace_kit.layout.documents import ALL, NOT_METRICS, spellings
from workspace_kit.layout.fields import EXACT
from workspace_kit.layout.zones import Zone
from workspace_kit.schema import METRIC_NAMES, MIRRORED, NUMBER, ORIGIN, TEXT

_Number = Annotated[float, msgspec.Meta(gt=-float(EXACT), lt=float(EXACT))] | None
_Count = Annotated[int, msgspec.Meta(gt=-EXACT, lt=EXACT)] | None
_Numbers = dict[str, _Number]
_Object = dict[str, Any]
_MOST_TIMES = 1 << 12
_EPOCH, _MICROSECOND = dt.datetime.fromtimestamp(0, dt.UTC), dt.timedelta(microseconds=1)
T = TypeVar("T")


class _Span(msgspec.Struct, omit_defaults=True):
    start: str | None = None
    end: str | None = None


class _Part(msgspec.Struct, omit_defaults=True):
    trades: _Count = None
    period: _Span | None = None


class _Regime(msgspec.Struct, omit_defaults=True):
    bars: _Count = None
    episodes: _Count = None
    trades: _Count = None
    total_return: _Number = None
    cagr: _Number = None
    volatility: _Number = None
    sharpe_ratio: _Number = None
    sortino_ratio: _Number = None
    max_drawdown: _Number = None
    win_rate: _Number = None


class _Document(msgspec.Struct, omit_defaults=True):
    trial_id: str | int | None = None
    strategy: str | None = None
    status: str | None = None
    error: str | None = None
    parameters: _Object | None = None
    period_name: str | None = None
    metrics: _Numbers | None = None
    trades: _Count | UnsetType = UNSET
    period: _Span | None = None
    metrics_by_period: dict[str, _Object | None] | None = None
    metrics_by_regime: dict[str, _Regime | None] | None = None


_read, _read_all = msgspec.json.Decoder(_Document).decode, msgspec.json.Decoder().decode
_ENCODER = msgspec.json.Encoder()
_TABLES = ("performance", "metrics", "parameters", "performance_by_regime")
_TYPES = {name: type_ for table in _TABLES for name, type_ in MIRRORED[table].types.items()}
_OF_TRIAL = ("workspace", "trial_id", ORIGIN)
_SAID = ("status", "strategy", "error")
_OF_PERIOD = ("period", "trades", "period_start", "period_end")
_OF_REGIME = ("regime", *_Regime.__struct_fields__)
_HEADLINES = tuple(name for name in METRIC_NAMES if name in MIRRORED["performance"].names)


class Performances:
    """Documents taken so far: a row for each, and behind its number rows for its periods and regimes."""

    def __init__(self) -> None:
        self._documents: list[tuple[Any, ...]] = []
        self._parameters: list[_Object] = []
        self._periods: list[tuple[Any, ...]] = []
        self._metrics: list[_Numbers] = []
        self._regimes: list[tuple[Any, ...]] = []

    def add(self, position: int, key: str, data: bytes, *, zone: Zone) -> bool:
        """Take the document of a file; false, and nothing is taken, where only the exact reader can tell."""
        number = len(self._documents)
        try:
            said = _plain(data, key)
            metrics = [said.metrics or {}]
            periods = [(number, said.period_name or ALL, _trades(said), *_instants(said.period, zone))]
            for name, part in (said.metrics_by_period or {}).items():
                told, numbers = _part(name, part or {}, first=periods[0][1])
                metrics.append(numbers)
                periods.append((number, name, told.trades, *_instants(told.period, zone)))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return False
        self._documents.append((position, said.status or "ok", said.strategy, said.error))
        self._parameters.append(said.parameters or {})
        self._periods += periods
        self._metrics += metrics
        for regime, bars in (said.metrics_by_regime or {}).items():
            self._regimes.append((number, regime, *astuple(bars or _Regime())))
        return True

    def tables(self, files: pl.DataFrame) -> dict[str, pl.DataFrame]:
        """Return the tables of `schema.MIRRORED` that documents have rows in, each row with its file's path.

        ``files`` are the rows of an inventory that positions count.
        """
        told = files.select("workspace", "kind", trial_id="key", **{ORIGIN: "path"})
        documents = _below(told, self._documents, _SAID).with_columns(parameters=_texts(self._parameters))
        headlines = {name: [numbers.get(name) for numbers in self._metrics] for name in _HEADLINES}
        performance = _below(documents, self._periods, _OF_PERIOD).with_columns(
            _texts(self._metrics).alias("metrics"),
            *(pl.Series(name, values, dtype=NUMBER) for name, values in headlines.items()),
        )
        metrics, values = _entries(performance.select(*_OF_TRIAL, "period"), self._metrics)
        parameters, settings = _entries(documents.select(_OF_TRIAL), self._parameters)
        found = {
            "performance": performance,
            "metrics": metrics.with_columns(value=pl.Series(values, dtype=NUMBER)),
            "parameters": parameters.with_columns(value=_texts(settings)),
            "performance_by_regime": _below(documents, self._regimes, _OF_REGIME),
        }
        return {name: rows.select(*MIRRORED[name].names, ORIGIN) for name, rows in found.items()}


def _below(above: pl.DataFrame, rows: list[tuple[Any, ...]], columns: Sequence[str]) -> pl.DataFrame:
    """Return rows that begin with the number of a row above: that row, and their own columns."""
    numbers, *cells = zip(*rows, strict=True) if rows else [()] * (1 + len(columns))
    own = [pl.Series(name, cell, dtype=_TYPES[name]) for name, cell in zip(columns, cells, strict=True)]
    return above[pl.Series(numbers, dtype=pl.UInt32)].with_columns(own)


def _entries(above: pl.DataFrame, objects: Sequence[Mapping[str, T]]) -> tuple[pl.DataFrame, list[T]]:
    """Return a row for each entry of the object beside each row above, by name, and the values."""
    numbers = np.repeat(np.arange(len(objects)), [len(each) for each in objects])
    names = pl.Series(list(chain.from_iterable(objects)), dtype=TEXT)
    values = list(chain.from_iterable(each.values() for each in objects))
    return above[numbers].with_columns(name=names), values


def _texts(values: Sequence[object]) -> pl.Series:
    """Write each value as `documents.json_text` does."""
    lines = _ENCODER.encode_lines(values).decode()
    return pl.Series([lines]).str.split("\n").explode().head(len(values))


def _plain(data: bytes, key: str) -> _Document:
    """Read a document of the usual types, without escapes, doubled keys, or an id unlike its file's.

    What is lost when a key stands twice, or is one that nobody asks for, takes a colon with it.

    Raises
    ------
    msgspec.MsgspecError, ValueError, RecursionError
        It is none.
    """
    said = _read(data)
    colons = data.count(b":")
    if b"\\" in data or (colons != _colons(said) and colons != _colons(_read_all(data))):
        raise ValueError("an escape, or a key twice")
    if said.trial_id is not None and key != said.trial_id and key not in spellings(said.trial_id):
        raise ValueError("the id of another trial")
    return said


def _colons(content: object) -> int:
    return _ENCODER.encode(content).count(b":")


def _trades(said: _Document) -> int | None:
    """Closed trades of the first period; its metrics may tell them, but not its dates."""
    metrics = said.metrics or {}
    if "period" in metrics:
        raise ValueError("a metric named as the dates are")
    if not isinstance(said.trades, UnsetType):
        return said.trades
    count = metrics.get("trades")
    if count is not None and not count.is_integer():
        raise ValueError("half a trade")
    return None if count is None else int(count)


def _part(name: str, part: _Object, *, first: object) -> tuple[_Part, _Numbers]:
    """Trades and dates of a further period, and its metrics."""
    if name == first:
        raise ValueError("a period twice")
    numbers = {name: value for name, value in part.items() if name not in NOT_METRICS}
    return convert(part, _Part), convert(numbers, _Numbers)


def _instants(span: _Span | None, zone: Zone) -> tuple[int | None, int | None]:
    if span is None:
        return None, None
    calendar = zone.timezone, zone.close_time
    return _instant(span.start, *calendar), _instant(span.end, *calendar)


@functools.lru_cache(_MOST_TIMES)
def _instant(written: str | None, timezone: str, close_time: str) -> int | None:
    """Read a time as microseconds since 1970.

    Raises
    ------
    ValueError
        It cannot be read.
    """
    if written is None:
        return None
    instant = clock.instant(written, timezone=timezone, close_time=close_time)
    if instant is None:
        raise ValueError("no time")
    return (instant.replace(tzinfo=dt.UTC) - _EPOCH) // _MICROSECOND
