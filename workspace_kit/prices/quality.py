"""What prices lack: gaps, stale stretches, late listings. Nothing is mended here."""

import polars as pl

from workspace_kit.schema import PRICE_QUALITY


def price_quality(prices: pl.DataFrame, warnings: pl.DataFrame) -> pl.DataFrame:
    """Return `schema.PRICE_QUALITY` of a long price frame, one row a symbol, by name.

    A bar is an instant at which any of the symbols has a price; ``warnings`` are suspicious moves.
    """
    calendar = prices.select("timestamp").unique().sort("timestamp").with_row_index("at")
    known = prices.join(calendar, on="timestamp", maintain_order="left").sort("symbol", "at")
    at, last = pl.col("at").cast(pl.Int64), calendar.height - 1
    gap = at.diff() - 1
    # Equal closes in a row make one run; a run of n has n - 1 bars without a change.
    stale = pl.col("close").rle().struct.field("len").max().cast(pl.Int64) - 1
    moves = warnings.group_by("symbol").agg(pl.len().cast(pl.Int64).alias("suspicious"))
    found = known.group_by("symbol", maintain_order=True).agg(
        pl.col("timestamp").first().alias("first"),
        pl.col("timestamp").last().alias("last"),
        pl.len().cast(pl.Int64).alias("bars"),
        gap.sum().alias("missing"),
        gap.max().fill_null(0).alias("longest_gap"),
        at.first().alias("late"),
        (last - at.last()).alias("early_end"),
        stale.alias("longest_stale"),
    )
    joined = found.join(moves, on="symbol", how="left", maintain_order="left")
    return joined.with_columns(pl.col("suspicious").fill_null(0)).select(PRICE_QUALITY.names)
