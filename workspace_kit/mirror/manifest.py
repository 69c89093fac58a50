"""What the mirror holds: one row per file, and the Parquet parts that all rows lie in.

Replacing the manifest is the only commit point: parts that it does not name do not exist. It is sealed by
its own digest, and the name of a part tells the digest of the part's bytes: nothing damaged is ever parsed.
"""

import hashlib
import io
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from workspace_kit import storage
from workspace_kit.errors import FileDamaged
from workspace_kit.schema import FORMAT_VERSION, INVENTORY, MIRRORED

MANIFEST = "manifest.json"
FILES = "files"
STORED = {**MIRRORED, FILES: INVENTORY}


@dataclass(frozen=True, slots=True)
class Parts:
    """The mirror at one moment: the inventory it reflects, and the Parquet files of each table.

    ``signals`` has a part per workspace, keyed by workspace; every other table one part, keyed by its name.
    """

    folder: Path
    files: pl.DataFrame
    tables: Mapping[str, str]
    signals: Mapping[str, str]

    def paths(self, table: str) -> list[Path]:
        """Parquet files of a table; never none, so that an empty table keeps its types."""
        named = [self.tables[table], *(self.signals.values() if table == "signals" else ())]
        return [self.folder / name for name in named]


def mirror_folder(root: Path) -> Path:
    """Where the mirror of a results root lies: inside it, or in the user's cache where it is read-only."""
    inside = root / ".workspace_kit"
    if os.access(inside if inside.exists() else root, os.W_OK):
        return inside
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    if not os.access(cache if cache.exists() else cache.parent, os.W_OK):
        cache = Path(tempfile.gettempdir())
    digest = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:16]
    return cache / "workspace_kit" / digest


def empty(folder: Path) -> Parts:
    """Return the mirror of no file."""
    return Parts(folder, INVENTORY.empty(), {}, {})


def load(folder: Path) -> Parts:
    """Return the mirror as last committed; an absent, damaged or older one is empty."""
    try:
        told = json.loads((folder / MANIFEST).read_bytes())
        content = told["content"]
        if told["digest"] == _seal(content) and content["schema"] == _schema():
            files = read_part(folder, content["tables"][FILES])
            parts = Parts(folder, files, content["tables"], content["signals"])
            if _sizes(parts) == content["bytes"]:
                return parts
    except (OSError, LookupError, ValueError, TypeError, RecursionError, FileDamaged):
        pass
    return empty(folder)


def commit(parts: Parts) -> None:
    """Make these parts the mirror."""
    content = {
        "schema": _schema(),
        "tables": dict(parts.tables),
        "signals": dict(parts.signals),
        "bytes": _sizes(parts),
    }
    sealed = json.dumps({"content": content, "digest": _seal(content)}, indent=1)
    storage.replace(parts.folder / MANIFEST, sealed.encode(), sync=False)


def write_part(folder: Path, stem: str, rows: pl.DataFrame) -> str:
    """Write rows as a part and return its name."""
    buffer = io.BytesIO()
    rows.write_parquet(buffer)
    name = f"{stem}-{_digest(buffer.getvalue())}.parquet"
    storage.replace(folder / name, buffer.getvalue(), sync=False)
    return name


def read_part(folder: Path, name: str) -> pl.DataFrame:
    """Return the rows of a part.

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
    return pl.read_parquet(data)


def _sizes(parts: Parts) -> dict[str, int]:
    return {path.name: path.stat().st_size for table in STORED for path in parts.paths(table)}


def _schema() -> str:
    """Identity of what is stored: a mirror with other columns is of no use."""
    return _seal([FORMAT_VERSION, [(name, repr(table.types)) for name, table in STORED.items()]])


def _seal(content: object) -> str:
    return _digest(json.dumps(content, sort_keys=True).encode())


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
