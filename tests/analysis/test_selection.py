import itertools
import json

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workspace_kit.analysis.selection import best_parameters, best_trial
from workspace_kit.config import Minimum
from workspace_kit.schema import BEAR, BULL, METRIC_NAMES, NEUTRAL, NUMBER, REGIMES, TABLES, WINNER_FACTS

LOW = Minimum(bars=1, episodes=1, trades=1)
TRIALS = {
    "trial_id": pl.String(),
    "strategy": pl.String(),
    "parameters": pl.String(),
    "status": pl.String(),
    "trades": pl.Int64(),
    **dict.fromkeys(METRIC_NAMES, NUMBER),
}


def trial(number, sharpe, *, strategy="momentum", status="ok", trades=20, drawdown=-0.1, **parameters):
    return {
        "trial_id": f"trial_{number}",
        "strategy": strategy,
        "parameters": json.dumps(parameters),
        "status": status,
        "trades": trades,
        "sharpe_ratio": sharpe,
        "max_drawdown": drawdown,
    }


def inside(number, regime, sharpe, *, strategy="momentum", bars=100, episodes=5, trades=20, drawdown=-0.1):
    return {
        "workspace": "workflow_1",
        "trial_id": f"trial_{number}",
        "strategy": strategy,
        "regime": regime,
        "bars": bars,
        "episodes": episodes,
        "trades": trades,
        "sharpe_ratio": sharpe,
        "max_drawdown": drawdown,
    }


def trials_frame(rows):
    return pl.DataFrame(rows, schema=TRIALS)


def ask(regime_rows, trial_rows, *, minimum=LOW, minimum_bars=1, interval=None):
    return best_parameters(
        TABLES["performance_by_regime"].frame(regime_rows),
        trials_frame(trial_rows),
        metric="sharpe_ratio",
        minimum_bars=minimum_bars,
        minimum=minimum,
        interval=interval,
    )


def best_id(rows):
    best = best_trial(trials_frame(rows), metric="sharpe_ratio")
    return best and best["trial_id"]


def test_the_best_trial_is_the_one_with_the_highest_metric():
    best = best_trial(
        trials_frame([trial(0, 0.5, lookback=3), trial(1, 0.7, lookback=6)]), metric="sharpe_ratio"
    )
    assert (best["trial_id"], best["parameters"], best["sharpe_ratio"]) == ("trial_1", {"lookback": 6}, 0.7)


def test_of_equal_metrics_more_trades_win_then_less_drawdown_then_smaller_parameters_then_the_lower_number():
    assert best_id([trial(0, 1.0, trades=5), trial(1, 1.0, trades=6)]) == "trial_1"
    assert best_id([trial(0, 1.0, drawdown=-0.2), trial(1, 1.0, drawdown=-0.1)]) == "trial_1"
    assert best_id([trial(0, 1.0, drawdown=None), trial(1, 1.0, drawdown=-0.9)]) == "trial_1"
    assert best_id([trial(0, 1.0, lookback=10), trial(1, 1.0, lookback=9)]) == "trial_1"
    assert best_id([trial(0, 1.0, kind="b"), trial(1, 1.0, kind="a")]) == "trial_1"
    assert best_id([trial(10, 1.0), trial(9, 1.0)]) == "trial_9"


def test_more_trades_never_beat_a_higher_metric():
    assert best_id([trial(0, 1.0, trades=500, drawdown=-0.01), trial(1, 1.0001)]) == "trial_1"


@pytest.mark.parametrize("spoilt", [{"trades": 0}, {"status": "failed"}])
def test_a_trial_without_trades_or_that_failed_is_never_best(spoilt):
    assert best_id([trial(0, 9.0, **spoilt), trial(1, 0.1)]) == "trial_1"
    assert best_id([trial(0, 9.0, **spoilt)]) is None


@pytest.mark.parametrize("missing", [None, float("nan"), float("inf")])
def test_a_metric_that_does_not_exist_is_never_best(missing):
    assert best_id([trial(0, missing), trial(1, -5.0)]) == "trial_1"


def test_a_trial_of_another_program_counts_though_it_tells_no_status_nor_trades():
    assert best_id([trial(0, 1.0, status=None, trades=None)]) == "trial_0"


def test_nothing_tried_has_no_best():
    assert best_id([]) is None


def test_smaller_drawdowns_are_better_drawdowns():
    rows = [trial(0, 1.0, drawdown=-0.5), trial(1, 0.0, drawdown=-0.1)]
    assert best_trial(trials_frame(rows), metric="max_drawdown")["trial_id"] == "trial_1"


@settings(deadline=None, max_examples=30)
@given(
    sharpes=st.lists(st.sampled_from([None, -1.0, 0.0, 1.0]), min_size=1, max_size=6),
    trades=st.lists(st.integers(0, 2), min_size=6, max_size=6),
    data=st.data(),
)
def test_the_order_of_the_rows_does_not_matter(sharpes, trades, data):
    rows = [trial(n, sharpe, trades=trades[n], lookback=n % 3) for n, sharpe in enumerate(sharpes)]
    shuffled = data.draw(st.permutations(rows))
    assert best_id(rows) == best_id(shuffled)


def test_each_regime_has_its_own_winner_over_all_and_for_each_strategy():
    trials = [
        trial(0, 1.0, lookback=3),
        trial(1, 0.5, lookback=6),
        trial(2, 0.2, strategy="crossover", fast=2),
    ]
    rows = [
        *(inside(0, BULL, 2.0), inside(1, BULL, 1.0), inside(2, BULL, 0.5, strategy="crossover")),
        *(inside(0, BEAR, -1.0), inside(1, BEAR, 0.1), inside(2, BEAR, 0.4, strategy="crossover")),
        *(inside(0, NEUTRAL, 0.1), inside(1, NEUTRAL, 0.3), inside(2, NEUTRAL, 0.2, strategy="crossover")),
    ]
    answer = ask(rows, trials)
    overall, momentum = answer["regime_optimal_params"], answer["by_strategy"]["momentum"]
    assert [overall[regime]["trial_id"] for regime in (BULL, BEAR, NEUTRAL)] == [
        "trial_0",
        "trial_2",
        "trial_1",
    ]
    assert [momentum[regime]["trial_id"] for regime in (BULL, BEAR, NEUTRAL)] == [
        "trial_0",
        "trial_1",
        "trial_1",
    ]
    assert list(answer["by_strategy"]) == ["crossover", "momentum"]
    assert overall[BEAR] == {
        "fast": 2,
        "performance": 0.4,
        "strategy": "crossover",
        "trial_id": "trial_2",
        "metric": "sharpe_ratio",
        "bars": 100,
        "episodes": 5,
        "trades": 20,
        "interval": None,
        "plateau_score": 0.4,
        "edge_of_grid": False,
        "fallback_reason": None,
    }


def test_every_fact_of_an_entry_is_a_name_that_parameters_may_not_take():
    entry = ask([inside(0, BULL, 1.0)], [trial(0, 1.0)])["regime_optimal_params"][BULL]
    assert set(entry) <= set(WINNER_FACTS)


@pytest.mark.parametrize(
    ("few", "demanded"),
    [({"bars": 11}, "12 bars"), ({"episodes": 1}, "2 episodes"), ({"trades": 9}, "10 closed trades")],
)
def test_too_few_observations_fall_back_to_the_best_over_all_of_train_and_say_why(few, demanded):
    rows = [inside(0, BULL, 9.0, **few), inside(1, BULL, 5.0, **few)]
    trials = [trial(0, 0.5, lookback=3), trial(1, 0.8, lookback=6)]
    entry = ask(rows, trials, minimum=Minimum(), minimum_bars=12)["regime_optimal_params"][BULL]
    (name, count), *_ = few.items()
    assert (entry["trial_id"], entry["lookback"], entry["performance"]) == ("trial_1", 6, None)
    assert entry[name] == count
    assert demanded in entry["fallback_reason"]
    assert f"{count} {name}" in entry["fallback_reason"]
    assert "sharpe_ratio 0.8" in entry["fallback_reason"]


def test_exactly_the_observations_demanded_are_enough():
    rows = [inside(0, BULL, 1.0, bars=12, episodes=2, trades=10)]
    answer = ask(rows, [trial(0, 0.5)], minimum=Minimum(), minimum_bars=12)
    assert answer["regime_optimal_params"][BULL]["fallback_reason"] is None


def test_a_trial_with_too_few_trades_does_not_stand_in_the_way_of_one_with_enough():
    rows = [inside(0, BULL, 9.0, trades=2), inside(1, BULL, 1.0)]
    answer = ask(rows, [trial(0, 0.5), trial(1, 0.4)], minimum=Minimum(), minimum_bars=12)
    assert answer["regime_optimal_params"][BULL]["trial_id"] == "trial_1"


def test_a_strategy_falls_back_to_its_own_best():
    trials = [trial(0, 0.9), trial(1, 0.1, strategy="crossover")]
    answer = ask([], trials)
    assert answer["by_strategy"]["crossover"][BEAR]["trial_id"] == "trial_1"
    assert answer["regime_optimal_params"][BEAR]["trial_id"] == "trial_0"


def test_a_trial_that_failed_wins_no_regime():
    rows = [inside(0, BULL, 9.0), inside(1, BULL, 0.1)]
    answer = ask(rows, [trial(0, 9.0, status="failed"), trial(1, 0.1)])
    assert answer["regime_optimal_params"][BULL]["trial_id"] == "trial_1"


@pytest.mark.parametrize("trials", [[], [trial(0, None)], [trial(0, None, status="failed")]])
def test_where_nothing_can_be_best_the_entries_are_nulls_with_the_reason(trials):
    rows = [inside(0, regime, None) for regime in REGIMES]
    answer = ask(rows if trials else [], trials)
    for entry in answer["regime_optimal_params"].values():
        assert entry["metric"] == "sharpe_ratio"
        assert "no trial has a sharpe_ratio" in entry["fallback_reason"]
        assert {value for name, value in entry.items() if name not in {"metric", "fallback_reason"}} == {None}


def test_a_trial_without_a_strategy_competes_but_has_no_place_by_strategy():
    answer = ask([inside(0, BULL, 1.0, strategy=None)], [trial(0, 1.0, strategy=None, lookback=3)])
    assert answer["regime_optimal_params"][BULL]["lookback"] == 3
    assert answer["by_strategy"] == {}


def grid(metric_of):
    points = list(itertools.product([3, 6, 9], [0.0, 0.02, 0.05]))
    trials = [trial(n, 0.0, lookback=a, threshold=b) for n, (a, b) in enumerate(points)]
    rows = [inside(n, BULL, metric_of(a, b)) for n, (a, b) in enumerate(points)]
    return ask(rows, trials)["regime_optimal_params"][BULL]


def test_the_plateau_score_is_the_mean_over_the_cross_of_grid_neighbours():
    values = {(6, 0.02): 5.0, (3, 0.02): 1.0, (9, 0.02): 2.0, (6, 0.0): 3.0, (6, 0.05): 4.0}
    entry = grid(lambda a, b: values.get((a, b), -100.0))
    assert entry["plateau_score"] == pytest.approx((5 + 1 + 2 + 3 + 4) / 5)
    assert entry["edge_of_grid"] is False


def test_at_the_corner_of_the_grid_the_plateau_has_two_neighbours_and_the_edge_is_flagged():
    entry = grid(lambda a, b: {(3, 0.0): 9.0, (6, 0.0): 3.0, (3, 0.02): 6.0}.get((a, b), -100.0))
    assert entry["plateau_score"] == pytest.approx(6.0)
    assert entry["edge_of_grid"] is True


def test_a_neighbour_without_a_metric_is_left_out_of_the_plateau():
    values = {(6, 0.02): 5.0, (3, 0.02): 1.0}
    assert grid(lambda a, b: values.get((a, b)))["plateau_score"] == pytest.approx(3.0)


def test_a_failed_trial_still_marks_where_the_grid_ends():
    trials = [
        trial(0, 1.0, lookback=3),
        trial(1, 2.0, lookback=6),
        trial(2, None, status="failed", lookback=9),
    ]
    entry = ask([inside(1, BULL, 2.0)], trials)["regime_optimal_params"][BULL]
    assert (entry["lookback"], entry["edge_of_grid"]) == (6, False)


def test_one_value_and_what_is_no_number_have_no_edge():
    trials = [
        trial(n, 1.0, lookback=3, fast=flag, kind=kind)
        for n, (flag, kind) in enumerate([(True, "a"), (False, "b")])
    ]
    entry = ask([inside(0, BULL, 1.0)], trials)["regime_optimal_params"][BULL]
    assert (entry["edge_of_grid"], entry["plateau_score"]) == (False, 1.0)


def test_the_interval_is_asked_for_the_winner_only():
    asked = []

    def interval(trial_id, regime):
        asked.append((trial_id, regime))
        return (-0.5, 1.5)

    answer = ask(
        [inside(0, BULL, 1.0), inside(1, BULL, 2.0)], [trial(0, 1.0), trial(1, 2.0)], interval=interval
    )
    assert answer["regime_optimal_params"][BULL]["interval"] == [-0.5, 1.5]
    assert answer["regime_optimal_params"][BEAR]["interval"] is None
    assert set(asked) == {("trial_1", BULL)}


def test_the_answer_can_be_written_as_json():
    answer = ask([inside(0, BULL, 1.0)], [trial(0, 1.0, lookback=3, kind=None)])
    assert json.loads(json.dumps(answer, allow_nan=False)) == answer
