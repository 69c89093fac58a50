"""Two workspaces side by side."""

import json
import shutil

import polars as pl
import pytest

import workspace_kit as wk
from workspace_kit.errors import WorkspaceNotFound
from workspace_kit.flows.comparison import comparison_told

pytestmark = pytest.mark.usefixtures("without_pages")

NOTHING = {"a": None, "b": None}


def test_a_run_compared_with_its_repetition_differs_in_nothing(sweeps):
    found = wk.compare_workspaces("first", "again", sweeps)
    assert (found.a, found.b) == ("first", "again")
    assert found.config.height == found.faults.height == 0
    assert found.data["a"].equals(found.data["b"], null_equal=True)
    assert found.versions.filter(pl.col("a") != pl.col("b")).height == 0
    assert found.trials.only_in_a.height == found.trials.only_in_b.height == 0
    assert found.trials.trials["a"].equals(found.trials.trials["b"], null_equal=True)
    assert found.trials.trials.n_unique("trial_a") == 2


def test_other_costs_show_in_the_configuration_and_in_every_return(sweeps):
    found = wk.compare_workspaces("first", "costly", sweeps)
    assert found.config.rows() == [("execution.cost_bps", "10", "20")]
    prices = found.data.filter(pl.col("name") == "prices_digest")
    assert prices["a"].item() == prices["b"].item() is not None
    earned = found.trials.trials.filter(pl.col("metric") == "total_return")
    assert earned.height == 2
    assert earned["difference"].max() < 0


def test_other_prices_show_in_the_digests(sweeps):
    found = wk.compare_workspaces("first", "other", sweeps)
    assert found.config["key"].to_list() == ["data.prices"]
    prices = found.data.filter(pl.col("name") == "prices_digest")
    assert prices["a"].item() != prices["b"].item()
    assert found.trials.trials.n_unique("trial_a") == 2


def test_everything_stands_in_one_frame_for_programs(sweeps, tmp_path):
    shutil.copytree(sweeps / "first", tmp_path / "a")
    shutil.copytree(sweeps / "costly", tmp_path / "b")
    (tmp_path / "b" / "performance" / "trial_1.json").unlink()
    rows = wk.compare_workspaces("a", "b", tmp_path).rows
    assert rows.columns == ["part", "subject", "name", "a", "b", "difference"]
    assert rows["part"].unique(maintain_order=True).to_list() == ["config", "data", "versions", "trials"]
    assert rows.filter(pl.col("part") == "config").rows() == [
        ("config", None, "execution.cost_bps", "10", "20", None)
    ]
    trials = rows.filter((pl.col("part") == "trials") & (pl.col("name") == "trial_id"))
    assert trials.select("subject", "a", "b").rows() == [
        ('momentum {"lookback": 2, "threshold": 0}', "trial_0", "trial_0"),
        ('momentum {"lookback": 3, "threshold": 0}', "trial_1", None),
    ]


def test_workspaces_of_other_programs_are_compared_by_what_they_say(tmp_path):
    manager = wk.WorkspaceManager(tmp_path)
    for name, config in (("a", {"depth": 1, "deep": {"x": [1]}}), ("b", {"depth": 1.0, "deep": {"x": [2]}})):
        folder = manager.create_workspace(config, name)
        wk.write_trial(folder, 0, parameters={"x": 1}, metrics={"sharpe_ratio": None})
    (tmp_path / "b" / "metadata" / "environment.json").unlink()
    found = wk.compare_workspaces("a", "b", tmp_path)
    assert found.config.rows() == [("deep.x", "[1]", "[2]")]
    data = {name: (a, b) for name, a, b in found.data.rows()}
    assert data["prices_digest"] == (None, None)
    assert None not in data["config_digest"]
    assert found.versions["b"].null_count() == found.versions.height > 0
    assert found.trials.trials["difference"].null_count() == found.trials.trials.height == 8
    subjects = found.rows.filter(pl.col("name") == "trial_id")["subject"].to_list()
    assert subjects == ['{"x": 1}']


def test_a_folder_that_says_nothing_at_all_is_compared(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name / "signals").mkdir(parents=True)
    found = wk.compare_workspaces(tmp_path / "a", tmp_path / "b")
    assert found.config.height == found.versions.height == found.trials.trials.height == 0
    assert found.rows.select("part", "a", "b").unique().rows() == [("data", None, None)]


def test_what_cannot_be_read_is_listed(sweeps, tmp_path):
    shutil.copytree(sweeps / "first", tmp_path / "a")
    shutil.copytree(sweeps / "first", tmp_path / "b")
    (tmp_path / "b" / "metadata" / "config.yaml").write_text("a: [")
    (tmp_path / "b" / "metadata" / "environment.json").write_text(json.dumps({"prices": 3, "versions": []}))
    found = wk.compare_workspaces("a", "b", tmp_path)
    assert found.faults["path"].to_list() == [str(tmp_path / "b" / "metadata" / "config.yaml")]
    assert found.config["b"].null_count() == found.config.height > 20
    assert "1 fault(s): lines or files that could not be read" in [
        title for title, _ in comparison_told(found)
    ]


def test_a_workspace_that_is_not_there_is_an_error(sweeps):
    with pytest.raises(WorkspaceNotFound, match="no workspace 'nobody'"):
        wk.compare_workspaces("first", "nobody", sweeps)
