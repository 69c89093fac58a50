"""Victims: forked processes in which one chosen operation on the disk kills, fails or is recorded.

The parent has imported Polars and never run it: a child forked after a run hangs.
"""

import errno
import json
import os
import shutil
import signal
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from workspace_kit import storage

PROCESSES = 2
PATIENCE_SECONDS = 120
ERRNOS = tuple(
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "EIO", "EMFILE", "EACCES", "EROFS", "ESTALE", "EFBIG")
)


class Ended(NamedTuple):
    """How a victim ended: killed, or with what its body returned."""

    killed: bool
    answer: Any


def victim(body: Callable[[], Any]) -> Ended:
    """Run a body in a forked child and wait for it; a failure there is raised here."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        signal.alarm(PATIENCE_SECONDS)
        try:
            told = {"answer": body()}
        except BaseException:
            told = {"error": traceback.format_exc()}
        with os.fdopen(writing, "w") as pipe:
            json.dump(told, pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL, f"the victim ended by signal {os.WTERMSIG(status)}"
        return Ended(True, None)
    told = json.loads(text)
    assert "error" not in told, told["error"]
    return Ended(False, told["answer"])


@contextmanager
def servant(body: Callable[[], Any]) -> Iterator[Callable[[], Any]]:
    """A forked child that runs one body as often as it is asked to; a failure there is raised here."""
    (asked, ask), (answers, answer) = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ask)
        with os.fdopen(answer, "w") as pipe:
            while os.read(asked, 1):
                signal.alarm(PATIENCE_SECONDS)
                try:
                    told = {"answer": body()}
                except BaseException:
                    told = {"error": traceback.format_exc()}
                signal.alarm(0)
                print(json.dumps(told), file=pipe, flush=True)
        os._exit(0)
    os.close(asked)
    os.close(answer)

    def call() -> Any:
        os.write(ask, b".")
        line = pipe.readline()
        assert line, "the servant died"
        told = json.loads(line)
        assert "error" not in told, told["error"]
        return told["answer"]

    try:
        with os.fdopen(answers) as pipe:
            yield call
    finally:
        os.close(ask)
        os.waitpid(child, 0)


def spread(work: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    """Do the work for every item, in as many forked processes as there are cores; answers in order."""
    parts = [list(range(start, len(items), PROCESSES)) for start in range(PROCESSES)]
    folder = Path(tempfile.mkdtemp(prefix="spread-"))
    children = []
    for number, part in enumerate(parts):
        child = os.fork()
        if child == 0:
            try:
                told = [[index, work(items[index])] for index in part]
            except BaseException:
                told = {"error": traceback.format_exc()}
            (folder / str(number)).write_text(json.dumps(told))
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    answers = {}
    for number in range(PROCESSES):
        told = json.loads((folder / str(number)).read_text())
        assert isinstance(told, list), told["error"]
        answers.update(dict(told))
    shutil.rmtree(folder)
    return [answers[index] for index in range(len(items))]


class Counter:
    """Counts operations."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, operation: str, path: Path) -> None:
        self.count += 1


class Killer(Counter):
    """Kills the process before operation number ``at``."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    def __call__(self, operation: str, path: Path) -> None:
        super().__call__(operation, path)
        if self.count == self.at:
            os.kill(os.getpid(), signal.SIGKILL)


class Refuser(Counter):
    """Fails operation number ``at``, once or from then on."""

    def __init__(self, at: int, number: int, *, forever: bool) -> None:
        super().__init__()
        self.at, self.number, self.forever = at, number, forever
        self.refused: list[tuple[str, str]] = []

    def __call__(self, operation: str, path: Path) -> None:
        super().__call__(operation, path)
        if self.count == self.at or (self.forever and self.count > self.at):
            self.refused.append((operation, str(path)))
            raise OSError(self.number, os.strerror(self.number))


def count_operations(body: Callable[[], Any]) -> int:
    """How many operations a body makes, in a victim of its own."""

    def counted() -> int:
        counter = Counter()
        with storage.watch_operations(counter):
            body()
        return counter.count

    return victim(counted).answer


def killed_before(at: int, body: Callable[[], Any]) -> Ended:
    """Run a body in a victim that dies before operation ``at``."""

    def dying() -> None:
        with storage.watch_operations(Killer(at)):
            body()

    return victim(dying)


@contextmanager
def short_writes() -> Iterator[None]:
    """Let every write take only a part of what it is given."""
    whole = os.write

    def short(descriptor: int, data: Any) -> int:
        return whole(descriptor, bytes(data[: max(1, len(data) // 3)]))

    os.write = short
    try:
        yield
    finally:
        os.write = whole


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder in memory where there is one, gone afterwards."""
    memory = Path("/dev/shm")  # noqa: S108 - a test's own folder below it
    base = memory if os.access(memory, os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="faults-", dir=base))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


_copied: dict[Path, tuple[Path, dict[str, tuple[int, ...]]]] = {}


def fresh_copy(template: Path, place: Path) -> Path:
    """A copy of a template, times kept; of one that lies there already only what was touched is copied anew."""
    before, copied = _copied.get(place, (None, {}))
    if before != template:
        shutil.rmtree(place, ignore_errors=True)
        copied = {}
    wanted, there = tree(template), tree(place)
    kept = {
        name for name, each in there.items() if name in wanted and each == (wanted[name] and copied.get(name))
    }
    for name in sorted(there.keys() - kept, reverse=True):
        (os.rmdir if there[name] is None else os.unlink)(f"{place}{name}")
    for name in sorted(wanted.keys() - kept):
        path = f"{place}{name}"
        if wanted[name] is None:
            Path(path).mkdir()
        else:
            shutil.copy2(f"{template}{name}", path, follow_symlinks=False)
            copied[name] = identity(os.lstat(path))
    _copied[place] = (template, copied)
    return place


def tree(folder: Path | str, below: str = "") -> dict[str, tuple[int, ...] | None]:
    """Everything in a folder, itself too where it is there: identity of each file, null for a folder."""
    found: dict[str, tuple[int, ...] | None] = {}
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        found[below] = None
        for entry in entries:
            name = f"{below}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                found |= tree(entry.path, name)
            else:
                found[name] = identity(entry.stat(follow_symlinks=False))
    return found


def identity(status: os.stat_result) -> tuple[int, ...]:
    """What changes whenever anything does."""
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def identities(folder: Path) -> dict[int, int]:
    """Size of every file by inode."""
    return {each[0]: each[1] for each in tree(folder).values() if each}


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder but the mirror's and locks."""
    files = [name for name, is_file in tree(folder).items() if is_file and "/.workspace_kit/" not in name]
    return {name: Path(f"{folder}{name}").read_bytes() for name in sorted(files)}
