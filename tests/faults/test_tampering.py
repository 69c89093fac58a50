"""R10: whoever changes, cuts, swaps, links or forges a file of a sealed workspace is noticed, by its name."""

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import workspace_kit as wk
from workspace_kit.layout.chain import sealed as seal_anew

QUIET = ("ok", "may change", "registered", "added", "partial output")
Harm = Callable[[Path, random.Random], set[str]]


@pytest.fixture(scope="module")
def sealed(tmp_path_factory) -> Path:
    """Folder of a workspace with three checkpoints, sealed trials, and signals still appended to."""
    manager = wk.WorkspaceManager(tmp_path_factory.mktemp("sealed"))
    folder = manager.create_workspace({"name": "sealed"}, "w")
    writer = wk.SignalWriter(folder)
    for phase in range(1, 4):
        for trial in range(phase * 10, phase * 10 + 6):
            for minute in range(4):
                writer.write_signal(trial, signal(minute))
            wk.write_trial(folder, trial, parameters={"lookback": trial}, metrics={"sharpe_ratio": 1.25})
        (folder / "analysis" / f"study_{phase}.json").write_text(json.dumps({"phase": phase}) * 9)
        manager.checkpoint_phase(f"phase_{phase}", {"phase": phase})
    return folder


def signal(minute: int) -> dict[str, object]:
    return {
        "timestamp": f"2023-01-01T09:{minute:02d}:00Z",
        "symbol": "A",
        "action": "BUY",
        "strength": 0.5,
        "strategy": "s",
    }


def victims(folder: Path) -> list[Path]:
    """Files that a checkpoint guards."""
    found = [path for name in ("signals", "performance", "analysis") for path in (folder / name).iterdir()]
    return sorted([*found, folder / "metadata" / "config.yaml", folder / "metadata" / "environment.json"])


def named(folder: Path, *paths: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in paths}


def delete(folder: Path, chance: random.Random) -> set[str]:
    path = chance.choice(victims(folder))
    path.unlink()
    return named(folder, path)


def truncate(folder: Path, chance: random.Random) -> set[str]:
    path = chance.choice(victims(folder))
    os.truncate(path, chance.randrange(path.stat().st_size))
    return named(folder, path)


def extend(folder: Path, chance: random.Random) -> set[str]:
    path = chance.choice(victims(folder))
    with path.open("ab") as file:
        file.write(chance.randbytes(chance.randint(1, 50)))
    return named(folder, path)


def change(folder: Path, chance: random.Random) -> set[str]:
    """Change one bit and put the old time back."""
    path = chance.choice(victims(folder))
    status, data = path.stat(), bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    return named(folder, path)


def swap(folder: Path, chance: random.Random) -> set[str]:
    unlike = [path for path in victims(folder) if path.parent.name == "performance"]
    one, other = chance.sample(unlike, 2)
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    return named(folder, one, other)


def link(folder: Path, chance: random.Random) -> set[str]:
    path = chance.choice(victims(folder))
    elsewhere = folder.parent / "elsewhere"
    path.replace(elsewhere)
    path.symlink_to(elsewhere)
    return named(folder, path)


def become_a_folder(folder: Path, chance: random.Random) -> set[str]:
    path = chance.choice(victims(folder))
    path.unlink()
    path.mkdir()
    return named(folder, path)


def link_a_folder(folder: Path, chance: random.Random) -> set[str]:
    place = folder / chance.choice(["signals", "performance", "analysis"])
    paths = named(folder, *place.iterdir())
    place.rename(folder.parent / "moved")
    place.symlink_to(folder.parent / "moved")
    return paths


def seals(folder: Path) -> list[Path]:
    return sorted((folder / "checkpoints").glob("*.checkpoint"))


def forge(folder: Path, chance: random.Random) -> set[str]:
    """Change a file, write its new digest into a checkpoint and seal that anew."""
    path = chance.choice(seals(folder))
    content = json.loads(path.read_text())
    entry = chance.choice([each for each in content["files"] if each["kind"] == "replace"])
    entry["sha256"] = f"{chance.getrandbits(256):064x}"
    del content["digest"]
    path.write_bytes(seal_anew(content))
    is_last = path == seals(folder)[-1]
    return named(folder, path, *([folder / entry["path"]] if is_last else []))


def edit_a_checkpoint(folder: Path, chance: random.Random) -> set[str]:
    path = chance.choice(seals(folder))
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)
    return named(folder, path)


def lose_a_checkpoint(folder: Path, chance: random.Random) -> set[str]:
    """Remove one, the last perhaps: the log knows that it was there."""
    lost = chance.choice(seals(folder))
    lost.unlink()
    return named(folder, lost)


def lose_a_checkpoint_and_the_log(folder: Path, chance: random.Random) -> set[str]:
    """Remove one that others follow, and the log: the gap before the next tells."""
    number = chance.randrange(2)
    lost, following = seals(folder)[number : number + 2]
    lost.unlink()
    log = folder / "metadata" / "execution_log.json"
    log.unlink()
    return named(folder, following, log)


HARMS: tuple[Harm, ...] = (
    delete,
    truncate,
    extend,
    change,
    swap,
    link,
    become_a_folder,
    link_a_folder,
    forge,
    edit_a_checkpoint,
    lose_a_checkpoint,
    lose_a_checkpoint_and_the_log,
)


def judged(folder: Path, *, deep: bool) -> set[str]:
    rows = wk.verify_workspace(folder, deep=deep)
    return {path for path, verdict in rows.select("path", "verdict").rows() if verdict not in QUIET}


def tamperings(sealed: Path, place: Path, *, rounds: int) -> Iterator[tuple[str, set[str], set[str]]]:
    """Yield each harm with the files it touched and those that verify named."""
    for number in range(rounds):
        for harm in HARMS:
            chance = random.Random(f"{harm.__name__} {number}")  # noqa: S311 - repeatable
            root = place / f"{harm.__name__}_{number}"
            folder = Path(shutil.copytree(sealed, root / "w"))
            assert judged(folder, deep=False) == set(), "a false alarm before anything was done"
            touched = harm(folder, chance)
            yield harm.__name__, touched, judged(folder, deep=bool(number % 2))
            shutil.rmtree(root)


def held(sealed: Path, place: Path, *, rounds: int) -> int:
    cases = list(tamperings(sealed, place, rounds=rounds))
    assert [case for case in cases if case[1] != case[2]] == []
    return len(cases)


def test_every_kind_of_tampering_is_named_on_its_files_alone(sealed, tmp_path):
    assert held(sealed, tmp_path, rounds=1) == len(HARMS)


@pytest.mark.faults
def test_r10_tampering(sealed, tmp_path, tell):
    cases = held(sealed, tmp_path, rounds=30)
    tell(f"R10: {cases} tamperings, precision 100 %, recall 100 %")
    assert cases >= 300
