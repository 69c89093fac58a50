"""Which trials other workspaces hold, and how many were tried there."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from workspace_kit.errors import NotFound
from workspace_kit.flows.catalogs import open_catalog
from workspace_kit.flows.inherited import Inherited, inherit, refuse_other_prices
from workspace_kit.flows.market import Market
from workspace_kit.flows.origins import content_of
from workspace_kit.layout import names
from workspace_kit.layout.inventory import find_workspace
from workspace_kit.layout.names import Workspace
from workspace_kit.schema import natural_order


def inherited_trials(sources: Sequence[str], *, root: Path, market: Market) -> list[Inherited]:
    """Return the trials of workspaces that did not fail, by source in the order given, then naturally.

    The same trial found in two workspaces is taken from the first.

    Raises
    ------
    WorkspaceNotFound, NotFound
        A source is not there, or none has a trial.
    PriceError
        A source says that it rests on other prices.
    """
    found = {name: find_workspace(root, name) for name in sources}
    for workspace in found.values():
        refuse_other_prices(workspace, market)
    trials = named_trials(root, sources).filter(pl.col("status") == "ok")
    taken = [row for name in sources for row in trials.filter(pl.col("workspace") == name).rows(named=True)]
    if not taken:
        raise NotFound(
            ", ".join(sources),
            found="no trial that did not fail",
            expected="performance/trial_0.json and its like",
            remedy="choose other workspaces in discovery.from",
        )
    distinct: dict[object, Inherited] = {}
    for row in taken:
        each = inherit(len(distinct), row, found[row["workspace"]])
        distinct.setdefault(each.identity, each)
    return list(distinct.values())


def tried_before(trials: Sequence[Inherited], *, root: Path) -> int:
    """Return how many more trials, failed ones too, and weight sets were tried where these come from."""
    origins = {each.workspace.id: each.workspace for each in trials}
    passed = named_trials(root, list(origins)).filter(pl.col("status") == "ok")["workspace"].to_list()
    return sum(_tried_in(each) - passed.count(name) for name, each in origins.items())


def _tried_in(workspace: Workspace) -> int:
    counted = content_of(workspace, names.ANALYSIS, "overfitting").get("trials_tried")
    return counted if isinstance(counted, int) else named_trials(workspace.root, [workspace.id]).height


def named_trials(root: Path, workspaces: Sequence[str]) -> pl.DataFrame:
    """Return ``workspace, trial_id, strategy, parameters, status`` of every trial, in natural order."""
    with open_catalog(root, workspaces) as catalog:
        return catalog.answer("named_trials").sort("workspace", *natural_order("trial_id"))
