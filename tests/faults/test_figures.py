"""The figures of the fault suite, R1 to R15, each in a process of its own that forks its victims.

The whole suite: ``pytest -m faults -s``; R10 and a part of R11 have files of their own. Two run at a time, each in two
processes, so that a figure at work in one alone does not leave a processor idle.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# The longest first, so that the last to end leaves no processor idle.
FIGURES = ("R8", "R11", "R1", "R13", "R2", "R7", "R3", "R14", "R4", "R9", "R12", "R6", "R5", "R15")
EVERY_DAY = ("R1", "R2", "R4", "R5", "R6", "R7", "R8", "R12")


def figure(name: str, size: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1]), "POLARS_MAX_THREADS": "1"}
    told = subprocess.run(
        [sys.executable, "figures.py", name, size],
        cwd=HERE,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith(f"{name}: ")
    return told.stdout


@pytest.mark.faults
@pytest.mark.parametrize("name", FIGURES)
def test_the_figure_is_reached(name, tell):
    tell(figure(name, "full"))


@pytest.mark.parametrize("name", EVERY_DAY)
def test_a_small_part_of_the_figure_holds_every_day(name):
    figure(name, "smoke")
