"""A snapshot of all workspaces as one database file that any DuckDB client reads while writers go on."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from workspace_kit import storage
from workspace_kit.errors import FileDamaged, NotFound, UsageError
from workspace_kit.flows.catalogs import open_catalog, quiet
from workspace_kit.flows.trip import wall_clock
from workspace_kit.mirror import Progress, mirror_folder
from workspace_kit.views import is_published, publish, raw_sql

_PIECE = 1 << 20


def publish_catalog(path: Path, root: Path | str, *, progress: Progress = quiet) -> Path:
    """Write the views of a results root as they are now into one DuckDB file, and return its path.

    Who has an older one open goes on reading that. Signals are not copied: the view over them holds for a
    week after the workspaces have changed, and where the results are moved no longer.

    Raises
    ------
    NotFound
        The root, or the folder of ``path``, is not there.
    UsageError
        A file is there that is no such catalog; it stays as it is.
    """
    if path.exists() and not is_published(path):
        raise UsageError(
            str(path),
            found="a file that is no catalog, or that a program is writing to",
            expected="none yet, or an older catalog",
            remedy="name another, or remove it",
        )
    as_of = wall_clock()
    with open_catalog(root, progress=progress) as catalog:
        if not path.parent.is_dir():
            raise NotFound(
                str(path.parent),
                found="no such folder",
                expected="one for the catalog",
                remedy="make it first",
            )
        folder = mirror_folder(Path(root))
        with storage.locked(folder / "publish.lock"):
            building = _empty(folder / "publishing")
            publish(catalog, building / "catalog.duckdb", as_of=as_of, root=str(Path(root).absolute()))
            pieces = _pieces(building / "catalog.duckdb")
            storage.replace_checked(path, pieces, check=_read_back, sync=False)
            storage.remove_tree(building)
    return path


def raw_views(root: Path) -> str:
    """Return plain SQL that makes the views ``signals`` and ``performance`` over the files themselves."""
    return raw_sql(str(root.absolute()))


def _empty(folder: Path) -> Path:
    """Return a folder for the file being made, without what a killed process left in it."""
    if folder.exists():
        storage.remove_tree(folder)
    storage.make_folder(folder)
    return folder


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from iter(partial(file.read, _PIECE), b"")


def _read_back(written: Path) -> None:
    if not is_published(written):
        raise FileDamaged(
            str(written), found="bytes that do not open", expected="the catalog just made", remedy="repeat it"
        )
