"""Which trials of a workspace are complete: a valid performance document, and the signals it recorded."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from workspace_kit.errors import WorkspaceKitError
from workspace_kit.layout import names
from workspace_kit.layout.inventory import inventory
from workspace_kit.layout.names import Workspace
from workspace_kit.layout.reader import document_of, read_bytes
from workspace_kit.schema import natural_order

OK, FAILED = "ok", "failed"


def complete_trials(workspace: Workspace) -> dict[str, dict[str, Any]]:
    """Return the document of each complete trial, by id in natural order; failed trials are among them.

    A document of another program that records nothing of its signals is complete without them.
    """
    files = inventory([workspace]).filter(pl.col("kind") == names.TRIAL.name).sort(*natural_order("key"))
    found = {}
    for key, path in files.select("key", "path").iter_rows():
        document = _valid(Path(path), key)
        if document is not None and _has_its_signals(workspace, key, document):
            found[key] = document
    return found


def status_of(document: Mapping[str, Any]) -> str:
    """Return how a trial ended; one that does not say so ended well."""
    return str(document.get("status") or OK)


def recorded_signals(files: pl.DataFrame) -> dict[Path, str]:
    """Return the digest that each trial of an inventory records of its signal file, by that file's path."""
    trials = files.filter(pl.col("kind") == names.TRIAL.name)
    found = {}
    for key, name in trials.select("key", "path").iter_rows():
        document = _valid(Path(name), key) or {}
        recorded = document.get("signals")
        if isinstance(recorded, Mapping):
            found[names.SIGNALS.path(Path(name).parent.parent, key)] = str(recorded.get("sha256"))
    return found


def _valid(path: Path, key: str) -> dict[str, Any] | None:
    try:
        document = document_of(path)
    except WorkspaceKitError:
        return None
    is_named = str(document.get("trial_id", key)) in {key, key.removeprefix("trial_")}
    is_measured = isinstance(document.get("metrics"), dict) or status_of(document) == FAILED
    return document if is_named and is_measured else None


def _has_its_signals(workspace: Workspace, key: str, document: Mapping[str, Any]) -> bool:
    recorded = document.get("signals")
    if not isinstance(recorded, Mapping):
        return True
    try:
        data = read_bytes(workspace.file(names.SIGNALS, key))
    except WorkspaceKitError:
        return False
    is_same = hashlib.sha256(data).hexdigest() == recorded.get("sha256")
    return is_same and data.count(b"\n") == recorded.get("rows")
