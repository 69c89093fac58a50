"""What the trials of a finished workspace rest on: its configuration, its prices, its rules."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import polars as pl

from workspace_kit.config import Config
from workspace_kit.errors import NotFound, PriceError, WorkspaceKitError
from workspace_kit.flows.market import Market, load_market
from workspace_kit.flows.provenance import digest_of
from workspace_kit.layout import names
from workspace_kit.layout.names import FileKind, Workspace
from workspace_kit.layout.reader import document_of, read_bytes
from workspace_kit.schema import TEXT
from workspace_kit.workflow_file import parse_config

_DIGESTS = {"workspace": TEXT, "strategy": TEXT, "prices_digest": TEXT, "rules_digest": TEXT}


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


def with_digests(
    trials: pl.DataFrame, origins: Mapping[str, Origin], *, periods: Sequence[str]
) -> pl.DataFrame:
    """Add ``prices_digest`` and ``rules_digest`` to rows with ``workspace, strategy``; null where not known.

    Rules are all that decides numbers over those periods beside parameters and prices: the strategy's
    function, the calendar, the symbols, the periods' bounds and the execution.
    """
    pairs = trials.select("workspace", "strategy").unique(maintain_order=True)
    rows = [
        (name, strategy, origins[name].prices_digest, _rules(origins[name].config, strategy, periods))
        for name, strategy in pairs.iter_rows()
    ]
    digests = pl.DataFrame(rows, schema=_DIGESTS, orient="row")
    return trials.join(
        digests, on=["workspace", "strategy"], how="left", nulls_equal=True, maintain_order="left"
    )


def _rules(config: Config | None, strategy: str | None, periods: Sequence[str]) -> str | None:
    functions = {each.name: each.function for each in config.strategies} if config else {}
    if config is None or strategy not in functions:
        return None
    data = msgspec.to_builtins(config.data)
    rules = {
        "function": functions[strategy],
        "data": {key: value for key, value in data.items() if key != "prices"},
        "execution": msgspec.to_builtins(config.execution),
        "periods": [msgspec.to_builtins(getattr(config.periods, name)) for name in periods],
    }
    return digest_of(rules)


def common_market(origins: Sequence[Origin]) -> dict[str, Market]:
    """Load the prices of workspaces again, by workspace, after making sure that all rest on the same.

    Raises
    ------
    NotFound
        A workspace does not say which prices it used.
    PriceError
        Two workspaces used different prices, or the source holds others by now; both digests are named.
    """
    for origin in origins:
        first, other = origins[0].prices_digest, origin.prices_digest
        if first and other and first != other:
            raise PriceError(
                f"workspaces {origins[0].workspace.id} and {origin.workspace.id}",
                found=f"prices {first} and {other}",
                expected="the same prices in both",
                remedy="leave one out, or run it again on the other's prices",
            )
    return {origin.workspace.id: _market(origin) for origin in origins}


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
