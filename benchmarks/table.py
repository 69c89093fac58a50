"""The figures as a page: what was aimed at and reached, then each benchmark with its ways."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from benchmarks.measure import MEGABYTE, ROUNDS, Benchmark, Figure, Figures, Target, Way

# Benchmarks of this name differ in nothing but size.
SCALED = "P14 scaling"
HEAD = """# Benchmarks

What the package costs beside its peers. Every way runs in a process of its own, in turns with the others,
{rounds} rounds each (fewer where one takes long), and is timed only after all ways gave equal answers on the
same files; imports are not counted. Memory is how far the process grew at most while it was timed. Data are
synthetic and seeded. This page is written by

```sh
python3 -m venv .venv && .venv/bin/pip install -q -e '.[bench]' && .venv/bin/python -m benchmarks
```

in {minutes:.0f} minutes; `python -m benchmarks P1 P4` prints some, `--small` takes a hundredth of the data.

{machine}

## Targets

| id | work | target | reached | |
|---|---|---|---|---|
"""

SCALING = """
## Cost against size

![Seconds against size, both logarithmic](scaling.svg)

A straight line that rises by a factor of 10 a step is a cost in proportion to size.

| through | way | {sizes} | last step |
|---|---|{rules}---:|
"""


class Measured(NamedTuple):
    """A benchmark, its figures, and what it went through."""

    benchmark: Benchmark
    figures: Figures
    amounts: Mapping[str, float]


class Line(NamedTuple):
    """How long a way takes as its work grows: sizes in their unit, and seconds."""

    unit: str
    way: str
    sizes: tuple[float, ...]
    seconds: tuple[float, ...]


def scaling(measured: Sequence[Measured]) -> list[Line]:
    """Return a line for each way of those benchmarks that differ in nothing but size."""
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for benchmark, figures, amounts in measured:
        if benchmark.id == SCALED:
            unit, size = next(iter(amounts.items()))
            for way in benchmark.ways:
                found.setdefault((unit, way.name), []).append((size, figures[way.name].median))
    return [
        Line(unit, way, tuple(size for size, _ in points), tuple(took for _, took in points))
        for (unit, way), points in found.items()
    ]


def page(measured: Sequence[Measured], *, machine: str, minutes: float) -> str:
    """Return the whole page."""
    head = HEAD.format(rounds=ROUNDS, minutes=minutes, machine=machine)
    targets = "".join(_target_row(each, target) for each in measured for target in each.benchmark.targets)
    return head + targets + _scaling(measured) + "".join(f"\n{section(each)}" for each in measured)


def section(measured: Measured) -> str:
    """Return one benchmark: its shape, a row for each way, and its targets."""
    benchmark, figures, amounts = measured
    through = ", ".join([benchmark.shape, *(f"{number:,.0f} {unit}" for unit, number in amounts.items())])
    rates = "".join(f" {unit}/s |" for unit in amounts)
    lines = [
        f"## {benchmark.id} · {benchmark.work}",
        "",
        f"{through}; {benchmark.cache}.",
        "",
        f"| way | median | rounds | from – to |{rates} memory |",
        "|---|---:|---:|---:|" + "---:|" * (len(amounts) + 1),
        *(_way_row(way, figures[way.name], amounts) for way in benchmark.ways),
        "",
        *(
            f"- {target.text}: {_reached(target, figures)}, {verdict(target, figures)}"
            for target in benchmark.targets
        ),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _scaling(measured: Sequence[Measured]) -> str:
    lines = scaling(measured)
    sizes = len(lines[0].seconds) if lines else 0
    rows = "".join(
        f"| {line.unit} | {line.way} | {' | '.join(map(duration, line.seconds))} "
        f"| {line.seconds[-1] / line.seconds[-2]:.1f} |\n"
        for line in lines
    )
    head = SCALING.format(sizes=" | ".join(f"{10**step}x" for step in range(sizes)), rules="---:|" * sizes)
    return head + rows


def _target_row(measured: Measured, target: Target) -> str:
    told = _reached(target, measured.figures), verdict(target, measured.figures)
    return f"| {measured.benchmark.id} | {measured.benchmark.work} | {target.text} | {' | '.join(told)} |\n"


def _reached(target: Target, figures: Figures) -> str:
    return f"{target.measured(figures):.3g} {target.unit}"


def verdict(target: Target, figures: Figures) -> str:
    """Say whether a target was met, or by how much it was missed."""
    if target.is_met(figures):
        return "met"
    off = target.measured(figures) / target.bound
    return f"**missed**, {off if off > 1 else 1 / off:.1f} times off"


def _way_row(way: Way, figure: Figure, amounts: Mapping[str, float]) -> str:
    spread = f"{duration(min(figure.seconds))} – {duration(max(figure.seconds))}"
    rates = "".join(f" {rate(number / figure.median)} |" for number in amounts.values())
    name = f"**{way.name}**" if way.kind == "ours" else way.name
    told = f"| {name} | {duration(figure.median)} | {len(figure.seconds)} | {spread} |"
    return f"{told}{rates} {figure.peak / MEGABYTE:,.0f} MB |"


def rate(number: float) -> str:
    """Write how many a second, whole from a hundred on."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def duration(seconds: float) -> str:
    """Write a time with three digits, in the unit that suits it."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} µs"
