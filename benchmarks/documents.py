"""P1 and P2: many small performance documents as one frame, read for the first time and known already."""

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import orjson
import polars as pl

import workspace_kit as wk
from benchmarks import shapes
from benchmarks.engine import connect
from benchmarks.measure import Benchmark, Way
from benchmarks.targets import OURS, times_as_quick, times_the_time
from workspace_kit import storage
from workspace_kit.layout.inventory import inventory, workspaces
from workspace_kit.layout.reader import read_rows

SKETCH = "the description's reader"
GLOB, BARE, STAT = "DuckDB glob", "bare open and read", "bare scandir and stat"
# A file younger than this is looked at again, as git does.
SETTLED_SECONDS = 2.1
Answer = list[tuple[Any, ...]]


def benchmarks(*, trials: int) -> list[Benchmark]:
    """Return both, over so many documents."""
    shape = f"{trials:,} performance documents in one workspace"
    make = partial(make_settled, write=partial(shapes.write_documents, trials=trials))
    return [
        Benchmark(
            "P1",
            "performance documents to a frame, cold",
            shape,
            "files in the page cache, no mirror",
            make,
            (
                Way(OURS, "ours", read_cold, answer_of_rows),
                Way("workspace_kit, mirror written", "ours", open_cold, answer_of_rows),
                Way(SKETCH, "peer", sketch, answer_of_documents),
                Way("json.load, one thread", "peer", plain, answer_of_documents),
                Way("orjson, one thread", "peer", with_orjson, answer_of_documents),
                Way("msgspec typed, one thread", "peer", with_msgspec, answer_of_structs),
                Way(GLOB, "peer", glob, answer_of_relation),
                Way("DuckDB glob, columns given", "peer", glob_with_columns, answer_of_relation),
                Way(BARE, "floor", bare_read),
            ),
            amounts,
            (times_as_quick(5, SKETCH), times_as_quick(8, GLOB), times_the_time(1, BARE)),
        ),
        Benchmark(
            "P2",
            "the same, mirrored: look for changes, then the frame",
            shape,
            "files in the page cache, mirror current",
            make,
            (
                Way(OURS, "ours", open_mirrored, answer_of_rows),
                Way(SKETCH, "peer", sketch, answer_of_documents),
                Way(STAT, "floor", bare_stat),
            ),
            amounts,
            (times_the_time(2, STAT),),
        ),
    ]


def make_settled(folder: Path, *, write: Callable[[Path], None]) -> None:
    """Write one workspace, and wait until its files are no longer new."""
    write(folder / "workflow_1")
    time.sleep(SETTLED_SECONDS)


def amounts(folder: Path) -> Mapping[str, float]:
    """Count the documents and their bytes."""
    files, megabytes = shapes.contents(folder, "workflow_*/performance/*.json")
    return {"files": files, "MB": megabytes}


def forget_mirror(root: Path) -> None:
    """Remove the mirror of a root."""
    if (mirror := root / ".workspace_kit").exists():
        storage.remove_tree(mirror)


def read_cold(folder: Path) -> Callable[[], pl.DataFrame]:
    """Read the files into rows of the view, with their faults, and keep nothing."""
    return lambda: read_rows(inventory(workspaces(folder)))["performance"]


def open_cold(folder: Path) -> Callable[[], pl.DataFrame]:
    """Open a root that was never looked at, as a user does."""
    forget_mirror(folder)
    return partial(performance, folder)


def open_mirrored(folder: Path) -> Callable[[], pl.DataFrame]:
    """Open a root that was looked at before."""
    performance(folder)
    return partial(performance, folder)


def performance(folder: Path) -> pl.DataFrame:
    """Return the view ``performance`` as of now."""
    with wk.open_catalog(folder) as catalog:
        return catalog.table("performance")


def answer_of_rows(rows: pl.DataFrame) -> Answer:
    """Return trial, numbers and parameters of each row."""
    parameters = [json.loads(text) for text in rows["parameters"]]
    told = rows.select("trial_id", "total_return", "sharpe_ratio", "max_drawdown", "win_rate", "trades")
    return sorted(
        (*row, each["lookback"], each["threshold"]) for row, each in zip(told.rows(), parameters, strict=True)
    )


class PerformanceReader:
    """The reader that the description sketches."""

    def read_all_trials(self, workspace: Path) -> list[dict[str, Any]]:
        """Read all trial results in parallel."""
        files = list(workspace.glob("performance/trial_*.json"))
        with ThreadPoolExecutor(max_workers=10) as executor:
            futures = [executor.submit(self._read_json, path) for path in files]
            return [future.result() for future in as_completed(futures)]

    def _read_json(self, path: Path) -> dict[str, Any]:
        with path.open() as file:
            content: dict[str, Any] = json.load(file)
        return content


def sketch(folder: Path) -> Callable[[], list[dict[str, Any]]]:
    """Read into a list of dictionaries, which is less than a frame."""
    return lambda: PerformanceReader().read_all_trials(folder / "workflow_1")


def _one_by_one(folder: Path, decode: Callable[[bytes], Any]) -> Callable[[], list[Any]]:
    return lambda: [decode(path.read_bytes()) for path in (folder / "workflow_1").glob("performance/*.json")]


def plain(folder: Path) -> Callable[[], list[Any]]:
    """Read one after the other, into dictionaries."""
    return _one_by_one(folder, json.loads)


def with_orjson(folder: Path) -> Callable[[], list[Any]]:
    """Do the same with orjson."""
    return _one_by_one(folder, orjson.loads)


class Parameters(msgspec.Struct):
    """Parameters of a document."""

    lookback: int
    threshold: float


class Metrics(msgspec.Struct):
    """Metrics of a document."""

    total_return: float
    sharpe_ratio: float
    max_drawdown: float
    win_rate: float


class Document(msgspec.Struct):
    """A document of known fields."""

    trial_id: str
    parameters: Parameters
    metrics: Metrics
    trades: int
    period: dict[str, str]


def with_msgspec(folder: Path) -> Callable[[], list[Document]]:
    """Do the same into objects whose fields are known beforehand."""
    return _one_by_one(folder, msgspec.json.Decoder(Document).decode)


def answer_of_documents(documents: Iterable[Mapping[str, Any]]) -> Answer:
    """Return what `answer_of_rows` returns."""
    return sorted(
        (each["trial_id"], *each["metrics"].values(), each["trades"], *each["parameters"].values())
        for each in documents
    )


def answer_of_structs(documents: Iterable[Document]) -> Answer:
    """Return what `answer_of_rows` returns."""
    return answer_of_documents(msgspec.to_builtins(list(documents)))


_FIELDS = """
select trial_id, metrics.total_return, metrics.sharpe_ratio, metrics.max_drawdown, metrics.win_rate, trades,
    parameters.lookback, parameters.threshold
from """
_COLUMNS = {
    "trial_id": "VARCHAR",
    "parameters": "STRUCT(lookback BIGINT, threshold DOUBLE)",
    "metrics": "STRUCT(total_return DOUBLE, sharpe_ratio DOUBLE, max_drawdown DOUBLE, win_rate DOUBLE)",
    "trades": "BIGINT",
    "period": 'STRUCT("start" VARCHAR, "end" VARCHAR)',
}


def glob(folder: Path) -> Callable[[], pl.DataFrame]:
    """Let DuckDB find files and types."""
    return partial(_asked, _FIELDS + f"read_json_auto('{folder}/workflow_1/performance/*.json')")


def glob_with_columns(folder: Path) -> Callable[[], pl.DataFrame]:
    """Let DuckDB find files; the types are given."""
    source = f"read_json('{folder}/workflow_1/performance/*.json', columns={_COLUMNS})"
    return partial(_asked, _FIELDS + source)


def _asked(sql: str) -> pl.DataFrame:
    with connect() as connection:
        return connection.sql(sql).pl()


def answer_of_relation(rows: pl.DataFrame) -> Answer:
    """Return what `answer_of_rows` returns."""
    return sorted(rows.rows())


def bare_read(folder: Path) -> Callable[[], int]:
    """Read the bytes and look at none."""
    paths = [str(path) for path in (folder / "workflow_1").glob("performance/*.json")]
    return lambda: sum(len(_bytes(path)) for path in paths)


def _bytes(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123 - what the target names
        return file.read()


def bare_stat(folder: Path) -> Callable[[], int]:
    """List the files and their sizes."""
    return partial(count_files, [folder / "workflow_1" / "performance"])


def count_files(folders: Iterable[Path]) -> int:
    """Go through folders, asking for each file's status."""
    found = 0
    for folder in folders:
        with os.scandir(folder) as entries:
            found += sum(1 for entry in entries if entry.stat(follow_symlinks=False).st_size >= 0)
    return found
