"""R1 and R2: killed before every operation, and killed again while recovering."""

import random
from pathlib import Path

from harness import (
    contents,
    count_operations,
    fresh_copy,
    identities,
    killed_before,
    scratch,
    servant,
    spread,
    victim,
)
from scenarios import ACKNOWLEDGED, SCENARIOS, Scenario

CASES = [(scenario, sync) for scenario in SCENARIOS for sync in (False, True)]


def template_of(scenario: Scenario, sync: bool, folder: Path) -> Path:
    """The workspaces a scenario begins with."""
    place = folder / "template"
    victim(lambda: scenario.prepare(place, sync))
    return place


def begin(template: Path, folder: Path) -> Path:
    """A fresh copy, nothing acknowledged."""
    root = fresh_copy(template, folder / "results")
    root.with_suffix(f".{ACKNOWLEDGED}").unlink(missing_ok=True)
    return root


def judge(scenario: Scenario, sync: bool, root: Path) -> None:
    """After a crash: what must hold does, recovery ends the work, and a second one changes nothing."""
    scenario.holds(root)
    scenario.recover(root, sync)
    scenario.done(root)
    before = contents(root)
    scenario.recover(root, sync)
    after = contents(root)
    if scenario.name != "document":
        changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
        assert not changed, f"a second recovery changed {changed}"


def kill_everywhere(case: tuple[int, int, int]) -> int:
    """Kill before every ``step``-th operation of one scenario; how many points."""
    number, step, start = case
    scenario, sync = CASES[number]
    points = 0
    with scratch() as folder:
        template = template_of(scenario, sync, folder)
        root = begin(template, folder)
        total = count_operations(lambda: scenario.act(root, sync))
        with servant(lambda: judge(scenario, sync, root)) as judged:
            for at in range(1 + start % step, total + 2, step):
                begin(template, folder)
                sizes = identities(root)
                ended = killed_before(at, lambda: scenario.act(root, sync))
                assert ended.killed == (at <= total), (scenario.name, sync, at)
                shrunk = [each for each, size in identities(root).items() if size < sizes.get(each, 0)]
                assert not shrunk, (scenario.name, sync, at, "a file shrank in place")
                try:
                    judged()
                except AssertionError as error:
                    raise AssertionError(f"{scenario.name}, durable {sync}, before operation {at}") from error
                points += 1
    return points


def r1(*, full: bool) -> str:
    step = 1 if full else 89
    parts = 4 if full else 1
    numbers = range(0 if full else 1, len(CASES), 1 if full else 2)
    cases = [(number, step * parts, start * step) for number in numbers for start in range(parts)]
    points = sum(spread(kill_everywhere, cases))
    assert points >= (2000 if full else 12), points
    return f"R1: {points} kill points in {len(SCENARIOS)} scenarios, durable {'on and off' if full else 'on'}, 0 violations"


def kill_recovery(case: tuple[int, int]) -> int:
    """Crash a scenario somewhere, then kill its recovery before each operation."""
    seed, step = case
    pick = random.Random(seed)  # noqa: S311 - a test's seeds
    scenario, sync = CASES[seed % len(CASES)]
    points = 0
    with scratch() as folder:
        template = template_of(scenario, sync, folder)
        root = begin(template, folder)
        total = count_operations(lambda: scenario.act(root, sync))
        root = begin(template, folder)
        crash = pick.randint(1, total)
        killed_before(crash, lambda: scenario.act(root, sync))
        crashed = fresh_copy(root, folder / "crashed")
        told = root.with_suffix(f".{ACKNOWLEDGED}")
        sure = told.read_text() if told.exists() else ""
        total = count_operations(lambda: scenario.recover(root, sync))
        with servant(lambda: judge(scenario, sync, root)) as judged:
            for at in range(1, total + 1, step):
                fresh_copy(crashed, root)
                told.write_text(sure)
                killed_before(at, lambda: scenario.recover(root, sync))
                try:
                    judged()
                except AssertionError as error:
                    where = f"{scenario.name}, durable {sync}, crash {crash}, recovery {at}"
                    raise AssertionError(where) from error
                points += 1
    return points


def r2(*, full: bool) -> str:
    crashes = 48 if full else 6
    points = sum(spread(kill_recovery, [(seed, 1 if full else 41) for seed in range(crashes)]))
    return f"R2: {points} kills during the recovery of {crashes} crashes, 0 violations"
