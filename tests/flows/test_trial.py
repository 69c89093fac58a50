"""What is recorded of a trial that failed."""

from workspace_kit.flows.trial import MOST_TOLD, cause_of


def test_of_a_long_message_the_beginning_and_the_length_are_recorded():
    told = cause_of(ValueError("x" * 1_000_000))
    assert told.startswith("ValueError: xxx")
    assert told.endswith("x … of 1000012 characters")
    assert len(told) < MOST_TOLD + 40


def test_a_short_message_is_recorded_whole():
    assert cause_of(ValueError("no such symbol")) == "ValueError: no such symbol"
