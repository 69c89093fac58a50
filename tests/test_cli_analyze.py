"""The command `analyze`, and a run on other workspaces, as a person types them."""

import pytest

from tests.flows.foreign import RULES, contents, write_foreign, write_prices


@pytest.fixture
def command(command, tmp_path):
    """Run one command in a folder with prices, rules and a workspace of another program."""
    write_prices(tmp_path)
    write_foreign(tmp_path / "results", "workflow_123", [3, 5], until=2009)
    (tmp_path / "rules.yaml").write_text(RULES)

    return command


def test_analyze_says_what_it_wrote(command, tmp_path):
    told = ("--config", "rules.yaml", "--as", "look", "--what", "regimes", "--what", "correlation")
    code, out, err = command("analyze", "workflow_123", *told)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "Wrote results/workflow_123/analysis/look_regime_optimal_params.json"
    assert len(lines) == 5
    assert all((tmp_path / line.removeprefix("Wrote ")).is_file() for line in lines)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("workflow_123", "--as", "a"), 2, "pass --config FILE"),
        (("workflow_123", "--as", "a", "--config", "rules.yaml", "--what", "luck"), 2, "found 'luck'"),
        (("workflow_123", "--as", "../a", "--config", "rules.yaml"), 2, "NameInvalid"),
        (("workflow_123", "--as", "a", "--config", "nowhere.yaml"), 3, "nowhere.yaml"),
        (("workflow_9", "--as", "a", "--config", "rules.yaml"), 3, "no workspace 'workflow_9'"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(command, tmp_path, arguments, code, message):
    before = contents(tmp_path / "results" / "workflow_123")
    ended, out, err = command("analyze", *arguments)
    assert (ended, out) == (code, "")
    assert err.count("\n") == 1
    assert message in err
    assert contents(tmp_path / "results" / "workflow_123") == before


def test_an_analysis_needs_a_name(command):
    assert command("analyze", "workflow_123", "--config", "rules.yaml")[0] == 2


def test_help_comes_with_an_example(command):
    code, out, _ = command("analyze", "--help")
    assert code == 0
    assert "Example:" in out


def test_a_run_that_ends_after_phase_3_is_fine_and_says_so(command, tmp_path):
    (tmp_path / "taken.yaml").write_text(f"{RULES}\ndiscovery: {{from: [workflow_123]}}\n")
    code, out, err = command("run", "taken.yaml", "--id", "mine", "--workers", "1")
    assert (code, err) == (0, "")
    verdict, report, ended = out.splitlines()
    assert verdict.startswith("Winner ")
    assert report == "Report: results/mine/visualizations/report.html"
    assert ended.startswith("Ended after phase 3: no signal in the test period of trial_")
    assert not (tmp_path / "results" / "mine" / "performance" / "validation_results.json").exists()


def test_a_run_without_strategies_or_sources_is_one_line(command):
    code, out, err = command("run", "rules.yaml")
    assert (code, out) == (2, "")
    assert "found no strategy" in err
    assert err.count("\n") == 1
