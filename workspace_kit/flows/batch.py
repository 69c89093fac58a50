"""Pages of a whole root: only what changed is made again, nothing stops the rest, an index over all."""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import polars as pl

from workspace_kit import storage
from workspace_kit.errors import DataError, WorkspaceKitError
from workspace_kit.flows.catalogs import open_catalog, reading
from workspace_kit.flows.pages import PAGE_KEY, write_report
from workspace_kit.flows.provenance import versions
from workspace_kit.flows.run import default_workers
from workspace_kit.flows.trip import Reporter, now, silent
from workspace_kit.flows.workers import each
from workspace_kit.layout import names
from workspace_kit.layout.inventory import inventory, workspaces
from workspace_kit.layout.names import DEFAULT_ROOT, Workspace
from workspace_kit.mirror import mirror_folder
from workspace_kit.report import index_page
from workspace_kit.report.panels import CHART
from workspace_kit.schema import TEXT
from workspace_kit.shown import as_html
from workspace_kit.storage import RACY_NS

MADE, KEPT, FAILED = "made", "kept", "failed"
OUTCOMES = {"workspace": TEXT, "outcome": TEXT, "page": TEXT, "detail": TEXT}
_MEMORY = "reports.json"


@dataclass(frozen=True, slots=True)
class Batch:
    """The index page, and what became of each workspace's own: ``made``, ``kept`` as it was, or ``failed``.

    ``rows`` has columns ``workspace, outcome, page, detail``; detail says why one failed.
    """

    index: Path
    rows: pl.DataFrame

    def _repr_html_(self) -> str:
        return as_html(self)

    @property
    def failed(self) -> dict[str, str]:
        """Why each workspace that has no new page has none."""
        return dict(self.rows.filter(outcome=FAILED).select("workspace", "detail").iter_rows())

    @property
    def told(self) -> str:
        """How many pages there are of each outcome, in words."""
        counted = dict(self.rows["outcome"].value_counts().iter_rows())
        return f"Reports: {', '.join(f'{counted.get(each, 0)} {each}' for each in (MADE, KEPT, FAILED))}"

    def check(self) -> None:
        """Return where every workspace has its page.

        Raises
        ------
        DataError
            Some have none; each is named with its reason in ``rows``.
        """
        if self.failed:
            raise DataError(
                str(self.index),
                found=f"{len(self.failed)} of {self.rows.height} workspaces without a new page",
                expected="a page of each",
                remedy="mend what is said of them, then repeat: pages made are kept",
            )


class _Made(NamedTuple):
    workspace: str
    failure: str


def write_reports(
    root: Path | str = DEFAULT_ROOT,
    *,
    out: Path | None = None,
    workers: int | None = None,
    reporter: Reporter = silent,
) -> Batch:
    """Write the page and the chart of every workspace of a root, then ``index.html`` over them.

    Pages go into each workspace's ``visualizations/`` and the index into the root, or all into the folder
    ``out``, a folder per workspace. A page is made again only where it changed, or a file of its workspace,
    or the version of this package. ``workers`` are processes (default: all cores).

    Raises
    ------
    NotFound
        There is no such root.
    """
    folder = Path(root)
    found = workspaces(folder)
    with reading(reporter) as progress, open_catalog(folder, progress=progress):
        states = {held.id: _state(held) for held in found}
    failures, count = dict[str, str](), workers or default_workers()
    with _memory(folder) as memory:
        wanted = [held.id for held in found if not _is_current(held, out, states[held.id], memory)]
        with reporter("Reports", len(wanted)) as step:
            for made in each(_make, wanted, shared=(folder, out), workers=count, lost=_lost):
                failures[made.workspace] = made.failure
                key = _key(Workspace(folder, made.workspace), out)
                memory[key] = None if made.failure else _seal(Path(key), states[made.workspace])
                step()
    rows = [_outcome(held, out, failures) for held in found]
    return Batch(
        write_index(folder, out=out, failures=failures), pl.DataFrame(rows, schema=OUTCOMES, orient="row")
    )


def write_index(root: Path, *, out: Path | None, failures: Mapping[str, str]) -> Path:
    """Write the page over all workspaces of a root, archived ones too, and return its place.

    ``failures`` say why a workspace has no new page.
    """
    path = (out or root) / names.INDEX
    with open_catalog(root) as catalog:
        summary, returns = catalog.answer("workspace_summary"), catalog.answer("recommended_returns")
    places = {held.id: _page(held, out) for held in workspaces(root)}
    links = {
        name: quote(place.relative_to(path.parent).as_posix())
        for name, place in places.items()
        if place.exists()
    }
    storage.make_folder(path.parent)
    page = index_page(summary, returns, links=links, failures=failures, as_of=now())
    storage.replace(path, page.encode(), sync=False)
    return path


def _make(shared: tuple[Path, Path | None], name: str) -> _Made:
    """Write one report; whatever goes wrong is told, since the others are to be written all the same."""
    root, out = shared
    try:
        write_report(Workspace(root, name), out=out and out / name)
    except WorkspaceKitError as error:
        return _Made(name, f"{type(error).__name__}: {error}")
    except Exception as error:
        again = Workspace(root, name).command("--debug report")
        return _Made(name, f"{type(error).__name__}: {error}; `{again}` shows where")
    return _Made(name, "")


def _lost(name: str) -> _Made:
    return _Made(name, "its process was killed, perhaps for want of memory")


def _outcome(held: Workspace, out: Path | None, failures: Mapping[str, str]) -> tuple[str, ...]:
    failure = failures.get(held.id)
    outcome = KEPT if failure is None else FAILED if failure else MADE
    return held.id, outcome, str(_page(held, out)), failure or ""


def _page(held: Workspace, out: Path | None) -> Path:
    place = held.file(names.PAGE, PAGE_KEY)
    return out / held.id / place.name if out else place


def _state(held: Workspace) -> str | None:
    """Identity of all that a page rests on; null where a file is too young to be told from a later state.

    Files go by kind and key, so that they are the same however the way to them was spelled.
    """
    files = inventory([held]).filter(~pl.col("kind").is_in([names.PAGE.name, names.PICTURE.name]))
    youngest = files.select(pl.max_horizontal("modified_ns", "changed_ns").max()).item()
    if youngest is not None and youngest > time.time_ns() - RACY_NS:
        return None
    told = [sorted(versions().items()), files.drop("path", "modified_at").rows()]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _is_current(
    held: Workspace, out: Path | None, state: str | None, memory: Mapping[str, str | None]
) -> bool:
    page = _page(held, out)
    seal, has_chart = _seal(page, state), page.with_name(f"{CHART}{names.PICTURE.suffix}").exists()
    return has_chart and seal is not None and memory.get(_key(held, out)) == seal


def _seal(page: Path, state: str | None) -> str | None:
    """Identity of a page beside that of what it rests on: one that was cut or written anew is another."""
    if state is None or not page.exists():
        return None
    status = page.stat()
    return f"{state} {status.st_size} {status.st_mtime_ns}"


def _key(held: Workspace, out: Path | None) -> str:
    return str(_page(held, out).resolve())


@contextmanager
def _memory(root: Path) -> Iterator[dict[str, str | None]]:
    """Remember each page's seal as it was made; an interruption forgets nothing of what is done."""
    path = mirror_folder(root) / _MEMORY
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        told = None
    memory: dict[str, str | None] = told if isinstance(told, dict) else {}
    try:
        yield memory
    finally:
        data = json.dumps(memory, indent=1, sort_keys=True).encode()
        storage.replace(path, data, sync=False)
