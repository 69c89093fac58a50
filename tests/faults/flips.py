"""R9: every bit of every checkpoint, and bits elsewhere, turned over."""

import random
from pathlib import Path

from harness import scratch, spread
from scenarios import NOW, make, write_trial

from workspace_kit.layout.chain import read_chain
from workspace_kit.layout.checkpoint import write_checkpoint
from workspace_kit.layout.digests import Digests
from workspace_kit.layout.inventory import inventory
from workspace_kit.layout.names import Workspace
from workspace_kit.layout.verify import verify


def sealed(folder: Path) -> Workspace:
    held = make(folder / "results", False)
    for number in (1, 2):
        write_trial(held, number, False)
        write_checkpoint(
            held,
            f"phase_{number}",
            inventory([held]),
            state={},
            completed_trials=[],
            written_at=NOW,
            sync=False,
        )
    return held


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def problems(held: Workspace) -> set[str]:
    return set(verify(held, Digests(held, deep=True)).problems["path"])


def flip_checkpoints(case: tuple[int, int]) -> int:
    start, step = case
    tried = 0
    with scratch() as folder:
        held = sealed(folder)
        for path in sorted((held.path / "checkpoints").glob("*.checkpoint")):
            data = path.read_bytes()
            for bit in range(start, len(data) * 8, step):
                path.write_bytes(flipped(data, bit))
                assert path in read_chain(held).faults, (path.name, bit)
                tried += 1
            path.write_bytes(data)
        assert not read_chain(held).faults
    return tried


def flip_elsewhere(case: tuple[int, int]) -> int:
    seed, flips = case
    pick = random.Random(seed)  # noqa: S311 - a test's seed
    with scratch() as folder:
        held = sealed(folder)
        assert not problems(held)
        guarded = sorted(
            path
            for path in held.path.rglob("*")
            if path.is_file()
            and (path.parent.name in {"signals", "performance"} or path.name == "config.yaml")
        )
        for _ in range(flips):
            path = pick.choice(guarded)
            data = path.read_bytes()
            path.write_bytes(flipped(data, pick.randrange(len(data) * 8)))
            assert problems(held) == {path.relative_to(held.path).as_posix()}
            path.write_bytes(data)
        assert not problems(held)
    return flips


def r9(*, full: bool) -> str:
    step = 1 if full else 301
    bits = sum(spread(flip_checkpoints, [(start * step, 4 * step) for start in range(4)]))
    elsewhere = sum(spread(flip_elsewhere, [(seed, 500 if full else 15) for seed in range(4)]))
    return f"R9: {bits} bits of checkpoints and {elsewhere} elsewhere, all detected by name, 0 false alarms"
