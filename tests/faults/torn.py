"""R7: a signal file torn at every byte, in every way a crash can leave it, then read, appended to, repaired."""

import itertools
import json
from collections.abc import Sequence
from pathlib import Path

from harness import scratch, spread
from scenarios import signal

from workspace_kit import storage
from workspace_kit.layout.inventory import inventory
from workspace_kit.layout.lines import salvage
from workspace_kit.layout.names import Workspace
from workspace_kit.layout.recovery import repair
from workspace_kit.layout.signals import Piece, read_pieces
from workspace_kit.layout.zones import UTC
from workspace_kit.schema import ORIGIN

LINES = [
    json.dumps({**signal(number), "symbol": f"é{number}日", "note": "x" * 480}, ensure_ascii=False).encode()
    + b"\n"
    for number in range(11)
]
WHOLE = b"".join(LINES)
ENDS = list(itertools.accumulate(map(len, LINES)))
FURTHER = [json.dumps(signal(number)).encode() + b"\n" for number in (100, 101)]
TOGETHER = 64
TEARS = ("cut", "NUL", "0xFF", "split UTF-8")


def torn(at: int, how: str) -> bytes:
    """What is left of the file when everything from byte ``at`` on was not, or wrongly, written."""
    missing = next(end for end in ENDS if end > at) - at
    after = {"cut": b"", "NUL": b"\0" * missing, "0xFF": b"\xff" * missing, "split UTF-8": b"\xe6\x97"}
    return WHOLE[:at] + after[how]


def symbols(files: Sequence[bytes]) -> list[list[str]]:
    """What is read of each of some files, all at once as a refresh reads them: none disturbs another."""
    pieces = [Piece("w", f"trial_{number}", str(number), data) for number, data in enumerate(files)]
    found: list[list[str]] = [[] for _ in files]
    for origin, symbol in read_pieces(pieces, zone=UTC).rows.select(ORIGIN, "symbol").iter_rows():
        found[int(origin)].append(symbol)
    return found


def appended(path: Path, data: bytes) -> bytes:
    """The file once two more records have come behind a tear."""
    path.write_bytes(data)
    for line in FURTHER:
        storage.append(path, line, sync=False)
    return path.read_bytes()


def committed(at: int) -> list[str]:
    """Symbols of the records that lie whole before a byte."""
    return [f"é{number}日" for number in range(sum(end <= at for end in ENDS))]


def try_tears(path: Path, tears: Sequence[tuple[int, str]]) -> int:
    """Three cases of each tear: read it, append twice behind it, repair it."""
    files = [torn(at, how) for at, how in tears]
    before, after = symbols(files), symbols([appended(path, data) for data in files])
    for (at, how), data, read, found in zip(tears, files, before, after, strict=True):
        wanted = committed(at)
        assert read == wanted, (at, how, "read")
        # A record that lacked nothing but its newline is given it by the next append.
        lacked_only_that = [f"é{len(wanted)}日"] if data == WHOLE[: ENDS[len(wanted)] - 1] else []
        assert found == [*wanted, *lacked_only_that, "S100", "S101"], (at, how, "append", found)
        good, _ = salvage(data)
        assert good == WHOLE[: ENDS[len(wanted) - 1] if wanted else 0], (at, how, "repair")
    return 3 * len(tears)


def tear_some(case: tuple[int, int]) -> int:
    start, step = case
    tears = [(at, how) for at in range(start, len(WHOLE), step) for how in TEARS]
    with scratch() as folder:
        signals = folder / "w" / "signals"
        signals.mkdir(parents=True)
        path = signals / "trial_0.jsonl"
        cases = sum(try_tears(path, tears[at : at + TOGETHER]) for at in range(0, len(tears), TOGETHER))
        for at in range(start, len(WHOLE), step * 40):
            data = torn(at, TEARS[at % len(TEARS)])
            assert symbols([data]) == [committed(at)], (at, "read alone")
            path.write_bytes(data)
            repair(inventory([Workspace(folder, "w")]), step=lambda: None)
            assert path.read_bytes() == salvage(data)[0]
            originals = sorted(signals.glob("*.damaged"))
            assert [each.read_bytes() for each in originals] == [data] * bool(salvage(data)[1])
            for each in originals:
                each.unlink()
        return cases


def r7(*, full: bool) -> str:
    step = 1 if full else 67
    cases = sum(spread(tear_some, [(start * step, 8 * step) for start in range(8)]))
    assert cases >= (75_000 if full else 500), cases
    return f"R7: {cases} torn files, the exact prefix read each time, nothing glued"
