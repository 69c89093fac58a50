"""Average linkage, for the order of a page: scipy's takes longer to import than a page to draw."""

import numpy as np

Square = np.ndarray[tuple[int, int], np.dtype[np.float64]]


def average_linkage(distances: Square) -> Square:
    """Return who joins whom: a row a join, nearest first, of two clusters, their distance and their size.

    Clusters are numbered as in scipy's linkage matrix: points first, then joins in order. Chains of nearest
    neighbours (Murtagh 1983) take time in the square of the points.
    """
    apart = distances.astype(np.float64)
    np.fill_diagonal(apart, np.inf)
    sizes = np.ones(len(apart))
    joined: list[tuple[int, int, float]] = []
    chain: list[int] = []
    while len(joined) < len(apart) - 1:
        chain = chain or [int(np.argmax(sizes > 0.0))]
        nearest = _nearest(apart, chain)
        if nearest not in chain[-2:]:
            chain.append(nearest)
            continue
        one, other = sorted((chain.pop(), chain.pop()))
        joined.append((one, other, float(apart[one, other])))
        _join(apart, sizes, one, other)
    return _numbered(sorted(joined, key=lambda join: join[2]), points=len(apart))


def _nearest(apart: Square, chain: list[int]) -> int:
    """Return the nearest neighbour of the chain's end, of two equally near the one it came from."""
    row = apart[chain[-1]]
    nearest = int(np.argmin(row))
    return chain[-2] if len(chain) > 1 and row[chain[-2]] <= row[nearest] else nearest


def _join(apart: Square, sizes: np.ndarray[tuple[int], np.dtype[np.float64]], one: int, other: int) -> None:
    """Let ``other`` stand for both, and take ``one`` out."""
    mean = (sizes[one] * apart[one] + sizes[other] * apart[other]) / (sizes[one] + sizes[other])
    sizes[other] += sizes[one]
    sizes[one] = 0.0
    mean[other] = np.inf
    apart[other], apart[:, other] = mean, mean
    apart[one], apart[:, one] = np.inf, np.inf


def _numbered(joined: list[tuple[int, int, float]], *, points: int) -> Square:
    """Number clusters by the order of their joins; each point is known by the last cluster that holds it."""
    cluster, size = list(range(points)), [1] * points
    holder = list(range(points))
    rows = np.empty((len(joined), 4))
    for at, (one, other, distance) in enumerate(joined):
        first, second = _root(holder, one), _root(holder, other)
        low, high = sorted((cluster[first], cluster[second]))
        holder[first] = second
        size[second] += size[first]
        cluster[second] = points + at
        rows[at] = low, high, distance, size[second]
    return rows


def _root(holder: list[int], point: int) -> int:
    while holder[point] != point:
        holder[point] = point = holder[holder[point]]
    return point


def leaf_order(joins: Square) -> tuple[int, ...]:
    """Return the points so that those of every join stand together."""
    points = len(joins) + 1
    waiting, order = [2 * points - 2], []
    while waiting:
        cluster = waiting.pop()
        if cluster < points:
            order.append(cluster)
        else:
            first, second = joins[cluster - points, :2]
            waiting += [int(second), int(first)]
    return tuple(order)
