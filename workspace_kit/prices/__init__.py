"""MARKET: CSV, Parquet, JSONL and packaged samples become one price frame, with its digest.

``source`` finds a frame, ``shape`` makes it long, ``times`` and ``check`` type it and refuse what no return
can be computed from, ``load`` does all of that, ``quality`` says what they lack, ``market`` answers what
the rest asks of prices.
"""

from workspace_kit.prices.load import Prices, digests_by_month, load_prices
from workspace_kit.prices.market import benchmark_closes, day_bounds, traded_symbols
from workspace_kit.prices.quality import price_quality

__all__ = [
    "Prices",
    "benchmark_closes",
    "day_bounds",
    "digests_by_month",
    "load_prices",
    "price_quality",
    "traded_symbols",
]
