"""Which parameter sets a sweep tries, and in which order."""

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from workspace_kit.config import Search, Strategy, Value


class Candidate(NamedTuple):
    """One strategy with one parameter set; its number is stable for a configuration."""

    number: int
    strategy: str
    function: str
    parameters: Mapping[str, Value]


def candidates(strategies: Sequence[Strategy], *, search: Search, seed: int) -> list[Candidate]:
    """Every parameter set to try, strategy by strategy in the order configured.

    A grid is walked with its last parameter fastest; ``random`` draws ``search.trials`` sets of each grid
    without repetition and keeps their grid order. A list of sets is taken as it stands.
    """
    generator = np.random.default_rng(seed)
    sets = [
        (strategy, parameters)
        for strategy in strategies
        for parameters in _drawn(_sets(strategy), search, generator)
    ]
    return [
        Candidate(number, strategy.name, strategy.function, parameters)
        for number, (strategy, parameters) in enumerate(sets)
    ]


def _sets(strategy: Strategy) -> list[Mapping[str, Value]]:
    if isinstance(strategy.parameters, list):
        return list(strategy.parameters)
    names = strategy.parameters.keys()
    return [
        dict(zip(names, values, strict=True)) for values in itertools.product(*strategy.parameters.values())
    ]


def _drawn(
    sets: list[Mapping[str, Value]], search: Search, generator: np.random.Generator
) -> list[Mapping[str, Value]]:
    if search.method == "grid" or search.trials is None or search.trials >= len(sets):
        return sets
    chosen = generator.choice(len(sets), size=search.trials, replace=False)
    return [sets[position] for position in sorted(chosen)]
