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

moment = datetime.fromisoformat
FIRST = moment("2020-01-01")


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


def test_one_account_by_hand():
    # Enter at 100 (1 %), +10 %, exit at 110 (1 %), then flat while the price halves.
    found = replay(column(1, 0, 0), make_bars([[100], [110], [55]]), execution=Execution(cost_bps=100))
    assert found.bars["return"].to_list() == pytest.approx([-0.01, 1.1 * 0.99 - 1, 0])
    assert found.bars["cost"].to_list() == pytest.approx([0.01, 0.011, 0])
    assert found.bars["turnover"].to_list() == pytest.approx([1, 1.1, 0])
    assert found.bars["exposure"].to_list() == [0, 1, 0]
    assert found.trades.rows() == [("A", "long", day(0), day(1), 1, pytest.approx(0.99 * 1.1 * 0.99 - 1))]
    assert found.positions.tolist() == [[0], [1], [0]]
    assert (found.open_trades, found.ruined) == (0, ())


def test_a_short_pays_to_stay_at_its_weight_because_it_drifts():
    # -1 at 100; at 110 capital is 0.9 and the position -1.1, so 0.2 is bought back; at 121 again.
    found = replay(column(-1, -1, -1), make_bars([[100], [110], [121]]), execution=Execution(cost_bps=100))
    assert found.bars["turnover"].to_list() == pytest.approx([1, 0.2, 0.2])
    assert found.bars["return"].to_list() == pytest.approx([-0.01, 0.9 - 0.002 - 1, 0.9 - 0.002 - 1])


def test_full_weight_never_drifts_and_pays_once():
    found = replay(
        column(1, 1, 1, 1), make_bars([[100], [3], [977], [50]]), execution=Execution(cost_bps=100)
    )
    assert found.bars["turnover"].to_list() == [1, 0, 0, 0]


def test_turning_a_position_closes_one_trade_and_opens_another_at_the_same_bar():
    found = replay(column(1, -1, 0), make_bars([[100], [110], [99]]), execution=Execution(cost_bps=100))
    assert found.trades.select("side", "entered_at", "exited_at").rows() == [
        ("long", day(0), day(1)),
        ("short", day(1), day(2)),
    ]
    assert found.trades["return"].to_list() == pytest.approx(
        [0.99 * 1.1 * 0.99 - 1, 0.99 * (1.1 - 0.01 * 0.9) - 1]
    )


def test_a_trade_goes_on_while_its_size_changes():
    found = replay(column(1, 0.5, 0.8, 0), make_bars([[10], [11], [12], [13]]), execution=Execution())
    assert found.trades["bars"].to_list() == [3]


def test_a_position_at_the_end_is_marked_but_is_no_closed_trade():
    found = replay(column(1, 1), make_bars([[100], [110]]), execution=Execution(cost_bps=0))
    assert (len(found.trades), found.open_trades) == (0, 1)
    assert found.bars["return"].to_list() == pytest.approx([0, 0.1])


def test_every_bar_of_delay_postpones_the_position_by_one():
    on = make_bars([[100], [110], [121], [133.1], [146.41]])
    asked = column(1, 0, 0, 0, 0)
    for delay in (1, 2, 3):
        held = replay(asked, on, execution=Execution(delay=delay)).positions[:, 0]
        assert np.flatnonzero(held).tolist() == [delay]
    assert not replay(asked, on, execution=Execution(delay=9)).positions.any()


def test_a_delay_below_one_is_refused():
    with pytest.raises(LookAheadError, match="found 0, expected 1 or more"):
        replay(column(1), make_bars([[100]]), execution=Execution(delay=0))


def test_knowing_tomorrow_scores_absurdly_and_a_delay_of_one_does_not():
    file = Path(find_spec("matplotlib").submodule_search_locations[0], "mpl-data/sample_data/Stocks.csv")
    table = pl.read_csv(file, comment_prefix="#", try_parse_dates=True).filter(pl.col("Date").dt.day() == 1)
    prices = table.select(
        pl.col("Date").cast(pl.Datetime("us")).alias("timestamp"), close="^GSPC"
    ).drop_nulls()
    prices = prices.with_columns(symbol=pl.lit("^GSPC"))
    on = bars(prices, symbols=["^GSPC"], start=moment("1990-01-01"), end=moment("2022-05-31"))
    rose = (on.moves > 0).astype(float)
    known_early = np.vstack([rose[1:], [[0.0]]])
    sharpe = sharpe_ratio("return", periods_per_year=12, risk_free_rate=0)
    honest, absurd = (
        replay(asked, on, execution=Execution(cost_bps=0)).bars.select(sharpe).item()
        for asked in (rose, known_early)
    )
    assert len(on.timestamps) == 389
    assert 0.4 < honest < 0.6
    assert absurd > 2.5


def test_orders_filled_at_the_open_earn_the_night_with_the_old_weight_and_the_day_with_the_new():
    on = make_bars([[100], [110], [121]], opens=[[99], [105], [120]])
    found = replay(column(1, 0, 0), on, execution=Execution(fill="next_open", cost_bps=100))
    day_ = 0.99 * 110 / 105
    assert found.bars["return"].to_list() == pytest.approx([0, day_ - 1, 120 / 110 * 0.99 - 1])
    assert found.trades["return"].to_list() == pytest.approx([day_ * 120 / 110 * 0.99 - 1])
    assert found.trades.select("entered_at", "exited_at").row(0) == (day(1), day(2))
    assert found.positions.tolist() == [[0], [1], [0]]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.floats(10, 14), st.sampled_from([0.0, 1.0, -1.0, 0.5])), min_size=2, max_size=9))
def test_without_a_move_overnight_both_fills_make_the_same_trades(rows):
    closes, asked = [[close] for close, _ in rows], column(*(target for _, target in rows))
    on = make_bars(closes, opens=[closes[0], *closes[:-1]])
    at_close = replay(asked, on, execution=Execution()).trades
    at_open = replay(asked, on, execution=Execution(fill="next_open")).trades
    closed = at_close.filter(pl.col("exited_at") < day(len(rows) - 1))
    assert at_open.select("side", "bars").rows() == closed.select("side", "bars").rows()
    assert at_open["return"].to_list() == pytest.approx(closed["return"].to_list(), abs=1e-12)


def test_filling_at_the_open_without_opens_is_refused():
    how = Execution(fill="next_open")
    with pytest.raises(PriceError, match="a close without an open"):
        replay(column(1), make_bars([[100]]), execution=how)
    gap = make_bars([[100], [100]], opens=[[100], [np.nan]])
    with pytest.raises(PriceError, match="A at 2020-01-02"):
        replay(column(1, 1), gap, execution=how)


def test_a_missing_bar_trades_nothing_and_its_move_is_earned_on_the_next():
    # Told to leave while there is no price: it leaves at the next one, having earned the move.
    found = replay(
        column(1, 0, 0, 0), make_bars([[100], [None], [120], [60]]), execution=Execution(cost_bps=0)
    )
    assert found.bars["return"].to_list() == pytest.approx([0, 0, 0.2, 0])
    assert found.bars["exposure"].to_list() == [0, 1, 1, 0]
    assert found.trades["bars"].to_list() == [2]


def test_separate_accounts_count_an_unlisted_symbol_as_cash():
    # B appears at bar 1 and doubles: half of the capital waits in cash, nothing is lost on its listing.
    on = make_bars([[100, None], [100, 10], [100, 20]])
    found = replay(np.ones((3, 2)), on, execution=Execution(allocation="separate", cost_bps=0))
    assert found.bars["return"].to_list() == pytest.approx([0, 0, 0.5])


def test_rebalanced_accounts_share_among_the_listed_and_book_a_late_entry_with_the_next_bar():
    on = make_bars([[100, None], [110, 10], [121, 20]])
    asked = np.ones((3, 2))
    found = replay(asked, on, execution=Execution(cost_bps=100))
    assert found.bars["return"].to_list() == pytest.approx([-0.01, 0.1, (0.1 + (0.99 * 2 - 1)) / 2])
    apart = replay(asked, on, execution=Execution(cost_bps=100, allocation="separate"))
    assert apart.bars["return"][1] == pytest.approx((1.1 * 0.99 + 0.99) / (0.99 + 1) - 1)


def test_separate_accounts_drift_apart_and_rebalanced_ones_do_not():
    on = make_bars([[1, 1], [2, 1], [4, 1]])
    apart = returns(np.ones((3, 2)), on, allocation="separate", cost_bps=0)
    level = returns(np.ones((3, 2)), on, allocation="rebalanced", cost_bps=0)
    assert apart == pytest.approx([0, 0.5, 2 / 3])
    assert level == pytest.approx([0, 0.5, 0.5])


def test_a_short_that_more_than_doubles_is_ruined_and_stays_at_nothing():
    found = replay(column(-1, -1, -1, 1), make_bars([[10], [20], [5], [50]]), execution=Execution())
    assert found.bars["return"].to_list()[1:] == [-1, 0, 0]
    assert found.ruined == ("A",)
    assert found.trades.select("exited_at", "return").rows() == [(day(1), -1)]
    assert found.positions.tolist() == [[0], [-1], [0], [0]]


def test_a_cost_that_eats_the_account_ruins_it():
    # A short at 199 of 200: 0.01 is left against a position of 1.99, and buying back costs more than that.
    found = replay(column(-1, 0), make_bars([[100], [199]]), execution=Execution(cost_bps=100))
    assert found.bars["return"].to_list() == pytest.approx([-0.01, -1])
    assert found.ruined == ("A",)


def test_return_and_cost_add_up_to_what_the_positions_earned():
    on = make_bars([[10, 5], [11, 4], [12, 6], [11, 7]])
    asked = np.array([[1, -1], [0.5, 1], [0, 1], [1, 0]])
    paid = replay(asked, on, execution=Execution(cost_bps=50)).bars
    free = replay(asked, on, execution=Execution(cost_bps=0)).bars
    assert (paid["return"] + paid["cost"]).to_list() == pytest.approx(free["return"].to_list())
    assert paid["cost"].to_list() == pytest.approx((paid["turnover"] * 0.005).to_list())


def test_targets_of_another_shape_or_not_finite_are_refused():
    for wrong in (np.ones((2, 2)), column(np.nan), column(np.inf)):
        with pytest.raises(UsageError, match="bars by symbols"):
            replay(wrong, make_bars([[100]]), execution=Execution())


def test_the_layout_of_targets_in_memory_changes_no_byte():
    rng = np.random.default_rng(1)
    on = make_bars(rng.uniform(10, 11, (40, 3)).tolist())
    asked = rng.choice([0.0, 1.0, 0.3], (40, 3))
    rows, columns_ = np.ascontiguousarray(asked), np.asfortranarray(asked)
    assert replay(rows, on, execution=Execution()).bars.equals(
        replay(columns_, on, execution=Execution()).bars
    )
    assert (
        replay(asked[:, :1].astype(int), make_bars(on.close[:, :1].tolist()), execution=Execution()).ruined
        == ()
    )


def test_one_bar_and_no_signals_give_nothing():
    found = replay(column(0), make_bars([[100]]), execution=Execution())
    assert found.bars.rows() == [(day(0), 0, 0, 0, 0)]
    assert found.trades.schema == {
        "symbol": pl.String,
        "side": pl.String,
        "entered_at": pl.Datetime("us"),
        "exited_at": pl.Datetime("us"),
        "bars": pl.Int64,
        "return": pl.Float64,
    }


def test_buying_and_holding_starts_at_the_first_price():
    on = make_bars([[1, None], [None, 2], [3, 4]])
    assert buy_and_hold(on).tolist() == [[1, 0], [1, 1], [1, 1]]


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


def steps(target, closes, opens, how):
    if how.fill == "close":
        return steps_at_close(target, closes, how.delay)
    return steps_at_open(target, closes, opens, how.delay)


def follow(todo, cost):
    """Net growth over and weight before each bar, and the trades, of one account."""
    weight, ruined, running, net, held, trades = 0.0, False, None, [], [], []
    for bar, steps_ in enumerate(todo):
        growth = 1.0
        held.append(weight)
        for kind, amount in steps_:
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
    return net, held, trades


def combine(nets, closes, *, rebalanced):
    """Portfolio returns of the accounts' net growth, [account][bar]."""
    listing = [
        next((bar for bar, row in enumerate(closes) if row[s] is not None), None) for s in range(len(nets))
    ]
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


def table_of(cell, length, width):
    return st.lists(st.lists(cell, min_size=width, max_size=width), min_size=length, max_size=length)


@st.composite
def markets(draw):
    """Closes with gaps, opens and targets of up to three symbols over up to nine bars."""
    size = draw(st.integers(1, 9)), draw(st.integers(1, 3))
    cells = st.none() | PRICE | PRICE, PRICE, WEIGHT
    return tuple(draw(table_of(cell, *size)) for cell in cells)


def across(table, symbol):
    return [row[symbol] for row in table]


HOW = st.builds(
    Execution,
    delay=st.integers(1, 3),
    cost_bps=st.sampled_from([0.0, 10.0, 300.0]),
    fill=st.sampled_from(["close", "next_open"]),
    allocation=st.sampled_from(["rebalanced", "separate"]),
)


@settings(deadline=None, max_examples=120)
@given(
    markets(),
    HOW,
)
def test_a_replay_equals_the_loop_that_defines_it(market, how):
    closes, opens, asked = market
    found = replay(np.array(asked), make_bars(closes, opens), execution=how)
    accounts = [
        follow(
            steps(across(asked, place), across(closes, place), across(opens, place), how), how.cost_bps / 1e4
        )
        for place in range(len(closes[0]))
    ]
    nets = [net for net, _, _ in accounts]
    expected = combine(nets, closes, rebalanced=how.allocation == "rebalanced")
    assert found.bars["return"].to_list() == pytest.approx(expected, rel=1e-12, abs=1e-12)
    assert list(found.ruined) == ["ABC"[place] for place, net in enumerate(nets) if 0.0 in net]
    if how.fill == "next_open" and found.ruined:
        return  # what is lost during the day is closed one bar later
    trades = sorted(
        (day(entry), "ABC"[place], side, day(exit_), exit_ - entry, growth)
        for place, (_, _, trades) in enumerate(accounts)
        for side, entry, exit_, growth in trades
    )
    rows = found.trades.select("entered_at", "symbol", "side", "exited_at", "bars", "return").rows()
    assert [row[:-1] for row in rows] == [row[:-1] for row in trades]
    assert [row[-1] for row in rows] == pytest.approx([row[-1] for row in trades], rel=1e-12, abs=1e-12)
    if how.fill == "close":
        assert found.positions.T.tolist() == [held for _, held, _ in accounts]


@settings(deadline=None, max_examples=40)
@given(markets(), HOW, st.integers(1, 9))
def test_what_comes_later_changes_nothing_that_was(market, how, length):
    closes, opens, asked = market
    whole = replay(np.array(asked), make_bars(closes, opens), execution=how)
    part = replay(np.array(asked[:length]), make_bars(closes[:length], opens[:length]), execution=how)
    np.testing.assert_array_equal(part.positions, whole.positions[:length])
    for name in ("return", "turnover", "cost", "exposure"):
        np.testing.assert_allclose(part.bars[name], whole.bars[name][:length], rtol=1e-12, atol=1e-12)


def test_bars_are_the_instants_at_which_a_symbol_asked_for_has_a_price():
    prices = price_frame([[1.0, None, 7.0], [None, None, 8.0], [None, 2.0, None], [3.0, 4.0, None]])
    on = bars(prices.sample(fraction=1.0, shuffle=True, seed=3), symbols=["B", "A"], start=day(0), end=day(3))
    assert on.timestamps.to_list() == [day(0), day(2), day(3)]
    np.testing.assert_array_equal(on.close, [[np.nan, 1], [2, np.nan], [4, 3]])
    np.testing.assert_array_equal(on.moves, [[0, 0], [0, 0], [1, 2]])
    assert on.open is None


def test_a_period_includes_both_its_ends():
    prices = price_frame([[1.0], [2.0], [3.0], [4.0]], opens=[[5.0], [6.0], [7.0], [8.0]])
    on = bars(prices, symbols=["A"], start=day(1), end=day(2))
    assert on.close.tolist() == [[2], [3]]
    assert on.open.tolist() == [[6], [7]]


@pytest.mark.parametrize(
    ("prices", "message"),
    [
        (price_frame([[1.0], [0.0]]), "1 row.s. not positive and finite, first A at 2020-01-02"),
        (price_frame([[1.0], [-1.0]]), "not positive"),
        (price_frame([[1.0], [float("nan")]]), "not positive and finite"),
        (price_frame([[1.0], [float("inf")]]), "not positive and finite"),
        (price_frame([[1.0]], opens=[[0.0]]), "not positive"),
        (pl.concat([price_frame([[1.0]])] * 2), "2 row.s. given twice"),
        (price_frame([]), "without prices: A"),
        (price_frame([[None, 1.0]], symbols=["A", "AA"]), "did you mean 'AA'"),
        (price_frame([[None], [None], [None], [None], [1.0]]), "found no bar.* from 2020-01-05"),
        (
            price_frame([[1.0]]).with_columns(pl.lit(None, pl.Float64).alias("close")),
            "these symbols have none at all",
        ),
    ],
)
def test_prices_that_no_return_can_be_computed_from_are_refused(prices, message):
    with pytest.raises(PriceError, match=message):
        bars(prices, symbols=["A"], start=day(0), end=day(3))


def test_a_symbol_asked_for_twice_is_refused():
    with pytest.raises(UsageError, match="one twice"):
        bars(price_frame([[1.0]]), symbols=["A", "A"], start=day(0), end=day(3))


FIVE = [[1.0, 1.0], [1.0, None], [1.0, 1.0], [1.0, 1.0], [1.0, None]]


def test_a_signal_holds_from_its_bar_until_the_next():
    signals = signal_frame((1, "A", "BUY"), (2, "A", "HOLD"), (3, "A", "SELL"))
    assert weights(signals, make_bars(FIVE))[:, 0].tolist() == [0, 1, 1, 0, 0]
    assert weights(signals, make_bars(FIVE), direction="long_short")[:, 0].tolist() == [0, 1, 1, -1, -1]


def test_strength_scales_buys_and_sells_but_not_holds():
    signals = signal_frame((0, "A", "BUY", 0.8), (1, "A", "HOLD", 0.6), (2, "A", "SELL", 0.9))
    found = weights(signals, make_bars(FIVE), sizing="strength", direction="long_short")
    assert found[:, 0].tolist() == [0.8, 0.8, -0.9, -0.9, -0.9]


def test_a_signal_between_bars_waits_for_the_next_and_the_later_one_of_a_bar_counts():
    signals = signal_frame((0.5, "A", "BUY"), (0.7, "A", "SELL"), (1.2, "A", "SELL"), (1.9, "A", "BUY"))
    assert weights(signals, make_bars(FIVE))[:, 0].tolist() == [0, 0, 1, 1, 1]


def test_a_signal_from_before_the_period_is_in_force_at_its_first_bar():
    signals = signal_frame((-9, "A", "SELL"), (-3, "A", "BUY"), (-2, "A", "HOLD"))
    assert weights(signals, make_bars(FIVE))[:, 0].tolist() == [1] * 5


def test_a_signal_without_a_price_waits_for_one_and_is_dropped_where_none_comes():
    found = targets(
        signal_frame((1, "B", "BUY"), (4, "B", "SELL"), (9, "A", "BUY")),
        make_bars(FIVE),
        execution=Execution(),
        on_duplicate="error",
    )
    assert found.values[:, 1].tolist() == [0, 0, 1, 1, 1]
    assert found.dropped == 2


def test_rows_given_twice_collapse_and_are_counted():
    signals = signal_frame((1, "A", "BUY"), (1, "A", "BUY"), (1, "B", "BUY"), (1, "A", "BUY"))
    found = targets(signals, make_bars(FIVE), execution=Execution(), on_duplicate="error")
    assert (found.duplicates, found.dropped) == (2, 0)


def test_rows_that_disagree_are_an_error_unless_the_last_one_counts():
    signals = signal_frame((1, "A", "BUY"), (3, "A", "BUY"), (1, "A", "SELL"), (1, "A", "SELL"))
    with pytest.raises(SignalConflict, match=r"A at 2020-01-02.*rows that differ"):
        weights(signals, make_bars(FIVE))
    with pytest.raises(SignalConflict):
        weights(signal_frame((1, "A", "HOLD", 0.1), (1, "A", "HOLD", 0.2)), make_bars(FIVE))
    last = targets(signals, make_bars(FIVE), execution=Execution(), on_duplicate="last")
    assert last.values[:, 0].tolist() == [0, 0, 0, 1, 1]
    assert last.duplicates == 2


@pytest.mark.parametrize(
    ("signals", "kind", "message"),
    [
        (signal_frame((1, "A", "buy")), SchemaMismatch, "action 'buy'.*expected one of BUY, SELL, HOLD"),
        (signal_frame((1, "A", None)), SchemaMismatch, "action None"),
        (signal_frame((1, "A", "BUY", 1.5)), SchemaMismatch, "strength 1.5.*from 0 to 1"),
        (signal_frame((1, "A", "BUY", None)), SchemaMismatch, "strength None"),
        (signal_frame((1, "A", "BUY", float("nan"))), SchemaMismatch, "strength nan"),
        (signal_frame((1, "Z", "BUY")), PriceError, "1 symbol.s. without prices: Z"),
        (signal_frame((1, "a", "BUY")), PriceError, "without prices: a"),
        (signal_frame((1, None, "BUY")), PriceError, "without prices: None"),
        (
            signal_frame((1, "A", "BUY")).with_columns(timestamp=pl.lit(None, pl.Datetime("us"))),
            SchemaMismatch,
            "timestamp None",
        ),
        (signal_frame((1, "A", "BUY")).drop("action"), SchemaMismatch, "'action' is missing"),
        (
            signal_frame((1, "A", "BUY")).with_columns(pl.col("timestamp").dt.replace_time_zone("UTC")),
            SchemaMismatch,
            "time_zone='UTC'",
        ),
    ],
)
def test_signals_that_cannot_be_meant_are_refused(signals, kind, message):
    with pytest.raises(kind, match=message):
        weights(signals, make_bars(FIVE), sizing="strength")


def test_strength_is_not_looked_at_where_size_is_fixed():
    signals = signal_frame((0, "A", "BUY", 7.0), (0, "B", "BUY", None), (0, "B", "BUY", None))
    assert weights(signals, make_bars(FIVE))[0].tolist() == [1, 1]


def test_no_signals_ask_for_nothing():
    found = targets(signal_frame(), make_bars(FIVE), execution=Execution(), on_duplicate="error")
    assert not found.values.any()
    assert found.values.shape == (5, 2)
    assert (found.dropped, found.duplicates) == (0, 0)


def test_changes_are_what_is_new_and_both_ends():
    signals = signal_frame(
        (-5, "A", "SELL", 0.3),
        (1, "A", "BUY", 0.5),
        (2, "A", "BUY", 0.5),
        (3, "A", "BUY", 0.7),
        (3, "B", "SELL"),
    )
    assert changes(signals, make_bars(FIVE)).rows() == [
        (day(0), "A", "SELL", 0.3),
        (day(0), "B", "HOLD", 0.0),
        (day(1), "A", "BUY", 0.5),
        (day(3), "A", "BUY", 0.7),
        (day(3), "B", "SELL", 1.0),
        (day(4), "A", "HOLD", 0.7),
    ]


def test_dense_signals_have_a_row_wherever_there_is_a_price():
    on = make_bars(FIVE)
    found = dense(signal_frame((1, "A", "BUY", 0.5)), on)
    assert len(found) == on.priced.sum() == 8
    assert found.filter(symbol="A").select("action", "strength").rows() == [
        ("HOLD", 0.0),
        ("BUY", 0.5),
        ("HOLD", 0.5),
        ("HOLD", 0.5),
        ("HOLD", 0.5),
    ]


def test_signals_to_be_written_must_have_a_strength():
    with pytest.raises(SchemaMismatch, match="strength None"):
        changes(signal_frame((1, "A", "BUY", None)), make_bars(FIVE))


SIGNALS = st.lists(
    st.tuples(
        st.sampled_from([-2, 0, 0.5, 1, 2, 2.5, 3, 4, 5, 6, 8, 9]),
        st.sampled_from("AB"),
        st.sampled_from(["BUY", "SELL", "HOLD"]),
        st.sampled_from([0.0, 0.4, 1.0]),
    ),
    unique_by=lambda row: row[:2],
    max_size=14,
)
GAPS = st.lists(st.tuples(st.none() | PRICE, st.none() | PRICE), min_size=1, max_size=9)


@settings(deadline=None, max_examples=50)
@given(
    SIGNALS,
    GAPS,
    st.builds(
        Execution,
        sizing=st.sampled_from(["unit", "strength"]),
        direction=st.sampled_from(["long_only", "long_short"]),
    ),
    st.randoms(use_true_random=False),
)
def test_all_signals_only_changes_and_any_order_replay_to_the_same(rows, closes, how, rng):
    on = make_bars(closes)
    signals = signal_frame(*rows)
    shuffled = signal_frame(*rng.sample(rows, len(rows)))
    few, all_ = changes(signals, on), dense(signals, on)
    asked = [
        targets(given_, on, execution=how, on_duplicate="error").values
        for given_ in (signals, shuffled, few, all_, changes(few, on), changes(all_, on))
    ]
    assert all(np.array_equal(asked[0], other) for other in asked[1:])
    assert changes(few, on).equals(few)
    assert changes(all_, on).equals(few)
    assert few.join(all_, on=few.columns, how="anti").is_empty()
    # And by hand: a signal counts from its symbol's first priced bar at or after it.
    for place, symbol in enumerate("AB"):
        for bar in range(len(closes)):
            counted = [bar_ for bar_ in range(bar + 1) if closes[bar_][place] is not None]
            past = sorted(row for row in rows if row[1] == symbol and counted and row[0] <= counted[-1])
            said = [row for row in past if row[2] != "HOLD"]
            sign = {"BUY": 1.0, "SELL": -1.0 if how.direction == "long_short" else 0.0}
            wanted = sign[said[-1][2]] * (said[-1][3] if how.sizing == "strength" else 1.0) if said else 0.0
            assert asked[0][bar, place] == wanted
