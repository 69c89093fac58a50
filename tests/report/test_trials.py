import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from workspace_kit.report.trials import clusters, first_period, metric_values, surfaces, train_and_select
from workspace_kit.schema import SELECT, TABLES, TRAIN


def one_strategy(story, parameters, scores):
    """Return the story with trials of one strategy, given parameters and Sharpe ratios."""
    performance = [
        {
            "workspace": "w",
            "trial_id": f"trial_{at}",
            "kind": "trial",
            "period": TRAIN,
            "status": "ok",
            "strategy": "s",
            "parameters": json.dumps(of),
            "sharpe_ratio": score,
        }
        for at, (of, score) in enumerate(zip(parameters, scores, strict=True))
    ]
    settings = [
        {"workspace": "w", "trial_id": f"trial_{at}", "name": name, "value": json.dumps(value)}
        for at, of in enumerate(parameters)
        for name, value in of.items()
    ]
    tables = {
        "performance": TABLES["performance"].frame(performance),
        "parameters": TABLES["parameters"].frame(settings),
    }
    return replace(story, tables=tables)


def test_a_metric_without_a_column_is_found_among_all_metrics(story):
    found = metric_values(story, metric="sortino_ratio", period=TRAIN)
    assert found.height == 38 + 287
    assert found["value"].null_count() == 0


def test_failed_trials_have_no_value(story):
    failed = story.table("performance").with_columns(pl.lit("failed").alias("status"))
    assert (
        metric_values(
            replace(story, tables={"performance": failed}), metric="sharpe_ratio", period=TRAIN
        ).height
        == 0
    )


def test_train_goes_before_any_other_period(story, foreign_story, empty_story):
    assert first_period(story) == TRAIN
    assert first_period(foreign_story) == "all"
    assert first_period(empty_story) is None


def test_a_pair_needs_both_periods(story):
    only_select = story.table("performance").filter(
        (pl.col("period") == SELECT) | (pl.col("trial_id") == "trial_3")
    )
    pairs = train_and_select(replace(story, tables={"performance": only_select}), metric="sharpe_ratio")
    assert pairs["trial_id"].to_list() == ["trial_3"]


def test_a_surface_has_a_cell_for_each_pair_and_outlines_the_best(story):
    grid = [{"fast": fast, "slow": slow} for fast in (1, 2, 3) for slow in (10, 20)]
    (surface,) = surfaces(one_strategy(story, grid, [0.1, 0.2, 0.9, 0.4, 0.5, 0.6]))
    assert (surface.x, surface.xs, surface.y, surface.ys) == ("fast", (1, 2, 3), "slow", (10, 20))
    assert surface.cells().tolist() == [[0.1, 0.9, 0.5], [0.2, 0.4, 0.6]]
    assert surface.best == (0, 1)
    assert surface.edges == ("slow",)
    assert not surface.is_sparse


def test_a_third_parameter_is_averaged_over_and_named(story):
    grid = [{"a": a, "b": b, "c": c} for a in (1, 2, 3) for b in (1, 2, 3) for c in (0, 1)]
    (surface,) = surfaces(one_strategy(story, grid, [float(at) for at in range(18)]))
    assert surface.others == ("c",)
    assert surface.cells()[0, 0] == pytest.approx(0.5)


def test_random_draws_make_a_sparse_surface(story):
    rng = np.random.default_rng(3)
    draws = [{"a": float(a), "b": float(b)} for a, b in rng.uniform(size=(60, 2))]
    (surface,) = surfaces(one_strategy(story, draws, rng.normal(size=60).tolist()))
    assert surface.is_sparse
    assert len(surface.means) == 60


@pytest.mark.parametrize("value", ["text", None, True, [1, 2], {"a": 1}])
def test_a_parameter_that_is_no_number_makes_no_surface(story, value):
    assert surfaces(one_strategy(story, [{"a": value}, {"a": value}], [0.1, 0.2])) == []


def test_a_parameter_that_some_trials_lack_is_left_out(story):
    (surface,) = surfaces(
        one_strategy(story, [{"a": 1, "b": 1}, {"a": 2, "b": 2}, {"a": 3}], [0.1, 0.2, 0.3])
    )
    assert (surface.x, surface.y) == ("a", None)


def test_trials_without_a_strategy_share_a_surface(foreign_story):
    (surface,) = surfaces(foreign_story)
    assert surface.strategy == "unnamed strategy"


def pairs_of(rows):
    return TABLES["correlations"].frame(
        [
            {"workspace": "w", "kind": "returns", "trial_a": a, "trial_b": b, "correlation": value, "bars": 9}
            for a, b, value in rows
        ]
    )


def test_trials_that_move_together_stand_together():
    rows = [
        ("trial_0", "trial_1", 0.0),
        ("trial_0", "trial_2", 0.95),
        ("trial_0", "trial_3", 0.1),
        ("trial_1", "trial_2", 0.05),
        ("trial_1", "trial_3", 0.9),
        ("trial_2", "trial_3", 0.0),
    ]
    found = clusters(pairs_of(rows))
    assert {frozenset(found.trials[:2]), frozenset(found.trials[2:])} == {
        frozenset({"trial_0", "trial_2"}),
        frozenset({"trial_1", "trial_3"}),
    }
    assert (found.matrix == found.matrix.T).all()
    assert found.matrix[0, 1] in {0.9, 0.95}


def test_a_pair_without_a_correlation_stays_unknown():
    found = clusters(pairs_of([("a", "b", None), ("a", "c", 0.5), ("b", "c", 0.5)]))
    at = {trial: place for place, trial in enumerate(found.trials)}
    assert np.isnan(found.matrix[at["a"], at["b"]])


def test_no_pairs_make_no_clusters():
    assert clusters(TABLES["correlations"].empty()).trials == ()
