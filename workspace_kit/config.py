"""The workflow file as typed values; every default of every number that changes an answer stands here.

YAML is read safely: no aliases, no doubled keys, and text stays text (``NO`` and ``16:00`` are strings).
"""

import datetime as dt
import difflib
import itertools
import math
import re
import types
import typing
from collections.abc import Hashable
from importlib import resources
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import polars as pl
import yaml
from msgspec import Meta

from workspace_kit.errors import ConfigError, TimezoneError

Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(gt=0, le=1)]
CountFromOne = Annotated[int, Meta(ge=1)]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")]
ClockTime = Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d:[0-5]\d\Z")]
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

MAX_BYTES = 1 << 20
DEFAULT_DURABILITY: Durability = "commit"
RESERVED = frozenset(
    {
        "strategy",
        "trial_id",
        "metric",
        "performance",
        "bars",
        "episodes",
        "trades",
        "interval",
        "plateau_score",
        "edge_of_grid",
        "fallback_reason",
        "parameters",
    }
)


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of the workflow file."""


class Data(Section, frozen=True):
    """Prices and the calendar they live in.

    ``prices`` is a CSV, Parquet or JSONL file, long or wide, or ``sample:stocks``; ``timezone`` is where
    naive times are read; ``close_time`` is when a bar dated without a time closes, in that zone;
    ``periods_per_year`` is bars a year (252 daily, 12 monthly); ``benchmark`` is a symbol that is never
    traded, null for the equal-weight index of the traded ones; ``symbols`` are the traded ones, or ``all``;
    ``risk_free_rate`` is what cash would earn a year, for the Sharpe and Sortino ratios alone.
    """

    prices: str
    periods_per_year: Positive
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
    """One workflow."""

    data: Data
    periods: Periods
    strategies: Annotated[list[Strategy], Meta(min_length=1)]
    name: str = "untitled"
    tags: list[str] = []
    note: str = ""
    seed: int = 42
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
        """Bars a regime needs: as configured, or 12 monthly, 26 weekly, 60 daily ones."""
        wanted = self.regimes.minimum.bars
        if wanted != "auto":
            return wanted
        return next((bars for most, bars in ((12, 12), (52, 26)) if self.data.periods_per_year <= most), 60)


def example_text() -> str:
    """Return the packaged example, commented."""
    return resources.files("workspace_kit").joinpath("example.yaml").read_text(encoding="utf-8")


def parse_config(text: str, *, where: str) -> Config:
    """Read one workflow file.

    Raises
    ------
    ConfigError
        Not YAML, an unknown key (the nearest known one is named), a value of another type or out of range,
        periods that overlap or are out of order.
    """
    document = load_yaml(text, where=where)
    _refuse_unknown_keys(document, Config, where=where)
    try:
        config = msgspec.convert(document, Config, strict=True)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$")
        raise ConfigError(
            f"{where}, key {place.strip('.`') or '(top level)'}",
            found=_value_at(document, place),
            expected=_wanted(message),
            remedy="correct the value",
        ) from error
    _check(config, where=where)
    return config


def dump_config(config: Config) -> str:
    """Return the workflow as YAML with every default spelled out."""
    return dump_yaml(msgspec.to_builtins(config))


def dump_yaml(document: object) -> str:
    """Return a document as YAML, keys in the order given."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


class _Dumper(yaml.SafeDumper):
    """Quotes every text that a reader of YAML 1.1 or 1.2 would take for something else."""

    def represent_text(self, text: str) -> yaml.ScalarNode:
        """Escape the one line break that would otherwise be written, and read back, as a space."""
        return self.represent_scalar(f"{_TAG}str", text, style='"' if "\x85" in text else None)


class _Loader(yaml.SafeLoader):
    """YAML 1.2's core types only; no aliases, no tags, no doubled keys."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "tag", None) is not None:
            what = "an alias" if isinstance(event, yaml.AliasEvent) else f"the tag {event.tag}"
            raise yaml.MarkedYAMLError(problem=what, problem_mark=event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable) or key in seen:
                what = f"the key {key!r} twice" if isinstance(key, Hashable) else "a list or mapping as a key"
                raise yaml.MarkedYAMLError(problem=what, problem_mark=key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep=deep)

    def construct_int(self, node: yaml.ScalarNode) -> int:
        """Read decimal digits; a zero in front does not make them octal."""
        return int(node.value)

    def construct_float(self, node: yaml.ScalarNode) -> float:
        """Refuse a number beyond the largest float."""
        value = float(node.value)
        if math.isinf(value):
            raise ValueError(f"{node.value[:40]}, beyond the largest number")
        return value

    def construct_text(self, node: yaml.ScalarNode) -> str:
        """Refuse half of a surrogate pair, which no file can hold."""
        return str(node.value).encode().decode()


_TAG = "tag:yaml.org,2002:"
_Dumper.add_representer(str, _Dumper.represent_text)
_Loader.add_constructor(f"{_TAG}int", _Loader.construct_int)
_Loader.add_constructor(f"{_TAG}float", _Loader.construct_float)
_Loader.add_constructor(f"{_TAG}str", _Loader.construct_text)
_Loader.yaml_implicit_resolvers = {}
for _kind, _pattern, _first in (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("null", r"^(?:null|Null|NULL|~|)$", ["n", "N", "~", ""]),
    ("int", r"^[-+]?[0-9]+$", "-+0123456789"),
    ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$", "-+0123456789."),
):
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(f"{_TAG}{_kind}", re.compile(_pattern), list(_first))


def load_yaml(text: str, *, where: str) -> Any:
    """Read one YAML document as plain values."""
    if len(text) > MAX_BYTES:
        raise ConfigError(
            where, found=f"{len(text)} characters", expected=f"at most {MAX_BYTES}", remedy="split the file"
        )
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader, made stricter above
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        raise ConfigError(
            f"{where}{place}",
            found=str(getattr(error, "problem", None) or error).replace("\n", " "),
            expected="plain YAML without aliases, tags or doubled keys",
            remedy="correct the line",
        ) from error


def _refuse_unknown_keys(document: object, kind: object, *, where: str, path: str = "") -> None:
    """Walk document and type together, so that the error can name the nearest known key."""
    for section in _sections(kind):
        if not isinstance(document, dict):
            continue
        fields = typing.get_type_hints(section)
        for key, value in document.items():
            if key not in fields:
                near = difflib.get_close_matches(str(key), fields, n=1, cutoff=0.5)
                raise ConfigError(
                    f"{where}, key {path}{key}",
                    found=f"an unknown key {str(key)!r}",
                    expected=f"one of {', '.join(fields)}",
                    remedy=f"did you mean {near[0]!r}?" if near else "remove it",
                )
            _refuse_unknown_keys(value, fields[key], where=where, path=f"{path}{key}.")
    if isinstance(document, list):
        for position, value in enumerate(document):
            for item in _items(kind):
                _refuse_unknown_keys(value, item, where=where, path=f"{path.rstrip('.')}[{position}].")


def _sections(kind: object) -> list[type[Section]]:
    return [part for part in _alternatives(kind) if isinstance(part, type) and issubclass(part, Section)]


def _items(kind: object) -> list[object]:
    lists = [part for part in _alternatives(kind) if typing.get_origin(part) is list]
    return [typing.get_args(part)[0] for part in lists]


def _alternatives(kind: object) -> list[object]:
    if typing.get_origin(kind) is Annotated:
        return _alternatives(typing.get_args(kind)[0])
    if typing.get_origin(kind) in {types.UnionType, typing.Union}:
        return [each for part in typing.get_args(kind) for each in _alternatives(part)]
    return [kind]


def _value_at(document: Any, place: str) -> str:
    """Return the value that a msgspec path such as ``.data.symbols[0]`` points at, for a message."""
    for part in re.findall(r"[A-Za-z_]\w*|\d+", place):
        try:
            document = document[int(part)] if part.isdigit() else document[part]
        except (KeyError, IndexError, TypeError):
            break
    return ascii(document) if len(ascii(document)) <= 80 else f"{ascii(document)[:77]}..."


def _wanted(message: str) -> str:
    """Return the second half of a msgspec message: what was expected."""
    if missing := re.fullmatch(r"Object missing required field `(\w+)`", message):
        return f"the key {missing[1]!r} in it"
    if message.startswith("Invalid enum value"):
        return "one of the values that the reference lists"
    return message.removeprefix("Expected ").partition(", got")[0].replace("`", "")


def _check(config: Config, *, where: str) -> None:
    """Refuse what single values cannot show."""
    _check_periods(config.periods, where=where)
    _check_strategies(config.strategies, where=where)
    _check_regimes(config.regimes, where=where)
    _check_method(config.ensemble.method, where=where)
    check_zone(config.data.timezone, where=f"{where}, key data.timezone")
    if config.search.method == "random" and config.search.trials is None:
        raise ConfigError(
            f"{where}, key search",
            found="method random without trials",
            expected="the number of draws per strategy",
            remedy="add `trials: 200`, or use `method: grid`",
        )


def _check_method(method: str, *, where: str) -> None:
    known = (SIMPLEX_GRID, *WEIGHT_METHODS)
    if method not in known and not method.startswith(SKFOLIO_PREFIX):
        near = difflib.get_close_matches(method, known, n=1, cutoff=0.5)
        raise ConfigError(
            f"{where}, key ensemble.method",
            found=repr(method),
            expected=f"one of {', '.join(known)}, or {SKFOLIO_PREFIX}Estimator",
            remedy=f"did you mean {near[0]!r}?" if near else "correct it",
        )


def _check_periods(periods: Periods, *, where: str) -> None:
    named = [(name, getattr(periods, name)) for name in periods.__struct_fields__]
    for name, (start, end) in named:
        if start > end:
            raise ConfigError(
                f"{where}, key periods.{name}",
                found=f"{start} to {end}",
                expected="a first day on or before the last",
                remedy="swap them",
            )
    for (earlier, (_, end)), (later, (start, _)) in itertools.pairwise(named):
        if start <= end:
            raise ConfigError(
                f"{where}, key periods.{later}",
                found=f"a start on {start}, within or before {earlier}, which ends on {end}",
                expected="disjoint periods in the order train, select, test",
                remedy=f"let {later} start after {end}",
            )


def _check_strategies(strategies: list[Strategy], *, where: str) -> None:
    names = [strategy.name for strategy in strategies]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(
            f"{where}, key strategies",
            found=f"the name {doubled[0]!r} twice",
            expected="a name for each strategy",
            remedy="rename one",
        )
    for position, strategy in enumerate(strategies):
        sets = strategy.parameters if isinstance(strategy.parameters, list) else [strategy.parameters]
        if taken := sorted(RESERVED.intersection(*[{key for one in sets for key in one}])):
            raise ConfigError(
                f"{where}, key strategies[{position}].parameters.{taken[0]}",
                found="a name that result files use for something else",
                expected=f"any name but {', '.join(sorted(RESERVED))}",
                remedy="rename the parameter",
            )


def _check_regimes(regimes: Regimes, *, where: str) -> None:
    if regimes.method not in REGIME_METHODS and not FUNCTION.fullmatch(regimes.method):
        near = difflib.get_close_matches(regimes.method, REGIME_METHODS, n=1, cutoff=0.5)
        raise ConfigError(
            f"{where}, key regimes.method",
            found=f"{regimes.method!r}",
            expected=f"one of {', '.join(REGIME_METHODS)}, or package.module:function",
            remedy=f"did you mean {near[0]!r}?" if near else "correct it",
        )
    if regimes.correction > regimes.down:
        raise ConfigError(
            f"{where}, key regimes.correction",
            found=f"{regimes.correction}, deeper than down: {regimes.down}",
            expected="a correction no deeper than the fall that makes a bear market",
            remedy="lower correction or raise down",
        )


def check_zone(name: str, *, where: str) -> ZoneInfo:
    """Return the time zone of that name."""
    try:
        # Both readers of times have to know it: one reads columns, the other single times.
        pl.Series([], dtype=pl.Datetime).dt.replace_time_zone(name)
        return ZoneInfo(name)
    except (pl.exceptions.ComputeError, ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise TimezoneError(
            where,
            found=f"{name!r}",
            expected="an IANA zone such as UTC or America/New_York",
            remedy="correct it",
        ) from error
