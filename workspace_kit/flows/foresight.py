"""A strategy may not know what comes after the bar it speaks at: it is asked again, later prices withheld."""

from collections.abc import Callable

import numpy as np
import polars as pl

from workspace_kit.analysis.replay import Matrix, targets
from workspace_kit.errors import LookAheadError
from workspace_kit.flows.market import Market
from workspace_kit.schema import TRAIN

CUTS = (2 / 5, 4 / 5)


def refuse_foresight(ask: Callable[[pl.DataFrame], pl.DataFrame], market: Market, *, where: str) -> None:
    """Ask for signals on train, and again on prices that end earlier: until then the targets must agree.

    Raises
    ------
    LookAheadError
        It does not: the strategy used later prices, or chance without a seed.
    """
    bars, prices = market.bars(TRAIN), market.until(TRAIN)

    def wanted(known: pl.DataFrame) -> Matrix:
        return targets(ask(known), bars, execution=market.config.execution, on_duplicate="error").values

    whole = wanted(prices)
    for cut in CUTS:
        last = int(cut * (bars.timestamps.len() - 1))
        moment = bars.timestamps[last]
        known = wanted(prices.filter(pl.col("timestamp") <= moment))
        if not np.array_equal(whole[: last + 1], known[: last + 1]):
            raise LookAheadError(
                where,
                found=f"other signals up to {moment} once later prices are known",
                expected="signals that rest on nothing after their own bar",
                remedy="use no shift(-1), no statistics of the whole series, and a seed for anything random",
            )
