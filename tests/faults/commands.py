"""R11: the command killed at random moments and resumed ends in the bytes of one that nobody stopped.

Every fifth is typed as a person would, with two workers and pages; the others are forked from a process that
has imported all they need, with one worker, and draw no page, which is two thirds of their time.
"""

import importlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from harness import scratch, spread

from tests.conftest import EPOCH, TINY
from tests.stopping import contents
from workspace_kit.cli import main
from workspace_kit.flows import resume, run

ROOT = Path(__file__).parents[2]
ID = "workflow_tiny"
RESULTS, PICTURES = ("signals", "performance", "analysis"), ("visualizations",)
NOT_FOUND = 3
LOADED = (run, resume, importlib.import_module("workspace_kit.flows.housekeeping"))


class Way(NamedTuple):
    """How a command is begun, and which files it is judged by."""

    begin: Callable[[list[str], Path, int], int]
    workers: int
    judged: tuple[str, ...]

    def run(self, folder: Path, *arguments: str, after: float = float("inf")) -> tuple[int, str]:
        """Run a command, kill it after some seconds if it lasts that long; its exit code and messages."""
        typed = [*arguments, "--results", str(folder), "--workers", str(self.workers), "--quiet"]
        end = time.monotonic() + after
        reading, writing = os.pipe()
        child = self.begin(typed, folder, writing)
        os.close(writing)
        while not (ended := os.waitpid(child, os.WNOHANG))[0]:
            if time.monotonic() > end:
                os.kill(child, signal.SIGKILL)
                ended = os.waitpid(child, 0)
                break
            time.sleep(0.005)
        with os.fdopen(reading) as messages:
            told = messages.read()  # to the end: its workers leave only when they see that it has ended
        return os.waitstatus_to_exitcode(ended[1]), told


def typed(arguments: list[str], folder: Path, messages: int) -> int:
    """Begin a command in an interpreter of its own."""
    command = [sys.executable, "-c", "from workspace_kit.cli import main; main()", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if environment.pop("PYTHONDONTWRITEBYTECODE", None):
        # Else each of many processes would compile everything anew.
        environment["PYTHONPYCACHEPREFIX"] = str(folder.parent / "compiled")
    return subprocess.Popen(command, env=environment, stdout=messages, stderr=messages).pid


def forked(arguments: list[str], _folder: Path, messages: int) -> int:
    """Begin a command in a copy of this process, which has run nothing yet; it draws no page."""
    child = os.fork()
    if child:
        return child
    os.dup2(messages, 1)
    os.dup2(messages, 2)
    run.write_report = lambda _workspace: None
    sys.argv = ["workspace-kit", *arguments]
    code = 1
    try:
        main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0
    finally:
        os._exit(code)


TYPED, FORKED = Way(typed, 2, RESULTS + PICTURES), Way(forked, 1, RESULTS)


def whole(way: Way, tiny: Path, folder: Path) -> tuple[dict[str, bytes], float]:
    """Return the files of a command that nobody stopped, and how long it took."""
    begun = time.monotonic()
    code, told = way.run(folder, "run", str(tiny), "--id", ID)
    assert code == 0, told
    return contents(folder / ID, *way.judged), time.monotonic() - begun


def killed_and_resumed(way: Way, tiny: Path, folder: Path, *, after: float) -> tuple[bool, dict[str, bytes]]:
    """Kill a command after some seconds, go on; returns whether the kill came in time, and the files."""
    ended, told = way.run(folder, "run", str(tiny), "--id", ID, after=after)
    assert ended in {0, -signal.SIGKILL}, told
    code, told = way.run(folder, "resume", ID)
    if code == NOT_FOUND:
        code, told = way.run(folder, "run", str(tiny), "--id", ID)
    assert code == 0, told
    return ended != 0, contents(folder / ID, *way.judged)


def r11(*, full: bool) -> str:
    os.environ["SOURCE_DATE_EPOCH"] = EPOCH
    kills = 50 if full else 2
    chance = random.Random(9)  # noqa: S311 - repeatable moments
    with scratch() as folder:
        tiny = folder / "tiny.yaml"
        tiny.write_text(TINY)
        expected = {way: whole(way, tiny, folder / way.begin.__name__) for way in (TYPED, FORKED)}

        def kill(case: tuple[int, float]) -> bool:
            number, moment = case
            way = FORKED if number % 5 else TYPED
            files, seconds = expected[way]
            in_time, found = killed_and_resumed(way, tiny, folder / str(number), after=moment * seconds)
            different = sorted(
                name for name in files.keys() | found.keys() if files.get(name) != found.get(name)
            )
            assert not different, (number, moment, different)
            return in_time

        moments = [chance.uniform(0.1, 1.0) for _ in range(kills)]
        in_time = sum(spread(kill, list(enumerate(moments))))
    assert in_time >= kills // 2, in_time
    return f"R11: {kills} x kill -9 at random moments, {in_time} before the end, {kills} equal; every fifth as typed"
