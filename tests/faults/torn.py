"""R7: a signal file torn at every byte, in every way a crash can leave it, then read, appended to, repaired."""

import itertools
import json
from pathlib import Path

from harness import scratch, spread
from scenarios import signal

from workspace_kit import storage
from workspace_kit.layout.inventory import inventory
from workspace_kit.layout.lines import salvage
from workspace_kit.layout.names import Workspace
from workspace_kit.layout.recovery import repair
from workspace_kit.layout.signals import read_signals
from workspace_kit.layout.zones import UTC

LINES = [
    json.dumps({**signal(number), "symbol": f"é{number}日", "note": "x" * 480}, ensure_ascii=False).encode()
    + b"\n"
    for number in range(11)
]
WHOLE = b"".join(LINES)
ENDS = list(itertools.accumulate(map(len, LINES)))
FURTHER = [json.dumps(signal(number)).encode() + b"\n" for number in (100, 101)]
TEARS = ("cut", "NUL", "0xFF", "split UTF-8")


def torn(at: int, how: str) -> bytes:
    """What is left of the file when everything from byte ``at`` on was not, or wrongly, written."""
    missing = next(end for end in ENDS if end > at) - at
    after = {"cut": b"", "NUL": b"\0" * missing, "0xFF": b"\xff" * missing, "split UTF-8": b"\xe6\x97"}
    return WHOLE[:at] + after[how]


def symbols(data: bytes) -> list[str]:
    reading = read_signals(data, workspace="w", trial_id="trial_0", path="p", zone=UTC)
    return reading.rows["symbol"].to_list()


def try_tear(path: Path, at: int, how: str) -> int:
    """Three cases of one tear: read it, append twice behind it, repair it."""
    data = torn(at, how)
    committed = sum(end <= at for end in ENDS)
    wanted = [f"é{number}日" for number in range(committed)]
    assert symbols(data) == wanted, (at, how, "read")

    path.write_bytes(data)
    for line in FURTHER:
        storage.append(path, line, sync=False)
    found = symbols(path.read_bytes())
    # A record that lacked nothing but its newline is given it by the next append.
    lacked_only_that = [f"é{committed}日"] if data == WHOLE[: ENDS[committed] - 1] else []
    assert found == [*wanted, *lacked_only_that, "S100", "S101"], (at, how, "append", found)

    good, _ = salvage(data)
    assert good == WHOLE[: ENDS[committed - 1] if committed else 0], (at, how, "repair")
    return 3


def tear_some(case: tuple[int, int]) -> int:
    start, step = case
    with scratch() as folder:
        signals = folder / "w" / "signals"
        signals.mkdir(parents=True)
        path = signals / "trial_0.jsonl"
        cases = sum(try_tear(path, at, how) for at in range(start, len(WHOLE), step) for how in TEARS)
        for at in range(start, len(WHOLE), step * 40):
            data = torn(at, TEARS[at % len(TEARS)])
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
