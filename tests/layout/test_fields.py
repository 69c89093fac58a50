import datetime as dt

import pytest

from workspace_kit.layout.fields import Document
from workspace_kit.layout.zones import UTC

HELD = {
    "null": None,
    "flag": True,
    "whole": 3,
    "broken": 1.5,
    "large": 2**53,
    "larger": 2**53 + 1,
    "text": "2020-01-01",
    "list": [1],
    "object": {"a": {"b": 1}, "c": None, "d": 5},
}


@pytest.fixture
def document() -> Document:
    return Document("key", UTC, {})


@pytest.mark.parametrize(
    ("ask", "answers"),
    [
        ("number", {"whole": 3.0, "broken": 1.5, "large": 2.0**53}),
        ("count", {"whole": 3, "large": 2**53}),
        ("text", {"text": "2020-01-01"}),
        ("flag", {"flag": True}),
        ("section", {"object": HELD["object"]}),
        ("moment", {"text": dt.datetime(2020, 1, 1, 23, 59, 59)}),
    ],
)
def test_a_value_of_another_type_is_null_and_a_fault(
    document: Document, ask: str, answers: dict[str, object]
) -> None:
    for name, value in HELD.items():
        document.faults.clear()
        found = getattr(document, ask)(HELD, name)
        wanted = answers.get(name, {} if ask == "section" else None)
        assert (found, type(found)) == (wanted, type(wanted))
        assert len(document.faults) == (name not in answers and value is not None)


def test_what_is_not_there_is_null_and_no_fault(document: Document) -> None:
    for ask in ("number", "count", "text", "flag", "section", "sections", "moment"):
        assert not list(getattr(document, ask)(HELD, "missing") or [])
    assert document.faults == []


def test_objects_within_an_object_come_by_name_and_others_are_faults(document: Document) -> None:
    assert list(document.sections(HELD, "object")) == [("a", {"b": 1}), ("c", {}), ("d", {})]
    assert document.faults == ["'d' is 5, not an object"]


def test_a_fault_shows_little_of_a_long_value(document: Document) -> None:
    document.number({"n" * 1000: "x" * 1000}, "n" * 1000)
    assert len(document.faults[0]) < 120
