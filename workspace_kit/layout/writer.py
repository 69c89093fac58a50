"""Signals and documents into a workspace: appended line by line, or put in place whole."""

import datetime as dt
import hashlib
import re
from collections.abc import Mapping
from functools import cached_property, lru_cache
from pathlib import Path

import polars as pl

from workspace_kit import clock, storage
from workspace_kit.config import DEFAULT_DURABILITY, Durability
from workspace_kit.errors import SchemaMismatch, StorageError
from workspace_kit.layout import names
from workspace_kit.layout.documents import encode_document, encode_json, encode_table
from workspace_kit.layout.lines import FIELDS, encode_signal, encode_signals
from workspace_kit.layout.names import FileKind, Workspace
from workspace_kit.layout.reader import log_of, zone_of
from workspace_kit.layout.zones import Zone
from workspace_kit.schema import ACTIONS

_NUMBERS = frozenset({float, int})
_PLAIN_TIME = re.compile(r"(?:1\d|20)\d\d-\d\d-\d\dT(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\dZ?", re.ASCII)
_PLAIN_TEXT = re.compile(r"[ !#-\[\]-~]{1,128}")


class SignalWriter:
    """Appends signals to trials of one workspace, safe for threads and for processes of one machine.

    A signal is a mapping with ``timestamp, symbol, action, strength, strategy``; further fields are kept. A
    time without an offset lies in the zone that the workspace's configuration declares, and is written in
    UTC.
    """

    def __init__(self, workspace: Path, *, durability: Durability = DEFAULT_DURABILITY) -> None:
        self.workspace = Path(workspace)
        self.durability = durability
        self._paths: dict[int | str, Path] = {}

    def write_signal(self, trial_id: int | str, signal: Mapping[str, object]) -> None:
        """Append one signal; when this returns the signal is committed.

        Raises
        ------
        NameInvalid, SchemaMismatch, StorageError
            The signal was not written.
        """
        path = self._path(trial_id)
        line = plain_line(signal, is_utc=self._zone.timezone == "UTC")
        self._append(path, line or encode_signal(self._in_utc(signal), where=str(path)))

    def write_signals(self, trial_id: int | str, signals: pl.DataFrame, *, strategy: str) -> None:
        """Append a frame of signals (`schema.STRATEGY_SIGNALS`) in one step."""
        if signals.height:
            self._append(self._path(trial_id), encode_signals(signals, strategy=strategy))

    @cached_property
    def _zone(self) -> Zone:
        return zone_of(self.workspace)

    def _in_utc(self, signal: Mapping[str, object]) -> Mapping[str, object]:
        """Write the time as every file of ours has it: a file that mixes forms could not be read whole."""
        written = _written(signal.get("timestamp"))
        if not isinstance(written, str):
            return signal
        zone = self._zone
        instant = clock.instant(written, timezone=zone.timezone, close_time=zone.close_time)
        if instant is None:
            raise SchemaMismatch(
                str(self.workspace),
                found=f"the time {ascii(written)[:40]}",
                expected=f"a time that comes once in {zone.timezone}",
                remedy="correct it, or write its offset",
            )
        return {**signal, "timestamp": clock.text(instant)}

    def _path(self, trial_id: int | str) -> Path:
        path = self._paths.get(trial_id)
        if path is None:
            path = self._paths[trial_id] = names.SIGNALS.path(self.workspace, names.trial_id(trial_id))
        return path

    def _append(self, path: Path, records: bytes) -> None:
        storage.append(path, records, sync=self.durability == "always", opening=_make_place)


def plain_line(signal: Mapping[str, object], *, is_utc: bool) -> bytes | None:
    """Write a signal as `encode_signal` does, at a fraction of its cost, or return null where it is unusual.

    Usual is a dictionary of the five fields in order, whose texts need no escape and whose time is to the
    second and in UTC: with an offset, or without one where ``is_utc``.
    """
    if type(signal) is not dict or tuple(signal) != FIELDS:
        return None
    time, symbol, action, strength, strategy = signal.values()
    if type(strength) not in _NUMBERS or not 0 <= strength <= 1 or action not in ACTIONS:
        return None
    written = _written(time)
    if not (type(written) is type(symbol) is type(action) is type(strategy) is str):
        return None
    instant = _plain_instant(written, is_utc)
    if not instant or not _needs_no_escape(symbol) or not _needs_no_escape(strategy):
        return None
    return (
        f'{{"timestamp":"{instant}","symbol":"{symbol}","action":"{action}",'
        f'"strength":{strength!r},"strategy":"{strategy}"}}\n'
    ).encode()


def _written(time: object) -> object:
    """Return a time as a text would tell it: with an offset, or without where it has none."""
    if not isinstance(time, dt.datetime):
        return time
    return clock.text(time) if time.tzinfo else time.isoformat()


# Symbols and strategies are few, and so are the instants that a sweep is at.
@lru_cache(maxsize=1024)
def _needs_no_escape(text: str) -> bool:
    return _PLAIN_TEXT.fullmatch(text) is not None


@lru_cache(maxsize=1024)
def _plain_instant(written: str, is_utc: bool) -> str | None:
    """Return a time to the second with its ``Z``, null where it has another form or names no day."""
    if not _PLAIN_TIME.fullmatch(written) or not (is_utc or written[-1] == "Z"):
        return None
    try:
        dt.datetime.fromisoformat(written)
    except ValueError:
        return None
    return written if written[-1] == "Z" else f"{written}Z"


def _make_place(path: Path) -> None:
    storage.make_folder(inside(path).parent)


def write_signal_file(
    workspace: Workspace,
    kind: FileKind,
    key: str,
    signals: pl.DataFrame,
    *,
    strategy: str,
    durability: Durability,
) -> dict[str, object]:
    """Put all signals of one trial in place; returns what a performance document records of them."""
    data = encode_signals(signals, strategy=strategy)
    storage.replace(inside(workspace.file(kind, key)), data, sync=durability == "always")
    return {"rows": signals.height, "sha256": hashlib.sha256(data).hexdigest()}


def write_document(
    workspace: Workspace,
    kind: FileKind,
    key: str,
    content: Mapping[str, object],
    *,
    written_at: dt.datetime,
    durability: Durability,
) -> Path:
    """Put a JSON document in place, with its version and time."""
    path = inside(workspace.file(kind, key))
    storage.replace(path, encode_document(content, written_at=written_at), sync=durability == "always")
    return path


def write_table(workspace: Workspace, key: str, frame: pl.DataFrame, *, durability: Durability) -> Path:
    """Put a frame in place as CSV under ``analysis/``."""
    path = inside(workspace.file(names.ANALYSIS_TABLE, key))
    storage.replace(path, encode_table(frame), sync=durability == "always")
    return path


def write_file(
    workspace: Workspace, kind: FileKind, key: str, data: bytes, *, out: Path | None = None
) -> Path:
    """Put finished bytes, such as a picture or a page, in place, or under the same name into ``out``."""
    place = workspace.file(kind, key)
    path = out / place.name if out else inside(place)
    storage.make_folder(path.parent)
    storage.replace(path, data, sync=False)
    return path


def log_event(
    workspace: Workspace,
    *,
    at: dt.datetime,
    phase: str | None,
    event: str,
    trial_id: str | None,
    detail: str | Mapping[str, object],
) -> None:
    """Add one event to ``metadata/execution_log.json``; ``detail`` is words, or facts by name."""
    entry = {"at": clock.text(at), "phase": phase, "event": event, "trial_id": trial_id, "detail": detail}
    path = inside(workspace.file(names.METADATA, "execution_log"))
    storage.make_folder(path.parent)
    # Other files rest on the log, so that it must outlive a loss of power; two events at once are both kept.
    with storage.held(path.parent, wait=True):
        storage.replace(path, encode_json([*log_of(workspace), entry]), sync=True)


def inside(path: Path) -> Path:
    """Return the path, unless its folder is a link and would lead out of the workspace.

    Raises
    ------
    StorageError
        It is.
    """
    if path.parent.is_symlink():
        raise StorageError(
            str(path.parent),
            found="a symbolic link",
            expected="a folder of the workspace",
            remedy="put a folder in its place",
        )
    return path
