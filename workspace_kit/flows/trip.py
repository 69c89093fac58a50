"""What every phase of one workflow is given."""

import datetime as dt
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from workspace_kit.config import Config
from workspace_kit.flows.market import Market
from workspace_kit.layout.names import Workspace


class Reporter(Protocol):
    """Shows how far a piece of work has come."""

    def __call__(self, what: str, total: int, /) -> AbstractContextManager[Callable[[], None]]:
        """Begin a piece of work of ``total`` steps; the context gives a function that counts one step."""


@contextmanager
def silent(_what: str, _total: int) -> Iterator[Callable[[], None]]:
    """Show nothing."""
    yield lambda: None


@dataclass(frozen=True, slots=True)
class Trip:
    """One workflow under way: where it writes, what was configured, what it trades, and who watches."""

    workspace: Workspace
    config: Config
    folder: Path
    market: Market
    workers: int
    reporter: Reporter

    @property
    def now(self) -> dt.datetime:
        """The instant that documents are dated with."""
        return now()


def now() -> dt.datetime:
    """Return the instant that documents are dated with: ``SOURCE_DATE_EPOCH`` where set, else this one."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    return _naive(int(epoch)) if epoch else wall_clock()


def wall_clock() -> dt.datetime:
    """Return this instant, naive in UTC, to the second, whatever documents are dated with."""
    return _naive(int(time.time()))


def _naive(seconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).replace(tzinfo=None)
