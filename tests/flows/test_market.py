"""What a market knows of its benchmark."""

from dataclasses import replace

import msgspec
import numpy as np
import polars as pl
import pytest

from workspace_kit.errors import WorkspaceKitError
from workspace_kit.flows.estimate import cost_of_run
from workspace_kit.flows.market import Market, load_market
from workspace_kit.flows.run import read_config
from workspace_kit.flows.tearsheet import statistics_of
from workspace_kit.schema import PERIODS


@pytest.fixture(scope="module")
def market() -> Market:
    config, folder = read_config(None)
    return load_market(config, folder=folder)


def test_a_year_in_which_a_period_begins_has_all_of_the_benchmarks_return(market):
    earned = pl.concat(market.benchmark_returns(period) for period in PERIODS)
    closes = market.benchmark.group_by(pl.col("timestamp").dt.year().alias("year")).agg(
        pl.col("close").sort_by("timestamp").last()
    )
    close = dict(closes.iter_rows())
    for year in (2010, 2015, 2016, 2017):
        total = (1 + earned.filter(pl.col("timestamp").dt.year() == year)["return"]).product() - 1
        assert total == pytest.approx(close[year] / close[year - 1] - 1, abs=1e-12)
    assert earned["return"][0] == 0.0
    assert earned["timestamp"].is_sorted()


def test_against_accounts_the_benchmark_starts_flat_in_every_period(market):
    held = pl.concat(
        pl.DataFrame(
            {"series": [name] * frame.height, "timestamp": frame["timestamp"], "return": frame["return"]}
        )
        for period in PERIODS
        for name, frame in (
            ("buy_and_hold", market.buy_and_hold(period).bars),
            ("benchmark", market.benchmark_returns(period)),
        )
    )
    rates = {"timezone": "UTC", "periods_per_year": 12.0, "risk_free_rate": 0.0}
    found = statistics_of(held, market.bounds, **rates)
    on_test = market.benchmark_returns("test")["return"].to_numpy()
    assert on_test[0] != 0.0
    assert found["test"]["benchmark"]["total_return"] == pytest.approx(np.prod(1 + on_test[1:]) - 1)
    for span in ("test", "all"):
        assert found[span]["benchmark"]["beta"] == pytest.approx(1.0)
    account = market.buy_and_hold("test").bars["return"].to_numpy()
    flat = np.concatenate(([0.0], on_test[1:]))
    assert found["test"]["buy_and_hold"]["beta"] == pytest.approx(
        np.cov(account, flat)[0, 1] / flat.var(ddof=1)
    )
    assert found["test"]["buy_and_hold"]["psr"] is not None
    assert "psr" not in found["all"]["buy_and_hold"]


@pytest.mark.parametrize(("said", "is_told"), [(12, False), (10, False), (52, True), (252, True), (4, True)])
def test_bars_of_another_kind_than_the_configuration_says_are_remarked_on(market, said, is_told):
    data = msgspec.structs.replace(market.config.data, periods_per_year=float(said))
    remarks = replace(market, config=msgspec.structs.replace(market.config, data=data)).remarks
    assert bool(remarks) == is_told
    assert all(f"about 12 a year, but data.periods_per_year says {said}" in each for each in remarks)


def test_a_dry_run_tries_one_trial_of_each_strategy_and_says_what_it_understood(tmp_path, small_text):
    workflow = tmp_path / "workflow.yaml"
    workflow.write_text(small_text)
    told = str(cost_of_run(workflow, root=tmp_path, workers=2))
    held = "240 bars of train, 72 bars of select, 77 bars of test"
    assert told.startswith(f"8 symbols, {held}; benchmark: ^GSPC\n")
    assert "8 trials, about " in told
    workflow.write_text(small_text.replace("window: [6]", "windov: [6]"))
    with pytest.raises(WorkspaceKitError, match="windov"):
        cost_of_run(workflow, root=tmp_path, workers=2)
    assert list(tmp_path.iterdir()) == [workflow]
