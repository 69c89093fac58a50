import contextlib
import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from workspace_kit.errors import ConfigError
from workspace_kit.plain_yaml import MAX_BYTES, dump_yaml, load_yaml

LOOKS_LIKE_SOMETHING_ELSE = (
    *(
        "NO",
        "yes",
        "16:00",
        "0700",
        "0008",
        "1e5",
        "0x1F",
        "0o7",
        "1_000",
        "2020-01-01",
        "null",
        "~",
        "",
        "True",
    ),
    *(
        ".inf",
        ".nan",
        "-",
        "#x",
        "a: b",
        " a",
        "a ",
        "a\nb",
        "\t",
        "!x",
        "&a",
        "*a",
        "<<",
        "=",
        "%a",
        "'",
        '"',
    ),
    *("\x85", "\x7f", "\u2028", "\ufeff", "\U0001f600", "\x00"),
)
texts = st.sampled_from(LOOKS_LIKE_SOMETHING_ELSE) | st.text(max_size=12)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
plain = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None, max_examples=80)
@given(plain)
@example(list(LOOKS_LIKE_SOMETHING_ELSE))
def test_what_is_written_is_read_back_as_it_was(document: object) -> None:
    assert load_yaml(dump_yaml(document), where="here") == document


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"),
        ("yes", "yes"),
        ("16:00", "16:00"),
        ("2020-01-01", "2020-01-01"),
        ("010", 10),
        ("08", 8),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("-3", -3),
        ("1e5", 100000.0),
        (".5", 0.5),
        ("True", True),
        ("false", False),
        ("Null", None),
        ("", None),
        (".nan", ".nan"),
        ("123456789012345678901234567890", 123456789012345678901234567890),
        ("<<: {a: 1}", {"<<": {"a": 1}}),
    ],
)
def test_only_what_is_plainly_no_text_is_read_as_something_else(text: str, value: object) -> None:
    assert load_yaml(text, where="here") == value


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a: &x 1\nb: *x", "w, line 2: found an alias"),
        ("a: 1\nb: {c: 1, c: 2}", "w, line 2: found the key 'c' twice"),
        ('a: 1\n"a": 2', "w, line 2: found the key 'a' twice"),
        (
            "a: !!python/object:os.system {}",
            "w, line 1: found the tag tag:yaml.org,2002:python/object:os.system",
        ),
        ("a: !!timestamp x", "w, line 1: found the tag tag:yaml.org,2002:timestamp"),
        ("a: ! 5", "w, line 1: found the tag !"),
        ("? [a]\n: 1", "w, line 1: found a list or mapping as a key"),
        ("--- 1\n--- 2", "w, line 2: found but found another document"),
        ("a: [", "w, line 1: found no YAML (expected the node content, but found '<stream end>')"),
        ("1e999", "w: found 1e999, beyond the largest number"),
        (
            '"\\ud800"',
            "w: found 'utf-8' codec can't encode character '\\ud800' in position 0: surrogates not allowed",
        ),
        ("a: \x01", "w: found unacceptable character #x0001: special characters are not allowed"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(text: str, found: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_yaml(text, where="w")
    assert str(caught.value).startswith(found)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["[" * 500, "{" * 500, "- " * 500, "9" * 5_000, "x" * (MAX_BYTES + 1)])
def test_what_is_too_deep_or_too_long_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        load_yaml(text, where="w")


@settings(deadline=None, max_examples=80)
@given(
    st.text(alphabet=st.sampled_from("ab01-:[]{}\"'&*!#|>,?%@` \n\t\\~."), max_size=30) | st.text(max_size=20)
)
def test_any_text_is_read_or_refused_and_nothing_else(text: str) -> None:
    with contextlib.suppress(ConfigError):
        load_yaml(text, where="w")


@given(st.floats(allow_nan=False, allow_infinity=False))
@settings(deadline=None, max_examples=50)
def test_a_number_keeps_every_digit_and_its_type(number: float) -> None:
    read = load_yaml(dump_yaml([number]), where="w")[0]
    assert type(read) is float
    assert read == number
    assert math.copysign(1, read) == math.copysign(1, number)
