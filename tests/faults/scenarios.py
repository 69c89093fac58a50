"""What is done to workspaces, and what must hold whenever it is cut short."""

import datetime as dt
import hashlib
import json
import logging
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import polars as pl

from workspace_kit import storage
from workspace_kit.errors import NotFound, WorkspaceKitError
from workspace_kit.flows.catalogs import open_catalog
from workspace_kit.flows.following import IncrementalProcessor
from workspace_kit.flows.lifecycle import (
    archive_workspace,
    clean,
    pin,
    remove_workspace,
    repair_workspace,
    restore_workspace,
    settle,
)
from workspace_kit.layout import names
from workspace_kit.layout.archive import verify_archive
from workspace_kit.layout.batches import read_batches
from workspace_kit.layout.checkpoint import set_aside, write_checkpoint
from workspace_kit.layout.follow import NewLines
from workspace_kit.layout.inventory import inventory, workspaces
from workspace_kit.layout.lifecycle import create_workspace
from workspace_kit.layout.names import Workspace
from workspace_kit.layout.reader import document_of, log_of
from workspace_kit.layout.recovery import Mode, read_with_recovery
from workspace_kit.layout.writer import SignalWriter, write_document, write_signal_file
from workspace_kit.mirror import mirror_folder, refresh
from workspace_kit.schema import Batch, Reading

NOW = dt.datetime(2026, 1, 1)
TRIALS = 6
ACKNOWLEDGED = "acknowledged"


class Scenario(NamedTuple):
    """One piece of work: what is there before, the work, what always holds, how it is finished.

    The work may return what it said of parts of it that failed, where one hinders no other.
    """

    name: str
    prepare: Callable[[Path, bool], None]
    act: Callable[[Path, bool], list[str] | None]
    holds: Callable[[Path], None]
    recover: Callable[[Path, bool], None]
    done: Callable[[Path], None]


def acknowledge(root: Path, number: int) -> None:
    """Tell the world that a piece is done, past the door: this file is not the workspace's."""
    with root.with_suffix(f".{ACKNOWLEDGED}").open("a") as file:
        file.write(f"{number}\n")


def acknowledged(root: Path) -> int:
    """How many pieces were acknowledged."""
    path = root.with_suffix(f".{ACKNOWLEDGED}")
    return len(path.read_text().splitlines()) if path.exists() else 0


def durability(sync: bool) -> str:
    return "always" if sync else "none"


def make(root: Path, sync: bool, name: str = "w") -> Workspace:
    return create_workspace(
        root,
        name,
        config={"name": "fault", "data": {"timezone": "UTC"}},
        environment={"made": name},
        now=NOW,
        durability=durability(sync),
    )


def signal(number: int) -> dict[str, object]:
    at = (dt.datetime(2020, 1, 1) + dt.timedelta(hours=number)).isoformat()
    return {
        "timestamp": f"{at}Z",
        "symbol": f"S{number}",
        "action": "BUY",
        "strength": 1.0,
        "strategy": "m",
    }


@cache
def frame(number: int) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "timestamp": [dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 2)],
            "symbol": [f"S{number}", "B"],
            "action": ["BUY", "SELL"],
            "strength": [1.0, 0.5],
        },
        schema_overrides={"timestamp": pl.Datetime("us")},
    )


def write_trial(held: Workspace, number: int, sync: bool) -> None:
    told = write_signal_file(
        held, names.SIGNALS, f"trial_{number}", frame(number), strategy="m", durability=durability(sync)
    )
    content = {"trial_id": f"trial_{number}", "metrics": {"sharpe_ratio": 1.0}, "signals": told}
    write_document(held, names.TRIAL, f"trial_{number}", content, written_at=NOW, durability=durability(sync))


def filled(root: Path, sync: bool, name: str = "w", trials: int = TRIALS) -> Workspace:
    held = make(root, sync, name)
    for number in range(trials):
        write_trial(held, number, sync)
    return held


# The same bytes are there again and again; what they say is asked once.
_read: dict[tuple[Path, bytes, str], Reading] = {}
_verified: dict[tuple[Path, bytes], set[str]] = {}


def read(path: Path, mode: Mode = "salvage") -> Reading:
    """Read a signal file."""
    key = (path, path.read_bytes(), mode)
    if key not in _read:
        _read[key] = read_with_recovery(path, mode)
    return _read[key]


def files_in(archive: Path) -> set[str]:
    """Files of an archive, all of which are whole."""
    key = (archive, archive.read_bytes())
    if key not in _verified:
        _verified[key] = {entry["path"] for entry in verify_archive(archive)["files"]}
    return _verified[key]


def whole_trials(held: Workspace) -> int:
    """How many trials are complete; each document is whole and tells the truth of its signals."""
    found = sorted((held.path / "performance").glob("trial_*.json"))
    for path in found:
        told = document_of(path)["signals"]
        data = (held.path / "signals" / f"{path.stem}.jsonl").read_bytes()
        assert hashlib.sha256(data).hexdigest() == told["sha256"], path
    return len(found)


def whole(held: Workspace) -> None:
    """A workspace that is there at all is there whole."""
    if held.path.exists():
        for folder in names.FOLDERS:
            assert (held.path / folder).is_dir(), folder
        assert held.file(names.CONFIG, "config").read_text().startswith("name: fault")
        assert document_of(held.file(names.METADATA, "environment"))["made"] == held.id
        log_of(held)
        whole_trials(held)


def w(root: Path) -> Workspace:
    return Workspace(root, "w")


def nothing(_root: Path, _sync: bool) -> None:
    _root.mkdir()


# Create.
def _create(root: Path, sync: bool) -> None:
    for number in range(4):
        make(root, sync, f"w{number}")
        acknowledge(root, number)


def _created(root: Path) -> None:
    for number in range(4):
        held = Workspace(root, f"w{number}")
        whole(held)
        assert number >= acknowledged(root) or held.path.is_dir()


def _create_again(root: Path, sync: bool) -> None:
    settle(root)
    for number in range(4):
        if not Workspace(root, f"w{number}").path.exists():
            make(root, sync, f"w{number}")


def _all_created(root: Path) -> None:
    _created(root)
    assert all(Workspace(root, f"w{number}").path.is_dir() for number in range(4))
    assert not list(root.glob(".*.building"))


# Append.
APPENDS = 40


def _append(root: Path, sync: bool) -> None:
    writer = SignalWriter(root / "w", durability=durability(sync))
    for number in range(APPENDS):
        writer.write_signal(number % 4, signal(number))
        acknowledge(root, number)


def _appended(root: Path) -> None:
    for trial in range(4):
        path = root / "w" / "signals" / f"trial_{trial}.jsonl"
        sure = [n for n in range(acknowledged(root)) if n % 4 == trial]
        if not path.exists():
            assert not sure
            continue
        reading = read(path)
        symbols = reading.rows["symbol"].to_list()
        assert symbols == [f"S{n}" for n in range(trial, APPENDS, 4)][: len(symbols)]
        assert len(symbols) >= len(sure)
        assert reading.faults.height <= 1


def _append_on(root: Path, sync: bool) -> None:
    settle(root)
    repair_workspace(w(root))
    writer = SignalWriter(root / "w", durability=durability(sync))
    for trial in range(4):
        path = root / "w" / "signals" / f"trial_{trial}.jsonl"
        there = read(path).rows.height if path.exists() else 0
        for number in range(trial + 4 * there, APPENDS, 4):
            writer.write_signal(trial, signal(number))


def _all_appended(root: Path) -> None:
    for trial in range(4):
        rows = read(root / f"w/signals/trial_{trial}.jsonl", "strict").rows
        assert rows["symbol"].to_list() == [f"S{n}" for n in range(trial, APPENDS, 4)]


# Documents.
VERSIONS = 20


def _document(root: Path, sync: bool) -> None:
    for number in range(VERSIONS):
        write_document(
            w(root),
            names.ANALYSIS,
            "d",
            {"version": number, "text": "x" * 5000},
            written_at=NOW,
            durability=durability(sync),
        )
        acknowledge(root, number)


def _documented(root: Path) -> None:
    try:
        content = document_of(w(root).file(names.ANALYSIS, "d"))
    except NotFound:
        assert not acknowledged(root)
        return
    assert content["text"] == "x" * 5000
    # The last is what recovery writes, and may itself have been killed after.
    assert content["version"] in {acknowledged(root) - 1, acknowledged(root), VERSIONS}


def _document_last(root: Path, sync: bool) -> None:
    settle(root)
    content = {"version": VERSIONS, "text": "x" * 5000}
    write_document(w(root), names.ANALYSIS, "d", content, written_at=NOW, durability=durability(sync))


def _document_done(root: Path) -> None:
    assert document_of(w(root).file(names.ANALYSIS, "d"))["version"] == VERSIONS


# Trials.
def _trials(root: Path, sync: bool) -> None:
    for number in range(12):
        write_trial(w(root), number, sync)
        acknowledge(root, number)


def _trials_hold(root: Path) -> None:
    assert whole_trials(w(root)) >= acknowledged(root)


def _trials_on(root: Path, sync: bool) -> None:
    settle(root)
    for number in range(12):
        if not w(root).file(names.TRIAL, f"trial_{number}").exists():
            write_trial(w(root), number, sync)


def _trials_done(root: Path) -> None:
    assert whole_trials(w(root)) == 12


# Checkpoints.
def _checkpoint(root: Path, sync: bool) -> None:
    for number in range(1, 5):
        phase = f"phase_{number}"
        if w(root).file(names.CHECKPOINT, f"{phase}_complete").exists():
            continue
        write_trial(w(root), number, False)  # the checkpoint alone brings it to the device
        write_checkpoint(
            w(root),
            phase,
            inventory([w(root)]),
            state={},
            completed_trials=[f"trial_{number}"],
            written_at=NOW,
            sync=sync,
        )
        acknowledge(root, number)


def _checkpointed(root: Path) -> None:
    found = sorted((root / "w" / "checkpoints").glob("*.checkpoint"))
    assert len(found) >= acknowledged(root)
    for path in found:
        for entry in document_of(path)["files"]:
            data = (root / "w" / entry["path"]).read_bytes()[: entry.get("bytes", entry.get("size"))]
            assert entry["kind"] == "mutable" or hashlib.sha256(data).hexdigest() == entry["sha256"]


def _checkpoint_on(root: Path, sync: bool) -> None:
    settle(root)
    _checkpoint(root, sync)


def _checkpoint_done(root: Path) -> None:
    _checkpointed(root)
    assert len(list((root / "w" / "checkpoints").glob("*.checkpoint"))) == 4


# Repair.
def _damaged(root: Path, sync: bool) -> None:
    held = filled(root, sync)
    for number in range(TRIALS):
        path = held.file(names.SIGNALS, f"trial_{number}")
        path.write_bytes(path.read_bytes() + b'{"timest\n' + json.dumps(signal(9)).encode() + b"\n{")


def _repair(root: Path, _sync: bool) -> None:
    repair_workspace(w(root))


def _repair_holds(root: Path) -> None:
    for number in range(TRIALS):
        path = w(root).file(names.SIGNALS, f"trial_{number}")
        assert read(path).rows.height == 3
        assert b'{"timest\n' in b"".join(
            each.read_bytes() for each in path.parent.glob(f"trial_{number}.jsonl*")
        )


def _repair_on(root: Path, sync: bool) -> None:
    settle(root)
    _repair(root, sync)


def _repaired(root: Path) -> None:
    _repair_holds(root)
    for number in range(TRIALS):
        path = w(root).file(names.SIGNALS, f"trial_{number}")
        assert read(path, "strict").rows.height == 3
        assert len(list(path.parent.glob(f"{path.name}*"))) == 2


# Archive, restore, clean, remove.
def _filled(root: Path, sync: bool) -> None:
    filled(root, sync, trials=12)


def archived_or_there(root: Path, name: str = "w", trials: int = 12) -> None:
    """The workspace is there whole, or a verified archive of it is."""
    held = Workspace(root, name)
    archive = root / "archive" / f"{name}.tar.zst"
    if held.path.exists():
        whole(held)
        assert whole_trials(held) == trials
    else:
        assert {f"signals/trial_{number}.jsonl" for number in range(trials)} <= files_in(archive)


def _archive(root: Path, _sync: bool) -> None:
    archive_workspace(root / "w")


def _archive_holds(root: Path) -> None:
    settle_free = Workspace(root, "w").path.exists() or (root / "archive" / "w.tar.zst").exists()
    assert settle_free
    archived_or_there(root)


def _archive_on(root: Path, sync: bool) -> None:
    settle(root)
    if w(root).path.exists():
        _archive(root, sync)


def _archived(root: Path) -> None:
    assert not w(root).path.exists()
    assert not list((root / ".trash").iterdir())
    archived_or_there(root)
    digest, _, name = (root / "archive" / "w.tar.zst.sha256").read_text().partition("  ")
    assert hashlib.sha256((root / "archive" / name.strip()).read_bytes()).hexdigest() == digest


def _put_away(root: Path, sync: bool) -> None:
    filled(root, sync, trials=12)
    archive_workspace(root / "w")


def _restore(root: Path, _sync: bool) -> None:
    restore_workspace("w", root)


def _restore_holds(root: Path) -> None:
    assert files_in(root / "archive" / "w.tar.zst")
    archived_or_there(root)


def _restore_on(root: Path, sync: bool) -> None:
    settle(root)
    if not w(root).path.exists():
        _restore(root, sync)


def _restored(root: Path) -> None:
    assert whole_trials(w(root)) == 12
    assert not list(root.glob(".*restoring"))


def _three(root: Path, sync: bool) -> None:
    for number in range(3):
        filled(root, sync, f"w{number}", trials=3)
    pin(root / "w2", keep=True)


def _clean(root: Path, _sync: bool) -> list[str]:
    return [told for _, told in clean(root, keep_days=0, keep_last=0)]


def _clean_holds(root: Path) -> None:
    for number in range(3):
        archived_or_there(root, f"w{number}", 3)
    assert (root / "w2").is_dir()


def _cleaned(root: Path) -> None:
    _clean_holds(root)
    assert sorted(path.name for path in root.glob("w*")) == ["w2"]


def _remove(root: Path, _sync: bool) -> None:
    if w(root).path.exists():
        remove_workspace(root / "w")


def _remove_holds(root: Path) -> None:
    whole(w(root))


def _remove_on(root: Path, sync: bool) -> None:
    settle(root)
    _remove(root, sync)


def _removed(root: Path) -> None:
    assert not [path for path in root.iterdir() if path.name != ".workspace_kit"]


# What resume sets aside.
def _set_aside(root: Path, _sync: bool) -> None:
    for number in range(12):
        for kind in (names.SIGNALS, names.TRIAL):
            set_aside(w(root), w(root).file(kind, f"trial_{number}"), seq=1)


def _aside_holds(root: Path) -> None:
    for number in range(12):
        for kind in (names.SIGNALS, names.TRIAL):
            path = w(root).file(kind, f"trial_{number}")
            aside = root / "w" / "checkpoints" / "set_aside" / "1" / path.parent.name / path.name
            (held,) = [each for each in (path, aside) if each.exists()]
            assert held.read_bytes().endswith(b"\n")


def _all_aside(root: Path) -> None:
    _aside_holds(root)
    assert not list((root / "w" / "signals").iterdir())


# Mirror and log.
def _seen(root: Path, sync: bool) -> None:
    filled(root, sync)
    open_catalog(root).close()
    write_trial(w(root), 3, sync)
    for number in range(6, 9):
        write_trial(w(root), number, sync)


_batches: dict[tuple[object, ...], list[Batch]] = {}


def batches(files: pl.DataFrame) -> list[Batch]:
    """Read files as a refresh does; the same ones, which are there again and again, once."""
    key = tuple(files.rows())
    if key not in _batches:
        _batches[key] = list(read_batches(files))
    return _batches[key]


def _refresh(root: Path, _sync: bool) -> None:
    refresh(
        lambda: inventory(workspaces(root)),
        folder=mirror_folder(root),
        workspaces=None,
        read=batches,
        now_ns=time.time_ns(),
        progress=lambda _done, _total: None,
    )


def _mirror_holds(root: Path) -> None:
    whole(w(root))


def _refreshed(root: Path) -> None:
    _mirror_holds(root)
    with open_catalog(root) as catalog:
        assert catalog.table("signals").height == 18
        assert catalog.table("performance").height == 9


PINS = 15


def _pin(root: Path, _sync: bool) -> None:
    for number in range(PINS):
        pin(root / "w", keep=bool(number % 2))
        acknowledge(root, number)


def _pin_holds(root: Path) -> None:
    events = [each["event"] for each in log_of(w(root))]
    assert events == (["unpinned", "pinned"] * PINS)[: len(events)]
    assert len(events) >= acknowledged(root)


def _pin_on(root: Path, _sync: bool) -> None:
    settle(root)
    for number in range(len(log_of(w(root))), PINS):
        pin(root / "w", keep=bool(number % 2))


def _pinned(root: Path) -> None:
    assert len(log_of(w(root))) == PINS


def _made(root: Path, sync: bool) -> None:
    make(root, sync)


# Follow: the output of each batch is kept under its name.
# Each of four files with each of three endings; the last is rewritten, which was not there before.
FOLLOWED, REWRITTEN = 12, 7
logging.getLogger("workspace_kit").setLevel(logging.CRITICAL)


def _signals_of(root: Path, trial: int) -> Path:
    return w(root).file(names.SIGNALS, f"trial_{trial}")


def _to_follow(root: Path, sync: bool) -> None:
    make(root, sync)
    for trial in range(3):
        _signals_of(root, trial).write_bytes(b"old\n" * 3)
    (root / "out").mkdir()


def _keep(root: Path, sync: bool) -> Callable[[NewLines], None]:
    return lambda batch: storage.replace(root / "out" / batch.name, batch.data, sync=sync)


def _follow(root: Path, sync: bool) -> list[str]:
    told: list[str] = []
    followed = IncrementalProcessor(root / "w", state=root / "out" / "state.json")
    for number in range(FOLLOWED):
        path = _signals_of(root, number % 4)
        if number == REWRITTEN:
            path.write_bytes(b"new\n")
        with path.open("ab") as file:
            file.write(f"{number}\nto".encode() if number % 3 else f"{number}\n".encode())
        handed = followed.process_new_lines("signals/*.jsonl", _keep(root, sync), once=True)
        told.extend(handed["error"].drop_nulls())
    return told


def _followed_so_far(root: Path) -> None:
    """What the state says was handed over is in the outputs, each line once."""
    place = root / "out" / "state.json"
    seen = json.loads(place.read_bytes())["lines"]["seen"] if place.exists() else {}
    for key, told in seen.items():
        found = _outputs(root, key, told["generation"])
        assert sum(map(len, found)) >= told["offset"], (key, told)


def _outputs(root: Path, key: str, generation: int) -> list[bytes]:
    found = sorted((root / "out").glob(f"{key.replace('/', '.')}-{generation:04d}-*"))
    return [path.read_bytes() for path in found]


def _follow_on(root: Path, sync: bool) -> None:
    settle(root)
    followed = IncrementalProcessor(root / "w", state=root / "out" / "state.json")
    followed.process_new_lines("signals/*.jsonl", _keep(root, sync), once=True)


def _all_followed(root: Path) -> None:
    seen = json.loads((root / "out" / "state.json").read_bytes())["lines"]["seen"]
    for path in (root / "w" / "signals").iterdir():
        key = f"signals/{path.name}"
        data = path.read_bytes()
        told = b"".join(_outputs(root, key, seen[key]["generation"]))
        assert told == data[: data.rfind(b"\n") + 1], key


SCENARIOS = (
    Scenario("create", nothing, _create, _created, _create_again, _all_created),
    Scenario("append", _made, _append, _appended, _append_on, _all_appended),
    Scenario("document", _made, _document, _documented, _document_last, _document_done),
    Scenario("trial", _made, _trials, _trials_hold, _trials_on, _trials_done),
    Scenario("checkpoint", _made, _checkpoint, _checkpointed, _checkpoint_on, _checkpoint_done),
    Scenario("repair", _damaged, _repair, _repair_holds, _repair_on, _repaired),
    Scenario("archive", _filled, _archive, _archive_holds, _archive_on, _archived),
    Scenario("restore", _put_away, _restore, _restore_holds, _restore_on, _restored),
    Scenario("clean", _three, _clean, _clean_holds, _clean, _cleaned),
    Scenario("remove", _filled, _remove, _remove_holds, _remove_on, _removed),
    Scenario("set aside", _filled, _set_aside, _aside_holds, _set_aside, _all_aside),
    Scenario("mirror", _seen, _refresh, _mirror_holds, _refresh, _refreshed),
    Scenario("follow", _to_follow, _follow, _followed_so_far, _follow_on, _all_followed),
    Scenario("log", _made, _pin, _pin_holds, _pin_on, _pinned),
)
__all__ = ["SCENARIOS", "Scenario", "WorkspaceKitError"]
