"""How numbers, dates and names read on a page: one spelling each, an en dash for what does not exist."""

import datetime as dt
import json
import math
import re
from collections.abc import Mapping

from workspace_kit.report.story import BENCHMARK, BEST_SINGLE, BUY_AND_HOLD, ENSEMBLE, EQUAL_WEIGHT
from workspace_kit.schema import BEAR, BULL, NEUTRAL
from workspace_kit.shown import printable

NOTHING = "–"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
NAMES: Mapping[str, str] = {
    ENSEMBLE: "Ensemble",
    EQUAL_WEIGHT: "Equal weight",
    BEST_SINGLE: "Best single trial",
    BUY_AND_HOLD: "Buy and hold",
    BENCHMARK: "Benchmark",
    BULL: "Bull",
    BEAR: "Bear",
    NEUTRAL: "Neutral",
    "total_return": "Return",
    "cagr": "Growth a year",
    "volatility": "Volatility",
    "sharpe_ratio": "Sharpe",
    "sortino_ratio": "Sortino",
    "max_drawdown": "Drawdown",
    "win_rate": "Win rate",
}
PERCENTAGES = frozenset({"total_return", "cagr", "volatility", "max_drawdown", "win_rate"})

_NBSP = "\u00a0"
_MINUS = "\u2212"
_BLANKS = re.compile(r"[ \n]+")


def named(name: str) -> str:
    """Return the words for a series, regime or metric; a trial's or a stranger's name as it stands."""
    return NAMES.get(name, name)


def number(value: float | None, *, decimals: int) -> str:
    """Return a number with a true minus sign and thousands apart; nothing for null, NaN and infinity."""
    if value is None or not math.isfinite(value):
        return NOTHING
    rounded = round(value, decimals) + 0.0
    return f"{rounded:,.{decimals}f}".replace("-", _MINUS).replace(",", "\u202f")


def percent(value: float | None, *, decimals: int = 1) -> str:
    """Return a share as a percentage."""
    text = number(None if value is None else value * 100, decimals=decimals)
    return text if text == NOTHING else f"{text}{_NBSP}%"


def probability(value: float | None) -> str:
    """Return a probability as a percentage; one that only rounds to certainty is not shown as certain."""
    if value is not None and 0.999 <= value < 1.0:
        return f"> 99.9{_NBSP}%"
    if value is not None and 0.0 < value < 0.001:
        return f"< 0.1{_NBSP}%"
    return percent(value)


def count(value: float | None) -> str:
    """Return a whole number."""
    return number(value, decimals=0)


def round_number(value: float) -> str:
    """Return a round number with no more decimals than it has."""
    exact = round(value, 6)
    return number(exact, decimals=next((most for most in range(4) if round(exact, most) == exact), 6))


def round_percent(value: float) -> str:
    """Return a round share in percent, with no more decimals than it has."""
    return f"{round_number(value * 100.0)}{_NBSP}%"


def round_metric(name: str, value: float) -> str:
    """Return a round value of a metric in its unit."""
    return round_percent(value) if name in PERCENTAGES else number(value, decimals=2)


def metric(name: str, value: float | None) -> str:
    """Return a metric's value in its unit: a percentage, or a ratio with two decimals."""
    return percent(value) if name in PERCENTAGES else number(value, decimals=2)


def date(instant: dt.date | None) -> str:
    """Return a day, the same in every locale."""
    return (
        NOTHING
        if instant is None
        else f"{instant.day}{_NBSP}{MONTHS[instant.month - 1]}{_NBSP}{instant.year}"
    )


def span(start: dt.date | None, end: dt.date | None) -> str:
    """Return first and last day."""
    return f"{date(start)} to{_NBSP}{date(end)}"


def period_words(period: str | None) -> str:
    """Return the words for the period that a metric was measured over."""
    return "the whole period" if period in {None, "all"} else short(period or "", most=40)


def short(text: str, *, most: int) -> str:
    """Return a text on one line, printable and of at most so many characters."""
    line = _BLANKS.sub(" ", printable(text[: most + 1])).strip()
    return line if len(line) <= most else f"{line[: most - 1]}…"


def parameters(text: str | None, *, most: int) -> str:
    """Return parameters, given as a JSON object, in words: ``lookback 12, threshold 0.02``."""
    if text is None:
        return NOTHING
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return short(text, most=most)
    if not isinstance(document, dict):
        return short(text, most=most)
    return (
        short(", ".join(f"{name}{_NBSP}{_plain(value)}" for name, value in document.items()), most=most)
        or NOTHING
    )


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
