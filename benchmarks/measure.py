"""Times ways of doing one work, each in a process of its own, once all of them gave equal answers."""

import gc
import math
import multiprocessing
import statistics
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

ROUNDS = 5
# A way that takes longer is timed fewer times, but once at least.
SECONDS_A_WAY = 8.0
MEGABYTE = 1e6

Kind = Literal["ours", "peer", "floor"]
Step = Callable[[], None]


def as_it_is(result: object) -> object:
    """Take a result for the answer."""
    return result


def nothing(_folder: Path) -> None:
    """Change nothing."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to do the work.

    ``prepare`` is called before each round and returns the call that is timed; ``answer`` makes its result
    comparable, and neither is timed. Both are named functions, for they travel to another process. A
    ``floor`` does only a part of the work that no way can leave out, so its answer is not compared.
    """

    name: str
    kind: Kind
    prepare: Callable[[Path], Callable[[], Any]]
    answer: Callable[[Any], object] = as_it_is


@dataclass(frozen=True, slots=True)
class Figure:
    """How long a way took in each round, and how far its process's resident set rose at most, in bytes."""

    seconds: tuple[float, ...]
    peak: int

    @property
    def median(self) -> float:
        """The middle round, in seconds."""
        return statistics.median(self.seconds)


Figures = Mapping[str, Figure]


@dataclass(frozen=True, slots=True)
class Target:
    """What the figures are to reach: a number made of them, and its bound."""

    text: str
    measured: Callable[[Figures], float]
    bound: float
    unit: str
    at_least: bool = False

    def is_met(self, figures: Figures) -> bool:
        """Whether the figures reach it."""
        value = self.measured(figures)
        return value >= self.bound if self.at_least else value <= self.bound


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One work on one shape of data, the ways to do it, and how quick ours is to be.

    ``make`` writes the data into an empty folder, and benchmarks with the same ``make`` share it;
    ``before`` is called before each round; ``amounts`` tells of a folder what the work goes through, by unit.
    ``tolerance`` is how far numbers in equal answers may differ, relative to the larger.
    """

    id: str
    work: str
    shape: str
    cache: str
    make: Callable[[Path], None]
    ways: tuple[Way, ...]
    amounts: Callable[[Path], Mapping[str, float]]
    targets: tuple[Target, ...] = ()
    before: Callable[[Path], None] = nothing
    tolerance: float = 1e-9


class AnswersDiffer(Exception):
    """Two ways did not do the same work, so that their times mean nothing."""


class WayFailed(Exception):
    """A way raised."""


class _Lap(NamedTuple):
    seconds: float
    peak: int
    answer: object


def measure(benchmark: Benchmark, folder: Path, *, done: Step) -> dict[str, Figure]:
    """Time every way, in turns; ``done`` is called after each of the `steps`.

    Raises
    ------
    AnswersDiffer
        Two ways gave different answers, and nothing was timed; or in a later round.
    WayFailed
        A way raised.
    """
    laps: dict[str, list[_Lap]] = {way.name: [] for way in benchmark.ways}
    with _processes(benchmark.ways, folder) as run:
        tried = _round(benchmark, benchmark.ways, folder, run) if len(benchmark.ways) > 1 else {}
        done()
        for number in range(ROUNDS):
            known = {name: found[0] for name, found in laps.items() if found} | tried
            due = [way for way in benchmark.ways if number < _rounds(known.get(way.name))]
            for name, lap in _round(benchmark, due, folder, run).items():
                laps[name].append(lap)
            done()
    return {
        name: Figure(
            tuple(lap.seconds for lap in found),
            max(lap.peak for lap in (*found, tried.get(name, found[0]))),
        )
        for name, found in laps.items()
    }


def steps() -> int:
    """How often `measure` says that it is done with something."""
    return 1 + ROUNDS


def _rounds(tried: _Lap | None) -> int:
    return ROUNDS if tried is None else max(1, min(ROUNDS, int(SECONDS_A_WAY / tried.seconds)))


def _round(
    benchmark: Benchmark, ways: Sequence[Way], folder: Path, run: Callable[[Way], _Lap]
) -> dict[str, _Lap]:
    if not ways:
        return {}
    benchmark.before(folder)
    laps = {way.name: run(way) for way in ways}
    answering = [way for way in ways if way.kind != "floor"]
    for way in answering[1:]:
        first = answering[0]
        if not same(laps[first.name].answer, laps[way.name].answer, tolerance=benchmark.tolerance):
            raise AnswersDiffer(
                f"{benchmark.id}: {first.name!r} and {way.name!r} answer differently: "
                f"{_short(laps[first.name].answer)} and {_short(laps[way.name].answer)}"
            )
    return laps


def _short(answer: object) -> str:
    return repr(answer)[:200]


def same(one: Any, other: Any, *, tolerance: float) -> bool:
    """Whether two answers are equal, numbers within the tolerance relative to the larger."""
    if isinstance(one, np.ndarray):
        return one.shape == other.shape and bool(
            np.allclose(one, other, rtol=tolerance, atol=tolerance, equal_nan=True)
        )
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(
            same(a, b, tolerance=tolerance) for a, b in zip(one, other, strict=True)
        )
    if isinstance(one, float):
        return math.isclose(one, other, rel_tol=tolerance, abs_tol=tolerance)
    return bool(one == other)


@contextmanager
def _processes(ways: Sequence[Way], folder: Path) -> Iterator[Callable[[Way], _Lap]]:
    """Start a process for each way; it lives through all rounds, so that imports are paid once."""
    spawn = multiprocessing.get_context("spawn")
    with ExitStack() as stack:
        ends: dict[str, Connection] = {}
        for way in ways:
            ours, theirs = spawn.Pipe()
            process = spawn.Process(target=_serve, args=(theirs, way, folder), daemon=False)
            process.start()
            theirs.close()
            stack.callback(process.join)
            stack.callback(ours.close)
            ends[way.name] = ours
        for way in ways:
            _told(ends[way.name], way)
        yield lambda way: _lap(ends[way.name], way)


def _lap(end: Connection, way: Way) -> _Lap:
    end.send("go")
    told = _told(end, way)
    if not isinstance(told, _Lap):
        raise WayFailed(f"{way.name}: {told}")
    return told


def _told(end: Connection, way: Way) -> object:
    try:
        return end.recv()
    except EOFError:
        raise WayFailed(f"{way.name}: its process died") from None


def _serve(end: Connection, way: Way, folder: Path) -> None:
    """Go through a lap each time one is asked for, until nobody listens any more."""
    end.send("ready")
    while True:
        try:
            end.recv()
        except EOFError:
            return
        try:
            end.send(_went(way, folder))
        except Exception:
            end.send(traceback.format_exc())
            return


def _went(way: Way, folder: Path) -> _Lap:
    call = way.prepare(folder)
    gc.collect()
    idle = _forget_peak()
    begun = time.perf_counter()
    result = call()
    seconds = time.perf_counter() - begun
    return _Lap(seconds, max(_resident("VmHWM") - idle, 0), way.answer(result))


def _forget_peak() -> int:
    """Let the kernel begin anew with this process's largest resident set; return what it is now, in bytes."""
    Path("/proc/self/clear_refs").write_text("5")
    return _resident("VmRSS")


def _resident(what: str) -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{what}:")[2].split()[0]) * 1024
