"""Every command as a person types it; every mistake gives one clear line and its exit code."""

import json
import shutil
from importlib.metadata import version

import pytest

from workspace_kit.cli import app
from workspace_kit.workflow_file import example_text

NAMES = [each.name for each in app.registered_commands]


def written(folder, text: str):
    path = folder / "workflow.yaml"
    path.write_text(text)
    return str(path)


def test_init_writes_the_commented_example_once(command, tmp_path):
    assert command("init")[0] == 0
    assert (tmp_path / "workflow.yaml").read_text() == example_text()
    code, _, message = command("init")
    assert code == 2
    assert "workflow.yaml: found a file of this name, expected none yet" in message


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        (("metric:", "metrik:"), 2, "key metrik: found an unknown key 'metrik', expected one of"),
        (("cost_bps", "cost_bsp"), 2, "did you mean 'cost_bps'?"),
        (("2010-01-01", "2009-06-01"), 2, "disjoint periods in the order train, select, test"),
        (("prices: sample:stocks", "prices: nowhere.csv"), 3, "nowhere.csv"),
        (("prices: sample:stocks", "prices: bad.csv"), 5, "PriceError"),
        (("prices: sample:stocks", "prices: mixed.csv"), 2, "TimezoneError"),
        (("function: momentum ", "function: nowhere:momentum "), 2, "which cannot be imported"),
        (("function: momentum ", "function: momentun "), 2, "expected one of"),
        (("function: momentum ", "function: textwrap:indnt "), 2, "did you mean 'indent'?"),
        (("test: [2016-01-01, 2022-05-31]", "test: [2030-01-01, 2031-01-01]"), 5, "to 2022-05-31 23:59:59"),
        (("delay: 1 ", "delay: 0 "), 2, "key execution.delay: found 0, expected int >= 1"),
    ],
)
def test_a_workflow_that_cannot_be_meant_is_one_line_and_writes_nothing(
    command, tmp_path, change, code, message
):
    (tmp_path / "bad.csv").write_text("timestamp,symbol,close\n2020-01-01,A,1\n2020-01-02,A,-3\n")
    mixed = "timestamp,symbol,close\n2020-01-01T00:00,A,1\n2020-01-02T00:00Z,A,3\n"
    (tmp_path / "mixed.csv").write_text(mixed)
    assert change[0] in example_text()
    ended, out, err = command("run", written(tmp_path, example_text().replace(*change, 1)))
    assert (ended, out) == (code, "")
    assert err.count("\n") == 1
    assert message in err
    assert not (tmp_path / "results").exists()


def test_list_shows_what_a_person_compares_and_csv_leaves_nothing_out(command, tmp_path, small):
    shutil.copytree(small, tmp_path / "results" / small.name)
    heads, _, row = [line for line in command("list")[1].splitlines() if line.strip()]
    assert heads.split() == [
        *("workspace", "name", "state", "trials", "candidate", "train", "select", "test"),
        *("dsr", "pbo", "faults"),
    ]
    assert row.split()[:4] == [small.name, "trend-and-reversal", "complete", "8"]
    assert "select_sharpe_ratio" in command("list", "--format", "csv")[1]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("run folder", 2, "UsageError: folder: found a folder, expected a workflow file; name a file in it"),
        ("run empty.yaml", 2, "ConfigError: empty.yaml: found nothing in it, expected keys such as data,"),
        ("run text.yaml", 2, "ConfigError: text.yaml: found text without keys, expected keys such as data,"),
        ("run torn.yaml", 2, "ConfigError: torn.yaml, line 1: found no YAML (expected the node content"),
        ("show workflow_2", 3, "one of the 1 workspaces there; did you mean 'workflow_1'?"),
        ("show away", 3, "it is archived: `workspace-kit restore away --results results` brings it back"),
        ("show workflow_1 --results folder", 3, "expected a folder that holds some; check --results"),
        ("sql leaderbord", 2, "did you mean 'leaderboard'?"),
        ("report", 2, "found neither a workspace nor --all, expected one of them"),
        ("report workflow_1 --all", 2, "found a workspace and --all, expected one of them"),
    ],
)
def test_a_slip_is_told_in_one_line_that_says_what_to_do(command, tmp_path, words, code, message):
    (tmp_path / "results" / "workflow_1" / "signals").mkdir(parents=True)
    (tmp_path / "results" / "archive").mkdir()
    (tmp_path / "results" / "archive" / "away.tar.zst").touch()
    (tmp_path / "folder").mkdir()
    for name, text in (("empty", ""), ("text", "hello"), ("torn", "a: [1,")):
        (tmp_path / f"{name}.yaml").write_text(text)
    ended, out, err = command(*words.split())
    assert (ended, out) == (code, "")
    assert err.count("\n") == 1
    assert message in err


def test_a_workspace_id_that_leads_elsewhere_is_refused(command):
    code, _, err = command("show", "..")
    assert code == 2
    assert err.startswith("NameInvalid: workspace id: found '..', expected 1 to 128 letters")
    assert command("run", "--id", "../evil")[0] == 2


def test_an_unknown_workspace_is_not_found(command, tmp_path):
    (tmp_path / "results").mkdir()
    code, _, err = command("show", "workflow_x")
    assert code == 3
    assert "no workspace 'workflow_x'" in err


def test_an_empty_results_folder_is_fine_and_says_so(command, tmp_path):
    (tmp_path / "results").mkdir()
    code, out, err = command("list", "--format", "csv")
    assert code == 0
    assert out.startswith("workspace,name,")
    assert "No workspace in results yet" in err
    assert command("sql", "select count(*) as n from signals", "--format", "json")[1] == '[{"n":0}]\n'


def test_a_missing_results_folder_is_not_found(command):
    assert command("list", "--results", "nowhere")[0] == 3


def test_sql_that_cannot_be_answered_names_the_nearest_column(command, tmp_path):
    (tmp_path / "results").mkdir()
    code, _, err = command("sql", "select sharp_ratio from performance")
    assert code == 2
    assert "sharpe_ratio" in err
    assert err.count("\n") == 1


def test_a_torn_line_is_a_fault_and_every_other_line_an_answer(command, tmp_path, example):
    shutil.copytree(example, tmp_path / "results" / example.name)
    path = tmp_path / "results" / example.name / "signals" / "trial_0.jsonl"
    whole = path.read_bytes().count(b"\n")
    with path.open("ab") as file:
        file.write(b'{"timestamp": "2015-')
    query = "select count(*) as n from signals where trial_id = 'trial_0'"
    code, out, _ = command("sql", query, "--format", "json")
    assert (code, json.loads(out)) == (0, [{"n": whole}])
    out = command("sql", "select path, line, reason from faults", "--format", "json")[1]
    assert [(row["line"], row["reason"]) for row in json.loads(out)] == [(whole + 1, "no newline at the end")]
    assert "1 fault(s)" in command("show", example.name)[1]


def test_an_unknown_option_is_a_usage_error(command):
    assert command("run", "--nonsense")[0] == 2


@pytest.mark.parametrize("name", NAMES)
def test_every_command_explains_itself_with_an_example_of_itself(command, name):
    code, out, _ = command(name, "--help")
    assert code == 0
    assert f"Example: workspace-kit {name}" in out


@pytest.mark.parametrize("name", NAMES)
def test_nothing_but_a_terminal_is_coloured(command, name):
    _, out, err = command(name, "--help")
    assert "\x1b" not in out + err


def test_the_version_is_that_of_the_package(command):
    assert command("--version") == (0, f"workspace-kit {version('workspace-kit')}\n", "")


@pytest.mark.parametrize(
    ("words", "known"),
    [
        ("show workflow_", ["workflow_1", "workflow_2"]),
        ("compare other workflow_2", ["workflow_2"]),
        ("clean workflow_1 o", ["other"]),
        ("report --results elsewhere ", ["away"]),
        ("restore ", ["put_away"]),
        ("show nothing", []),
    ],
)
def test_the_shell_completes_ids_of_workspaces(command, monkeypatch, tmp_path, words, known):
    for path in ("results/workflow_1", "results/workflow_2", "results/other", "elsewhere/away"):
        (tmp_path / path / "signals").mkdir(parents=True)
    (tmp_path / "results" / "archive").mkdir()
    (tmp_path / "results" / "archive" / "put_away.tar.zst").touch()
    monkeypatch.setenv("_WORKSPACE_KIT_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"workspace-kit {words}")
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" "))))
    assert command()[1].split() == known


def test_show_and_report_tell_the_verdict(command, tmp_path, example):
    shutil.copytree(example, tmp_path / "results" / example.name)
    verdict = json.loads((example / "analysis" / "overfitting.json").read_text())["verdict"]
    assert command("show", example.name)[1].startswith(verdict)
    code, out, _ = command("report", example.name, "--out", "pages")
    assert (code, out) == (0, "Report: pages/report.html\n")
    assert (tmp_path / "pages" / "performance_chart.png").read_bytes().startswith(b"\x89PNG")


def test_a_users_own_strategy_runs_on_the_users_own_prices(command, tmp_path):
    days = [(month, day) for month in range(1, 13) for day in range(1, 28)]
    rows = [f"2020-{month:02d}-{day:02d},A,{10 + (day * month) % 7}" for month, day in days]
    (tmp_path / "prices.csv").write_text("timestamp,symbol,close\n" + "\n".join(rows) + "\n")
    (tmp_path / "mine.py").write_text(
        "import polars as pl\n"
        "def alternate(prices, parameters):\n"
        "    even = pl.int_range(pl.len()).over('symbol') // parameters['every'] % 2 == 0\n"
        "    action = pl.when(even).then(pl.lit('BUY')).otherwise(pl.lit('SELL')).alias('action')\n"
        "    return prices.select('timestamp', 'symbol', action, pl.lit(1.0).alias('strength'))\n"
    )
    text = """
data: {prices: prices.csv, periods_per_year: 252}
periods: {train: [2020-01-01, 2020-06-30], select: [2020-07-01, 2020-09-30], test: [2020-10-01, 2020-12-31]}
strategies: [{name: alternate, function: 'mine:alternate', parameters: {every: [2, 3, 5]}}]
"""
    code, out, err = command("run", written(tmp_path, text), "--id", "own", "--workers", "1")
    assert (code, err) == (0, "")
    verdict, report = out.splitlines()
    assert verdict.startswith("Winner ensemble_trial_")
    assert report == "Report: results/own/visualizations/report.html"
    query = "select trial_id, status from performance where kind = 'trial' and period = 'train'"
    answer = json.loads(command("sql", query, "--format", "json")[1])
    assert answer == [{"trial_id": f"trial_{number}", "status": "ok"} for number in range(3)]
