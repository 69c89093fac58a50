"""What tests stop work with, and compare of it afterwards."""

from collections.abc import Callable
from pathlib import Path


class Killed(BaseException):
    """Stands for SIGKILL: nothing after it reaches the disk."""


def killing(at: int) -> Callable[[str, Path], None]:
    """Refuse every operation on the disk, but for so many first ones."""
    count = 0

    def watch(_operation: str, _path: Path) -> None:
        nonlocal count
        count += 1
        if count > at:
            raise Killed

    return watch


def contents(workspace: Path, *folders: str) -> dict[str, bytes]:
    """Every file of some folders by name; what a dead writer left unfinished is hidden, and no content."""
    return {
        str(path.relative_to(workspace)): path.read_bytes()
        for folder in folders
        for path in sorted((workspace / folder).iterdir())
        if path.is_file() and not path.name.startswith(".")
    }
