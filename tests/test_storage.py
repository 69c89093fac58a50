import contextlib
import errno
import fcntl
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stopping import Killed
from workspace_kit import storage
from workspace_kit.errors import StorageError

ERRNOS = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EIO,
    errno.EMFILE,
    errno.EACCES,
    errno.EROFS,
    errno.ESTALE,
    errno.EFBIG,
)
# What each call does to the disk, in order, with and without sync.
OPERATIONS = {
    "replace": ["open", "write", "fsync", "replace", "open", "fsync"],
    "create": ["open", "write", "fsync", "link", "unlink", "open", "fsync"],
    "append": ["open", "write", "fsync", "open", "fsync"],
}
CALLS: dict[str, Callable[..., None]] = {
    "replace": storage.replace,
    "create": storage.create,
    "append": storage.append,
}


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def trace(call: Callable[[], object]) -> list[str]:
    seen: list[str] = []
    with storage.watch_operations(lambda operation, path: seen.append(operation)):
        call()
    return seen


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_change_of_the_disk_is_announced_in_order(name: str, tmp_path: Path) -> None:
    assert trace(lambda: CALLS[name](tmp_path / "a", b"x\n", sync=True)) == OPERATIONS[name]
    assert "fsync" not in trace(lambda: CALLS[name](tmp_path / "b", b"x\n", sync=False))


def test_other_changes_are_announced_too(tmp_path: Path) -> None:
    old, new, folder = tmp_path / "old", tmp_path / "new", tmp_path / "f" / "g"
    storage.replace(old, b"x", sync=False)
    assert trace(lambda: storage.make_folder(folder)) == ["mkdir"]
    assert trace(lambda: storage.rename(old, new)) == ["rename"]
    assert trace(lambda: storage.touch(new, at_ns=10**18)) == ["utime"]
    assert new.stat().st_mtime_ns == 10**18
    assert trace(lambda: storage.remove(new)) == ["unlink"]
    assert everything(tmp_path) == {}


def test_a_watcher_is_asked_only_while_it_watches(tmp_path: Path) -> None:
    seen: list[Path] = []
    with storage.watch_operations(lambda operation, path: seen.append(path)):
        storage.make_folder(tmp_path / "a")
    storage.make_folder(tmp_path / "b")
    assert seen == [tmp_path / "a"]


@pytest.mark.parametrize("start", [None, b"old\n"])
@pytest.mark.parametrize("kind", [Killed, StorageError, KeyboardInterrupt])
@pytest.mark.parametrize("name", OPERATIONS)
def test_stopped_before_any_operation_a_file_has_its_old_content_or_the_new(
    name: str, kind: type[BaseException], start: bytes | None, tmp_path: Path
) -> None:
    stop = kind("here", found="", expected="", remedy="") if kind is StorageError else kind()
    new = b"old\nnew\n" if name == "append" and start else b"new\n"
    old = {"f": start} if start else {}
    for step in range(steps(name, start, tmp_path / "steps")):
        if OPERATIONS[name][step] == "unlink":
            continue  # the hidden file's own end: see the next test
        folder = prepared(tmp_path / str(step), start)
        errors = iter([None] * step + [stop])
        with storage.watch_operations(raising(errors)), pytest.raises(kind):
            CALLS[name](folder / "f", b"new\n", sync=True)
        found = everything(folder)
        # An empty file holds no record: a first append may leave one.
        assert found in (old, {"f": new}) or (name == "append" and not start and found == {"f": b""})


def test_a_hidden_file_that_cannot_be_removed_is_left_over_and_changes_nothing_else(tmp_path: Path) -> None:
    refusal = StorageError("here", found="", expected="", remedy="")
    errors = iter([None] * OPERATIONS["create"].index("unlink") + [refusal])
    with storage.watch_operations(raising(errors)):
        storage.create(tmp_path / "f", b"new\n", sync=True)
    left = everything(tmp_path)
    assert left.pop("f") == b"new\n"
    assert [name[:3] for name in left] == [".f."]


def prepared(folder: Path, start: bytes | None) -> Path:
    folder.mkdir()
    if start:
        (folder / "f").write_bytes(start)
    return folder


def steps(name: str, start: bytes | None, folder: Path) -> int:
    """How many operations a call takes; one that is refused, such as to create what exists, stops early."""
    path, seen = prepared(folder, start) / "f", []
    watching = storage.watch_operations(lambda operation, path: seen.append(operation))
    with watching, contextlib.suppress(StorageError):
        CALLS[name](path, b"new\n", sync=True)
    return len(seen)


def raising(errors: Iterator[BaseException | None]) -> storage.Watcher:
    def watcher(operation: str, path: Path) -> None:
        if error := next(errors, None):
            raise error

    return watcher


@contextlib.contextmanager
def refusing(function: str, code: int = errno.EIO) -> Iterator[None]:
    """Let one function of the operating system fail; what closes still closes."""
    home, _, name = function.rpartition(".")
    module = {"os": os, "fcntl": fcntl}[home]
    real = getattr(module, name)

    def refuse(*arguments: object, **choices: object) -> None:
        if name == "close":
            real(*arguments)
        raise OSError(code, os.strerror(code))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, name, refuse)
        yield


@pytest.mark.parametrize("code", ERRNOS)
@pytest.mark.parametrize(
    ("name", "function"),
    [
        (name, function)
        for name in OPERATIONS
        for function in ("open", "write", "fsync", "close")
        if (name, function) != ("append", "close")  # an append keeps its file open
    ],
)
def test_whatever_the_disk_refuses_is_one_typed_error_and_leaves_nothing_half_done(
    name: str, function: str, code: int, tmp_path: Path
) -> None:
    path = prepared(tmp_path / "d", None if name == "create" else b"old\n") / "f"
    before = everything(path.parent)
    with refusing(f"os.{function}", code), pytest.raises(StorageError) as caught:
        CALLS[name](path, b"new\n", sync=True)
    assert f"{function} refused: {os.strerror(code)}" in str(caught.value)
    assert isinstance(caught.value.__cause__, OSError)
    after = everything(path.parent)
    assert after == before or (name == "append" and after == {"f": b"old\nnew\n"})


def held_open(path: Path) -> None:
    with storage.locked(path):
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors in /proc")
def test_no_refusal_leaks_a_descriptor(tmp_path: Path) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = descriptors() - len(storage._kept)
    for number, function in enumerate(("os.write", "os.fsync", "os.close", "fcntl.flock")):
        for name, call in CALLS.items():
            with refusing(function), contextlib.suppress(StorageError):
                call(tmp_path / f"{name} {number}", b"x\n", sync=True)
        with refusing(function), contextlib.suppress(StorageError):
            held_open(tmp_path / "lock")
    assert descriptors() - len(storage._kept) == before


def test_a_disk_that_takes_a_few_bytes_at_a_time_gets_them_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:3]))
    storage.replace(tmp_path / "a", b"0123456789", sync=False)
    storage.append(tmp_path / "b", b"012345\n6789\n", sync=False)
    assert everything(tmp_path) == {"a": b"0123456789", "b": b"012345\n6789\n"}


def test_a_batch_that_the_disk_cuts_short_says_how_many_records_are_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, room, path = os.write, iter([9]), tmp_path / "f"

    def fill_up(descriptor: int, data: bytes) -> int:
        if (left := next(room, 0)) == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data[:left])

    path.write_bytes(b"torn")
    monkeypatch.setattr(os, "write", fill_up)
    with pytest.raises(StorageError) as caught:
        storage.append(path, b"one\ntwo\nthree\n", sync=False)
    assert str(caught.value) == (
        f"{path}: found write refused: No space left on device; 2 of 3 records are committed, "
        "expected write to succeed; free space or correct permissions, then repeat"
    )
    assert path.read_bytes() == b"torn\none\ntwo\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_only_regular_files_are_appended_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "folder").mkdir()
    for name in ("fifo", "link", "folder", "/dev/full"):
        with pytest.raises(StorageError):
            storage.append(tmp_path / name, b"x\n", sync=False)
    assert not (tmp_path / "elsewhere").exists()


def test_a_document_put_over_a_link_takes_its_place_and_leaves_its_target_alone(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"mine")
    link.symlink_to(target)
    storage.replace(link, b"new", sync=False)
    assert not link.is_symlink()
    assert everything(tmp_path) == {"target": b"mine", "link": b"new"}


@pytest.mark.parametrize("there", ["file", "folder", "link", "dangling link"])
def test_create_refuses_what_exists_and_leaves_it_alone(there: str, tmp_path: Path) -> None:
    path, target = tmp_path / "f", tmp_path / "target"
    if there == "file":
        path.write_bytes(b"mine")
    elif there == "folder":
        path.mkdir()
    else:
        path.symlink_to(target)
        if there == "link":
            target.write_bytes(b"mine")
    before = {path.name: path.lstat() for path in tmp_path.iterdir()}
    with pytest.raises(StorageError) as caught:
        storage.create(path, b"new", sync=True)
    assert str(caught.value) == (
        f"{path}: found link refused: File exists, expected link to succeed; choose another name"
    )
    assert {path.name: path.lstat() for path in tmp_path.iterdir()} == before


def test_of_many_creators_one_wins_and_its_document_is_whole(tmp_path: Path) -> None:
    won: list[int] = []

    def create(number: int) -> None:
        try:
            storage.create(tmp_path / "f", str(number).encode() * 1000, sync=False)
            won.append(number)
        except StorageError:
            pass

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = won
    assert everything(tmp_path) == {"f": str(winner).encode() * 1000}


def test_documents_get_the_permissions_that_the_user_set(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        storage.replace(tmp_path / "a", b"x", sync=False)
        storage.append(tmp_path / "b", b"x\n", sync=False)
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o640}


def test_a_reader_beside_a_writer_never_sees_half_a_document(tmp_path: Path) -> None:
    path, done, torn = tmp_path / "f", threading.Event(), []
    versions = [bytes([65 + number]) * (1 + number * 50_000) for number in range(4)]
    storage.replace(path, versions[0], sync=False)

    def read() -> None:
        while not done.is_set():
            if (data := path.read_bytes()) not in versions:
                torn.append(data)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(150):
        storage.replace(path, versions[number % 4], sync=False)
    done.set()
    reader.join()
    assert torn == []


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.binary(max_size=6).map(lambda data: data.replace(b"\n", b"")), max_size=4),
    st.binary(max_size=9),
)
def test_a_torn_record_becomes_one_line_and_nothing_is_glued(
    tmp_path_factory: pytest.TempPathFactory, records: list[bytes], start: bytes
) -> None:
    path = tmp_path_factory.mktemp("torn") / "f"
    path.write_bytes(start)
    for record in records:
        storage.append(path, record + b"\n", sync=False)
    torn = bool(records) and start != b"" and not start.endswith(b"\n")
    assert path.read_bytes() == start + b"\n" * torn + b"".join(record + b"\n" for record in records)


@pytest.mark.parametrize("records", [b"", b"x", b"x\ny"])
def test_a_record_without_its_newline_is_refused(records: bytes, tmp_path: Path) -> None:
    with pytest.raises(StorageError) as caught:
        storage.append(tmp_path / "f", records, sync=False)
    assert str(caught.value) == (
        f"{tmp_path / 'f'}: found a record without a newline, expected whole lines; end it with \\n"
    )
    assert not (tmp_path / "f").exists()


_APPENDER = """
import sys
from pathlib import Path
from workspace_kit import storage
path, writer = Path(sys.argv[1]), sys.argv[2]
sys.stdin.read()
for number in range(500):
    storage.append(path, f"{writer} {number} {'x' * (number % 90)}\\n".encode(), sync=False)
"""


def test_records_of_many_processes_are_neither_lost_doubled_nor_mixed(tmp_path: Path) -> None:
    path = tmp_path / "f"
    writers = [
        subprocess.Popen([sys.executable, "-c", _APPENDER, path, str(writer)], stdin=subprocess.PIPE)
        for writer in range(4)
    ]
    for process in writers:
        process.stdin.close()
    assert [process.wait() for process in writers] == [0] * 4
    lines = path.read_text().splitlines()
    for writer in range(4):
        own = [line for line in lines if line.startswith(f"{writer} ")]
        assert own == [f"{writer} {number} {'x' * (number % 90)}" for number in range(500)]
    assert len(lines) == 2000


@pytest.mark.parametrize(
    ("left", "found"),
    [
        (b"one\ntorn", b"one\ntorn\ntwo\n"),
        (b"one\nother\n", b"one\nother\ntwo\n"),
        (b"on", b"on\ntwo\n"),
        (b"", b"two\n"),
    ],
)
def test_what_others_left_at_the_end_of_a_file_kept_open_is_seen(
    left: bytes, found: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "f"
    storage.append(path, b"one\n", sync=False)
    with path.open("r+b") as file:
        file.truncate(len(left))
        file.write(left)
    storage.append(path, b"two\n", sync=False)
    assert path.read_bytes() == found


def test_what_has_to_hold_of_a_place_is_asked_when_a_file_is_opened_and_not_before_each_record(
    tmp_path: Path,
) -> None:
    asked: list[Path] = []
    for number in range(3):
        storage.append(tmp_path / "f", b"x\n", sync=False, opening=asked.append)
        if number == 1:
            storage.rename(tmp_path / "f", tmp_path / "aside")
    assert asked == [tmp_path / "f"] * 2
    refuse = raising(iter([Killed()]))
    with pytest.raises(Killed):
        storage.append(tmp_path / "g", b"x\n", sync=False, opening=lambda path: refuse("open", path))
    assert sorted(everything(tmp_path)) == ["aside", "f"]


def test_a_file_renamed_under_a_writer_waiting_for_it_gets_nothing_more(tmp_path: Path) -> None:
    path, aside = tmp_path / "f", tmp_path / "aside"
    storage.append(path, b"one\n", sync=False)
    with storage.locked(path):
        waiting = threading.Thread(target=storage.append, args=(path, b"two\n"), kwargs={"sync": False})
        waiting.start()
        while not _is_waited_for(path):
            pass
        storage.rename(path, aside)
    waiting.join()
    assert everything(tmp_path) == {"aside": b"one\n", "f": b"two\n"}


def _is_waited_for(path: Path) -> bool:
    inode = f":{path.stat().st_ino} "
    return any("->" in line and inode in line for line in Path("/proc/locks").read_text().splitlines())


def test_a_folder_that_cannot_be_locked_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_descriptor: int, _how: int) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with (
        pytest.raises(StorageError, match="flock refused: Operation not supported"),
        storage.held(tmp_path, wait=False),
    ):
        pass


def test_a_folder_that_took_the_name_before_the_lock_was_had_is_the_one_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "w"
    folder.mkdir()
    lock = fcntl.flock

    def overtaken(descriptor: int, how: int) -> None:
        lock(descriptor, how)
        if not (tmp_path / "trash").exists():
            folder.rename(tmp_path / "trash")
            folder.mkdir()

    monkeypatch.setattr(fcntl, "flock", overtaken)
    with storage.held(folder, wait=False) as first, storage.held(folder, wait=False) as second:
        assert (first, second) == (True, False)


def test_a_lock_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    inside, most = 0, 0
    guard = threading.Lock()

    def work() -> None:
        nonlocal inside, most
        for _ in range(20):
            with storage.locked(tmp_path / "lock"):
                with guard:
                    inside += 1
                    most = max(most, inside)
                with guard:
                    inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_a_lock_is_free_again_after_an_error_and_is_no_link(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="x"), storage.locked(tmp_path / "lock"):
        raise ValueError("x")
    with storage.locked(tmp_path / "lock"):
        pass
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError), storage.locked(tmp_path / "link"):
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_syncing_what_is_not_there_or_no_file_is_a_typed_error_and_never_waits(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("/dev/null")
    for name in ("missing", "fifo", "link"):
        with pytest.raises(StorageError):
            storage.sync_file(tmp_path / name)
    with pytest.raises(StorageError):
        storage.sync_folder(tmp_path / "missing")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda folder: storage.remove(folder / "f"), "unlink refused: No such file or directory"),
        (
            lambda folder: storage.rename(folder / "f", folder / "g"),
            "rename refused: No such file or directory",
        ),
        (lambda folder: storage.touch(folder / "f", at_ns=0), "utime refused: No such file or directory"),
        (lambda folder: storage.replace(folder / "f" / "g", b"", sync=False), "open refused: No such file"),
        (lambda folder: storage.make_folder(folder / ("n" * 300)), "mkdir refused: File name too long"),
        (
            lambda folder: storage.replace(folder / ("n" * 250), b"", sync=False),
            "open refused: File name too long",
        ),
    ],
)
def test_an_error_names_operation_path_and_reason(
    call: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    with pytest.raises(StorageError) as caught:
        call(tmp_path)
    assert caught.value.where.startswith(str(tmp_path))
    assert caught.value.found.startswith(message)


def test_a_folder_where_a_file_lies_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"mine")
    with pytest.raises(StorageError, match="mkdir refused: File exists"):
        storage.make_folder(tmp_path / "f")
    assert everything(tmp_path) == {"f": b"mine"}


def test_a_link_is_not_a_tree_to_remove(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "f").write_bytes(b"theirs")
    (tmp_path / "link").symlink_to("theirs")
    with pytest.raises(StorageError, match="list refused"):
        storage.remove_tree(tmp_path / "link")
    assert (tmp_path / "theirs" / "f").read_bytes() == b"theirs"


@pytest.mark.parametrize("there", ["nothing", "own", "open", "link", "file"])
def test_a_folder_of_ones_own_is_not_taken_from_others(there: str, tmp_path: Path) -> None:
    path = tmp_path / "mine"
    if there in {"own", "open"}:
        path.mkdir(mode=0o700)
    if there == "open":
        path.chmod(0o770)
    if there == "link":
        (tmp_path / "theirs").mkdir(mode=0o700)
        path.symlink_to("theirs")
    if there == "file":
        path.write_bytes(b"")
    if there in {"nothing", "own"}:
        storage.make_own_folder(path)
        assert path.stat().st_mode & 0o777 == 0o700
    else:
        with pytest.raises(StorageError):
            storage.make_own_folder(path)


def test_the_name_of_a_file_is_synced_even_where_another_process_made_it_and_died(tmp_path: Path) -> None:
    path = tmp_path / "w.jsonl"
    path.write_bytes(b"1\n")
    first, second = (trace(lambda: storage.append(path, b"2\n", sync=True)) for _ in range(2))
    assert first == ["open", "write", "fsync", "open", "fsync"]
    assert second == ["write", "fsync"]
