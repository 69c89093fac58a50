"""A workspace as one compressed file: written, read back and compared before the folder may go.

The manifest is the first member and is sealed by its own digest: reading stops at the first byte that differs
from it, so that a hostile archive can neither name a place, nor fill the disk, nor hide a file.
"""

import datetime as dt
import hashlib
import io
import json
import os
import stat
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from workspace_kit import clock, storage
from workspace_kit.errors import FileDamaged, NameInvalid, NewerFormat, NotFound, StorageError
from workspace_kit.layout import names
from workspace_kit.layout.lines import parse_json
from workspace_kit.layout.names import Workspace

FORMAT = 1
MANIFEST = "manifest.json"
MAX_MANIFEST = 64 << 20
# What a workspace can be pressed to at best; more is a bomb. Text of signals reaches about a hundred.
MAX_RATIO = 2_000
_PIECE = 1 << 20
# What the decompressor and the tar reader say of bytes that are not theirs.
_UNREADABLE = (
    tarfile.TarError,
    pa.ArrowException,
    OSError,
    ValueError,
    EOFError,
    RecursionError,
    OverflowError,
)
_DEEPEST = 5
# What tells two workspaces of one name apart: the record of how it was made, or where that was renewed, as
# for other prices, the log, which only grows.
_ORIGIN = names.METADATA.path(Path(), "environment").as_posix()
_LOG = names.METADATA.path(Path(), "execution_log").as_posix()
Entry = Mapping[str, Any]


def write_archive(
    workspace: Workspace, *, facts: Mapping[str, str], now: dt.datetime, step: Callable[[], None]
) -> Path:
    """Put a workspace into one file below ``archive/``; the workspace stays.

    The file has its name only once each member was read back and hashed, and the workspace has not changed
    meanwhile. An archive of an earlier state is replaced; one that holds just this is kept. ``step`` is
    called after each file that was packed.

    Raises
    ------
    FileDamaged
        The workspace holds what no archive may: a link, a device, a name of no file kind.
    StorageError
        The workspace changed while it was archived, or an archive of this name is another's.
    """
    path = names.ARCHIVE.path(workspace.root, workspace.id)
    entries = _entries(workspace.path)
    if path.exists() and _holds(path, workspace.path, entries):
        return path
    content = {
        "format": FORMAT,
        "workspace": workspace.id,
        "archived_at": clock.text(now),
        "facts": dict(facts),
        "files": [{key: value for key, value in each.items() if key != "status"} for each in entries],
    }

    def check(written: Path) -> None:
        verify_archive(written)
        if _entries(workspace.path) != entries:
            raise _restless(workspace.path)

    storage.make_folder(path.parent)
    storage.replace_checked(path, _compressed(workspace.path, content, step), check=check, sync=True)
    return path


def write_digest(archive: Path) -> None:
    """Put the archive's sha256 beside it, as `sha256sum --check` reads it."""
    with _opened(archive) as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    beside = archive.with_name(f"{archive.name}.sha256")
    storage.replace(beside, f"{digest}  {archive.name}\n".encode(), sync=True)


def verify_archive(archive: Path) -> Entry:
    """Read a whole archive and return its manifest.

    Raises
    ------
    FileDamaged, NewerFormat
        It is not what its manifest says.
    """
    with _reading(archive) as (manifest, members):
        for entry, pieces in members:
            _drain(entry, pieces, archive)
    return manifest


def check_held(archive: Path, folder: Path) -> None:
    """Read a whole archive and make sure that it holds each file that is in a folder, to the last byte.

    Raises
    ------
    FileDamaged, NewerFormat
        The archive is not what its manifest says, or the folder holds what no archive may.
    StorageError
        A file there is not in the archive, or is another by now.
    """
    if not _digests(_entries(folder)).items() <= _digests(verify_archive(archive)["files"]).items():
        raise _restless(folder)


def read_manifest(archive: Path) -> Entry:
    """Return the manifest of an archive without reading further."""
    with _reading(archive) as (manifest, _):
        return manifest


def unpack(archive: Path, folder: Path, *, step: Callable[[], None]) -> Entry:
    """Write every member of an archive below a folder, each whole and checked; returns the manifest."""
    with _reading(archive) as (manifest, members):
        for each in names.FOLDERS:
            storage.make_folder(folder / each)
        for entry, pieces in members:
            place = folder / str(entry["path"])
            storage.make_folder(place.parent)
            storage.create_in_parts(place, _hashed(entry, pieces, archive), sync=True)
            storage.touch(place, at_ns=int(entry["modified_ns"]))
            step()
    return manifest


def check_unpacked(manifest: Entry, folder: Path) -> None:
    """Make sure that every file which was unpacked below a folder is still there.

    Raises
    ------
    StorageError
        One is gone.
    """
    if not all((folder / each["path"]).is_file() for each in manifest["files"]):
        raise StorageError(
            str(folder),
            found="files that went while others were unpacked",
            expected="a folder that nobody else touches",
            remedy="run `restore` again while no `clean` runs elsewhere",
        )


def _entries(folder: Path) -> list[dict[str, Any]]:
    """Every file of a workspace with size, digest and identity, by path; hidden files of writers aside."""
    found = []
    for path in sorted(_walk(folder), key=lambda path: path.relative_to(folder).parts):
        name = path.relative_to(folder).as_posix()
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or not _is_name(name):
            raise FileDamaged(
                str(path),
                found="what no archive may hold",
                expected="regular files with plain names",
                remedy="move it away, then repeat",
            )
        with _opened(path) as file:
            # An appender that has looked at the name may write yet; the next one finds the name gone.
            storage.wait_for_append(file.fileno(), path)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        found.append(
            {
                "path": name,
                "bytes": status.st_size,
                "sha256": digest,
                "modified_ns": status.st_mtime_ns,
                "status": (status.st_ino, status.st_ctime_ns),
            }
        )
    return found


def _walk(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path))
            elif not (entry.name.startswith(".") and entry.name.endswith(storage.TEMPORARY_SUFFIX)):
                yield Path(entry.path)


def _is_name(name: str) -> bool:
    parts = name.split("/")
    return (
        1 < len(parts) <= _DEEPEST
        and parts[0] in names.FOLDERS
        and all(names.ID.fullmatch(part) for part in parts)
    )


def _holds(archive: Path, folder: Path, entries: Sequence[Entry]) -> bool:
    """Whether an archive holds just these files; an earlier state of the same workspace may be replaced."""
    held, ours = _digests(verify_archive(archive)["files"]), _digests(entries)
    if held.get(_ORIGIN) != ours.get(_ORIGIN) and not _goes_on_from(archive, folder):
        raise StorageError(
            str(archive),
            found="the archive of another workspace of this name",
            expected="none, or one of this workspace",
            remedy="move it elsewhere, then repeat",
        )
    return held == ours


def _goes_on_from(archive: Path, folder: Path) -> bool:
    """Whether the log of a workspace begins with all that the archived one says, which is something."""
    try:
        with _reading(archive) as (_, members):
            archived = next((b"".join(pieces) for entry, pieces in members if entry["path"] == _LOG), b"")
        with _opened(folder / _LOG) as file:
            before, now = parse_json(archived), parse_json(file.read())
    except (NotFound, ValueError):
        return False
    return isinstance(before, list) and isinstance(now, list) and before == now[: len(before)] != []


def _digests(entries: Sequence[Entry]) -> dict[str, str]:
    return {each["path"]: each["sha256"] for each in entries}


def _compressed(folder: Path, content: Entry, step: Callable[[], None]) -> Iterator[bytes]:
    """Yield the bytes of the archive: sorted, without owners."""
    sink = _Sink()
    packed = pa.CompressedOutputStream(pa.PythonFile(sink, mode="w"), "zstd")
    with tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        manifest = json.dumps({"content": content, "digest": _seal(content)}, ensure_ascii=False).encode()
        tar.addfile(_header(MANIFEST, len(manifest)), io.BytesIO(manifest))
        for entry in content["files"]:
            with _opened(folder / entry["path"]) as file:
                tar.addfile(_header(entry["path"], entry["bytes"]), file)
            step()
            yield _taken(sink)
    packed.close()
    yield _taken(sink)


class _Sink(io.BytesIO):
    """Keeps the last bytes, which the compressor gives while it closes."""

    def close(self) -> None:
        self.flush()


def _taken(sink: io.BytesIO) -> bytes:
    data = sink.getvalue()
    sink.seek(0)
    sink.truncate()
    return data


def _header(name: str, size: int) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.size, header.mode = size, 0o644
    return header


@contextmanager
def _reading(archive: Path) -> Iterator[tuple[Entry, Iterator[tuple[Entry, Iterator[bytes]]]]]:
    """Open an archive: its manifest, and its members in order, each with its bytes in pieces."""
    try:
        with _opened(archive) as file:
            packed = os.fstat(file.fileno()).st_size
            stream = _Bounded(pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd"), packed)
            with tarfile.open(fileobj=stream, mode="r|") as tar:  # type: ignore[call-overload]
                manifest = _manifest(tar, archive)
                yield manifest, _members(tar, manifest, archive)
    except _UNREADABLE as error:
        raise _refused(archive, f"unreadable: {error}", "an archive of a workspace") from error


class _Bounded:
    """A stream that refuses to give more than its compressed size can honestly hold."""

    def __init__(self, stream: Any, packed: int) -> None:
        self.stream, self.left = stream, packed * MAX_RATIO + MAX_MANIFEST

    def read(self, size: int) -> bytes:
        self.left -= size
        if size > MAX_MANIFEST or self.left < 0:
            raise ValueError("more bytes than its size can hold")
        data: bytes = self.stream.read(size)
        return data


def _manifest(tar: tarfile.TarFile, archive: Path) -> Entry:
    first = tar.next()
    if first is None or first.name != MANIFEST or not _is_plain(first) or first.size > MAX_MANIFEST:
        raise ValueError(f"the first member is not {MANIFEST}")
    told = parse_json(b"".join(_pieces(tar, first)))
    content = told.get("content") if isinstance(told, dict) else None
    if not isinstance(content, dict) or told.get("digest") != _seal(content):
        raise ValueError(f"{MANIFEST} is not what was written")
    if isinstance(content.get("format"), int) and content["format"] > FORMAT:
        raise NewerFormat(
            str(archive),
            found=f"format {content['format']}",
            expected=f"format {FORMAT}",
            remedy="upgrade workspace-kit",
        )
    _check_manifest(content)
    return content


def _check_manifest(content: Entry) -> None:
    """Refuse a manifest, however well sealed, that names what no workspace has."""
    wanted = (("format", int), ("workspace", str), ("facts", dict), ("files", list))
    if any(not isinstance(content.get(name), kind) for name, kind in wanted):
        raise ValueError(f"{MANIFEST} lacks a part")
    try:
        names.check_id(content["workspace"], what="workspace id")
    except NameInvalid as error:
        raise ValueError(f"the workspace id {error.found}") from error
    if not all(isinstance(name, str) and isinstance(it, str) for name, it in content["facts"].items()):
        raise ValueError("facts that are no texts")
    for entry in content["files"]:
        whole = isinstance(entry, dict) and all(
            isinstance(entry.get(name), kind) and not isinstance(entry.get(name), bool)
            for name, kind in (("path", str), ("bytes", int), ("sha256", str), ("modified_ns", int))
        )
        if not whole or entry["bytes"] < 0 or not _is_name(entry["path"]):
            raise ValueError(f"the entry {ascii(entry)[:80]}")
    paths = [entry["path"].lower() for entry in content["files"]]
    if len(set(paths)) != len(paths):
        raise ValueError("a file twice")


def _members(tar: tarfile.TarFile, manifest: Entry, archive: Path) -> Iterator[tuple[Entry, Iterator[bytes]]]:
    for entry in manifest["files"]:
        member = tar.next()
        if (
            member is None
            or not _is_plain(member)
            or (member.name, member.size) != (entry["path"], entry["bytes"])
        ):
            raise _refused(
                archive,
                f"the member {member and member.name!a}",
                f"{entry['path']}, as the manifest says",
            )
        yield entry, _pieces(tar, member)
    if (extra := tar.next()) is not None:
        raise _refused(archive, f"the member {extra.name!a}", "what the manifest says")


def _is_plain(member: tarfile.TarInfo) -> bool:
    return member.type in {tarfile.REGTYPE, tarfile.AREGTYPE} and member.sparse is None


def _pieces(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
    source = tar.extractfile(member)
    while source and (piece := source.read(_PIECE)):
        yield piece


def _hashed(entry: Entry, pieces: Iterator[bytes], archive: Path) -> Iterator[bytes]:
    """Pass the bytes on, and stop at the end where they were not those of the manifest."""
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
        yield piece
    if digest.hexdigest() != entry["sha256"]:
        raise _refused(archive, f"other bytes in {entry['path']}", "those whose digest the manifest holds")


def _drain(entry: Entry, pieces: Iterator[bytes], archive: Path) -> None:
    for _ in _hashed(entry, pieces, archive):
        pass


@contextmanager
def _opened(path: Path) -> Iterator[io.BufferedReader]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise NotFound(str(path), found="nothing", expected="a file", remedy="check the name") from error
    except OSError as error:
        raise _refused(path, f"what cannot be opened: {error.strerror}", "a regular file") from error
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _refused(path, "not a regular file", "a regular file")
        yield file


def _refused(path: Path, found: str, expected: str) -> FileDamaged:
    return FileDamaged(
        str(path), found=found, expected=expected, remedy="take it from a backup, or leave it out"
    )


def _restless(folder: Path) -> StorageError:
    return StorageError(
        str(folder),
        found="files that changed while they were archived",
        expected="a workspace at rest",
        remedy="stop what writes there, then repeat",
    )


def _seal(content: object) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
