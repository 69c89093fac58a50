import json
import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from workspace_kit.errors import FileDamaged, StorageError
from workspace_kit.mirror import Parts, mirror_folder
from workspace_kit.mirror.manifest import (
    FILES,
    LEDGER,
    MANIFEST,
    STORED,
    Segment,
    commit,
    empty,
    load,
    read_part,
    write_part,
)

FILE = {"workspace": "w", "kind": "signals", "key": "trial_0", "path": "w/signals/trial_0.jsonl", "bytes": 5}


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    """A mirror of one file, every table written and none committed."""
    files = LEDGER.frame([FILE])
    frames = {**{name: table.empty() for name, table in STORED.items()}, FILES: files}
    tables = {name: write_part(tmp_path, name, frame) for name, frame in frames.items()}
    rows = STORED["signals"].frame([{"workspace": "w"}])
    segments = (Segment(("v", "w"), 1, (write_part(tmp_path, "signals", rows),), ()),)
    return Parts(tmp_path, files, tables, segments)


def is_same(one: Parts, other: Parts) -> bool:
    return (one.folder, one.tables, one.signals) == (
        other.folder,
        other.tables,
        other.signals,
    ) and one.files.equals(other.files)


def test_what_was_committed_is_loaded(parts: Parts) -> None:
    commit(parts)
    assert is_same(load(parts.folder), parts)


def test_what_was_not_committed_does_not_exist(parts: Parts) -> None:
    assert is_same(load(parts.folder), empty(parts.folder))


def test_every_table_has_a_part_and_signals_those_of_their_segments_beside_it(parts: Parts) -> None:
    for table in STORED:
        assert len(parts.paths(table)) == (2 if table == "signals" else 1)
        assert all(path.exists() for path in parts.paths(table))


def test_a_segment_without_a_workspace_asked_for_is_not_named(parts: Parts) -> None:
    assert [len(parts.paths("signals", names)) for names in (["x"], ["x", "v"], [], None)] == [1, 2, 1, 2]


def test_a_part_is_named_after_its_content(tmp_path: Path) -> None:
    one, other = (write_part(tmp_path, "x", pl.DataFrame({"a": [number]})) for number in (1, 2))
    assert one != other
    assert write_part(tmp_path, "x", pl.DataFrame({"a": [1]})) == one
    assert read_part(tmp_path, one)["a"].to_list() == [1]


def test_a_part_that_holds_other_bytes_is_refused_before_it_is_parsed(tmp_path: Path, monkeypatch) -> None:
    name = write_part(tmp_path, "x", pl.DataFrame({"a": [1]}))
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes() + b"x")
    monkeypatch.setattr(pl, "read_parquet", None)
    with pytest.raises(FileDamaged) as caught:
        read_part(tmp_path, name)
    assert str(caught.value) == (
        f"{tmp_path / name}: found other bytes than were written, expected a part; remove it"
    )


def test_a_manifest_with_any_bit_flipped_is_none(parts: Parts) -> None:
    commit(parts)
    path = parts.folder / MANIFEST
    whole = path.read_bytes()
    for bit in range(0, len(whole) * 8, 101):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        assert is_same(load(parts.folder), empty(parts.folder)), bit


def test_a_manifest_cut_anywhere_is_none(parts: Parts) -> None:
    commit(parts)
    path = parts.folder / MANIFEST
    whole = path.read_bytes()
    for cut in range(0, len(whole), 97):
        path.write_bytes(whole[:cut])
        assert is_same(load(parts.folder), empty(parts.folder))


def sealed(content: object) -> bytes:
    return json.dumps({"content": content, "digest": "x"}).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"5",
        b"[" * 5000,
        b"\xff",
        sealed({}),
        sealed([]),
        sealed(None),
        sealed("x"),
    ],
)
def test_a_manifest_of_any_other_shape_is_none(data: bytes, tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_bytes(data)
    assert is_same(load(tmp_path), empty(tmp_path))


@pytest.mark.parametrize("harm", ["deleted", "cut", "longer", "folder"])
@pytest.mark.parametrize("table", ["signals", "performance", FILES])
def test_a_mirror_with_a_part_of_another_size_is_none(table: str, harm: str, parts: Parts) -> None:
    commit(parts)
    path = parts.paths(table)[-1]
    if harm in {"deleted", "folder"}:
        path.unlink()
    if harm == "folder":
        path.mkdir()
    if harm in {"cut", "longer"}:
        path.write_bytes(path.read_bytes()[:-1] if harm == "cut" else path.read_bytes() + b"x")
    assert is_same(load(parts.folder), empty(parts.folder))


def test_a_mirror_of_other_columns_is_none(parts: Parts, monkeypatch) -> None:
    commit(parts)
    monkeypatch.setitem(STORED, "signals", STORED["faults"])
    assert is_same(load(parts.folder), empty(parts.folder))


def test_the_mirror_lies_inside_the_root(tmp_path: Path) -> None:
    assert mirror_folder(tmp_path) == tmp_path / ".workspace_kit"


def test_the_mirror_of_a_root_that_may_not_be_written_lies_in_the_users_cache(
    tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: "results" not in str(path) and real(path, mode))
    one, other = (mirror_folder(tmp_path / name) for name in ("results_1", "results_2"))
    assert one.parent == other.parent == tmp_path / "cache" / "workspace_kit"
    assert one != other
    assert mirror_folder(tmp_path / "x" / ".." / "results_1") == one


def test_where_not_even_the_cache_may_be_written_it_lies_in_a_temporary_folder_of_the_users_own(
    tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    own = mirror_folder(tmp_path / "results").parent
    assert own == tmp_path / f"workspace_kit-{os.getuid()}"
    own.chmod(0o777)
    with pytest.raises(StorageError, match="expected a folder of yours alone"):
        mirror_folder(tmp_path / "results")


def test_a_mirror_that_was_copied_from_elsewhere_is_none(parts: Parts, tmp_path: Path) -> None:
    commit(parts)
    copied = tmp_path / "copied"
    shutil.copytree(parts.folder, copied)
    assert is_same(load(copied), empty(copied))


def test_a_part_that_lies_elsewhere_or_is_called_otherwise_is_none(parts: Parts) -> None:
    aside = parts.folder / "aside"
    aside.mkdir()
    for table, name in parts.tables.items():
        shutil.copy(parts.folder / name, aside / name)
        commit(replace(parts, tables={**parts.tables, table: f"aside/{name}"}))
        assert is_same(load(parts.folder), empty(parts.folder))
