"""Who holds a workspace: one process at a time, by a lock of the kernel, which is never stale."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from workspace_kit import storage
from workspace_kit.errors import UsageError
from workspace_kit.layout.names import Workspace

# Whoever asks whether a workspace is held takes the lock for an instant: that is waited for.
_TRIES, _PAUSE = 10, 0.01


@contextmanager
def leased(workspace: Workspace) -> Iterator[None]:
    """Hold a workspace alone while it is run, resumed, archived or removed.

    The lock lies on the folder itself: no file in it, nothing to clean up after a killed process.

    Raises
    ------
    UsageError
        Another process, or another part of this one, holds it.
    """
    for _ in range(_TRIES):
        with storage.held(workspace.path, wait=False) as is_ours:
            if is_ours:
                yield
                return
        time.sleep(_PAUSE)
    raise UsageError(
        str(workspace.path),
        found="a workspace that another process holds",
        expected="one at rest",
        remedy="wait until its run has ended, or stop that",
    )


def is_leased(workspace: Workspace) -> bool:
    """Whether a process holds the workspace now."""
    with storage.held(workspace.path, wait=False) as is_ours:
        return not is_ours
