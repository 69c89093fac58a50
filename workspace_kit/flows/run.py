"""The main job: four phases over one workflow, each ending in a checkpoint, and a page at the end."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from workspace_kit.config import Config
from workspace_kit.errors import UsageError
from workspace_kit.flows.discovery import discover, failed_strategies, labels_until, trials_of
from workspace_kit.flows.ensemble_study import check_ensemble, ensemble_study
from workspace_kit.flows.journal import Journal
from workspace_kit.flows.looks import test_prices
from workspace_kit.flows.market import load_market
from workspace_kit.flows.pages import write_report
from workspace_kit.flows.provenance import environment
from workspace_kit.flows.regime_study import regime_study
from workspace_kit.flows.trip import Reporter, Trip, now, silent
from workspace_kit.flows.validation import NO_VALIDATION, silent_on_test, validate
from workspace_kit.layout import names
from workspace_kit.layout.checkpoint import write_checkpoint, write_marker
from workspace_kit.layout.inventory import inventory
from workspace_kit.layout.lease import leased
from workspace_kit.layout.lifecycle import create_workspace
from workspace_kit.layout.names import DEFAULT_ROOT, Workspace
from workspace_kit.layout.reader import read_bytes
from workspace_kit.schema import PHASES, TEST, TRAIN
from workspace_kit.workflow_file import dump_config, example_text, parse_config, require_trials

Phase = Callable[[Trip, Journal], None]
STEPS: Mapping[str, Phase] = dict(
    zip(PHASES, (discover, regime_study, ensemble_study, validate), strict=True)
)
EXAMPLE = "the packaged example"


class About(NamedTuple):
    """What a person says of one run; null or empty keeps what the configuration says."""

    name: str | None = None
    tags: Sequence[str] = ()
    note: str | None = None

    def of(self, config: Config) -> Config:
        """Return the configuration with what is said here."""
        said = {"name": self.name, "tags": list(self.tags), "note": self.note}
        return msgspec.structs.replace(config, **{key: value for key, value in said.items() if value})


AS_CONFIGURED = About()


def run_workflow(
    config: Path | str | None = None,
    *,
    root: Path | str = DEFAULT_ROOT,
    workspace_id: str | None = None,
    about: About = AS_CONFIGURED,
    until: str = PHASES[-1],
    workers: int | None = None,
    reporter: Reporter = silent,
) -> Workspace:
    """Run a workflow file, or without one the packaged example, and return its workspace.

    ``workspace_id`` is by default the time and eight random digits; ``about`` replaces name, tags and note
    of the configuration; ``until`` is the last phase to run; ``workers`` are processes (default: all cores).
    The same configuration, prices and seed give the same files whatever the number of workers.

    Raises
    ------
    UsageError, NotFound, DataError
        Before anything is written, where the configuration, the prices or a strategy cannot be used.
    """
    if until not in STEPS:
        raise UsageError(
            "until", found=repr(until), expected=f"one of {', '.join(PHASES)}", remedy="correct it"
        )
    told, folder = read_config(config)
    trip = _prepare(
        about.of(told), folder, root=Path(root), name=workspace_id, workers=workers, reporter=reporter
    )
    with leased(trip.workspace):
        carry_out(trip, Journal(trip.workspace, until), PHASES[: PHASES.index(until) + 1])
    return trip.workspace


def carry_out(trip: Trip, journal: Journal, phases: Sequence[str]) -> None:
    """Run phases, each ending in a checkpoint, and after the last of all write the page.

    Raises
    ------
    KeyboardInterrupt
        Interrupted; it says how to go on.
    """
    workspace, sync = trip.workspace, trip.config.durability != "none"
    try:
        if not phases:
            journal.settle()
        for phase in phases:
            if STEPS[phase] is validate and (reason := _unready(trip)):
                journal.note(NO_VALIDATION, reason)
                break
            with journal.during(phase):
                write_marker(
                    workspace, phase, writes=names.PHASE_WRITES[phase], written_at=trip.now, sync=sync
                )
                STEPS[phase](trip, journal)
                _checkpoint(trip, journal, phase)
        if not phases or phases[-1] == PHASES[-1]:
            write_report(workspace)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"Go on with: {workspace.command('resume')}") from None


def _unready(trip: Trip) -> str:
    """Say why the test period, which is looked at once, has to wait; empty where it has not."""
    if silent_ones := silent_on_test(trip):
        return f"no signal in the test period of {', '.join(silent_ones)}"
    if broken := failed_strategies(trip):
        again = trip.workspace.command("resume", "--retry-failed")
        return (
            f"every trial of {', '.join(broken)} failed, so nobody has looked at the test period;"
            f" mend what failed, then `{again}`"
        )
    return ""


def default_workers() -> int:
    """Return the number of cores."""
    return os.cpu_count() or 1


def read_config(path: Path | str | None) -> tuple[Config, Path]:
    """Return a workflow file's content and folder; without a path the packaged example and this folder."""
    if path is None:
        return parse_config(example_text(), where=EXAMPLE), Path.cwd()
    config, folder = read_workflow_file(path)
    return require_trials(config, where=str(path)), folder


def read_workflow_file(path: Path | str) -> tuple[Config, Path]:
    """Return a workflow file's content, which may name no trials, and its folder."""
    place = Path(path).resolve()
    if place.is_dir():
        raise UsageError(str(path), found="a folder", expected="a workflow file", remedy="name a file in it")
    return parse_config(read_bytes(place).decode("utf-8", "replace"), where=str(path)), place.parent


def _prepare(
    config: Config, folder: Path, *, root: Path, name: str | None, workers: int | None, reporter: Reporter
) -> Trip:
    """Load and check everything that can be checked, then claim the workspace."""
    market = load_market(config, folder=folder)
    trials_of(market, folder=folder, root=root)
    labels_until(market, TEST, folder=folder)
    check_ensemble(config)
    market.buy_and_hold(TRAIN)  # every period has bars, and prices what the fills need
    workspace = create_workspace(
        root,
        name,
        config=dump_config(config),
        environment=environment(config, folder=folder, market=market, test_prices=test_prices(market)),
        now=now(),
        durability=config.durability,
    )
    return Trip(workspace, config, folder, market, workers or default_workers(), reporter)


def _checkpoint(trip: Trip, journal: Journal, phase: str) -> None:
    write_checkpoint(
        trip.workspace,
        phase,
        inventory([trip.workspace]),
        state={"failed_trials": journal.failed_trials},
        completed_trials=journal.completed_trials,
        written_at=trip.now,
        sync=trip.config.durability != "none",
    )
