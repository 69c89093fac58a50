"""R11: a run that is stopped anywhere, and resumed, ends in the bytes of one that nobody stopped."""

import math
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import workspace_kit as wk
from tests.stopping import Killed, contents, killing
from workspace_kit import storage
from workspace_kit.flows import discovery, journal, run

ID = "workflow_tiny"
RESULTS = ("signals", "performance", "analysis")
COMMAND = [sys.executable, "-c", "from workspace_kit.cli import main; main()"]


@pytest.fixture(scope="module", autouse=True)
def in_process(epoch) -> Iterator[None]:
    """Run trials in this process, where a test can stop them, draw no page, and let no clock add a step."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(discovery, "each", serially)
        patch.setattr(run, "write_report", lambda _workspace: None)
        patch.setattr(journal, "HEARTBEAT_SECONDS", math.inf)
        yield


def serially(function, items, *, shared, **_rest):
    """Do in this process what workers would do."""
    return (function(shared, each) for each in items)


@pytest.fixture(scope="module")
def golden(tiny, tmp_path_factory, in_process) -> tuple[dict[str, bytes], list[tuple[str, Path]]]:
    """Files of a run that nobody stopped, and every change of the disk that it made."""
    operations: list[tuple[str, Path]] = []
    with storage.watch_operations(lambda operation, path: operations.append((operation, path))):
        workspace = wk.run_workflow(tiny, root=tmp_path_factory.mktemp("golden"), workspace_id=ID, workers=1)
    return contents(workspace.path, *RESULTS), operations


def stopped(tiny: Path, root: Path, *, before: int) -> bool:
    """Run until an operation on the disk, and no further; false where it was done before that."""
    try:
        with storage.watch_operations(killing(before)):
            wk.run_workflow(tiny, root=root, workspace_id=ID, workers=1)
    except Killed:
        return True
    return False


def resumed(tiny: Path, root: Path) -> dict[str, bytes]:
    """Go on, or begin where nothing was begun, and return what there is in the end."""
    if (root / ID).is_dir():
        wk.resume_run(ID, root, workers=1)
    else:
        wk.run_workflow(tiny, root=root, workspace_id=ID, workers=1)
    return contents(root / ID, *RESULTS)


def in_trials(operations: list[tuple[str, Path]]) -> list[int]:
    """Numbers of the operations from the first file of a trial to the first after the last."""
    found = [number for number, (_, path) in enumerate(operations) if "trial_" in path.name]
    phase_1 = [number for number in found if "ensemble" not in operations[number][1].name]
    return list(range(phase_1[0], phase_1[-1] + 2))


@pytest.mark.faults
def test_r11_resumed_is_uninterrupted(golden, tiny, tmp_path, tell):
    expected, operations = golden
    inside = in_trials(operations)
    everywhere = range(0, len(operations), 16)
    points = sorted({*inside, *everywhere})
    for point in points:
        root = tmp_path / str(point)
        # How often the mirror is written hangs on the clock, so that the last points may lie behind the end.
        assert stopped(tiny, root, before=point) or point > inside[-1]
        assert resumed(tiny, root) == expected, f"stopped before {operations[point]}"
    tell(f"R11: {len(points)} of {len(operations)} operations, all equal")


@pytest.mark.faults
def test_r11_stopped_again_while_it_resumes(golden, tiny, tmp_path, tell):
    expected, operations = golden
    inside = in_trials(operations)
    chance = random.Random(11)  # noqa: S311 - repeatable moments
    for number in range(12):
        root = tmp_path / str(number)
        assert stopped(tiny, root, before=chance.choice(inside))
        for _ in range(2):
            with storage.watch_operations(killing(chance.randrange(1, 60))), pytest.raises(Killed):
                wk.resume_run(ID, root, workers=1)
        assert resumed(tiny, root) == expected
    tell("R11: 12 runs stopped three times, all equal")


def killed(tiny: Path, root: Path, *, when: Callable[[], bool]) -> bool:
    """Begin the command as a person would and kill it at some moment; whether that came before its end."""
    arguments = ["run", str(tiny), "--id", ID, "--results", str(root), "--workers", "2", "--quiet"]
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        env={**os.environ, "PYTHONPATH": str(Path(wk.__file__).parents[1])},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    while not when() and process.poll() is None:
        time.sleep(0.002)
    process.kill()
    process.communicate()
    return process.returncode == -signal.SIGKILL


def test_a_killed_command_resumes_to_the_bytes_of_a_whole_one(golden, tiny, tmp_path):
    first = tmp_path / ID / "performance" / "trial_0.json"
    assert killed(tiny, tmp_path, when=first.exists)
    assert not (tmp_path / ID / "checkpoints" / "phase_4_complete.checkpoint").exists()
    assert resumed(tiny, tmp_path) == golden[0]
