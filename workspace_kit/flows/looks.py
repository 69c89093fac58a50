"""How often a test period has been looked at: after the first time it is no longer unseen."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from workspace_kit.flows.market import Market
from workspace_kit.flows.origins import content_of
from workspace_kit.flows.trip import Trip
from workspace_kit.layout import names
from workspace_kit.layout.inventory import inventory, workspaces
from workspace_kit.layout.names import Workspace
from workspace_kit.prices import digests_by_month
from workspace_kit.schema import TEST

LOOKED = (names.VALIDATION.name, names.VALIDATION_SIGNALS.name)


def test_prices(market: Market) -> dict[str, str]:
    """Return a digest of the traded prices of each month of the test period: what a look would look at."""
    within = pl.col("timestamp").is_between(*market.bounds[TEST])
    return digests_by_month(market.prices.filter(within))


def earlier_looks(trip: Trip) -> list[str]:
    """Return the other workspaces of the root that looked at some month of this test period.

    A workspace has looked once a strategy of it has run over test, whether or not it came to an end.
    """
    mine = test_prices(trip.market)
    others = [each for each in workspaces(trip.workspace.root) if each.id != trip.workspace.id]
    return [each.id for each in others if _shares(mine, _recorded(each)) and _has_looked(each)]


def _has_looked(workspace: Workspace) -> bool:
    return inventory([workspace])["kind"].is_in(LOOKED).any()


def _recorded(workspace: Workspace) -> Mapping[str, Any]:
    recorded = content_of(workspace, names.METADATA, "environment").get("test_prices")
    return recorded if isinstance(recorded, dict) else {}


def _shares(mine: Mapping[str, str], theirs: Mapping[str, Any]) -> bool:
    return any(theirs.get(month) == digest for month, digest in mine.items())
