"""The same function over many items, in processes of their own."""

import multiprocessing
import os
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

Shared = TypeVar("Shared")
Item = TypeVar("Item")
Result = TypeVar("Result")

# One thread per worker: sums of floats then come out the same whatever the number of workers.
ONE_THREAD = {"POLARS_MAX_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}

_shared: object = None


def each(
    function: Callable[[Shared, Item], Result],
    items: Sequence[Item],
    *,
    shared: Shared,
    workers: int,
    lost: Callable[[Item], Result],
) -> Iterator[Result]:
    """Yield ``function(shared, item)`` for each item as it is done, in whatever order.

    Where an item takes its process down with it, those not done yet are tried again, each in a process of
    its own, and ``lost(item)`` stands for the one that does so again. When the caller stops early, so do
    the processes.
    """
    unfinished = dict(enumerate(items))
    try:
        for place, result in _pooled(function, unfinished, shared=shared, workers=workers):
            del unfinished[place]
            yield result
    except BrokenProcessPool:
        for item in unfinished.values():
            yield _alone(function, item, shared=shared, lost=lost)


def _alone(
    function: Callable[[Shared, Item], Result], item: Item, *, shared: Shared, lost: Callable[[Item], Result]
) -> Result:
    try:
        return next(result for _, result in _pooled(function, {0: item}, shared=shared, workers=1))
    except BrokenProcessPool:
        return lost(item)


def _pooled(
    function: Callable[[Shared, Item], Result], items: Mapping[int, Item], *, shared: Shared, workers: int
) -> Iterator[tuple[int, Result]]:
    """Workers are spawned, since a forked copy of a process that has run Polars hangs."""
    if not items:
        return
    context = multiprocessing.get_context("spawn")
    count = min(workers, len(items))
    before = set(multiprocessing.active_children())
    with _environment(ONE_THREAD), ProcessPoolExecutor(count, context, _receive, (shared,)) as pool:
        try:
            with _no_main_module(), _interrupts_held_back():
                places = {pool.submit(_apply, function, item): place for place, item in items.items()}
            for future in as_completed(places):
                yield places[future], future.result()
        except BaseException:
            # First: one that is still starting would miss what the pool takes away, and say so on the screen.
            for process in set(multiprocessing.active_children()) - before:
                process.terminate()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _receive(shared: object) -> None:
    global _shared  # noqa: PLW0603 - the one value that each worker process is given at its start
    _shared = shared
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
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
    """Start processes that no Ctrl-C reaches: it is the parent that stops them, between two trials.

    What is blocked is inherited by the processes. It holds for this thread alone: the handler is put off too,
    since any other thread may be the one that is interrupted, and a process just being started would be lost.
    """
    held: list[tuple[int, types.FrameType | None]] = []
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    is_main = threading.current_thread() is threading.main_thread()
    handler = signal.signal(signal.SIGINT, lambda *caught: held.append(caught)) if is_main else None
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if is_main:
            signal.signal(signal.SIGINT, handler)
        if held and callable(handler):
            handler(*held[0])


@contextmanager
def _no_main_module() -> Iterator[None]:
    """Keep spawned workers from running the user's script or notebook again to find what they never need."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
