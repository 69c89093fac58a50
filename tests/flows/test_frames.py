"""The doors for frames say what a run of the same workflow says."""

import datetime as dt
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import workspace_kit as wk
from workspace_kit.errors import ConfigError, DataError, PriceError, SchemaMismatch, UsageError

ANNUAL = {"periods_per_year": 12, "risk_free_rate": 0.0}
DATA = wk.Data(prices="sample:stocks", periods_per_year=12, benchmark="^GSPC")
SYMBOLS = ("IBM", "AAPL", "MSFT", "XRX", "AMZN", "DELL", "GOOGL", "ADBE")
TRAIN_ENDS = dt.datetime(2009, 12, 31, 23, 59, 59)


@pytest.fixture(scope="module")
def prices() -> pl.DataFrame:
    return wk.load_prices(DATA, folder=Path.cwd()).frame


@pytest.fixture(scope="module")
def traded(prices) -> pl.DataFrame:
    return prices.filter(pl.col("symbol").is_in(SYMBOLS), pl.col("timestamp") <= TRAIN_ENDS)


@pytest.fixture(scope="module")
def catalog(small):
    with wk.open_catalog(small.parent) as opened:
        yield opened


@pytest.fixture(scope="module")
def replays(catalog, traded) -> dict[str, object]:
    signals = catalog.table("signals").filter(pl.col("trial_id").str.starts_with("trial_"))
    return {
        trial: wk.replay(rows, traded, execution=wk.Execution())
        for (trial,), rows in signals.partition_by("trial_id", as_dict=True, include_key=False).items()
    }


def document(workspace: Path, name: str) -> dict:
    return json.loads((workspace / name).read_text())


def test_replay_and_summarise_give_the_metrics_that_the_run_recorded(small, replays):
    for trial, replayed in replays.items():
        recorded = document(small, f"performance/{trial}.json")
        assert wk.summarise(replayed.bars, replayed.trades, **ANNUAL) == recorded["metrics"]
        assert (replayed.trades.height, replayed.open_trades) == (recorded["trades"], recorded["open_trades"])


def test_replay_does_not_care_about_the_order_of_rows(catalog, traded):
    signals = catalog.table("signals").filter(pl.col("trial_id") == "trial_0")
    straight = wk.replay(signals, traded, execution=wk.Execution())
    turned = wk.replay(signals.reverse(), traded.reverse(), execution=wk.Execution())
    assert_frame_equal(straight.bars, turned.bars)


def test_replay_without_a_price_or_a_column_is_refused(traded):
    nothing = pl.DataFrame(schema={"timestamp": pl.Datetime("us"), "symbol": pl.String, "action": pl.String})
    nothing = nothing.with_columns(strength=pl.lit(None, pl.Float64))
    assert wk.replay(nothing, traded, execution=wk.Execution()).bars["return"].sum() == 0
    with pytest.raises(PriceError, match="no bar"):
        wk.replay(nothing, traded.clear(), execution=wk.Execution())
    with pytest.raises(SchemaMismatch, match="'close' is missing"):
        wk.replay(nothing, traded.drop("close"), execution=wk.Execution())


def test_regimes_are_those_of_the_run(small, prices):
    closes = prices.filter(pl.col("symbol") == "^GSPC")
    labels = wk.label_regimes(closes, regimes=wk.Regimes(), periods_per_year=12)
    recorded = pl.read_csv(small / "analysis" / "regimes.csv")
    assert labels["regime"].head(recorded.height).to_list() == recorded["regime"].to_list()


def test_best_parameters_are_those_of_the_run(catalog):
    best = wk.best_parameters(
        catalog.table("performance_by_regime"),
        catalog.answer("trials_on_train"),
        metric="sharpe_ratio",
        minimum=wk.Minimum(),
        periods_per_year=12,
    )
    keys = ["workspace", "strategy", "regime"]
    assert_frame_equal(best.sort(keys), catalog.table("regime_params").sort(keys))
    assert best["strategy"][0] is None


def test_each_workspace_has_best_parameters_of_its_own(catalog):
    by_regime, trials = catalog.table("performance_by_regime"), catalog.answer("trials_on_train")
    other = pl.lit("other").alias("workspace")
    both = [pl.concat([frame, frame.with_columns(other)]) for frame in (by_regime, trials)]
    options = {"metric": "cagr", "minimum": wk.Minimum(bars=1), "periods_per_year": 12}
    alone, together = wk.best_parameters(by_regime, trials, **options), wk.best_parameters(*both, **options)
    assert together["workspace"].unique(maintain_order=True).to_list() == ["other", alone["workspace"][0]]
    assert_frame_equal(together.tail(alone.height), alone)


def test_nothing_tried_has_no_best_parameters(catalog):
    by_regime, trials = catalog.table("performance_by_regime"), catalog.answer("trials_on_train")
    options = {"metric": "cagr", "minimum": wk.Minimum(), "periods_per_year": 12}
    assert wk.best_parameters(by_regime.clear(), trials.clear(), **options).is_empty()


def test_correlations_are_those_of_the_run(small, replays):
    returns = pl.DataFrame({trial: each.bars["return"] for trial, each in replays.items()})
    found = wk.correlations(returns, min_overlap=12, window="common")
    assert_frame_equal(found.matrix, pl.read_csv(small / "analysis" / "correlation_matrix.csv"))


def test_the_odds_are_those_of_the_run(small, replays):
    recorded = document(small, "analysis/overfitting.json")
    held = pl.read_csv(small / "analysis" / "returns.csv")["buy_and_hold"].head(240)
    found = wk.overfitting(
        pl.DataFrame({trial: each.bars["return"] for trial, each in replays.items()}).with_columns(held),
        benchmark="buy_and_hold",
        trials_tried=recorded["trials_tried"],
        metric="sharpe_ratio",
        luck=wk.Luck(draws=50, blocks=4),
        seed=42,
        **ANNUAL,
    )
    single = document(small, "analysis/ensemble_weights.json")["best_single_trial"]
    row = found.filter(pl.col("subject") == single).row(0, named=True)
    assert {name: recorded["subjects"][single][name] for name in row if name != "subject"} == {
        name: value for name, value in row.items() if name != "subject"
    }


def noise(columns: int, bars: int = 60, seed: int = 0) -> pl.DataFrame:
    """Made-up returns, a column per member."""
    drawn = np.random.default_rng(seed).normal(0.01, 0.05, (bars, columns))
    return pl.DataFrame(drawn, schema=[f"m{each}" for each in range(columns)])


def weigh(returns: pl.DataFrame, *, metric: str = "sharpe_ratio", **choices: object):
    ensemble = wk.Ensemble(**{"step": 0.25, **choices})
    return wk.ensemble_weights(returns, ensemble=ensemble, metric=metric, seed=1, **ANNUAL)


@given(columns=st.integers(1, 4), seed=st.integers(0, 99), metric=st.sampled_from(["sharpe_ratio", "cagr"]))
@settings(deadline=None, max_examples=30)
def test_no_weight_set_of_the_grid_does_better_than_the_one_chosen(columns, seed, metric):
    returns = noise(columns, seed=seed)
    chosen = weigh(returns, metric=metric)

    def score(weights: list[float]) -> float:
        earned = pl.DataFrame({"return": (returns.to_numpy() * weights).sum(axis=1)})
        return wk.summarise(earned, pl.DataFrame({"return": []}, schema={"return": pl.Float64}), **ANNUAL)[
            metric
        ]

    best = score(chosen.weights["weight"].to_list())
    tried = [row for row in np.ndindex(*[5] * columns) if sum(row) == 4]
    if chosen.reason is None:
        assert all(score([part / 4 for part in row]) <= best + 1e-12 for row in tried)
    assert chosen.sets_tried in {len(tried), len(tried) + 1}


@pytest.mark.parametrize(
    "method", ["equal", "inverse_volatility", "softmax", "minimum_variance", "risk_parity"]
)
def test_weights_are_shares_by_every_method(method):
    chosen = weigh(noise(3), method=method)
    assert chosen.weights["member"].to_list() == ["m0", "m1", "m2"]
    assert chosen.weights["weight"].sum() == pytest.approx(1, abs=1e-9)
    assert (method == "equal") == (chosen.weights["weight"].n_unique() == 1)


def test_a_time_column_is_not_a_member():
    timed = noise(2).insert_column(0, pl.Series("timestamp", [dt.datetime(2020, 1, 1)] * 60))
    assert weigh(timed).weights.equals(weigh(noise(2)).weights)


def test_weights_say_why_they_are_equal_where_every_set_loses():
    chosen = weigh(noise(2).select(-pl.all().abs()), metric="total_return")
    assert chosen.weights["weight"].to_list() == [0.5, 0.5]
    assert "equal weight stands in" in chosen.reason


@pytest.mark.parametrize(
    ("returns", "options", "error", "message"),
    [
        (noise(2), {"metric": "win_rate"}, UsageError, "metric: found 'win_rate'"),
        (noise(2).with_columns(pl.lit(None, pl.Float64).alias("m1")), {}, DataError, "60 value"),
        (noise(2).with_columns(pl.lit(float("nan")).alias("m1")), {}, DataError, "60 value"),
        (noise(2, bars=1), {"method": "risk_parity"}, DataError, "1 bars"),
        (noise(2), {"cap": 0.4, "method": "equal"}, ConfigError, "ensemble.cap"),
    ],
)
def test_what_cannot_be_weighed_is_refused(returns, options, error, message):
    with pytest.raises(error, match=message):
        weigh(returns, **options)


def judge(returns: pl.DataFrame, *, benchmark: str = "m0", tried: int = 9) -> pl.DataFrame:
    luck = wk.Luck(draws=20, blocks=4)
    options = {"metric": "sharpe_ratio", "luck": luck, "seed": 1, **ANNUAL}
    return wk.overfitting(returns, benchmark=benchmark, trials_tried=tried, **options)


def test_more_trials_leave_less_to_skill():
    few, many = (judge(noise(4), tried=tried) for tried in (3, 3000))
    assert few["psr"].to_list() == many["psr"].to_list()
    assert (few["dsr"] > many["dsr"]).all()


def test_a_single_trial_is_judged_without_a_sweep():
    (row,) = judge(noise(2), tried=1).rows(named=True)
    assert row["pbo"] is None
    assert row["dsr"] == row["psr"]


@pytest.mark.parametrize(
    ("options", "message"),
    [({"benchmark": "index"}, "benchmark: found 'index'"), ({"tried": 2}, "found 2 for 3 trials")],
)
def test_odds_that_forget_trials_or_have_no_benchmark_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        judge(noise(4), **options)
