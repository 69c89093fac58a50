"""What a run says of itself while it goes on: state, log and timing; none of it is ever an input."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from workspace_kit import clock
from workspace_kit.flows.origins import content_of
from workspace_kit.flows.trial import Outcome, cause_of
from workspace_kit.flows.trip import wall_clock
from workspace_kit.layout import names
from workspace_kit.layout.names import Workspace
from workspace_kit.layout.reader import log_of
from workspace_kit.layout.trials import FAILED, status_of
from workspace_kit.layout.writer import log_event, write_document
from workspace_kit.schema import PHASES, naturally

HEARTBEAT_SECONDS = 1.0
STARTED, FAILURES = "started", "trials failed"


@dataclass(slots=True)
class Journal:
    """Keeps ``current_state.json``, ``execution_log.json`` and ``phase_timing.json`` of one run.

    ``until`` is the last phase that the run is to make.
    """

    workspace: Workspace
    until: str = PHASES[-1]
    phase: str = ""
    completed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    phases: dict[str, object] = field(default_factory=dict)
    trials: dict[str, object] = field(default_factory=dict)
    first_error: str = ""
    untold: dict[str, str] = field(default_factory=dict)
    last_beat: float = 0.0

    @classmethod
    def resumed(cls, workspace: Workspace, *, until: str) -> "Journal":
        """Go on with the journal of a run that was interrupted."""
        timing = content_of(workspace, names.METADATA, "phase_timing")
        phases, trials = timing.get("phases"), timing.get("trials")
        return cls(workspace, until, phases=dict(phases or {}), trials=dict(trials or {}))

    def recall(self, documents: Mapping[str, Mapping[str, Any]]) -> None:
        """Record which trials had ended before, by their documents."""
        self.completed = [trial for trial, each in documents.items() if status_of(each) != FAILED]
        self.failed = [trial for trial, each in documents.items() if status_of(each) == FAILED]
        told = [each.get("detail") for each in log_of(self.workspace) if each.get("event") == FAILURES]
        named = {trial for each in told if isinstance(each, dict) for trial in each.get("trials", ())}
        self.untold = {
            trial: str(documents[trial].get("error")) for trial in self.failed if trial not in named
        }

    @contextmanager
    def during(self, phase: str) -> Iterator[None]:
        """Record that a phase runs, how long it took, and how it ended."""
        self.phase = phase
        started, begun = wall_clock(), time.perf_counter()
        self._tell(STARTED, {"until": self.until})
        self._state("running")
        try:
            yield
        except BaseException as error:
            self._failures()
            self._tell("stopped", cause_of(error))
            self._state("failed")
            raise
        self.phases[phase] = {"started": clock.text(started), "seconds": time.perf_counter() - begun}
        self._timing()
        self._failures()
        self._tell("complete", "")
        self._state("complete")

    @property
    def completed_trials(self) -> list[str]:
        """Trials that ended well, in natural order."""
        return naturally(self.completed)

    @property
    def failed_trials(self) -> list[str]:
        """Trials that failed, in natural order."""
        return naturally(self.failed)

    def trial(self, outcome: Outcome) -> None:
        """Record how one trial ended."""
        (self.failed if outcome.error else self.completed).append(outcome.trial_id)
        self.trials[outcome.trial_id] = {"started": clock.text(outcome.started), "seconds": outcome.seconds}
        if outcome.error:
            self.first_error = self.first_error or f"{outcome.trial_id}: {outcome.error}"
            self.untold[outcome.trial_id] = outcome.error
        if time.monotonic() - self.last_beat > HEARTBEAT_SECONDS:
            self._state("running")
            self._timing()
            self._failures()

    def settle(self) -> None:
        """Record that the last phase is complete, which a run killed just then could not do itself."""
        self._state("complete")

    def note(self, event: str, detail: str | Mapping[str, object]) -> None:
        """Record anything else that happened."""
        self._tell(event, detail)

    def _tell(self, event: str, detail: str | Mapping[str, object]) -> None:
        log_event(
            self.workspace, at=wall_clock(), phase=self.phase, event=event, trial_id=None, detail=detail
        )

    def _failures(self) -> None:
        """Log which trials have failed since it was last said: each event writes the whole log anew."""
        if self.untold:
            first, error = next(iter(self.untold.items()))
            self._tell(FAILURES, {"trials": list(self.untold), "first_error": f"{first}: {error}"})
            self.untold = {}

    def _state(self, state: str) -> None:
        self.last_beat = time.monotonic()
        content = {
            "phase": self.phase,
            "state": state,
            "completed_trials": self.completed_trials,
            "failed_trials": self.failed_trials,
            "heartbeat": clock.text(wall_clock()),
        }
        write_document(
            self.workspace, names.STATE, "current_state", content, written_at=wall_clock(), durability="none"
        )

    def _timing(self) -> None:
        content = {
            "phases": self.phases,
            "trials": {trial: self.trials[trial] for trial in naturally(self.trials)},
        }
        write_document(
            self.workspace,
            names.METADATA,
            "phase_timing",
            content,
            written_at=wall_clock(),
            durability="none",
        )


def last_phase(workspace: Workspace) -> str:
    """Return the last phase that the latest run or resume was to make: all of them where it does not say."""
    events = [each for each in log_of(workspace) if isinstance(each, dict)]
    told = [each.get("detail") for each in events if each.get("event") == STARTED]
    until = told[-1].get("until") if told and isinstance(told[-1], dict) else None
    return until if until in PHASES else PHASES[-1]
