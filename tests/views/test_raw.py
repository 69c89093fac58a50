"""The printed SQL, run by a DuckDB that knows nothing else, over files written here by hand."""

import datetime as dt
import json
from pathlib import Path

import duckdb
import polars as pl
import pytest

from workspace_kit.errors import NameInvalid
from workspace_kit.schema import TABLES
from workspace_kit.views import raw_sql

moment = dt.datetime.fromisoformat

SIGNALS = """\
{"timestamp": "2023-01-01T09:30:00", "symbol": "AAPL", "action": "BUY", "strength": 0.8, "strategy": "mean"}
{"timestamp":"2023-01-01T09:31:00+02:00","symbol":"AAPL","action":"HOLD","strength":1,"strategy":"m","n":1.0}
{"timestamp":"2023-01-01T09:32:00Z","symbol":"Ü\\"","action":"SELL","strength":0.9,"strategy":"m","why":null}

{"a":{"b":[1]},"strategy":"m","strength":0.5,"action":"SELL","symbol":"it's","timestamp":"2023-01-01"}
{"timestamp":"2023-01-01 09:30:00.123456-0530","symbol":"X","action":"BUY","strength":0.25,"strategy":"m"}
"""
TRIAL = """{
  "trial_id": "trial_0",
  "parameters": {
    "lookback": 20,
    "threshold": 0.02
  },
  "metrics": {
    "total_return": 0.156,
    "sharpe_ratio": 1.45,
    "max_drawdown": -0.082,
    "win_rate": 0.58
  },
  "trades": 145,
  "period": {
    "start": "2023-01-01",
    "end": "2023-12-31"
  }
}"""
OURS = {
    "schema_version": 1,
    "trial_id": "ensemble_trial_3",
    "kind": "ensemble",
    "strategy": "mix",
    "status": "failed",
    "error": "no bars",
    "parameters": {"a": 0.5},
    "metrics": {"total_return": None, "sharpe_ratio": 0.5, "cagr": 0.1},
    "trades": 3,
    "period": {"start": "2020-01-01T00:00:00Z", "end": "2020-06-01T00:00:00+02:00"},
    "period_name": "train",
    "metrics_by_period": {
        "select": {
            "win_rate": 0.25,
            "trades": 2,
            "bars": 9,
            "ruined": [],
            "period": {"start": "2021-01-01T00:00:00Z"},
        }
    },
}


def put(root: Path, path: str, content: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, encoding="utf-8")


@pytest.fixture(params=["results", "res[1]*ults'x", "symbol=X"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    root = tmp_path / request.param
    put(root, "workflow_1/signals/trial_0.jsonl", SIGNALS)
    put(root, "workflow_1/performance/trial_0.json", TRIAL)
    return root


def ask(root: Path, question: str) -> pl.DataFrame:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'America/New_York'")
    connection.execute(raw_sql(str(root)))
    return connection.sql(question).pl()


@pytest.mark.parametrize("name", ["signals", "performance"])
def test_the_views_have_the_columns_and_types_of_their_tables(name: str, root: Path) -> None:
    described = ask(root, f"describe {name}").select("column_name", "column_type").rows()
    assert described == [(column.name, column.duckdb) for column in TABLES[name].columns]


def test_signals_are_read_with_their_offsets_and_further_fields(root: Path) -> None:
    rows = ask(root, "from signals order by symbol, timestamp")
    assert dict(rows.schema) == TABLES["signals"].types
    expected = [
        ("2023-01-01T07:31:00", "AAPL", "HOLD", 1.0, "m", '{"n":1.0}'),
        ("2023-01-01T09:30:00", "AAPL", "BUY", 0.8, "mean", None),
        ("2023-01-01T15:00:00.123456", "X", "BUY", 0.25, "m", None),
        ("2023-01-01T23:59:59", "it's", "SELL", 0.5, "m", '{"a":{"b":[1]}}'),
        ("2023-01-01T09:32:00", 'Ü"', "SELL", 0.9, "m", '{"why":null}'),
    ]
    assert rows.rows() == [("workflow_1", "trial_0", moment(time), *rest) for time, *rest in expected]


def test_a_performance_file_as_another_program_writes_it_is_read(root: Path) -> None:
    row = ask(root, "from performance").row(0, named=True)
    metrics, parameters = json.loads(row.pop("metrics")), json.loads(row.pop("parameters"))
    assert parameters == {"lookback": 20, "threshold": 0.02}
    assert metrics == {"total_return": 0.156, "sharpe_ratio": 1.45, "max_drawdown": -0.082, "win_rate": 0.58}
    assert row == {
        "workspace": "workflow_1",
        "trial_id": "trial_0",
        "kind": "trial",
        "period": "all",
        "status": "ok",
        "strategy": None,
        "total_return": 0.156,
        "sharpe_ratio": 1.45,
        "max_drawdown": -0.082,
        "win_rate": 0.58,
        "trades": 145,
        "period_start": moment("2023-01-01T23:59:59"),
        "period_end": moment("2023-12-31T23:59:59"),
        "error": None,
    }


def test_one_of_ours_has_a_row_for_each_period(root: Path) -> None:
    put(root, "workflow_2/performance/ensemble_trial_3.json", json.dumps(OURS))
    put(root, "workflow_2/performance/summary.json", "{}")
    put(root, "workflow_2/performance/phase_1_performance.json", "{}")
    rows = ask(root, "from performance where workspace = 'workflow_2' order by period desc")
    chosen = rows.select(
        "trial_id", "kind", "period", "status", "strategy", "trades", "win_rate", "sharpe_ratio"
    )
    assert chosen.rows() == [
        ("ensemble_trial_3", "ensemble", "train", "failed", "mix", 3, None, 0.5),
        ("ensemble_trial_3", "ensemble", "select", "failed", "mix", 2, 0.25, None),
    ]
    assert rows["error"].to_list() == ["no bars", "no bars"]
    assert rows.select("period_start", "period_end").rows() == [
        (moment("2020-01-01"), moment("2020-05-31T22:00:00")),
        (moment("2021-01-01"), None),
    ]
    assert [json.loads(text) for text in rows["metrics"]] == [
        {"total_return": None, "sharpe_ratio": 0.5, "cagr": 0.1},
        {"win_rate": 0.25},
    ]


def test_a_number_for_a_name_is_the_same_trial_and_hidden_folders_are_none(root: Path) -> None:
    line = SIGNALS.splitlines()[0]
    put(root, "workflow_2/signals/12.jsonl", line + "\n")
    put(root, "workflow_2/signals/validation_12.jsonl", line + "\n")
    put(root, ".building/signals/trial_0.jsonl", line + "\n")
    rows = ask(root, "select distinct workspace, trial_id from signals order by all").rows()
    assert rows == [("workflow_1", "trial_0"), ("workflow_2", "trial_12"), ("workflow_2", "validation_12")]


def test_a_damaged_file_stops_the_question_as_the_head_says(root: Path) -> None:
    put(root, "workflow_1/signals/trial_1.jsonl", '{"timestamp": "2023-01-')
    with pytest.raises(duckdb.Error):
        ask(root, "from signals")
    assert "a damaged file stops every question" in raw_sql(str(root)).replace("\n-- ", " ")


def test_a_time_that_cannot_be_read_stops_the_question_rather_than_be_another(root: Path) -> None:
    put(root, "workflow_1/signals/trial_1.jsonl", SIGNALS.splitlines()[0].replace("2023-01-01", "2023-02-30"))
    with pytest.raises(duckdb.ConversionException):
        ask(root, "from signals")


def test_the_sql_can_be_run_again_over_another_root(root: Path, tmp_path: Path) -> None:
    put(tmp_path, "other/w/signals/trial_7.jsonl", SIGNALS.splitlines()[0])
    put(tmp_path, "other/w/performance/trial_7.json", TRIAL)
    connection = duckdb.connect()
    connection.execute(raw_sql(str(root)))
    connection.execute(raw_sql(f"{tmp_path}/other/"))
    assert connection.sql("select trial_id from signals").fetchall() == [("trial_7",)]


def test_a_root_that_duckdb_cannot_be_told_is_refused() -> None:
    with pytest.raises(NameInvalid):
        raw_sql("b\\[x")
