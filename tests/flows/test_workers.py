"""Work in other processes: every item once, errors and all, whatever the number of workers."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from workspace_kit.errors import ConfigError, PriceError
from workspace_kit.flows.functions import find_function
from workspace_kit.flows.workers import each


def power(base: int, exponent: int) -> int:
    return base**exponent


def fail(_shared: None, item: int) -> int:
    raise PriceError("prices", found=str(item), expected="none", remedy="none")


@pytest.mark.parametrize("workers", [1, 3])
def test_every_item_is_worked_on_once(workers):
    assert sorted(each(power, [0, 1, 2, 3], shared=2, workers=workers, lost=str)) == [1, 2, 4, 8]


def die_at_three(_shared: None, item: int) -> int:
    if item == 3:
        os._exit(1)
    return item


def test_an_item_that_kills_its_process_is_the_only_one_lost():
    results = each(die_at_three, [1, 2, 3, 4, 5], shared=None, workers=2, lost=lambda item: -item)
    assert sorted(results) == [-3, 1, 2, 4, 5]


def test_no_items_start_no_process():
    assert list(each(power, [], shared=2, workers=2, lost=str)) == []


def test_a_typed_error_comes_back_whole():
    with pytest.raises(PriceError, match="prices: found 7, expected none; none"):
        list(each(fail, [7], shared=None, workers=1, lost=str))


def test_a_function_is_found_in_the_configurations_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "only_here.py").write_text("def answer():\n    return 42\n")
    assert find_function("only_here:answer", folder=tmp_path, built_in={}, where="w")() == 42


@pytest.mark.parametrize("name", ["unknown", "no_such_module:f", "math:no_such_name", "math:pi"])
def test_a_function_that_cannot_be_used_is_a_configuration_error(name):
    with pytest.raises(ConfigError):
        find_function(name, folder=Path(), built_in={"momentum": power}, where="strategy 's'")


def test_a_name_that_is_nearly_right_is_answered_with_the_right_one():
    built_in = {"momentum": power}
    with pytest.raises(ConfigError, match="did you mean 'momentum'"):
        find_function("momentun", folder=Path(), built_in=built_in, where="strategy 's'")
    with pytest.raises(ConfigError, match="write mine:dip"):
        find_function("mine.py:dip", folder=Path(), built_in=built_in, where="strategy 's'")


SLEEPY = """
import os, time
from pathlib import Path

def sleep(folder, number):
    (Path(folder) / f"{os.getpid()}.pid").touch()
    time.sleep(60)
"""
START = """
import sys, sleepy
from workspace_kit.flows.workers import each
list(each(sleepy.sleep, [1, 2], shared=sys.argv[1], workers=2, lost=str))
"""


def test_no_worker_outlives_a_killed_parent(tmp_path):
    (tmp_path / "sleepy.py").write_text(SLEEPY)
    path = f"{tmp_path}{os.pathsep}{Path(__file__).parents[2]}"
    parent = subprocess.Popen(
        [sys.executable, "-c", START, str(tmp_path)], env={**os.environ, "PYTHONPATH": path}
    )
    wait_until(lambda: len(list(tmp_path.glob("*.pid"))) == 2)
    workers = [int(each.stem) for each in tmp_path.glob("*.pid")]
    parent.kill()
    parent.wait()
    wait_until(lambda: not any(map(is_alive, workers)))


def is_alive(process: int) -> bool:
    """Whether a process still runs; a dead one that nobody has waited for does not."""
    answer = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, check=False)
    return answer.stdout.strip()[:1] not in {b"", b"Z"}


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
