"""The workflow file: YAML text to a configuration and back; errors name the key and the nearest known."""

import difflib
import itertools
import re
import types
import typing
from importlib import resources
from typing import Annotated, Any, Literal

import msgspec

from workspace_kit.clock import check_zone
from workspace_kit.config import (
    FUNCTION,
    REGIME_METHODS,
    SIMPLEX_GRID,
    SKFOLIO_PREFIX,
    WEIGHT_METHODS,
    Config,
    Periods,
    Regimes,
    Section,
    Strategy,
)
from workspace_kit.errors import ConfigError
from workspace_kit.plain_yaml import dump_yaml, load_yaml
from workspace_kit.schema import WINNER_FACTS


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
    if not isinstance(document, dict):
        raise ConfigError(
            where,
            found="nothing in it" if document is None else "text without keys",
            expected="keys such as data, periods and strategies",
            remedy="`workspace-kit init` writes an example to start from",
        )
    _refuse_unknown_keys(document, Config, where=where)
    try:
        config = msgspec.convert(document, Config, strict=True)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$")
        found, choices = _value_at(document, place), _choices(place)
        near = difflib.get_close_matches(found.strip("'"), choices, n=1, cutoff=0.5)
        raise ConfigError(
            f"{where}, key {place.strip('.`') or '(top level)'}",
            found=found,
            expected=_wanted(message, choices),
            remedy=f"did you mean {near[0]!r}?" if near else "correct the value",
        ) from error
    _check(config, where=where)
    return config


def dump_config(config: Config) -> str:
    """Return the workflow as YAML with every default spelled out."""
    return dump_yaml(msgspec.to_builtins(config))


def _refuse_unknown_keys(document: object, kind: object, *, where: str, path: str = "") -> None:
    """Walk document and type together, so that the error can name the nearest known key."""
    for section in _sections(kind):
        if not isinstance(document, dict):
            continue
        fields = _fields(section)
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


def _choices(place: str) -> list[str]:
    """Return what is allowed where a msgspec path points at; none where no words are prescribed."""
    kinds: list[object] = [Config]
    for part in re.findall(r"[A-Za-z_]\w*|\[", place):
        kinds = [each for kind in kinds for each in _within(kind, part)]
    found = [each for kind in kinds for each in _alternatives(kind)]
    words = [
        str(word) for kind in found if typing.get_origin(kind) is Literal for word in typing.get_args(kind)
    ]
    plain = [typing.get_origin(kind) or kind for kind in found]
    return [*words, *(_TYPE_NAMES[kind] for kind in plain if kind in _TYPE_NAMES)] if words else []


_TYPE_NAMES = {int: "a whole number", list: "a list"}


def _within(kind: object, part: str) -> list[object]:
    """Return the types of a field of that name, or with ``[`` of an item, of a value of this type."""
    if part == "[":
        return _items(kind)
    known = [_fields(section) for section in _sections(kind)]
    return [fields[part] for fields in known if part in fields]


def _fields(section: type[Section]) -> dict[str, object]:
    """Return the type of each key, as the file names it."""
    return {field.encode_name: field.type for field in msgspec.structs.fields(section)}


def _wanted(message: str, choices: list[str]) -> str:
    """Return the second half of a msgspec message: what was expected."""
    if missing := re.fullmatch(r"Object missing required field `(\w+)`", message):
        return f"the key {missing[1]!r} in it"
    if choices:
        return f"one of {', '.join(choices)}"
    if "date" in message:
        return "a day such as 2020-12-31"
    return message.removeprefix("Expected ").partition(", got")[0].replace("`", "")


def require_trials(config: Config, *, where: str) -> Config:
    """Return a configuration that says where its trials come from.

    Raises
    ------
    ConfigError
        It has neither strategies nor ``discovery``.
    """
    if config.strategies or config.discovery:
        return config
    raise ConfigError(
        f"{where}, key strategies",
        found="no strategy",
        expected="at least one, or the workspaces to take trials from as `discovery: {from: [..]}`",
        remedy="add one of the two",
    )


def _check(config: Config, *, where: str) -> None:
    """Refuse what single values cannot show."""
    _check_discovery(config, where=where)
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


def _check_discovery(config: Config, *, where: str) -> None:
    if not config.discovery:
        return
    if config.strategies:
        raise ConfigError(
            f"{where}, key discovery",
            found="strategies beside it",
            expected="either strategies to run, or workspaces to take trials from",
            remedy="remove one of the two",
        )
    sources = config.discovery.sources
    if doubled := sorted({name for name in sources if sources.count(name) > 1}):
        raise ConfigError(
            f"{where}, key discovery.from",
            found=f"{doubled[0]!r} twice",
            expected="each workspace once",
            remedy="remove the repetition",
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
        if taken := sorted(set(WINNER_FACTS).intersection(key for one in sets for key in one)):
            raise ConfigError(
                f"{where}, key strategies[{position}].parameters.{taken[0]}",
                found="a name that result files use for something else",
                expected=f"any name but {', '.join(WINNER_FACTS)}",
                remedy="rename the parameter",
            )
        _check_grid(strategy, where=f"{where}, key strategies[{position}].parameters")


def _check_grid(strategy: Strategy, *, where: str) -> None:
    """Refuse a strategy without a trial, and a value or set that would be tried, and counted, twice."""
    lists = (
        {"": strategy.parameters}
        if isinstance(strategy.parameters, list)
        else {f".{name}": values for name, values in strategy.parameters.items()}
    )
    for name, values in lists.items():
        written = [msgspec.json.encode(value, order="sorted") for value in values]
        if not values or len(set(written)) < len(written):
            raise ConfigError(
                f"{where}{name}",
                found=ascii(values)[:80],
                expected="at least one value, each once",
                remedy="add one" if not values else "remove the repeated ones",
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
