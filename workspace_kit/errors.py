"""Every error this package raises on purpose.

::

    WorkspaceKitError
    ├── UsageError (exit 2)
    │   ├── ConfigError            a workflow file that cannot be meant
    │   ├── NameInvalid            a name that may not become a path
    │   ├── TimezoneError          naive and aware times mixed, or an unknown zone
    │   ├── QueryError             SQL that cannot be answered
    │   └── LookAheadError         an answer that would need the future
    ├── NotFound (exit 3)
    │   └── WorkspaceNotFound
    ├── WorkspaceCorruptedError (exit 4)   changed since its checkpoint
    ├── DataError (exit 5)
    │   ├── FileDamaged            bytes that cannot be read as what they should be
    │   ├── PriceError             prices that no return can be computed from
    │   ├── SchemaMismatch         a frame without the columns its table has
    │   ├── SignalConflict         two signals for one instant that disagree
    │   ├── StorageError           the disk refused
    │   └── StrategyError          a strategy that did not return signals
    └── NewerFormat (exit 6)       written by a later version
"""

from typing import ClassVar


class WorkspaceKitError(Exception):
    """Says in one line where something is wrong, what was found, what was expected and what to do."""

    exit_code: ClassVar[int] = 1

    def __init__(self, where: str, *, found: str, expected: str, remedy: str) -> None:
        self.where, self.found, self.expected, self.remedy = where, found, expected, remedy
        super().__init__(where, found, expected, remedy)

    def __str__(self) -> str:
        return f"{self.where}: found {self.found}, expected {self.expected}; {self.remedy}"

    def __reduce__(self) -> tuple[object, ...]:
        """Survive the trip back from a worker process."""
        return _rebuild, (type(self), self.where, self.found, self.expected, self.remedy)


def _rebuild(
    kind: type[WorkspaceKitError], where: str, found: str, expected: str, remedy: str
) -> WorkspaceKitError:
    return kind(where, found=found, expected=expected, remedy=remedy)


class UsageError(WorkspaceKitError):
    """The request itself cannot be carried out."""

    exit_code = 2


class ConfigError(UsageError):
    """A workflow file holds something that cannot be meant."""


class NameInvalid(UsageError):
    """A name that may not become a path."""


class TimezoneError(UsageError):
    """Naive and aware times are mixed, or a zone is unknown."""


class QueryError(UsageError):
    """SQL that cannot be answered."""


class LookAheadError(UsageError):
    """An answer that would need the future."""


class NotFound(WorkspaceKitError):
    """Something named is not there."""

    exit_code = 3


class WorkspaceNotFound(NotFound):
    """No workspace has this id."""


class WorkspaceCorruptedError(WorkspaceKitError):
    """A workspace differs from what its checkpoint recorded."""

    exit_code = 4


class DataError(WorkspaceKitError):
    """Data that cannot be read, or that no answer can be computed from."""

    exit_code = 5


class FileDamaged(DataError):
    """Bytes that cannot be read as what they should be."""


class PriceError(DataError):
    """Prices that no return can be computed from."""


class SchemaMismatch(DataError):
    """A frame lacks the columns or types that its table has."""


class SignalConflict(DataError):
    """Two signals for one trial, symbol and instant disagree."""


class StorageError(DataError):
    """The disk refused an operation."""


class StrategyError(DataError):
    """A strategy did not return signals."""


class NewerFormat(WorkspaceKitError):
    """Written by a later version of this package."""

    exit_code = 6
