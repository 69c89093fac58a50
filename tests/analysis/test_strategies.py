from datetime import datetime, timedelta
from statistics import fmean, stdev

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given, settings

from workspace_kit.analysis.strategies import BUILT_IN, breakout, crossover, momentum, reversion
from workspace_kit.errors import SchemaMismatch, StrategyError
from workspace_kit.plain_yaml import load_yaml
from workspace_kit.schema import PRICES, STRATEGY_SIGNALS
from workspace_kit.workflow_file import example_text

FIRST = datetime.fromisoformat("2020-01-01")
EXAMPLES = {
    "momentum": {"lookback": 3, "threshold": 0.02},
    "crossover": {"fast": 2, "slow": 4},
    "reversion": {"window": 4, "entry": 0.517},
    "breakout": {"lookback": 3},
}


def price_frame(**closes):
    """Prices of several symbols, one row a day."""
    return PRICES.frame(
        [
            {"timestamp": FIRST + timedelta(days=bar), "symbol": symbol, "close": float(close)}
            for symbol, series in closes.items()
            for bar, close in enumerate(series)
        ]
    )


def actions(signals):
    """(day, action) of each row."""
    return [((at - FIRST).days, action) for at, action in signals.select("timestamp", "action").rows()]


def test_momentum_buys_above_the_threshold_and_sells_otherwise():
    found = momentum(price_frame(A=[100, 101, 103, 105.06, 90]), {"lookback": 2, "threshold": 0.02})
    assert actions(found) == [(2, "BUY"), (3, "BUY"), (4, "SELL")]
    level = momentum(price_frame(A=[100, 125]), {"lookback": 1, "threshold": 0.25})
    assert actions(level) == [(1, "SELL")]


def test_crossover_buys_while_the_fast_mean_is_above_the_slow_one():
    found = crossover(price_frame(A=[1, 2, 3, 3, 1, 1]), {"fast": 1, "slow": 3})
    assert actions(found) == [(2, "BUY"), (3, "BUY"), (4, "SELL"), (5, "SELL")]


def test_reversion_buys_far_below_the_mean_and_sells_back_at_it():
    found = reversion(price_frame(A=[10, 10, 10, 4, 7, 8]), {"window": 3, "entry": 1})
    # Mean 8, deviation 3.46 at bar 3: 4 is below 4.54. Then 7 is level with its mean, 8 is above it.
    assert actions(found) == [(2, "SELL"), (3, "BUY"), (4, "SELL"), (5, "SELL")]
    held = reversion(price_frame(A=[10, 10, 10, 4, 6]), {"window": 3, "entry": 1})
    assert actions(held)[-1] == (4, "HOLD")


def test_breakout_buys_new_highs_sells_new_lows_and_holds_between():
    found = breakout(price_frame(A=[5, 6, 7, 6, 7, 5, 5]), {"lookback": 2})
    assert actions(found) == [(2, "BUY"), (3, "HOLD"), (4, "HOLD"), (5, "SELL"), (6, "HOLD")]


def test_rules_are_on_or_off():
    found = breakout(price_frame(A=[5, 6, 7, 6, 7, 5, 5]), {"lookback": 2})
    assert found["strength"].to_list() == [1, 0, 0, 1, 0]


@pytest.mark.parametrize("name", BUILT_IN)
def test_flat_prices_never_buy(name):
    # Running means of 0.1, 0.1, ... after a jump are not all 0.1 in the last digit.
    flat = [1e6, *[0.1] * 30]
    found = BUILT_IN[name](price_frame(A=flat), EXAMPLES[name])
    assert "BUY" not in found["action"].to_list()[6:]


@pytest.mark.parametrize("name", BUILT_IN)
def test_symbols_do_not_touch_one_another_and_order_does_not_matter(name):
    one, two = [10, 11, 9, 12, 8, 13, 13, 14], [5, 4, 6, 3, 7, 7, 2, 8]
    both = BUILT_IN[name](
        price_frame(B=two, A=one).sample(fraction=1.0, shuffle=True, seed=1), EXAMPLES[name]
    )
    for symbol, series in {"A": one, "B": two}.items():
        alone = BUILT_IN[name](price_frame(**{symbol: series}), EXAMPLES[name])
        assert both.filter(symbol=symbol).equals(alone)
    assert both.equals(both.sort("timestamp", "symbol"))
    assert both.schema == STRATEGY_SIGNALS.types


@pytest.mark.parametrize("name", BUILT_IN)
def test_no_or_too_few_prices_give_no_signals(name):
    for series in ([], [1.0]):
        found = BUILT_IN[name](price_frame(A=series), EXAMPLES[name])
        assert found.equals(STRATEGY_SIGNALS.empty())


SERIES = st.lists(st.floats(1, 100) | st.sampled_from([10.0, 11.0]), max_size=25)


@pytest.mark.parametrize("name", BUILT_IN)
@settings(deadline=None, max_examples=25)
@given(SERIES, SERIES, st.integers(0, 25))
def test_signals_on_part_of_the_prices_are_the_first_of_those_on_all(name, one, two, length):
    prices = price_frame(A=one, B=two)
    end = FIRST + timedelta(days=length)
    whole = BUILT_IN[name](prices, EXAMPLES[name])
    part = BUILT_IN[name](prices.filter(pl.col("timestamp") < end), EXAMPLES[name])
    assert part.equals(whole.filter(pl.col("timestamp") < end))


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(50, 150), max_size=30))
def test_each_rule_equals_its_words(series):
    words = {
        "momentum": lambda past: "BUY" if past[-1] / past[-4] - 1 > 0.02 else "SELL",
        "crossover": lambda past: "BUY" if fmean(past[-2:]) > fmean(past[-4:]) else "SELL",
        "reversion": lambda past: (
            "SELL"
            if past[-1] >= fmean(past[-4:])
            else "BUY"
            if (fmean(past[-4:]) - past[-1]) / stdev(past[-4:]) > 0.517
            else "HOLD"
        ),
        "breakout": lambda past: (
            "BUY" if past[-1] > max(past[-4:-1]) else "SELL" if past[-1] < min(past[-4:-1]) else "HOLD"
        ),
    }
    for name, rule in words.items():
        expected = [(bar, rule(series[: bar + 1])) for bar in range(3, len(series))]
        assert actions(BUILT_IN[name](price_frame(A=series), EXAMPLES[name])) == expected


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("momentum", {"lookback": 3}, "parameter threshold: found lookback=3, expected exactly"),
        ("momentum", {}, "parameter lookback, threshold: found none"),
        ("momentum", {"lookback": 3, "threshold": 0.0, "window": 2}, "parameter window"),
        ("momentum", {"lookback": 0, "threshold": 0.0}, "lookback.*whole number of bars, 1 or more"),
        ("momentum", {"lookback": 2.0, "threshold": 0.0}, "whole number of bars"),
        ("momentum", {"lookback": True, "threshold": 0.0}, "whole number of bars"),
        ("momentum", {"lookback": 2, "threshold": "high"}, "threshold: found lookback=2, threshold='high'"),
        ("momentum", {"lookback": 2, "threshold": float("nan")}, "finite number"),
        ("crossover", {"fast": 5, "slow": 5}, "fast: .*fewer bars than slow, 5"),
        ("reversion", {"window": 1, "entry": 1.0}, "2 or more"),
        ("reversion", {"window": 5, "entry": 0.0}, "finite number above 0"),
        ("breakout", {"lookback": None}, "lookback=None"),
    ],
)
def test_parameters_that_cannot_be_meant_are_named(name, parameters, message):
    with pytest.raises(StrategyError, match=f"strategy {name}.*{message}"):
        BUILT_IN[name](price_frame(A=[1, 2, 3]), parameters)


def test_prices_without_a_close_are_refused():
    with pytest.raises(SchemaMismatch, match="'close' is missing"):
        momentum(price_frame(A=[1]).drop("close"), EXAMPLES["momentum"])


def test_the_packaged_example_names_every_rule_with_parameters_it_takes():
    strategies = load_yaml(example_text(), where="example")["strategies"]
    assert {strategy["function"] for strategy in strategies} == set(BUILT_IN)
    for strategy in strategies:
        first = {name: values[0] for name, values in strategy["parameters"].items()}
        assert len(BUILT_IN[strategy["function"]](price_frame(A=range(1, 20)), first)) > 5
