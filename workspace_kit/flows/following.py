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
from workspace_kit.flows.catalogs import open_workspace
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


class _Record(msgspec.Struct, forbid_unknown_fields=True):
    """What was handed over, by path within the workspace, and of which files that may be about to change.

    A file ``under_way`` when a process ended is handed over again whatever it holds by then: what was made of
    it may not be recorded here, and may since have lost its lines.
    """

    seen: dict[str, Seen] = msgspec.field(default_factory=dict)
    under_way: set[str] = msgspec.field(default_factory=set)


class _State(msgspec.Struct, forbid_unknown_fields=True):
    """The records of files as a whole and of their lines."""

    workspace: str
    files: _Record = msgspec.field(default_factory=_Record)
    lines: _Record = msgspec.field(default_factory=_Record)


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
        self, path: Path, key: str, seen: Seen | None, status: Any, /, *, again: bool, now_ns: int
    ) -> Iterator[tuple[Any, Seen]]:
        """Yield what is new of a file, null for nothing, each with what is known of it afterwards.

        With ``again`` something is handed over even if nothing is new.
        """


class IncrementalProcessor:
    """Hands the new files of a workspace, or their new lines, to a function of yours as they appear.

    What was handed over is remembered after your function has returned: in memory, or in the file ``state``,
    with which another process goes on where this one ended. After a kill the last things may come once more,
    under the same name: a function that writes its output under that name (synced, where it has to outlive a
    loss of power) has each exactly once. Keep the file beside your outputs, so that both are deleted
    together; it may not lie in the workspace.

    A file for which your function fails is tried again after 1, 2, 4 and 8 seconds, then left alone until it
    is another file or shrinks (as a whole file: changes at all), or another process begins; it never holds up
    the others. Nothing in the workspace is changed.
    """

    def __init__(self, workspace: Path | str | Workspace, *, state: Path | str | None = None) -> None:
        held = open_workspace(workspace)
        self.workspace = held.path
        self.state = None if state is None else Path(state)
        self._known = _State(held.id) if self.state is None else _load(self.state, held)
        self._tallies: dict[str, _Tally] = {}
        self._troubles: dict[tuple[_Look, str], _Trouble] = {}
        files, lines = self._known.files.under_way, self._known.lines.under_way
        self._again: set[tuple[_Look, str]] = {
            *((new_file, key) for key in files),
            *((new_lines, key) for key in lines),
        }
        self._is_announced = False
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
        record = self._known.files
        return self._follow(pattern, new_file, record, processor, _Until(once, timeout, stop, interval))

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
        holds other bytes than were handed over begins anew as its next ``generation``, from ``start`` 0: drop
        what was made of the one before. Of the bytes handed over the first 4 KiB and the last 64 KiB are
        looked at; an edit between them goes unseen. A batch may have no lines, where what was made under its
        name is to be empty. Everything else is as in `process_new_files`.
        """
        record = self._known.lines
        return self._follow(pattern, new_lines, record, processor, _Until(once, timeout, stop, interval))

    def _follow(
        self,
        pattern: str,
        look: _Look,
        record: _Record,
        processor: Callable[[Any], object],
        until: "_Until",
    ) -> pl.DataFrame:
        self._tallies = {}
        try:
            for _ in until.looks():
                found = matching(self.workspace, pattern)
                due = [each for each in found if self._is_due(*each, look, record)]
                record.under_way.update(key for key, _ in due)
                self._is_announced = False
                for key, status in due:
                    self._visit(key, status, look, record, processor)
                    if until.is_over():
                        break
                    if time.monotonic() - self._saved_at > SAVE_SECONDS:
                        self._save()
                self._save()
        finally:
            self._save()
        return self._told(look)

    def _is_due(self, key: str, status: Any, look: _Look, record: _Record) -> bool:
        """Whether a file has changed, or was under way, and has not to wait because it failed."""
        identity, seen = identity_of(status), record.seen.get(key)
        trouble = self._troubles.get((look, key))
        if trouble and trouble.holds(identity, any_change_lifts=look is new_file):
            return False
        return key in record.under_way or seen is None or seen.identity != identity

    def _visit(
        self, key: str, status: Any, look: _Look, record: _Record, processor: Callable[[Any], object]
    ) -> None:
        """Hand over what is new of one file; whatever fails there concerns this file alone."""
        seen, path = record.seen.get(key), self.workspace / key
        tally = self._tallies.setdefault(key, _Tally())
        news = look(path, key, seen, status, again=(look, key) in self._again, now_ns=time.time_ns())
        self._again.add((look, key))
        try:
            for number, (given, after) in enumerate(news):
                if seen and after.generation > seen.generation:
                    tally.rewritten += 1
                    _logger.warning("%s was rewritten; it is processed anew", path)
                if given is not None:
                    self._announce(is_next=number > 0)
                    processor(given)
                    tally.handed += 1
                seen = record.seen[key] = after
                self._is_saved = False
        except Exception as error:  # a function of the user's may raise anything
            if path.exists():
                before = self._troubles.get((look, key))
                self._troubles[look, key] = _failed(tally, error, identity_of(status), before, path)
        else:
            record.under_way.discard(key)
            self._again.discard((look, key))
            self._troubles.pop((look, key), None)

    def _announce(self, *, is_next: bool) -> None:
        """Have saved what is under way before anything is made of it, and each step before the next.

        Else what a killed process made could outlive the lines it was made of.
        """
        if is_next or not self._is_announced:
            self._is_saved = False
            self._save()
        self._is_announced = True

    def _save(self) -> None:
        self._saved_at = time.monotonic()
        if self.state is None or self._is_saved:
            return
        storage.make_folder(self.state.parent)
        storage.replace(self.state, msgspec.json.encode(self._known, order="sorted"), sync=True)
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

    def looks(self) -> Iterator[None]:
        """Come back for each look, until it is time to end."""
        stop = self.stop or threading.Event()
        while not stop.is_set():
            yield
            if self.once or self.is_over():
                return
            stop.wait(min(self.interval, self._left()))

    def is_over(self) -> bool:
        return self._left() <= 0 or (self.stop is not None and self.stop.is_set())

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
