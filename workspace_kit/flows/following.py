"""Work on what a workspace gains while it gains it: each new file, each new line, once."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import msgspec
import polars as pl

from workspace_kit import storage
from workspace_kit.errors import FileDamaged, UsageError
from workspace_kit.flows.studies import open_workspace
from workspace_kit.layout.follow import Identity, NewLines, Seen, identity_of, matching, new_file, new_lines
from workspace_kit.layout.names import Workspace
from workspace_kit.schema import COUNT, FLAG, TEXT

ATTEMPTS = 5
FIRST_WAIT_SECONDS = 1.0
SAVE_SECONDS = 1.0
FOLLOWED = {
    "path": TEXT,
    "handed": COUNT,
    "rewritten": COUNT,
    "failures": COUNT,
    "quarantined": FLAG,
    "error": TEXT,
}
_logger = logging.getLogger(__name__)


class _State(msgspec.Struct):
    """What was handed over, of files as a whole and of their lines, by path within the workspace."""

    workspace: str
    files: dict[str, Seen] = msgspec.field(default_factory=dict)
    lines: dict[str, Seen] = msgspec.field(default_factory=dict)


@dataclass(slots=True)
class _Tally:
    """What happened to one file while it was followed."""

    handed: int = 0
    rewritten: int = 0
    failures: int = 0
    error: str | None = None


@dataclass(frozen=True, slots=True)
class _Trouble:
    """A file that failed: how often in a row, what it was then, and when to try it again."""

    attempts: int
    identity: Identity
    retry_at: float

    @property
    def is_quarantined(self) -> bool:
        return self.attempts >= ATTEMPTS

    def holds(self, identity: Identity, *, any_change_lifts: bool) -> bool:
        """Whether the file has to wait: not once its time has come, nor once it is another file."""
        is_anew = identity[0] != self.identity[0] or identity[1] < self.identity[1]
        if is_anew or (any_change_lifts and identity != self.identity):
            return False
        return self.is_quarantined or time.monotonic() < self.retry_at


class _Look(Protocol):
    def __call__(
        self, path: Path, key: str, seen: Seen | None, status: Any, /, *, now_ns: int
    ) -> Iterator[tuple[Any, Seen]]:
        """Yield what is new of a file, null for nothing, each with what is known of it afterwards."""


class IncrementalProcessor:
    """Hands the new files of a workspace, or their new lines, to a function of yours as they appear.

    What was handed over is remembered after your function has returned: in memory, or in the file ``state``,
    with which another process goes on where this one ended. After a kill the last things may come once more,
    under the same name: a function that writes its output under that name (synced, where it has to outlive a
    loss of power) has each exactly once. Keep the file beside your outputs, so that both are deleted
    together; it may not lie in the workspace.

    A file for which your function fails is tried again after 1, 2, 4 and 8 seconds, then left alone until it
    is rewritten or another process begins; it never holds up the others. Nothing in the workspace is changed.
    """

    def __init__(self, workspace: Path | str | Workspace, *, state: Path | str | None = None) -> None:
        held = open_workspace(workspace)
        self.workspace = held.path
        self.state = None if state is None else Path(state)
        self._known = _State(held.id) if self.state is None else _load(self.state, held)
        self._tallies: dict[str, _Tally] = {}
        self._troubles: dict[tuple[_Look, str], _Trouble] = {}
        self._saved_at, self._is_saved = time.monotonic(), True

    def process_new_files(
        self,
        pattern: str,
        processor: Callable[[Path], object],
        *,
        once: bool = False,
        timeout: float | None = None,
        stop: threading.Event | None = None,
        interval: float = 1.0,
    ) -> pl.DataFrame:
        """Call ``processor(path)`` for each file that matches, and again whenever its content has changed.

        Goes on until ``stop`` is set or ``timeout`` seconds have passed, looking every ``interval`` seconds;
        with ``once`` it looks a single time. Returns one row per file that was new: path within the
        workspace, how often it was handed over, found rewritten, or failed, whether it is left alone, and
        the last error.

        Raises
        ------
        NameInvalid
            The pattern, such as ``performance/trial_*.json``, leads out of the workspace.
        StorageError
            The state cannot be kept.
        """
        known = self._known.files
        return self._follow(pattern, new_file, known, processor, _Until(once, timeout, stop, interval))

    def process_new_lines(
        self,
        pattern: str,
        processor: Callable[[NewLines], object],
        *,
        once: bool = False,
        timeout: float | None = None,
        stop: threading.Event | None = None,
        interval: float = 1.0,
    ) -> pl.DataFrame:
        """Call ``processor(batch)`` with the whole lines that came to each file that matches.

        A batch has ``path``, ``lines`` (or ``data``, as they lie on disk) and ``name``, under which to keep
        what is made of it. A line without its newline waits for it. A file that shrank, was replaced, or
        begins with other bytes than were handed over begins anew as its next ``generation``, from ``start``
        0: drop what was made of the one before. Everything else is as in `process_new_files`.
        """
        known = self._known.lines
        return self._follow(pattern, new_lines, known, processor, _Until(once, timeout, stop, interval))

    def _follow(
        self,
        pattern: str,
        look: _Look,
        known: dict[str, Seen],
        processor: Callable[[Any], object],
        until: "_Until",
    ) -> pl.DataFrame:
        self._tallies = {}
        try:
            for key, status in until.found(
                lambda: matching(self.workspace, pattern), before_waiting=self._save
            ):
                self._visit(key, status, look, known, processor)
                if time.monotonic() - self._saved_at > SAVE_SECONDS:
                    self._save()
        finally:
            self._save()
        return self._told(look)

    def _visit(
        self, key: str, status: Any, look: _Look, known: dict[str, Seen], processor: Callable[[Any], object]
    ) -> None:
        """Hand over what is new of one file; whatever fails there concerns this file alone."""
        identity, seen, path = identity_of(status), known.get(key), self.workspace / key
        trouble = self._troubles.get((look, key))
        is_held = trouble and trouble.holds(identity, any_change_lifts=look is new_file)
        if is_held or (seen and seen.identity == identity):
            return
        tally = self._tallies.setdefault(key, _Tally())
        try:
            for number, (given, after) in enumerate(look(path, key, seen, status, now_ns=time.time_ns())):
                if number and given is not None:
                    self._save()  # else a later output could outlive a file that is rewritten after a kill
                if seen and after.generation > seen.generation:
                    tally.rewritten += 1
                    _logger.warning("%s was rewritten; it is processed anew", path)
                if given is not None:
                    processor(given)
                    tally.handed += 1
                seen = known[key] = after
                self._is_saved = False
            self._troubles.pop((look, key), None)
        except Exception as error:  # a function of the user's may raise anything
            if path.exists():
                self._troubles[look, key] = _failed(tally, error, identity, trouble, path)

    def _save(self) -> None:
        self._saved_at = time.monotonic()
        if self.state is None or self._is_saved:
            return
        storage.make_folder(self.state.parent)
        storage.replace(self.state, msgspec.json.encode(self._known), sync=True)
        self._is_saved = True

    def _told(self, look: _Look) -> pl.DataFrame:
        left_alone = {key for (of, key), each in self._troubles.items() if of is look and each.is_quarantined}
        rows = [
            (key, each.handed, each.rewritten, each.failures, key in left_alone, each.error)
            for key, each in sorted(self._tallies.items())
            if each.handed or each.failures
        ]
        return pl.DataFrame(rows, schema=FOLLOWED, orient="row")


@dataclass(frozen=True, slots=True)
class _Until:
    """How long to go on looking, and how often."""

    once: bool
    timeout: float | None
    stop: threading.Event | None
    interval: float
    begun: float = field(default_factory=time.monotonic)

    def found(
        self, listed: Callable[[], list[tuple[str, Any]]], *, before_waiting: Callable[[], None]
    ) -> Iterator[tuple[str, Any]]:
        """Yield what is listed, again and again, until it is time to stop."""
        stop = self.stop or threading.Event()
        while not stop.is_set():
            for each in listed():
                yield each
                if stop.is_set() or self._left() <= 0:
                    return
            before_waiting()
            if self.once or self._left() <= 0:
                return
            stop.wait(min(self.interval, self._left()))

    def _left(self) -> float:
        return float("inf") if self.timeout is None else self.begun + self.timeout - time.monotonic()


def _failed(
    tally: _Tally, error: Exception, identity: Identity, before: _Trouble | None, path: Path
) -> _Trouble:
    is_same = before is not None and before.identity[0] == identity[0]
    attempts = before.attempts + 1 if before and is_same else 1
    wait = FIRST_WAIT_SECONDS * 2 ** (attempts - 1)
    trouble = _Trouble(attempts, identity, time.monotonic() + wait)
    tally.failures += 1
    tally.error = f"{type(error).__name__}: {error}"
    then = "left alone until it is rewritten" if trouble.is_quarantined else f"again in {wait:g} s"
    _logger.error("Failed to process %s (attempt %d): %s; %s", path, attempts, tally.error, then)
    return trouble


def _load(place: Path, workspace: Workspace) -> _State:
    """Return what an earlier process handed over.

    Raises
    ------
    UsageError
        The place lies in the workspace, or the state there is another workspace's.
    FileDamaged
        The file is not such a state.
    """
    if place.resolve().is_relative_to(workspace.path.resolve()):
        raise UsageError(
            str(place),
            found="a place within the workspace",
            expected="one outside, so that the workspace stays as it is",
            remedy="keep it beside your outputs",
        )
    try:
        state = msgspec.json.decode(place.read_bytes(), type=_State)
    except FileNotFoundError:
        return _State(workspace.id)
    except (OSError, msgspec.MsgspecError) as error:
        raise FileDamaged(
            str(place),
            found=str(error),
            expected="what an IncrementalProcessor has kept",
            remedy="remove it, and what was made with it, to begin anew",
        ) from error
    if state.workspace != workspace.id:
        raise UsageError(
            str(place),
            found=f"the state of {state.workspace}",
            expected=f"that of {workspace.id}",
            remedy="keep one file for each workspace",
        )
    return state
