import datetime as dt
import importlib.util
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workspace_kit.analysis.measures import summarise
from workspace_kit.analysis.regimes import (
    HINDSIGHT,
    METHODS,
    by_regime,
    label_at,
    label_before,
    label_regimes,
)
from workspace_kit.config import REGIME_METHODS, Regimes
from workspace_kit.errors import ConfigError, LookAheadError, PriceError, SchemaMismatch
from workspace_kit.schema import BEAR, BULL, NEUTRAL, REGIMES
from workspace_kit.workflow_file import example_text, parse_config

MONTHLY = {"periods_per_year": 12.0}
NO_TRADES = pl.DataFrame(schema={"entered_at": pl.Datetime("us"), "return": pl.Float64()})
MONDAY = dt.datetime.fromisoformat("2000-01-03")


def frame(closes, start=MONDAY, step=dt.timedelta(days=1)):
    timestamps = [start + step * bar for bar in range(len(closes))]
    return pl.DataFrame(
        {"timestamp": timestamps, "close": closes},
        schema={"timestamp": pl.Datetime("us"), "close": pl.Float64()},
    )


def labels_of(closes, method, periods_per_year=252.0, **settings):
    regimes = Regimes(**{"method": method, **settings})
    return label_regimes(frame(closes), regimes=regimes, periods_per_year=periods_per_year)[
        "regime"
    ].to_list()


@pytest.fixture(scope="module")
def index():
    """Monthly closes of the S&P 500, 1990 to 2009, as Matplotlib ships them."""
    root = Path(importlib.util.find_spec("matplotlib").origin).parent
    table = pl.read_csv(root / "mpl-data/sample_data/Stocks.csv", comment_prefix="#", try_parse_dates=True)
    return (
        table.select(
            pl.col("Date").cast(pl.Datetime("us")).alias("timestamp"), pl.col("^GSPC").alias("close")
        )
        .filter((pl.col("timestamp").dt.day() == 1) & (pl.col("timestamp").dt.year() < 2010))
        .drop_nulls()
    )


def returns_of(closes):
    return closes.select(
        "timestamp", (pl.col("close") / pl.col("close").shift(1) - 1).fill_null(0.0).alias("return")
    )


def closes_strategy(most=60):
    steps = st.lists(st.floats(-0.3, 0.3), min_size=1, max_size=most)
    return steps.map(lambda changes: [100.0, *_walk(changes)])


def _walk(changes):
    price = 100.0
    for change in changes:
        price *= 1 + change
        yield price


def test_trend_bands_find_the_known_bars_and_episodes_of_the_index(index):
    labels = label_regimes(index, regimes=Regimes(), **MONTHLY)
    answer = by_regime(returns_of(index), NO_TRADES, labels, risk_free_rate=0.0, **MONTHLY)
    assert index.height == 240
    assert {name: (one["bars"], one["episodes"]) for name, one in answer.items()} == {
        BULL: (139, 24),
        NEUTRAL: (41, 28),
        BEAR: (50, 8),
    }


def test_the_warm_up_is_null_and_not_neutral(index):
    labels = label_regimes(index, regimes=Regimes(), **MONTHLY)["regime"]
    assert labels[:9].null_count() == 9
    assert labels[9:].null_count() == 0


def test_bear_bars_lose_more_with_hindsight_than_when_known_in_time(index):
    rows = {}
    for method in ("lunde_timmermann", "lunde_timmermann_causal"):
        labels = label_regimes(index, regimes=Regimes(method=method), **MONTHLY)
        known = labels if method in HINDSIGHT else label_before(index["timestamp"], labels)
        bear = returns_of(index).join(known, on="timestamp").filter(pl.col("regime") == BEAR)
        rows[method] = summarise(bear, NO_TRADES, risk_free_rate=0.0, **MONTHLY)["cagr"]
    assert rows["lunde_timmermann"] < -0.25 < -0.15 < rows["lunde_timmermann_causal"]


def test_the_turns_of_the_index_are_dated_at_its_peaks_and_troughs(index):
    labels = label_regimes(index, regimes=Regimes(method="lunde_timmermann"), **MONTHLY)
    turns = labels.filter(pl.col("regime") != pl.col("regime").shift(1))
    assert [(at.year, at.month, regime) for at, regime, _ in turns.iter_rows()] == [
        (1990, 11, BULL),
        (2000, 9, BEAR),
        (2002, 10, BULL),
        (2007, 11, BEAR),
        (2009, 3, BULL),
    ]
    assert set(labels["basis"]) == {"ex_post"}


@pytest.mark.parametrize("method", sorted(set(METHODS) - HINDSIGHT))
@settings(deadline=None, max_examples=40)
@given(closes=closes_strategy(), undercut=st.booleans(), data=st.data())
def test_what_follows_never_changes_a_causal_label(method, closes, undercut, data):
    cut = data.draw(st.integers(0, len(closes)))
    choices = {"trend_days": 42, "volatility_days": 42, "undercut": undercut}
    assert (
        labels_of(closes[:cut], method, 12.0, **choices) == labels_of(closes, method, 12.0, **choices)[:cut]
    )


@settings(deadline=None, max_examples=40)
@given(closes=closes_strategy(), data=st.data())
def test_what_follows_never_changes_an_intraday_label_even_in_the_middle_of_a_day(closes, data):
    cut = data.draw(st.integers(0, len(closes)))
    regimes = Regimes(trend_days=2)
    bars = frame(closes, step=dt.timedelta(hours=7))
    whole = label_regimes(bars, regimes=regimes, periods_per_year=24 * 252)
    assert label_regimes(bars.head(cut), regimes=regimes, periods_per_year=24 * 252).equals(whole.head(cut))


def test_an_intraday_bar_has_the_label_of_the_day_before():
    hours = [1.0, 9.0, 1.0, 1.0, 9.0, 3.0, 1.0, 1.0, 1.0]
    bars = frame(hours, step=dt.timedelta(hours=8))
    labels = label_regimes(bars, regimes=Regimes(trend_days=2), periods_per_year=3 * 252)["regime"].to_list()
    daily = labels_of([1.0, 3.0, 1.0], "trend_bands", trend_days=2)
    assert daily == [None, BULL, BEAR]
    assert labels == [None] * 6 + [BULL] * 3


def test_bands_are_open_and_hysteresis_keeps_its_state_until_the_average_is_crossed():
    closes = [100.0, 100.0, 110.0, 109.0, 108.9, 120.0, 118.0, 119.0, 100.0, 99.0, 99.5]
    bands = labels_of(closes, "trend_bands", trend_days=2)
    kept = labels_of(closes, "hysteresis", trend_days=2)
    assert bands == [None, NEUTRAL, BULL, NEUTRAL, NEUTRAL, BULL, NEUTRAL, NEUTRAL, BEAR, NEUTRAL, NEUTRAL]
    assert kept == [None, NEUTRAL, BULL, NEUTRAL, NEUTRAL, BULL, NEUTRAL, NEUTRAL, BEAR, BEAR, NEUTRAL]


def test_a_close_exactly_at_the_band_is_neutral():
    assert labels_of([100.0, 100.0], "trend_bands", trend_days=2, band=0.0)[1] == NEUTRAL


def test_hysteresis_stays_bull_above_the_average_within_the_band():
    assert labels_of([100.0, 110.0, 111.0, 112.0], "hysteresis", trend_days=2)[1:] == [BULL, BULL, BULL]
    assert labels_of([100.0, 110.0, 111.0, 112.0], "trend_bands", trend_days=2)[1:] == [
        BULL,
        NEUTRAL,
        NEUTRAL,
    ]


def test_drawdown_bands_begin_exactly_at_ten_and_twenty_percent():
    assert labels_of([100.0, 90.1, 90.0, 80.1, 80.0, 100.0], "drawdown_bands") == [
        *(BULL, BULL, NEUTRAL, NEUTRAL, BEAR, BULL)
    ]


@settings(deadline=None, max_examples=30)
@given(closes=closes_strategy(30))
def test_volatility_terciles_agree_with_ranking_the_past_anew_at_every_bar(closes):
    spreads = pl.Series(closes).pct_change().rolling_std(2).to_list()
    expected = []
    for bar, spread in enumerate(spreads):
        ranked = sorted(each for each in spreads[: bar + 1] if each is not None)
        if len(ranked) < 12:
            expected.append(None)
            continue
        in_lowest = 3 * sum(each <= spread for each in ranked) <= len(ranked)
        in_highest = 3 * sum(each < spread for each in ranked) >= 2 * len(ranked)
        expected.append(BULL if in_lowest else BEAR if in_highest else NEUTRAL)
    assert labels_of(closes, "volatility_terciles", 12.0, volatility_days=42) == expected


def test_the_filter_confirms_a_turn_at_twenty_percent_and_dates_it_at_the_extremum():
    closes = [100.0, 120.0, 150.0, 150.0, 130.0, 120.0, 90.0, 100.0, 107.9, 108.0, 130.0]
    assert labels_of(closes, "lunde_timmermann_causal") == [None, *[BULL] * 4, *[BEAR] * 4, BULL, BULL]
    # The first of the two peaks counts; bars after it, down to the trough, are bear.
    assert labels_of(closes, "lunde_timmermann") == [BEAR, BULL, BULL, *[BEAR] * 4, *[BULL] * 4]


def test_a_market_that_never_turned_has_no_label():
    assert labels_of([100.0, 101.0, 99.0], "lunde_timmermann") == [None] * 3
    assert labels_of([100.0, 101.0, 99.0], "lunde_timmermann_causal") == [None] * 3


def test_a_bull_market_that_undercuts_its_trough_is_cancelled_on_request():
    closes = [150.0, 120.0, 100.0, 121.0, 99.0, 98.0, 130.0]
    assert labels_of(closes, "lunde_timmermann") == [BULL, BEAR, BEAR, *[BULL] * 4]
    assert labels_of(closes, "lunde_timmermann", undercut=True) == [BULL, *[BEAR] * 5, BULL]
    causal = [None, BEAR, BEAR, BULL, BEAR, BEAR, BULL]
    assert labels_of(closes, "lunde_timmermann_causal", undercut=True) == causal


def test_a_long_bull_market_that_crashes_below_its_trough_is_not_cancelled():
    closes = [150.0, 120.0, 100.0, 200.0, 90.0]
    assert labels_of(closes, "lunde_timmermann", undercut=True) == [BULL, BEAR, BEAR, BULL, BEAR]


@pytest.mark.parametrize("method", sorted(METHODS))
def test_no_bars_one_bar_and_no_closes_give_null_labels_or_a_first_one(method):
    assert labels_of([], method) == []
    assert labels_of([None, None], method) == [None, None]
    assert labels_of([100.0], method) == [BULL if method == "drawdown_bands" else None]


@pytest.mark.parametrize("method", sorted(METHODS))
def test_the_order_of_the_rows_does_not_matter(method):
    bars = frame([100.0, 130.0, 90.0, 120.0, 80.0, 100.0, 150.0] * 4)
    settings_ = {"regimes": Regimes(method=method, trend_days=42, volatility_days=42), **MONTHLY}
    assert label_regimes(bars.reverse(), **settings_).equals(label_regimes(bars, **settings_))


def test_a_bar_without_a_close_keeps_the_label_known_before_it():
    assert labels_of([100.0, 75.0, None, 100.0], "drawdown_bands") == [BULL, BEAR, BEAR, BULL]


@pytest.mark.parametrize("close", [0.0, -1.0, float("nan"), float("inf")])
def test_a_close_that_is_no_positive_number_is_refused(close):
    with pytest.raises(PriceError, match="positive"):
        labels_of([100.0, close], "trend_bands")


def test_two_closes_at_one_time_are_refused():
    bars = frame([100.0, 101.0])
    with pytest.raises(PriceError, match="1 timestamp"):
        label_regimes(pl.concat([bars, bars.head(1)]), regimes=Regimes(), **MONTHLY)


def test_a_labeller_of_ones_own_that_knows_only_the_past_is_causal():
    def labeller(closes):
        rising = pl.col("close") > pl.col("close").shift(1)
        return closes.select(
            "timestamp", pl.when(rising).then(pl.lit(BULL)).otherwise(pl.lit(BEAR)).alias("regime")
        )

    bars = frame([100.0, 101.0, 100.0, 102.0])
    labels = label_regimes(bars, regimes=Regimes(method="my:own"), labeller=labeller, **MONTHLY)
    assert labels["regime"].to_list() == [BEAR, BULL, BEAR, BULL]
    assert set(labels["basis"]) == {"causal"}


@pytest.mark.parametrize("ahead", [1, 2, 5])
def test_a_labeller_of_ones_own_that_looks_ahead_is_found_out(ahead):
    def labeller(closes):
        rises = pl.col("close").shift(-ahead) > pl.col("close")
        return closes.select(
            "timestamp", pl.when(rises).then(pl.lit(BULL)).otherwise(pl.lit(BEAR)).alias("regime")
        )

    bars = frame([100.0, 105.0, 110.0, 100.0, 90.0, 95.0, 80.0, 120.0, 130.0, 100.0] * 3)
    labels = label_regimes(bars, regimes=Regimes(method="my:own"), labeller=labeller, **MONTHLY)
    assert set(labels["basis"]) == {"ex_post"}


@pytest.mark.parametrize(
    "answer",
    [
        pl.DataFrame({"timestamp": [MONDAY], "regime": [BULL]}),
        frame([1.0, 2.0]),
        frame([1.0, 2.0]).select("timestamp", pl.lit("sideways").alias("regime")),
    ],
    ids=["a bar too few", "no regime", "an unknown regime"],
)
def test_a_labeller_that_does_not_label_every_bar_is_refused(answer):
    with pytest.raises(SchemaMismatch, match="regime labeller"):
        label_regimes(frame([1.0, 2.0]), regimes=Regimes(), labeller=lambda _: answer, **MONTHLY)


def test_a_method_nobody_knows_is_an_error_that_names_the_known_ones():
    with pytest.raises(ConfigError, match="trend_bands"):
        labels_of([100.0], "my:own")


def test_every_configured_method_exists_and_a_misspelt_one_is_answered_with_the_nearest():
    assert set(REGIME_METHODS) == set(METHODS)
    text = example_text().replace("method: trend_bands", "method: trend_band")
    with pytest.raises(ConfigError, match="did you mean 'trend_bands'"):
        parse_config(text, where="test")
    own = example_text().replace("method: trend_bands", "method: package.module:function")
    assert parse_config(own, where="test").regimes.method == "package.module:function"


def test_a_correction_deeper_than_the_fall_is_refused():
    text = example_text().replace("band: 0.02 ", "correction: 0.3 ")
    with pytest.raises(ConfigError, match="correction"):
        parse_config(text, where="test")


def test_the_label_of_a_bar_is_known_at_its_close_and_counts_from_the_next_bar():
    bars = frame([1.0, 2.0, 3.0])
    labels = bars.select("timestamp", pl.Series("regime", [BULL, None, BEAR]))
    assert label_before(bars["timestamp"], labels)["regime"].to_list() == [None, BULL, None]
    assert label_at(bars["timestamp"], labels)["regime"].to_list() == [BULL, None, BEAR]


def labelled(*regimes, basis="causal"):
    bars = frame([1.0] * len(regimes))
    return bars.select(
        "timestamp", pl.Series("regime", regimes, dtype=pl.String), pl.lit(basis).alias("basis")
    )


def test_bars_and_trades_go_to_the_regime_known_when_they_began():
    labels = labelled(BULL, BULL, BEAR, BULL, None)
    at = labels["timestamp"]
    returns = pl.DataFrame({"timestamp": at, "return": [0.5, 0.01, 0.02, -0.03, 0.04]})
    trades = pl.DataFrame({"entered_at": [at[2], at[0], at[4]], "return": [-0.1, 0.2, 0.3]})
    answer = by_regime(returns, trades, labels, periods_per_year=252.0, risk_free_rate=0.0)
    assert list(answer) == list(REGIMES)
    assert (answer[BULL]["bars"], answer[BULL]["episodes"], answer[BULL]["trades"]) == (3, 2, 1)
    assert answer[BULL]["total_return"] == pytest.approx(1.01 * 1.02 * 1.04 - 1, abs=1e-15)
    assert (answer[BEAR]["bars"], answer[BEAR]["episodes"], answer[BEAR]["trades"]) == (1, 1, 1)
    assert answer[BEAR]["total_return"] == pytest.approx(-0.03, abs=1e-15)
    assert (answer[BULL]["win_rate"], answer[BEAR]["win_rate"]) == (1.0, 0.0)
    assert answer[NEUTRAL]["bars"] == answer[NEUTRAL]["episodes"] == answer[NEUTRAL]["trades"] == 0
    assert answer[NEUTRAL]["sharpe_ratio"] is None


def test_a_period_takes_the_label_of_the_bar_before_its_first():
    labels = labelled(BEAR, BULL, BULL)
    returns = pl.DataFrame({"timestamp": labels["timestamp"][1:], "return": [0.0, 0.1]})
    answer = by_regime(returns, NO_TRADES, labels, periods_per_year=252.0, risk_free_rate=0.0)
    assert (answer[BEAR]["bars"], answer[BULL]["bars"]) == (1, 1)


def test_no_bars_at_all_give_every_regime_without_numbers():
    returns = pl.DataFrame(schema={"timestamp": pl.Datetime("us"), "return": pl.Float64()})
    answer = by_regime(returns, NO_TRADES, labelled(), periods_per_year=252.0, risk_free_rate=0.0)
    assert {name: one["bars"] for name, one in answer.items()} == dict.fromkeys(REGIMES, 0)


def test_labels_made_with_hindsight_are_refused():
    labels = labelled(BULL, basis="ex_post")
    returns = pl.DataFrame({"timestamp": labels["timestamp"], "return": [0.0]})
    with pytest.raises(LookAheadError, match="ex_post"):
        by_regime(returns, NO_TRADES, labels, periods_per_year=252.0, risk_free_rate=0.0)
