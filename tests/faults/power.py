"""R4: the disk loses power. What was not synced may be absent, half there, or NULs.

The model is POSIX at its least: a file's bytes last from its own sync on, a name from the sync of its folder.
"""

import os
import shutil
from pathlib import Path
from typing import NamedTuple

from harness import scratch, spread, victim
from kills import CASES, begin, template_of
from scenarios import ACKNOWLEDGED, acknowledged

from workspace_kit import storage

SYNCED = [number for number, (_, sync) in enumerate(CASES) if sync]
# What it leaves behind is derived, and deletable at any time.
LEFT_OUT = {"mirror"}


class Moment(NamedTuple):
    """Everything on the disk at one instant: entries of each folder, bytes of each file, by inode."""

    folders: dict[int, dict[str, int]]
    files: dict[int, bytes]
    acknowledged: int
    operation: str
    target: int | None


def look(root: Path, operation: str, path: Path | None) -> Moment:
    folders: dict[int, dict[str, int]] = {}
    files: dict[int, bytes] = {}
    for place, _, names in os.walk(root):
        entries = {}
        with os.scandir(place) as listed:
            for entry in listed:
                entries[entry.name] = entry.inode()
        folders[os.stat(place).st_ino] = entries
        for name in names:
            full = Path(place, name)
            files[full.stat().st_ino] = full.read_bytes()
    try:
        target = path.stat().st_ino if path and operation == "fsync" else None
    except OSError:
        target = None
    return Moment(folders, files, acknowledged(root), operation, target)


def record(root: Path, act) -> list[Moment]:
    """The disk before each operation, and at the end."""
    moments: list[Moment] = []
    with storage.watch_operations(lambda operation, path: moments.append(look(root, operation, path))):
        act()
    moments.append(look(root, "end", None))
    return moments


VARIANTS = [(names, rest) for names in ("lost", "kept") for rest in ("absent", "half", "NUL")]


def rebuild(place: Path, inode: int, last: Moment, lasting, names: str, rest: str) -> None:
    """Write down what is found after the lights are on again."""
    folders, files = lasting
    place.mkdir()
    chosen = last.folders.get(inode) if names == "kept" else folders.get(inode, {})
    for name, child in (chosen or {}).items():
        if child in last.folders or (child in folders and child not in files):
            rebuild(place / name, child, last, lasting, names, rest)
            continue
        now, sure = last.files.get(child), files.get(child)
        if now is None or sure is not None:
            # An append keeps the synced part; what lies behind it is at stake.
            data = sure or b""
            if now is not None and now.startswith(data):
                data += at_stake(now[len(data) :], rest)
        else:
            data = at_stake(now, rest)
        (place / name).write_bytes(data)


def at_stake(data: bytes, rest: str) -> bytes:
    return {"absent": b"", "half": data[: len(data) // 2], "NUL": b"\0" * len(data)}[rest]


def lose_power(case: tuple[int, int]) -> int:
    number, step = case
    scenario, sync = CASES[number]

    def lose(template: Path, folder: Path) -> int:
        root = begin(template, folder)
        moments = record(root, lambda: scenario.act(root, sync))
        top = root.stat().st_ino
        lasting = (dict(moments[0].folders), dict(moments[0].files))
        states = 0
        for index, moment in enumerate(moments):
            if index % step == 0 or index == len(moments) - 1:
                for names, rest in VARIANTS:
                    shutil.rmtree(root)
                    rebuild(root, top, moment, lasting, names, rest)
                    told = root.with_suffix(f".{ACKNOWLEDGED}")
                    told.write_text("x\n" * moment.acknowledged)
                    try:
                        scenario.holds(root)
                    except Exception as error:
                        where = (scenario.name, index, moment.operation, names, rest)
                        raise AssertionError(f"{where}: {error!r}") from error
                    states += 1
            if moment.target in moment.folders:
                lasting[0][moment.target] = moment.folders[moment.target]
            elif moment.target is not None:
                lasting[1][moment.target] = moment.files[moment.target]
        return states

    with scratch() as folder:
        template = template_of(scenario, sync, folder)
        return victim(lambda: lose(template, folder)).answer


def r4(*, full: bool) -> str:
    step = 2 if full else 61
    wanted = [number for number in SYNCED if CASES[number][0].name not in LEFT_OUT]
    states = sum(spread(lose_power, [(number, step) for number in wanted]))
    assert states >= (2000 if full else 30), states
    return f"R4: {states} states after a loss of power, 0 neither old nor new"
