"""What moves with the benchmark, and how."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workspace_kit.analysis.relative import NAMES, against_benchmark


def against(mine, theirs, rate=0.0):
    pairs = pl.DataFrame({"return": mine, "benchmark": theirs}, schema_overrides={"benchmark": pl.Float64})
    return against_benchmark(pairs, periods_per_year=12, risk_free_rate=rate)


@settings(deadline=None, max_examples=50)
@given(beta=st.floats(-2.0, 2.0), alpha=st.floats(-0.02, 0.02), seed=st.integers(0, 999))
def test_a_line_gives_back_its_slope_and_height(beta, alpha, seed):
    theirs = np.random.default_rng(seed).normal(0.01, 0.04, 60)
    found = against(alpha + beta * theirs, theirs)
    assert found["beta"] == pytest.approx(beta, abs=1e-9)
    assert found["alpha"] == pytest.approx(12 * alpha, abs=1e-9)


def test_the_benchmark_against_itself_is_one_and_nothing():
    theirs = [0.01, -0.02, 0.03, 0.0, 0.01]
    found = against(theirs, theirs)
    assert (found["beta"], found["up_capture"], found["down_capture"]) == pytest.approx((1.0, 1.0, 1.0))
    assert (found["tracking_error"], found["information_ratio"]) == (0.0, None)


def test_captures_are_means_over_rising_and_falling_bars():
    found = against([0.02, -0.01, 0.01], [0.01, -0.02, 0.03])
    assert found["up_capture"] == pytest.approx(0.015 / 0.02)
    assert found["down_capture"] == pytest.approx(0.5)


@pytest.mark.parametrize("theirs", [[0.01] * 5, [None] * 5, [0.01, None, None, None, 0.02]])
def test_a_benchmark_that_stands_still_or_is_missing_has_nothing_to_say(theirs):
    assert against([0.01, 0.02, 0.0, -0.01, 0.03], theirs) == dict.fromkeys(NAMES)
