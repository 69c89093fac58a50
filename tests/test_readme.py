"""The README is exact: its code runs, its commands exist, its view columns are those of the schema."""

import datetime as dt
import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import duckdb
import msgspec
import numpy as np
import polars as pl
import pytest

import workspace_kit as wk
from workspace_kit.cli import app
from workspace_kit.config import Config, Data
from workspace_kit.errors import WorkspaceKitError
from workspace_kit.plain_yaml import load_yaml
from workspace_kit.prices import load_prices
from workspace_kit.schema import TABLES
from workspace_kit.views.queries import answers
from workspace_kit.workflow_file import parse_config

README = (Path(__file__).parents[1] / "README.md").read_text()


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def section(title: str) -> str:
    """What stands under a heading, up to the next."""
    return re.split(r"^## ", README.split(f"\n## {title}\n")[1], maxsplit=1, flags=re.MULTILINE)[0]


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


def foreign_prices() -> str:
    """Made-up daily prices of three symbols, long, under headers of another program."""
    days = pl.date_range(dt.date(2009, 1, 1), dt.date(2023, 12, 29), "1d", eager=True)
    days = days.filter(days.dt.weekday() < 6)
    steps = np.random.default_rng(0).normal(0.0004, 0.01, (days.len(), 3))
    closes = 100 * np.exp(steps.cumsum(axis=0))
    rows = zip(days.to_list(), closes.round(4).tolist(), strict=True)
    lines = [f"{day},{name},{close}" for day, row in rows for name, close in zip("ABC", row, strict=True)]
    return "\n".join(["Date,Ticker,Adj Close", *lines, ""])


def test_own_prices_and_an_own_strategy_run_as_shown(tmp_path):
    shown = section("Your own prices and strategy")
    (tmp_path / "prices.csv").write_text(foreign_prices())
    (tmp_path / "my_strategies.py").write_text(blocks("python", shown)[0])
    (tmp_path / "workflow.yaml").write_text(blocks("yaml", shown)[0])
    workspace = wk.run_workflow(tmp_path / "workflow.yaml", root=tmp_path / "r", until="phase_1", workers=1)
    trials = wk.PerformanceReader().read_all_trials(workspace.path)
    assert [(each["status"], each["error"]) for each in trials] == [("ok", None)] * 10


def test_a_long_file_as_shown_can_be_read(tmp_path):
    (tmp_path / "prices.csv").write_text(blocks("csv")[0])
    data = Data(prices="prices.csv", periods_per_year=252)
    assert load_prices(data, folder=tmp_path).frame["symbol"].to_list() == ["AAPL", "MSFT"]


def test_the_workflow_with_every_key_shows_every_key_with_its_default():
    text = blocks("yaml", section("Your own prices and strategy"))[1]
    shown = parse_config(text, where="README.md")
    bare = Config(data=Data(prices="sample:stocks", periods_per_year=12), periods=shown.periods)
    assert msgspec.structs.replace(shown, strategies=[]) == bare
    assert keys(msgspec.to_builtins(bare)) <= keys(load_yaml(text, where="README.md"))


def keys(tree: object) -> set[str]:
    return (
        {key for name, value in tree.items() for key in (name, *keys(value))}
        if isinstance(tree, dict)
        else set()
    )


def test_both_commands_set_themselves_up_on_a_fresh_machine():
    run, test = blocks("sh")[:2]
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


def test_every_column_is_documented_with_its_type_and_meaning():
    found: dict[tuple[str, str, str], list[str]] = {}
    for table in TABLES.values():
        for column in table.columns:
            found.setdefault((column.name, column.duckdb, column.meaning), []).append(table.name)
    wanted = [
        f"| `{name}` | {kind} | {meaning} | {', '.join(of)} |" for (name, kind, meaning), of in found.items()
    ]
    assert [line for line in wanted if line not in README] == []


def test_every_question_is_documented():
    wanted = [f"| `{query.name}` | {query.answers} |" for query in answers().values()]
    assert [line for line in wanted if line not in README] == []


def test_every_public_name_is_documented_by_the_first_line_of_its_docstring():
    shown = section("Python")
    wanted = [f"| `{name}` | {getattr(wk, name).__doc__.splitlines()[0]} |" for name in wk.__all__]
    assert [line for line in wanted if line not in shown] == []
    assert set(re.findall(r"^\| `(\w+)` \|", shown, re.MULTILINE)) == set(wk.__all__)


def test_every_field_of_every_document_of_a_run_is_documented(small):
    shown = section("Workspace")
    for path in [*small.rglob("*.json"), *small.rglob("*.checkpoint")]:
        if path.parent.name == "visualizations" or path.name.endswith("_digests.json"):
            continue
        document = json.loads(path.read_text())
        fields = document[0] if isinstance(document, list) else document
        missing = [name for name in fields if f"`{name}`" not in shown]
        assert missing == [], path.name


def test_every_field_of_a_signal_is_documented(small):
    fields = json.loads((small / "signals" / "trial_0.jsonl").read_text().splitlines()[0])
    assert all(f"| `{name}` | ● |" in section("Workspace") for name in fields)


def test_every_metric_has_its_formula(small):
    metrics = json.loads((small / "performance" / "trial_0.json").read_text())["metrics"]
    assert [name for name in metrics if f"`{name}`" not in section("Methods")] == []


def test_every_exit_code_is_documented():
    def below(kind: type[WorkspaceKitError]) -> set[int]:
        return {kind.exit_code}.union(*(below(each) for each in kind.__subclasses__()))

    documented = set(map(int, re.findall(r"^\| (\d+) \|", section("Commands"), re.MULTILINE)))
    assert documented == (below(WorkspaceKitError) - {WorkspaceKitError.exit_code}) | {0, 130}


def test_the_lines_for_frames_at_hand_run(capsys):
    strategy, lines = (
        blocks("python", section(title))[0] for title in ("Your own prices and strategy", "Python")
    )
    known = {"wk": wk, "Path": Path}
    for code in (strategy, lines):
        exec(compile(code, "README.md", "exec"), known)  # noqa: S102
    assert capsys.readouterr().out.count("lookback") == 4


def test_the_lines_for_following_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = wk.WorkspaceManager("results").create_workspace({}, "my_workflow")
    (folder / "signals" / "trial_0.jsonl").write_text("{}\n{")
    exec(compile(blocks("python", section("Python"))[1], "README.md", "exec"), {"wk": wk, "Path": Path})  # noqa: S102
    assert [path.read_text() for path in Path("out").glob("signals.*")] == ["{}\n"]


def test_the_lines_for_other_clients_run(small, tmp_path):
    from workspace_kit.flows.publishing import publish_catalog

    (lines,) = blocks("sql", section(JUPYTER))
    with duckdb.connect(publish_catalog(tmp_path / "c.duckdb", small.parent), read_only=True) as connection:
        answers_ = [connection.sql(line).fetchall() for line in lines.strip().split("\n")]
    assert [len(rows) for rows in answers_] == [5, 3]


def test_habits_from_elsewhere_find_what_they_look_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    known = {"wk": wk, "__name__": "habits"}
    pieces = re.findall(r"`((?:(?:manager|workspace) = )?(?:wk|manager|catalog)\..*?\))`", section(HABITS))
    assert len(pieces) == 10
    for piece in pieces:
        if piece.startswith("catalog") and "catalog" not in known:
            known["catalog"] = wk.open_catalog("results")
        exec(compile(piece, "README.md", "exec"), known)  # noqa: S102
    known["catalog"].close()


def test_the_lines_for_a_panel_of_one_s_own_run(small, tmp_path, monkeypatch):
    shutil.copytree(small, tmp_path / "results" / "my-run")
    monkeypatch.chdir(tmp_path)
    exec(compile(blocks("python", section("Pages"))[0], "README.md", "exec"), {})  # noqa: S102
    html = Path("results/my-run/visualizations/report.html").read_text()
    assert '<section id="my-view"' in html
    assert "Trials per strategy and period." in html


HABITS = "Coming from MLflow or Optuna"


def test_the_lines_for_a_notebook_run(small, monkeypatch):
    monkeypatch.chdir(small.parent.parent)
    known = {}
    exec(compile(blocks("python", section(JUPYTER))[0], "README.md", "exec"), known)  # noqa: S102
    assert set(known["signals"]["workspace"]) == {small.name}
    known["catalog"].close()


JUPYTER = "Jupyter and other SQL clients"


def test_the_links_of_the_readme_lead_somewhere():
    headings = re.findall(r"^## (.*)$", README, re.MULTILINE)
    anchors = {re.sub(r"[^a-z -]", "", title.lower()).replace(" ", "-") for title in headings}
    assert set(re.findall(r"\]\(#(.*?)\)", README)) <= anchors
    here = Path(__file__).parents[1]
    assert [place for place in re.findall(r"\]\(([^#h].*?)\)", README) if not (here / place).exists()] == []
