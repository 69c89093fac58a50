"""P12: the report of a workspace, from its files to one page; and those of a hundred, on all cores."""

import shutil
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import workspace_kit as wk
from benchmarks.measure import Benchmark, Target, Way
from benchmarks.targets import OURS, seconds
from workspace_kit import flows

FIRST = "workflow_0"
_OUT = ".pages"


def benchmarks(*, reports: int) -> list[Benchmark]:
    """Return one page, so many, and the same again when nothing has changed."""
    make = partial(make_alike, workspaces=reports)
    return [
        _benchmark("P12", "the report of a workspace, all panels", 1, make, write_one, seconds(3)),
        _benchmark("P12 all", "reports of all, and an index", reports, make, write_all, seconds(reports)),
        _benchmark("P12 again", "the same, where nothing has changed", reports, make, write_again),
    ]


def _benchmark(
    id_: str,
    work: str,
    reports: int,
    make: Callable[[Path], None],
    prepare: Callable[[Path], Callable[[], object]],
    *targets: Target,
) -> Benchmark:
    return Benchmark(
        id_,
        work,
        "copies of the packaged example, 42 trials each",
        "files in the page cache, mirror current",
        make,
        (Way(OURS, "ours", prepare),),
        partial(amounts, reports=reports),
        targets,
    )


def make_alike(folder: Path, *, workspaces: int) -> None:
    """Run the packaged example, and copy it."""
    wk.run_workflow(root=folder, workspace_id=FIRST)
    for number in range(1, workspaces):
        shutil.copytree(folder / FIRST, folder / f"workflow_{number}")
    wk.open_catalog(folder).close()


def amounts(_folder: Path, *, reports: int) -> Mapping[str, float]:
    """Count the pages."""
    return {"pages": reports}


def write_one(folder: Path) -> Callable[[], object]:
    """Write page and chart again."""
    return partial(wk.write_report, folder / FIRST)


def write_all(folder: Path) -> Callable[[], object]:
    """Write all pages into a folder that has none."""
    return partial(flows.write_reports, folder, out=Path(tempfile.mkdtemp(dir=folder, prefix=_OUT)))


def write_again(folder: Path) -> Callable[[], object]:
    """Look whether any page has to be written: the first time all of them, where none was written before."""
    written = sorted(folder.glob(f"{_OUT}*"))
    out = written[0] if written else folder / _OUT
    flows.write_reports(folder, out=out)
    return partial(flows.write_reports, folder, out=out)
