"""Somebody else's workspace: each hostile case refused with a typed error, skipped and reported, or shown
escaped; never a crash, a hang, or a write."""

import gzip
import hashlib
import io
import json
import os
import shutil
import tarfile
from pathlib import Path

import pyarrow as pa
import pytest

import workspace_kit as wk
from workspace_kit import cli, flows
from workspace_kit.errors import (
    ConfigError,
    DataError,
    FileDamaged,
    NameInvalid,
    NewerFormat,
    UsageError,
    WorkspaceKitError,
)
from workspace_kit.layout import names
from workspace_kit.layout.archive import verify_archive
from workspace_kit.layout.lines import parse_json
from workspace_kit.layout.names import Workspace
from workspace_kit.layout.reader import document_of, read_bytes
from workspace_kit.plain_yaml import load_yaml
from workspace_kit.terminal import printable

GOOD = b'{"timestamp":"2023-01-02T00:00:00Z","symbol":"A","action":"BUY","strength":1.0,"strategy":"m"}\n'


@pytest.fixture
def root(tmp_path) -> Path:
    return tmp_path / "results"


@pytest.fixture
def folder(root) -> Path:
    """A workspace with one healthy signal file and one healthy trial."""
    made = wk.WorkspaceManager(root).create_workspace({"name": "foreign"}, "w")
    (made / "signals" / "trial_0.jsonl").write_bytes(GOOD)
    wk.write_trial(made, 0, parameters={}, metrics={"sharpe_ratio": 1.0})
    return made


def seen(root: Path) -> tuple[int, dict[str, str]]:
    """Signals read, and the reason given for each file that was not, or not wholly."""
    with wk.open_catalog(root) as catalog:
        faults = catalog.table("faults")
        return catalog.table("signals").height, {
            Path(path).name: reason for path, reason in faults.select("path", "reason").iter_rows()
        }


BAD_LINES = {
    "NaN": b'{"timestamp":"2023-01-02","symbol":"A","action":"BUY","strength":NaN,"strategy":"m"}\n',
    "Infinity": b'{"timestamp":"2023-01-02","symbol":"A","action":"BUY","strength":Infinity,"strategy":"m"}\n',
    "1e999": b'{"timestamp":"2023-01-02","symbol":"A","action":"BUY","strength":1e999,"strategy":"m"}\n',
    "a key twice": GOOD.replace(b'"action":"BUY"', b'"action":"BUY","action":"SELL"'),
    "a lone surrogate": GOOD.replace(b'"A"', b'"\\ud800"'),
    "a NUL byte": GOOD.replace(b"A", b"\0", 1),
    "an escaped NUL": GOOD.replace(b'"A"', b'"\\u0000"'),
    "bad UTF-8": GOOD.replace(b'"A"', b'"\xff\xfe"'),
    "overlong UTF-8": GOOD.replace(b'"A"', b'"\xc0\xaf"'),
    "nested ten thousand deep": b"[" * 10_000 + b"]" * 10_000 + b"\n",
    "an array": b"[1,2,3,4,5]\n",
    "a bare number": b"12\n",
    "text for a number": GOOD.replace(b"1.0", b'"1.0"'),
    "a number for text": GOOD.replace(b'"A"', b"7"),
    "a thirty-digit strength": GOOD.replace(b"1.0", b"1" * 30),
    "an unknown action": GOOD.replace(b"BUY", b"STEAL"),
    "a day that never was": GOOD.replace(b"2023-01-02", b"2023-02-30"),
    "a missing field": GOOD.replace(b',"strategy":"m"', b""),
    "two records glued": GOOD[:40] + GOOD,
}


@pytest.mark.parametrize("case", BAD_LINES)
def test_a_bad_line_costs_that_line_alone_and_is_named(root, folder, case):
    (folder / "signals" / "trial_0.jsonl").write_bytes(
        GOOD + BAD_LINES[case] + GOOD.replace(b"-02T", b"-03T")
    )
    signals, faults = seen(root)
    assert signals == (3 if case == "two records glued" else 2)
    assert faults["trial_0.jsonl"]


@pytest.mark.parametrize("case", ["BOM", "CRLF"])
def test_what_windows_adds_is_read_and_reported(root, folder, case):
    data = b"\xef\xbb\xbf" + GOOD if case == "BOM" else GOOD.replace(b"\n", b"\r\n")
    (folder / "signals" / "trial_0.jsonl").write_bytes(data)
    signals, faults = seen(root)
    assert signals == 1
    assert case.lower() in faults["trial_0.jsonl"].lower() or "byte order mark" in faults["trial_0.jsonl"]


def as_link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def as_folder_link(path: Path) -> None:
    path.symlink_to("/etc")


def as_loop(path: Path) -> None:
    path.symlink_to(path)


def as_pipe(path: Path) -> None:
    os.mkfifo(path)


def as_folder(path: Path) -> None:
    path.mkdir()


def as_socket(path: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as made:
        here = Path.cwd()
        os.chdir(path.parent)
        made.bind(path.name)
        os.chdir(here)


@pytest.mark.parametrize("place", [as_link, as_folder_link, as_loop, as_pipe, as_folder, as_socket])
@pytest.mark.parametrize("name", ["signals/trial_1.jsonl", "performance/trial_1.json"])
def test_what_is_no_regular_file_is_skipped_and_reported(root, folder, place, name):
    place(folder / name)
    signals, faults = seen(root)
    assert signals == 1
    assert Path(name).name in faults


@pytest.mark.parametrize("name", ["signals", "performance", "metadata"])
def test_a_folder_that_leads_out_is_not_followed(root, folder, tmp_path, name):
    outside = tmp_path / "outside"
    shutil.move(folder / name, outside)
    (folder / name).symlink_to(outside)
    _, faults = seen(root)
    assert faults
    with pytest.raises(WorkspaceKitError):
        flows.archive_workspace(folder)
    assert outside.is_dir()


@pytest.mark.parametrize(
    "name",
    [
        " trial_1.jsonl",
        "trial_1.jsonl\n",
        "-rf.jsonl",
        "$(id).jsonl",
        "'; drop table x;--.jsonl",
        "\u202e.jsonl",
    ],
)
def test_a_file_name_that_is_none_of_ours_is_reported_and_never_read(root, folder, name):
    (folder / "signals" / name).write_bytes(GOOD)
    signals, faults = seen(root)
    assert signals == 1
    assert len(faults) == 1


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "/etc", "a\0b", "\u202ex", "-x", "x" * 129, "a\nb"])
def test_a_workspace_name_that_may_not_become_a_path_is_refused(root, name):
    with pytest.raises((NameInvalid, UsageError)):
        Workspace(root, name)


@pytest.mark.parametrize(
    "text",
    [
        "a: &x [1]\nb: *x",
        "a: 1\na: 2",
        "a: !!python/object/apply:os.system [id]",
        "? [a, b]\n: 1",
        "a: [" * 2000,
        "\0",
    ],
)
def test_yaml_that_does_more_than_say_values_is_refused(text):
    with pytest.raises((ConfigError, DataError)):
        load_yaml(text, where="config.yaml")


def test_yaml_keeps_sixteen_hundred_and_norway_as_text():
    assert load_yaml("a: 16:00\nb: NO\n", where="x") == {"a": "16:00", "b": "NO"}


def test_a_document_of_a_gigabyte_is_not_taken_into_memory(folder):
    path = folder / "performance" / "trial_7.json"
    path.touch()
    os.truncate(path, 1 << 30)
    with pytest.raises(FileDamaged, match="more than"):
        document_of(path)
    with pytest.raises(FileDamaged, match="more than"):
        read_bytes(path, at_most=100)


def test_a_thirty_digit_integer_stays_the_integer_it_was():
    assert parse_json(b'{"a": 123456789012345678901234567890}')["a"] == 123456789012345678901234567890


def test_an_id_that_differs_from_the_file_name_is_reported(root, folder):
    (folder / "performance" / "trial_1.json").write_text('{"trial_id": "trial_99", "metrics": {}}')
    assert "trial_99" in seen(root)[1]["trial_1.json"]


def test_control_and_bidirectional_characters_are_shown_escaped():
    assert printable("\x1b[2Ja\u202eb\x07") == "\\x1b[2Ja\\u202eb\\x07"


def test_a_duckdb_file_in_a_workspace_is_never_attached(root, folder):
    (folder / "analysis" / "evil.duckdb").write_bytes(b"DUCK" * 100)
    assert "evil.duckdb" in seen(root)[1]


def test_markup_in_names_reaches_the_page_as_text(root):
    made = wk.WorkspaceManager(root).create_workspace({"name": "<script>alert(1)</script>"}, "w")
    page = wk.write_report(made).read_text()
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;" in page


def test_reading_writes_nothing_into_the_workspace(root, folder, tmp_path, monkeypatch, capfd):
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    seen(root)
    flows.examine(root)
    wk.read_with_recovery(folder / "signals" / "trial_0.jsonl")
    wk.write_report(folder, out=tmp_path / "out")
    for command in (["show", "w"], ["list"], ["verify", "w"]):
        monkeypatch.setattr("sys.argv", ["workspace-kit", *command, "--results", str(root)])
        with pytest.raises(SystemExit):
            cli.main()
    capfd.readouterr()
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


# Archives.


def sealed(content: dict) -> bytes:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return json.dumps({"content": content, "digest": hashlib.sha256(canonical.encode()).hexdigest()}).encode()


def entry(path: str, data: bytes = b"x", **changes: object) -> dict:
    told = {"path": path, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "modified_ns": 0}
    return {**told, **changes}


def content(*entries: dict, **changes: object) -> dict:
    return {"format": 1, "workspace": "evil", "facts": {}, "files": list(entries), **changes}


def member(name: str, data: bytes = b"x", kind: bytes = tarfile.REGTYPE, target: str = "") -> tuple:
    header = tarfile.TarInfo(name)
    header.size, header.type, header.linkname = len(data) if kind == tarfile.REGTYPE else 0, kind, target
    return header, data


def packed(root: Path, manifest: bytes, *members: tuple) -> Path:
    """An archive made by somebody else, well sealed."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for header, data in (member("manifest.json", manifest), *members):
            tar.addfile(header, io.BytesIO(data))
    path = names.ARCHIVE.path(root, "evil")
    path.parent.mkdir(parents=True)
    path.write_bytes(pa.compress(buffer.getvalue(), codec="zstd", asbytes=True))
    return path


UP, ABSOLUTE, INSIDE = "../../evil", "/evil", "signals/trial_0.jsonl"
ARCHIVES = {
    "a path upwards": (content(entry(UP)), member(UP)),
    "a path upwards below a folder": (content(entry("signals/../../e")), member("signals/../../e")),
    "an absolute path": (content(entry(ABSOLUTE)), member(ABSOLUTE)),
    "a folder that no workspace has": (content(entry("bin/x")), member("bin/x")),
    "a hidden file": (content(entry("signals/.bashrc")), member("signals/.bashrc")),
    "a name with an escape": (content(entry("signals/\x1b[2J")), member("signals/\x1b[2J")),
    "a backslash": (content(entry("signals\\x")), member("signals\\x")),
    "a symbolic link": (content(entry(INSIDE)), member(INSIDE, kind=tarfile.SYMTYPE, target="/etc/passwd")),
    "a hard link": (content(entry(INSIDE)), member(INSIDE, kind=tarfile.LNKTYPE, target="/etc/passwd")),
    "a device": (content(entry(INSIDE)), member(INSIDE, kind=tarfile.CHRTYPE)),
    "a pipe": (content(entry(INSIDE)), member(INSIDE, kind=tarfile.FIFOTYPE)),
    "other bytes": (content(entry(INSIDE)), member(INSIDE, b"y")),
    "more bytes": (content(entry(INSIDE)), member(INSIDE, b"xx")),
    "another file": (content(entry(INSIDE)), member("signals/trial_1.jsonl")),
    "a file too many": (content(entry(INSIDE)), member(INSIDE), member("signals/trial_1.jsonl")),
    "a file too few": (content(entry(INSIDE)),),
    "a file twice": (content(entry(INSIDE), entry(INSIDE)), member(INSIDE), member(INSIDE)),
    "names that differ in case": (content(entry("signals/A.jsonl"), entry("signals/a.jsonl")),),
    "a negative size": (content(entry(INSIDE, bytes=-1)), member(INSIDE)),
    "a size that is text": (content(entry(INSIDE, bytes="1")), member(INSIDE)),
    "a size beyond the disk": (content(entry(INSIDE, bytes=1 << 60)), member(INSIDE)),
    "another workspace": (content(entry(INSIDE), workspace="other"), member(INSIDE)),
    "a workspace upwards": (content(entry(INSIDE), workspace="../x"), member(INSIDE)),
    "a later format": (content(entry(INSIDE), format=99), member(INSIDE)),
    "no list of files": (content(files="all"),),
    "facts that are no texts": (content(entry(INSIDE), facts={"name": ["x"]}), member(INSIDE)),
}


@pytest.mark.parametrize("case", ARCHIVES)
def test_a_hostile_archive_is_refused_and_leaves_nothing(root, case):
    told, *members = ARCHIVES[case]
    packed(root, sealed(told), *members)
    with pytest.raises((DataError, UsageError, NewerFormat)):
        flows.restore_workspace("evil", root)
    assert [path.name for path in root.iterdir() if path.name != ".workspace_kit"] == ["archive"]


def test_a_manifest_whose_seal_is_broken_is_refused(root):
    path = packed(root, sealed(content()).replace(b"evil", b"Evil"))
    with pytest.raises(FileDamaged, match="not what was written"):
        verify_archive(path)


def test_a_bomb_of_zeros_is_refused_before_it_grows(root):
    manifest = sealed(content(entry(INSIDE, bytes=1 << 40)))
    path = packed(root, manifest)
    first, bomb = tarfile.TarInfo("manifest.json"), tarfile.TarInfo(INSIDE)
    first.size, bomb.size = len(manifest), 1 << 40
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(first.tobuf() + manifest + b"\0" * (-len(manifest) % 512) + bomb.tobuf())
        for _ in range(64):
            stream.write(b"\0" * (8 << 20))
    path.write_bytes(sink.getvalue().to_pybytes())
    with pytest.raises(FileDamaged, match="more bytes than its size can hold"):
        verify_archive(path)


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04", b"\x28\xb5\x2f\xfd", gzip.compress(b"x" * 1000, mtime=0), b"\0" * 9000]
)
def test_what_is_no_archive_is_refused_and_still_listed_as_a_fault(root, folder, data):
    path = root / "archive" / "evil.tar.zst"
    path.parent.mkdir()
    path.write_bytes(data)
    with pytest.raises(FileDamaged):
        flows.restore_workspace("evil", root)
    assert "evil.tar.zst" in seen(root)[1]


def test_an_archive_that_is_a_link_is_refused(root, folder):
    archive = flows.archive_workspace(folder)
    moved = archive.rename(root / "elsewhere")
    archive.symlink_to(moved)
    with pytest.raises(FileDamaged):
        flows.restore_workspace("w", root)
