import datetime as dt
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workspace_kit.report import words
from workspace_kit.shown import printable


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_a_number_that_does_not_exist_is_a_dash(value):
    assert words.number(value, decimals=2) == words.percent(value) == words.metric("cagr", value) == "–"


def test_numbers_have_a_true_minus_and_thousands_apart():
    assert words.number(-1234567.891, decimals=1) == "−1\u202f234\u202f567.9"


def test_a_loss_too_small_to_show_is_not_a_negative_zero():
    assert words.percent(-0.0001) == "0.0\u00a0%"


def test_a_metric_is_shown_in_its_unit():
    assert words.metric("max_drawdown", -0.123) == "−12.3\u00a0%"
    assert words.metric("sharpe_ratio", 1.234) == "1.23"


def test_a_probability_near_certainty_is_not_shown_as_certain():
    assert words.probability(0.99999) == "> 99.9\u00a0%"
    assert words.probability(0.00001) == "< 0.1\u00a0%"
    assert words.probability(1.0) == "100.0\u00a0%"


def test_a_day_reads_the_same_in_every_locale():
    assert words.date(dt.datetime(1990, 1, 31, 23, 59, 59)) == "31\u00a0Jan\u00a01990"
    assert words.date(None) == "–"


@given(st.text(max_size=300), st.integers(2, 80))
@settings(deadline=None, max_examples=50)
def test_a_short_text_is_one_printable_line_within_its_length(text, most):
    line = words.short(text, most=most)
    assert len(line) <= most
    assert "\n" not in line
    assert line == printable(line)
    line.encode()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (None, "–"),
        ("{}", "–"),
        ('{"lookback": 12, "mode": "fast"}', "lookback\u00a012, mode\u00a0fast"),
        ('{"nested": {"a": [1]}}', 'nested\u00a0{"a": [1]}'),
        ("[1, 2]", "[1, 2]"),
        ("not JSON", "not JSON"),
        ("[" * 50_000, "[" * 59 + "…"),
    ],
)
def test_parameters_read_as_words_whatever_they_are(text, shown):
    assert words.parameters(text, most=60) == shown


def test_a_round_number_has_only_the_decimals_it_needs():
    assert [words.round_number(value) for value in (0.0, -2.0, 0.5, 1_500.0)] == [
        "0",
        "\u22122",
        "0.5",
        "1\u202f500",
    ]
    assert [words.round_percent(value) for value in (0.1, 0.025, -0.3)] == [
        "10\u00a0%",
        "2.5\u00a0%",
        "\u221230\u00a0%",
    ]
