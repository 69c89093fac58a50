"""The questions researchers ask of a sweep: effect, stability, plateau, likeness, falls, exposure, change."""

import datetime as dt
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.views.conftest import Open, write
from workspace_kit.views import Catalog

START = dt.datetime(2020, 1, 1)
DAY = dt.timedelta(days=1)
Row = dict[str, object]


def trial(number: int, **values: object) -> Row:
    told = {"workspace": "w", "kind": "trial", "period": "train", "status": "ok", "trades": 10}
    return {**told, "trial_id": f"trial_{number}", "strategy": "m", "parameters": "{}", **values}


def score(number: int, value: float | None, *, period: str = "train", name: str = "sharpe_ratio") -> Row:
    return {"workspace": "w", "trial_id": f"trial_{number}", "period": period, "name": name, "value": value}


def setting(number: int, name: str, value: str) -> Row:
    return {"workspace": "w", "trial_id": f"trial_{number}", "name": name, "value": value}


def test_the_effect_of_a_parameter_is_over_all_trials_that_have_its_value(open_over: Open) -> None:
    catalog = open_over(
        performance=[trial(n) for n in range(4)] + [trial(4, status="failed")],
        metrics=[score(n, value) for n, value in enumerate((1.0, 2.0, 4.0, None, 9.0))],
        parameters=[
            *(setting(n, "lookback", "10" if n < 2 else "9") for n in range(5)),
            setting(1, "mode", '"fast"'),
            setting(2, "lookback2", "1"),
            setting(3, "lookback2", "1.0"),
        ],
    )
    rows = catalog.answer("parameter_effect").drop("workspace", "strategy").rows()
    assert rows == [
        ("lookback", "9.0", 1, 4.0, 4.0, 4.0),
        ("lookback", "10.0", 2, 1.5, 2.0, 1.0),
        ("lookback2", "1.0", 1, 4.0, 4.0, 4.0),
        ("mode", '"fast"', 1, 2.0, 2.0, 2.0),
    ]
    assert catalog.answer("parameter_effect", {"metric": "cagr"}).is_empty()


def test_a_strategy_counts_all_its_trials_and_ranks_those_that_have_the_metric(open_over: Open) -> None:
    catalog = open_over(
        performance=[
            trial(10),
            trial(9),
            trial(2, status="failed"),
            trial(3),
            trial(4, strategy="other"),
            trial(9, period="select"),
            trial(5, kind="ensemble"),
        ],
        metrics=[
            score(10, 2.0),
            score(9, 2.0),
            score(2, 9.0),
            score(3, -1.0),
            score(9, 8.0, period="select"),
        ],
    )
    assert catalog.answer("strategy_table").drop("workspace").rows() == [
        ("m", 4, 1, "trial_9", 2.0, 2.0, -1.0, 2),
        ("other", 1, 0, None, None, None, None, 0),
    ]


def test_leaders_on_train_are_placed_again_on_select(open_over: Open) -> None:
    train, select = (3.0, 2.0, 1.0, 5.0, None), (0.5, 2.5, 1.0, None, 7.0)
    catalog = open_over(
        performance=[trial(n, period=period) for n in range(5) for period in ("train", "select")],
        metrics=[
            score(n, value, period=period)
            for period, values in (("train", train), ("select", select))
            for n, value in enumerate(values)
        ],
    )
    rows = catalog.answer("train_against_select", {"most": 2}).select(
        "trial_id", "place_on_train", "place_on_select", "trials", "change"
    )
    assert rows.rows() == [("trial_0", 1, 3, 3, -2.5), ("trial_1", 2, 1, 3, 0.5)]


def test_neighbours_differ_from_the_best_in_exactly_one_parameter(open_over: Open) -> None:
    grid = {0: ("1", "5"), 1: ("1.0", "6"), 2: ("2", "5"), 3: ("2", "6"), 4: ("1", "5.0")}
    catalog = open_over(
        performance=[trial(n) for n in (*grid, 5, 6)],
        metrics=[score(n, 10.0 - n) for n in (*grid, 5, 6)],
        parameters=[each for n, (a, b) in grid.items() for each in (setting(n, "a", a), setting(n, "b", b))]
        + [setting(5, "a", "3")]
        + [setting(6, name, "7") for name in "abc"],
    )
    rows = catalog.answer("best_neighbours").select("best_trial", "name", "trial_id", "setting", "change")
    assert rows.rows() == [("trial_0", "a", "trial_2", "2", -2.0), ("trial_0", "b", "trial_1", "6", -1.0)]


def test_the_most_alike_trials_come_first_and_none_beside_itself(open_over: Open) -> None:
    pairs = {("trial_0", "trial_0"): 1.0, ("trial_0", "trial_1"): 0.95, ("trial_0", "trial_2"): 0.5}
    catalog = open_over(
        performance=[trial(0), trial(0, period="select"), trial(1, strategy="n")],
        correlations=[
            {"workspace": "w", "kind": "returns", "trial_a": a, "trial_b": b, "correlation": value, "bars": 9}
            for (a, b), value in pairs.items()
        ],
    )
    rows = catalog.answer("alike_trials").rows()
    assert rows == [("w", "returns", "trial_0", "m", "trial_1", "n", 0.95, 9)]
    assert catalog.answer("alike_trials", {"lowest": -1.0})["correlation"].to_list() == [0.95, 0.5]
    assert catalog.answer("alike_trials", {"lowest": -1.0, "most": 1}).height == 1


def falls(returns: list[float]) -> list[tuple[float, int, int, int | None]]:
    """Depth, bar of the bottom, bars below and bar of recovery of each fall, by a plain walk."""
    found, wealth, peak, depth, bottom, below = [], 1.0, 1.0, 0.0, 0, 0
    for bar, each in enumerate(returns):
        wealth = wealth * (1 + each) if each > -1 and wealth else 0.0
        if wealth / peak - 1 < -1e-9:
            below += 1
            if wealth / peak - 1 < depth - 1e-12:
                depth, bottom = wealth / peak - 1, bar
        else:
            if below:
                found.append((depth, bottom, below, bar))
            peak, depth, below = max(peak, wealth), 0.0, 0
    return [*found, (depth, bottom, below, None)] if below else found


@settings(deadline=None, max_examples=40)
@given(st.lists(st.sampled_from([0.1, 0.25, -0.2, -0.1, 0.0, 0.03, -0.5, -1.0]), min_size=1, max_size=30))
def test_falls_are_those_of_a_walk_along_the_series(returns: list[float]) -> None:
    rows = [
        {"workspace": "w", "series": "s", "timestamp": START + bar * DAY, "return": each}
        for bar, each in enumerate(returns)
    ]
    with tempfile.TemporaryDirectory() as name:
        parts = {"returns": [write(Path(name), "returns", rows[::-1])]}
        with Catalog(parts, scratch=Path(name), workspaces=None) as catalog:
            told = catalog.answer("drawdowns", {"most": 100, "deepest": 0.0})
    expected = sorted(falls(returns), key=lambda fall: fall[3] or 99)
    told = told.sort("recovered_at", nulls_last=True)
    assert told["depth"].to_list() == pytest.approx([depth for depth, *_ in expected])
    assert told["bars"].to_list() == [below for _, _, below, _ in expected]
    assert told["recovered_at"].to_list() == [
        None if bar is None else START + bar * DAY for *_, bar in expected
    ]


def test_only_the_deepest_falls_are_told_with_peak_and_bottom(open_over: Open) -> None:
    returns = [0.1, -0.2, -0.1, 0.5, -0.01, 0.2, -0.5]
    catalog = open_over(
        returns=[
            {"workspace": "w", "series": "s", "timestamp": START + n * DAY, "return": each}
            for n, each in enumerate(returns)
        ]
    )
    rows = catalog.answer("drawdowns").drop("workspace", "series", "depth").rows()
    assert rows == [
        (START + 5 * DAY, START + 6 * DAY, None, 1),
        (START, START + 2 * DAY, START + 3 * DAY, 2),
    ]


def test_months_compound_their_bars_and_go_on_from_the_first(open_over: Open) -> None:
    bars = [(30, 0.1), (31, 0.1), (32, -0.5), (61, 0.2), (95, -1.0), (96, 3.0)]
    catalog = open_over(
        returns=[
            {"workspace": "w", "series": "s", "timestamp": START + n * DAY, "return": each}
            for n, each in bars
        ]
    )
    rows = catalog.answer("monthly_returns").drop("workspace", "series").rows()
    assert [(month.month, count) for month, count, _, _ in rows] == [(1, 1), (2, 2), (3, 1), (4, 2)]
    assert [each for *_, each, _ in rows] == pytest.approx([0.1, -0.45, 0.2, -1])
    assert [each for *_, each in rows] == pytest.approx([0.1, -0.395, -0.274, -1])


def test_exposure_is_the_share_of_time_between_signals_and_hold_keeps_what_was(open_over: Open) -> None:
    signals = [("HOLD", 0), ("BUY", 1), ("HOLD", 2), ("SELL", 5), ("SELL", 6), ("BUY", 10)]
    row = {"workspace": "w", "trial_id": "trial_0"}
    catalog = open_over(
        signals=[{**row, "symbol": "A", "action": a, "timestamp": START + n * DAY} for a, n in signals]
        + [{**row, "symbol": "B", "action": "BUY", "timestamp": START}]
    )
    assert catalog.answer("exposure_by_symbol").drop("workspace", "trial_id").rows() == [
        ("A", 6, 3, 0.4, 0.5, START, START + 10 * DAY),
        ("B", 1, 1, None, None, START, START),
    ]


def test_the_busiest_trials_come_first_and_those_without_a_trade_not_at_all(open_over: Open) -> None:
    year = {"period_start": START, "period_end": START + 1461 * DAY}
    catalog = open_over(
        performance=[
            trial(0, trades=4, **year),
            trial(1, trades=40, **year),
            trial(2, trades=0, **year),
            trial(3, trades=5),
        ],
        metrics=[score(1, 1.5, name="profit_factor"), score(1, 9.0, name="profit_factor", period="select")],
    )
    rows = catalog.answer("trading_activity").select("trial_id", "trades_per_year", "profit_factor")
    assert rows.rows() == [("trial_1", 10.0, 1.5), ("trial_0", 1.0, None)]


def test_the_chosen_are_set_against_buying_and_holding(open_over: Open) -> None:
    sharpe = {"buy_and_hold": 1.0, "ensemble": 1.5, "best_single": None}
    catalog = open_over(
        validations=[
            {"workspace": "w", "candidate": name, "sharpe_ratio": value, "total_return": 0.5, "looks": 2}
            for name, value in sharpe.items()
        ]
        + [{"workspace": "v", "candidate": "ensemble", "sharpe_ratio": 1.0}]
    )
    rows = catalog.answer("chosen_on_test").select("workspace", "candidate", "excess_sharpe", "excess_return")
    assert rows.rows() == [
        ("v", "ensemble", None, None),
        ("w", "ensemble", 0.5, 0.0),
        ("w", "buy_and_hold", 0.0, 0.0),
        ("w", "best_single", None, 0.0),
    ]


def test_the_leaders_of_a_regime_rest_on_enough_bars_and_trades(open_over: Open) -> None:
    bars = {0: (1.0, 50, 9), 1: (3.0, 4, 9), 2: (2.0, 50, 0), 3: (0.5, None, None)}
    catalog = open_over(
        performance=[trial(n, parameters=f'{{"n": {n}}}') for n in bars],
        performance_by_regime=[
            {
                "workspace": "w",
                "trial_id": f"trial_{n}",
                "regime": "bull_market",
                "sharpe_ratio": value,
                "bars": count,
                "trades": trades,
            }
            for n, (value, count, trades) in bars.items()
        ],
    )
    asked = {"most": 2, "fewest_bars": 10}
    rows = catalog.answer("regime_leaders", asked).select("place", "trial_id", "parameters")
    assert rows.rows() == [(1, "trial_0", '{"n": 0}'), (2, "trial_3", '{"n": 3}')]


def test_what_changed_is_counted_since_an_instant_or_in_the_last_day(open_over: Open) -> None:
    files = [
        ("a", "trial", 0),
        ("a", "trial", 10),
        ("a", "config", 0),
        ("b", "trial", 9.5),
        ("c", "trial", 1),
    ]
    catalog = open_over(
        files=[
            {"workspace": w, "kind": kind, "bytes": 5, "modified_at": START + days * DAY}
            for w, kind, days in files
        ]
    )
    assert catalog.answer("recent_changes").rows() == [
        ("a", "trial", 1, 2, 5, START + 10 * DAY, START + 10 * DAY),
        ("b", "trial", 1, 1, 5, START + 9.5 * DAY, START + 9.5 * DAY),
    ]
    since = catalog.answer("recent_changes", {"since": "2020-01-02"})
    assert since["workspace"].to_list() == ["a", "b", "c"]
    assert catalog.answer("recent_changes", {"since": "2021-01-01"}).is_empty()


@pytest.mark.parametrize(
    ("since", "changed"), [("12:00", 0), ("12:00Z", 0), ("12:00+02:00", 1), ("09:00-02:00", 0)]
)
def test_an_instant_with_an_offset_is_that_instant_and_one_without_is_in_utc(
    since: str, changed: int, open_over: Open
) -> None:
    at = dt.datetime(2020, 1, 1, 10, 30)
    catalog = open_over(files=[{"workspace": "a", "kind": "trial", "bytes": 5, "modified_at": at}])
    assert catalog.answer("recent_changes", {"since": f"2020-01-01 {since}"}).height == changed


def test_signals_of_one_instant_are_counted_alike_in_whatever_order_they_lie(open_over: Open) -> None:
    row = {"workspace": "w", "trial_id": "trial_0", "symbol": "A", "strength": 1.0}
    signals = [
        {**row, "action": action, "timestamp": START + day * DAY}
        for action, day in [("SELL", 0), ("BUY", 1), ("SELL", 1), ("BUY", 2), ("SELL", 2), ("BUY", 3)]
    ]
    told = [open_over(signals=some).answer("exposure_by_symbol") for some in (signals, signals[::-1])]
    assert told[0].equals(told[1])
