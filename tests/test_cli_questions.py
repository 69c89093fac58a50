"""Commands that ask: SQL in every form, kept questions, a catalog for other clients, a watch."""

import io
import json
import time

import duckdb
import polars as pl
import pytest

import workspace_kit as wk
from workspace_kit import flows

HEADED = """\
-- name: x
-- answers: x?
-- grain: one row
-- columns: a, b
-- parameters: a VARCHAR, b BIGINT = 7
select $a as a, $b as b
"""


@pytest.fixture
def results(tmp_path):
    """A results folder with one workspace of two trials."""
    workspace = wk.WorkspaceManager(tmp_path / "results").create_workspace({"name": "two"}, "two")
    for trial, sharpe in enumerate((1.5, 0.5)):
        metrics = {"sharpe_ratio": sharpe, "max_drawdown": -0.1 * (trial + 1)}
        wk.write_trial(workspace, trial, strategy="m", parameters={"n": trial}, metrics=metrics, trades=3)
        wk.SignalWriter(workspace).write_signal(
            trial, {"timestamp": "2023-01-01", "symbol": "A", "action": "BUY", "strength": 1, "strategy": "m"}
        )
    return tmp_path / "results"


def test_without_a_question_those_that_are_kept_are_listed_with_their_parameters(command):
    code, out, _ = command("sql", "--format", "json")
    listed = {row["question"]: row for row in json.loads(out)}
    assert code == 0
    assert (
        "metric VARCHAR = sharpe_ratio, most BIGINT = 20, floor DOUBLE = null"
        in (listed["leaderboard"]["parameters"])
    )
    assert listed["trial_counts"]["answers"].endswith("?")


def test_a_kept_question_is_asked_by_its_name(command, results):
    code, out, _ = command(
        "sql", "leaderboard", "--param", "most=5", "--param", "floor=-0.15", "--format", "csv"
    )
    assert code == 0
    assert pl.read_csv(io.StringIO(out)).select("trial_id", "value").rows() == [("trial_0", 1.5)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["leaderboard", "--param", "most=many"], "found 'many' for the parameter 'most', expected a BIGINT"),
        (["leaderboard", "--param", "mst=1"], "did you mean 'most'?"),
        (["leaderboard", "--param", "most"], "--param: found 'most', expected name=value, such as most=5"),
        (["select $a as a"], "parameters: a"),
        (["select 1", "--file", "q.sql"], "SQL stands in QUERY or in --file, not in both"),
    ],
)
def test_a_question_that_cannot_be_meant_says_what_to_correct(command, results, arguments, said):
    code, _, err = command("sql", *arguments)
    assert code == 2
    assert said in err


def test_parameters_are_values_and_never_sql(command, results):
    query = "select $a as a, $b as b, $c as c, $d as d"
    given = [each for value in ("a=1.5", "b=it's; drop", 'c="5"', "d=null") for each in ("--param", value)]
    assert json.loads(command("sql", query, *given, "--format", "json")[1]) == [
        {"a": 1.5, "b": "it's; drop", "c": "5", "d": None}
    ]


def test_a_file_with_a_head_has_types_and_defaults_and_one_without_has_none(command, results, tmp_path):
    (tmp_path / "headed.sql").write_text(HEADED)
    (tmp_path / "bare.sql").write_text("select $a as a")
    out = command("sql", "--file", "headed.sql", "--param", "a=1", "--format", "json")[1]
    assert json.loads(out) == [{"a": "1", "b": 7}]
    out = command("sql", "--file", "bare.sql", "--param", "a=1", "--format", "json")[1]
    assert json.loads(out) == [{"a": 1}]
    code, _, err = command("sql", "--file", "headed.sql")
    assert code == 2
    assert "expected a VARCHAR" in err
    code, _, err = command("sql", "--file", "nowhere.sql")
    assert code == 3
    assert err == (
        "NotFound: nowhere.sql: found No such file or directory, expected a file of SQL; check --file\n"
    )


def test_catalog_publishes_what_any_duckdb_reads_and_replaces_only_its_own(command, results, tmp_path):
    code, out, _ = command("catalog")
    assert (code, out) == (0, "Catalog: results/catalog.duckdb\n")
    with duckdb.connect(tmp_path / "results" / "catalog.duckdb", read_only=True) as connection:
        assert connection.sql("select count(*) from signals").fetchall() == [(2,)]
        assert connection.sql("select trial_id from leaderboard(most := 1)").fetchall() == [("trial_0",)]
    (tmp_path / "elsewhere").mkdir()
    assert command("catalog", "elsewhere/mine.duckdb")[0] == 0
    (tmp_path / "notes.txt").write_text("mine")
    code, _, err = command("catalog", "notes.txt")
    assert code == 2
    assert "notes.txt: found a file that is no catalog" in err
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert command("list", "--format", "csv")[1].count("\n") == 2


def test_catalog_raw_prints_sql_that_works_by_itself(command, results):
    code, out, _ = command("catalog", "--raw")
    assert code == 0
    connection = duckdb.connect()
    connection.execute(out)
    assert connection.sql("select count(*) from performance").fetchall() == [(2,)]


def test_watch_looks_once_a_line_for_a_pipe(command, results):
    code, out, _ = command("watch", "--once")
    assert code == 0
    assert out.startswith("workspace: two | state: no run of workspace-kit | trials: 2 done, 0 failed")


def test_watch_ends_well_when_somebody_stops_it(command, results, monkeypatch):
    def stopped(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", stopped)
    code, out, err = command("watch", "two")
    assert (code, out.count("\n"), err) == (0, 1, "")


@pytest.mark.parametrize(
    ("typed", "door"),
    [
        (["list"], "open_catalog"),
        (["show", "two"], "overview"),
        (["compare", "two", "two"], "compare_workspaces"),
        (["sql", "select 1"], "open_catalog"),
        (["catalog"], "publish_catalog"),
        (["report", "two"], "write_report"),
        (["report", "--all"], "write_reports"),
    ],
)
def test_a_question_that_is_stopped_says_how_to_go_on(command, results, monkeypatch, typed, door):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(flows, door, stopped)
    code, _, err = command(*typed)
    assert code == 130
    assert "Interrupted; what was committed stays." in err


def test_watch_of_nothing_says_how_to_begin(command, tmp_path):
    (tmp_path / "results").mkdir()
    code, _, err = command("watch")
    assert code == 3
    assert "start one with `workspace-kit run --results results`" in err
