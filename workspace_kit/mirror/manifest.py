"""What the mirror holds: one row per file, and the Parquet parts that its rows lie in.

Replacing the manifest is the only commit point: parts that it does not name do not exist.
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
from workspace_kit.schema import INVENTORY, MIRRORED

MANIFEST = "manifest.parquet"
# A mirror of other columns than today's is worth nothing: it is built anew, never converted.
VERSION = hashlib.sha256(repr([(name, table.types) for name, table in MIRRORED.items()]).encode()).hexdigest()
_PARTS, _VERSION = "parts", "version"


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
        if table == "files":
            return [self.folder / MANIFEST]
        named = [self.tables[table], *(self.signals.values() if table == "signals" else ())]
        return [self.folder / name for name in named]


def mirror_folder(root: Path) -> Path:
    """Where the mirror of a results root lies: inside it, or in the user's cache where it is read-only."""
    inside = root / ".workspace_kit"
    if os.access(root, os.W_OK):
        return inside
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    if not os.access(cache if cache.exists() else cache.parent, os.W_OK):
        cache = Path(tempfile.gettempdir())
    digest = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:16]
    return cache / "workspace_kit" / digest


def load(folder: Path) -> Parts:
    """Return the mirror as last committed; an absent, damaged or older one is empty."""
    try:
        data = (folder / MANIFEST).read_bytes()
        metadata = pl.read_parquet_metadata(io.BytesIO(data))
        parts = json.loads(metadata[_PARTS])
        files = pl.read_parquet(data)
        known = Parts(folder, INVENTORY.check(files, where=str(folder)), parts["tables"], parts["signals"])
        is_whole = metadata[_VERSION] == VERSION and set(known.tables) == set(MIRRORED)
        if is_whole and all(path.exists() for table in MIRRORED for path in known.paths(table)):
            return known
    except (OSError, KeyError, ValueError, TypeError, pl.exceptions.PolarsError):
        pass
    return Parts(folder, INVENTORY.empty(), {}, {})


def commit(parts: Parts) -> None:
    """Make these parts the mirror."""
    named = json.dumps({"tables": dict(parts.tables), "signals": dict(parts.signals)}, sort_keys=True)
    buffer = io.BytesIO()
    parts.files.write_parquet(buffer, metadata={_PARTS: named, _VERSION: VERSION})
    storage.replace(parts.folder / MANIFEST, buffer.getvalue(), sync=False)
