"""Following a workspace: everything once, nothing lost, no file in the way of another."""

import json
import logging
import os
import tempfile
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import workspace_kit as wk
from tests.stopping import Killed
from workspace_kit.errors import FileDamaged, UsageError
from workspace_kit.flows import following
from workspace_kit.layout import follow
from workspace_kit.layout.follow import NewLines
from workspace_kit.layout.names import FOLDERS, Workspace

LINES = "signals/*.jsonl"


def put(workspace: Workspace, name: str, content: str) -> Path:
    path = workspace.path / name
    path.write_text(content)
    return path


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "out" / "progress.json"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Time of the follower, to be moved by hand."""
    told = [0.0]
    monkeypatch.setattr(following.time, "monotonic", lambda: told[0])
    return told


def test_a_new_process_goes_on_where_the_last_one_ended(workspace: Workspace, state: Path) -> None:
    put(workspace, "performance/trial_0.json", "{}")
    seen: list[str] = []
    for name in ("trial_0", "trial_1", "trial_1"):
        put(workspace, f"performance/{name}.json", "{}")
        followed = wk.IncrementalProcessor(workspace.path, state=state)
        followed.process_new_files("performance/*.json", lambda path: seen.append(path.name), once=True)
    assert seen == ["trial_0.json", "trial_1.json"]


def test_without_a_state_another_process_begins_anew(workspace: Workspace) -> None:
    put(workspace, "performance/trial_0.json", "{}")
    seen: list[Path] = []
    for _ in range(2):
        wk.IncrementalProcessor(workspace).process_new_files("performance/*", seen.append, once=True)
    assert seen == [workspace.path / "performance" / "trial_0.json"] * 2


def test_files_and_lines_of_the_same_files_are_followed_apart(workspace: Workspace, state: Path) -> None:
    put(workspace, "signals/trial_0.jsonl", "one\n")
    followed = wk.IncrementalProcessor(workspace, state=state)
    paths: list[Path] = []
    batches: list[NewLines] = []
    for _ in range(2):
        followed.process_new_files(LINES, paths.append, once=True)
        followed.process_new_lines(LINES, batches.append, once=True)
    assert (len(paths), [batch.lines for batch in batches]) == (1, [[b"one"]])


def test_what_was_new_is_told_in_a_row_for_each_file(workspace: Workspace) -> None:
    put(workspace, "signals/trial_0.jsonl", "one\n")
    put(workspace, "signals/trial_1.jsonl", "one\n")
    followed = wk.IncrementalProcessor(workspace)
    first = followed.process_new_lines(LINES, lambda batch: None, once=True)
    assert first.rows() == [(f"signals/trial_{n}.jsonl", 1, 0, 0, False, None) for n in (0, 1)]
    put(workspace, "signals/trial_1.jsonl", "two\n")
    second = followed.process_new_lines(LINES, lambda batch: None, once=True)
    assert second.rows() == [("signals/trial_1.jsonl", 1, 1, 0, False, None)]
    assert followed.process_new_lines(LINES, lambda batch: None, once=True).is_empty()


def test_a_failing_file_backs_off_is_left_alone_and_holds_up_no_other(
    workspace: Workspace, clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    put(workspace, "performance/a.json", "bad")
    put(workspace, "performance/b.json", "{}")
    called: list[tuple[float, str]] = []

    def load(path: Path) -> None:
        called.append((clock[0], path.name))
        json.loads(path.read_text())

    followed = wk.IncrementalProcessor(workspace)
    with caplog.at_level(logging.WARNING):
        for clock[0] in range(40):
            told = followed.process_new_files("performance/*.json", load, once=True)
            if clock[0] == 15:
                assert told["quarantined"].to_list() == [True]
    assert [at for at, name in called if name == "a.json"] == [0, 1, 3, 7, 15]
    assert [at for at, name in called if name == "b.json"] == [0]
    assert (
        "attempt 1): JSONDecodeError: Expecting value: line 1 column 1 (char 0); again in 1 s" in caplog.text
    )
    assert "left alone until it is rewritten" in caplog.text
    put(workspace, "performance/a.json", "{}")
    assert followed.process_new_files("performance/*.json", load, once=True)["quarantined"].to_list() == [
        False
    ]
    assert called[-1] == (39, "a.json")


def test_lines_added_to_a_file_left_alone_do_not_bring_it_back_but_another_process_does(
    workspace: Workspace, state: Path, clock: list[float]
) -> None:
    path = put(workspace, "signals/trial_0.jsonl", "one\n")
    calls: list[bytes] = []

    def fail(batch: NewLines) -> None:
        calls.append(batch.data)
        raise ValueError("no")

    followed = wk.IncrementalProcessor(workspace, state=state)
    for clock[0] in range(20):
        followed.process_new_lines(LINES, fail, once=True)
    with path.open("a") as file:
        file.write("two\n")
    followed.process_new_lines(LINES, fail, once=True)
    assert len(calls) == following.ATTEMPTS
    wk.IncrementalProcessor(workspace, state=state).process_new_lines(
        LINES, lambda batch: calls.append(batch.data), once=True
    )
    assert calls[-1] == b"one\ntwo\n"


def test_a_file_that_vanishes_while_it_is_looked_at_is_no_failure(workspace: Workspace) -> None:
    put(workspace, "performance/trial_0.json", "{}")

    def remove_and_fail(path: Path) -> None:
        path.unlink()
        path.read_text()

    assert (
        wk.IncrementalProcessor(workspace)
        .process_new_files("performance/*", remove_and_fail, once=True)
        .is_empty()
    )


def test_it_goes_on_until_the_event_is_set(workspace: Workspace) -> None:
    stop = threading.Event()
    seen: list[str] = []

    def take(batch: NewLines) -> None:
        seen.extend(line.decode() for line in batch.lines)
        if len(seen) == 3:
            stop.set()

    writer = wk.IncrementalProcessor(workspace)
    thread = threading.Thread(
        target=writer.process_new_lines, args=(LINES, take), kwargs={"stop": stop, "interval": 0.001}
    )
    thread.start()
    path = workspace.path / "signals" / "trial_0.jsonl"
    for number in range(3):
        with path.open("a") as file:
            file.write(f"{number}\n")
        while len(seen) <= number:
            assert thread.is_alive()
            time.sleep(0.001)
    thread.join(10)
    assert not thread.is_alive()
    assert seen == ["0", "1", "2"]


def test_it_goes_on_until_the_time_has_passed(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[str] = []
    whole = following.matching
    monkeypatch.setattr(following, "matching", lambda *given: looks.append("look") or whole(*given))
    wk.IncrementalProcessor(workspace).process_new_files("*/*", print, timeout=0.05, interval=0.001)
    assert len(looks) > 1
    wk.IncrementalProcessor(workspace).process_new_files("*/*", print, timeout=0)
    stopped = threading.Event()
    stopped.set()
    looks.clear()
    wk.IncrementalProcessor(workspace).process_new_files("*/*", print, stop=stopped)
    assert looks == []


def test_what_was_done_before_an_interruption_is_remembered(workspace: Workspace, state: Path) -> None:
    for number in range(3):
        put(workspace, f"signals/trial_{number}.jsonl", "one\n")

    def interrupted(batch: NewLines) -> None:
        if batch.key.endswith("1.jsonl"):
            raise KeyboardInterrupt

    followed = wk.IncrementalProcessor(workspace, state=state)
    with pytest.raises(KeyboardInterrupt):
        followed.process_new_lines(LINES, interrupted)
    seen: list[str] = []
    wk.IncrementalProcessor(workspace, state=state).process_new_lines(
        LINES, lambda batch: seen.append(batch.key), once=True
    )
    assert seen == ["signals/trial_1.jsonl", "signals/trial_2.jsonl"]


def test_the_workspace_stays_as_it_is_and_the_state_lies_outside(workspace: Workspace, state: Path) -> None:
    put(workspace, "signals/trial_0.jsonl", "one\n")
    manager = wk.WorkspaceManager(workspace.root, workspace.id)
    manager.checkpoint_phase("phase_1", {})
    before = sorted(workspace.path.rglob("*"))
    wk.IncrementalProcessor(workspace, state=state).process_new_lines(LINES, print, once=True)
    assert sorted(workspace.path.rglob("*")) == before
    assert manager.verify_workspace_integrity(workspace.path)
    for inside in (workspace.path / "metadata" / "progress.json", workspace.path / "x" / ".." / "p"):
        with pytest.raises(UsageError, match="found a place within the workspace"):
            wk.IncrementalProcessor(workspace, state=inside)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"workspace": "w", "files": {"a": 1}}', "\x00"])
def test_a_damaged_state_is_named_and_not_taken_for_none(
    workspace: Workspace, state: Path, content: str
) -> None:
    state.parent.mkdir()
    state.write_text(content)
    with pytest.raises(FileDamaged, match=r"progress\.json: found .*remove it, and what was made with it"):
        wk.IncrementalProcessor(workspace, state=state)


def test_the_state_of_another_workspace_is_refused(workspace: Workspace, state: Path) -> None:
    put(workspace, "signals/trial_0.jsonl", "one\n")
    wk.IncrementalProcessor(workspace, state=state).process_new_lines(LINES, print, once=True)
    other = Workspace(workspace.root, "workflow_2")
    for folder in FOLDERS:
        (other.path / folder).mkdir(parents=True)
    with pytest.raises(UsageError, match="found the state of workflow_1, expected that of workflow_2"):
        wk.IncrementalProcessor(other, state=state)


def test_a_disk_that_refuses_the_state_stops_the_follower_not_the_file(
    workspace: Workspace, tmp_path: Path
) -> None:
    put(workspace, "signals/trial_0.jsonl", "one\n")
    (tmp_path / "file").write_text("")
    followed = wk.IncrementalProcessor(workspace, state=tmp_path / "file2" / "s.json")
    followed.process_new_lines(LINES, print, once=True)
    (tmp_path / "file2" / "s.json").unlink()
    (tmp_path / "file2" / "s.json").mkdir()
    put(workspace, "signals/trial_1.jsonl", "one\n")
    with pytest.raises(wk.WorkspaceKitError, match="replace refused"):
        followed.process_new_lines(LINES, print, once=True)


def test_nothing_is_opened_where_nothing_changed(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(50):
        path = put(workspace, f"signals/trial_{number}.jsonl", "one\n")
        os.utime(path, (1, 1))
    later = time.time_ns() + 10 * 10**9
    monkeypatch.setattr(following.time, "time_ns", lambda: later)
    followed = wk.IncrementalProcessor(workspace)
    assert followed.process_new_lines(LINES, lambda batch: None, once=True).height == 50
    monkeypatch.setattr(os, "open", lambda *given: pytest.fail("a file was opened"))
    assert followed.process_new_lines(LINES, lambda batch: None, once=True).is_empty()


FILES = ("a", "b")
TEXTS = st.lists(st.sampled_from(["x", "yy", "zzz"]), max_size=8).map(lambda told: "\n".join([*told, ""]))
ACTIONS = st.one_of(
    st.tuples(st.just("append"), st.sampled_from(FILES), TEXTS),
    st.tuples(st.just("append"), st.sampled_from(FILES), st.sampled_from(["x", "to", "y\nto", "\n"])),
    st.tuples(st.just("replace"), st.sampled_from(FILES), TEXTS),
    st.tuples(st.just("overwrite"), st.sampled_from(FILES), TEXTS),
    st.tuples(st.just("delete"), st.sampled_from(FILES), st.just("")),
    st.tuples(st.just("look"), st.just(""), st.just("")),
    st.tuples(st.just("kill"), st.sampled_from(["before", "after"]), st.sampled_from(["0", "1", "2"])),
)


def act(path: Path, action: str, content: str) -> None:
    """What writers do to files, careful ones and others."""
    if action == "append":
        with path.open("a") as file:
            file.write(content)
    elif action == "replace":
        path.with_suffix(".new").write_text(content)
        path.with_suffix(".new").replace(path)
    elif action == "overwrite":
        path.write_text(content)
    else:
        path.unlink(missing_ok=True)


def look(
    workspace: Workspace, state: Path, outputs: dict[str, list[bytes]], *, die: tuple[str, int] | None
) -> None:
    """Follow once with a processor that keeps its output under the name of the batch, and may be killed."""
    calls = 0
    at_death: list[bytes | None] = []

    def die_if(moment: str) -> None:
        if die == (moment, calls):
            at_death.append(state.read_bytes() if state.exists() else None)
            raise Killed

    def keep(batch: NewLines) -> None:
        nonlocal calls
        die_if("before")
        outputs[batch.name] = batch.lines
        die_if("after")
        calls += 1

    try:
        wk.IncrementalProcessor(workspace, state=state).process_new_lines(LINES, keep, once=True)
    except Killed:
        # What a process that is killed leaves behind is what was on the disk just then.
        (saved,) = at_death
        state.unlink(missing_ok=True) if saved is None else state.write_bytes(saved)


@settings(deadline=None, max_examples=100)
@given(st.lists(ACTIONS, max_size=25), st.sampled_from([16, 1 << 20]))
def test_whatever_writers_do_and_wherever_it_is_killed_each_line_is_there_once(
    actions: list[tuple[str, str, str]], slice_: int
) -> None:
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(follow, "SLICE", slice_)
        workspace = Workspace(Path(name), "w")
        (workspace.path / "signals").mkdir(parents=True)
        outputs: dict[str, list[bytes]] = {}
        state = Path(name) / "state.json"
        for action, target, content in actions:
            if action == "look":
                look(workspace, state, outputs, die=None)
            elif action == "kill":
                look(workspace, state, outputs, die=(target, int(content)))
            else:
                act(workspace.path / "signals" / f"{target}.jsonl", action, content)
        look(workspace, state, outputs, die=None)
        for path in (workspace.path / "signals").glob("*.jsonl"):
            stem = f"signals.{path.name}-"
            mine = {key.removeprefix(stem): lines for key, lines in outputs.items() if key.startswith(stem)}
            last = max((key[:4] for key in mine), default="")
            told = [line for key in sorted(mine) if key.startswith(last) for line in mine[key]]
            assert told == path.read_bytes().split(b"\n")[:-1]
