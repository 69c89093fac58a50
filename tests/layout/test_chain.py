"""Checkpoints: a sealed chain, in which no link can be changed, lost or slipped in unseen."""

import datetime as dt
import itertools
import json

import pytest

from tests.stopping import Killed, killing
from workspace_kit import storage
from workspace_kit.errors import NewerFormat, SchemaMismatch, StorageError
from workspace_kit.layout import names
from workspace_kit.layout.chain import FORMAT, read_chain, sealed
from workspace_kit.layout.checkpoint import set_aside, withdraw, write_checkpoint
from workspace_kit.layout.inventory import inventory
from workspace_kit.layout.lifecycle import create_workspace
from workspace_kit.layout.reader import log_of

NOW = dt.datetime(2026, 1, 2, 3, 4, 5)


@pytest.fixture
def workspace(tmp_path):
    return create_workspace(tmp_path, "w", config={}, environment={}, now=NOW, durability="none")


def seal(workspace, phase: str, state: dict | None = None, sync: bool = False):
    return write_checkpoint(
        workspace,
        phase,
        inventory([workspace]),
        state=state or {},
        completed_trials=["trial_0"],
        written_at=NOW,
        sync=sync,
    )


def write(workspace, name: str, text: str = "{}"):
    path = workspace.path / name
    path.write_text(text)
    return path


def test_a_checkpoint_keeps_the_keys_of_the_users_document_and_adds_its_own(workspace):
    write(workspace, "analysis/a.json", "1234567")
    content = json.loads(seal(workspace, "phase_1", {"mine": [1, None]}).read_text())
    assert {"phase", "timestamp", "state", "completed_trials", "workspace_hash"} <= set(content)
    assert (content["phase"], content["state"], content["seq"]) == ("phase_1", {"mine": [1, None]}, 1)
    assert content["completed_trials"] == ["trial_0"]
    entry = next(each for each in content["files"] if each["path"] == "analysis/a.json")
    assert (entry["bytes"], entry["kind"]) == (7, "replace")
    assert entry["sha256"] == "8bb0cf6eb9b17d0f7d22b456f121257dc1254e1f01665370476383ea776df414"


def test_what_is_appended_while_a_checkpoint_syncs_is_not_in_its_digest(workspace):
    path = write(workspace, "signals/trial_0.jsonl", "1\n")

    def append(operation, at):
        if operation == "fsync" and at == path:
            path.write_text("1\n2\n")

    with storage.watch_operations(append):
        content = json.loads(seal(workspace, "phase_1", sync=True).read_text())
    assert path.stat().st_size == 4
    assert [each["bytes"] for each in content["files"] if each["path"] == "signals/trial_0.jsonl"] == [2]


def test_each_checkpoint_names_the_one_before_it(workspace):
    for phase in ("phase_2", "phase_1", "phase_10"):
        seal(workspace, phase, sync=True)
    chain = read_chain(workspace)
    assert [(each.seq, each.phase) for each in chain.whole] == [
        (1, "phase_2"),
        (2, "phase_1"),
        (3, "phase_10"),
    ]
    assert [each.content["previous"] for each in chain.whole] == [
        None,
        *(each.digest for each in chain.whole[:2]),
    ]
    assert (chain.sound, chain.faults) == (3, {})


def test_the_log_hears_of_a_checkpoint_before_and_after_it_appears(workspace):
    seal(workspace, "phase_1")
    told = {"seq": 1, "digest": read_chain(workspace).whole[0].digest}
    events = [(each["event"], each["detail"]) for each in log_of(workspace)]
    assert events == [("checkpoint", told), ("checkpoint published", told)]


def test_a_phase_recorded_again_takes_its_old_place_and_later_ones_are_set_aside(workspace):
    for phase in ("phase_1", "phase_2", "phase_3"):
        seal(workspace, phase)
    seal(workspace, "phase_2", {"again": True})
    chain = read_chain(workspace)
    assert [(each.seq, each.phase) for each in chain.whole] == [(1, "phase_1"), (2, "phase_2")]
    assert (chain.whole[1].content["state"], chain.faults) == ({"again": True}, {})
    aside = workspace.path / "checkpoints" / "set_aside" / "2" / "checkpoints"
    assert [path.name for path in aside.iterdir()] == ["phase_3_complete.checkpoint"]


def test_both_names_of_the_users_document_are_read(workspace):
    foreign = {"phase": "phase_1", "timestamp": "2024-01-15T14:30:00", "state": {}, "completed_trials": []}
    for name in ("phase_10.checkpoint", "phase_2_complete.checkpoint"):
        content = {
            **foreign,
            "phase": name.partition(".")[0].removesuffix("_complete"),
            "workspace_hash": "a",
        }
        write(workspace, f"checkpoints/{name}", json.dumps(content))
    assert [each.phase for each in read_chain(workspace).whole] == ["phase_2", "phase_10"]
    seal(workspace, "phase_11")
    chain = read_chain(workspace)
    assert (chain.last.phase, chain.last.seq, chain.faults) == ("phase_11", 1, {})


def test_every_flipped_bit_of_a_checkpoint_is_noticed(workspace):
    path = seal(workspace, "phase_1")
    data = path.read_bytes()
    for bit in range(0, len(data) * 8, 61):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        assert list(read_chain(workspace).faults) == [path], bit
    path.write_bytes(data)
    assert read_chain(workspace).faults == {}


GONE = "deleted: the log records that it was written"


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_lost_checkpoint_is_named_the_last_one_too(workspace, number):
    paths = [seal(workspace, f"phase_{each}") for each in (1, 2, 3)]
    paths[number - 1].unlink()
    chain = read_chain(workspace)
    assert chain.faults == {paths[number - 1]: GONE}
    assert chain.sound == number - 1


def test_without_the_log_a_lost_checkpoint_leaves_a_gap_that_is_named(workspace):
    paths = [seal(workspace, f"phase_{each}") for each in (1, 2, 3)]
    paths[1].unlink()
    workspace.file(names.METADATA, "execution_log").unlink()
    chain = read_chain(workspace)
    assert (chain.sound, chain.faults) == (1, {paths[2]: "number 3, after 1: one is missing"})


def seal_until(workspace, phase: str, steps: int) -> bool:
    """Begin a checkpoint, stopped after so many changes of the disk; whether it was done before that."""
    try:
        with storage.watch_operations(killing(steps)):
            seal(workspace, phase)
    except Killed:
        return False
    return True


def test_a_crash_at_any_step_of_a_checkpoint_is_no_loss_of_it(workspace):
    seal(workspace, "phase_1")
    appeared = []
    for steps in itertools.count():
        is_done = seal_until(workspace, "phase_2", steps)
        appeared.append(len(read_chain(workspace).whole) == 2)
        assert read_chain(workspace).faults == {}, steps
        if is_done:
            break
    assert appeared == sorted(appeared)
    assert appeared[0] is False
    assert appeared[-2] is True, "killed between its appearance and the log's word of it"


def test_what_was_withdrawn_or_written_anew_is_not_lost(workspace):
    for phase in ("phase_1", "phase_2", "phase_3", "phase_1"):
        seal(workspace, phase)
    assert [each.phase for each in read_chain(workspace).whole] == ["phase_1"]
    assert read_chain(workspace).faults == {}
    path = seal(workspace, "phase_4")
    assert [moved.name for moved in withdraw(workspace, [path], after=1, at=NOW)] == [path.name]
    assert read_chain(workspace).faults == {}


def test_a_lost_checkpoint_whose_place_another_takes_is_forgotten(workspace):
    seal(workspace, "phase_1").unlink()
    seal(workspace, "phase_2")
    assert (read_chain(workspace).last.seq, read_chain(workspace).faults) == (1, {})


def test_a_copied_checkpoint_is_a_number_twice(workspace):
    path = seal(workspace, "phase_1")
    (path.parent / "phase_7_complete.checkpoint").write_bytes(path.read_bytes())
    assert list(read_chain(workspace).faults.values()) == ["number 1, the same number as another"]


def test_a_forged_checkpoint_with_a_good_seal_is_not_the_one_in_the_log(workspace):
    path = seal(workspace, "phase_1")
    content = json.loads(path.read_text())
    del content["digest"]
    content["completed_trials"] = []
    path.write_bytes(sealed(content))
    assert read_chain(workspace).faults == {path: "forged: the log records another digest"}


def test_a_newer_format_with_a_good_seal_is_refused(workspace):
    path = seal(workspace, "phase_1")
    content = {key: each for key, each in json.loads(path.read_text()).items() if key != "digest"}
    content["format"] = FORMAT + 1
    path.write_bytes(sealed(content))
    with pytest.raises(NewerFormat, match="checkpoint format 2"):
        read_chain(workspace)


def test_a_state_that_json_cannot_hold_is_refused_and_nothing_is_recorded(workspace):
    for state in ({"at": object()}, {"value": float("nan")}):
        with pytest.raises(SchemaMismatch):
            seal(workspace, "phase_1", state)
    assert read_chain(workspace).whole == []


def test_only_logs_timing_and_pictures_may_change(workspace):
    for name in ("metadata/phase_timing.json", "visualizations/report.html", "visualizations/chart.png"):
        write(workspace, name)
    write(workspace, "signals/trial_0.jsonl", "")
    covered = {each["path"]: each["kind"] for each in json.loads(seal(workspace, "p").read_text())["files"]}
    assert covered == {
        "metadata/config.yaml": "replace",
        "metadata/environment.json": "replace",
        "metadata/execution_log.json": "mutable",
        "metadata/phase_timing.json": "mutable",
        "signals/trial_0.jsonl": "append",
        "visualizations/chart.png": "mutable",
        "visualizations/report.html": "mutable",
    }


def test_what_was_set_aside_is_never_written_over(workspace):
    kept = []
    for number in range(3):
        path = write(workspace, "analysis/a.json", str(number))
        kept.append(set_aside(workspace, path, seq=4))
    assert [path.read_text() for path in kept] == ["0", "1", "2"]
    assert set_aside(workspace, workspace.path / "analysis" / "a.json", seq=4) is None
    assert inventory([workspace]).filter(kind=names.UNKNOWN).is_empty()


@pytest.mark.parametrize(
    "change",
    [
        {"seq": "first"},
        {"format": "new"},
        {"files": 7},
        {"files": [{"path": "../../etc/passwd", "bytes": 1, "kind": "replace", "sha256": "0"}]},
        {"files": [{"path": "signals/../../x", "bytes": 1, "kind": "replace", "sha256": "0"}]},
        {"files": [{"path": "signals/..", "bytes": 1, "kind": "replace", "sha256": "0"}]},
        {"files": [{"path": "signals/a.jsonl", "bytes": "many", "kind": "replace", "sha256": "0"}]},
        {"phase": 1},
    ],
)
def test_a_checkpoint_that_says_nonsense_under_a_good_seal_is_damaged(workspace, change):
    path = seal(workspace, "phase_1")
    content = {key: each for key, each in json.loads(path.read_text()).items() if key != "digest"} | change
    path.write_bytes(sealed(content))
    (workspace.path / "metadata" / "execution_log.json").write_text("[]")
    assert [path] == list(read_chain(workspace).faults)


def test_a_log_of_nonsense_neither_forges_nor_loses_a_checkpoint(workspace):
    seal(workspace, "phase_1")
    nonsense = [
        7,
        {"event": "checkpoint"},
        {"event": "checkpoint", "phase": ["p"], "detail": {"digest": []}},
        {"event": "checkpoint published", "phase": "../../etc/passwd", "detail": {"seq": 1}},
        {"event": "checkpoint published", "phase": "phase_9", "detail": {"seq": "last"}},
    ]
    (workspace.path / "metadata" / "execution_log.json").write_text(json.dumps(nonsense))
    assert read_chain(workspace).faults == {}


@pytest.mark.parametrize("link", ["", "1", "1/performance"])
def test_nothing_is_set_aside_through_a_link(workspace, tmp_path, link):
    path = write(workspace, "performance/trial_0.json")
    outside = tmp_path / "outside"
    outside.mkdir()
    aside = workspace.path / "checkpoints" / "set_aside" / link
    aside.parent.mkdir(parents=True, exist_ok=True)
    aside.symlink_to(outside)
    with pytest.raises(StorageError, match="a symbolic link"):
        set_aside(workspace, path, seq=1)
    assert path.exists()
    assert not list(outside.iterdir())
