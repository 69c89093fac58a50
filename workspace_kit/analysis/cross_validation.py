"""Would the best of the past have been the best of what followed: splits, and the odds that it would not."""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workspace_kit.errors import ConfigError
from workspace_kit.shown import as_html

Array = NDArray[np.float64]
Splits = NDArray[np.int64]
Score = Callable[[Array], Array]
Metric = Literal["mean", "sharpe_ratio", "sortino_ratio", "total_return"]

BATCH = 256
# A variance this small a part of the mean square is what rounding leaves of none.
NO_SPREAD = 1e-12


class Overfitting(NamedTuple):
    """What became of the best in sample, over all splits; None where there was no best to follow.

    ``probability`` is PBO, the share of splits whose best ends below the median out of sample; ``loss`` the
    share whose best scores below zero there; ``slope`` that of the best's score out of sample on its score
    in sample, by least squares. ``logits``, ``in_sample`` and ``out_of_sample`` have one value a split.
    """

    probability: float | None
    loss: float | None
    slope: float | None
    logits: Array
    in_sample: Array
    out_of_sample: Array

    def _repr_html_(self) -> str:
        return as_html(self)


def probability_of_overfitting(returns: Array, *, blocks: int, metric: Metric) -> Overfitting:
    """Compare, over every way to halve the blocks of time, the best in one half with its rank in the other.

    Takes returns (bars x trials, no gaps), per bar and in excess of whatever is to be beaten. Ratios are
    per bar. All C(blocks, blocks / 2) splits are computed, from sums over blocks. A trial without spread in
    a half is never best there, and scores 0 as the other half of a split.

    Raises
    ------
    ConfigError
        An odd number of blocks, or fewer than two.

    Source: Bailey, Borwein, López de Prado and Zhu (2017), "The Probability of Backtest Overfitting".
    """
    return _conclude(
        _halves_from_sums(returns, blocks=blocks, metric=metric) if _can_split(returns, blocks=blocks) else []
    )


def probability_of_overfitting_by(returns: Array, score: Score, *, blocks: int) -> Overfitting:
    """Do the same for a score that needs the bars themselves, such as a drawdown; much slower.

    ``score`` takes bars x trials and returns a value per trial, NaN where there is none.
    """
    return _conclude(
        _halves_from_bars(returns, score, blocks=blocks) if _can_split(returns, blocks=blocks) else []
    )


def deepest_drawdowns(returns: Array) -> Array:
    """Return each trial's deepest fall from its running peak, zero or negative; a score for the above."""
    equity = np.cumprod(1 + returns, axis=0)
    peak = np.maximum(np.maximum.accumulate(equity, axis=0), 1.0)
    return np.asarray((equity / peak - 1).min(axis=0), dtype=np.float64)


def walk_forward(bars: int, *, train: int, test: int) -> list[tuple[range, range]]:
    """Return pairs of bars to learn from and the bars right after them, each of which is judged once."""
    return [
        (range(start, start + train), range(start + train, min(start + train + test, bars)))
        for start in range(0, bars - train, test)
    ]


def purged_splits(bars: int, *, folds: int, horizon: int) -> list[tuple[Splits, range]]:
    """Return pairs of bars to learn from and bars to be judged on, each bar judged once.

    Bars whose holding ``horizon`` reaches into the judged ones are left out, and as many that follow them.
    """
    edges = _edges(bars, folds).tolist()
    place = np.arange(bars)
    return [
        (place[(place + horizon < start) | (place >= end + horizon)], range(start, end))
        for start, end in itertools.pairwise(edges)
    ]


def _halves_from_sums(returns: Array, *, blocks: int, metric: Metric) -> Iterator[tuple[Array, Array]]:
    """Scores (splits x trials) of both halves, some splits at a time, from sums over subsets of blocks.

    A subset's sum is that of its early blocks plus that of its late ones, each known from the start: no
    sum depends on how many trials there are, and equal trials score equal.
    """
    terms, score = _METRICS[metric]
    edges = _edges(len(returns), blocks)
    sums = [np.add.reduceat(term, edges[:-1], axis=0) for term in terms(returns)]
    subsets = [_subset_sums(each) for each in (np.diff(edges)[:, None].astype(np.float64), *sums)]
    halves = np.array(_half_splits(blocks))
    for first in range(0, len(halves), BATCH):
        some = halves[first : first + BATCH]
        rest = 2**blocks - 1 - some
        yield score(*(of(some) for of in subsets)), score(*(of(rest) for of in subsets))


def _halves_from_bars(returns: Array, score: Score, *, blocks: int) -> Iterator[tuple[Array, Array]]:
    edges = _edges(len(returns), blocks)
    block = np.repeat(np.arange(blocks), np.diff(edges))
    for half in _half_splits(blocks):
        inside = (half >> block) & 1 == 1
        yield score(returns[inside])[None, :], score(returns[~inside])[None, :]


def _conclude(halves: Iterable[tuple[Array, Array]]) -> Overfitting:
    """Follow the best of each half into the other one, both ways."""
    there, back = [np.empty((3, 0))], [np.empty((3, 0))]
    for one, other in halves:
        there.append(_follow(one, other))
        back.append(_follow(other, one))
    logits, inside, outside = np.concatenate(there + back, axis=1)
    if not len(logits):
        return Overfitting(None, None, None, logits, inside, outside)
    return Overfitting(
        float((logits <= 0).mean()),
        float((outside < 0).mean()),
        _slope(inside, outside),
        logits,
        inside,
        outside,
    )


def _follow(inside: Array, outside: Array) -> Array:
    """Logit, score in and score out of sample of each split's best (3 x splits); the first of equal ones."""
    tried = np.where(np.isnan(inside), -np.inf, inside)
    best = tried.argmax(axis=1, keepdims=True)
    score = np.take_along_axis(tried, best, axis=1)
    outcomes = np.where(np.isnan(outside), 0.0, outside)
    outcome = np.take_along_axis(outcomes, best, axis=1)
    equal = (outcomes == outcome).sum(axis=1, keepdims=True)
    rank = (outcomes < outcome).sum(axis=1, keepdims=True) + (equal + 1) / 2
    relative = rank / (inside.shape[1] + 1)
    answer = np.concatenate([np.log(relative / (1 - relative)), score, outcome], axis=1).T
    return np.asarray(answer[:, np.isfinite(score[:, 0])], dtype=np.float64)


def _slope(inside: Array, outside: Array) -> float | None:
    if np.ptp(inside) == 0:
        return None
    about = inside - inside.mean()
    return float((about * (outside - outside.mean())).sum() / (about**2).sum())


def _mean(count: Array, total: Array) -> Array:
    return total / count


def _sharpe_ratio(count: Array, total: Array, square: Array) -> Array:
    mean = total / count
    variance = square - total * mean
    # Rounding leaves this much of no variance at all.
    variance = np.where(variance > NO_SPREAD * square, variance, np.nan)
    return np.asarray(mean / np.sqrt(variance / (count - 1)), dtype=np.float64)


def _sortino_ratio(count: Array, total: Array, shortfall: Array) -> Array:
    return np.asarray(
        total / count / np.sqrt(np.where(shortfall > 0, shortfall, np.nan) / count), dtype=np.float64
    )


def _total_return(_count: Array, logarithm: Array) -> Array:
    return np.expm1(logarithm)


_METRICS: Mapping[Metric, tuple[Callable[[Array], Sequence[Array]], Callable[..., Array]]] = {
    "mean": (lambda returns: [returns], _mean),
    "sharpe_ratio": (lambda returns: [returns, returns**2], _sharpe_ratio),
    "sortino_ratio": (lambda returns: [returns, np.minimum(returns, 0.0) ** 2], _sortino_ratio),
    "total_return": (lambda returns: [np.log1p(returns)], _total_return),
}


def _subset_sums(rows: Array) -> Callable[[Splits], Array]:
    """Return a function from subsets of rows, as bits, to their sums."""
    early, late = _all_subsets(rows[: len(rows) // 2]), _all_subsets(rows[len(rows) // 2 :])
    return lambda subsets: early[subsets % len(early)] + late[subsets // len(early)]


def _all_subsets(rows: Array) -> Array:
    """Sum of every subset of rows, at the index whose bits name them."""
    sums = np.zeros((1, *rows.shape[1:]))
    for row in rows:
        sums = np.concatenate([sums, sums + row])
    return sums


def _half_splits(blocks: int) -> list[int]:
    """Halves of the blocks as bits, one of each pair: that which holds the last block."""
    last = 1 << (blocks - 1)
    others = itertools.combinations(range(blocks - 1), blocks // 2 - 1)
    return [last + sum(1 << block for block in some) for some in others]


def _edges(bars: int, parts: int) -> Splits:
    """First bar of each part and the end; parts differ by one bar at most."""
    return np.asarray([bars * part // parts for part in range(parts + 1)], dtype=np.int64)


def _can_split(returns: Array, *, blocks: int) -> bool:
    """Whether every block has two bars and there is more than one trial to rank."""
    if blocks < 2 or blocks % 2:
        raise ConfigError(
            "blocks",
            found=f"{blocks}",
            expected="an even number of blocks, so that they can be halved",
            remedy="use 16, or fewer for few bars",
        )
    return len(returns) >= 2 * blocks and returns.shape[1] > 1


def logit_histogram(logits: Array, *, bins: int) -> dict[str, list[float] | list[int]]:
    """Return logits as counts between edges that lie evenly about zero; a value on an edge counts below it.

    So the bins up to zero hold the splits that PBO counts. Two empty lists without a logit.
    """
    if not len(logits):
        return {"edges": [], "counts": []}
    reach = math.ceil(float(np.abs(logits).max())) or 1
    edges = np.linspace(-reach, reach, bins + 1)
    place = np.clip(np.searchsorted(edges, logits, side="left") - 1, 0, bins - 1)
    return {"edges": edges.tolist(), "counts": np.bincount(place, minlength=bins).tolist()}
