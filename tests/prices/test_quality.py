"""What prices lack, symbol by symbol."""

import datetime as dt

import polars as pl

from workspace_kit.prices import price_quality
from workspace_kit.prices.check import WARNINGS
from workspace_kit.schema import PRICE_QUALITY, PRICES

DAY = dt.datetime(2020, 1, 1)


def prices(**closes: list[float | None]) -> pl.DataFrame:
    rows = [
        {"timestamp": DAY + dt.timedelta(days=at), "symbol": symbol, "close": close}
        for symbol, series in closes.items()
        for at, close in enumerate(series)
        if close is not None
    ]
    return PRICES.frame(rows)


def test_gaps_late_listings_early_ends_and_stale_closes_are_counted():
    frame = prices(
        WHOLE=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        GAPS=[1.0, None, 2.0, None, None, 3.0],
        LATE=[None, None, 1.0, 1.0, 1.0, None],
    )
    moved = WARNINGS.frame([{"symbol": "GAPS", "timestamp": DAY, "change": 1.0, "reason": "near 2 for 1"}])
    found = price_quality(frame, moved).rows_by_key("symbol", named=True, unique=True)
    assert [found["GAPS"][name] for name in ("bars", "missing", "longest_gap")] == [3, 3, 2]
    assert [found["LATE"][name] for name in ("late", "early_end", "longest_stale")] == [2, 1, 2]
    assert [found[name]["suspicious"] for name in ("WHOLE", "GAPS")] == [0, 1]
    assert found["WHOLE"]["missing"] == found["WHOLE"]["late"] == found["WHOLE"]["longest_stale"] == 0


def test_a_single_price_and_no_price_have_a_table():
    one = price_quality(prices(ONE=[1.0]), WARNINGS.empty())
    assert one.schema == PRICE_QUALITY.empty().schema
    assert one.row(0)[3:] == (1, 0, 0, 0, 0, 0, 0)
    assert price_quality(PRICES.empty(), WARNINGS.empty()).schema == PRICE_QUALITY.empty().schema
