"""What a run logs of itself: every trial that failed, and never the whole log anew for each of them."""

import datetime as dt
import math
from contextlib import suppress

from workspace_kit import storage
from workspace_kit.flows import journal
from workspace_kit.flows.journal import Journal
from workspace_kit.flows.trial import Outcome
from workspace_kit.layout.reader import log_of

NOW = dt.datetime(2026, 1, 2)


def failing(book: Journal, count: int) -> None:
    """End trials, every other one by failing."""
    for number in range(count):
        error = f"ValueError: {number}" if number % 2 else None
        book.trial(Outcome(f"trial_{number}", error, NOW, 0.1))


def failures(workspace) -> list[dict]:
    return [event["detail"] for event in log_of(workspace) if event["event"] == "trials failed"]


def test_however_many_trials_fail_one_event_names_them_all(workspace, monkeypatch):
    monkeypatch.setattr(journal, "HEARTBEAT_SECONDS", math.inf)
    written: list[str] = []
    with storage.watch_operations(
        lambda operation, path: written.append(path.name) if operation == "replace" else None
    ):
        book = Journal(workspace)
        with book.during("phase_1"):
            failing(book, 200)
    named = [f"trial_{number}" for number in range(1, 200, 2)]
    assert failures(workspace) == [{"trials": named, "first_error": "trial_1: ValueError: 1"}]
    assert written.count("execution_log.json") == 3


def test_the_log_says_at_every_heartbeat_what_has_failed_since_the_last(workspace, monkeypatch):
    monkeypatch.setattr(journal, "HEARTBEAT_SECONDS", -1.0)
    book = Journal(workspace)
    with book.during("phase_1"):
        failing(book, 6)
    told = [["trial_1"], ["trial_3"], ["trial_5"]]
    assert [each["trials"] for each in failures(workspace)] == told
    assert [each["first_error"] for each in failures(workspace)] == [
        f"trial_{number}: ValueError: {number}" for number in (1, 3, 5)
    ]


def test_a_phase_that_is_stopped_says_before_its_end_what_had_failed(workspace, monkeypatch):
    monkeypatch.setattr(journal, "HEARTBEAT_SECONDS", math.inf)
    book = Journal(workspace)
    with suppress(KeyboardInterrupt), book.during("phase_1"):
        failing(book, 4)
        raise KeyboardInterrupt
    assert [event["event"] for event in log_of(workspace)] == ["started", "trials failed", "stopped"]
    assert failures(workspace)[0]["trials"] == ["trial_1", "trial_3"]


def test_what_failed_just_before_a_kill_is_logged_when_the_run_goes_on(workspace, monkeypatch):
    monkeypatch.setattr(journal, "HEARTBEAT_SECONDS", math.inf)
    documents = {
        f"trial_{number}": {"status": "failed", "error": f"ValueError: {number}"} for number in range(3)
    }
    book = Journal(workspace)
    with book.during("phase_1"):
        book.recall({"trial_0": documents["trial_0"]})
    again = Journal(workspace)
    with again.during("phase_1"):
        again.recall(documents)
    assert [each["trials"] for each in failures(workspace)] == [["trial_0"], ["trial_1", "trial_2"]]
    assert failures(workspace)[1]["first_error"] == "trial_1: ValueError: 1"
