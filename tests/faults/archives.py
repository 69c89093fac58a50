"""R12: an archive is killed, damaged, refused or overtaken; the workspace never goes without a whole one."""

from pathlib import Path

from flips import flipped
from harness import Refuser, contents, fresh_copy, scratch, spread, victim
from kills import CASES, begin, kill_everywhere, template_of
from scenarios import _archive, archived_or_there, filled, w

from workspace_kit import storage
from workspace_kit.errors import DataError, NewerFormat, StorageError, WorkspaceKitError
from workspace_kit.flows.lifecycle import archive_workspace, restore_workspace, settle
from workspace_kit.layout import names
from workspace_kit.layout.archive import verify_archive

ARCHIVE = next(number for number, (each, _) in enumerate(CASES) if each.name == "archive")


def flip(case: tuple[int, int]) -> int:
    """Flip bits of an archive: restoring it fails with a typed error, or gives the same bytes."""
    start, step = case

    def flip_some(folder: Path) -> int:
        root = folder / "results"
        filled(root, False)
        before = {name: data for name, data in contents(root / "w").items() if "execution_log" not in name}
        archive = archive_workspace(root / "w")
        data = archive.read_bytes()
        tried = 0
        for bit in range(start, len(data) * 8, step):
            archive.write_bytes(flipped(data, bit))
            try:
                restore_workspace("w", root)
            except (DataError, NewerFormat):
                assert not (root / "w").exists()
            else:
                after = contents(root / "w")
                assert {name: after[name] for name in before} == before, bit
                storage.remove_tree(root / "w")
            assert not list(root.glob(".*restoring")), bit
            tried += 1
        return tried

    with scratch() as folder:
        return victim(lambda: flip_some(folder)).answer


def cut(_: int) -> int:
    """Cut an archive anywhere: never restored with less."""

    def cut_some(folder: Path) -> int:
        root = folder / "results"
        filled(root, False, trials=2)
        archive = archive_workspace(root / "w")
        data = archive.read_bytes()
        for length in range(0, len(data) - 12, 11):
            archive.write_bytes(data[:length])
            try:
                verify_archive(archive)
            except DataError:
                continue
            raise AssertionError(f"{length} of {len(data)} bytes pass as whole")
        return len(range(0, len(data) - 12, 11))

    with scratch() as folder:
        return victim(lambda: cut_some(folder)).answer


def change_source() -> int:
    """Somebody writes into the workspace before each operation of the archive."""

    def change_all(template: Path, folder: Path) -> int:
        root = begin(template, folder)
        operations = 0

        def count(operation: str, path: Path) -> None:
            nonlocal operations
            operations += 1

        with storage.watch_operations(count):
            _archive(root, True)
        for at in range(1, operations + 1):
            root = fresh_copy(template, folder / "results")
            seen, changed, written = 0, b"new\n", list[int]()

            def change(
                operation: str,
                path: Path,
                at: int = at,
                root: Path = root,
                written: list[int] = written,
            ) -> None:
                nonlocal seen
                seen += 1
                victim_file = root / "w" / "signals" / "trial_3.jsonl"
                if seen == at and victim_file.exists():
                    with victim_file.open("ab") as file:
                        file.write(changed)
                    written.append(at)

            touched = False
            with storage.watch_operations(change):
                try:
                    _archive(root, True)
                except StorageError as error:
                    touched = "changed" in error.found
            if (root / "w").exists():
                assert touched, at
            else:
                restored = restore_workspace("w", root).file(names.SIGNALS, "trial_3")
                assert restored.read_bytes().endswith(changed) or not written, at
        return operations

    with scratch() as folder:
        template = template_of(CASES[ARCHIVE][0], False, folder)
        return victim(lambda: change_all(template, folder)).answer


def refuse(step: int) -> int:
    """The disk is full from each operation on; then it is not, and the archive is made after all."""

    def refuse_all(template: Path, folder: Path) -> int:
        tried = 0
        at = 1
        while True:
            root = begin(template, folder)
            refuser = Refuser(at, 28, forever=True)
            with storage.watch_operations(refuser):
                try:
                    _archive(root, True)
                except WorkspaceKitError:
                    pass
            if not refuser.refused:
                return tried
            if (root / "w").exists() or (root / "archive" / "w.tar.zst").exists():
                archived_or_there(root)
            settle(root)
            if w(root).path.exists():
                _archive(root, True)
            assert not (root / "w").exists()
            archived_or_there(root)
            tried += 1
            at += step

    with scratch() as folder:
        template = template_of(CASES[ARCHIVE][0], False, folder)
        return victim(lambda: refuse_all(template, folder)).answer


def r12(*, full: bool) -> str:
    step = 11 if full else 211
    kills = sum(spread(kill_everywhere, [(ARCHIVE, 2 * (1 if full else 9), start) for start in range(2)]))
    flips = sum(spread(flip, [(start * step, 4 * step) for start in range(4)]))
    cuts = sum(spread(cut, [0]))
    sources = change_source() if full else 0
    refusals = refuse(1 if full else 13)
    return (
        f"R12: {kills} kills, {flips} flips, {cuts} cuts, {refusals} full disks, {sources} changes of the source:"
        " never gone without a verified archive"
    )
