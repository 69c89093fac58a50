"""How a workspace begins: claimed exclusively, built out of sight, then given its name."""

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from workspace_kit import storage
from workspace_kit.config import Durability
from workspace_kit.errors import NameInvalid
from workspace_kit.layout import names
from workspace_kit.layout.documents import encode_document, encode_json
from workspace_kit.layout.names import Workspace
from workspace_kit.plain_yaml import dump_yaml

BUILDING = ".building"


def create_workspace(
    root: Path,
    name: str | None,
    *,
    config: str | Mapping[str, object],
    environment: Mapping[str, object],
    now: dt.datetime,
    durability: Durability,
) -> Workspace:
    """Make a workspace with its six folders, configuration (YAML text as given) and environment record.

    Raises
    ------
    NameInvalid
        A workspace of that id exists; it stays as it is.
    """
    workspace = Workspace(root, names.new_workspace_id(now) if name is None else name)
    hidden = Path(root, f".{workspace.id}{BUILDING}")
    text = config if isinstance(config, str) else dump_yaml(dict(config))
    storage.make_folder(root)
    with changing_names(root):
        if workspace.path.exists():
            raise NameInvalid(
                str(workspace.path),
                found="a workspace of this id",
                expected="a free id",
                remedy="choose another with --id, or remove the old one",
            )
        for folder in names.FOLDERS:
            storage.make_folder(hidden / folder)
        sync = durability != "none"
        storage.replace(names.CONFIG.path(hidden, "config"), text.encode(), sync=sync)
        storage.replace(
            names.METADATA.path(hidden, "environment"),
            encode_document(environment, written_at=now),
            sync=sync,
        )
        storage.replace(names.METADATA.path(hidden, "execution_log"), encode_json([]), sync=sync)
        if sync:
            storage.sync_folder(hidden)
        storage.rename(hidden, workspace.path)
        if sync:
            storage.sync_folder(root)
    return workspace


@contextmanager
def changing_names(root: Path) -> Iterator[None]:
    """Be the only one that gives workspaces of a root their names."""
    storage.make_folder(root / names.DERIVED)
    with storage.locked(root / names.DERIVED / "create.lock"):
        yield
