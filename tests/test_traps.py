"""What a domain expert tries: every trap known to make a backtest look better than it is, by name."""

import dataclasses
import datetime as dt
import inspect
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import workspace_kit as wk
from workspace_kit.analysis import measures
from workspace_kit.analysis.correlation import correlations, near_identical
from workspace_kit.analysis.overfitting import expected_maximum_sharpe
from workspace_kit.analysis.regimes import HINDSIGHT, METHODS, label_regimes
from workspace_kit.analysis.replay import bars, buy_and_hold, replay, targets
from workspace_kit.analysis.selection import best_trial
from workspace_kit.analysis.weights import METHODS as WEIGHT_METHODS
from workspace_kit.analysis.weights import Choices, weigh_members
from workspace_kit.config import Data, Execution, Regimes
from workspace_kit.errors import ConfigError, LookAheadError, PriceError, TimezoneError
from workspace_kit.flows.looks import earlier_looks
from workspace_kit.flows.looks import test_prices as seen_prices
from workspace_kit.flows.market import load_market
from workspace_kit.flows.pages import story_of
from workspace_kit.flows.run import read_config
from workspace_kit.flows.signals import whole_signals
from workspace_kit.flows.trial import replay_signals
from workspace_kit.flows.trip import Trip, silent
from workspace_kit.layout.names import Workspace
from workspace_kit.prices import load_prices
from workspace_kit.schema import BEAR, BULL, STRATEGY_SIGNALS, TRAIN
from workspace_kit.workflow_file import example_text, parse_config

ROOT = Path(__file__).parents[1]
SYMBOLS = "IBM, MSFT, XRX"
# `never` and `twin` are traps themselves: trials that never trade, and a strategy that is another's double.
WORKFLOW = f"""
data: {{prices: "sample:stocks", periods_per_year: 12, symbols: [{SYMBOLS}]}}
periods: {{train: [1990-01-01, 2009-12-31], select: [2010-01-01, 2015-12-31], test: [2016-01-01, 2022-05-31]}}
strategies:
  - {{name: momentum, function: momentum, parameters: {{lookback: [3, 24], threshold: [0.0]}}}}
  - {{name: failing, function: crossover, parameters: {{fast: [9], slow: [3, 6]}}}}
  - {{name: never, function: momentum, parameters: {{lookback: [3], threshold: [99.0]}}}}
  - {{name: reversion, function: reversion, parameters: {{window: [6], entry: [0.5]}}}}
  - {{name: twin, function: reversion, parameters: {{window: [6], entry: [0.5]}}}}
regimes: {{minimum: {{bars: 12, episodes: 2, trades: 3}}}}
ensemble: {{step: 0.5}}
luck: {{draws: 50, blocks: 4}}
durability: none
"""
CAUSAL_METHODS = sorted(METHODS.keys() - HINDSIGHT)
DAILY = Data(prices="prices.csv", periods_per_year=252, timezone="America/New_York", close_time="16:00:00")


@pytest.fixture(scope="module")
def workflow(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("traps") / "workflow.yaml"
    path.write_text(WORKFLOW)
    return path


@pytest.fixture(scope="module")
def run(workflow) -> Workspace:
    """One small run, up to the choice of weights."""
    return wk.run_workflow(
        workflow, root=workflow.parent / "results", workspace_id="run", until="phase_3", workers=1
    )


@pytest.fixture(scope="module")
def market(workflow):
    config, folder = read_config(workflow)
    return load_market(config, folder=folder)


def document(run: Workspace, name: str) -> dict:
    return json.loads((run.path / name).read_text())


def trials_of(run: Workspace) -> list[dict]:
    return [document(run, f"performance/trial_{number}.json") for number in range(7)]


def closes(*values: float) -> pl.DataFrame:
    """Long prices of one symbol, a bar a day."""
    days = [dt.datetime(2020, 1, 1) + dt.timedelta(days=bar) for bar in range(len(values))]
    schema = {"timestamp": pl.Datetime("us"), "symbol": pl.String, "close": pl.Float64}
    return pl.DataFrame({"timestamp": days, "symbol": "A", "close": values}, schema=schema)


def bars_of(prices: pl.DataFrame):
    return bars(prices, symbols=["A"], start=prices["timestamp"].min(), end=prices["timestamp"].max())


def loaded(tmp_path: Path, *lines: str, data: Data = DAILY):
    (tmp_path / "prices.csv").write_text("\n".join(["timestamp,symbol,close", *lines]))
    return load_prices(data, folder=tmp_path)


# Looking ahead


def test_a_signal_never_earns_the_bar_that_gave_it():
    prices = closes(100, 200, 100)
    signals = STRATEGY_SIGNALS.frame(
        [{"timestamp": prices["timestamp"][1], "symbol": "A", "action": "BUY", "strength": 1.0}]
    )
    execution = Execution(cost_bps=0)
    wanted = targets(signals, bars_of(prices), execution=execution, on_duplicate="error").values
    assert replay(wanted, bars_of(prices), execution=execution).bars["return"].to_list() == [0, 0, -0.5]


def test_trading_at_the_close_that_gave_the_signal_cannot_be_configured():
    with pytest.raises(ConfigError, match=r"key execution\.delay: found 0"):
        parse_config(example_text().replace("delay: 1", "delay: 0"), where="w")
    with pytest.raises(LookAheadError):
        replay(np.ones((2, 1)), bars_of(closes(1, 2)), execution=Execution(delay=0))


SMOOTHED = """
import polars as pl

def centred(closes):
    smooth = pl.col("close").rolling_mean(5, center=True, min_samples=1)
    label = pl.when(smooth > smooth.shift()).then(pl.lit("bull_market")).otherwise(pl.lit("bear_market"))
    return closes.select("timestamp", label.alias("regime"))
"""


@pytest.mark.parametrize("method", [*sorted(HINDSIGHT), "smoothed_by_a_trap:centred"])
def test_regimes_that_know_the_future_are_refused_before_anything_is_written(tmp_path, monkeypatch, method):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "smoothed_by_a_trap.py").write_text(SMOOTHED)
    (tmp_path / "w.yaml").write_text(WORKFLOW.replace("regimes: {", f"regimes: {{method: '{method}', "))
    with pytest.raises(LookAheadError, match="found labels with basis ex_post") as refused:
        wk.run_workflow(tmp_path / "w.yaml", root=tmp_path / "results", workers=1)
    assert refused.value.exit_code == 2
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("method", CAUSAL_METHODS)
def test_later_prices_never_change_a_label(market, method):
    regimes = Regimes(method=method)
    whole = label_regimes(market.benchmark, regimes=regimes, periods_per_year=12)
    assert set(whole["basis"]) == {"causal"}
    assert whole["regime"].n_unique() > 2
    for bar in range(30, market.benchmark.height, 40):
        past = label_regimes(market.benchmark.head(bar), regimes=regimes, periods_per_year=12)
        assert past.equals(whole.head(bar))


def test_quantiles_of_the_whole_sample_are_found_out(market):
    def terciles(closes: pl.DataFrame) -> pl.DataFrame:
        change = pl.col("close").pct_change().fill_null(0.0)
        high = pl.when(change > change.quantile(2 / 3)).then(pl.lit(BULL)).otherwise(pl.lit(BEAR))
        return closes.select("timestamp", high.alias("regime"))

    labels = label_regimes(market.benchmark, regimes=Regimes(), periods_per_year=12, labeller=terciles)
    assert set(labels["basis"]) == {"ex_post"}


# Choosing on what should judge


@pytest.mark.parametrize(
    ("period", "moved"),
    [("select: [2010-01-01", "select: [2009-12-31"), ("test: [2016-01-01", "test: [2015-12-31")],
)
def test_periods_that_share_a_day_are_refused(period, moved):
    assert period in WORKFLOW
    with pytest.raises(ConfigError, match="disjoint periods in the order train, select, test"):
        parse_config(WORKFLOW.replace(period, moved), where="w")


def test_every_look_at_a_test_period_is_counted(market, tmp_path):
    def looks(root: Path, mine: str) -> list[str]:
        workspace = Workspace(root, mine)
        return earlier_looks(Trip(workspace, market.config, tmp_path, market, 1, silent))

    def seen(start: str, end: str, factor: float) -> dict[str, str]:
        days = (dt.date.fromisoformat(start), dt.date.fromisoformat(end))
        periods = msgspec.structs.replace(market.config.periods, test=days)
        prices = market.prices.with_columns(pl.col("close") * factor)
        config = msgspec.structs.replace(market.config, periods=periods)
        return seen_prices(dataclasses.replace(market, config=config, prices=prices))

    manager = wk.WorkspaceManager(tmp_path)
    for name, start, end, factor, kind in (
        ("same", "2016-01-01", "2022-05-31", 1.0, "performance/validation_results.json"),
        ("overlapping", "2021-01-01", "2023-01-01", 1.0, "signals/validation_0.jsonl"),
        ("earlier", "2010-01-01", "2015-12-31", 1.0, "performance/validation_results.json"),
        ("elsewhere", "2016-01-01", "2022-05-31", 1.1, "performance/validation_results.json"),
        ("not yet", "2016-01-01", "2022-05-31", 1.0, "signals/trial_0.jsonl"),
    ):
        folder = manager.create_workspace({}, name.replace(" ", "_"))
        environment = {"test_prices": seen(start, end, factor)}
        (folder / "metadata" / "environment.json").write_text(json.dumps(environment))
        (folder / kind).write_text("{}")
    assert looks(tmp_path, "mine") == ["overlapping", "same"]
    assert looks(tmp_path, "same") == ["overlapping"]


def test_failed_trials_and_weight_sets_are_trials_too(run):
    trials, luck = trials_of(run), document(run, "analysis/overfitting.json")
    assert [each["status"] for each in trials].count("failed") == 2
    sets = len(list((run.path / "performance").glob("ensemble_trial_*.json")))
    assert sets > 2
    assert luck["trials_tried"] == 7 + sets
    assert {"ensemble", "equal_weight"} < set(luck["subjects"])
    assert {each["trials_tried"] for each in luck["subjects"].values()} == {7 + sets}
    hurdle = expected_maximum_sharpe(7 + sets, deviation=luck["sharpe_deviation"])
    assert luck["luck_hurdle"] == pytest.approx(hurdle * math.sqrt(12)) != 0


def test_the_sweep_alone_counts_failed_trials(run):
    assert document(run, "performance/summary.json")["trials_tried"] == 7
    assert document(run, "analysis/regime_optimal_params.json")["analysis_metadata"]["trials_tried"] == 7


# Units and time


def test_bars_a_year_are_told_and_never_guessed(run):
    with pytest.raises(ConfigError, match="the key 'periods_per_year' in it"):
        parse_config(WORKFLOW.replace("periods_per_year: 12, ", ""), where="w")
    asking = [
        parameter
        for _, function in inspect.getmembers(measures, inspect.isfunction)
        for parameter in inspect.signature(function).parameters.values()
        if parameter.name == "periods_per_year"
    ]
    assert len(asking) > 6
    assert {parameter.default for parameter in asking} == {inspect.Parameter.empty}
    assert {each["periods_per_year"] for each in trials_of(run)} == {12}


def test_bars_within_a_day_are_labelled_through_days():
    days = [100 + 30 * math.sin(day / 30) for day in range(400)]
    start = dt.datetime(2020, 1, 1)
    daily = pl.DataFrame(
        {"timestamp": [start + dt.timedelta(days=day, hours=16) for day in range(400)], "close": days}
    )
    # Seven bars a day, wild but for the last one.
    hours = pl.DataFrame(
        {
            "timestamp": [start + dt.timedelta(days=d, hours=10 + h) for d in range(400) for h in range(7)],
            "close": [days[d] * (1 if h == 6 else 0.5 + 0.2 * h) for d in range(400) for h in range(7)],
        }
    )
    by_day = label_regimes(daily, regimes=Regimes(), periods_per_year=252)["regime"]
    by_hour = label_regimes(hours, regimes=Regimes(), periods_per_year=7 * 252)["regime"]
    assert by_hour.to_list() == [label for label in by_day.shift() for _ in range(7)]
    assert by_day.n_unique() == 4


def test_a_close_keeps_its_local_hour_when_clocks_change(tmp_path):
    times = loaded(tmp_path, "2024-03-08,A,1", "2024-03-11,A,2").frame["timestamp"]
    assert times.to_list() == [dt.datetime(2024, 3, 8, 21), dt.datetime(2024, 3, 11, 20)]


@pytest.mark.parametrize("time", ["2024-03-10T02:30:00", "2024-11-03T01:30:00"])
def test_a_local_time_that_is_skipped_or_comes_twice_is_refused(tmp_path, time):
    with pytest.raises(TimezoneError, match="does not exist or exists twice"):
        loaded(tmp_path, "2024-01-02T16:00:00,A,1", f"{time},A,2")


def test_times_with_and_without_an_offset_do_not_mix(tmp_path):
    with pytest.raises(TimezoneError, match="all times with an offset, or none"):
        loaded(tmp_path, "2024-01-02T16:00:00,A,1", "2024-01-03T16:00:00Z,A,2")


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(100, 150).map(float), min_size=2, max_size=30))
def test_returns_are_simple_and_compound_to_the_ratio_of_prices(values):
    held = bars_of(closes(*values))
    found = replay(buy_and_hold(held), held, execution=Execution(cost_bps=0)).bars
    ratio = values[-1] / values[0]
    assert found.select(measures.total_return("return")).item() == pytest.approx(ratio - 1)
    # Logarithms, taken for returns, would compound to less wherever the price moved.
    logarithms = np.log1p(found["return"].to_numpy())
    assert np.exp(logarithms.sum()) == pytest.approx(ratio)
    if len(set(values)) > 1:
        assert np.prod(1 + logarithms) < ratio


# Order and threads


def test_reversed_and_interleaved_lines_replay_to_the_same(run, market, tmp_path):
    copy = Workspace(tmp_path, "copy")
    wk.WorkspaceManager(tmp_path).create_workspace({}, "copy")
    path = run.path / "signals" / "trial_0.jsonl"
    lines = path.read_text().splitlines()
    (copy.path / "signals" / "trial_0.jsonl").write_text("\n".join(lines[::-2] + lines[-2::-2]) + "\n")
    kept, shuffled = (whole_signals(each, ["trial_0"])["trial_0"] for each in (run, copy))
    assert kept["symbol"].n_unique() == 3
    assert not kept.drop("workspace").equals(shuffled.drop("workspace"))
    found, expected = (
        replay_signals(rows, market.bars(TRAIN), config=market.config) for rows in (shuffled, kept)
    )
    assert found.bars.equals(expected.bars)
    assert found.trades.equals(expected.trades)


RUN = (
    "import os, sys, polars, workspace_kit as wk;"
    "assert polars.thread_pool_size() == int(os.environ['POLARS_MAX_THREADS']);"
    "wk.run_workflow(sys.argv[1], root=sys.argv[2], workspace_id='run', until='phase_3', workers=1)"
)


def test_the_number_of_threads_changes_no_byte(workflow, tmp_path, epoch):
    running = [
        subprocess.Popen(
            [sys.executable, "-c", RUN, str(workflow), str(tmp_path / threads)],
            env={**os.environ, "POLARS_MAX_THREADS": threads, "PYTHONPATH": str(ROOT)},
        )
        for threads in ("1", "2")
    ]
    assert [each.wait() for each in running] == [0, 0]
    one, two = (
        {
            str(path.relative_to(tmp_path / threads)): path.read_bytes()
            for folder in ("signals", "performance", "analysis")
            for path in (tmp_path / threads / "run" / folder).iterdir()
        }
        for threads in ("1", "2")
    )
    assert len(one) > 20
    assert one == two


# Who is best


def flat_and_falling(**columns: object) -> pl.DataFrame:
    rows = {"trial_id": ["trial_0", "trial_1"], "parameters": "{}", "status": "ok", "max_drawdown": -0.1}
    return pl.DataFrame({**rows, **columns})


def foreign(tmp_path: Path, *trials: str) -> Path:
    """A workspace whose performance files another program wrote, metrics as told."""
    folder = wk.WorkspaceManager(tmp_path).create_workspace({}, "foreign")
    for number, metrics in enumerate(trials):
        text = f'{{"trial_id": "trial_{number}", "parameters": {{}}, {metrics}}}'
        (folder / "performance" / f"trial_{number}.json").write_text(text)
    return tmp_path


def leaderboard(root: Path, **parameters: object) -> list[str]:
    with wk.open_catalog(root) as catalog:
        return catalog.answer("leaderboard", parameters)["trial_id"].to_list()


def test_a_trial_that_never_traded_is_never_best(run, tmp_path):
    trials = flat_and_falling(total_return=[0.0, -0.1], trades=[0, 5])
    assert best_trial(trials, metric="total_return")["trial_id"] == "trial_1"
    root = foreign(
        tmp_path,
        '"metrics": {"total_return": 0.0, "sharpe_ratio": 9.0}, "trades": 0',
        '"metrics": {"total_return": -0.1, "sharpe_ratio": 0.1}, "trades": 5',
    )
    assert leaderboard(root, metric="total_return") == ["trial_1"]
    idle = trials_of(run)[4]
    assert (idle["strategy"], idle["trades"], idle["metrics"]["sharpe_ratio"]) == ("never", 0, None)
    assert "never" not in document(run, "analysis/ensemble_weights.json")["members"]
    best = document(run, "performance/summary.json")["best"]
    assert all(each["strategy"] != "never" for each in best.values())


def test_nan_is_never_best_and_nulls_come_last(tmp_path):
    for nothing in (math.nan, None, math.inf):
        trials = flat_and_falling(sharpe_ratio=[nothing, 0.1], trades=5)
        assert best_trial(trials, metric="sharpe_ratio")["trial_id"] == "trial_1"
    root = foreign(
        tmp_path,
        '"metrics": {"sharpe_ratio": NaN}, "trades": 9',
        '"metrics": {"sharpe_ratio": null}, "trades": 9',
        '"metrics": {"sharpe_ratio": 0.5, "max_drawdown": null}, "trades": 9',
        '"metrics": {"sharpe_ratio": 0.5, "max_drawdown": -0.9}, "trades": 9',
        '"metrics": {"sharpe_ratio": 0.7, "max_drawdown": NaN}, "trades": 1',
    )
    assert leaderboard(root) == ["trial_4", "trial_3", "trial_2"]


def test_a_longer_warm_up_does_not_change_the_bars_a_trial_is_measured_on(run, market):
    able = [each for each in trials_of(run) if each["status"] == "ok"]
    assert {each["parameters"].get("lookback") for each in able} > {3, 24}
    assert {(each["bars"], *each["period"].values()) for each in able} == {
        (240, "1990-01-31T23:59:59Z", "2009-12-31T23:59:59Z")
    }
    signals = whole_signals(run, ["trial_1"])["trial_1"]
    returns = replay_signals(signals, market.bars(TRAIN), config=market.config).bars["return"]
    assert returns.head(24).to_list() == [0.0] * 24
    assert returns.head(30).n_unique() > 1
    meta = document(run, "analysis/correlation_matrix.meta.json")
    assert (meta["window"], meta["bars"]) == ("common", 240)


def test_the_best_parameter_at_the_end_of_its_grid_is_flagged(run):
    winners = document(run, "analysis/regime_optimal_params.json")["by_strategy"]
    for entry in winners["momentum"].values():
        assert entry["lookback"] in (3, 24)
        assert entry["edge_of_grid"] is True
    assert {entry["edge_of_grid"] for entry in winners["reversion"].values()} == {False}


def test_a_strategy_that_is_another_s_double_is_named(run):
    assert document(run, "analysis/ensemble_weights.json")["near_identical"] == [["reversion", "twin"]]


@pytest.mark.parametrize("method", WEIGHT_METHODS)
def test_trials_that_are_all_but_identical_are_found_and_still_get_weights(method):
    generator = np.random.default_rng(1)
    one, other = generator.normal(0.01, 0.02, (2, 120))
    returns = np.column_stack([one, one, one + generator.normal(0, 1e-5, 120), other])
    frame = pl.DataFrame(returns, schema=["a", "b", "c", "d"])
    pairs = correlations(frame, min_overlap=2, window="common").pairs
    assert near_identical(pairs) == [["a", "b"], ["a", "c"], ["b", "c"]]
    choices = Choices(cap=1.0, temperature=0.25, linkage="single")
    weights = weigh_members(returns, [1.0] * 4, method=method, choices=choices).values
    assert np.isfinite(weights).all()
    assert (weights >= 0).all()
    assert weights.sum() == pytest.approx(1, abs=1e-9)


# Prices


@pytest.mark.parametrize(
    ("bars_a_year", "price", "reason"),
    [
        (252, "50", "near 2 for 1, as an unadjusted split leaves"),
        (252, "33.4", "near 3 for 1, as an unadjusted split leaves"),
        (252, "200", "near 1 for 2, as an unadjusted split leaves"),
        (252, "300", "near 1 for 3, as an unadjusted split leaves"),
        (252, "142", "beyond 40% in one bar"),
        (12, "252", "beyond 150% in one bar"),
    ],
)
def test_an_unadjusted_split_is_flagged_and_never_fixed(tmp_path, bars_a_year, price, reason):
    data = msgspec.structs.replace(DAILY, periods_per_year=bars_a_year)
    found = loaded(tmp_path, "2024-01-02,A,100", f"2024-01-03,A,{price}", data=data)
    assert found.warnings["reason"].to_list() == [reason]
    assert found.frame["close"].to_list() == [100, float(price)]


def test_an_ordinary_move_is_not_flagged(tmp_path):
    assert loaded(tmp_path, "2024-01-02,A,100", "2024-01-03,A,139").warnings.is_empty()


@pytest.mark.parametrize("price", ["0", "-37.63", "nan", "inf"])
def test_a_price_that_is_not_positive_stops_the_run_before_anything_is_written(tmp_path, price):
    (tmp_path / "prices.csv").write_text(
        f"timestamp,symbol,close\n2020-04-17,IBM,18\n2020-04-20,IBM,{price}\n"
    )
    (tmp_path / "w.yaml").write_text(WORKFLOW.replace("sample:stocks", "prices.csv"))
    with pytest.raises(PriceError, match="expected a positive finite number") as refused:
        wk.run_workflow(tmp_path / "w.yaml", root=tmp_path / "results", workers=1)
    assert refused.value.exit_code == 5
    assert not (tmp_path / "results").exists()


def test_without_a_benchmark_the_index_of_the_traded_symbols_stands_in_and_is_named(run):
    name = f"equal-weight index of {SYMBOLS}"
    assert document(run, "metadata/environment.json")["benchmark"] == name
    assert story_of(run).lineage["Benchmark"] == name
