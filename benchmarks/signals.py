"""P4, P5 and P6: signal files into columns, an aggregate over them, and a little more appended to each."""

import shutil
from collections.abc import Callable, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import pandas as pd
import polars as pl
import pyarrow.json
import pyarrow.parquet

import workspace_kit as wk
from benchmarks import shapes
from benchmarks.documents import forget_mirror, make_settled
from benchmarks.engine import connect
from benchmarks.measure import Benchmark, Figures, Target, Way
from benchmarks.shapes import Sweep
from benchmarks.targets import OURS, times_as_quick, times_as_quick_as_all, times_the_time

PANDAS, COPY = "pandas.read_json, a file at a time", "DuckDB COPY, columns given"
DUCKDB, POLARS = "DuckDB read_json, columns given", "Polars scan_ndjson"
COLUMNS = {
    "timestamp": "TIMESTAMP",
    "symbol": "VARCHAR",
    "action": "VARCHAR",
    "strength": "DOUBLE",
    "strategy": "VARCHAR",
}
_TEXT = {name: pl.Float64() if name == "strength" else pl.String() for name in COLUMNS}
ANEW = "workspace_kit, without a mirror"
QUESTION = """
select symbol, action, count(*) as signals, sum(strength) as conviction,
    epoch_us(max("timestamp")) as last
from {source}
group by all
order by all
"""
Answer = list[tuple[Any, ...]]


def benchmarks(sweep: Sweep) -> list[Benchmark]:
    """Return all three, over one workspace."""
    make = partial(make_settled, write=partial(shapes.write_signals, sweep=sweep))
    count = partial(amounts, sweep=sweep)
    cold = "files in the page cache, no mirror"
    return [
        Benchmark(
            "P4",
            "signals to columns on disk, cold",
            f"{sweep}",
            cold,
            make,
            (
                Way(OURS, "ours", mirrored, answer_of_root),
                Way(COPY, "peer", copied, answer_of_parquet),
                Way("DuckDB COPY, types found", "peer", copied_auto, answer_of_parquet),
                Way("Polars read_ndjson, a file at a time", "peer", with_polars, answer_of_parquet),
                Way("pyarrow.json, a file at a time", "peer", with_pyarrow, answer_of_parquet),
                Way("orjson, a line at a time", "peer", with_orjson, answer_of_parquet),
                Way(PANDAS, "peer", with_pandas, answer_of_parquet),
            ),
            count,
            (times_the_time(1.6, COPY), times_as_quick(6, PANDAS)),
        ),
        Benchmark(
            "P5",
            "an aggregate over signals, mirrored, catalog open",
            f"{sweep}",
            "files in the page cache, mirror current; peers on the lines",
            make,
            (
                Way(OURS, "ours", ask_catalog),
                Way(DUCKDB, "peer", ask_lines),
                Way("DuckDB read_json_auto", "peer", ask_lines_auto),
                Way(POLARS, "peer", scan_lines),
            ),
            count,
            (times_as_quick_as_all(10, DUCKDB, "DuckDB read_json_auto", POLARS),),
        ),
        Benchmark(
            "P6",
            "1 % appended to each file: look for changes, then the aggregate",
            f"{sweep}",
            "files in the page cache, mirror of before the append",
            make,
            (
                Way(OURS, "ours", look_and_ask),
                Way(ANEW, "ours", forget_and_ask),
                Way(DUCKDB, "peer", ask_lines),
            ),
            count,
            (a_part_of_all(),),
            before=partial(append_some, lines=max(sweep.symbols * sweep.bars // 100, 1)),
        ),
    ]


def a_part_of_all() -> Target:
    """Allow a twentieth of the time that everything anew takes, and 50 ms."""

    def ratio(figures: Figures) -> float:
        return figures[OURS].median / (figures[ANEW].median / 20 + 0.05)

    return Target(f"≤ 5 % of the time of {ANEW} and 50 ms", ratio, 1, "x")


def amounts(folder: Path, *, sweep: Sweep) -> Mapping[str, float]:
    """Count files, bytes and lines."""
    files, megabytes = shapes.contents(folder, "workflow_*/signals/*.jsonl")
    return {"files": files, "MB": megabytes, "lines": sweep.lines}


def append_some(folder: Path, *, lines: int) -> None:
    """Append the first lines of each file once more."""
    for path in (folder / "workflow_1" / "signals").glob("*.jsonl"):
        with path.open("rb") as file:
            again = b"".join(islice(file, lines))
        with path.open("ab") as file:
            file.write(again)


# Into columns.


def mirrored(folder: Path) -> Callable[[], Path]:
    """Open a root that was never looked at: the mirror is what stays on the disk."""
    forget_mirror(folder)
    return partial(_opened, folder)


def _opened(folder: Path) -> Path:
    wk.open_catalog(folder).close()
    return folder


def answer_of_root(folder: Path) -> Answer:
    """Ask the mirror."""
    return ask_catalog(folder)()


def copied(folder: Path) -> Callable[[], Path]:
    """Let DuckDB read lines of known columns and write Parquet."""
    return partial(_copied, folder, f"read_json('{_lines(folder)}', columns={COLUMNS}, {_FORMAT})")


def copied_auto(folder: Path) -> Callable[[], Path]:
    """Let DuckDB find the columns too."""
    return partial(_copied, folder, f"read_json_auto('{_lines(folder)}', {_FORMAT})")


_FORMAT = "format = 'newline_delimited'"


def _lines(folder: Path) -> str:
    return f"{folder}/workflow_1/signals/*.jsonl"


def _copied(folder: Path, source: str) -> Path:
    out = _empty(folder)
    with connect() as connection:
        connection.execute(f"copy (from {source}) to '{out}/signals.parquet' (format parquet)")
    return out


def _empty(folder: Path) -> Path:
    """Return an empty folder for Parquet."""
    out = folder / "columns"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    return out


def _a_file_at_a_time(folder: Path, convert: Callable[[Path, Path], None]) -> Path:
    out = _empty(folder)
    for path in (folder / "workflow_1" / "signals").glob("*.jsonl"):
        convert(path, out / f"{path.stem}.parquet")
    return out


def with_polars(folder: Path) -> Callable[[], Path]:
    """Read text of known columns; times are turned afterwards."""
    return partial(_a_file_at_a_time, folder, _by_polars)


def _by_polars(path: Path, out: Path) -> None:
    rows = pl.read_ndjson(path.read_bytes(), schema=_TEXT)
    rows.with_columns(_instant(pl.col("timestamp"))).write_parquet(out)


def _instant(text: pl.Expr) -> pl.Expr:
    return text.str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us")


def with_pyarrow(folder: Path) -> Callable[[], Path]:
    """Let pyarrow find the columns."""
    return partial(_a_file_at_a_time, folder, _by_pyarrow)


def _by_pyarrow(path: Path, out: Path) -> None:
    pyarrow.parquet.write_table(pyarrow.json.read_json(path), out)


def with_orjson(folder: Path) -> Callable[[], Path]:
    """Read each line by itself."""
    return partial(_a_file_at_a_time, folder, _by_orjson)


def _by_orjson(path: Path, out: Path) -> None:
    with path.open("rb") as file:
        rows = pl.DataFrame([orjson.loads(line) for line in file], schema=_TEXT)
    rows.with_columns(_instant(pl.col("timestamp"))).write_parquet(out)


def with_pandas(folder: Path) -> Callable[[], Path]:
    """Read as the description sketches it."""
    return partial(_a_file_at_a_time, folder, _by_pandas)


def _by_pandas(path: Path, out: Path) -> None:
    pd.read_json(path, lines=True).to_parquet(out)


def answer_of_parquet(out: Path) -> Answer:
    """Ask the Parquet files."""
    return _asked(f"read_parquet('{out}/*.parquet')")


def _asked(source: str) -> Answer:
    with connect() as connection:
        return connection.sql(QUESTION.format(source=source)).fetchall()


# An aggregate.


def ask_catalog(folder: Path) -> Callable[[], Answer]:
    """Ask views that are open."""
    catalog = wk.open_catalog(folder)
    return lambda: catalog.sql(QUESTION.format(source="signals")).rows()


def look_and_ask(folder: Path) -> Callable[[], Answer]:
    """Bring the views up to date and ask them."""

    def call() -> Answer:
        with wk.open_catalog(folder) as catalog:
            return catalog.sql(QUESTION.format(source="signals")).rows()

    return call


def forget_and_ask(folder: Path) -> Callable[[], Answer]:
    """Read everything and ask."""
    forget_mirror(folder)
    return look_and_ask(folder)


def ask_lines(folder: Path) -> Callable[[], Answer]:
    """Ask the lines, whose columns are known."""
    return partial(_asked, f"read_json('{_lines(folder)}', columns={COLUMNS}, {_FORMAT})")


def ask_lines_auto(folder: Path) -> Callable[[], Answer]:
    """Ask the lines."""
    return partial(_asked, f"read_json_auto('{_lines(folder)}', {_FORMAT})")


def scan_lines(folder: Path) -> Callable[[], Answer]:
    """Ask the lines by Polars."""

    def call() -> Answer:
        lines = pl.scan_ndjson(_lines(folder), schema=_TEXT)
        asked = lines.group_by("symbol", "action").agg(
            pl.len(), pl.col("strength").sum(), _instant(pl.col("timestamp").max()).dt.epoch("us")
        )
        return asked.collect(engine="streaming").sort(pl.all()).rows()

    return call
