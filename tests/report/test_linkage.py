import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from workspace_kit.report.linkage import average_linkage, leaf_order


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 2**32 - 1), points=st.integers(2, 60))
def test_joins_and_order_are_those_of_scipy(seed, points):
    places = np.random.default_rng(seed).normal(size=(points, 3))
    distances = np.sqrt(((places[:, np.newaxis] - places) ** 2).sum(axis=-1))
    expected = linkage(squareform(distances, checks=False), method="average")
    found = average_linkage(distances)
    np.testing.assert_allclose(found, expected)
    assert leaf_order(found) == tuple(leaves_list(expected))


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 2**32 - 1), points=st.integers(1, 30))
def test_equal_distances_lose_no_point(seed, points):
    distances = np.random.default_rng(seed).integers(0, 3, size=(points, points)).astype(float)
    distances = np.maximum(distances, distances.T)
    np.fill_diagonal(distances, 0.0)
    joins = average_linkage(distances)
    assert sorted(leaf_order(joins)) == list(range(points))
    assert (np.diff(joins[:, 2]) >= 0.0).all()


def test_the_distances_given_are_left_as_they_were():
    distances = np.array([[0.0, 1.0], [1.0, 0.0]])
    average_linkage(distances)
    assert distances.tolist() == [[0.0, 1.0], [1.0, 0.0]]
