import datetime as dt
import hashlib
import json
import math
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workspace_kit import storage
from workspace_kit.errors import FileDamaged, NameInvalid, SchemaMismatch, StorageError
from workspace_kit.layout import names
from workspace_kit.layout.lines import FIELDS
from workspace_kit.layout.names import Workspace
from workspace_kit.layout.reader import document_of, log_of, signals_of
from workspace_kit.layout.writer import (
    SignalWriter,
    log_event,
    plain_line,
    write_document,
    write_file,
    write_signal_file,
    write_table,
)
from workspace_kit.schema import ACTIONS, STRATEGY_SIGNALS

NOW = dt.datetime(2024, 1, 15, 14, 30)
SIGNAL = {
    "timestamp": "2023-01-01T09:30:00",
    "symbol": "AAPL",
    "action": "BUY",
    "strength": 0.8,
    "strategy": "momentum",
}
FRAME = STRATEGY_SIGNALS.frame(
    [
        {"timestamp": NOW + dt.timedelta(days=day), "symbol": "A", "action": "BUY", "strength": 1}
        for day in range(3)
    ]
)


def operations(workspace: Workspace, durability: str) -> list[str]:
    seen: list[str] = []
    with storage.watch_operations(lambda operation, path: seen.append(operation)):
        write_signal_file(workspace, names.SIGNALS, "trial_0", FRAME, strategy="m", durability=durability)
        write_document(workspace, names.TRIAL, "trial_0", {}, written_at=NOW, durability=durability)
        write_table(workspace, "regimes", FRAME, durability=durability)
        SignalWriter(workspace.path, durability=durability).write_signal(1, SIGNAL)
    return seen


# The writer of the description.


def test_the_writer_of_the_description_appends_a_line_a_signal(workspace: Workspace) -> None:
    writer = SignalWriter(workspace.path)
    for spelling in ("0", "trial_0", 0):
        writer.write_signal(spelling, SIGNAL)
    lines = (workspace.path / "signals" / "trial_0.jsonl").read_text().splitlines()
    written = {**SIGNAL, "timestamp": f"{SIGNAL['timestamp']}Z"}
    assert [json.loads(line) for line in lines] == [written] * 3


def test_times_of_any_form_are_written_in_utc_so_that_the_file_is_read_whole(workspace: Workspace) -> None:
    (workspace.path / "metadata" / "config.yaml").write_text("data: {timezone: America/New_York}\n")
    writer = SignalWriter(workspace.path)
    for written in (
        "2020-07-01T09:30",
        "2020-07-01T09:30-04:00",
        "2020-07-01T13:30Z",
        NOW.replace(tzinfo=dt.UTC),
    ):
        writer.write_signal(0, {**SIGNAL, "timestamp": written})
    reading = signals_of(workspace, ["trial_0"], kind=names.SIGNALS)
    assert reading.faults.height == 0
    assert reading.rows["timestamp"].to_list() == [dt.datetime(2020, 7, 1, 13, 30)] * 3 + [NOW]


@pytest.mark.parametrize("written", ["2021-03-14T02:30:00", "2021-11-07T01:30:00", "soon", ""])
def test_a_time_that_names_no_instant_there_is_not_written(written: str, workspace: Workspace) -> None:
    (workspace.path / "metadata" / "config.yaml").write_text("data: {timezone: America/New_York}\n")
    with pytest.raises(SchemaMismatch) as caught:
        SignalWriter(workspace.path).write_signal(0, {**SIGNAL, "timestamp": written})
    assert str(caught.value) == (
        f"{workspace.path}: found the time {written!r}, expected a time that comes once in America/New_York; "
        "correct it, or write its offset"
    )
    assert list((workspace.path / "signals").iterdir()) == []


SPELLINGS = (
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%M:%SZ",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dt%H:%M:%Sz",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d",
    "%G-W%V-%uT%H:%M:%S",
    "%Y-%m-31T%H:%M:%S",
    "%Y-%m-%dT%H:%M:%S.5",
    "%Y-%m-%dT%H:%M:%S+02:00",
)
moments = st.datetimes(
    dt.datetime(900, 1, 1), dt.datetime(2200, 1, 1), timezones=st.sampled_from([None, dt.UTC])
)
unusual_times = st.builds(lambda moment, form: moment.strftime(form), moments, st.sampled_from(SPELLINGS))
words = st.text(max_size=4) | st.sampled_from(
    ["AAPL", "BRK.B", "^GSPC", 'a"b', "a\\b", "\x7f", "\u2028", "x" * 129]
)
strengths = st.floats(0, 1) | st.sampled_from([0, 1, -0.0, 1e-5, 5e-324, math.nan, 2, True, None, "1"])


actions = st.sampled_from([*ACTIONS, "buy", None])
signals = st.tuples(moments | unusual_times, words, actions, strengths, words).map(
    lambda values: dict(zip(FIELDS, values, strict=True))
)


@settings(deadline=None, max_examples=300)
@given(signals, st.booleans())
def test_a_signal_written_the_short_way_is_written_as_the_long_way_would(
    signal: dict[str, object], is_utc: bool
) -> None:
    line = plain_line(signal, is_utc=is_utc)
    if line is not None:
        with tempfile.TemporaryDirectory() as folder:
            zone = "UTC" if is_utc else "America/New_York"
            (Path(folder) / "metadata").mkdir()
            (Path(folder) / "metadata" / "config.yaml").write_text(f"data: {{timezone: {zone}}}\n")
            SignalWriter(Path(folder)).write_signal(0, {**signal, "more": 1})
            [long_way] = (Path(folder) / "signals" / "trial_0.jsonl").read_bytes().splitlines(keepends=True)
        assert line == long_way.replace(b',"more":1', b"")


@pytest.mark.parametrize(
    "time", [SIGNAL["timestamp"], f"{SIGNAL['timestamp']}Z", NOW, NOW.replace(tzinfo=dt.UTC)]
)
@pytest.mark.parametrize("strength", [0, 1, 0.0, 1.0, 0.8, 1e-5])
def test_the_usual_signal_takes_the_short_way(time: object, strength: float) -> None:
    assert plain_line({**SIGNAL, "timestamp": time, "strength": strength}, is_utc=True)


def test_a_time_without_an_offset_takes_it_only_where_the_zone_is_utc() -> None:
    assert plain_line(SIGNAL, is_utc=False) is None
    assert plain_line({**SIGNAL, "timestamp": f"{SIGNAL['timestamp']}Z"}, is_utc=False)


def test_a_record_more_asks_the_disk_for_nothing_but_itself(workspace: Workspace) -> None:
    writer, seen = SignalWriter(workspace.path), []
    with storage.watch_operations(lambda operation, path: seen.append(operation)):
        for _ in range(3):
            writer.write_signal(0, SIGNAL)
    assert seen == ["open", "write", "write", "write"]


def test_signals_written_one_by_one_and_as_a_frame_are_read_alike(workspace: Workspace) -> None:
    writer = SignalWriter(str(workspace.path))
    writer.write_signals(0, FRAME, strategy="m")
    for row in FRAME.iter_rows(named=True):
        writer.write_signal(1, {**row, "timestamp": f"{row['timestamp'].isoformat()}Z", "strategy": "m"})
    reading = signals_of(workspace, ["trial_0", "trial_1"], kind=names.SIGNALS)
    one, other = reading.rows.partition_by("trial_id", include_key=False)
    assert one.equals(other)
    assert reading.faults.height == 0


def test_no_signals_make_no_file(workspace: Workspace) -> None:
    SignalWriter(workspace.path).write_signals(0, FRAME.clear(), strategy="m")
    assert list((workspace.path / "signals").iterdir()) == []


def test_the_folder_is_made_where_it_is_missing(tmp_path: Path) -> None:
    SignalWriter(tmp_path / "new").write_signal(0, SIGNAL)
    assert (tmp_path / "new" / "signals" / "trial_0.jsonl").exists()


@pytest.mark.parametrize("trial", ["../evil", "", "a/b", -1, "a\nb", "x" * 129])
def test_a_signal_for_no_trial_is_not_written(trial: int | str, workspace: Workspace) -> None:
    with pytest.raises(NameInvalid):
        SignalWriter(workspace.path).write_signal(trial, SIGNAL)
    assert list((workspace.path / "signals").iterdir()) == []


def test_a_signal_that_is_none_is_not_written_and_says_where(workspace: Workspace) -> None:
    writer = SignalWriter(workspace.path)
    with pytest.raises(SchemaMismatch) as caught:
        writer.write_signal(0, {**SIGNAL, "action": "LONG"})
    path = workspace.path / "signals" / "trial_0.jsonl"
    assert str(caught.value) == (
        f"{path}: found the action 'LONG', expected timestamp, symbol, action, strength, strategy; an "
        "action of BUY, SELL, HOLD; a strength from 0 to 1; correct the signal"
    )
    assert not path.exists()


def test_a_record_behind_a_torn_one_is_read(workspace: Workspace) -> None:
    path = workspace.path / "signals" / "trial_0.jsonl"
    path.write_bytes(b'{"timestamp": "2023-01-01T09:30:00", "sym')
    SignalWriter(workspace.path).write_signal(0, SIGNAL)
    reading = signals_of(workspace, ["trial_0"], kind=names.SIGNALS)
    assert (reading.rows.height, reading.faults["line"].to_list()) == (1, [1])


def test_many_threads_write_one_trial_and_no_record_is_lost_or_mixed(workspace: Workspace) -> None:
    writer = SignalWriter(workspace.path, durability="none")

    def work(thread: int) -> None:
        for number in range(100):
            writer.write_signal(0, {**SIGNAL, "symbol": f"{thread}", "number": number})

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reading = signals_of(workspace, ["trial_0"], kind=names.SIGNALS)
    assert reading.faults.height == 0
    for symbol, rows in reading.rows.group_by("symbol"):
        assert rows["extra"].to_list() == [f'{{"number": {number}}}' for number in range(100)], symbol


_WRITER = """
import sys
from workspace_kit.layout.writer import SignalWriter
writer = SignalWriter(sys.argv[1])
sys.stdin.read()
for number in range(100):
    writer.write_signal(0, {"timestamp": "2023-01-01", "symbol": sys.argv[2], "action": "BUY", "strength": 1,
                            "strategy": "m", "number": number})
"""


def test_many_processes_write_one_trial_and_no_record_is_lost_or_mixed(workspace: Workspace) -> None:
    command = [sys.executable, "-c", _WRITER, workspace.path]
    processes = [subprocess.Popen([*command, name], stdin=subprocess.PIPE) for name in "AB"]
    for process in processes:
        process.stdin.close()
    assert [process.wait() for process in processes] == [0, 0]
    reading = signals_of(workspace, ["trial_0"], kind=names.SIGNALS)
    assert reading.faults.height == 0
    for _, rows in reading.rows.group_by("symbol"):
        assert rows["extra"].to_list() == [f'{{"number": {number}}}' for number in range(100)]
    assert reading.rows.height == 200


# Whole files.


def test_a_signal_file_is_put_in_place_and_what_it_holds_is_recorded(workspace: Workspace) -> None:
    recorded = write_signal_file(workspace, names.SIGNALS, "trial_0", FRAME, strategy="m", durability="none")
    data = (workspace.path / "signals" / "trial_0.jsonl").read_bytes()
    assert recorded == {"rows": 3, "sha256": hashlib.sha256(data).hexdigest()}
    assert data.count(b"\n") == 3
    write_signal_file(workspace, names.SIGNALS, "trial_0", FRAME.head(1), strategy="m", durability="none")
    assert (workspace.path / "signals" / "trial_0.jsonl").read_bytes().count(b"\n") == 1


def test_a_document_and_a_table_are_put_in_place(workspace: Workspace) -> None:
    path = write_document(workspace, names.TRIAL, "trial_0", {"a": 1}, written_at=NOW, durability="commit")
    assert path == workspace.path / "performance" / "trial_0.json"
    assert document_of(path) == {"schema_version": 1, "written_at": "2024-01-15T14:30:00Z", "a": 1}
    frame = pl.DataFrame({"timestamp": [NOW], "regime": [None]}, schema_overrides={"regime": pl.String})
    path = write_table(workspace, "regimes", frame, durability="commit")
    assert path.read_bytes() == b"timestamp,regime\n2024-01-15T14:30:00Z,\n"


@pytest.mark.parametrize(("durability", "synced"), [("none", False), ("commit", False), ("always", True)])
def test_files_are_synced_one_by_one_only_where_asked_for(
    durability: str, synced: bool, workspace: Workspace
) -> None:
    assert ("fsync" in operations(workspace, durability)) is synced


def test_a_document_that_cannot_be_written_leaves_the_old_one(workspace: Workspace) -> None:
    path = write_document(workspace, names.TRIAL, "trial_0", {"a": 1}, written_at=NOW, durability="none")
    before = path.read_bytes()
    with pytest.raises(SchemaMismatch, match="not JSON compliant"):
        write_document(
            workspace, names.TRIAL, "trial_0", {"a": float("nan")}, written_at=NOW, durability="none"
        )
    assert [each.read_bytes() for each in path.parent.iterdir()] == [before]


def test_a_page_goes_into_the_workspace_or_under_the_same_name_elsewhere(
    workspace: Workspace, tmp_path: Path
) -> None:
    assert (
        write_file(workspace, names.PAGE, "report", b"<p>")
        == workspace.path / "visualizations" / "report.html"
    )
    assert (
        write_file(workspace, names.PAGE, "report", b"<p>", out=tmp_path / "o")
        == tmp_path / "o" / "report.html"
    )
    assert (tmp_path / "o" / "report.html").read_bytes() == b"<p>"


def test_nothing_is_written_through_a_folder_that_is_a_link(workspace: Workspace, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    for folder in names.FOLDERS:
        (workspace.path / folder).rmdir()
        (workspace.path / folder).symlink_to(outside)
    for write in (
        lambda: SignalWriter(workspace.path).write_signal(0, SIGNAL),
        lambda: write_signal_file(
            workspace, names.SIGNALS, "trial_0", FRAME, strategy="m", durability="none"
        ),
        lambda: write_document(workspace, names.TRIAL, "trial_0", {}, written_at=NOW, durability="none"),
        lambda: write_table(workspace, "regimes", FRAME, durability="none"),
        lambda: write_file(workspace, names.PAGE, "report", b"<p>"),
        lambda: log_event(workspace, at=NOW, phase="phase_1", event="x", trial_id=None, detail=""),
    ):
        with pytest.raises(StorageError, match="found a symbolic link, expected a folder of the workspace"):
            write()
    assert list(outside.iterdir()) == []


def test_a_file_that_is_a_link_is_replaced_and_its_target_left_alone(
    workspace: Workspace, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.write_bytes(b"mine")
    path = workspace.path / "visualizations" / "report.html"
    path.symlink_to(mine)
    write_file(workspace, names.PAGE, "report", b"<p>")
    assert (mine.read_bytes(), path.read_bytes(), path.is_symlink()) == (b"mine", b"<p>", False)


# The log.


def test_events_are_added_behind_those_already_told(workspace: Workspace) -> None:
    for number in range(3):
        log_event(
            workspace, at=NOW, phase="phase_1", event="trials failed", trial_id=f"trial_{number}", detail="ü"
        )
    assert [event["trial_id"] for event in log_of(workspace)] == ["trial_0", "trial_1", "trial_2"]
    assert log_of(workspace)[0] == {
        "at": "2024-01-15T14:30:00Z",
        "phase": "phase_1",
        "event": "trials failed",
        "trial_id": "trial_0",
        "detail": "ü",
    }


def test_a_log_that_is_none_is_refused_and_left_as_it_is(workspace: Workspace) -> None:
    path = workspace.path / "metadata" / "execution_log.json"
    path.write_bytes(b'{"mine": 1}')
    with pytest.raises(FileDamaged):
        log_event(workspace, at=NOW, phase="phase_1", event="x", trial_id=None, detail="")
    assert path.read_bytes() == b'{"mine": 1}'


def test_a_moment_without_an_offset_lies_in_the_zone_of_the_workspace_as_its_text_does(
    workspace: Workspace,
) -> None:
    (workspace.path / "metadata" / "config.yaml").write_text("data: {timezone: America/New_York}\n")
    writer = SignalWriter(workspace.path)
    for written in (NOW, NOW.isoformat(), NOW.replace(microsecond=5), dt.datetime(2024, 7, 1, 9, 30)):
        writer.write_signal(0, {**SIGNAL, "timestamp": written})
    told = signals_of(workspace, ["trial_0"], kind=names.SIGNALS).rows["timestamp"].to_list()
    east = NOW + dt.timedelta(hours=5)
    assert told == [east, east, east.replace(microsecond=5), dt.datetime(2024, 7, 1, 13, 30)]
    with pytest.raises(SchemaMismatch, match="found the time '2021-03-14T02:30:00'"):
        writer.write_signal(0, {**SIGNAL, "timestamp": dt.datetime(2021, 3, 14, 2, 30)})
