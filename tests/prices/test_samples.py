import datetime as dt
import importlib.util
from pathlib import Path

import polars as pl
import pytest

from workspace_kit.config import Data
from workspace_kit.errors import ConfigError
from workspace_kit.prices import load_prices

moment = dt.datetime.fromisoformat

HERE = Path()


def test_the_stocks_are_389_month_ends_dated_when_they_were_known() -> None:
    prices = load_prices(Data(prices="sample:stocks", periods_per_year=12, benchmark="^GSPC"), folder=HERE)
    bars = prices.frame.filter(pl.col("symbol") == "^GSPC")
    assert bars.height == prices.frame["timestamp"].n_unique() == 389
    assert bars.row(0) == (moment("1990-01-31T23:59:59"), "^GSPC", 329.0799865722656)
    assert bars.row(-1)[0] == moment("2022-05-31T23:59:59")
    assert bars["timestamp"].dt.date().eq(bars["timestamp"].dt.date().dt.month_end()).all()
    assert prices.frame["symbol"].n_unique() == 10
    assert "survivors" in prices.source


def test_stocks_begin_when_they_were_listed() -> None:
    prices = load_prices(Data(prices="sample:stocks", periods_per_year=12), folder=HERE)
    first = prices.frame.group_by("symbol").agg(pl.col("timestamp").min().dt.year())
    years = dict(first.rows())
    assert years["IBM"] == 1990
    assert years["GOOGL"] > years["AMZN"] > 1990


def test_an_unknown_sample_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean sample:stocks"):
        load_prices(Data(prices="sample:stock", periods_per_year=12), folder=HERE)


def test_a_sample_of_a_package_that_is_missing_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"pip install 'workspace-kit\[demo\]'"):
        load_prices(Data(prices="sample:sp500", periods_per_year=252), folder=HERE)


@pytest.mark.skipif(importlib.util.find_spec("skfolio") is None, reason="needs the extra demo")
def test_the_daily_sample_is_8313_days_of_20_stocks_and_the_index() -> None:
    prices = load_prices(Data(prices="sample:sp500", periods_per_year=252, benchmark="SP500"), folder=HERE)
    counts = prices.frame.group_by("symbol").len()
    assert counts.height == 21
    assert counts["len"].unique().to_list() == [8313]
