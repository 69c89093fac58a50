"""`verify`, `accept` and `resume` as a person types them: what they say, and with which exit code."""

import json
import re
import shutil

import pytest

from workspace_kit.flows import open_workspace
from workspace_kit.flows.pages import verdict_of
from workspace_kit.layout.chain import sealed


@pytest.fixture
def copy(example, tmp_path):
    return shutil.copytree(example, tmp_path / "results" / example.name)


def test_an_untouched_workspace_verifies_without_a_table(command, copy):
    code, out, err = command("verify", copy.name)
    assert (code, out) == (0, "")
    assert re.fullmatch(r"\d+ files: \d+ ok, \d+ may change\n", err)
    code, out, _ = command("verify", copy.name, "--deep", "--format", "json")
    assert code == 0
    assert {row["verdict"] for row in json.loads(out)} == {"ok", "may change"}


def test_changes_are_a_table_a_count_and_exit_code_4(command, copy):
    (copy / "performance" / "trial_3.json").write_text("{}")
    (copy / "signals" / "trial_2.jsonl").unlink()
    code, out, err = command("verify", copy.name)
    assert code == 4
    assert "performance/trial_3.json" in out
    assert "trial_1.json" not in out
    assert "1 deleted, 1 truncated" in err
    assert "WorkspaceCorruptedError: " in err
    code, _, err = command("resume", copy.name)
    assert code == 4
    assert "performance/trial_3.json truncated" in err


def test_what_the_disk_refuses_is_exit_code_5(command, copy):
    (copy / "metadata" / "execution_log.json").write_text("[{")
    code, _, err = command("verify", copy.name)
    assert code == 5
    assert "metadata/execution_log.json unreadable" in err


def test_a_later_format_is_exit_code_6(command, copy):
    path = copy / "checkpoints" / "phase_4_complete.checkpoint"
    content = {key: each for key, each in json.loads(path.read_text()).items() if key != "digest"}
    content["format"] = 99
    path.write_bytes(sealed(content))
    for name in ("verify", "resume"):
        code, _, err = command(name, copy.name)
        assert code == 6
        assert "use a newer workspace-kit" in err


def test_a_resume_goes_as_far_as_it_is_told_and_no_further(command, copy):
    for path in copy.glob("checkpoints/phase_[34]_complete.checkpoint"):
        path.unlink()
    log = copy / "metadata" / "execution_log.json"
    log.write_text(json.dumps([each for each in json.loads(log.read_text()) if each["phase"] < "phase_3"]))
    code, _, err = command("resume", copy.name, "--until", "phase_1", "--workers", "1")
    assert code == 2
    assert "--until: found 'phase_1', expected one of phase_3, phase_4" in err
    assert command("resume", copy.name, "--until", "phase_3", "--workers", "1", "--quiet")[0] == 0
    ended = sorted(path.name for path in copy.glob("checkpoints/*.checkpoint"))
    assert ended == [f"phase_{number}_complete.checkpoint" for number in (1, 2, 3)]


def test_a_change_is_accepted_once_with_a_reason(command, copy):
    path = copy / "analysis" / "ensemble_weights.json"
    path.write_text(path.read_text() + "\n")
    assert command("accept", copy.name, "analysis/ensemble_weights.json")[0] == 2
    code, out, _ = command("accept", copy.name, str(path), "--reason", "a line more")
    assert code == 0
    assert out == "Accepted analysis/ensemble_weights.json; stale, `resume` repeats them: phase_4\n"
    code, out, _ = command("verify", copy.name)
    assert code == 0
    assert "accepted" in out
    assert "a line more" in out


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        ("analysis/nothing.json", 3, "no file 'analysis/nothing.json'"),
        ("../../etc/passwd", 3, "no file"),
        ("analysis/regimes.csv", 2, "nothing to accept"),
        ("metadata/execution_log.json", 2, "nothing to accept"),
    ],
)
def test_what_did_not_change_cannot_be_accepted(command, copy, path, code, message):
    ended, _, err = command("accept", copy.name, path, "--reason", "why not")
    assert ended == code
    assert message in err


def test_resume_of_a_complete_workspace_tells_the_verdict_and_where_the_report_is(command, copy):
    code, out, err = command("resume", copy.name, "--workers", "1", "--quiet")
    assert (code, err) == (0, "")
    assert (
        out == f"{verdict_of(open_workspace(copy))}\nReport: results/{copy.name}/visualizations/report.html\n"
    )


@pytest.mark.parametrize("name", ["resume", "verify", "accept"])
def test_the_commands_explain_themselves_with_an_example(command, name):
    code, out, _ = command(name, "--help")
    assert code == 0
    assert "Example:" in out
