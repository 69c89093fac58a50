"""Weights from how members moved or scored: the methods beside the simplex grid.

Each takes returns (bars x members, no gaps) or scores and gives weights that are never negative, sum to 1
and keep the cap. A member that never moved has no risk to share: inverse volatility, risk parity and
hierarchical risk parity give it nothing.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from workspace_kit.errors import ConfigError, DataError
from workspace_kit.shown import as_html

Array = NDArray[np.float64]
Linkage = Literal["single", "complete", "average", "ward"]

PRECISION = 1e-12
NEWTON_STEPS = 1_000
# Nearer than this to the solution a whole Newton step stays positive and converges quadratically.
FAR = 0.25
# Members that hedge one another completely leave no risk to share: their weights would grow for ever.
HEDGED = 1e6
EXCHANGES = 1_000_000


class Weights(NamedTuple):
    """A weight per member, and why they are equal where the method could not decide."""

    values: Array
    reason: str | None

    def _repr_html_(self) -> str:
        return as_html(self)


@dataclass(frozen=True, slots=True)
class Choices:
    """What the methods leave open.

    ``cap`` is the largest weight; ``temperature`` the score that softmax tells apart by a factor of e;
    ``linkage`` how hierarchical risk parity joins clusters.
    """

    cap: float
    temperature: float
    linkage: Linkage


def weigh_members(
    returns: Array, scores: Sequence[float | None], *, method: str, choices: Choices
) -> Weights:
    """Return the weights that a method of `METHODS` gives; ``scores`` are the members' metric on train.

    Raises
    ------
    ConfigError
        No method has this name, or the cap is too low for the members.
    DataError
        Returns with a gap, or fewer than two bars.
    """
    if method not in METHODS:
        raise ConfigError(
            "ensemble.method",
            found=f"{method!r}",
            expected=f"one of {', '.join(METHODS)}",
            remedy="correct the name",
        )
    if choices.cap * returns.shape[1] < 1 - PRECISION:
        raise ConfigError(
            "ensemble.cap",
            found=f"{choices.cap} for {returns.shape[1]} members",
            expected=f"at least {1 / returns.shape[1]:.4g}",
            remedy="raise the cap",
        )
    return METHODS[method](returns, scores, choices)


def risk_shares(weights: Array, returns: Array) -> Array:
    """Return each member's share of the portfolio's variance; the shares sum to 1."""
    marginal = _covariance(returns) @ weights
    return np.asarray(weights * marginal / (weights @ marginal), dtype=np.float64)


def _equal(returns: Array, _scores: Sequence[float | None], _choices: Choices) -> Weights:
    return Weights(_even(returns.shape[1]), None)


def _inverse_volatility(returns: Array, _scores: Sequence[float | None], choices: Choices) -> Weights:
    return _among_moving(returns, choices, lambda covariance: 1 / np.sqrt(covariance.diagonal()))


def _softmax(returns: Array, scores: Sequence[float | None], choices: Choices) -> Weights:
    """Weights in proportion to exp(score / temperature); a member without a score gets nothing."""
    known = np.array([-np.inf if score is None else score for score in scores])
    if not (known >= 0).any():
        return Weights(
            _even(returns.shape[1]), "no member has a score of zero or more: equal weight stands in"
        )
    return Weights(_capped(np.exp((known - known.max()) / choices.temperature), cap=choices.cap), None)


def _minimum_variance(returns: Array, _scores: Sequence[float | None], choices: Choices) -> Weights:
    """Least variance, by moving weight between the two members whose exchange gains most until none does."""
    covariance = _covariance(returns)
    weights = _even(len(covariance))
    enough = PRECISION * np.trace(covariance)
    for _ in range(EXCHANGES):
        slope = covariance @ weights
        rise = np.where(weights < choices.cap - PRECISION, slope, np.inf)
        fall = np.where(weights > 0, slope, -np.inf)
        buy, sell = int(rise.argmin()), int(fall.argmax())
        if fall[sell] - rise[buy] <= enough:
            break
        curve = covariance[buy, buy] + covariance[sell, sell] - 2 * covariance[buy, sell]
        best = (slope[sell] - slope[buy]) / curve if curve > 0 else np.inf
        step = min(best, choices.cap - weights[buy], weights[sell])
        weights[buy] += step
        weights[sell] = 0.0 if step == weights[sell] else weights[sell] - step
    return Weights(weights / weights.sum(), None)


def _risk_parity(returns: Array, _scores: Sequence[float | None], choices: Choices) -> Weights:
    return _among_moving(returns, choices, _equal_contributions)


def _hierarchical_risk_parity(returns: Array, _scores: Sequence[float | None], choices: Choices) -> Weights:
    return _among_moving(returns, choices, lambda covariance: _bisect(covariance, linkage_by=choices.linkage))


Method = Callable[[Array, Sequence[float | None], Choices], Weights]
METHODS: Mapping[str, Method] = {
    "equal": _equal,
    "inverse_volatility": _inverse_volatility,
    "softmax": _softmax,
    "minimum_variance": _minimum_variance,
    "risk_parity": _risk_parity,
    "hierarchical_risk_parity": _hierarchical_risk_parity,
}


def _equal_contributions(covariance: Array) -> Array:
    """Weights, up to a factor, at which all members add the same variance.

    Damped Newton steps on x'Cx / 2 - sum(ln x), C the correlations: where its slope is zero, each x (Cx)
    is 1. Going coordinate by coordinate needs many thousand sweeps where members hedge one another.

    Source: Spinu (2013), "An Algorithm for Computing Risk Parity Weights".
    """
    deviation = np.sqrt(covariance.diagonal())
    correlation = covariance / np.outer(deviation, deviation)
    weights = np.ones(len(deviation))
    for _ in range(NEWTON_STEPS):
        slope = correlation @ weights - 1 / weights
        step = np.linalg.solve(correlation + np.diag(weights**-2.0), slope)
        decrement = math.sqrt(max(0.0, float(slope @ step)))
        weights -= step / (1 + decrement) if decrement > FAR else step
        if decrement <= PRECISION or weights.max() > HEDGED:
            break
    return np.asarray(weights / deviation, dtype=np.float64)


def _bisect(covariance: Array, *, linkage_by: Linkage) -> Array:
    """Split the members in cluster order into halves, again and again, each half by its inverse variance.

    Distance sqrt((1 - correlation) / 2), leaves ordered so that neighbours are nearest.

    Source: López de Prado (2016), "Building Diversified Portfolios that Outperform Out of Sample".
    """
    weights = np.ones(len(covariance))
    parts = [_cluster_order(covariance, linkage_by=linkage_by)]
    while parts:
        part = parts.pop()
        if len(part) > 1:
            left, right = part[: len(part) // 2], part[len(part) // 2 :]
            risks = [_cluster_variance(covariance[np.ix_(half, half)]) for half in (left, right)]
            share = risks[1] / sum(risks) if any(risks) else 0.5
            weights[left] *= share
            weights[right] *= 1 - share
            parts += [left, right]
    return weights


def _cluster_order(covariance: Array, *, linkage_by: Linkage) -> list[int]:
    if len(covariance) < 2:
        return list(range(len(covariance)))
    deviation = np.sqrt(covariance.diagonal())
    correlation = np.clip(covariance / np.outer(deviation, deviation), -1, 1)
    distance = np.sqrt((1 - correlation) / 2)
    np.fill_diagonal(distance, 0.0)
    tree = linkage(squareform(distance, checks=False), method=linkage_by, optimal_ordering=True)
    return [int(leaf) for leaf in leaves_list(tree)]


def _cluster_variance(covariance: Array) -> float:
    """Variance of a cluster held in proportion to inverse variances."""
    weights = 1 / covariance.diagonal()
    weights = weights / weights.sum()
    return max(0.0, float(weights @ covariance @ weights))


def _among_moving(returns: Array, choices: Choices, weigh: Callable[[Array], Array]) -> Weights:
    """Weigh the members that moved, give the others nothing."""
    covariance = _covariance(returns)
    moving = np.flatnonzero(np.ptp(returns, axis=0))
    if not len(moving):
        return Weights(_even(len(covariance)), "no member ever moved: equal weight stands in")
    weights = np.zeros(len(covariance))
    weights[moving] = weigh(covariance[np.ix_(moving, moving)])
    return Weights(_capped(weights, cap=choices.cap), None)


def _capped(shares: Array, *, cap: float) -> Array:
    """Scale shares to a sum of 1; what is above the cap goes to the others in proportion to their shares."""
    weights = shares / shares.sum()
    full = np.zeros(len(weights), dtype=np.bool_)
    while (weights > cap + PRECISION).any():
        full |= weights > cap
        rest = 1 - cap * full.sum()
        others = np.where(full, 0.0, weights)
        spread = others / others.sum() if others.any() else ~full / (~full).sum()
        weights = np.where(full, cap, rest * spread)
    return np.asarray(weights, dtype=np.float64)


def _covariance(returns: Array) -> Array:
    """Sample covariance, summed in one order whatever the threads."""
    if len(returns) < 2 or not np.isfinite(returns).all():
        raise DataError(
            "returns of the members",
            found=f"{len(returns)} bars, {int((~np.isfinite(returns)).sum())} values missing",
            expected="at least two bars without a gap",
            remedy="use the bars that all members have",
        )
    about = returns - returns.mean(axis=0)
    return np.asarray(np.einsum("ti,tj->ij", about, about) / (len(returns) - 1), dtype=np.float64)


def _even(members: int) -> Array:
    return np.full(members, 1 / members)
