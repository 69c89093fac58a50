"""The numbers of a tear sheet: every measure of every known series, over test and over all periods."""

from collections.abc import Mapping

import polars as pl

from workspace_kit.analysis.measures import excess_returns
from workspace_kit.analysis.overfitting import moments, probabilistic_sharpe
from workspace_kit.analysis.record import track_record
from workspace_kit.analysis.relative import against_benchmark
from workspace_kit.report.series import Period, starting_flat, within
from workspace_kit.schema import TEST

ALL = "all"
BENCHMARK = "benchmark"
Numbers = Mapping[str, float | None]
Periods = Mapping[str, Period]


def statistics_of(
    returns: pl.DataFrame, periods: Periods, *, timezone: str, periods_per_year: float, risk_free_rate: float
) -> dict[str, dict[str, Numbers]]:
    """Return each series' numbers by span (``all``, and ``test`` where it has bars), series and name.

    ``returns`` is the view of that name, naive in UTC; its series ``benchmark`` is what each is held against,
    there and over test from the first close of each period on, as accounts are; months and years are those of
    the zone. Trials have no numbers here: theirs stand in their documents.
    """
    known = (
        returns.filter(pl.col("return").is_finite(), ~pl.col("series").str.starts_with("trial_"))
        .sort("series", "timestamp", "return")
        .unique(["series", "timestamp"], keep="first", maintain_order=True)
    )
    flat = starting_flat(known.filter(pl.col("series") == BENCHMARK), periods)
    is_benchmark = pl.col("series") == BENCHMARK
    known = known.join(
        flat.select("timestamp", benchmark="return"), on="timestamp", how="left", maintain_order="left"
    ).with_columns(compared=pl.when(is_benchmark).then("benchmark").otherwise("return"))
    spans = {ALL: known}
    if TEST in periods:
        spans[TEST] = within(known, periods[TEST]).with_columns(pl.col("compared").alias("return"))
    local = pl.col("timestamp").dt.replace_time_zone("UTC").dt.convert_time_zone(timezone)
    spans = {name: some.with_columns(local.dt.replace_time_zone(None)) for name, some in spans.items()}
    rates = {"periods_per_year": periods_per_year, "risk_free_rate": risk_free_rate}
    return {
        name: {
            series: _numbers(each, rates) | (_odds(each, rates) if name == TEST else {})
            for (series,), each in some.partition_by("series", as_dict=True, maintain_order=True).items()
        }
        for name, some in spans.items()
        if some.height
    }


def _numbers(series: pl.DataFrame, rates: Mapping[str, float]) -> dict[str, float | None]:
    return {
        **track_record(series.select("timestamp", "return"), **rates),
        **against_benchmark(series.select("benchmark", pl.col("compared").alias("return")), **rates),
    }


def _odds(series: pl.DataFrame, rates: Mapping[str, float]) -> dict[str, float | None]:
    """Return the probability that the Sharpe ratio exceeds zero, which means nothing where it was chosen."""
    found = moments(excess_returns(series["return"], **rates))
    if found.sharpe is None or found.skewness is None or found.kurtosis is None:
        return {"psr": None}
    psr = probabilistic_sharpe(
        found.sharpe, hurdle=0.0, bars=found.bars, skewness=found.skewness, kurtosis=found.kurtosis
    )
    return {"psr": psr}
