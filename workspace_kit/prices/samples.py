"""Real prices that installed packages carry; they are found without importing the package."""

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from workspace_kit.errors import ConfigError, FileDamaged


@dataclass(frozen=True, slots=True)
class Sample:
    """One packaged data set: how it is read, and what a reader of results must know about it."""

    read: Callable[[], pl.DataFrame]
    about: str


def _stocks() -> pl.DataFrame:
    """Month-end closes, wide.

    A row dated the first holds its month's last close, so it is dated the month's last day: as printed it
    would be known a month before it was. Rows in mid-month are empty, and June 2022 had not ended.
    """
    day = pl.col("Date").str.to_date("%Y-%m-%d")
    raw = _csv("matplotlib", "mpl-data/sample_data/Stocks.csv", remedy="install Matplotlib again")
    return raw.filter(day.dt.day() == 1, day < pl.date(2022, 6, 1)).with_columns(
        day.dt.month_end().dt.to_string("%Y-%m-%d")
    )


def _sp500() -> pl.DataFrame:
    """Daily closes, wide: the stocks, then the index."""
    remedy = "pip install 'workspace-kit[demo]'"
    stocks = _csv("skfolio", "datasets/data/sp500_dataset.csv.gz", remedy=remedy)
    index = _csv("skfolio", "datasets/data/sp500_index.csv.gz", remedy=remedy)
    return stocks.join(index, on="Date", how="full", coalesce=True, maintain_order="left_right")


def _csv(package: str, path: str, *, remedy: str) -> pl.DataFrame:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(
            "key data.prices",
            found=f"a sample of the package {package}, which is not installed",
            expected="its data",
            remedy=remedy,
        )
    file = Path(spec.submodule_search_locations[0]) / path
    if not file.is_file():
        raise FileDamaged(
            f"package {package}", found=f"no file {path}", expected="its sample data", remedy=remedy
        )
    return pl.read_csv(file.read_bytes(), infer_schema=False, comment_prefix="#")


SAMPLES: Mapping[str, Sample] = {
    "stocks": Sample(
        _stocks,
        "Matplotlib's Stocks.csv, monthly closes 1990-2022; the eight stocks are today's survivors and "
        "adjusted for dividends, the two indexes are not, so results flatter every long strategy",
    ),
    "sp500": Sample(
        _sp500,
        "skfolio's daily closes 1990-2022; the 20 stocks are today's survivors and adjusted for dividends, "
        "the index is not, so results flatter every long strategy",
    ),
}
