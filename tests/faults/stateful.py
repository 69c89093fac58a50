"""R13: random lives of a results folder, compared with a model that is two dictionaries."""

import os
import random
from pathlib import Path

from harness import scratch, spread, victim
from scenarios import NOW, frame, read, signal, whole_trials

from workspace_kit.errors import NameInvalid
from workspace_kit.flows.catalogs import open_catalog
from workspace_kit.flows.lifecycle import (
    archive_workspace,
    clean,
    cleanable,
    pin,
    repair_workspace,
    restore_workspace,
)
from workspace_kit.flows.studies import CompositeWorkspace
from workspace_kit.layout import names
from workspace_kit.layout.checkpoint import write_checkpoint
from workspace_kit.layout.digests import Digests
from workspace_kit.layout.inventory import inventory
from workspace_kit.layout.lifecycle import create_workspace
from workspace_kit.layout.names import Workspace
from workspace_kit.layout.verify import verify
from workspace_kit.layout.writer import SignalWriter, write_document, write_signal_file

STEPS_A_LIFE = 100
MOST = 4


class Model:
    """What there must be: symbols of each trial of each workspace, torn tails, pins, archives, documents."""

    def __init__(self) -> None:
        self.signals: dict[str, dict[str, list[str]]] = {}
        self.torn: set[tuple[str, str]] = set()
        self.documents: dict[str, set[str]] = {}
        self.pinned: set[str] = set()
        self.archived: dict[str, tuple[dict[str, list[str]], set[str], set[tuple[str, str]], bool]] = {}
        self.sealed: dict[str, set[str]] = {}
        self.old: set[str] = set()


class Life:
    def __init__(self, root: Path, seed: int) -> None:
        self.root, self.pick, self.model, self.number = root, random.Random(seed), Model(), 0  # noqa: S311
        self.done: dict[str, int] = {}
        root.mkdir()

    def live(self) -> list[str]:
        return sorted(self.model.signals)

    def any(self) -> str:
        return self.pick.choice(self.live())

    def step(self) -> None:
        often = [
            self.create, *[self.append] * 6, *[self.write] * 4, *[self.tear] * 2, self.repair, self.read,
            self.checkpoint, self.tamper, self.archive, self.restore, self.clean, self.pin, self.jump,
        ]  # fmt: skip
        choices = [*often * 6, self.composite, self.mirror] if self.live() else [self.create]
        chosen = self.pick.choice(choices)
        chosen()
        self.done[chosen.__name__] = self.done.get(chosen.__name__, 0) + 1

    def create(self) -> None:
        name = f"w{self.pick.randrange(MOST)}"
        there = name in self.model.signals
        try:
            create_workspace(
                self.root, name, config={}, environment={"n": self.number}, now=NOW, durability="none"
            )
        except NameInvalid:
            assert there
            return
        assert not there
        self.number += 1
        self.model.signals[name], self.model.documents[name] = {}, set()
        if name in self.model.archived:
            # Another workspace of that name: its archive is not this one's.
            (self.root / "archive" / f"{name}.tar.zst").unlink()
            del self.model.archived[name]

    def touched(self, name: str) -> None:
        self.model.old.discard(name)

    def append(self) -> None:
        name, trial = self.any(), f"trial_{self.pick.randrange(3)}"
        self.number += 1
        SignalWriter(self.root / name, durability="none").write_signal(trial, signal(self.number % 50_000))
        self.model.signals[name].setdefault(trial, []).append(f"S{self.number % 50_000}")
        self.touched(name)

    def tear(self) -> None:
        name = self.any()
        if trials := sorted(self.model.signals[name]):
            trial = self.pick.choice(trials)
            with (self.root / name / "signals" / f"{trial}.jsonl").open("ab") as file:
                file.write(b'{"timestamp":"20')
            self.model.torn.add((name, trial))
            self.touched(name)

    def write(self) -> None:
        name, number = self.any(), self.pick.randrange(10, 14)
        held, trial = Workspace(self.root, name), f"trial_{number}"
        told = write_signal_file(held, names.SIGNALS, trial, frame(number), strategy="m", durability="none")
        write_document(
            held, names.TRIAL, trial, {"metrics": {}, "signals": told}, written_at=NOW, durability="none"
        )
        self.model.signals[name][trial] = [f"S{number}", "B"]
        self.model.documents[name].add(trial)
        self.model.torn.discard((name, trial))
        self.touched(name)

    def repair(self) -> None:
        name = self.any()
        repaired = repair_workspace(Workspace(self.root, name))
        ours = {trial for each, trial in self.model.torn if each == name}
        assert {Path(path).stem for path in repaired["path"]} == ours
        self.model.torn = {each for each in self.model.torn if each[0] != name}
        for path in (self.root / name / "signals").glob("*.damaged"):
            path.unlink()
        if ours:
            self.touched(name)

    def read(self) -> None:
        name = self.any()
        for trial, wanted in self.model.signals[name].items():
            reading = read(self.root / name / "signals" / f"{trial}.jsonl")
            assert reading.rows["symbol"].to_list() == wanted
            assert bool(reading.faults.height) == ((name, trial) in self.model.torn)
        if not any(each == name and trial in self.model.documents[name] for each, trial in self.model.torn):
            whole_trials(Workspace(self.root, name))

    def checkpoint(self) -> None:
        held = Workspace(self.root, self.any())
        write_checkpoint(
            held, "phase_1", inventory([held]), state={}, completed_trials=[], written_at=NOW, sync=False
        )
        assert not verify(held, Digests(held, deep=False)).problems.height
        self.touched(held.id)

    def tamper(self) -> None:
        """Change one guarded byte, be caught by name, put it back."""
        held = Workspace(self.root, self.any())
        self.checkpoint_of(held)
        found = sorted((held.path / "performance").glob("*.json")) + [held.path / "metadata" / "config.yaml"]
        path = self.pick.choice(found)
        data, status = path.read_bytes(), path.stat()
        path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        caught = verify(held, Digests(held, deep=True)).problems["path"].to_list()
        assert caught == [path.relative_to(held.path).as_posix()], caught
        path.write_bytes(data)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        self.touched(held.id)

    def checkpoint_of(self, held: Workspace) -> None:
        write_checkpoint(
            held, "phase_1", inventory([held]), state={}, completed_trials=[], written_at=NOW, sync=False
        )

    def archive(self) -> None:
        name = self.any()
        archive_workspace(self.root / name)
        self.put_away(name)

    def put_away(self, name: str) -> None:
        torn = {each for each in self.model.torn if each[0] == name}
        self.model.archived[name] = (
            self.model.signals.pop(name), self.model.documents.pop(name), torn, name in self.model.pinned
        )  # fmt: skip
        self.model.torn -= torn
        self.model.pinned.discard(name)
        self.model.old.discard(name)
        assert not (self.root / name).exists()

    def restore(self) -> None:
        name = f"w{self.pick.randrange(MOST)}"
        if name in self.model.signals or name not in self.model.archived:
            return
        restore_workspace(name, self.root)
        signals, documents, torn, pinned = self.model.archived[name]
        self.model.signals[name] = {trial: list(each) for trial, each in signals.items()}
        self.model.documents[name] = set(documents)
        self.model.torn |= torn
        self.model.pinned |= {name} if pinned else set()

    def pin(self) -> None:
        name, keep = self.any(), self.pick.random() < 0.5
        pin(self.root / name, keep=keep)
        (self.model.pinned.add if keep else self.model.pinned.discard)(name)
        self.touched(name)

    def jump(self) -> None:
        """The clock of a workspace's files says long ago."""
        name = self.any()
        for path in (self.root / name).rglob("*"):
            if path.is_file():
                os.utime(path, (1_000_000_000, 1_000_000_000))
        self.model.old.add(name)

    def clean(self) -> None:
        going = set(cleanable(self.root, keep_days=7, keep_last=0)["workspace"])
        wanted = self.model.old - self.model.pinned
        assert going == wanted, (going, wanted)
        done = dict(clean(self.root, keep_days=7, keep_last=0))
        assert all(done[name].startswith("archived") for name in wanted), done
        for name in sorted(wanted):
            self.put_away(name)

    def composite(self) -> None:
        chosen = sorted(set(self.pick.choices(self.live(), k=2)))
        rows = CompositeWorkspace(chosen, self.root).aggregate_signals()
        # The same trial with the same signals counts once, wherever it lies; without its document it is no trial.
        told = {
            trial if trial in self.model.documents[name] else (name, trial): symbols
            for name in chosen
            for trial, symbols in self.model.signals[name].items()
        }
        assert sorted(rows["symbol"]) == sorted(each for symbols in told.values() for each in symbols)

    def mirror(self) -> None:
        with open_catalog(self.root) as catalog:
            found = dict(catalog.table("workspaces").select("workspace", "state").iter_rows())
            count = catalog.table("signals").height
            trials = catalog.table("performance").height
        assert set(found) == set(self.live()) | set(self.model.archived)
        assert {name for name, state in found.items() if state == "archived"} == (
            set(self.model.archived) - set(self.live())
        )
        assert count == sum(len(each) for told in self.model.signals.values() for each in told.values())
        assert trials == sum(map(len, self.model.documents.values()))


def live_through(case: tuple[int, int]) -> dict[str, int]:
    seed, steps = case

    def live(folder: Path) -> dict[str, int]:
        life = Life(folder / "results", seed)
        for number in range(steps):
            try:
                life.step()
            except Exception as error:
                raise AssertionError(f"life {seed}, step {number}: {error!r}") from error
        return life.done

    with scratch() as folder:
        return victim(lambda: live(folder)).answer


def r13(*, full: bool) -> str:
    lives, steps = (200, STEPS_A_LIFE) if full else (6, 30)
    told = spread(live_through, [(seed, steps) for seed in range(lives)])
    total = sum(sum(each.values()) for each in told)
    kinds = sorted({name for each in told for name in each})
    return f"R13: {total} steps in {lives} lives, {len(kinds)} kinds of step, 0 divergences"
