"""Whatever interrupts a run, `resume` ends in the same bytes; whatever changed meanwhile is named first."""

import json
import math
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import workspace_kit as wk
from tests.stopping import Killed, contents, killing
from workspace_kit import storage
from workspace_kit.errors import (
    FileDamaged,
    NewerFormat,
    NotFound,
    PriceError,
    UsageError,
    WorkspaceCorruptedError,
)
from workspace_kit.flows import closing_line, discovery, integrity, journal, market, resume, run
from workspace_kit.layout import names, reader
from workspace_kit.layout.chain import sealed
from workspace_kit.layout.names import Workspace

RESULTS = ("signals", "performance", "analysis")
ID = "workflow_tiny"
COMMAND = [sys.executable, "-c", "from workspace_kit.cli import main; main()"]


def keep_in_process(patch: pytest.MonkeyPatch) -> None:
    """Run trials in this process, where a test can stop them, draw no page, and let no clock add a step."""
    patch.setattr(
        discovery, "each", lambda function, items, *, shared, **_rest: (function(shared, it) for it in items)
    )
    patch.setattr(run, "write_report", lambda _workspace: None)
    patch.setattr(journal, "HEARTBEAT_SECONDS", math.inf)


@pytest.fixture
def in_process(monkeypatch, epoch):
    """Run where a test can stop it, step by step, dated alike."""
    keep_in_process(monkeypatch)


def started(tiny: Path, root: Path, until: str = "phase_4") -> Path:
    return wk.run_workflow(tiny, root=root, workspace_id=ID, workers=1, until=until).path


@pytest.fixture(scope="session")
def golden(tiny, tmp_path_factory, epoch):
    """Folder of an uninterrupted run, and every change of the disk that it made."""
    patch = pytest.MonkeyPatch()
    keep_in_process(patch)
    operations: list[tuple[str, Path]] = []
    with storage.watch_operations(lambda operation, path: operations.append((operation, path))):
        workspace = started(tiny, tmp_path_factory.mktemp("golden"))
    patch.undo()
    return workspace, operations


@pytest.fixture
def copy(golden, tmp_path):
    """Return a copy of the uninterrupted run, to do harm to."""
    return Path(shutil.copytree(golden[0], tmp_path / "copy" / ID))


def trial_boundaries(operations: list[tuple[str, Path]]) -> list[int]:
    """Numbers of the operations that put a trial's file in place, and of those just after."""
    places = [
        number
        for number, (operation, path) in enumerate(operations)
        if operation == "replace" and path.name.startswith("trial_")
    ]
    return sorted({each + after for each in places for after in (0, 1)})


def interrupted_after(name: str, tiny: Path, root: Path, until: str = "phase_4") -> Path:
    """Run until a file has taken its name, and no further."""
    is_there = False

    def watch(operation: str, path: Path) -> None:
        nonlocal is_there
        if is_there:
            raise Killed
        is_there = operation == "replace" and path.name == name

    with pytest.raises(Killed), storage.watch_operations(watch):
        started(tiny, root, until)
    return root / ID


def interrupted(tiny: Path, root: Path, *, at: int) -> Path:
    with pytest.raises(Killed), storage.watch_operations(killing(at)):
        started(tiny, root)
    return root / ID


@pytest.mark.parametrize("part", range(4))
def test_a_run_killed_at_a_trial_boundary_resumes_to_the_same_bytes(golden, tiny, tmp_path, in_process, part):
    boundaries = trial_boundaries(golden[1])
    workspace = interrupted(tiny, tmp_path, at=boundaries[part * len(boundaries) // 4])
    wk.resume_run(ID, tmp_path, workers=1)
    assert contents(workspace, *RESULTS) == contents(golden[0], *RESULTS)
    assert wk.verify_workspace(workspace)["verdict"].is_in(["ok", "may change"]).all()


def test_complete_trials_are_not_run_again(tiny, golden, tmp_path, in_process, monkeypatch):
    boundaries = trial_boundaries(golden[1])
    interrupted(tiny, tmp_path, at=boundaries[-1])
    tried = []
    honest = discovery.run_trial
    monkeypatch.setattr(
        discovery, "run_trial", lambda setting, it: tried.append(it.number) or honest(setting, it)
    )
    wk.resume_run(ID, tmp_path, workers=1)
    log = json.loads((tmp_path / ID / "metadata" / "execution_log.json").read_text())
    assert tried == []
    assert [each["event"] for each in log if each["event"] == "resumed"] == ["resumed"]


def test_signals_of_a_trial_without_its_document_are_set_aside_not_deleted(tiny, tmp_path, in_process):
    workspace = interrupted_after("trial_2.jsonl", tiny, tmp_path)
    half = (workspace / "signals" / "trial_2.jsonl").read_bytes()
    resumed = wk.resume_run(ID, tmp_path, workers=1)
    aside = workspace / "checkpoints" / "set_aside" / "0" / "signals" / "trial_2.jsonl"
    assert aside.read_bytes() == half
    (remark,) = resumed.remarks
    assert remark.startswith("Set aside in checkpoints/set_aside/0: ")
    assert remark.endswith("signals/trial_2.jsonl.")
    with wk.open_catalog(tmp_path) as catalog:
        assert catalog.sql("select count(*) as n from faults")["n"].item() == 0


def test_from_a_phase_on_everything_later_is_repeated_to_the_same_bytes(copy, golden, in_process):
    before = contents(copy, "checkpoints")
    resumed = wk.resume_run(copy, start="phase_3", workers=1)
    assert list(resumed.phases) == ["phase_3", "phase_4"]
    assert contents(copy, *RESULTS) == contents(golden[0], *RESULTS)
    aside = copy / "checkpoints" / "set_aside" / "2"
    name = "checkpoints/phase_4_complete.checkpoint"
    assert (aside / name).read_bytes() == before[name]
    assert (aside / "analysis" / "ensemble_weights.json").exists()


def test_from_the_first_phase_on_every_trial_is_repeated(copy, golden, in_process):
    resumed = wk.resume_run(copy, start="phase_1", workers=1)
    assert list(resumed.phases) == ["phase_1", "phase_2", "phase_3", "phase_4"]
    assert (copy / "checkpoints" / "set_aside" / "0" / "performance" / "trial_0.json").exists()
    assert contents(copy, *RESULTS) == contents(golden[0], *RESULTS)


def test_a_phase_that_was_not_reached_cannot_be_begun_with(tiny, tmp_path, in_process):
    workspace = started(tiny, tmp_path, until="phase_1")
    with pytest.raises(UsageError, match="one of phase_1, phase_2"):
        wk.resume_run(workspace, start="phase_3")
    with pytest.raises(UsageError, match="'phase_9'"):
        wk.resume_run(workspace, start="phase_9")


def test_until_and_resume_make_one_whole_run(tiny, golden, tmp_path, in_process):
    workspace = started(tiny, tmp_path, until="phase_2")
    assert not (workspace / "analysis" / "ensemble_weights.json").exists()
    assert list(wk.resume_run(workspace, workers=1).phases) == ["phase_3", "phase_4"]
    assert contents(workspace, *RESULTS) == contents(golden[0], *RESULTS)


def test_a_killed_run_goes_no_further_than_it_was_begun_until_a_person_says_so(tiny, tmp_path, in_process):
    workspace = interrupted_after("trial_2.json", tiny, tmp_path, until="phase_3")
    resumed = wk.resume_run(workspace, workers=1)
    assert list(resumed.phases) == ["phase_1", "phase_2", "phase_3"]
    assert resumed.remarks[-1].startswith("Ended after phase_3, as the run was begun; `workspace-kit resume ")
    assert not (workspace / "performance" / "validation_results.json").exists()
    resumed = wk.resume_run(workspace, workers=1)
    assert list(resumed.phases) == ["phase_4"]


def test_the_command_that_an_error_names_finds_the_workspace_wherever_it_lies(golden, tmp_path):
    folder = Path(shutil.copytree(golden[0], tmp_path / "my results" / ID))
    (folder / "analysis" / "regimes.csv").unlink()
    with pytest.raises(WorkspaceCorruptedError) as caught:
        wk.resume_run(folder)
    named = shlex.split(caught.value.remedy.partition("`workspace-kit ")[2].partition("`")[0])
    typed = ["analysis/regimes.csv" if each == "PATH" else each for each in named]
    subprocess.run([*COMMAND, *typed], env=environment(), check=True)


def test_a_resume_ends_with_the_phase_asked_for(tiny, tmp_path, in_process):
    workspace = interrupted_after("trial_2.json", tiny, tmp_path)
    assert list(wk.resume_run(workspace, until="phase_2", workers=1).phases) == ["phase_1", "phase_2"]
    with pytest.raises(UsageError, match="one of phase_3, phase_4"):
        wk.resume_run(workspace, until="phase_1")
    assert list(wk.resume_run(workspace, until="phase_3", workers=1).phases) == ["phase_3"]


def test_a_changed_file_stops_the_resume_and_nothing_is_touched(copy, in_process):
    path = copy / "performance" / "trial_1.json"
    path.write_text(path.read_text().replace('"ok"', '"OK"'))
    (copy / "analysis" / "regimes.csv").unlink()
    before = contents(copy, *names.FOLDERS)
    with pytest.raises(WorkspaceCorruptedError) as caught:
        wk.resume_run(copy)
    assert "performance/trial_1.json modified" in str(caught.value)
    assert "analysis/regimes.csv deleted" in str(caught.value)
    assert contents(copy, *names.FOLDERS) == before


def test_an_accepted_change_makes_later_phases_stale_and_resume_repeats_them(copy, golden, in_process):
    path = copy / "analysis" / "regime_optimal_params.json"
    path.write_text(json.dumps(json.loads(path.read_text())))
    edited = path.read_bytes()
    accepted = wk.accept_change(copy, path, reason="one line is enough")
    assert list(accepted.stale) == ["phase_3", "phase_4"]
    event = json.loads((copy / "metadata" / "execution_log.json").read_text())[-1]
    assert (event["event"], event["detail"]["reason"]) == ("accepted", "one line is enough")
    assert event["detail"]["who"]
    resumed = wk.resume_run(copy, workers=1)
    assert list(resumed.phases) == ["phase_3", "phase_4"]
    assert path.read_bytes() == edited
    assert list(wk.resume_run(copy, workers=1).phases) == []
    name = "performance/validation_results.json"
    assert (copy / name).exists()


def test_what_a_run_says_of_itself_makes_nothing_stale_when_its_loss_is_accepted(copy, in_process):
    (copy / "metadata" / "phase_timing.json").unlink()
    accepted = wk.accept_change(copy, "metadata/phase_timing.json", reason="nobody needs it")
    assert list(accepted.stale) == []
    assert list(wk.resume_run(copy, workers=1).phases) == []


def test_a_user_without_a_name_accepts_by_number(copy, monkeypatch):
    (copy / "analysis" / "regimes.csv").unlink()

    def nameless():
        raise KeyError("getpwuid(): uid not found: 1000")

    monkeypatch.setattr(integrity.getpass, "getuser", nameless)
    wk.accept_change(copy, "analysis/regimes.csv", reason="in a container")
    event = json.loads((copy / "metadata" / "execution_log.json").read_text())[-1]
    assert event["detail"]["who"] == f"uid {os.getuid()}"


def test_an_accepted_configuration_makes_everything_stale(copy, in_process):
    config = copy / "metadata" / "config.yaml"
    config.write_text(config.read_text().replace("cost_bps: 10.0", "cost_bps: 50.0"))
    assert "cost_bps: 50.0" in config.read_text()
    accepted = wk.accept_change(copy, "metadata/config.yaml", reason="dearer broker")
    assert list(accepted.stale) == ["phase_1", "phase_2", "phase_3", "phase_4"]
    before = (copy / "performance" / "trial_0.json").read_bytes()
    resumed = wk.resume_run(copy, workers=1)
    assert len(resumed.phases) == 4
    assert (copy / "performance" / "trial_0.json").read_bytes() != before


def test_a_damaged_checkpoint_stops_and_fallback_goes_back(copy, golden, in_process):
    path = copy / "checkpoints" / "phase_4_complete.checkpoint"
    path.write_text(path.read_text().replace("validation", "validatiom", 1))
    with pytest.raises(WorkspaceCorruptedError, match=r"phase_4_complete.checkpoint checkpoint damaged"):
        wk.resume_run(copy)
    resumed = wk.resume_run(copy, fallback=True, workers=1)
    assert "Gone back to phase_3" in resumed.remarks[0]
    assert contents(copy, *RESULTS) == contents(golden[0], *RESULTS)


def test_a_lost_last_checkpoint_stops_and_fallback_repeats_its_phase(copy, golden, in_process):
    (copy / "checkpoints" / "phase_4_complete.checkpoint").unlink()
    with pytest.raises(WorkspaceCorruptedError, match=r"phase_4_complete.checkpoint .*deleted: the log"):
        wk.resume_run(copy)
    resumed = wk.resume_run(copy, fallback=True, workers=1)
    assert list(resumed.phases) == ["phase_4"]
    assert contents(copy, *RESULTS) == contents(golden[0], *RESULTS)
    assert wk.verify_workspace(copy)["verdict"].is_in(["ok", "may change"]).all()


def test_a_run_killed_after_its_last_checkpoint_is_only_said_to_be_complete(tiny, tmp_path, in_process):
    workspace = interrupted_after("phase_4_complete.checkpoint", tiny, tmp_path)
    state = workspace / "checkpoints" / "current_state.json"
    assert json.loads(state.read_text())["state"] == "running"
    assert list(wk.resume_run(workspace, workers=1).phases) == []
    told = json.loads(state.read_text())
    assert (told["phase"], told["state"]) == ("phase_4", "complete")
    assert told["completed_trials"] == [f"trial_{number}" for number in range(4)]


def test_a_resume_removes_what_dead_writers_left_and_no_living_ones_work(copy, in_process):
    dead = copy / "signals" / ".trial_0.jsonl.999999999.0123abcd.tmp"
    alive = copy / "signals" / f".trial_0.jsonl.{os.getpid()}.0123abcd.tmp"
    for path in (dead, alive):
        path.touch()
        os.utime(path, (0, 0))
    wk.resume_run(copy, workers=1)
    assert (dead.exists(), alive.exists()) == (False, True)


def test_a_workspace_of_another_program_is_not_resumed_and_says_why(tmp_path):
    made = wk.WorkspaceManager(tmp_path).create_workspace({"name": "foreign"}, "w")
    with pytest.raises(NotFound, match="go on with the program that wrote it"):
        wk.resume_run(made)


def test_fallback_goes_behind_files_that_changed(copy, golden, in_process):
    (copy / "performance" / "validation_results.json").write_text("{}")
    resumed = wk.resume_run(copy, fallback=True, workers=1)
    assert list(resumed.phases) == ["phase_4"]
    assert contents(copy, *RESULTS) == contents(golden[0], *RESULTS)


def test_fallback_repeats_a_trial_whose_document_was_edited(tiny, golden, tmp_path, in_process):
    workspace = started(tiny, tmp_path, until="phase_1")
    path = workspace / "performance" / "trial_1.json"
    told = json.loads(path.read_text())
    told["metrics"]["sharpe_ratio"] = 99.0
    path.write_text(json.dumps(told))
    with pytest.raises(WorkspaceCorruptedError, match=r"trial_1\.json"):
        wk.resume_run(workspace, workers=1)
    wk.resume_run(workspace, fallback=True, until="phase_4", workers=1)
    assert contents(workspace, *RESULTS) == contents(golden[0], *RESULTS)
    aside = workspace / "checkpoints" / "set_aside" / "0" / "performance"
    assert (aside / "trial_1.json").exists()
    assert not (aside / "trial_0.json").exists()


def test_a_newer_format_is_refused(copy):
    path = copy / "checkpoints" / "phase_4_complete.checkpoint"
    content = json.loads(path.read_text())
    content = {**{key: each for key, each in content.items() if key != "digest"}, "format": 2}
    path.write_bytes(sealed(content))
    with pytest.raises(NewerFormat, match="checkpoint format 2"):
        wk.resume_run(copy)


def test_other_prices_stop_unless_they_are_accepted(tiny, tmp_path, in_process, monkeypatch):
    workspace = started(tiny, tmp_path, until="phase_1")
    with_prices(monkeypatch, "0")
    with pytest.raises(PriceError, match="--accept-new-prices"):
        wk.resume_run(workspace)
    resumed = wk.resume_run(workspace, accept_new_prices=True, workers=1)
    assert any("Prices changed after phase_1" in each for each in resumed.remarks)
    made = json.loads((workspace / "metadata" / "environment.json").read_text())
    assert "Prices changed after phase_1" in made["warnings"][-1]
    assert list(wk.resume_run(workspace).phases) == []


def with_prices(monkeypatch, digest: str) -> None:
    """Let whoever resumes find other prices."""
    honest = market.load_market

    def other(config, *, folder):
        found = honest(config, folder=folder)
        object.__setattr__(found, "digest", digest * 64)
        return found

    monkeypatch.setattr(resume, "load_market", other)


def stopped_with_new_prices(workspace: Path, *, at_record: int) -> None:
    """Resume with other prices and stop before (0) or after (1) the new environment record takes its name."""
    seen: list[bool] = []

    def watch(operation: str, path: Path) -> None:
        seen.extend([True] * (bool(seen) or (operation == "replace" and path.name == "environment.json")))
        if len(seen) > at_record:
            raise Killed

    with pytest.raises(Killed), storage.watch_operations(watch):
        wk.resume_run(workspace, accept_new_prices=True, workers=1)


def test_killed_while_new_prices_are_accepted_no_trial_of_the_old_ones_stays(
    tiny, tmp_path, in_process, monkeypatch
):
    workspace = interrupted_after("trial_2.json", tiny, tmp_path)
    with_prices(monkeypatch, "0")
    stopped_with_new_prices(workspace, at_record=1)
    wk.resume_run(workspace, workers=1)
    aside = workspace / "checkpoints" / "set_aside" / "0" / "performance"
    assert sorted(path.name for path in aside.iterdir()) == [f"trial_{number}.json" for number in range(3)]


def test_killed_between_two_acceptances_of_prices_the_first_still_counts(
    tiny, tmp_path, in_process, monkeypatch
):
    workspace = started(tiny, tmp_path, until="phase_1")
    for digest, at_record in (("0", 1), ("1", 0)):
        with_prices(monkeypatch, digest)
        stopped_with_new_prices(workspace, at_record=at_record)
    resumed = wk.resume_run(workspace, accept_new_prices=True, workers=1)
    assert list(resumed.phases) == ["phase_2", "phase_3", "phase_4"]
    assert list(wk.resume_run(workspace).phases) == []


def test_newly_accepted_prices_are_on_the_device_before_anything_rests_on_them(
    tiny, tmp_path, in_process, monkeypatch
):
    durable = tmp_path / "durable.yaml"
    durable.write_text(tiny.read_text().replace("durability: none", "durability: commit"))
    workspace = started(durable, tmp_path, until="phase_1")
    with_prices(monkeypatch, "0")
    seen: list[tuple[str, str]] = []
    with storage.watch_operations(lambda operation, path: seen.append((operation, path.name))):
        wk.resume_run(workspace, accept_new_prices=True, until="phase_2", workers=1)
    first = next(place for place, (_, name) in enumerate(seen) if name.startswith(".environment.json"))
    steps = ["open", "write", "fsync", "replace", "open", "fsync"]
    assert [operation for operation, _ in seen[first : first + 6]] == steps
    assert [name for _, name in seen[first + 3 : first + 6]] == ["environment.json", "metadata", "metadata"]


def test_failed_trials_are_repeated_only_when_asked(tiny, golden, tmp_path, in_process, monkeypatch):
    honest = discovery.run_trial

    def fail_once(setting, candidate):
        broken = candidate._replace(function="nowhere:none")
        return honest(setting, broken if candidate.number == 1 else candidate)

    monkeypatch.setattr(discovery, "run_trial", fail_once)
    workspace = started(tiny, tmp_path, until="phase_1")
    assert json.loads((workspace / "performance" / "trial_1.json").read_text())["status"] == "failed"
    monkeypatch.setattr(discovery, "run_trial", honest)
    wk.resume_run(workspace, workers=1)
    assert json.loads((workspace / "performance" / "trial_1.json").read_text())["status"] == "failed"
    resumed = wk.resume_run(workspace, retry_failed=True, workers=1)
    assert "1 failed trial(s)" in resumed.remarks[0]
    assert contents(workspace, *RESULTS) == contents(golden[0], *RESULTS)


def test_where_a_whole_strategy_fails_nobody_looks_at_test_before_it_is_mended(
    tiny, golden, tmp_path, in_process, monkeypatch
):
    honest = discovery.run_trial

    def fail_reversion(setting, candidate):
        broken = candidate._replace(function="nowhere:none")
        return honest(setting, broken if candidate.strategy == "reversion" else candidate)

    monkeypatch.setattr(discovery, "run_trial", fail_reversion)
    workspace = Workspace(tmp_path, started(tiny, tmp_path, until="phase_4").name)
    assert not (workspace.path / "performance" / "validation_results.json").exists()
    assert not list((workspace.path / "signals").glob("validation_*"))
    told = closing_line(workspace).splitlines()[-1]
    assert told.startswith("Ended after phase 3: every trial of reversion failed, so nobody has looked at")
    assert f"`{workspace.command('resume', '--retry-failed')}`" in told
    monkeypatch.setattr(discovery, "run_trial", honest)
    wk.resume_run(workspace, retry_failed=True, workers=1)
    assert contents(workspace.path, *RESULTS) == contents(golden[0], *RESULTS)


def test_an_unreadable_file_stops_the_resume(copy, monkeypatch):
    path = copy / "analysis" / "regimes.csv"
    honest = reader.os.open

    def refuse(name, flags, *mode, **more):
        if str(name) == str(path):
            raise OSError(5, "Input/output error")
        return honest(name, flags, *mode, **more)

    monkeypatch.setattr(reader.os, "open", refuse)
    with pytest.raises(FileDamaged, match=r"analysis/regimes.csv unreadable \(EIO"):
        wk.resume_run(copy)


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(wk.__file__).parents[1])}


def test_ctrl_c_leaves_a_workspace_that_resumes_by_the_command_it_names(tiny, tmp_path, epoch):
    root = tmp_path / "my results"
    arguments = [*COMMAND, "run", str(tiny), "--results", str(root), "--id", ID, "--workers", "1"]
    process = subprocess.Popen(
        arguments, env=environment(), stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    marker = root / ID / "checkpoints" / "phase_1.started"
    deadline = time.monotonic() + 60
    while not marker.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    _, message = process.communicate(timeout=60)
    assert process.returncode == 130, message
    _, _, named = message.partition("Go on with: workspace-kit ")
    assert named == f"resume {ID} --results '{root}'\n"
    assert "Traceback" not in message
    assert wk.verify_workspace(ID, root)["verdict"].is_in(["ok", "may change", "partial output"]).all()
    subprocess.run([*COMMAND, *shlex.split(named)], env=environment(), check=True)
    assert (root / ID / "visualizations" / "report.html").is_file()
