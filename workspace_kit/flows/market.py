"""What one workflow trades: its prices, symbols, benchmark and the bounds of its periods."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec
import polars as pl

from workspace_kit.analysis.replay import Bars, Replay, bars, buy_and_hold, replay
from workspace_kit.config import Config
from workspace_kit.prices import benchmark_closes, day_bounds, load_prices, traded_symbols
from workspace_kit.schema import PERIODS, TRAIN

_YEAR = dt.timedelta(days=365.25)
# Holidays, gaps and calendars of other markets lie well within; another kind of bar lies well beyond.
_FAR_APART = 1.5


@dataclass(frozen=True, eq=False)
class Market:
    """Prices of the traded symbols (long, by symbol and time), the benchmark's closes, and the periods.

    ``source`` says where they came from and what a reader of results must know; ``digest`` is that of the
    whole source; ``warnings`` are suspicious moves.
    """

    config: Config
    prices: pl.DataFrame
    symbols: tuple[str, ...]
    benchmark: pl.DataFrame
    source: str
    digest: str
    warnings: pl.DataFrame

    @cached_property
    def bounds(self) -> Mapping[str, tuple[dt.datetime, dt.datetime]]:
        """First and last instant of each period, naive in UTC."""
        zone = self.config.data.timezone
        return {name: day_bounds(*getattr(self.config.periods, name), timezone=zone) for name in PERIODS}

    @cached_property
    def _bars(self) -> Mapping[str, Bars]:
        return {
            name: bars(self.prices, symbols=self.symbols, start=start, end=end)
            for name, (start, end) in self.bounds.items()
        }

    @property
    def benchmark_name(self) -> str:
        """What the benchmark is: a symbol, or the index made of the traded ones."""
        return self.config.data.benchmark or f"equal-weight index of {', '.join(self.symbols)}"

    @property
    def remarks(self) -> list[str]:
        """What the configuration says of the bars and they do not: so many a year, by those of train."""
        stamps, said = self.bars(TRAIN).timestamps, self.config.data.periods_per_year
        years = (stamps[-1] - stamps[0]) / _YEAR if stamps.len() > 1 else 0.0
        found = (stamps.len() - 1) / years if years else said
        if max(found / said, said / found) <= _FAR_APART:
            return []
        return [
            f"The {stamps.len()} bars of train are about {found:.0f} a year, but data.periods_per_year says"
            f" {said:g}: every annualised number rests on it."
        ]

    def until(self, period: str) -> pl.DataFrame:
        """Prices up to a period's end: all that a strategy may see when it trades in it."""
        return self.prices.filter(pl.col("timestamp") <= self.bounds[period][1])

    def bars(self, period: str) -> Bars:
        """Return the period's bars of the traded symbols."""
        return self._bars[period]

    def buy_and_hold(self, period: str) -> Replay:
        """Return what the traded symbols earn, bought at their first bar under the same rules and costs."""
        held = self.bars(period)
        return replay(buy_and_hold(held), held, execution=self.config.execution)

    def benchmark_returns(self, period: str) -> pl.DataFrame:
        """Return ``timestamp, return`` of the benchmark on the traded bars, which nobody trades or pays for.

        It is no account: only the first of all periods starts flat, a later one with the move since the bar
        before. Its close at a bar is the latest known then; before its first close there is no return.
        """
        (first, _), (start, end) = self.bounds[PERIODS[0]], self.bounds[period]
        within = pl.col("timestamp").is_between(first, end)
        bar = self.prices.drop_nulls("close").filter(within).select(pl.col("timestamp").unique().sort())
        closes = bar.join_asof(self.benchmark.filter(within), on="timestamp")
        held = bars(
            closes.with_columns(symbol=pl.lit("benchmark")), symbols=["benchmark"], start=first, end=end
        )
        free = msgspec.structs.replace(self.config.execution, cost_bps=0.0, fill="close")
        earned = replay(buy_and_hold(held), held, execution=free).bars
        return earned.filter(pl.col("timestamp") >= start).select("timestamp", "return")


def load_market(config: Config, *, folder: Path) -> Market:
    """Load what a configuration names; relative paths start at ``folder``."""
    prices = load_prices(config.data, folder=folder)
    symbols = traded_symbols(prices.frame, config.data)
    return Market(
        config,
        prices.frame.filter(pl.col("symbol").is_in(symbols)),
        tuple(symbols),
        benchmark_closes(prices.frame, config.data),
        prices.source,
        prices.digest,
        prices.warnings,
    )
