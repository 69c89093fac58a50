"""Values of a document, each asked for by the type it should have: another type is null and a fault."""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from workspace_kit import clock
from workspace_kit.layout.zones import Zone
from workspace_kit.schema import METRIC_NAMES

T = TypeVar("T")
# The largest whole number below which a float skips none.
EXACT = 1 << 53


@dataclass(slots=True)
class Document:
    """One document being read: where it lies, what it holds, and the faults met so far."""

    key: str
    zone: Zone
    beside: Mapping[str, Any]
    content: Mapping[str, Any] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def number(self, source: Mapping[str, Any], name: str) -> float | None:
        """Return a number, or null where there is none; what a float cannot hold is a fault."""
        value = source.get(name)
        if isinstance(value, float):
            return value
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= EXACT:
            return float(value)
        self._note(name, value, "a number")
        return None

    def count(self, source: Mapping[str, Any], name: str) -> int | None:
        """Return a whole number or null."""
        value = self.number(source, name)
        if value is not None and value.is_integer() and abs(value) <= EXACT:
            return int(value)
        self._note(name, value, "a whole number")
        return None

    def text(self, source: Mapping[str, Any], name: str) -> str | None:
        """Return a text or null."""
        return self._typed(source, name, str, "a text")

    def flag(self, source: Mapping[str, Any], name: str) -> bool | None:
        """Return true, false or null."""
        return self._typed(source, name, bool, "true or false")

    def section(self, source: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        """Return an object, empty where there is none."""
        return self._typed(source, name, dict, "an object") or {}

    def sections(self, source: Mapping[str, Any], name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Return the objects that an object holds, by name."""
        held = self.section(source, name)
        return ((each, self.section(held, each)) for each in held)

    def moment(self, source: Mapping[str, Any], name: str) -> dt.datetime | None:
        """Return an instant, or null where there is none or it cannot be read."""
        written = self.text(source, name)
        if written is None:
            return None
        instant = clock.instant(written, timezone=self.zone.timezone, close_time=self.zone.close_time)
        if instant is None:
            self._note(name, written, "a time")
        return instant

    def metrics(self, source: Mapping[str, Any]) -> dict[str, object]:
        """Return the metric columns of a table."""
        return {name: self.number(source, name) for name in METRIC_NAMES}

    def _typed(self, source: Mapping[str, Any], name: str, kind: type[T], wanted: str) -> T | None:
        value = source.get(name)
        if isinstance(value, kind):
            return value
        self._note(name, value, wanted)
        return None

    def _note(self, name: str, value: object, wanted: str) -> None:
        """Note a value of another kind; null is of every kind."""
        if value is not None:
            self.faults.append(f"{ascii(name)[:40]} is {ascii(value)[:40]}, not {wanted}")
