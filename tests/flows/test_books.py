"""What a run records of its candidates agrees with what it says they earned."""

import hashlib

import numpy as np
import polars as pl
import pytest

import workspace_kit as wk
from tests.flows.conftest import prices
from workspace_kit.errors import FileDamaged
from workspace_kit.layout.documents import decode_table, encode_table
from workspace_kit.layout.names import Workspace
from workspace_kit.layout.reader import record_of
from workspace_kit.schema import ACTIVITY, COST_SENSITIVITY, HOLDINGS, PRICE_QUALITY, RECORDS, ROUND_TRIPS

pytestmark = pytest.mark.usefixtures("without_pages")

WORKFLOW = """
name: small
data: {{prices: prices.csv, periods_per_year: 252}}
periods: {{train: [2020-01-01, 2020-06-30], select: [2020-07-01, 2020-09-30], test: [2020-10-01, 2020-12-31]}}
strategies:
  - {{name: momentum, function: momentum, parameters: {{lookback: [2, 3], threshold: [0.0]}}}}
  - {{name: crossover, function: crossover, parameters: {{fast: [2], slow: [5]}}}}
execution: {{cost_bps: 7, direction: long_short, allocation: {allocation}}}
regimes: {{minimum: {{bars: 6, episodes: 1, trades: 1}}}}
ensemble: {{step: 0.5, mode: {mode}}}
luck: {{draws: 20, blocks: 4}}
durability: none
"""
KINDS = [("return", "rebalanced"), ("signal", "separate")]


def run(folder, *, mode, allocation, workers) -> Workspace:
    folder.mkdir()
    (folder / "prices.csv").write_text(prices(7))
    (folder / "workflow.yaml").write_text(WORKFLOW.format(mode=mode, allocation=allocation))
    return wk.run_workflow(
        folder / "workflow.yaml", root=folder / "results", workspace_id="small", workers=workers
    )


@pytest.fixture(scope="module", params=KINDS, ids="-".join)
def ran(request, tmp_path_factory, epoch) -> Workspace:
    mode, allocation = request.param
    folder = tmp_path_factory.mktemp("books") / "run"
    return run(folder, mode=mode, allocation=allocation, workers=1)


def test_the_cost_as_run_gives_the_return_as_validated(ran):
    told = wk.open_catalog(ran.root, [ran.id]).table("validations")
    recorded = record_of(ran, COST_SENSITIVITY).filter(pl.col("cost_bps") == 7.0)
    for candidate, total in recorded.select("series", "total_return").iter_rows():
        validated = told.filter(pl.col("candidate") == candidate)["total_return"].item()
        assert total == pytest.approx(validated, abs=1e-12)


def test_what_trading_costs_is_the_cost_times_what_was_traded(ran):
    activity = record_of(ran, ACTIVITY)
    assert activity["turnover"].max() > 0
    assert np.allclose(activity["cost"], activity["turnover"] * 0.0007, rtol=0.05, atol=1e-6)


def test_a_higher_cost_never_earns_more(ran):
    for rows in record_of(ran, COST_SENSITIVITY).partition_by("series", as_dict=True).values():
        totals = rows.sort("cost_bps")["total_return"].to_list()
        assert totals == sorted(totals, reverse=True)
        assert len(totals) == 9


def test_holdings_sum_to_what_was_held(ran):
    holdings, activity = record_of(ran, HOLDINGS), record_of(ran, ACTIVITY)
    (name,) = holdings["series"].unique()
    calendar = activity.filter(pl.col("series") == name).select(
        "timestamp", net=pl.col("long") + pl.col("short")
    )
    total = sum(
        calendar.select("timestamp")
        .join_asof(rows.select("timestamp", "share"), on="timestamp")["share"]
        .fill_null(0.0)
        for rows in holdings.partition_by("symbol")
    )
    assert np.allclose(total, calendar["net"], atol=1e-5)


def test_round_trips_count_the_trades_of_the_recommended(ran):
    trips = record_of(ran, ROUND_TRIPS)
    (name,) = trips["series"].unique()
    told = wk.open_catalog(ran.root, [ran.id]).table("validations")
    validated = told.filter(pl.col("candidate") == name)["trades"].item()
    assert trips.filter(pl.col("period") == "test").height == validated


def test_records_are_the_same_bytes_for_any_workers(tmp_path, epoch):
    digests = []
    for workers in (1, 2):
        made = run(tmp_path / str(workers), mode="return", allocation="separate", workers=workers)
        wk.write_report(made)
        names = [*(table.name for table in (*RECORDS, PRICE_QUALITY))]
        files = [made.path / "analysis" / f"{name}.csv" for name in names]
        files += [made.path / "analysis" / "overfitting.json", made.path / "visualizations" / "report.html"]
        files += sorted((made.path / "visualizations").glob("*.png"))
        assert any(file.suffix == ".png" for file in files)
        digests.append([(file.name, hashlib.sha256(file.read_bytes()).hexdigest()) for file in files])
    assert digests[0] == digests[1]


@pytest.mark.parametrize("table", [*RECORDS, PRICE_QUALITY], ids=lambda table: table.name)
def test_a_record_is_read_as_it_was_written(ran, table):
    frame = record_of(ran, table)
    assert frame.height
    assert decode_table(encode_table(frame), table).equals(frame)
    assert decode_table(encode_table(table.empty()), table).equals(table.empty())


def test_a_missing_record_is_empty_and_a_damaged_one_is_named(tmp_path):
    folder = tmp_path / "w" / "analysis"
    folder.mkdir(parents=True)
    workspace = Workspace(tmp_path, "w")
    assert record_of(workspace, ACTIVITY).equals(ACTIVITY.empty())
    for damage in ("", "series,timestamp\nensemble,2020", "series,time"):
        (folder / "activity.csv").write_text(damage)
        with pytest.raises(FileDamaged, match="activity"):
            record_of(workspace, ACTIVITY)


def test_a_page_says_which_record_is_damaged_and_shows_the_rest(ran, tmp_path):
    path = ran.path / "analysis" / "activity.csv"
    whole = path.read_bytes()
    try:
        path.write_bytes(whole[:200] + b"\nensemble,yesterday\n")
        html = wk.write_report(ran, out=tmp_path).read_text()
    finally:
        path.write_bytes(whole)
    assert "activity.csv" in html
    assert 'id="costs"' in html
    assert 'id="exposure-and-turnover"' not in html
