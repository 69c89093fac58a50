"""Digests of files: from the disk, or remembered of files that cannot have changed since."""

import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from workspace_kit import storage
from workspace_kit.errors import StorageError, WorkspaceKitError
from workspace_kit.layout import names
from workspace_kit.layout.names import Workspace
from workspace_kit.layout.reader import document_of, sha256_of


class Digests:
    """Digest of each file of a workspace, remembered by size, inode and both times of change.

    ``deep`` reads every file again; ``step`` is called after each. What is remembered lies outside the
    workspace, beside the mirror; where that cannot be written, or a link leads elsewhere, nothing is.
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        deep: bool,
        step: Callable[[], None] = lambda: None,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._step, self._now_ns = step, now_ns
        self._place = workspace.root / names.DERIVED / "digests" / f"{workspace.id}.json"
        self._is_inside = not any(each.is_symlink() for each in list(self._place.parents)[:2])
        self._known: Mapping[str, Any] = _remembered(self._place) if self._is_inside and not deep else {}
        self._seen: dict[str, list[object]] = {}
        self._still: set[str] = set()

    def of(self, path: Path, status: os.stat_result) -> str:
        """Return the digest of a file whose status is known.

        Raises
        ------
        NotFound, FileDamaged
            It cannot be read.
        """
        name = "/".join(path.parts[-2:])
        identity = [status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns]
        if max(identity[2:]) < self._now_ns() - storage.RACY_NS:
            self._still.add(name)
        else:
            self._still.discard(name)
        match self._seen.get(name) or self._known.get(name):
            case [digest, known] if known == identity and isinstance(digest, str):
                pass
            case _:
                digest = sha256_of(path)
        self._seen[name] = [digest, identity]
        self._step()
        return digest

    def of_prefix(self, path: Path, length: int) -> str:
        """Return the digest of a file's first bytes."""
        return sha256_of(path, length=length)

    def remember(self) -> None:
        """Keep the digests of the files that had been still for a while when they were looked at."""
        if not self._is_inside:
            return
        still = {name: known for name, known in self._seen.items() if name in self._still}
        with suppress(StorageError):
            storage.make_folder(self._place.parent)
            storage.replace(self._place, json.dumps(still).encode(), sync=False)


def _remembered(place: Path) -> dict[str, Any]:
    try:
        return document_of(place)
    except WorkspaceKitError:
        return {}
