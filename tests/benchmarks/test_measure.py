"""The benchmarks' own rules: nothing is timed that was not done, and by every way alike."""

import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from benchmarks import measure
from benchmarks.measure import AnswersDiffer, Benchmark, Figure, Way, WayFailed, nothing, same
from benchmarks.table import Measured, duration, page, rate, section
from benchmarks.targets import megabytes, seconds, times_as_quick, times_as_quick_as_all, times_the_time


def answering(folder: Path, *, value: object, name: str):
    """Leave a mark for each call that is timed."""

    def call():
        with (folder / name).open("a") as file:
            file.write("x")
        return value

    return call


def failing(folder: Path):
    raise ValueError("no such data")


def growing(folder: Path):
    return lambda: len(bytearray(64 << 20))


def slow(folder: Path):
    return partial(time.sleep, 0.05)


def benchmark(*ways: Way, **more) -> Benchmark:
    return Benchmark("T1", "work", "shape", "warm", nothing, ways, lambda folder: {"files": 10.0}, **more)


def way(name: str, value: object, kind="peer") -> Way:
    return Way(name, kind, partial(answering, value=value, name=name))


def run(folder: Path, *ways: Way, **more) -> dict[str, Figure]:
    return measure.measure(benchmark(*ways, **more), folder, done=lambda: None)


def test_ways_are_timed_in_rounds_after_one_that_compares_answers(tmp_path):
    figures = run(tmp_path, way("a", [1, 2.0]), way("b", [1, 2.0 + 1e-12]), way("c", "all else", "floor"))
    assert [len(figure.seconds) for figure in figures.values()] == [measure.ROUNDS] * 3
    assert (tmp_path / "a").read_text() == "x" * (measure.ROUNDS + 1)


def test_nothing_is_timed_where_answers_differ(tmp_path):
    with pytest.raises(AnswersDiffer, match=r"T1: 'a' and 'b' answer differently: \[1\] and \[2\]"):
        run(tmp_path, way("a", [1]), way("b", [2]))
    assert (tmp_path / "a").read_text() == "x"


def test_a_way_alone_is_not_tried_before_it_is_timed(tmp_path):
    run(tmp_path, way("a", 1))
    assert (tmp_path / "a").read_text() == "x" * measure.ROUNDS


def test_what_a_way_raises_names_it(tmp_path):
    with pytest.raises(WayFailed, match=r"(?s)broken: .*ValueError: no such data"):
        run(tmp_path, Way("broken", "ours", failing))


def test_files_may_change_before_each_round(tmp_path):
    seen: list[Path] = []
    run(tmp_path, way("a", 1), before=seen.append)
    assert seen == [tmp_path] * measure.ROUNDS


def test_time_and_memory_are_those_of_the_call(tmp_path):
    figures = run(tmp_path, Way("grows", "ours", growing), Way("sleeps", "floor", slow))
    assert figures["grows"].peak > 60 << 20 > figures["sleeps"].peak
    assert min(figures["sleeps"].seconds) >= 0.05


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (1.0, 1.0 + 1e-12, True),
        (1.0, 1.0 + 1e-6, False),
        ([("a", 1.0)], [("a", 1.0)], True),
        ([1], [1, 2], False),
        (np.array([1.0, np.nan]), np.array([1.0, np.nan]), True),
        (np.array([1.0]), np.array([1.1]), False),
        (np.array([1.0]), np.array([1.0, 1.0]), False),
        ("a", "b", False),
    ],
)
def test_answers_are_equal_within_the_tolerance(one, other, equal):
    assert same(one, other, tolerance=1e-9) is equal


FIGURES = {
    "workspace_kit": Figure((0.3, 0.1, 0.2), 300_000_000),
    "peer": Figure((1.0,), 1_000_000),
    "floor": Figure((0.05,), 0),
}


@pytest.mark.parametrize(
    ("target", "value", "met"),
    [
        (times_as_quick(5, "peer"), 5.0, True),
        (times_as_quick(6, "peer"), 5.0, False),
        (times_as_quick_as_all(1, "peer", "floor"), 0.25, False),
        (times_the_time(4, "floor"), 4.0, True),
        (times_the_time(2, "floor"), 4.0, False),
        (seconds(0.2), 0.2, True),
        (megabytes(299), 300.0, False),
    ],
)
def test_a_target_is_a_number_made_of_medians_and_its_bound(target, value, met):
    assert target.measured(FIGURES) == pytest.approx(value)
    assert target.is_met(FIGURES) is met


def test_a_section_states_shape_cache_spread_and_how_far_off_a_target_is():
    ways = (Way("workspace_kit", "ours", slow), Way("peer", "peer", slow), Way("floor", "floor", slow))
    told = benchmark(*ways, targets=(times_as_quick(10, "peer"), seconds(1)))
    text = section(Measured(told, FIGURES, {"files": 10.0}))
    assert "shape, 10 files; warm." in text
    assert "| **workspace_kit** | 200 ms | 3 | 100 ms – 300 ms | 50 | 300 MB |" in text
    assert "- ≥ 10x as quick as peer: 5 x, **missed**, 2.0 times off" in text
    assert text.endswith("- ≤ 1 s: 0.2 s, met\n")


def test_the_page_opens_with_every_target_and_the_cost_against_size():
    scaled = [
        Measured(
            Benchmark("P14 scaling", "work", "shape", "warm", nothing, (Way("peer", "peer", slow),), dict),
            {"peer": Figure((10.0**step,), 0)},
            {"files": 10.0**step},
        )
        for step in range(3)
    ]
    text = page(scaled, machine="A machine.", minutes=3.2)
    assert "in 3 minutes" in text
    assert "| files | peer | 1 s | 10 s | 100 s | 10.0 |" in text


@pytest.mark.parametrize(("given", "told"), [(12345.6, "12,346"), (12.34, "12.3"), (0.01234, "0.0123")])
def test_a_rate_is_whole_where_it_is_large(given, told):
    assert rate(given) == told


@pytest.mark.parametrize(("given", "told"), [(12.34, "12.3 s"), (0.0123, "12.3 ms"), (4.5e-6, "4.5 µs")])
def test_a_time_has_the_unit_that_suits_it(given, told):
    assert duration(given) == told
