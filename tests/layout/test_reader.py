import json
import os
from pathlib import Path

import polars as pl
import pytest

from workspace_kit.errors import FileDamaged, NotFound
from workspace_kit.layout import names, reader
from workspace_kit.layout.inventory import inventory
from workspace_kit.layout.names import Workspace
from workspace_kit.layout.reader import (
    MAX_DOCUMENT,
    document_of,
    log_of,
    read_bytes,
    read_rows,
    signals_of,
    zone_of,
)
from workspace_kit.layout.zones import UTC, Zone
from workspace_kit.schema import MIRRORED

SIGNAL = (
    b'{"timestamp": "2023-01-01T09:30:00", "symbol": "A", "action": "BUY", "strength": 1, "strategy": "m"}\n'
)


def put(workspace: Workspace, path: str, data: bytes) -> Path:
    place = workspace.path / path
    place.write_bytes(data)
    return place


def rows_of(*workspaces: Workspace) -> dict[str, pl.DataFrame]:
    return read_rows(inventory(workspaces))


def faults_of(workspace: Workspace) -> dict[str, str]:
    """Reason of each file's fault, by folder and name."""
    rows = rows_of(workspace)["faults"]
    return {
        "/".join(path.split("/")[-2:]): reason for path, reason in rows.select("path", "reason").iter_rows()
    }


def fill(workspace: Workspace) -> None:
    put(workspace, "signals/trial_0.jsonl", SIGNAL)
    put(workspace, "signals/validation_0.jsonl", SIGNAL)
    put(workspace, "performance/trial_0.json", b'{"parameters": {"a": 1}, "metrics": {"cagr": 0.1}}')
    put(workspace, "analysis/correlation_matrix.csv", b",trial_0,trial_1\ntrial_0,1,0.5\ntrial_1,0.5,1\n")
    put(workspace, "analysis/correlation_matrix.meta.json", b'{"bars": 12}')
    put(workspace, "metadata/config.yaml", b"name: sweep\ndata: {timezone: America/New_York}\n")
    put(workspace, "visualizations/report.html", b"<p>")


def test_no_files_are_every_table_without_rows() -> None:
    tables = read_rows(inventory([]))
    assert set(tables) == set(MIRRORED)
    for name, rows in tables.items():
        assert rows.schema == pl.Schema({**MIRRORED[name].types, "origin": pl.String()})
        assert rows.height == 0


def test_each_row_says_where_it_came_from(workspace: Workspace) -> None:
    fill(workspace)
    tables = rows_of(workspace)
    assert tables["faults"].height == 0
    for name, rows in tables.items():
        assert rows.schema == pl.Schema({**MIRRORED[name].types, "origin": pl.String()})
        assert set(rows["workspace"]) <= {"workflow_1"}
    assert [Path(path).name for path in tables["signals"]["origin"]] == [
        "trial_0.jsonl",
        "validation_0.jsonl",
    ]
    assert [Path(path).name for path in tables["parameters"]["origin"]] == ["trial_0.json"]


def test_times_are_read_as_the_workspace_declares_and_a_table_with_what_explains_it(
    workspace: Workspace,
) -> None:
    fill(workspace)
    tables = rows_of(workspace)
    assert {f"{time:%H:%M}" for time in tables["signals"]["timestamp"]} == {"14:30"}
    assert tables["correlations"]["bars"].to_list() == [12]


def test_many_workspaces_are_read_each_with_its_own_calendar(workspace: Workspace) -> None:
    fill(workspace)
    other = Workspace(workspace.root, "workflow_2")
    (other.path / "signals").mkdir(parents=True)
    put(other, "signals/trial_0.jsonl", SIGNAL)
    found = rows_of(workspace, other)["signals"].group_by("workspace", maintain_order=True)
    assert [(name, f"{rows['timestamp'][0]:%H:%M}") for (name,), rows in found] == [
        ("workflow_1", "14:30"),
        ("workflow_2", "09:30"),
    ]


def test_a_bare_number_as_a_file_name_is_the_trial_of_that_number(workspace: Workspace) -> None:
    put(workspace, "signals/7.jsonl", SIGNAL)
    assert rows_of(workspace)["signals"]["trial_id"].to_list() == ["trial_7"]


def test_one_bad_file_hides_no_other(workspace: Workspace) -> None:
    signals = workspace.path / "signals"
    put(workspace, "signals/trial_0.jsonl", SIGNAL)
    put(workspace, "signals/trial_1.jsonl", SIGNAL + b"{")
    put(workspace, "signals/trial_2.jsonl", b"\xff\xfe\x00")
    (signals / "trial_3.jsonl").symlink_to(signals / "trial_0.jsonl")
    os.mkfifo(signals / "trial_4.jsonl")
    (signals / "trial_5.jsonl").mkdir()
    (signals / "trial_6.jsonl").symlink_to("nowhere")
    put(workspace, "signals/a\nb.jsonl", SIGNAL)
    put(workspace, "performance/trial_0.json", b"[" * 10_000)
    put(workspace, "performance/trial_1.json", b"{}")
    put(workspace, "metadata/config.yaml", b"a: !!python/name:os.system\n")
    os.mkfifo(workspace.path / "visualizations" / "report.html")
    (workspace.path / "analysis" / "x.csv").symlink_to("/etc/passwd")
    tables = rows_of(workspace)
    assert tables["signals"]["trial_id"].to_list() == ["trial_0", "trial_1"]
    assert tables["performance"]["trial_id"].to_list() == ["trial_1"]
    assert faults_of(workspace) == {
        "signals/a\nb.jsonl": "what no workspace has in this place",
        "signals/trial_1.jsonl": "no newline at the end",
        "signals/trial_2.jsonl": "no newline at the end",
        "signals/trial_3.jsonl": "a symbolic link",
        "signals/trial_4.jsonl": "not a regular file",
        "signals/trial_5.jsonl": "not a regular file",
        "signals/trial_6.jsonl": "a symbolic link",
        "performance/trial_0.json": "unreadable: maximum recursion depth exceeded while decoding a "
        "JSON array from a unicode string",
        "metadata/config.yaml": "unreadable: config, line 1: found the tag tag:yaml.org,2002:"
        "python/name:os.system, expected plain YAML without aliases, tags or doubled keys; correct the line",
        "visualizations/report.html": "not a regular file",
        "analysis/x.csv": "a symbolic link",
    }


def test_nothing_outside_is_read_through_a_folder_that_is_a_link(workspace: Workspace) -> None:
    outside = Workspace(workspace.root.parent / "elsewhere", "workflow_9")
    for folder in names.FOLDERS:
        (outside.path / folder).mkdir(parents=True)
    fill(outside)
    for folder in names.FOLDERS:
        (workspace.path / folder).rmdir()
        (workspace.path / folder).symlink_to(outside.path / folder)
    tables = rows_of(workspace)
    assert {name: rows.height for name, rows in tables.items() if rows.height} == {"faults": 6}
    assert zone_of(workspace.path) == UTC
    with pytest.raises(FileDamaged, match="a symbolic link"):
        document_of(workspace.path / "performance" / "trial_0.json")
    with pytest.raises(FileDamaged, match="a symbolic link"):
        log_of(workspace)


def test_a_document_larger_than_any_is_not_read_into_memory(workspace: Workspace) -> None:
    path = put(workspace, "performance/trial_0.json", b"")
    os.truncate(path, MAX_DOCUMENT + 1)
    assert faults_of(workspace) == {
        "performance/trial_0.json": f"{MAX_DOCUMENT + 1} bytes, more than {MAX_DOCUMENT}"
    }
    with pytest.raises(FileDamaged, match="more than"):
        document_of(path)


def test_a_file_that_goes_after_it_was_listed_is_a_fault(workspace: Workspace) -> None:
    path = put(workspace, "signals/trial_0.jsonl", SIGNAL)
    files = inventory([workspace])
    path.unlink()
    assert read_rows(files)["faults"]["reason"].to_list() == ["nothing"]


# Single files.


def test_bytes_are_read_as_they_are(tmp_path: Path) -> None:
    for data in (b"", b"\x00\xff\r\n", b"x" * 100_000):
        (tmp_path / "f").write_bytes(data)
        assert read_bytes(tmp_path / "f") == data


def test_a_file_that_grows_while_it_is_read_is_read_as_it_was_when_opened(
    tmp_path: Path, monkeypatch
) -> None:
    path, real = tmp_path / "f", os.pread
    path.write_bytes(b"12345")

    def growing(descriptor: int, length: int, offset: int) -> bytes:
        with path.open("ab") as file:
            file.write(b"more")
        return real(descriptor, min(length, 2), offset)

    monkeypatch.setattr(os, "pread", growing)
    assert read_bytes(path) == b"12345"


def test_a_file_that_is_cut_while_it_is_read_is_read_as_far_as_it_goes(tmp_path: Path, monkeypatch) -> None:
    path, real = tmp_path / "f", os.pread
    path.write_bytes(b"12345")

    def shrinking(descriptor: int, length: int, offset: int) -> bytes:
        os.truncate(path, 3)
        return real(descriptor, length, offset)

    monkeypatch.setattr(os, "pread", shrinking)
    assert read_bytes(path) == b"123"


def test_a_disk_that_refuses_is_a_typed_error_and_leaks_no_descriptor(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "f").write_bytes(b"x")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for function in ("pread", "fstat"):
        with monkeypatch.context() as patch:
            patch.setattr(
                os, function, lambda *arguments: (_ for _ in ()).throw(OSError(5, "Input/output error"))
            )
            with pytest.raises(FileDamaged) as caught:
                read_bytes(tmp_path / "f")
        assert str(caught.value) == (
            f"{tmp_path / 'f'}: found Input/output error, expected a readable regular file; restore the file"
        )
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_what_is_not_there_is_not_found_and_a_file_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        read_bytes(tmp_path / "missing")
    assert str(caught.value) == f"{tmp_path / 'missing'}: found nothing, expected a file; check the name"
    (tmp_path / "f").write_bytes(b"")
    with pytest.raises(FileDamaged, match="Not a directory"):
        read_bytes(tmp_path / "f" / "g")


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "Expecting value: line 1 column 1 (char 0)"),
        (b"[]", "list"),
        (b'{"a": NaN}', "NaN is not a number in JSON"),
        (b'{"a": 1, "a": 1}', "the key 'a' twice"),
        (b"\xff", "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
    ],
)
def test_a_document_is_an_object_or_refused(data: bytes, found: str, tmp_path: Path) -> None:
    (tmp_path / "f.json").write_bytes(data)
    with pytest.raises(FileDamaged) as caught:
        document_of(tmp_path / "f.json")
    assert (
        str(caught.value) == f"{tmp_path / 'f.json'}: found {found}, expected a JSON object; restore the file"
    )


def test_a_document_is_read_behind_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "f.json").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert document_of(tmp_path / "f.json") == {"a": 1}


def test_the_log_is_empty_before_it_begins_and_refused_where_it_is_none(workspace: Workspace) -> None:
    assert log_of(workspace) == []
    put(workspace, "metadata/execution_log.json", b'[{"event": "x"}]')
    assert log_of(workspace) == [{"event": "x"}]
    for damaged in (b'{"event": "x"}', b"[", b""):
        put(workspace, "metadata/execution_log.json", damaged)
        with pytest.raises(FileDamaged, match="expected a JSON array of events"):
            log_of(workspace)


def test_signals_of_trials_come_in_the_order_asked_for(workspace: Workspace) -> None:
    for trial in range(3):
        put(workspace, f"signals/trial_{trial}.jsonl", SIGNAL + b"x\n" * trial)
    put(workspace, "signals/validation_0.jsonl", SIGNAL)
    reading = signals_of(workspace, ["trial_2", "trial_0"], kind=names.SIGNALS)
    assert reading.rows["trial_id"].to_list() == ["trial_2", "trial_0"]
    assert reading.faults["line"].to_list() == [2, 3]
    assert signals_of(workspace, [], kind=names.SIGNALS).rows.height == 0
    assert signals_of(workspace, ["validation_0"], kind=names.VALIDATION_SIGNALS).rows.height == 1
    with pytest.raises(NotFound):
        signals_of(workspace, ["trial_9"], kind=names.SIGNALS)


@pytest.mark.parametrize(
    ("config", "zone"),
    [
        (None, UTC),
        (b"data: {timezone: Asia/Kolkata, close_time: '15:30:00'}", Zone("Asia/Kolkata", "15:30:00")),
        (b"data: {timezone: Mars/Phobos}", UTC),
        (b"data: {close_time: noon}", UTC),
        (b"data: [", UTC),
        (b"\xff", UTC),
        (b"", UTC),
    ],
)
def test_a_calendar_that_nobody_declared_or_meant_is_utc(
    config: bytes | None, zone: Zone, workspace: Workspace
) -> None:
    if config is not None:
        put(workspace, "metadata/config.yaml", config)
    assert zone_of(workspace.path) == zone


def test_reading_writes_nothing_and_reads_each_file_once(workspace: Workspace, monkeypatch) -> None:
    fill(workspace)
    seen: list[Path] = []
    real = reader.read_bytes
    monkeypatch.setattr(
        reader, "read_bytes", lambda path, **choices: (seen.append(path), real(path, **choices))[1]
    )
    before = inventory([workspace])
    read_rows(before)
    explaining = {"config.yaml", "correlation_matrix.meta.json"}
    assert {path.name for path in seen if seen.count(path) > 1} == explaining
    assert inventory([workspace]).equals(before)


def test_documents_of_another_program_are_read_whatever_their_spacing(workspace: Workspace) -> None:
    content = {"trial_id": 0, "metrics": {"cagr": 0.1}}
    for number, choices in enumerate(({}, {"indent": 4}, {"separators": (",", ":")})):
        put(
            workspace,
            f"performance/trial_{number}.json",
            json.dumps(content | {"trial_id": number}, **choices).encode(),
        )
    tables = rows_of(workspace)
    assert tables["faults"].height == 0
    assert tables["metrics"]["value"].to_list() == [0.1] * 3


def test_where_no_configuration_can_ever_be_opened_signals_are_read_all_the_same(
    workspace: Workspace,
) -> None:
    put(workspace, "signals/trial_0.jsonl", SIGNAL)
    (workspace.path / "metadata").rmdir()
    (workspace.path / "metadata").write_bytes(b"")
    assert zone_of(workspace.path) == UTC
    assert rows_of(workspace)["signals"].height == 1
