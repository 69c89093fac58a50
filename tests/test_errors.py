import copy
import inspect
import pickle
import re

import pytest

from workspace_kit import errors
from workspace_kit.errors import ConfigError, WorkspaceKitError

KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, WorkspaceKitError) and kind is not WorkspaceKitError
]


def pickled(error):
    return pickle.loads(pickle.dumps(error))  # noqa: S301 - written a moment ago


def test_a_message_says_where_what_was_found_what_was_expected_and_what_to_do() -> None:
    error = ConfigError("flow.yaml, key seed", found="'x'", expected="int", remedy="correct the value")
    assert str(error) == "flow.yaml, key seed: found 'x', expected int; correct the value"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("copied", [pickled, copy.copy, copy.deepcopy])
def test_an_error_survives_the_trip_from_a_worker_process(kind, copied) -> None:
    error = kind("here", found="this", expected="that", remedy="do so")
    back = copied(error)
    assert type(back) is kind
    assert str(back) == str(error)
    assert back.exit_code == error.exit_code


def test_the_tree_in_the_docstring_shows_every_error_with_its_exit_code() -> None:
    drawn = re.findall(r"── (\w+)(?: \(exit (\d)\))?", errors.__doc__)
    assert sorted(name for name, _ in drawn) == sorted(kind.__name__ for kind in KINDS)
    for name, code in drawn:
        assert not code or getattr(errors, name).exit_code == int(code)


def test_every_error_ends_the_program_with_the_code_of_its_family() -> None:
    families = {2: errors.UsageError, 3: errors.NotFound, 5: errors.DataError}
    for kind in KINDS:
        assert issubclass(kind, families.get(kind.exit_code, kind))
        assert kind.exit_code in {2, 3, 4, 5, 6}
