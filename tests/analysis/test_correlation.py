import itertools
import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workspace_kit.analysis.correlation import cluster_order, correlations

VALUE = st.sampled_from([None, None, 0.0, 0.01, -0.02, 0.03, 0.05, -0.07])
WIDE = st.integers(0, 12).flatmap(
    lambda bars: st.lists(st.lists(VALUE, min_size=bars, max_size=bars), min_size=0, max_size=5)
)


def wide(columns, names=None):
    names = names or [f"trial_{number}" for number in range(len(columns))]
    series = {name: pl.Series(values, dtype=pl.Float64) for name, values in zip(names, columns, strict=True)}
    bars = len(columns[0]) if columns else 0
    return pl.DataFrame({"timestamp": pl.Series(range(bars), dtype=pl.Int64), **series})


def by_hand(first, second):
    """Pearson's coefficient of pairs without a gap, in plain Python."""
    pairs = [(a, b) for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    if len(pairs) < 2 or len({a for a, _ in pairs}) == 1 or len({b for _, b in pairs}) == 1:
        return None, len(pairs)
    mean_a, mean_b = (math.fsum(side) / len(pairs) for side in zip(*pairs, strict=True))
    moments = [((a - mean_a) * (b - mean_b), (a - mean_a) ** 2, (b - mean_b) ** 2) for a, b in pairs]
    product, square_a, square_b = (math.fsum(each) for each in zip(*moments, strict=True))
    return product / math.sqrt(square_a * square_b), len(pairs)


def noise(trials, bars, seed=0, gaps=0.0):
    generator = np.random.default_rng(seed)
    values = generator.standard_normal((bars, trials)) + generator.standard_normal((bars, 1))
    values[generator.random((bars, trials)) < gaps] = np.nan
    return pl.DataFrame({f"trial_{n}": values[:, n] for n in range(trials)}, nan_to_null=True).with_row_index(
        "timestamp"
    )


@settings(deadline=None, max_examples=100)
@given(columns=WIDE)
def test_pairwise_coefficients_and_counts_agree_with_plain_python(columns):
    pairs = correlations(wide(columns), min_overlap=2, window="pairwise").pairs
    expected = [by_hand(a, b) for a, b in itertools.combinations(columns, 2)]
    assert pairs["bars"].to_list() == [bars for _, bars in expected]
    for found, (wanted, _) in zip(pairs["correlation"], expected, strict=True):
        assert (found is None) == (wanted is None)
        assert found is None or found == pytest.approx(wanted, abs=1e-9)


@settings(deadline=None, max_examples=50)
@given(columns=WIDE)
def test_on_the_common_window_only_bars_that_all_trials_have_count(columns):
    complete = [bar for bar in zip(*columns, strict=True) if None not in bar]
    cut = [list(column) for column in zip(*complete, strict=True)] or [[] for _ in columns]
    common = correlations(wide(columns), min_overlap=2, window="common")
    pairwise = correlations(wide(cut), min_overlap=2, window="pairwise")
    assert common.pairs.equals(pairwise.pairs)
    assert common.matrix.equals(pairwise.matrix)


@pytest.mark.parametrize("gaps", [0.0, 0.2])
def test_coefficients_agree_with_pandas_to_nine_decimals(gaps):
    returns = noise(12, 500, gaps=gaps)
    found = correlations(returns, min_overlap=2, window="pairwise").matrix.drop("trial_id").to_numpy()
    expected = pd.DataFrame(returns.drop("timestamp").to_numpy()).corr().to_numpy()
    assert np.abs(found - expected).max() <= 5.1e-10
    assert np.array_equal(found, found.T)
    assert (found.diagonal() == 1).all()


@pytest.mark.parametrize("gaps", [0.0, 0.1])
def test_a_coefficient_depends_on_its_pair_alone_to_the_last_bit(gaps):
    returns = noise(150, 60, gaps=gaps)
    together = correlations(returns, min_overlap=2, window="pairwise").matrix
    for first, second in [(0, 1), (17, 140), (3, 149)]:
        alone = correlations(
            returns.select("timestamp", f"trial_{first}", f"trial_{second}"), min_overlap=2, window="pairwise"
        )
        assert alone.pairs["correlation"][0] == together[first, f"trial_{second}"]


def test_a_coefficient_between_two_decimals_is_settled_by_itself(monkeypatch):
    returns = noise(6, 100)
    plain = correlations(returns, min_overlap=2, window="common")
    monkeypatch.setattr("workspace_kit.analysis.correlation.PRODUCT_ERROR", 1.0)
    assert correlations(returns, min_overlap=2, window="common").matrix.equals(plain.matrix)


def test_trials_stand_in_natural_order_and_every_pair_once():
    columns = [[0.1, 0.2, 0.0], [0.3, 0.1, 0.0], [0.0, 0.2, 0.1]]
    answer = correlations(wide(columns, ["trial_10", "trial_2", "trial_1"]), min_overlap=2, window="common")
    assert answer.matrix.columns == ["trial_id", "trial_1", "trial_2", "trial_10"]
    assert answer.matrix["trial_id"].to_list() == ["trial_1", "trial_2", "trial_10"]
    assert answer.pairs.select("trial_a", "trial_b").rows() == [
        ("trial_1", "trial_2"),
        ("trial_1", "trial_10"),
        ("trial_2", "trial_10"),
    ]


def test_a_constant_series_has_no_correlation_not_even_with_itself():
    answer = correlations(
        wide([[0.1, 0.1, 0.1], [0.1, 0.2, 0.3], [0.3, 0.2, 0.1]]), min_overlap=2, window="common"
    )
    assert answer.matrix["trial_0"].to_list() == [None, None, None]
    assert answer.matrix["trial_1"].to_list() == [None, 1.0, -1.0]


def test_a_series_that_is_constant_where_it_meets_another_has_no_correlation_with_it():
    flat_there = [0.1, 0.1, 0.1, 0.7, None]
    answer = correlations(wide([flat_there, [0.1, 0.3, 0.2, None, 0.5]]), min_overlap=2, window="pairwise")
    assert answer.pairs.row(0)[2:] == (None, 3)
    assert answer.matrix["trial_0"].to_list() == [1.0, None]


def test_an_outlier_where_two_series_do_not_meet_costs_no_digits():
    first, second = [1e4, 0.1, 0.2, 0.4, 0.3], [None, 0.3, 0.1, 0.5, 0.1]
    answer = correlations(wide([first, second]), min_overlap=2, window="pairwise")
    assert answer.pairs["correlation"][0] == pytest.approx(by_hand(first, second)[0], abs=1e-9)


def test_series_that_never_meet_have_no_correlation_whatever_is_demanded():
    answer = correlations(wide([[0.1, 0.2, None], [None, None, 0.3]]), min_overlap=0, window="pairwise")
    assert answer.pairs.row(0)[2:] == (None, 0)


def test_fewer_bars_than_demanded_give_null_and_their_count():
    columns = [[0.1, 0.2, None], [0.1, 0.4, 0.3]]
    assert correlations(wide(columns), min_overlap=3, window="pairwise").pairs.row(0)[2:] == (None, 2)
    assert correlations(wide(columns), min_overlap=2, window="pairwise").pairs.row(0)[2:] == (1.0, 2)


@pytest.mark.parametrize("window", ["common", "pairwise"])
@pytest.mark.parametrize("columns", [[], [[]], [[0.1]], [[None, None], [None, None]], [[0.1], [0.2]]])
def test_hardly_any_data_give_nulls_of_the_right_shape(columns, window):
    answer = correlations(wide(columns), min_overlap=2, window=window)
    assert answer.matrix.shape == (len(columns), len(columns) + 1)
    assert answer.pairs["correlation"].null_count() == answer.pairs.height == math.comb(len(columns), 2)
    assert cluster_order(answer.matrix) == answer.matrix["trial_id"].to_list()


def test_alike_trials_become_neighbours_in_cluster_order():
    generator = np.random.default_rng(5)
    groups = generator.standard_normal((2, 300))
    columns = [(groups[n % 2] + 0.3 * generator.standard_normal(300)).tolist() for n in range(8)]
    order = cluster_order(correlations(wide(columns), min_overlap=2, window="common").matrix)
    sides = [int(name.removeprefix("trial_")) % 2 for name in order]
    assert sides in ([0] * 4 + [1] * 4, [1] * 4 + [0] * 4)
    assert sorted(order) == [f"trial_{n}" for n in range(8)]


def test_a_missing_coefficient_does_not_spoil_the_cluster_order():
    columns = [[0.1, 0.2, 0.4], [0.1, 0.1, 0.1], [0.1, 0.2, 0.5], [-0.1, -0.2, -0.4]]
    order = cluster_order(correlations(wide(columns), min_overlap=2, window="common").matrix)
    assert abs(order.index("trial_0") - order.index("trial_2")) == 1
