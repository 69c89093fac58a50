"""A workflow as typed values; every default of every number that changes an answer stands here."""

import datetime as dt
import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(gt=0, le=1)]
CountFromOne = Annotated[int, Meta(ge=1)]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")]
ClockTime = Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?\Z")]
Value = bool | int | float | str | None
Metric = Literal[
    "total_return",
    "cagr",
    "sharpe_ratio",
    "sortino_ratio",
    "max_drawdown",
    "win_rate",
]

REGIME_METHODS = (
    "trend_bands",
    "hysteresis",
    "drawdown_bands",
    "volatility_terciles",
    "lunde_timmermann",
    "lunde_timmermann_causal",
)
FUNCTION = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")

Durability = Literal["none", "commit", "always"]

SIMPLEX_GRID = "simplex_grid"
WEIGHT_METHODS = (
    "equal",
    "inverse_volatility",
    "softmax",
    "minimum_variance",
    "risk_parity",
    "hierarchical_risk_parity",
)
SKFOLIO_PREFIX = "skfolio:"

DEFAULT_DURABILITY: Durability = "commit"


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of the workflow file."""


class Columns(Section, frozen=True, omit_defaults=True):
    """What a price file calls its columns, where it is not as they are called here."""

    timestamp: str | None = None
    symbol: str | None = None
    close: str | None = None
    open: str | None = None
    high: str | None = None
    low: str | None = None
    volume: str | None = None


class Data(Section, frozen=True):
    """Prices and the calendar they live in.

    ``prices`` is a CSV, Parquet or JSONL file, long or wide, or ``sample:stocks``; ``columns`` says what that
    file calls its columns; ``timezone`` is where naive times are read; ``close_time`` is when a bar dated
    without a time closes, in that zone; ``periods_per_year`` is bars a year (252 daily, 12 monthly);
    ``benchmark`` is a symbol that is never traded, null for the equal-weight index of the traded ones;
    ``symbols`` are the traded ones, or ``all``; ``risk_free_rate`` is what cash would earn a year, for the
    Sharpe and Sortino ratios alone.
    """

    prices: str
    periods_per_year: Positive
    columns: Columns = Columns()
    timezone: str = "UTC"
    close_time: ClockTime = "23:59:59"
    benchmark: str | None = None
    symbols: Literal["all"] | list[str] = "all"
    risk_free_rate: NotNegative = 0.0


class Periods(Section, frozen=True):
    """First and last day of each period, both included, in the declared zone; in order, disjoint."""

    train: tuple[dt.date, dt.date]
    select: tuple[dt.date, dt.date]
    test: tuple[dt.date, dt.date]


class Strategy(Section, frozen=True):
    """One strategy: a built-in's name or ``package.module:function``, and the parameters to try."""

    name: Name
    function: str
    parameters: dict[str, list[Value]] | list[dict[str, Value]] = {}


class Discovery(Section, frozen=True):
    """Workspaces of the same root whose trials are taken as they signalled; no strategy is run."""

    sources: Annotated[list[Name], Meta(min_length=1)] = msgspec.field(name="from")


class Search(Section, frozen=True):
    """How a parameter grid is walked: all of it, or ``trials`` seeded draws from it per strategy."""

    method: Literal["grid", "random"] = "grid"
    trials: CountFromOne | None = None


class Execution(Section, frozen=True):
    """How signals become trades.

    ``delay`` in bars between the signal's close and the first bar it earns; ``cost_bps`` per unit traded,
    in 1/10,000; ``direction`` says what SELL means: flat (long_only) or short (long_short).
    """

    delay: CountFromOne = 1
    fill: Literal["close", "next_open"] = "close"
    direction: Literal["long_only", "long_short"] = "long_only"
    sizing: Literal["unit", "strength"] = "unit"
    allocation: Literal["rebalanced", "separate"] = "rebalanced"
    cost_bps: NotNegative = 10.0


class Minimum(Section, frozen=True):
    """What a regime needs before its best parameters are believed; ``bars: auto`` follows the calendar."""

    bars: Literal["auto"] | CountFromOne = "auto"
    episodes: CountFromOne = 2
    trades: CountFromOne = 10


class Regimes(Section, frozen=True):
    """How the benchmark's bars are labelled.

    ``method`` is one of `REGIME_METHODS` or ``package.module:function`` of one's own; ``band`` is the
    half-width of the neutral zone around the average; ``trend_days`` and ``volatility_days`` are windows
    in trading days, 252 a year whatever the bar; ``up`` is the rise that ends a bear market and ``down``
    the fall that ends a bull market; ``correction`` is the fall at which drawdown bands leave the bull
    market; ``undercut`` cancels a bull market that closes below the trough it began at.
    """

    method: str = "trend_bands"
    band: NotNegative = 0.02
    trend_days: CountFromOne = 200
    volatility_days: CountFromOne = 63
    up: Positive = 0.2
    down: Share = 0.2
    correction: Share = 0.1
    undercut: bool = False
    minimum: Minimum = Minimum()


class Ensemble(Section, frozen=True):
    """How members are weighted.

    ``method`` is ``simplex_grid``, one of `WEIGHT_METHODS`, or ``skfolio:Estimator`` with the extra
    ``skfolio``; ``step`` is the grid's; ``cap`` is the largest weight; ``temperature`` is the difference of
    the metric that softmax tells apart by a factor of e; ``linkage`` joins clusters in hierarchical risk
    parity. ``mode`` says what is weighed: each member's returns, or its targets before one common account
    trades them.
    """

    method: str = SIMPLEX_GRID
    step: Share = 0.1
    mode: Literal["return", "signal"] = "return"
    cap: Share = 1.0
    temperature: Positive = 0.25
    linkage: Literal["single", "complete", "average", "ward"] = "single"


class Correlation(Section, frozen=True):
    """Which bars two trials are correlated over: those that all trials have, or those that both have."""

    window: Literal["common", "pairwise"] = "common"


class Luck(Section, frozen=True):
    """How luck is measured.

    ``confidence`` of intervals; ``draws`` of the stationary bootstrap; ``blocks`` of time that are halved in
    every way for the probability of backtest overfitting, an even number.
    """

    confidence: Annotated[float, Meta(gt=0, lt=1)] = 0.95
    draws: CountFromOne = 1000
    blocks: Annotated[int, Meta(ge=2, le=20, multiple_of=2)] = 16


class Config(Section, frozen=True):
    """One workflow: what it trades when, and either strategies to try or, by ``discovery``, other's trials.

    A file that only says how to analyse what another program tried has neither.
    """

    data: Data
    periods: Periods
    strategies: list[Strategy] = []
    discovery: Discovery | msgspec.UnsetType = msgspec.UNSET
    name: str = "untitled"
    tags: list[str] = []
    note: str = ""
    seed: Annotated[int, Meta(ge=0)] = 42
    metric: Metric = "sharpe_ratio"
    search: Search = Search()
    execution: Execution = Execution()
    regimes: Regimes = Regimes()
    ensemble: Ensemble = Ensemble()
    correlation: Correlation = Correlation()
    luck: Luck = Luck()
    signals: Literal["changes", "dense"] = "changes"
    durability: Durability = DEFAULT_DURABILITY

    @property
    def minimum_bars(self) -> int:
        """Bars a regime needs."""
        return fewest_bars(self.regimes.minimum, periods_per_year=self.data.periods_per_year)


def fewest_bars(minimum: Minimum, *, periods_per_year: float) -> int:
    """Return the bars a regime needs: as configured, or 12 monthly, 26 weekly, 60 daily ones."""
    if minimum.bars != "auto":
        return minimum.bars
    return next((bars for most, bars in ((12, 12), (52, 26)) if periods_per_year <= most), 60)
