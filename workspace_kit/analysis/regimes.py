"""In which market was each bar, as far as anyone could know it then, and what was earned in each.

A labeller is one more row of `METHODS`: closes, settings and bars a year in, one label per bar out. Only
those in `HINDSIGHT` may look ahead; every other one must give the past the same labels whatever follows.
"""

import bisect
import itertools
import math
from collections.abc import Callable, Mapping, Sequence

import polars as pl

from workspace_kit.analysis.measures import summarise
from workspace_kit.config import Regimes
from workspace_kit.errors import ConfigError, LookAheadError, PriceError, SchemaMismatch
from workspace_kit.schema import BEAR, BULL, NEUTRAL, REGIMES, TEXT, TIME

CAUSAL, EX_POST = "causal", "ex_post"
TRADING_DAYS = 252
DAYS = 366
CUTS = 64

Label = str | None
Labels = Sequence[Label]
Labeller = Callable[[pl.DataFrame], pl.DataFrame]
Method = Callable[[Sequence[float], Regimes, float], Labels]
Turn = tuple[int, str]


def label_regimes(
    closes: pl.DataFrame, *, regimes: Regimes, periods_per_year: float, labeller: Labeller | None = None
) -> pl.DataFrame:
    """Say in which market each bar was at its close.

    Takes ``timestamp, close`` of one instrument in any order and returns ``timestamp, regime, basis``, one
    row per bar, by time. The regime is null while the method warms up. A bar without a close keeps the
    regime known before it. Bars shorter than a day are labelled through each UTC day's last close, and
    every bar of a day has the label of the day before: until a day is over its close is unknown.

    ``labeller`` is what ``regimes.method`` names where that is ``package.module:function``: it gets
    ``timestamp, close`` by time and returns ``timestamp, regime``. Its basis is found out, not believed:
    it is asked again with the bars after each change of its label withheld, and if an answer differs from
    the one it gave with hindsight, the basis is ``ex_post``.

    Raises
    ------
    PriceError
        A close is not a positive number, or two closes have one timestamp.
    SchemaMismatch
        The labeller did not return one known regime (or null) per bar.
    ConfigError
        No method has this name, and no labeller is given.
    """
    bars = closes.select(pl.col("timestamp").cast(TIME), "close").sort("timestamp")
    intraday = periods_per_year > DAYS
    priced = _last_of_day(_priced(bars)) if intraday else _priced(bars)
    if labeller is None:
        bars_a_year = TRADING_DAYS if intraday else periods_per_year
        labels = _method(regimes.method)(priced["close"].to_list(), regimes, bars_a_year)
        causal = regimes.method not in HINDSIGHT
    else:
        labels = _ask(labeller, priced)
        causal = _keeps_its_word(labeller, priced, labels)
    known = priced.select("timestamp", pl.Series("regime", labels, dtype=TEXT))
    return _known(bars["timestamp"], known, strictly_before=intraday).with_columns(
        pl.lit(CAUSAL if causal else EX_POST, dtype=TEXT).alias("basis")
    )


def label_before(timestamps: pl.Series, labels: pl.DataFrame) -> pl.DataFrame:
    """Return ``timestamp, regime`` by time: the label of the bar before, known when each bar began."""
    return _known(timestamps, labels, strictly_before=True)


def label_at(timestamps: pl.Series, labels: pl.DataFrame) -> pl.DataFrame:
    """Return ``timestamp, regime`` by time: the label known at each instant, a close at it included."""
    return _known(timestamps, labels, strictly_before=False)


def by_regime(
    returns: pl.DataFrame,
    trades: pl.DataFrame,
    labels: pl.DataFrame,
    *,
    periods_per_year: float,
    risk_free_rate: float,
) -> dict[str, dict[str, float | int | None]]:
    """Measure what was earned in each regime; a bar belongs to the label of the bar before it.

    Takes ``timestamp, return`` (one row per bar, net of cost), closed trades with ``entered_at, return``,
    and labels as `label_regimes` returns them, which may begin earlier. A trade belongs to the regime
    known at the close it was entered at. Every regime is in the answer: every measure over its bars taken
    as one series, then ``bars``, ``episodes`` (unbroken stretches among these bars) and ``trades``.

    Raises
    ------
    LookAheadError
        The labels are ex post: nobody could have traded on them.
    """
    refuse_hindsight(labels)
    bars = returns.sort("timestamp").select("return", label_before(returns["timestamp"], labels)["regime"])
    bars = bars.with_columns(pl.col("regime").rle_id().alias("episode"))
    entered = trades.sort("entered_at", maintain_order=True)
    entered = entered.with_columns(label_at(entered["entered_at"], labels)["regime"])
    answer = {}
    for regime in REGIMES:
        here, closed = (frame.filter(pl.col("regime") == regime) for frame in (bars, entered))
        measures = summarise(here, closed, periods_per_year=periods_per_year, risk_free_rate=risk_free_rate)
        counts = {"bars": here.height, "episodes": here["episode"].n_unique(), "trades": closed.height}
        answer[regime] = {**measures, **counts}
    return answer


def _trend_bands(closes: Sequence[float], regimes: Regimes, bars_a_year: float) -> Labels:
    return [_band(distance, regimes.band) for distance in _trend(closes, regimes, bars_a_year)]


def _hysteresis(closes: Sequence[float], regimes: Regimes, bars_a_year: float) -> Labels:
    """Enter a state beyond the band and leave it where the close crosses its average."""
    labels: list[Label] = []
    for distance in _trend(closes, regimes, bars_a_year):
        label = _band(distance, regimes.band)
        before = labels[-1] if labels else None
        if distance is not None and label == NEUTRAL and before == (BULL if distance > 0 else BEAR):
            label = before if distance else NEUTRAL
        labels.append(label)
    return labels


def _drawdown_bands(closes: Sequence[float], regimes: Regimes, _bars_a_year: float) -> Labels:
    """Bull above a correction from the highest close so far, bear from the full fall down."""
    return [
        BEAR
        if close <= (1 - regimes.down) * peak
        else NEUTRAL
        if close <= (1 - regimes.correction) * peak
        else BULL
        for close, peak in zip(closes, itertools.accumulate(closes, max), strict=True)
    ]


def _volatility_terciles(closes: Sequence[float], regimes: Regimes, bars_a_year: float) -> Labels:
    """Bull while volatility is in the lowest third of all seen so far, bear in the highest.

    Null until volatility has been seen for a year.
    """
    window = _window(regimes.volatility_days, bars_a_year)
    year = _window(TRADING_DAYS, bars_a_year)
    volatility = pl.Series(closes, dtype=pl.Float64).pct_change().rolling_std(window).to_list()
    seen: list[float] = []
    labels: list[Label] = []
    for value in volatility:
        if value is not None:
            bisect.insort(seen, value)
        labels.append(_third(value, seen) if value is not None and len(seen) >= year else None)
    return labels


def _lunde_timmermann(closes: Sequence[float], regimes: Regimes, _bars_a_year: float) -> Labels:
    """Label bars between turns dated at their extrema; the first and last stretch are provisional."""
    states, turns = _filter(closes, regimes)
    if not turns:
        return [state for state in states[-1:] for _ in closes]
    first = BULL if turns[0][1] == BEAR else BEAR
    starts = [0, *(bar + 1 for bar, _ in turns)]
    ends = [*starts[1:], len(closes)]
    phases = [first, *(state for _, state in turns)]
    return [phase for phase, start, end in zip(phases, starts, ends, strict=True) for _ in range(start, end)]


def _lunde_timmermann_causal(closes: Sequence[float], regimes: Regimes, _bars_a_year: float) -> Labels:
    return _filter(closes, regimes)[0]


METHODS: Mapping[str, Method] = {
    "trend_bands": _trend_bands,
    "hysteresis": _hysteresis,
    "drawdown_bands": _drawdown_bands,
    "volatility_terciles": _volatility_terciles,
    "lunde_timmermann": _lunde_timmermann,
    "lunde_timmermann_causal": _lunde_timmermann_causal,
}
HINDSIGHT = frozenset({"lunde_timmermann"})


def _method(name: str) -> Method:
    if name not in METHODS:
        raise ConfigError(
            "regimes.method",
            found=f"{name!r}",
            expected=f"one of {', '.join(METHODS)}, or a function of one's own handed in",
            remedy="correct the name or pass labeller",
        )
    return METHODS[name]


def _window(days: int, bars_a_year: float) -> int:
    return max(2, round(days / TRADING_DAYS * bars_a_year))


def _trend(closes: Sequence[float], regimes: Regimes, bars_a_year: float) -> list[float | None]:
    """Distance of each close from its moving average, 0.02 is 2 % above; null before the window is full."""
    series = pl.Series(closes, dtype=pl.Float64)
    return (series / series.rolling_mean(_window(regimes.trend_days, bars_a_year)) - 1).to_list()


def _band(distance: float | None, band: float) -> Label:
    if distance is None:
        return None
    return BULL if distance > band else BEAR if distance < -band else NEUTRAL


def _third(value: float, seen: Sequence[float]) -> str:
    below, not_above = bisect.bisect_left(seen, value), bisect.bisect_right(seen, value)
    if 3 * not_above <= len(seen):
        return BULL
    return BEAR if 3 * below >= 2 * len(seen) else NEUTRAL


def _filter(closes: Sequence[float], regimes: Regimes) -> tuple[list[Label], list[Turn]]:
    """State after each bar, and each turn as its extremum's bar and the state that begins after it.

    Source: Lunde and Timmermann (2004), "Duration Dependence in Stock Prices". The first of equal extrema
    is kept.
    """
    state: Label = None
    high = low = 0
    states: list[Label] = []
    turns: list[Turn] = []
    for bar, close in enumerate(closes):
        high = bar if close > closes[high] else high
        floor = (1 - regimes.down) * closes[high]
        if regimes.undercut and state == BULL and close < closes[low] and floor < closes[low]:
            state, low = BEAR, bar
            turns.pop()
        low = bar if close < closes[low] else low
        if state != BEAR and close <= floor:
            state, low = BEAR, bar
            turns.append((high, BEAR))
        elif state != BULL and close >= (1 + regimes.up) * closes[low]:
            state, high = BULL, bar
            turns.append((low, BULL))
        states.append(state)
    return states, turns


def _priced(bars: pl.DataFrame) -> pl.DataFrame:
    """Bars that have a close."""
    priced = bars.drop_nulls()
    wrong = priced.filter(~(pl.col("close").is_finite() & (pl.col("close") > 0)))
    if wrong.height:
        raise PriceError(
            f"close of {wrong['timestamp'][0]}",
            found=f"{wrong['close'][0]}",
            expected="a positive number",
            remedy="correct the prices or leave the bar out",
        )
    if doubled := priced.height - priced["timestamp"].n_unique():
        raise PriceError(
            "closes to be labelled",
            found=f"{doubled} timestamp(s) more than once",
            expected="one close per timestamp",
            remedy="keep one instrument, and one row for each of its bars",
        )
    return priced


def _last_of_day(bars: pl.DataFrame) -> pl.DataFrame:
    return bars.filter(pl.col("timestamp") == pl.col("timestamp").max().over(pl.col("timestamp").dt.date()))


def _known(timestamps: pl.Series, labels: pl.DataFrame, *, strictly_before: bool) -> pl.DataFrame:
    """Last label at (or strictly before) each instant, by time; null before the first."""
    instants = timestamps.cast(TIME).sort().alias("timestamp").to_frame()
    return instants.join_asof(
        labels.select("timestamp", "regime").sort("timestamp"),
        on="timestamp",
        strategy="backward",
        allow_exact_matches=not strictly_before,
    )


def refuse_hindsight(labels: pl.DataFrame) -> None:
    """Raise a LookAheadError where labels are ex post: nobody could have traded on them."""
    if (labels["basis"] == EX_POST).any():
        raise LookAheadError(
            "regime labels",
            found=f"labels with basis {EX_POST}",
            expected=f"basis {CAUSAL}: what was known at each close",
            remedy="label with a causal method, such as trend_bands",
        )


def _ask(labeller: Labeller, closes: pl.DataFrame) -> Labels:
    answer = labeller(closes)
    if {"timestamp", "regime"} <= set(answer.columns):
        answer = answer.sort("timestamp")
        labels = answer["regime"].to_list()
        if answer["timestamp"].equals(closes["timestamp"]) and set(labels) <= {*REGIMES, None}:
            return labels
    raise SchemaMismatch(
        "answer of the regime labeller",
        found=f"{answer.height} row(s) of {answer.schema}",
        expected=f"timestamp and regime for each of {closes.height} bars, the regime null or one of"
        f" {', '.join(REGIMES)}",
        remedy="return one row for each bar it was given",
    )


def _keeps_its_word(labeller: Labeller, closes: pl.DataFrame, labels: Labels) -> bool:
    """Ask again for the past alone, ending at bars where the label had just changed."""
    changes = [bar for bar in range(1, len(labels)) if labels[bar] != labels[bar - 1]]
    step = math.ceil(len(changes) / CUTS) or 1
    return all(_ask(labeller, closes.head(bar + 1)) == labels[: bar + 1] for bar in changes[::step])
