"""What the trials of a finished workspace rest on: its configuration, its prices, its rules."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import polars as pl

from workspace_kit.config import Config, Strategy
from workspace_kit.errors import NotFound, PriceError, WorkspaceKitError
from workspace_kit.flows.market import Market, load_market
from workspace_kit.flows.provenance import digest_of
from workspace_kit.layout import names
from workspace_kit.layout.names import FileKind, Workspace
from workspace_kit.layout.reader import document_of, read_bytes
from workspace_kit.schema import TEXT
from workspace_kit.workflow_file import parse_config

DIGESTS = {"workspace": TEXT, "strategy": TEXT, "prices_digest": TEXT, "rules_digest": TEXT}


class Origin(NamedTuple):
    """What one workspace says of its making; null where it was made by another program."""

    workspace: Workspace
    config: Config | None
    prices_digest: str | None
    folder: str | None


def origin_of(workspace: Workspace) -> Origin:
    """Return what a workspace says of its making, null for what it does not say."""
    environment = content_of(workspace, names.METADATA, "environment")
    prices, folder = environment.get("prices"), environment.get("config_folder")
    digest = prices.get("digest") if isinstance(prices, dict) else None
    return Origin(
        workspace,
        config_of(workspace),
        digest if isinstance(digest, str) else None,
        folder if isinstance(folder, str) else None,
    )


def digests_of(origins: Iterable[Origin], *, periods: Iterable[str]) -> pl.DataFrame:
    """Return ``workspace, strategy, prices_digest, rules_digest`` for each strategy that a workspace names.

    Rules are all that decides numbers over those periods beside parameters and prices: the strategy's
    function, the calendar, the symbols, the periods' bounds and the execution. Where the configuration is
    not one of ours, the strategy is null.
    """
    named = list(periods)
    rows = [
        (origin.workspace.id, strategy and strategy.name, origin.prices_digest, rules)
        for origin in origins
        for strategy, rules in _rules(origin.config, named)
    ]
    return pl.DataFrame(rows, schema=DIGESTS, orient="row")


def _rules(config: Config | None, periods: list[str]) -> list[tuple[Strategy | None, str | None]]:
    if config is None:
        return [(None, None)]
    told: dict[str, Any] = msgspec.to_builtins(config)
    data = {key: value for key, value in told["data"].items() if key != "prices"}
    shared = {"data": data, "execution": told["execution"], "periods": [told["periods"][each] for each in periods]}
    return [(each, digest_of({**shared, "function": each.function})) for each in config.strategies]


def markets_of(origins: Iterable[Origin]) -> dict[str, Market]:
    """Load the prices of workspaces again, by workspace; all have to rest on the same.

    Raises
    ------
    NotFound
        A workspace does not say which prices it used.
    PriceError
        Two workspaces used different prices, or the source holds others by now; both digests are named.
    """
    markets: dict[str, Market] = {}
    first: Origin | None = None
    for origin in origins:
        first = first or origin
        markets[origin.workspace.id] = _market(origin)
        if origin.prices_digest != first.prices_digest:
            raise PriceError(
                f"workspaces {first.workspace.id} and {origin.workspace.id}",
                found=f"prices {first.prices_digest} and {origin.prices_digest}",
                expected="the same prices in both",
                remedy="run one of the workflows again on the other's prices",
            )
    return markets


def _market(origin: Origin) -> Market:
    if origin.config is None or origin.folder is None or origin.prices_digest is None:
        raise NotFound(
            str(origin.workspace.path),
            found="no record of the prices used",
            expected="a workspace that `workspace-kit run` made",
            remedy="leave it out",
        )
    market = load_market(origin.config, folder=Path(origin.folder))
    if market.digest != origin.prices_digest:
        raise PriceError(
            origin.config.data.prices,
            found=f"prices {market.digest}",
            expected=f"those that workspace {origin.workspace.id} used, {origin.prices_digest}",
            remedy="restore them",
        )
    return market


def config_of(workspace: Workspace) -> Config | None:
    """Return the workspace's configuration where it is one of ours."""
    try:
        text = read_bytes(workspace.file(names.CONFIG, "config")).decode("utf-8", "replace")
        return parse_config(text, where=str(workspace.path))
    except WorkspaceKitError:
        return None


def content_of(workspace: Workspace, kind: FileKind, key: str) -> dict[str, Any]:
    """Return a document's content, empty where it is not there or cannot be read."""
    try:
        return document_of(workspace.file(kind, key))
    except WorkspaceKitError:
        return {}
