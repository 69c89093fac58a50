"""How far a workspace is, again and again while something writes into it."""

import datetime as dt
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from workspace_kit import clock
from workspace_kit.errors import NotFound, WorkspaceKitError
from workspace_kit.flows.catalogs import open_workspace
from workspace_kit.flows.following import IncrementalProcessor
from workspace_kit.flows.origins import content_of
from workspace_kit.layout import names
from workspace_kit.layout.follow import NewLines, matching
from workspace_kit.layout.inventory import workspaces
from workspace_kit.layout.names import FileKind, Workspace
from workspace_kit.layout.reader import document_of
from workspace_kit.layout.trials import FAILED, status_of
from workspace_kit.schema import PHASES

INTERVAL_SECONDS = 1.0
# A run writes its heartbeat every second while trials end; one trial may take longer.
SILENCE_SECONDS = 60
NEWEST = 5


@dataclass(frozen=True, slots=True)
class Glimpse:
    """How far a workspace is at one moment.

    ``phase`` and ``state`` are as its run last said, null where none did, ``silent_since`` when that was, if
    long ago; ``under_way`` are trials with signals and no result yet; ``rate`` is signals a second since the
    look before, ``newest`` the last signals written.
    """

    workspace: str
    phase: str | None
    state: str | None
    silent_since: str | None
    done: int
    failed: int
    under_way: int
    ensembles: int
    signals: int
    rate: float
    newest: tuple[str, ...]

    @property
    def is_over(self) -> bool:
        """Whether its run has ended and says so."""
        return self.state == "failed" or (self.phase == PHASES[-1] and self.state == "complete")

    def facts(self) -> dict[str, str]:
        """Return it in words, by heading."""
        state = f"{self.phase} {self.state}" if self.phase else "no run of workspace-kit"
        silence = f", no sign of life since {self.silent_since}" if self.silent_since else ""
        ensembles = f"; {self.ensembles:,} ensemble trials" if self.ensembles else ""
        return {
            "workspace": self.workspace,
            "state": state + silence,
            "trials": f"{self.done:,} done, {self.failed:,} failed, {self.under_way:,} under way{ensembles}",
            "signals": f"{self.signals:,}" + (f" ({self.rate:,.0f}/s)" if self.rate else ""),
            "newest": "\n".join(self.newest) or "none yet",
        }


def glimpses(name: str | None, root: Path, *, once: bool, timeout: float | None) -> Iterator[Glimpse]:
    """Yield how far a workspace is, every second until its run is over or the time has passed.

    Without a name it is the one in which a file came or went last. Nothing in it is changed.

    Raises
    ------
    NotFound
        There is none.
    """
    watch = _Watch(_last_at_work(root) if name is None else open_workspace(name, root))
    end = float("inf") if timeout is None else time.monotonic() + timeout
    while True:
        glimpse = watch.look()
        yield glimpse
        left = end - time.monotonic()
        if once or glimpse.is_over or left <= 0:
            return
        time.sleep(min(INTERVAL_SECONDS, left))


def _last_at_work(root: Path) -> Workspace:
    found = workspaces(root)
    if not found:
        raise NotFound(
            str(root),
            found="no workspace",
            expected="one to watch",
            remedy=f"start one with `{names.command(root, 'run')}`",
        )
    return max(found, key=_last_change)


def _last_change(workspace: Workspace) -> float:
    folders = (workspace.path / folder for folder in names.FOLDERS)
    return max(folder.stat().st_mtime for folder in folders if folder.is_dir())


class _Watch:
    """What has been seen of one workspace; each look reads only what came since the last."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._followed = IncrementalProcessor(workspace)
        self._signals: dict[Path, int] = {}
        self._status: dict[Path, str] = {}
        self._newest: list[tuple[int, str]] = []
        self._last: tuple[float, int] | None = None

    def look(self) -> Glimpse:
        self._followed.process_new_lines(_pattern(names.SIGNALS), self._count, once=True)
        self._followed.process_new_files(_pattern(names.TRIAL), self._judge, once=True)
        trials, ensembles = self._there(names.TRIAL), self._there(names.ENSEMBLE)
        signalled = self._there(names.SIGNALS)
        failed = sum(self._status.get(path) == FAILED for path in trials.values())
        told = content_of(self.workspace, names.STATE, "current_state")
        total = sum(self._signals.get(path, 0) for path in signalled.values())
        return Glimpse(
            workspace=self.workspace.id,
            phase=_text(told, "phase"),
            state=_text(told, "state"),
            silent_since=self._silent_since() if told.get("state") == "running" else None,
            done=len(trials) - failed,
            failed=failed,
            under_way=len(signalled.keys() - trials.keys()),
            ensembles=len(ensembles),
            signals=total,
            rate=self._rate(total),
            newest=tuple(text for _, text in self._newest),
        )

    def _there(self, kind: FileKind) -> dict[str, Path]:
        """Files of a kind that are there now, by key."""
        found = (self.workspace.path / name for name, _ in matching(self.workspace.path, _pattern(kind)))
        return {key: path for path in found if (key := kind.key(path.parent.name, path.name))}

    def _count(self, batch: NewLines) -> None:
        before = self._signals.get(batch.path, 0) if batch.start else 0
        self._signals[batch.path] = before + batch.data.count(b"\n")
        if batch.data:
            newest = (batch.path.stat().st_mtime_ns, _told(batch))
            self._newest = sorted([*self._newest, newest], reverse=True)[:NEWEST]

    def _judge(self, path: Path) -> None:
        try:
            self._status[path] = status_of(document_of(path))
        except WorkspaceKitError as error:
            self._status[path] = error.found

    def _silent_since(self) -> str | None:
        last = self.workspace.file(names.STATE, "current_state").stat().st_mtime
        is_long_ago = time.time() - last > SILENCE_SECONDS
        return clock.text(dt.datetime.fromtimestamp(int(last), dt.UTC)) if is_long_ago else None

    def _rate(self, signals: int) -> float:
        before, now = self._last, (time.monotonic(), signals)
        self._last = now
        return max(0.0, (signals - before[1]) / (now[0] - before[0])) if before else 0.0


def _pattern(kind: FileKind) -> str:
    return f"{kind.folder}/*{kind.suffix}"


def _told(batch: NewLines) -> str:
    """Return the last signal of a batch in words, or as it lies there."""
    line, trial = batch.data[batch.data.rfind(b"\n", 0, -1) + 1 : -1], batch.path.stem
    try:
        signal = json.loads(line)
        return " ".join(
            [trial, *(str(signal[name]) for name in ("timestamp", "symbol", "action", "strength"))]
        )
    except (ValueError, LookupError, TypeError):
        return f"{trial} {line[:80].decode('utf-8', 'backslashreplace')}"


def _text(told: Mapping[str, object], name: str) -> str | None:
    return None if told.get(name) is None else str(told[name])
