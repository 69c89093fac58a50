"""Members that follow their winner of the moment, the weight sets tried on them, and the choice among these.

Weights are shares of capital: none negative, their sum 1. A row of a weight matrix is one set; an array of
returns has one row per bar and one column per member.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from workspace_kit.errors import ConfigError

Array = NDArray[np.float64]

UNITS = 10**9
TOLERANCE = 1 / UNITS
DRAWS_PER_SET = 16


class Choice(NamedTuple):
    """Row of the chosen weight set, and why it is equal weight where no set could be chosen."""

    row: int
    reason: str | None


def switch(
    targets: Mapping[str, Array],
    labels: Sequence[str | None],
    winners: Mapping[str, str],
    *,
    otherwise: str,
) -> Array:
    """Return a member's targets: at each close those of the winner for the regime known at that close.

    ``targets`` has an array of bars x symbols per trial, ``labels`` a regime (or None) per bar, ``winners``
    a trial per regime; ``otherwise`` is the trial followed where there is no label or no winner.
    """
    followed = np.array([winners.get(label or "", otherwise) for label in labels], dtype=object)
    chosen = np.empty_like(targets[otherwise])
    for trial in {otherwise, *winners.values()}:
        bars = followed == trial
        chosen[bars] = targets[trial][bars]
    return chosen


def simplex_size(members: int, *, step: float) -> int:
    """Count the weight sets whose weights are multiples of a step: C(members + 1/step - 1, members - 1)."""
    return math.comb(members + _steps(step) - 1, members - 1)


def simplex_grid(members: int, *, step: float, cap: float) -> Array:
    """Return every weight set whose weights are multiples of ``step`` up to ``cap``, in lexicographic order.

    Raises
    ------
    ConfigError
        The step does not divide 1, or no set stays under the cap.
    """
    steps = _steps(step)
    bars = itertools.combinations(range(steps + members - 1), members - 1)
    ends = np.array(list(bars), dtype=np.int64).reshape(simplex_size(members, step=step), members - 1)
    ends = np.pad(ends, ((0, 0), (1, 1)), constant_values=((0, 0), (-1, steps + members - 1)))
    return _capped((np.diff(ends, axis=1) - 1) / steps, cap=cap)


def simplex_sample(members: int, *, sets: int, cap: float, seed: int) -> Array:
    """Return up to ``sets`` weight sets drawn evenly from the simplex (Dirichlet 1), for too large a grid.

    Draws beyond the cap are left out.

    Raises
    ------
    ConfigError
        None of sixteen draws per set stays under the cap.
    """
    draws = np.random.default_rng(seed).dirichlet(np.ones(members), size=DRAWS_PER_SET * sets)
    return np.array([round_weights(row) for row in _capped(draws, cap=cap)[:sets]])


def weigh(member_returns: Array, weights: Array) -> Array:
    """Return bars x sets: what each weight set earns, linear in its members' returns.

    Capital moves back to the weights at every close, and moving it between members is free. A column
    depends on its own weights alone, to the last bit, however many sets are weighed together.
    """
    earned = np.zeros((member_returns.shape[0], weights.shape[0]))
    # A matrix product would round a column differently with the number of its neighbours.
    for member in range(weights.shape[1]):
        earned += member_returns[:, member, None] * weights[None, :, member]
    return earned


def choose(weights: Array, scores: Sequence[float | None], *, metric: str) -> Choice:
    """Choose the weight set with the highest score.

    Of equal scores the set nearest to equal weight wins, then the first. Where every score is missing or
    negative (a drawdown is never positive and exempt), the set nearest to equal weight is chosen and the
    reason given.
    """
    distance = _distance_from_equal(weights)
    known = [(score, index) for index, score in enumerate(scores) if score is not None]
    best = max((score for score, _ in known), default=-math.inf)
    if best == -math.inf or (best < 0 and metric != "max_drawdown"):
        seen = f"is negative for all {len(known)} weight sets" if known else "exists for no weight set"
        return Choice(int(np.argmin(distance)), f"{metric} {seen}: equal weight stands in")
    return Choice(min((index for score, index in known if score == best), key=distance.__getitem__), None)


def effective_members(weights: Sequence[float]) -> float:
    """Return the number of equally weighted members that would be as concentrated: 1 over the sum of w²."""
    return 1 / math.fsum(weight**2 for weight in weights)


def check_weights(weights: Mapping[str, float], *, members: Sequence[str], where: str) -> Array:
    """Return weights handed in from outside in the order of the members.

    Raises
    ------
    ConfigError
        A member is missing or unknown, a weight is negative or no number, or the sum is not 1.
    """
    if sorted(weights) != sorted(members):
        raise ConfigError(
            where,
            found=f"weights for {', '.join(sorted(weights)) or 'nobody'}",
            expected=f"one for each of {', '.join(sorted(members))}",
            remedy="name every member once, with weight 0 to leave it out",
        )
    if wrong := sorted(name for name, weight in weights.items() if not weight >= 0):
        raise ConfigError(
            f"{where}, member {wrong[0]}",
            found=f"{weights[wrong[0]]}",
            expected="a share of capital from 0 to 1",
            remedy="correct it; short members are not supported",
        )
    total = math.fsum(weights.values())
    if not abs(total - 1) <= TOLERANCE:
        raise ConfigError(
            where,
            found=f"weights that sum to {total!r}",
            expected=f"a sum of 1, within {TOLERANCE}",
            remedy="correct them: they are never rescaled silently",
        )
    return np.array([weights[name] for name in members], dtype=np.float64)


def round_weights(weights: Sequence[float] | Array) -> list[float]:
    """Round to nine decimals by largest remainder, so that the decimals written sum to exactly 1."""
    units = np.asarray(weights, dtype=np.float64) * UNITS
    whole = np.floor(units)
    missing = UNITS - int(whole.sum())
    whole[np.argsort(whole - units, kind="stable")[:missing]] += 1
    return [float(unit) / UNITS for unit in whole]


def _steps(step: float) -> int:
    steps = round(1 / step)
    if abs(steps * step - 1) > TOLERANCE:
        raise ConfigError(
            "ensemble.step", found=f"{step}", expected="a step that divides 1", remedy=f"use 1/{steps}"
        )
    return steps


def _capped(sets: Array, *, cap: float) -> Array:
    under = sets[(sets <= cap + TOLERANCE).all(axis=1)]
    if not len(under):
        raise ConfigError(
            "ensemble.cap",
            found=f"{cap}, which none of {len(sets)} weight sets keeps",
            expected=f"at least {1 / sets.shape[1]:.4g} for {sets.shape[1]} members, and room for a step",
            remedy="raise the cap or lower the step",
        )
    return under


def _distance_from_equal(weights: Array) -> Array:
    """Squared distance, rounded so that permutations of one set are equally far."""
    return np.asarray(((weights - 1 / weights.shape[1]) ** 2).sum(axis=1).round(12), dtype=np.float64)
