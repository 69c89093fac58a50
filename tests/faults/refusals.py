"""R8: every operation refused with every errno, once and for ever; short writes; limits of the system for real."""

import errno
import os
import resource
import shutil
import subprocess
from pathlib import Path

from harness import ERRNOS, Counter, Refuser, fresh_copy, scratch, short_writes, spread, victim
from kills import CASES, begin, template_of
from scenarios import ACKNOWLEDGED, make, signal, write_trial

from workspace_kit import storage
from workspace_kit.errors import StorageError, WorkspaceKitError
from workspace_kit.layout.writer import SignalWriter


def descriptors() -> int:
    """Open descriptors, those kept for appending aside."""
    return len(os.listdir("/proc/self/fd")) - len(storage._kept)


def refuse_everywhere(case: tuple[int, int, int]) -> dict[str, object]:
    """Refuse each operation of one scenario; all in one victim, for nothing dies here."""
    number, start, step = case
    scenario, sync = CASES[number]

    def refuse_all(template: Path, folder: Path) -> dict[str, object]:
        root = begin(template, folder)
        counter = Counter()
        with storage.watch_operations(counter):
            scenario.act(root, sync)
        tried, errors = 0, set()
        places = [
            (at, each, forever) for at in range(1, counter.count + 1) for each in ERRNOS for forever in (0, 1)
        ]
        for at, each, forever in places[start::step]:
            root = fresh_copy(template, folder / "results")
            root.with_suffix(f".{ACKNOWLEDGED}").unlink(missing_ok=True)
            before = descriptors()
            refuser = Refuser(at, each, forever=bool(forever))
            where = (scenario.name, sync, at, errno.errorcode[each], forever)
            with storage.watch_operations(refuser):
                try:
                    told = scenario.act(root, sync) or ()
                    # What only tidies up may be refused without a word; what a sync was to prove is not so.
                    is_sync = refuser.refused[0][0] == "fsync"
                    assert not is_sync or any(os.strerror(each) in line for line in told), where
                except StorageError as error:
                    operation = error.found.partition(" ")[0]
                    assert (operation, error.where) in refuser.refused, (where, error)
                    assert os.strerror(each) in error.found, (where, error)
                except WorkspaceKitError as error:
                    raise AssertionError(where) from error
            assert descriptors() == before, (where, "a descriptor leaked")
            scenario.holds(root)
            errors.add((at, each))
            tried += 1
        return {"tried": tried, "operations": counter.count}

    with scratch() as folder:
        template = template_of(scenario, sync, folder)
        return victim(lambda: refuse_all(template, folder)).answer


def write_in_pieces(number: int) -> int:
    """A scenario whose every write is cut short."""
    scenario, sync = CASES[number]
    with scratch() as folder:
        root = begin(template_of(scenario, sync, folder), folder)

        def act() -> None:
            with short_writes():
                scenario.act(root, sync)
            scenario.holds(root)

        victim(act)
    return 1


def fill_the_disk() -> str:
    """A file system of 256 KiB, where this process may mount one."""
    with scratch() as folder:
        if subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)],
            capture_output=True,
            check=False,
        ).returncode:
            return "no tmpfs of its own"
        try:

            def fill() -> int:
                held = make(folder / "results", True)
                number = 0
                try:
                    while True:
                        write_trial(held, number, True)
                        number += 1
                except StorageError as error:
                    assert os.strerror(errno.ENOSPC) in error.found, error
                return number

            written = victim(fill).answer
            assert written > 5
            shutil.rmtree(folder / "results")
        finally:
            subprocess.run(["umount", str(folder)], check=True)
    return "a full tmpfs"


def exceed_limits() -> None:
    """The kernel's own limits on descriptors and on the size of a file."""
    with scratch() as folder:

        def many_files() -> None:
            held = make(folder / "many", False)
            resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
            writer = SignalWriter(held.path)
            try:
                for number in range(200):
                    writer.write_signal(number, signal(number))
            except StorageError as error:
                assert os.strerror(errno.EMFILE) in error.found, error
                return
            raise AssertionError("more files than descriptors")

        def large_file() -> None:
            held = make(folder / "large", False)
            resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
            writer = SignalWriter(held.path)
            number = 0
            try:
                while True:
                    writer.write_signal(0, signal(number))
                    number += 1
            except StorageError as error:
                assert os.strerror(errno.EFBIG) in error.found, error
                assert "0 of 1 records are committed" in error.found, error
            data = (held.path / "signals" / "trial_0.jsonl").read_bytes()
            assert data[: data.rfind(b"\n") + 1].count(b"\n") == number

        victim(many_files)
        victim(large_file)


def r8(*, full: bool) -> str:
    parts = 6
    step = parts if full else 600
    numbers = range(1, len(CASES), 2 if full else 4)
    cases = [(number, start, step) for number in numbers for start in range(parts if full else 1)]
    told = spread(refuse_everywhere, cases)
    tried = sum(each["tried"] for each in told)
    operations = sum(each["operations"] for each in told) // (parts if full else 1)
    pieces = sum(spread(write_in_pieces, list(numbers)))
    exceed_limits()
    place = fill_the_disk()
    return (
        f"R8: {tried} refusals at {operations} operations × {len(ERRNOS)} errnos × once and for ever,"
        f" {pieces} scenarios in short writes, {place}, 2 limits: typed each time, nothing leaked"
    )
