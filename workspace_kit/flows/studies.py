"""Doors for analysis: a workspace by name or folder, many of them as one."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import polars as pl

from workspace_kit.analysis.composite import Counted, unique_trials
from workspace_kit.analysis.correlation import Correlations, correlations
from workspace_kit.errors import UsageError
from workspace_kit.flows.catalogs import open_catalog
from workspace_kit.flows.origins import Origin, common_market, origin_of, with_digests
from workspace_kit.flows.signals import whole_signals
from workspace_kit.flows.trial import replay_signals
from workspace_kit.layout.inventory import find_workspace
from workspace_kit.layout.names import DEFAULT_ROOT
from workspace_kit.schema import SELECT, TABLES, TEST, TEXT, TRAIN, Reading, natural_order
from workspace_kit.views import Catalog

_SWEEP = (TRAIN, SELECT)
_BY_TRIAL = ("workspace", "trial_id")
_VALIDATION = "validation_"


class CompositeWorkspace:
    """Several workspaces of one root as one: every row says which it came from.

    A trial that several of them hold counts once. It is the same trial where strategy and parameters are the
    same and prices, periods and rules are too; where a workspace of another program does not say on which
    prices it rests, its period and what it signalled have to be the same instead.
    """

    def __init__(self, workspace_ids: Sequence[str], root: Path | str = DEFAULT_ROOT) -> None:
        self.root = Path(root)
        self.workspaces = [find_workspace(self.root, name) for name in dict.fromkeys(workspace_ids)]

    def aggregate_signals(self) -> pl.DataFrame:
        """Return the signals of all, those of the same trial once.

        Columns of table ``signals`` and ``found_in``, every place the trial was found in, as a JSON list of
        objects ``workspace, trial_id``. In order of workspace, trial and file. Signals over the test period
        (``validation_0``) belong to the trial of that number; signals of no known trial are all kept.
        """
        with self._catalog() as catalog:
            signals, trials = catalog.table("signals"), catalog.answer("trials_on_train")
        swept, tested = _signal_sets(signals, trials)
        digests = self._digests()
        sets = [digests.added(swept, periods=_SWEEP), digests.added(tested, periods=[TEST])]
        kept = unique_trials(pl.concat(sets, how="diagonal")).rows
        told = signals.join(kept.select(*_BY_TRIAL, "found_in"), on=_BY_TRIAL, maintain_order="left")
        return told.sort("workspace", *natural_order("trial_id"), maintain_order=True)

    def trials(self) -> pl.DataFrame:
        """Return every trial once, with its numbers on train and ``found_in``, as `aggregate_signals` does.

        The digests of prices, rules and signals tell what it rests on, null where that is not known.
        """
        return self._counted().rows

    def conflicts(self) -> pl.DataFrame:
        """Return where the same trial has different numbers in two places (or in one, tried twice).

        Columns ``strategy, parameters, workspace_a, trial_a, workspace_b, trial_b, metric, a, b,
        difference``; a is the one that `trials` counts.
        """
        return self._counted().conflicts

    def correlations(
        self, *, min_overlap: int, period: str = TRAIN, window: Literal["common", "pairwise"] = "common"
    ) -> Correlations:
        """Correlate the returns of every trial with every other, across workspaces, each trial once.

        Saved signals are replayed on the prices recorded, under each workspace's own rules. Trials are
        called ``workspace/trial_id``. Fewer common bars than ``min_overlap`` give null.

        Raises
        ------
        NotFound, PriceError
            A workspace does not say which prices it used, two used different ones, or they have changed.
        """
        if period not in _SWEEP:
            raise UsageError(
                "period", found=repr(period), expected=f"one of {', '.join(_SWEEP)}", remedy="correct it"
            )
        markets = common_market([origin_of(each) for each in self.workspaces])
        counted = self.trials().filter(pl.col("status") == "ok")
        returns = [pl.DataFrame(schema={"timestamp": TABLES["signals"].types["timestamp"]})]
        for workspace in self.workspaces:
            market = markets[workspace.id]
            bars = market.bars(period)
            wanted = counted.filter(pl.col("workspace") == workspace.id)["trial_id"].to_list()
            earned = {
                f"{workspace.id}/{trial}": replay_signals(rows, bars, config=market.config).bars["return"]
                for trial, rows in whole_signals(workspace, wanted).items()
            }
            returns.append(pl.DataFrame({"timestamp": bars.timestamps, **earned}))
        together = pl.concat(returns, how="align").sort("timestamp")
        return correlations(together, min_overlap=min_overlap, window=window)

    def ensemble_weights(self) -> pl.DataFrame:
        """Return table ``ensemble_weights`` of all: a row per workspace and member."""
        return self.read("ensemble_weights").rows

    def faults(self) -> pl.DataFrame:
        """Return table ``faults`` of all: a row per line or file that could not be read."""
        return self.read("faults").rows

    def read(self, table: str) -> Reading:
        """Return a table of all with the faults met, so that nothing is lost silently."""
        with self._catalog() as catalog:
            return Reading(catalog.table(table), catalog.table("faults"))

    def _catalog(self) -> Catalog:
        return open_catalog(self.root, [each.id for each in self.workspaces])

    def _counted(self) -> Counted:
        with self._catalog() as catalog:
            trials = catalog.answer("trials_on_train")
        return unique_trials(self._digests().added(trials, periods=_SWEEP))

    def _digests(self) -> "Digests":
        """Digest signals only of workspaces that do not say on which prices they rest."""
        origins = {each.id: origin_of(each) for each in self.workspaces}
        signalled = pl.DataFrame(schema=dict.fromkeys([*_BY_TRIAL, "signals_digest"], TEXT))
        if unknown := [name for name, origin in origins.items() if origin.prices_digest is None]:
            with open_catalog(self.root, unknown) as catalog:
                signalled = catalog.answer("signal_digests").select(*_BY_TRIAL, signals_digest="digest")
        return Digests(origins, signalled)


class Digests(NamedTuple):
    """What the trials of some workspaces rest on: their origins, and digests of what they signalled."""

    origins: Mapping[str, Origin]
    signalled: pl.DataFrame

    def added(self, trials: pl.DataFrame, *, periods: Sequence[str]) -> pl.DataFrame:
        """Add the digests to trials."""
        known = with_digests(trials, self.origins, periods=periods)
        return known.join(self.signalled, on=_BY_TRIAL, how="left", maintain_order="left")


def _signal_sets(signals: pl.DataFrame, trials: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return a row per trial with signals: those of the sweep, and those over the test period."""
    tested = pl.col("trial_id").str.starts_with(_VALIDATION)
    sets = signals.select(_BY_TRIAL).unique(maintain_order=True)
    of = pl.col("trial_id").str.replace(f"^{_VALIDATION}", "trial_")
    validated = sets.filter(tested).with_columns(of.alias("of"))
    said = trials.select("workspace", "strategy", "parameters", "status", of="trial_id")
    return (
        sets.filter(~tested).join(trials, on=_BY_TRIAL, how="left"),
        validated.join(said, on=["workspace", "of"], how="left").drop("of"),
    )
