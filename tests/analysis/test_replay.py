from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings

from workspace_kit.analysis.measures import sharpe_ratio
from workspace_kit.analysis.replay import Bars, bars, buy_and_hold, changes, dense, replay, targets
from workspace_kit.config import Execution
from workspace_kit.errors import LookAheadError, PriceError, SchemaMismatch, SignalConflict, UsageError
from workspace_kit.schema import STRATEGY_SIGNALS

FIRST = datetime(2020, 1, 1)
FREE = Execution(cost_bps=0)
ONE_PERCENT = Execution(cost_bps=100)


def day(number):
    return FIRST + timedelta(days=number)


def price_frame(closes, opens=None, symbols="ABC"):
    """Long frame of rows of closes, one row a day, None where there is no price."""
    rows = [
        {"timestamp": day(bar), "symbol": symbols[place], "close": close}
        | ({} if opens is None else {"open": opens[bar][place]})
        for bar, row in enumerate(closes)
        for place, close in enumerate(row)
        if close is not None
    ]
    schema = {"timestamp": pl.Datetime("us"), "symbol": pl.String, "close": pl.Float64}
    return pl.DataFrame(rows, schema=schema | ({} if opens is None else {"open": pl.Float64}))


def make_bars(closes, opens=None):
    """Bars of a table of closes, with every row a bar even where no symbol has a price."""
    table = np.array([[np.nan if price is None else price for price in row] for row in closes], dtype=float)
    more = None if opens is None else np.where(np.isnan(table), np.nan, np.array(opens, dtype=float))
    stamps = pl.Series([day(bar) for bar in range(len(closes))], dtype=pl.Datetime("us"))
    return Bars(stamps, tuple("ABC"[: table.shape[1]]), table, more)


def signal_frame(*rows):
    """Signals from (day, symbol, action[, strength])."""
    full = [
        {"timestamp": day(at), "symbol": symbol, "action": action, "strength": (*rest, 1.0)[0]}
        for at, symbol, action, *rest in rows
    ]
    return STRATEGY_SIGNALS.frame(full)


def weights(signals, on, **execution):
    return targets(signals, on, execution=Execution(**execution), on_duplicate="error").values


def column(*values):
    return np.array(values, dtype=float)[:, None]


def returns(targets_, on, **execution):
    return replay(targets_, on, execution=Execution(**execution)).bars["return"].to_list()


# The definition once more, as a loop over plain numbers that shares nothing with the package.


def steps_at_close(target, closes, delay):
    last, steps = None, []
    for bar, close in enumerate(closes):
        asked = target[bar - delay + 1] if bar >= delay - 1 else 0.0
        move = 0.0 if last is None or close is None else close / last - 1
        steps.append([] if close is None else [("move", move), ("trade", asked)])
        last = last if close is None else close
    return steps


def steps_at_open(target, closes, opens, delay):
    last, steps = None, []
    for bar, close in enumerate(closes):
        asked = target[bar - delay] if bar >= delay else 0.0
        idle = close is None or last is None
        night, day_ = (0.0, 0.0) if idle else (opens[bar] / last - 1, close / opens[bar] - 1)
        steps.append([] if idle else [("move", night), ("trade", asked), ("move", day_)])
        last = last if close is None else close
    return steps


def follow(steps, cost):
    """Net growth, weight at the start and at the end of each bar, and trades of one account."""
    weight, ruined, running, net, weights_, trades = 0.0, False, None, [], [], []
    for bar, todo in enumerate(steps):
        growth, start = 1.0, weight
        for kind, amount in todo:
            if ruined:
                continue
            step = 1 + weight * amount if kind == "move" else 1 - cost * abs(amount - weight)
            ruined, growth = step <= 0, growth * max(step, 0.0)
            if ruined:
                trades += [(*running[:2], bar, -1.0)] if running else []
                weight = 0.0
            elif kind == "move":
                running = running and (*running[:2], running[2] * step)
                weight = weight * (1 + amount) / step
            else:
                if running and amount * weight <= 0:
                    trades.append((*running[:2], bar, running[2] * (1 - cost * abs(weight)) - 1))
                    running = None
                if running:
                    running = (*running[:2], running[2] * step)
                elif amount:
                    running = ("long" if amount > 0 else "short", bar, 1 - cost * abs(amount))
                weight = amount
        net.append(growth)
        weights_.append((start, weight))
    return net, weights_, trades


def combine(nets, closes, *, rebalanced):
    """Portfolio returns of the accounts' net growth, [account][bar]."""
    listing = [next((bar for bar, row in enumerate(closes) if row[s] is not None), None) for s in range(len(nets))]
    capital, out = [1.0] * len(nets), []
    for bar in range(len(closes)):
        before = sum(capital)
        capital = [value * net[bar] for value, net in zip(capital, nets, strict=True)]
        earned = []
        for net, listed in zip(nets, listing, strict=True):
            if listed is not None and (listed < bar or bar == listed == 0):
                entry = net[listed] if 0 < listed == bar - 1 else 1.0
                earned.append(entry * net[bar] - 1)
        shared = sum(earned) / len(earned) if earned else 0.0
        out.append(shared if rebalanced else (sum(capital) / before - 1 if before else 0.0))
    return out


PRICE = st.floats(1, 100)
WEIGHT = st.sampled_from([0.0, 1.0, -1.0, 0.5, -0.25, 1.5])


@st.composite
def markets(draw, *, ruin=True):
    """Closes with gaps, opens and targets of up to three symbols over up to nine bars."""
    length, width = draw(st.integers(1, 9)), draw(st.integers(1, 3))
    price = PRICE if ruin else st.floats(10, 14)
    rows = lambda cell: st.lists(  # noqa: E731
        st.lists(cell, min_size=width, max_size=width), min_size=length, max_size=length
    )
    return draw(rows(st.none() | price | price)), draw(rows(price)), draw(rows(WEIGHT))


def across(table, symbol):
    return [row[symbol] for row in table]


@settings(deadline=None, max_examples=200)
@given(
    markets(),
    st.integers(1, 3),
    st.sampled_from([0.0, 10.0, 300.0]),
    st.sampled_from(["close", "next_open"]),
    st.booleans(),
)
def test_a_replay_equals_the_loop_that_defines_it(market, delay, cost_bps, fill, rebalanced):
    closes, opens, asked = market
    allocation = "rebalanced" if rebalanced else "separate"
    how = Execution(delay=delay, cost_bps=cost_bps, fill=fill, allocation=allocation)
    found = replay(np.array(asked), make_bars(closes, opens), execution=how)
    accounts = []
    for symbol in range(len(closes[0])):
        series = across(asked, symbol), across(closes, symbol)
        at_open = fill == "next_open"
        steps = steps_at_open(*series, across(opens, symbol), delay) if at_open else steps_at_close(*series, delay)
        accounts.append(follow(steps, cost_bps / 10_000))
    nets = [net for net, _, _ in accounts]
    assert found.bars["return"].to_list() == pytest.approx(
        combine(nets, closes, rebalanced=rebalanced), rel=1e-12, abs=1e-12
    )
    ruined = ["ABC"[place] for place, net in enumerate(nets) if 0.0 in net]
    assert list(found.ruined) == ruined
    if fill == "next_open" and ruined:
        return
    expected = sorted(
        (day(entry), "ABC"[place], side, day(exit_), exit_ - entry, growth)
        for place, (_, _, trades) in enumerate(accounts)
        for side, entry, exit_, growth in trades
    )
    rows = found.trades.select("entered_at", "symbol", "side", "exited_at", "bars", "return").rows()
    assert [row[:-1] for row in rows] == [row[:-1] for row in expected]
    assert [row[-1] for row in rows] == pytest.approx([row[-1] for row in expected], rel=1e-12, abs=1e-12)
    for place, (_, weights_, _) in enumerate(accounts):
        held = [pair[fill == "next_open"] for pair in weights_]
        if fill == "close":
            assert found.positions[:, place].tolist() == held
