"""YAML as plain values: no aliases, no doubled keys; text stays text (``NO``, ``16:00`` are strings)."""

import math
import re
from collections.abc import Hashable
from typing import Any

import yaml

from workspace_kit.errors import ConfigError

MAX_BYTES = 1 << 20


def dump_yaml(document: object) -> str:
    """Return a document as YAML, keys in the order given.

    Raises
    ------
    ConfigError
        It holds something beyond mappings, lists, texts, numbers, dates and nulls.
    """
    try:
        return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    except yaml.representer.RepresenterError as error:
        raise ConfigError(
            "configuration",
            found=f"{ascii(error.args[-1])[:80]}, a {type(error.args[-1]).__name__}",
            expected="plain values: mappings, lists, texts, numbers, dates, nulls",
            remedy="convert it, for instance with str() or float()",
        ) from error


class _Dumper(yaml.SafeDumper):
    """Quotes every text that a reader of YAML 1.1 or 1.2 would take for something else."""

    def ignore_aliases(self, _data: object) -> bool:
        """Write a value again wherever it stands: what reads this refuses aliases."""
        return True

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
        problem = str(getattr(error, "problem", None) or error).replace("\n", " ")
        is_theirs = isinstance(error, yaml.parser.ParserError | yaml.scanner.ScannerError)
        raise ConfigError(
            f"{where}{place}",
            found=f"no YAML ({problem})" if is_theirs else problem,
            expected="plain YAML without aliases, tags or doubled keys",
            remedy="correct the line",
        ) from error
