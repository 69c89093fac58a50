"""The commands around a finished workspace, as a person types them."""

import json
import os

import pytest

import workspace_kit as wk

LONG_AGO = 1_600_000_000


@pytest.fixture
def command(command, tmp_path):
    """Run one command in a folder with a finished workspace ``w``: its exit code, output and messages."""
    folder = wk.WorkspaceManager("results").create_workspace({"name": "mine"}, "w")
    wk.write_trial(folder, 0, parameters={}, metrics={"sharpe_ratio": 1.0})
    (folder / "signals" / "trial_0.jsonl").write_bytes(b'{"torn\n')
    for path in folder.rglob("*"):
        os.utime(path, (LONG_AGO, LONG_AGO))

    return command


def test_archive_and_restore_say_where(command, tmp_path):
    code, out, _ = command("archive", "w")
    assert (code, out) == (0, "Archive: results/archive/w.tar.zst\n")
    assert "archived" in command("list", "--format", "csv")[1]
    assert command("archive", "w")[0] == 3
    code, out, _ = command("restore", "w")
    assert (code, out) == (0, "Workspace: results/w\n")
    assert command("restore", "w")[0] == 2
    assert command("restore", "nobody")[0] == 3


def test_a_dry_run_only_lists_and_clean_then_does_it(command, tmp_path):
    code, out, message = command("clean", "--keep-days", "30", "--dry-run", "--format", "json")
    assert code == 0
    assert [row["workspace"] for row in json.loads(out)] == ["w"]
    assert message.startswith("1 workspace(s) would be archived, ")
    assert (tmp_path / "results" / "w").exists()
    assert command("clean", "--keep-days", "30")[:2] == (0, "w: archived as results/archive/w.tar.zst\n")


def test_a_pinned_workspace_stays(command):
    assert command("pin", "w")[:2] == (0, "w is pinned.\n")
    assert "0 workspace(s)" in command("clean", "w", "--dry-run")[2]
    assert command("pin", "w", "--off")[0] == 0
    assert "1 workspace(s)" in command("clean", "w", "--dry-run")[2]
    assert command("pin", "nobody")[0] == 3


def test_repair_names_what_it_rewrote_and_then_has_nothing_to_do(command):
    code, out, _ = command("repair", "w", "--format", "csv")
    assert code == 0
    assert "signals/trial_0.jsonl,1,7,0," in out
    assert "Nothing to repair." in command("repair", "w")[2]
    assert command("repair", "w", "signals/none.jsonl")[0] == 3


def test_a_damaged_archive_is_one_line_and_exit_code_five(command, tmp_path):
    command("archive", "w")
    path = tmp_path / "results" / "archive" / "w.tar.zst"
    path.write_bytes(path.read_bytes()[:100])
    code, _, message = command("restore", "w")
    assert code == 5
    assert message.startswith("FileDamaged: results/archive/w.tar.zst: found ")
    assert message.count("\n") == 1


def test_the_doctor_answers_in_rows(command):
    code, out, _ = command("doctor", "--format", "csv")
    assert code == 0
    assert "locks,hold" in out
    assert command("doctor", "--results", "nowhere")[0] == 3
