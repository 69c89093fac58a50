"""The README is exact: its code runs, its commands exist, its view columns are those of the schema."""

import datetime as dt
import re
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest

import workspace_kit as wk
from workspace_kit.cli import app
from workspace_kit.schema import TABLES

README = (Path(__file__).parents[1] / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def my_backtest(lookback: int) -> SimpleNamespace:
    signals = pl.DataFrame(
        {
            "timestamp": [dt.datetime(2023, 1, 2, 16), dt.datetime(2023, 1, 3, 16)],
            "symbol": ["AAPL", "AAPL"],
            "action": ["BUY", "SELL"],
            "strength": [1.0, 1.0],
        },
        schema_overrides={"timestamp": pl.Datetime("us")},
    )
    metrics = {"sharpe_ratio": lookback / 100, "total_return": 0.01, "win_rate": None}
    return SimpleNamespace(signals=signals, metrics=metrics, trades=1)


def test_a_foreign_backtester_ends_in_a_report_in_fifteen_lines(tmp_path, monkeypatch, capsys):
    code = blocks("python")[0]
    body = [line for line in code.splitlines() if line and not line.startswith("import")]
    assert len(body) <= 15
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {"my_backtest": my_backtest})  # noqa: S102
    printed = capsys.readouterr().out
    assert printed.index("trial_2") < printed.index("trial_1") < printed.index("trial_0")
    page = Path(printed.strip().splitlines()[-1])
    assert "my backtester" in page.read_text()


def test_the_strategy_shown_runs_and_is_causal(small_text, tmp_path):
    (tmp_path / "shown_in_readme.py").write_text(blocks("python")[1])
    shown = "{name: momentum, function: 'shown_in_readme:momentum', parameters: {lookback: [3]}}"
    start, end = small_text.index("strategies:"), small_text.index("search:")
    (tmp_path / "workflow.yaml").write_text(
        f"{small_text[:start]}strategies: [{shown}]\n\n{small_text[end:]}"
    )
    workspace = wk.run_workflow(tmp_path / "workflow.yaml", root=tmp_path, until="phase_1", workers=1)
    (trial,) = wk.PerformanceReader().read_all_trials(workspace.path)
    assert (trial["status"], trial["error"]) == ("ok", None)


def test_both_commands_set_themselves_up_on_a_fresh_machine():
    run, test = blocks("sh")
    for command in (run, test):
        assert command.startswith("python3 -m venv .venv && .venv/bin/pip install -q ")
    assert run.endswith("workspace-kit run\n")
    assert test.endswith("pytest\n")


def test_every_command_is_documented_and_every_documented_command_exists():
    documented = set(re.findall(r"^\| `workspace-kit (\w+)", README, re.MULTILINE))
    known = {(each.name or each.callback.__name__).strip("_") for each in app.registered_commands}
    assert documented == known


@pytest.mark.parametrize("name", TABLES)
def test_every_view_is_documented_with_its_grain_and_columns(name):
    table = TABLES[name]
    assert f"| `{name}` | {table.grain} | {', '.join(table.names)} |" in README


def test_every_public_name_can_be_imported_and_says_what_it_is():
    for name in wk.__all__:
        assert getattr(wk, name).__doc__, name


def test_importing_the_package_loads_no_engine():
    import subprocess
    import sys

    engines = ("polars", "duckdb", "matplotlib")
    script = f"import sys, workspace_kit; print([name for name in {engines} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
