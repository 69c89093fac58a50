"""What is new of a file is told once, whatever its writer does meanwhile."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from workspace_kit.errors import FileDamaged, NameInvalid
from workspace_kit.layout import follow
from workspace_kit.layout.follow import NewLines, Seen, matching, new_file, new_lines

LATER = 1 << 62  # long after any file here was written, so that none is too young to trust
KEY = "signals/trial_0.jsonl"


def batches(path: Path, seen: Seen | None = None, *, again: bool = False) -> tuple[list[NewLines], Seen]:
    """What is new of the lines of a file, and what is known afterwards."""
    told = list(new_lines(path, KEY, seen, path.stat(), again=again, now_ns=LATER))
    assert told[-1][0] is None
    return [batch for batch, _ in told if batch], told[-1][1]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "trial_0.jsonl"


def names(folder: Path, pattern: str) -> list[str]:
    return [key for key, _ in matching(folder, pattern)]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("signals/trial_10.jsonl", "signals/trial_2.jsonl", "performance/trial_0.json", "a/b/c.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x\n")
    (tmp_path / "signals" / ".trial_3.jsonl.1.00000000.tmp").write_text("x")
    (tmp_path / "signals" / "trial_4.jsonl").symlink_to(tmp_path / "a" / "b" / "c.json")
    (tmp_path / "linked").symlink_to(tmp_path / "signals")
    os.mkfifo(tmp_path / "signals" / "trial_5.jsonl")
    (tmp_path / "signals" / "trial_6.jsonl").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("signals/*.jsonl", ["signals/trial_10.jsonl", "signals/trial_2.jsonl"]),
        ("signals/trial_2.jsonl", ["signals/trial_2.jsonl"]),
        ("*/trial_[0-9].json*", ["performance/trial_0.json", "signals/trial_2.jsonl"]),
        ("**/*.json", ["a/b/c.json", "performance/trial_0.json"]),
        ("a/**", ["a/b/c.json"]),
        ("linked/*", []),
        ("nowhere/*", []),
        ("*", []),
    ],
)
def test_a_pattern_finds_regular_files_that_are_neither_hidden_nor_linked(tree, pattern, found) -> None:
    assert names(tree, pattern) == found


@pytest.mark.parametrize("pattern", ["", "/etc/*", "../*", "a/../../b", "."])
def test_a_pattern_that_leads_out_of_the_workspace_is_refused(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(NameInvalid, match="pattern: found"):
        matching(tmp_path, pattern)


def test_a_brace_or_backslash_in_a_name_is_only_a_character(tmp_path: Path) -> None:
    for name in ("a{b}", "a\\b", "ab"):
        (tmp_path / name).write_text("")
    assert names(tmp_path, "a{b}") == ["a{b}"]
    assert names(tmp_path, "a\\b") == ["a\\b"]


def test_only_whole_lines_are_told_and_the_torn_one_once_it_is_whole(path: Path) -> None:
    path.write_bytes(b"one\ntwo\nthr")
    (first,), seen = batches(path)
    assert (first.start, first.lines, first.name) == (
        0,
        [b"one", b"two"],
        "signals.trial_0.jsonl-0000-000000000000000",
    )
    assert batches(path, seen) == ([], seen)
    with path.open("ab") as file:
        file.write(b"ee\nfour")
    (second,), seen = batches(path, seen)
    assert (second.start, second.data, second.generation) == (8, b"three\n", 0)
    assert first.name < second.name


@pytest.mark.parametrize("content", [b"", b"torn"])
def test_a_file_without_a_whole_line_tells_nothing(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert batches(path)[0] == []


def in_place(path: Path, content: bytes) -> None:
    with path.open("r+b") as file:
        file.truncate()
        file.write(content)


def anew(path: Path, content: bytes) -> None:
    path.with_suffix(".new").write_bytes(content)
    path.with_suffix(".new").replace(path)


@pytest.mark.parametrize(
    ("write", "content"),
    [
        (in_place, b"One\ntwo\n"),
        (in_place, b"One\ntwo\nthree\n"),
        (in_place, b"one\n"),
        (anew, b"one\ntwo\n"),
        (anew, b"one\ntwo\nthree\n"),
    ],
)
def test_a_file_with_other_bytes_or_in_another_place_is_told_anew(
    path: Path, write: Callable[[Path, bytes], None], content: bytes
) -> None:
    path.write_bytes(b"one\ntwo\n")
    _, seen = batches(path)
    write(path, content)
    (batch,), after = batches(path, seen)
    assert (batch.generation, batch.start, batch.data) == (1, 0, content)
    assert (after.generation, after.offset) == (1, len(content))


def test_a_file_that_lost_all_its_lines_says_so_with_an_empty_batch(path: Path) -> None:
    path.write_bytes(b"one\n")
    _, seen = batches(path)
    anew(path, b"tor")
    (batch,), after = batches(path, seen)
    assert (batch.generation, batch.start, batch.lines) == (1, 0, [])
    with path.open("ab") as file:
        file.write(b"n\n")
    (again,), _ = batches(path, after)
    assert (again.name, again.lines) == (batch.name, [b"torn"])


def test_a_file_that_nothing_was_told_of_is_not_rewritten(path: Path) -> None:
    path.write_bytes(b"tor")
    _, seen = batches(path)
    anew(path, b"other\n")
    (batch,), _ = batches(path, seen)
    assert (batch.generation, batch.lines) == (0, [b"other"])


def test_what_was_under_way_is_told_again_though_nothing_is_new(path: Path) -> None:
    path.write_bytes(b"one\n")
    _, seen = batches(path)
    (batch,), after = batches(path, seen, again=True)
    assert (batch.start, batch.lines, after.offset) == (4, [], 4)
    path.write_bytes(b"")
    (batch,), _ = batches(path, None, again=True)
    assert (batch.start, batch.lines) == (0, [])


def test_a_large_file_comes_in_slices_cut_behind_a_newline(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "SLICE", 10)
    path.write_bytes(b"".join(b"%d\n" % number for number in range(1000, 1008)) + b"torn")
    told, seen = batches(path)
    assert [batch.data for batch in told] == [
        b"1000\n1001\n",
        b"1002\n1003\n",
        b"1004\n1005\n",
        b"1006\n1007\n",
    ]
    assert [batch.start for batch in told] == [0, 10, 20, 30]
    assert seen.offset == 40


def test_a_line_longer_than_a_slice_is_a_fault_of_its_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "SLICE", 10)
    path.write_bytes(b"one\n" + b"x" * 20 + b"\n")
    with pytest.raises(FileDamaged, match="a line longer than 10 bytes"):
        batches(path)


def test_of_a_large_file_only_two_windows_and_the_new_lines_are_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(b"x" * 99 + b"\n" * 20_001 * 100)
    _, seen = batches(path)
    with path.open("ab") as file:
        file.write(b"more\n")
    read: list[int] = []
    whole = os.pread

    def counted(descriptor: int, length: int, offset: int) -> bytes:
        data = whole(descriptor, length, offset)
        read.append(len(data))
        return data

    monkeypatch.setattr(os, "pread", counted)
    (batch,), _ = batches(path, seen)
    assert batch.lines == [b"more"]
    assert sum(read) <= 2 * (follow.HEAD + follow.WINDOW + 5)


def test_a_file_too_young_to_trust_is_looked_at_again(path: Path) -> None:
    path.write_bytes(b"one\n")
    status = path.stat()
    ((_, _), (_, young)) = new_lines(path, KEY, None, status, again=False, now_ns=status.st_mtime_ns)
    assert young.identity is None
    assert batches(path, young)[0] == []
    in_place(path, b"two\n")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert [batch.lines for batch in batches(path, young)[0]] == [[b"two"]]


def test_a_document_is_told_when_its_bytes_are_others_and_only_then(path: Path) -> None:
    def told(seen: Seen | None, *, again: bool = False) -> tuple[Path | None, Seen]:
        ((given, after),) = new_file(path, KEY, seen, path.stat(), again=again, now_ns=LATER)
        return given, after

    path.write_text("{}")
    given, seen = told(None)
    assert (given, seen.generation) == (path, 0)
    os.utime(path, (1, 1))
    given, seen = told(seen)
    assert (given, seen.generation) == (None, 0)
    anew(path, b"{}")
    assert told(seen)[0] is None
    assert told(seen, again=True)[0] == path
    anew(path, b"[]")
    given, seen = told(seen)
    assert (given, seen.generation) == (path, 1)


def test_a_folder_that_may_not_be_entered_is_as_if_empty(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.scandir

    def scandir(folder: str) -> object:
        if Path(folder).name == "a":
            raise PermissionError(errno.EACCES, "Permission denied", folder)
        return real(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    assert names(tree, "**/*.json") == ["performance/trial_0.json"]


def test_a_name_that_is_no_text_is_left_out_and_stops_no_other(tree: Path) -> None:
    (tree / "a" / "b" / os.fsdecode(b"\xff.json")).write_text("x\n")
    (tree / "a" / os.fsdecode(b"\xff")).mkdir()
    (tree / "a" / os.fsdecode(b"\xff") / "e.json").write_text("x\n")
    (tree / "a" / "b" / "ü.json").write_text("x\n")
    assert names(tree, "a/**/*.json") == ["a/b/c.json", "a/b/ü.json"]
