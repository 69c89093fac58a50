"""The same function over many items, in processes of their own."""

import multiprocessing
import os
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar

Shared = TypeVar("Shared")
Item = TypeVar("Item")
Result = TypeVar("Result")

# One thread per worker: sums of floats then come out the same whatever the number of workers.
ONE_THREAD = {"POLARS_MAX_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}

_shared: object = None


def each(
    function: Callable[[Shared, Item], Result], items: Sequence[Item], *, shared: Shared, workers: int
) -> Iterator[Result]:
    """Yield ``function(shared, item)`` for each item as it is done, in whatever order.

    Workers are spawned, since a forked copy of a process that has run Polars hangs.
    """
    if not items:
        return
    context = multiprocessing.get_context("spawn")
    count = min(workers, len(items))
    with _environment(ONE_THREAD), ProcessPoolExecutor(count, context, _receive, (shared,)) as pool:
        with _no_main_module(), _interrupts_held_back():
            waiting: set[Future[Result]] = {pool.submit(_apply, function, item) for item in items}
        try:
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _receive(shared: object) -> None:
    global _shared  # noqa: PLW0603 - the one value that each worker process is given at its start
    _shared = shared
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    """Leave no worker behind that would go on writing after its parent was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _apply(function: Callable[[Shared, Item], Result], item: Item) -> Result:
    return function(_shared, item)  # type: ignore[arg-type]


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Start processes that no Ctrl-C reaches: it is the parent that stops them, between two trials."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _no_main_module() -> Iterator[None]:
    """Keep spawned workers from running the user's script or notebook again to find what they never need."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
