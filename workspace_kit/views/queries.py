"""The files under ``queries/``: SQL whose head is its contract.

A head is the first lines of a file, each ``-- key: value``, in the order of `KEYS`; a line without a key
goes on with the one above::

    -- name: leaderboard
    -- answers: Which trials did best?
    -- grain: one row per workspace and trial
    -- columns: workspace, trial_id,
    --     value
    -- parameters: metric VARCHAR = sharpe_ratio, most BIGINT = 20

Parameters are values only, written ``$metric`` in the SQL; one without a default must be given.
"""

import difflib
import functools
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from workspace_kit.errors import QueryError

KEYS = ("name", "answers", "grain", "columns", "parameters")
NONE = "none"
_TYPES: Mapping[str, type[str] | type[int] | type[float]] = {"VARCHAR": str, "BIGINT": int, "DOUBLE": float}
_LINE = re.compile(r"-- (?:(?P<key>[a-z]+): )?\s*(?P<value>\S.*)")
_PARAMETER = re.compile(r"(?P<name>[a-z_]+) (?P<type>[A-Z]+)(?P<has_default> = (?P<default>\S+))?")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value that a question asks for: its name, DuckDB type, and default unless it is required."""

    name: str
    type: str
    default: object
    required: bool

    def __str__(self) -> str:
        default = "null" if self.default is None else self.default
        return f"{self.name} {self.type}" if self.required else f"{self.name} {self.type} = {default}"

    def takes(self, value: object) -> bool:
        """Whether it may have this value: one of its type, or null where that is its default."""
        if value is None:
            return self.default is None and not self.required
        kinds = (int, float) if self.type == "DOUBLE" else (_TYPES[self.type],)
        return isinstance(value, kinds) and not isinstance(value, bool)


@dataclass(frozen=True, slots=True)
class Query:
    """One question: its name, what it answers, what one row is, its columns in order, parameters and SQL."""

    name: str
    answers: str
    grain: str
    columns: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    sql: str

    def values(self, given: Mapping[str, object]) -> dict[str, object]:
        """Return a value for each parameter: what is given, else its default.

        Raises
        ------
        QueryError
            A parameter that this query does not have, a required one without a value, or a value of
            another type.
        """
        where = f"query {self.name}"
        known = [parameter.name for parameter in self.parameters]
        for name in given:
            if name not in known:
                raise unknown(name, known, where=where, kind="parameter")
        values = {
            parameter.name: given.get(parameter.name, parameter.default) for parameter in self.parameters
        }
        for parameter in self.parameters:
            if not parameter.takes(values[parameter.name]):
                raise QueryError(
                    where,
                    found=f"{values[parameter.name]!r} for the parameter {parameter.name!r}",
                    expected=f"a {parameter.type}",
                    remedy="give such a value",
                )
        return values


def unknown(name: str, known: Collection[str], *, where: str, kind: str) -> QueryError:
    """Return the error for a name that is not known, with the nearest one that is."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return QueryError(
        where,
        found=f"an unknown {kind} {name!r}",
        expected=f"one of {', '.join(sorted(known))}" if known else f"no {kind}",
        remedy=f"did you mean {near[0]!r}?" if near else "correct or remove it",
    )


@functools.cache
def staging() -> Mapping[str, Query]:
    """The public views by name: each renames and casts what the mirror holds."""
    return _load("staging")


@functools.cache
def shared() -> Mapping[str, Query]:
    """Steps that several questions take, by name: views over the public ones."""
    return _load("shared")


@functools.cache
def answers() -> Mapping[str, Query]:
    """The questions by name."""
    return _load("answers")


def _load(folder: str) -> dict[str, Query]:
    files = sorted((_root() / folder).glob("*.sql"))
    queries = [(file, parse_query(file.read_text("utf-8"), where=f"{folder}/{file.name}")) for file in files]
    for file, query in queries:
        if query.name != file.stem:
            raise _bad_head(f"{folder}/{file.name}", found=f"the name {query.name!r}", expected=file.stem)
    return {query.name: query for _, query in queries}


def _root() -> Path:
    """Inside the package where it is installed, beside it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "queries"
    return installed if installed.is_dir() else package.parent / "queries"


def parse_query(text: str, *, where: str) -> Query:
    """Read one query file.

    Raises
    ------
    QueryError
        A key of the head is missing, doubled, out of order or empty; a name, column or parameter is not one;
        or the parameters of head and SQL differ.
    """
    head, body = _head(text, where=where)
    columns = tuple(name.strip() for name in head["columns"].split(","))
    for name in (head["name"], *columns):
        if not re.fullmatch(r"[a-z_]+", name) or columns.count(name) > 1:
            raise _bad_head(where, found=f"{name!r}", expected="names in small letters, each column once")
    listed = [] if head["parameters"] == NONE else head["parameters"].split(",")
    parameters = tuple(_parameter(item.strip(), where=where) for item in listed)
    told, used = {parameter.name for parameter in parameters}, set(re.findall(r"\$([a-z_]+)", body))
    if told != used:
        raise _bad_head(
            where,
            found=f"the parameter {min(told ^ used)!r} in {'the head' if told - used else 'the SQL'} alone",
            expected="the same parameters in both",
        )
    return Query(head["name"], head["answers"], head["grain"], columns, parameters, text)


def _head(text: str, *, where: str) -> tuple[dict[str, str], str]:
    """Split a file into its head by key, and the SQL below."""
    head: dict[str, str] = {}
    lines = text.splitlines()
    height = next((number for number, line in enumerate(lines) if not line.startswith("--")), len(lines))
    for line in lines[:height]:
        match = _LINE.fullmatch(line)
        if match and match["key"] and match["key"] not in head:
            head[match["key"]] = match["value"].rstrip()
        elif match and not match["key"] and head:
            head[next(reversed(head))] += f" {match['value'].rstrip()}"
        else:
            raise _bad_head(
                where, found=f"the line {line!r}", expected=f"the keys {', '.join(KEYS)}, once each"
            )
    if tuple(head) != KEYS:
        raise _bad_head(
            where, found=f"the keys {', '.join(head) or NONE}", expected=f"{', '.join(KEYS)}, in this order"
        )
    return head, "\n".join(lines[height:])


def _parameter(item: str, *, where: str) -> Parameter:
    match = _PARAMETER.fullmatch(item)
    if match and (read := _TYPES.get(match["type"])):
        written = match["default"]
        try:
            default = None if written in {None, "null"} else read(written)
            return Parameter(match["name"], match["type"], default, required=not match["has_default"])
        except ValueError:
            pass
    raise _bad_head(
        where,
        found=f"the parameter {item!r}",
        expected=f"a name, a type of {', '.join(_TYPES)}, and perhaps = and a default",
    )


def _bad_head(where: str, *, found: str, expected: str) -> QueryError:
    return QueryError(where, found=found, expected=expected, remedy="correct the head of the file")
