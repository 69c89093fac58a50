"""`workspace-kit compare` as a person types it."""

import json
import sys

import pytest

import workspace_kit as wk
from workspace_kit import cli


@pytest.fixture
def compare(capfd, monkeypatch, tmp_path):
    """Compare two workspaces of an empty root, to which the test adds: exit code, output and messages."""
    manager = wk.WorkspaceManager(tmp_path)
    for name, sharpe in (("a", 1.0), ("b", 1.5)):
        folder = manager.create_workspace({"name": name}, name)
        wk.write_trial(folder, 0, strategy="s", parameters={"x": 1}, metrics={"sharpe_ratio": sharpe})
    wk.write_trial(folder, 1, strategy="s", parameters={"x": 2}, metrics={})

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["workspace-kit", "compare", *arguments, "--results", str(tmp_path)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capfd.readouterr()
        return ended.value.code, captured.out, captured.err

    return run


def test_people_see_what_differs(compare):
    code, out, err = compare("a", "b")
    assert (code, err) == (0, "")
    for line in (
        "a is a, b is b",
        "Configuration: 1 key(s) differ",
        "Trials: 1 of 1 matched by strategy and parameters differ on train",
        "0 trial(s) only in a",
        "1 trial(s) only in b",
    ):
        assert f"{line}\n" in out
    assert 's          {"x": 1}     trial_0   trial_0   1   1.5          0.5' in out
    assert "fault(s)" not in out


def test_programs_get_every_row(compare):
    code, out, err = compare("a", "b", "--format", "json")
    assert (code, err) == (0, "")
    rows = json.loads(out)
    assert {
        "part": "config",
        "subject": None,
        "name": "name",
        "a": '"a"',
        "b": '"b"',
        "difference": None,
    } in rows
    (sharpe,) = [row for row in rows if row["name"] == "sharpe_ratio"]
    assert (sharpe["subject"], sharpe["a"], sharpe["b"], sharpe["difference"]) == (
        's {"x": 1}',
        "1.0",
        "1.5",
        0.5,
    )


def test_a_workspace_compared_with_itself_has_no_difference(compare):
    out = compare("a", "a")[1]
    assert "Configuration: 0 key(s) differ\n" in out
    assert "Trials: 0 of 1 matched" in out


def test_an_unknown_workspace_is_not_found(compare):
    code, out, err = compare("a", "nobody")
    assert (code, out) == (3, "")
    assert "no workspace 'nobody'" in err


def test_compare_explains_itself_with_an_example(compare):
    code, out, _ = compare("--help")
    assert code == 0
    assert "Example:" in out
