"""What the mirror holds: one row per file, and the Parquet parts that all rows lie in.

Replacing the manifest is the only commit point: parts that it does not name do not exist. It is sealed by
its own digest, and the name of a part tells the digest of the part's bytes: what a refresh carries on is
checked whole before it is parsed. DuckDB is given parts by path once their sizes are right, no more.
"""

import hashlib
import io
import json
import os
import re
import tempfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl

from workspace_kit import storage
from workspace_kit.errors import FileDamaged
from workspace_kit.schema import BOOKMARK, COUNT, FORMAT_VERSION, INVENTORY, MIRRORED, Column, Table

MANIFEST = "manifest.json"
FILES = "files"
PART = re.compile(r"[a-z_]+-[0-9a-f]{16}\.parquet")
STORED = {**MIRRORED, FILES: INVENTORY}
HOLDS = "holds"
LEDGER = Table(
    "ledger",
    "file, as it was listed and as far as it was read",
    (
        *INVENTORY.columns,
        *(column for column in BOOKMARK.columns if column.name != "path"),
        Column(HOLDS, COUNT, "the tables that it has rows in, a bit each; a torn record's fault aside"),
    ),
)
# Few enough that a part is written from little memory, many enough that a query opens few files.
PART_ROWS = 1 << 20
_GROUP_ROWS = 1 << 17


@dataclass(frozen=True, slots=True)
class Segment:
    """The signals of some workspaces.

    ``parts`` together hold them in order of workspace, trial, path and line, ``tails`` what was read since,
    each in that order; ``rows`` counts those of ``parts``. No other segment holds these workspaces.
    """

    workspaces: tuple[str, ...]
    rows: int
    parts: tuple[str, ...]
    tails: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Parts:
    """The mirror at one moment: the inventory it reflects, and the Parquet files of each table.

    Every table has one part, keyed by its name; of ``signals`` it is empty, and the rows lie in segments.
    """

    folder: Path
    files: pl.DataFrame
    tables: Mapping[str, str]
    signals: tuple[Segment, ...]

    def paths(self, table: str, workspaces: Collection[str] | None = None) -> list[Path]:
        """Parquet files of a table, of signals those alone that have rows of these workspaces (null: of all).

        Never none, so that an empty table keeps its types.
        """
        named = [self.tables[table], *(self._signals(workspaces) if table == "signals" else ())]
        return [self.folder / name for name in named]

    @property
    def names(self) -> set[str]:
        """Names of all its files."""
        return {*self.tables.values(), *self._signals(None)}

    def _signals(self, workspaces: Collection[str] | None) -> Iterator[str]:
        for segment in self.signals:
            if workspaces is None or not set(workspaces).isdisjoint(segment.workspaces):
                yield from segment.parts
                yield from segment.tails


def mirror_folder(root: Path) -> Path:
    """Where the mirror of a results root lies: inside it, or in the user's cache where it is read-only.

    A link in its place is not followed: parts that nobody names are removed, and there they may be another's.

    Raises
    ------
    StorageError
        Neither may be written, and what lies in its place where all users may write is not this user's.
    """
    inside = root / ".workspace_kit"
    if not inside.is_symlink() and os.access(inside if inside.exists() else root, os.W_OK):
        return inside
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    own = cache / "workspace_kit"
    if not os.access(cache if cache.exists() else cache.parent, os.W_OK):
        own = Path(tempfile.gettempdir()) / f"workspace_kit-{os.getuid()}"
        storage.make_own_folder(own)
    digest = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:16]
    return own / digest


def empty(folder: Path) -> Parts:
    """Return the mirror of no file."""
    return Parts(folder, LEDGER.empty(), {}, ())


def load(folder: Path) -> Parts:
    """Return the mirror as last committed here; an absent, damaged, older or copied one is empty."""
    try:
        told = json.loads((folder / MANIFEST).read_bytes())
        content = told["content"]
        if told["digest"] == _seal(content) and content["rules"] == _rules() and content["at"] == _at(folder):
            segments = tuple(_segment(each) for each in content["signals"])
            parts = Parts(folder, LEDGER.empty(), content["tables"], segments)
            if all(map(PART.fullmatch, parts.names)) and _sizes(parts) == content["bytes"]:
                return replace(parts, files=read_part(folder, parts.tables[FILES]))
    except (OSError, LookupError, ValueError, TypeError, RecursionError, FileDamaged):
        pass
    return empty(folder)


def commit(parts: Parts) -> None:
    """Make these parts the mirror."""
    content = {
        "rules": _rules(),
        "at": _at(parts.folder),
        "tables": dict(parts.tables),
        "signals": [asdict(segment) for segment in parts.signals],
        "bytes": _sizes(parts),
    }
    sealed = json.dumps({"content": content, "digest": _seal(content)}, indent=1)
    storage.replace(parts.folder / MANIFEST, sealed.encode(), sync=False)


def write_part(folder: Path, stem: str, rows: pl.DataFrame) -> str:
    """Write rows as a part and return its name."""
    buffer = io.BytesIO()
    rows.write_parquet(buffer, row_group_size=_GROUP_ROWS, compression="snappy")
    data = buffer.getvalue()
    name = f"{stem}-{_digest(data)}.parquet"
    storage.replace(folder / name, data, sync=False)
    return name


def read_part(folder: Path, name: str) -> pl.DataFrame:
    """Return the rows of a part.

    Raises
    ------
    FileDamaged
        It is not what was written.
    """
    return pl.read_parquet(part_bytes(folder, name))


def part_bytes(folder: Path, name: str) -> bytes:
    """Return a part as it was written.

    Raises
    ------
    FileDamaged
        It is not what was written.
    """
    data = (folder / name).read_bytes()
    if not name.endswith(f"-{_digest(data)}.parquet"):
        raise FileDamaged(
            str(folder / name), found="other bytes than were written", expected="a part", remedy="remove it"
        )
    return data


def _segment(told: Mapping[str, Any]) -> Segment:
    return Segment(tuple(told["workspaces"]), told["rows"], tuple(told["parts"]), tuple(told["tails"]))


def _sizes(parts: Parts) -> dict[str, int]:
    return {path.name: path.stat().st_size for table in STORED for path in parts.paths(table)}


def _at(folder: Path) -> list[int]:
    """Identity of the folder itself: a mirror that came from elsewhere tells nothing of the files here."""
    status = folder.stat()
    return [status.st_dev, status.st_ino]


def _rules() -> str:
    """Identity of what is stored and of who read it: rows of another version may mean something else."""
    tables = [(name, repr(table.types)) for name, table in {**STORED, FILES: LEDGER}.items()]
    return _seal([FORMAT_VERSION, version("workspace-kit"), pl.__version__, tables])


def _seal(content: object) -> str:
    return _digest(json.dumps(content, sort_keys=True).encode())


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
