"""Every verdict, made by hand: which file, what happened to it, and never a word about the others."""

import datetime as dt
import hashlib
import itertools
import json
import os

import polars as pl
import pytest

from workspace_kit.errors import FileDamaged, StorageError, WorkspaceCorruptedError
from workspace_kit.layout import digests as module
from workspace_kit.layout import reader
from workspace_kit.layout.checkpoint import set_aside, write_checkpoint, write_marker
from workspace_kit.layout.digests import Digests
from workspace_kit.layout.inventory import inventory
from workspace_kit.layout.lifecycle import create_workspace
from workspace_kit.layout.names import Workspace
from workspace_kit.layout.verify import check, verify
from workspace_kit.layout.writer import log_event

NOW = dt.datetime(2026, 1, 2, 3, 4, 5)
LINE = '{"timestamp":"2023-01-01T09:30:00","symbol":"A","action":"BUY","strength":0.8,"strategy":"s"}\n'


@pytest.fixture
def workspace(tmp_path):
    held = create_workspace(tmp_path, "w", config={}, environment={}, now=NOW, durability="none")
    for trial in (0, 1):
        signals = held.path / "signals" / f"trial_{trial}.jsonl"
        signals.write_text(LINE * 3)
    sealed = {"rows": 3, "sha256": hashlib.sha256((LINE * 3).encode()).hexdigest()}
    document = {"trial_id": "trial_0", "metrics": {}, "signals": sealed}
    (held.path / "performance" / "trial_0.json").write_text(json.dumps(document))
    (held.path / "analysis" / "a.json").write_text("[1, 2, 3]")
    write_marker(held, "phase_1", writes=["signals/*"], written_at=NOW, sync=False)
    write_checkpoint(
        held, "phase_1", inventory([held]), state={}, completed_trials=[], written_at=NOW, sync=False
    )
    return held


def verdicts(workspace) -> dict[str, tuple[str, str]]:
    """Verdict and detail of each file about which there is something to say."""
    rows = verify(workspace, Digests(workspace, deep=True)).rows
    told = rows.filter(~pl.col("verdict").is_in(["ok", "may change"]))
    return {
        path: (verdict, detail) for path, verdict, detail in told.select("path", "verdict", "detail").rows()
    }


def log(workspace, event: str, detail):
    log_event(workspace, at=NOW, phase="phase_1", event=event, trial_id=None, detail=detail)


def test_an_untouched_workspace_is_ok_file_by_file(workspace):
    rows = verify(workspace, Digests(workspace, deep=True)).rows
    assert verdicts(workspace) == {}
    assert rows.height == 8
    assert rows["path"].is_sorted()


def append(path):
    with path.open("a") as file:
        file.write(LINE)


def same_size(path):
    data = path.read_bytes()
    path.write_bytes(b"9" + data[1:])


def truncate(path):
    os.truncate(path, path.stat().st_size - 2)


def to_link(path):
    target = path.with_name("elsewhere")
    path.rename(target.parent.parent / "elsewhere")
    path.symlink_to(target.parent.parent / "elsewhere")


def to_folder(path):
    path.unlink()
    path.mkdir()


def to_pipe(path):
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("name", "harm", "verdict"),
    [
        ("signals/trial_1.jsonl", append, ("appended", f"+{len(LINE)} bytes")),
        ("signals/trial_0.jsonl", append, ("modified", f"+{len(LINE)} bytes")),
        ("analysis/a.json", same_size, ("modified", "same size, other bytes")),
        ("signals/trial_1.jsonl", same_size, ("modified", "same size, other bytes")),
        ("signals/trial_1.jsonl", truncate, ("truncated", "−2 bytes")),
        ("analysis/a.json", lambda path: path.unlink(), ("deleted", "")),
        ("analysis/a.json", to_link, ("type changed", "it is now a symbolic link")),
        ("analysis/a.json", to_folder, ("type changed", "it is now a folder")),
        ("analysis/a.json", to_pipe, ("type changed", "it is now no regular file")),
        ("metadata/config.yaml", append, ("modified", f"+{len(LINE)} bytes")),
    ],
)
def test_a_change_is_named_on_its_file_alone(workspace, name, harm, verdict):
    harm(workspace.path / name)
    assert verdicts(workspace) == {name: verdict}


def test_a_folder_that_became_a_link_is_a_change_of_each_file_in_it(workspace, tmp_path):
    (workspace.path / "analysis").rename(tmp_path / "moved")
    (workspace.path / "analysis").symlink_to(tmp_path / "moved")
    found = verdicts(workspace)
    assert found["analysis/a.json"] == ("type changed", "its folder is now a symbolic link")


def test_a_folder_that_is_gone_is_a_deletion_of_each_file_in_it(workspace):
    (workspace.path / "analysis" / "a.json").unlink()
    (workspace.path / "analysis").rmdir()
    assert verdicts(workspace) == {"analysis/a.json": ("deleted", "")}


def test_a_changed_file_with_its_old_time_is_found_even_with_remembered_digests(workspace):
    path = workspace.path / "analysis" / "a.json"
    digests = Digests(workspace, deep=False, now_ns=lambda: 10**19)
    verify(workspace, digests)
    digests.remember()
    before = path.stat()
    path.write_text("[1, 2, 4]")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    found = verify(workspace, Digests(workspace, deep=False)).problems
    assert found.select("path", "verdict").rows() == [("analysis/a.json", "modified")]


def test_remembered_digests_spare_reading_and_deep_reads_again(workspace, monkeypatch):
    digests = Digests(workspace, deep=False, now_ns=lambda: 10**19)
    verify(workspace, digests)
    digests.remember()
    read = []

    honest = module.sha256_of
    monkeypatch.setattr(module, "sha256_of", lambda path: read.append(path) or honest(path))
    verify(workspace, Digests(workspace, deep=False))
    assert read == []
    verify(workspace, Digests(workspace, deep=True))
    assert len(read) == 6


def test_a_file_changed_just_now_is_not_remembered(workspace):
    last = max(path.stat().st_mtime_ns for path in workspace.path.rglob("*"))
    # The verify itself may take long: what counts is when each file was looked at.
    moments = itertools.chain([last + 1] * 6, itertools.repeat(10**19))
    digests = Digests(workspace, deep=False, now_ns=moments.__next__)
    verify(workspace, digests)
    digests.remember()
    assert json.loads((workspace.root / ".workspace_kit" / "digests" / "w.json").read_text()) == {}


@pytest.mark.parametrize("link", [".workspace_kit", ".workspace_kit/digests"])
def test_digests_are_neither_remembered_nor_looked_up_through_a_link(workspace, tmp_path, link):
    (tmp_path / "elsewhere" / "digests").mkdir(parents=True)
    place = workspace.root / link
    if place.exists():
        place.rename(tmp_path / "before")
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(tmp_path / "elsewhere")
    digests = Digests(workspace, deep=False, now_ns=lambda: 10**19)
    verify(workspace, digests)
    digests.remember()
    assert [path.name for path in (tmp_path / "elsewhere").rglob("*")] == ["digests"]


def test_no_checkpoint_is_read_or_written_through_a_link(workspace, tmp_path):
    folder = workspace.path / "checkpoints"
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    before = sorted((tmp_path / "elsewhere").rglob("*"))
    assert verdicts(workspace)["checkpoints/phase_1_complete.checkpoint"] == (
        "checkpoint damaged",
        "a symbolic link",
    )
    files = inventory([workspace])
    for write in (
        lambda: write_marker(workspace, "phase_2", writes=[], written_at=NOW, sync=False),
        lambda: write_checkpoint(
            workspace, "phase_2", files, state={}, completed_trials=[], written_at=NOW, sync=False
        ),
        lambda: set_aside(workspace, workspace.path / "analysis" / "a.json", seq=1),
    ):
        with pytest.raises(StorageError, match="found a symbolic link"):
            write()
    assert sorted((tmp_path / "elsewhere").rglob("*")) == before


def test_output_of_a_phase_that_began_is_partial_and_any_other_file_added(workspace):
    write_marker(workspace, "phase_2", writes=["analysis/regime_*"], written_at=NOW, sync=False)
    (workspace.path / "analysis" / "regime_optimal_params.json").write_text("{}")
    (workspace.path / "analysis" / "notes.json").write_text("{}")
    assert verdicts(workspace) == {
        "analysis/regime_optimal_params.json": ("partial output", "of phase_2"),
        "analysis/notes.json": ("added", "in no checkpoint, nor registered in the log"),
    }
    check(verify(workspace, Digests(workspace, deep=True)).rows, where=workspace.path)


def test_an_analysis_that_the_log_names_is_known(workspace):
    for name in ("mine.json", "mine.meta.json", "mine.csv"):
        (workspace.path / "analysis" / name).write_text("{}")
    log(workspace, "analysis mine", "")
    assert {verdict for verdict, _ in verdicts(workspace).values()} == {"registered"}


def test_an_accepted_change_says_by_whom_and_why_and_covers_no_other_change(workspace):
    path = workspace.path / "analysis" / "a.json"
    path.write_text("[]")
    digest = hashlib.sha256(b"[]").hexdigest()
    detail = {"path": "analysis/a.json", "sha256": digest, "who": "ann", "reason": "typo", "after": "phase_1"}
    log(workspace, "accepted", detail)
    assert verdicts(workspace) == {"analysis/a.json": ("accepted", "by ann: typo")}
    path.write_text("[0]")
    assert verdicts(workspace)["analysis/a.json"][0] == "truncated"


def test_an_accepted_file_that_is_changed_again_is_no_longer_known(workspace):
    path = workspace.path / "analysis" / "mine.txt"
    path.write_text("1")
    digest = hashlib.sha256(b"1").hexdigest()
    log(
        workspace, "accepted", {"path": "analysis/mine.txt", "sha256": digest, "who": "ann", "reason": "mine"}
    )
    assert verdicts(workspace)["analysis/mine.txt"][0] == "registered"
    path.write_text("2")
    assert verdicts(workspace)["analysis/mine.txt"][0] == "added"


def test_all_changes_are_listed_in_one_error(workspace):
    (workspace.path / "analysis" / "a.json").unlink()
    same_size(workspace.path / "signals" / "trial_1.jsonl")
    with pytest.raises(WorkspaceCorruptedError) as caught:
        check(verify(workspace, Digests(workspace, deep=True)).rows, where=workspace.path)
    assert caught.value.exit_code == 4
    assert "2 files changed since the last checkpoint: " in str(caught.value)
    assert "analysis/a.json deleted; signals/trial_1.jsonl modified (same size, other bytes)" in str(
        caught.value
    )


def test_what_cannot_be_read_is_no_change_and_never_ok(workspace, monkeypatch):

    honest = reader.os.open

    def refuse(path, flags, *mode):
        if str(path).endswith("a.json"):
            raise PermissionError(13, "Permission denied")
        return honest(path, flags, *mode)

    monkeypatch.setattr(reader.os, "open", refuse)
    found = verify(workspace, Digests(workspace, deep=True))
    assert found.problems.select("path", "verdict", "detail").rows() == [
        ("analysis/a.json", "unreadable", "EACCES: Permission denied")
    ]
    with pytest.raises(FileDamaged) as caught:
        check(found.rows, where=workspace.path)
    assert caught.value.exit_code == 5
    assert "1 file that cannot be read: analysis/a.json unreadable (EACCES: Permission denied)" in str(
        caught.value
    )


def test_a_damaged_checkpoint_is_named_and_the_way_out_with_it(workspace):
    path = workspace.path / "checkpoints" / "phase_1_complete.checkpoint"
    path.write_bytes(path.read_bytes()[:40])
    found = verify(workspace, Digests(workspace, deep=True))
    assert found.problems.select("path", "verdict", "detail").rows() == [
        (
            "checkpoints/phase_1_complete.checkpoint",
            "checkpoint damaged",
            "not JSON: Expecting value at column 12 of line 4",
        )
    ]
    with pytest.raises(
        WorkspaceCorruptedError, match=r"`workspace-kit resume w --fallback --results /\S+` goes"
    ):
        check(found.rows, where=workspace.path)


def test_a_log_that_is_gone_is_a_deletion_and_a_picture_that_is_gone_is_none(workspace):
    picture = workspace.path / "visualizations" / "chart.png"
    picture.touch()
    write_checkpoint(
        workspace,
        "phase_2",
        inventory([workspace]),
        state={},
        completed_trials=[],
        written_at=NOW,
        sync=False,
    )
    picture.unlink()
    (workspace.path / "metadata" / "execution_log.json").unlink()
    assert verdicts(workspace) == {"metadata/execution_log.json": ("deleted", "")}


def test_a_damaged_log_is_unreadable_and_the_rest_is_judged(workspace):
    (workspace.path / "metadata" / "execution_log.json").write_text("[{")
    assert verdicts(workspace)["metadata/execution_log.json"][0] == "unreadable"


def test_before_the_first_checkpoint_the_configuration_is_guarded_by_the_marker(tmp_path):
    held = create_workspace(tmp_path, "w", config={}, environment={}, now=NOW, durability="none")
    write_marker(held, "phase_1", writes=["signals/trial_*"], written_at=NOW, sync=False)
    (held.path / "signals" / "trial_0.jsonl").write_text(LINE)
    assert verdicts(held) == {"signals/trial_0.jsonl": ("partial output", "of phase_1")}
    (held.path / "metadata" / "config.yaml").write_text("seed: 43\n")
    assert verdicts(held)["metadata/config.yaml"][0] == "modified"


def test_a_workspace_of_another_program_without_checkpoints_is_read_as_it_is(tmp_path):
    (tmp_path / "w" / "signals").mkdir(parents=True)
    (tmp_path / "w" / "signals" / "trial_0.jsonl").write_text(LINE)

    found = verify(Workspace(tmp_path, "w"), Digests(Workspace(tmp_path, "w"), deep=True))
    assert found.rows.select("path", "verdict").rows() == [("signals/trial_0.jsonl", "added")]
    assert found.phase is None


def test_what_no_workspace_has_is_reported_and_left_alone(workspace, tmp_path):
    (workspace.path / "analysis" / "link.json").symlink_to(tmp_path / "nowhere")
    os.mkfifo(workspace.path / "analysis" / "pipe.json")
    (tmp_path / "elsewhere").mkdir()
    (workspace.path / "visualizations").rmdir()
    (workspace.path / "visualizations").symlink_to(tmp_path / "elsewhere")
    (workspace.path / "signals" / os.fsdecode(b"\xff.jsonl")).touch()
    found = verdicts(workspace)
    assert {path: detail for path, (_, detail) in found.items()} == {
        "analysis/link.json": "no regular file; left where it is",
        "analysis/pipe.json": "no regular file; left where it is",
        "signals/\\xff.jsonl": "no regular file; left where it is",
        "visualizations": "no regular file; left where it is",
    }
