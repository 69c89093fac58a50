"""The main job on the packaged example: every file, the same bytes, no look ahead."""

import csv
import datetime as dt
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import polars as pl
import pytest
import yaml

import workspace_kit as wk
from tests.stopping import contents
from workspace_kit.analysis import strategies
from workspace_kit.flows import ensemble_study
from workspace_kit.flows.journal import Journal
from workspace_kit.flows.market import load_market
from workspace_kit.flows.run import STEPS, read_config
from workspace_kit.flows.trip import Trip, silent
from workspace_kit.layout.names import Workspace

ROOT = Path(__file__).parents[2]
FOLDERS = ("signals", "performance", "analysis", "visualizations")
TREE = (
    "signals/trial_0.jsonl",
    "performance/trial_0.json",
    "performance/ensemble_trial_0.json",
    "performance/summary.json",
    "performance/validation_results.json",
    "analysis/regime_optimal_params.json",
    "analysis/ensemble_weights.json",
    "analysis/overfitting.json",
    "analysis/correlation_matrix.csv",
    "analysis/correlation_matrix.meta.json",
    "analysis/regimes.csv",
    "analysis/returns.csv",
    "analysis/activity.csv",
    "analysis/holdings.csv",
    "analysis/round_trips.csv",
    "analysis/cost_sensitivity.csv",
    "analysis/price_quality.csv",
    "metadata/config.yaml",
    "metadata/execution_log.json",
    "metadata/phase_timing.json",
    "metadata/environment.json",
    "checkpoints/phase_1_complete.checkpoint",
    "checkpoints/phase_2_complete.checkpoint",
    "checkpoints/phase_3_complete.checkpoint",
    "checkpoints/phase_4_complete.checkpoint",
    "checkpoints/current_state.json",
    "visualizations/performance_chart.png",
    "visualizations/years.png",
    "visualizations/report.html",
)


def document(workspace: Path, name: str) -> dict:
    return json.loads((workspace / name).read_text())


@pytest.mark.parametrize("name", TREE)
def test_the_run_writes_every_file_of_the_tree(example, name):
    assert (example / name).stat().st_size > 0


def test_every_file_is_valid_for_plain_tools(example):
    for path in example.rglob("*"):
        if path.suffix in {".json", ".checkpoint"}:
            json.loads(path.read_text(), parse_constant=pytest.fail)
        elif path.suffix == ".jsonl":
            for line in path.read_text().splitlines():
                json.loads(line, parse_constant=pytest.fail)
        elif path.suffix == ".csv":
            widths = {len(row) for row in csv.reader(io.StringIO(path.read_text()))}
            assert len(widths) == 1, path
        elif path.suffix == ".yaml":
            assert yaml.safe_load(path.read_text())["metric"] == "sharpe_ratio"


def test_the_example_yields_three_regimes_without_a_fallback(example):
    best = document(example, "analysis/regime_optimal_params.json")["regime_optimal_params"]
    assert list(best) == ["bull_market", "bear_market", "neutral_market"]
    for entry in best.values():
        assert entry["performance"] is not None
        assert entry["fallback_reason"] is None


def test_four_members_are_tried_with_286_weight_sets_and_equal_weight(example):
    weights = document(example, "analysis/ensemble_weights.json")
    assert list(weights["weights"]) == ["breakout", "crossover", "momentum", "reversion"]
    assert weights["weight_sets_tried"] == 287
    assert len(list((example / "performance").glob("ensemble_trial_*.json"))) == 287


def test_every_trial_and_weight_set_is_counted_in_the_odds(example):
    trials = len(list((example / "performance").glob("trial_*.json")))
    luck = document(example, "analysis/overfitting.json")
    assert luck["trials_tried"] == trials + 287
    assert f"of {trials + 287} tried" in luck["verdict"]


def test_other_worker_counts_give_the_same_bytes(small, tmp_path, epoch):
    workflow = small.parents[1] / "workflow.yaml"
    again = wk.run_workflow(workflow, root=tmp_path, workspace_id="workflow_small", workers=3).path
    assert contents(again, *FOLDERS) == contents(small, *FOLDERS)


def test_sql_counts_what_duckdb_counts_in_the_plain_files(example):
    pattern = str(example / "signals" / "*.jsonl")
    by_hand = duckdb.sql(f"select count(*) from read_json_auto('{pattern}')").fetchall()[0][0]  # noqa: S608
    with wk.open_catalog(example.parent) as catalog:
        assert catalog.sql("select count(*) as n from signals")["n"].item() == by_hand > 0
        best = catalog.sql(
            "select trial_id, sharpe_ratio from performance"
            " where kind = 'trial' and period = 'train' order by 2 desc limit 5"
        )
    assert best.height == 5
    assert best["sharpe_ratio"].is_sorted(descending=True)


def scrambled_after_select(folder: Path, text: str) -> Path:
    """Write the example's prices to a file, those of the test period at random, and a workflow for them."""
    config, here = read_config(None)
    market = load_market(config, folder=here)
    closes = pl.concat(
        [market.prices, market.benchmark.with_columns(pl.lit("^GSPC").alias("symbol"))], how="diagonal"
    )
    after = pl.col("timestamp") > dt.datetime(2016, 1, 1)
    noise = (pl.int_range(pl.len()) * 7919 % 101 + 1).cast(pl.Float64)
    closes.with_columns(pl.when(after).then(noise).otherwise("close").alias("close")).select(
        "timestamp", "symbol", "close"
    ).write_parquet(folder / "prices.parquet")
    workflow = folder / "workflow.yaml"
    workflow.write_text(text.replace("sample:stocks", "prices.parquet"))
    return workflow


def test_prices_after_select_do_not_reach_the_first_three_phases(small, small_text, tmp_path, epoch):
    workflow = scrambled_after_select(tmp_path, small_text)
    other = wk.run_workflow(
        workflow, root=tmp_path / "results", workspace_id="workflow_small", until="phase_3"
    ).path
    for name, data in contents(other, "signals", "performance", "analysis").items():
        honest = (small / name).read_bytes()
        if name.endswith(".json"):
            assert blind(json.loads(data)) == blind(json.loads(honest)), name
        else:
            assert data == honest, name


def blind(value: object) -> object:
    """Leave out digests and the name of the price source, the only traces that other prices may leave."""
    if isinstance(value, dict):
        kept = {key: each for key, each in value.items() if key not in {"digest", "config_digest", "source"}}
        return {key: blind(each) for key, each in kept.items()}
    return [blind(each) for each in value] if isinstance(value, list) else value


def refuse(*_arguments: object) -> pl.DataFrame:
    raise AssertionError("a strategy was run")


def test_the_third_phase_runs_no_strategy(example, tmp_path, epoch, monkeypatch):
    monkeypatch.setattr(strategies, "BUILT_IN", dict.fromkeys(strategies.BUILT_IN, refuse))
    workspace = copied_until_phase_2(example, tmp_path)
    ensemble_study.ensemble_study(trip_of(workspace), Journal(workspace))
    assert contents(workspace.path, "analysis") == {
        name: data for name, data in contents(example, "analysis").items() if name != "analysis/returns.csv"
    }


def copied_until_phase_2(example: Path, root: Path) -> Workspace:
    shutil.copytree(example, root / example.name)
    workspace = Workspace(root, example.name)
    for pattern in ("performance/ensemble_*", "performance/validation_*", "signals/validation_*"):
        for path in workspace.path.glob(pattern):
            path.unlink()
    for name in ("ensemble_weights.json", "overfitting.json", "correlation_matrix.csv", "returns.csv"):
        (workspace.path / "analysis" / name).unlink()
    (workspace.path / "analysis" / "correlation_matrix.meta.json").unlink()
    return workspace


def trip_of(workspace: Workspace) -> Trip:
    config, folder = read_config(None)
    return Trip(workspace, config, folder, load_market(config, folder=folder), 1, silent)


def test_editing_a_query_changes_what_the_second_phase_finds(example, tmp_path, epoch):
    house = tmp_path / "house"
    shutil.copytree(ROOT / "workspace_kit", house / "workspace_kit")
    shutil.copytree(ROOT / "queries", house / "queries")
    query = house / "queries" / "answers" / "performance_by_regime.sql"
    query.write_text(query.read_text().replace("status = 'ok'", "status = 'ok' and strategy = 'momentum'"))
    shutil.copytree(example, tmp_path / "results" / example.name)
    script = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]);"
        "from workspace_kit.flows.journal import Journal;"
        "from workspace_kit.flows.run import STEPS, read_config;"
        "from workspace_kit.flows.market import load_market;"
        "from workspace_kit.flows.trip import Trip, silent;"
        "from workspace_kit.layout.names import Workspace;"
        "config, folder = read_config(None); workspace = Workspace(Path(sys.argv[2]), 'workflow_golden');"
        "trip = Trip(workspace, config, folder, load_market(config, folder=folder), 1, silent);"
        "STEPS['phase_2'](trip, Journal(workspace))"
    )
    subprocess.run(
        [sys.executable, "-c", script, str(house), str(tmp_path / "results")], check=True, cwd=tmp_path
    )
    name = "analysis/regime_optimal_params.json"
    edited = document(tmp_path / "results" / example.name, name)["regime_optimal_params"]
    original = document(example, name)["regime_optimal_params"]
    assert {entry["strategy"] for entry in edited.values()} == {"momentum"}
    assert edited != original


def test_until_stops_after_the_phase_named(small, tmp_path):
    workspace = wk.run_workflow(
        small.parents[1] / "workflow.yaml", root=tmp_path, until="phase_1", workers=2
    ).path
    assert (workspace / "checkpoints" / "phase_1_complete.checkpoint").exists()
    assert not (workspace / "analysis" / "regime_optimal_params.json").exists()


def test_a_second_run_of_the_same_test_period_is_counted_as_a_second_look(small, tmp_path):
    root = tmp_path / "root"
    shutil.copytree(small, root / small.name)
    again = wk.run_workflow(
        small.parents[1] / "workflow.yaml", root=root, workspace_id="again", workers=2
    ).path
    validation = document(again, "performance/validation_results.json")
    assert validation["looks"] == 2
    assert validation["looked_at_before_by"] == ["workflow_small"]
    assert "looked at once before" in (again / "visualizations" / "report.html").read_text()


def test_the_phases_are_the_four_of_the_schema():
    assert list(STEPS) == ["phase_1", "phase_2", "phase_3", "phase_4"]
