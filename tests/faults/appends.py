"""R5 and R6: many processes append at once, some are killed, some read."""

import itertools
import json
import os
import random
import signal
import time
from pathlib import Path

from harness import scratch

from workspace_kit import storage

WRITERS, READERS = 8, 4


def record(writer: int, number: int, size: int) -> bytes:
    head = json.dumps({"writer": writer, "number": number, "pad": ""})[:-2]
    return f'{head}{"x" * max(size - len(head) - 3, 0)}"}}\n'.encode()


def parse(data: bytes) -> list[tuple[int, int]]:
    """Writer and number of every line; a damaged one fails."""
    found = []
    for line in data.split(b"\n"):
        if line:
            told = json.loads(line)
            found.append((told["writer"], told["number"]))
    return found


def forked(body) -> int:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            body()
            code = 0
        finally:
            os._exit(code)
    return child


def follow(paths: list[Path], stop: Path) -> None:
    """Read what is committed, again and again: it never becomes less and is always whole."""
    seen = dict.fromkeys(paths, 0)
    last = False
    while not last:
        last = stop.exists()
        for path in paths:
            if not path.exists():
                continue
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                assert size >= seen[path]
                data = os.pread(file.fileno(), min(size - seen[path], 1 << 22), seen[path])
            whole = data[: data.rfind(b"\n") + 1]
            parse(whole)
            seen[path] += len(whole)
        time.sleep(0.002)


def write_and_follow(folder: Path, *, shared: bool, records: int) -> int:
    """Eight writers, four readers; how many records were found, each once and in its writer's order."""
    folder.mkdir()
    paths = [folder / ("all.jsonl" if shared else f"{number}.jsonl") for number in range(WRITERS)]
    stop = folder / "stop"

    def write(writer: int) -> None:
        for number in range(records):
            size = 4096 if number % 8 == 0 else 120
            storage.append(paths[writer], record(writer, number, size), sync=False)

    readers = [forked(lambda: follow(sorted(set(paths)), stop)) for _ in range(READERS)]
    writers = [forked(lambda each=each: write(each)) for each in range(WRITERS)]
    for child in writers:
        assert os.waitpid(child, 0)[1] == 0
    stop.touch()
    for child in readers:
        assert os.waitpid(child, 0)[1] == 0, "a reader saw a damaged record, or fewer than before"
    found = [pair for path in sorted(set(paths)) for pair in parse(path.read_bytes())]
    for writer in range(WRITERS):
        assert [number for each, number in found if each == writer] == list(range(records))
    return len(found)


def r5(*, full: bool) -> str:
    records = 10_000 if full else 300
    with scratch() as folder:
        total = sum(
            write_and_follow(folder / str(shared), shared=shared, records=records) for shared in (True, False)
        )
    assert total == 2 * WRITERS * records
    return (
        f"R5: {total} records by {WRITERS} processes, {READERS} live readers, 0 lost, doubled or interleaved"
    )


def write_until_killed(path: Path, acknowledgements: Path, writer: int) -> None:
    descriptor = os.open(acknowledgements, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number in itertools.count():
        storage.append(path, record(writer, number, 4096 if number % 5 == 0 else 120), sync=False)
        os.write(descriptor, b".")


def r6(*, full: bool) -> str:
    kills = 320 if full else 16
    pick = random.Random(6)  # noqa: S311 - a test's seed
    records = 0
    with scratch() as folder:
        path = folder / "all.jsonl"
        for start in range(0, kills, 4):
            told = [folder / f"{writer}.told" for writer in range(start, start + 4)]
            children = [
                forked(
                    lambda each=each, start=start, path=path, told=told: write_until_killed(
                        path, told[each], start + each
                    )
                )
                for each in range(4)
            ]
            for child in children:
                time.sleep(pick.uniform(0.002, 0.03))
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
            sure = [each.stat().st_size if each.exists() else 0 for each in told]
            storage.append(path, record(10_000 + start, 0, 120), sync=False)
            lines = path.read_bytes().split(b"\n")
            found = []
            for line in lines:
                try:
                    told_by = json.loads(line) if line else None
                except ValueError:
                    continue
                if told_by:
                    found.append((told_by["writer"], told_by["number"]))
            for each in range(4):
                numbers = [number for writer, number in found if writer == start + each]
                assert numbers == list(range(len(numbers))), "a hole, a double or another order"
                assert sure[each] <= len(numbers) <= sure[each] + 1, (sure[each], len(numbers))
            records += len(found)
            path = folder / f"{start}.jsonl"
    return f"R6: {kills} writers killed, {records} records, every acknowledged one once, no hole"
