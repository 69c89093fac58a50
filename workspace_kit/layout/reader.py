"""Bytes on disk to rows and faults: each file is checked after opening, read in one piece, never trusted."""

import errno
import functools
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from workspace_kit.errors import FileDamaged, NotFound, WorkspaceKitError
from workspace_kit.layout import names
from workspace_kit.layout.archive import read_manifest
from workspace_kit.layout.documents import Row, decode_table, read_document
from workspace_kit.layout.lines import parse_json, refuse_constant
from workspace_kit.layout.names import Workspace
from workspace_kit.layout.performances import Performances
from workspace_kit.layout.signals import read_signals
from workspace_kit.layout.zones import UTC, Zone, declared_zone
from workspace_kit.plain_yaml import load_yaml
from workspace_kit.schema import MIRRORED, ORIGIN, TABLES, TEXT, Reading, Table

MAX_DOCUMENT = 64 << 20
# What a file that only grows is known again by: its first bytes, and the last of those read of it.
HEAD, WINDOW = 4 << 10, 64 << 10
_PIECE = 1 << 18
# A link, something below what is no folder, a socket: none of them is opened at another time.
_NEVER_A_FILE = frozenset({errno.ELOOP, errno.ENOTDIR, errno.ENXIO})
T = TypeVar("T")
_PERFORMANCE_KINDS = (names.TRIAL.name, names.ENSEMBLE.name)
SIGNAL_KINDS = (names.SIGNALS.name, names.VALIDATION_SIGNALS.name)


def read_rows(
    files: pl.DataFrame, *, unread: Callable[[str], None] = lambda _path: None
) -> dict[str, pl.DataFrame]:
    """Read files of an inventory: every table of `schema.MIRRORED`, each row with the path it came from.

    What could not be read is in the table ``faults``; no file stops another. ``unread`` is told those that
    may be read at another time.
    """
    taken, files = _read_performances(files)
    frames = {name: [taken[name]] if name in taken else [] for name in MIRRORED}
    rows: dict[str, list[Row]] = {name: [] for name in MIRRORED}
    zones: dict[Path, Zone] = {}
    for workspace, kind, key, path in files.select("workspace", "kind", "key", "path").iter_rows():
        folder = Path(path).parent.parent
        try:
            if folder not in zones:
                zones[folder] = zone_of(folder)
            readings = read_file(workspace, kind, key, path, zones[folder])
        except WorkspaceKitError as error:
            if may_pass(error):
                unread(path)
            readings = {
                "faults": [{"workspace": workspace, "path": path, "reason": error.found, "excerpt": ""}]
            }
        for table, found in readings.items():
            if isinstance(found, pl.DataFrame):
                frames[table].append(found.with_columns(pl.lit(path).alias(ORIGIN)))
            else:
                rows[table].extend({**row, ORIGIN: path} for row in found)
    return {name: _together(name, frames[name], rows[name]) for name in MIRRORED}


def _read_performances(files: pl.DataFrame) -> tuple[dict[str, pl.DataFrame], pl.DataFrame]:
    """Read the performance documents that are as most are; returns their tables and the files left."""
    performances, left = Performances(), []
    zone = functools.cache(zone_of)
    for position, (kind, key, path) in enumerate(files.select("kind", "key", "path").iter_rows()):
        if kind not in _PERFORMANCE_KINDS or not _is_taken(performances, position, key, path, zone):
            left.append(position)
    return performances.tables(files) if len(left) < files.height else {}, files[left]


def _is_taken(
    performances: Performances, position: int, key: str, path: str, zone: Callable[[str], Zone]
) -> bool:
    """Whether a document and what it is read with could be opened, and it is as most are."""
    try:
        data = read_bytes(path, at_most=MAX_DOCUMENT)
        return performances.add(position, key, data, zone=zone(path.rsplit("/", 2)[0]))
    except WorkspaceKitError:
        return False


def read_file(
    workspace: str, kind: str, key: str, path: str, zone: Zone
) -> Mapping[str, pl.DataFrame | list[Row]]:
    """Read one file: the rows it adds to each table, faults among them.

    Raises
    ------
    NotFound, FileDamaged
        There is nothing, or nothing that may be opened; or no kind knows it.
    """
    if kind == names.UNKNOWN:
        raise FileDamaged(
            path, found="what no workspace has in this place", expected="a known file", remedy="move it away"
        )
    is_signals = kind in SIGNAL_KINDS
    if kind == names.ARCHIVE.name:
        told = read_manifest(Path(path))["facts"]
        return {"facts": [{"workspace": workspace, "name": name, "value": told[name]} for name in told]}
    data = read_bytes(Path(path), at_most=None if is_signals else MAX_DOCUMENT)
    if is_signals:
        trial = names.trial_id(key)
        reading = read_signals(data, workspace=workspace, trial_id=trial, path=path, zone=zone)
        return {"signals": reading.rows, "faults": reading.faults}
    beside = _beside(Path(path)) if kind == names.ANALYSIS_TABLE.name else {}
    return read_document(data, kind=kind, key=key, workspace=workspace, path=path, zone=zone, beside=beside)


def _together(name: str, frames: list[pl.DataFrame], rows: list[Row]) -> pl.DataFrame:
    types = {**MIRRORED[name].types, ORIGIN: TEXT}
    return pl.concat([pl.DataFrame(rows, schema=types, orient="row"), *frames], rechunk=True)


def signals_of(workspace: Workspace, trials: Iterable[str], *, kind: names.FileKind) -> Reading:
    """Read the signals of some trials of a workspace, in the order given.

    Raises
    ------
    NotFound
        A trial has no signal file.
    """
    zone = zone_of(workspace.path)
    readings = []
    for trial in trials:
        path = workspace.file(kind, trial)
        data = read_bytes(path)
        readings.append(read_signals(data, workspace=workspace.id, trial_id=trial, path=str(path), zone=zone))
    return Reading(
        pl.concat([TABLES["signals"].empty(), *(reading.rows for reading in readings)], rechunk=True),
        pl.concat([TABLES["faults"].empty(), *(reading.faults for reading in readings)]),
    )


def document_of(path: Path, *, constant: Callable[[str], None] = refuse_constant) -> dict[str, Any]:
    """Read one JSON document strictly; ``constant`` is told of each NaN, as in `lines.parse_json`.

    Raises
    ------
    NotFound, FileDamaged
        There is none, or it is not a JSON object.
    """
    return _content(path, dict, "a JSON object", constant=constant)


def record_of(workspace: Workspace, table: Table) -> pl.DataFrame:
    """Read the CSV of ``analysis/`` that a run recorded as this table, without rows where there is none.

    Raises
    ------
    FileDamaged
        A column is missing, or a value is not of its type.
    """
    path = workspace.file(names.ANALYSIS_TABLE, table.name)
    try:
        return decode_table(read_inside(path), table)
    except NotFound:
        return table.empty()
    except (ValueError, pl.exceptions.PolarsError) as error:
        raise FileDamaged(
            str(path),
            found=str(error).partition("\n")[0],
            expected=f"columns {', '.join(table.names)}",
            remedy="restore the file, or repeat the phase that wrote it",
        ) from error


def log_of(workspace: Workspace) -> list[Any]:
    """Events of ``metadata/execution_log.json``, none where there is no log yet.

    Raises
    ------
    FileDamaged
        It is not a JSON array.
    """
    try:
        return _content(workspace.file(names.METADATA, "execution_log"), list, "a JSON array of events")
    except NotFound:
        return []


def _content(
    path: Path, kind: type[T], expected: str, *, constant: Callable[[str], None] = refuse_constant
) -> T:
    try:
        content = parse_json(read_inside(path), constant=constant)
    except (ValueError, RecursionError) as error:
        raise FileDamaged(
            str(path), found=str(error), expected=expected, remedy="restore the file"
        ) from error
    if not isinstance(content, kind):
        raise FileDamaged(
            str(path), found=type(content).__name__, expected=expected, remedy="restore the file"
        )
    return content


def read_inside(path: Path) -> bytes:
    """Read a document; its folder may be no link, which would lead out of the workspace.

    Raises
    ------
    NotFound, FileDamaged
        As `read_bytes`, or its folder is a link.
    """
    if path.parent.is_symlink():
        raise _unreadable(path.parent, "a symbolic link")
    return read_bytes(path, at_most=MAX_DOCUMENT)


def read_bytes(path: Path | str, *, at_most: int | None = None) -> bytes:
    """Return a file's bytes as they are now; it may grow meanwhile, never shrink under our feet.

    Raises
    ------
    NotFound
        Nothing is there.
    FileDamaged
        A link, device or folder; more than ``at_most`` bytes; or the disk refuses.
    """
    descriptor = _open(path)
    try:
        size = _size(descriptor, path)
        if at_most is not None and size > at_most:
            raise _unreadable(path, f"{size} bytes, more than {at_most}")
        return read_at(descriptor, size, 0)
    except OSError as error:
        raise _unreadable(path, str(error.strerror)) from error
    finally:
        os.close(descriptor)


def sha256_of(path: Path, *, length: int | None = None) -> str:
    """Return the digest of a file's bytes, or of its first ones, without holding them all.

    Raises
    ------
    NotFound, FileDamaged
        As `read_bytes`.
    """
    digest, buffer = hashlib.sha256(), memoryview(bytearray(_PIECE))
    with opened(path) as (descriptor, size):
        position, end = 0, size if length is None else min(size, length)
        while position < end and (count := os.preadv(descriptor, [buffer[: end - position]], position)):
            digest.update(buffer[:count])
            position += count
    return digest.hexdigest()


@contextmanager
def opened(path: Path | str) -> Iterator[tuple[int, int]]:
    """Open a regular file for reading: its descriptor and its size."""
    descriptor = _open(path)
    try:
        yield descriptor, _size(descriptor, path)
    except OSError as error:
        raise _unreadable(path, str(error.strerror)) from error
    finally:
        os.close(descriptor)


def _open(path: Path | str) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise NotFound(str(path), found="nothing", expected="a file", remedy="check the name") from error
    except OSError as error:
        raise _unreadable(
            path, "a symbolic link" if error.errno == errno.ELOOP else str(error.strerror)
        ) from error


def _size(descriptor: int, path: Path | str) -> int:
    """Return the size of an open file, which has to be a regular one."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise _unreadable(path, "not a regular file")
    return status.st_size


def read_at(descriptor: int, length: int, position: int) -> bytes:
    """Return bytes of an open file from a position on, fewer where it ends before."""
    data = os.pread(descriptor, length, position)
    while len(data) < length and (part := os.pread(descriptor, length - len(data), position + len(data))):
        data += part
    return data


def _unreadable(path: Path | str, found: str) -> FileDamaged:
    return FileDamaged(str(path), found=found, expected="a readable regular file", remedy="restore the file")


def may_pass(error: WorkspaceKitError) -> bool:
    """Whether the system refused, not the file: too many are open, the disk fails, or it has just gone."""
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno not in _NEVER_A_FILE


def zone_of(workspace: Path | str, *, otherwise: Zone = UTC) -> Zone:
    """Return how times without an offset are read there: as its configuration says, else as ``otherwise``.

    A configuration that cannot be meant is a fault of its own file.

    Raises
    ------
    FileDamaged
        There is one, and the system refuses it for a reason that may pass.
    """
    config = names.CONFIG.path(Path(workspace), "config")
    try:
        text = read_inside(config).decode("utf-8", "replace")
        return _declared(text, str(workspace), otherwise)
    except NotFound:
        return otherwise
    except WorkspaceKitError as error:
        if may_pass(error):
            raise _unreadable(config, f"{config.name}, {error.found}") from error.__cause__
        return otherwise


# Asked for every signal file, of workspaces that are few; to parse a configuration takes longer than a file.
@functools.lru_cache(maxsize=64)
def _declared(text: str, where: str, otherwise: Zone) -> Zone:
    return declared_zone(load_yaml(text, where=where), where=where, otherwise=otherwise)


def _beside(path: Path) -> Mapping[str, Any]:
    try:
        return document_of(names.explanation(path))
    except WorkspaceKitError:
        return {}
