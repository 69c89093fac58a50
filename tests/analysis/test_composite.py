import json
from datetime import datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workspace_kit.analysis.composite import (
    differences,
    differences_by_metric,
    matched_trials,
    unique_trials,
)
from workspace_kit.schema import METRIC_NAMES, NUMBER, TABLES, TEXT

DIGESTS = ("prices_digest", "rules_digest", "signals_digest")
TYPES = {
    **{
        name: TABLES["performance"].types[name]
        for name in ("workspace", "trial_id", "strategy", "parameters")
    },
    **{
        name: TABLES["performance"].types[name] for name in ("status", "trades", "period_start", "period_end")
    },
    **dict.fromkeys(METRIC_NAMES, NUMBER),
    **dict.fromkeys(DIGESTS, TEXT),
}
START, END = datetime.fromisoformat("2020-01-01"), datetime.fromisoformat("2020-12-31")


def row(workspace: str, trial: int = 0, **values: object) -> dict[str, object]:
    """A trial of our own unless told otherwise."""
    told = {"strategy": "m", "parameters": '{"x": 1}', "status": "ok", "trades": 5, "sharpe_ratio": 1.0}
    rests_on = {"period_start": START, "period_end": END, "prices_digest": "p", "rules_digest": "r"}
    return {"workspace": workspace, "trial_id": f"trial_{trial}", **told, **rests_on, **values}


def foreign(workspace: str, trial: int = 0, **values: object) -> dict[str, object]:
    """A trial of another program, which keeps no record of prices and rules."""
    return row(
        workspace, trial, **{"prices_digest": None, "rules_digest": None, "signals_digest": "s", **values}
    )


def frame(*rows: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=TYPES, orient="row")


def found_in(counted: pl.DataFrame) -> list[list[str]]:
    places = [json.loads(each) for each in counted["found_in"]]
    return [[f"{each['workspace']}/{each['trial_id']}" for each in place] for place in places]


def test_a_trial_found_twice_counts_once_and_says_where():
    counted = unique_trials(frame(row("b", 7), row("a", 10), row("a", 2, parameters='{"x": 2}')))
    assert counted.rows.columns == [*TYPES, "found_in"]
    assert counted.rows.select("workspace", "trial_id").rows() == [("a", "trial_2"), ("a", "trial_10")]
    assert found_in(counted.rows) == [["a/trial_2"], ["a/trial_10", "b/trial_7"]]
    assert counted.conflicts.height == 0


def test_no_trials_are_no_trials_and_no_conflicts():
    counted = unique_trials(frame())
    assert counted.rows.columns == [*TYPES, "found_in"]
    assert counted.rows.height == counted.conflicts.height == 0


def test_one_is_one_point_nothing_and_the_order_of_keys_does_not_matter():
    written = ['{"x": 1, "y": "1"}', '{"y": "1", "x": 1.0}', '{"x": 1e0, "y": "1"}']
    rows = [row(name, parameters=text) for name, text in zip("abc", written, strict=True)]
    assert found_in(unique_trials(frame(*rows)).rows) == [["a/trial_0", "b/trial_0", "c/trial_0"]]


@pytest.mark.parametrize(
    "other", ['{"x": "1"}', '{"x": true}', '{"x": null}', '{"x": [1]}', "{}", '{"x": 1.5}']
)
def test_what_is_not_one_is_another_parameter(other):
    assert unique_trials(frame(row("a"), row("b", parameters=other))).rows.height == 2


@pytest.mark.parametrize(
    "other",
    [
        {"strategy": "n"},
        {"strategy": None},
        {"prices_digest": "q"},
        {"rules_digest": "q"},
        {"prices_digest": None, "rules_digest": None},
    ],
)
def test_other_strategies_prices_and_rules_make_another_trial(other):
    assert unique_trials(frame(row("a"), row("b", **other))).rows.height == 2


def test_the_same_rules_include_the_period_so_that_a_failed_trial_is_the_same():
    failed = row("a", status="failed", period_start=None, period_end=None, trades=None, sharpe_ratio=None)
    counted = unique_trials(frame(failed, row("b")))
    assert counted.rows["workspace"].to_list() == ["b"]
    assert found_in(counted.rows) == [["a/trial_0", "b/trial_0"]]
    assert counted.conflicts["metric"].to_list() == ["trades", "sharpe_ratio"]
    assert counted.conflicts.select("a", "b", "difference").rows() == [(5, None, None), (1, None, None)]


@pytest.mark.parametrize(
    ("other", "trials"),
    [
        ({}, 1),
        ({"signals_digest": "t"}, 2),
        ({"signals_digest": None}, 2),
        ({"period_end": START}, 2),
        ({"period_start": None}, 2),
    ],
)
def test_without_prices_period_and_signals_decide(other, trials):
    assert unique_trials(frame(foreign("a"), foreign("b", **other))).rows.height == trials


def test_signals_do_not_matter_where_prices_are_known():
    assert unique_trials(frame(row("a", signals_digest="s"), row("b"))).rows.height == 1


@pytest.mark.parametrize("parameters", ["{}", None])
def test_trials_that_say_nothing_are_never_the_same(parameters):
    mute = {"strategy": None, "parameters": parameters, "signals_digest": None}
    rows = [foreign("a", 0, **mute), foreign("a", 1, **mute), foreign("b", 0, **mute)]
    assert found_in(unique_trials(frame(*rows)).rows) == [["a/trial_0"], ["a/trial_1"], ["b/trial_0"]]


def test_equal_trials_with_other_numbers_are_listed_number_by_number():
    rows = [row("a"), row("b", 3, sharpe_ratio=1.25, cagr=0.5), row("c", sharpe_ratio=1.0)]
    conflicts = unique_trials(frame(*rows)).conflicts
    assert conflicts.rows() == [
        ("m", '{"x": 1}', "a", "trial_0", "b", "trial_3", "cagr", None, 0.5, None),
        ("m", '{"x": 1}', "a", "trial_0", "b", "trial_3", "sharpe_ratio", 1.0, 1.25, 0.25),
    ]


def test_the_same_trial_tried_twice_in_one_workspace_counts_once_too():
    assert found_in(unique_trials(frame(row("a", 0), row("a", 5))).rows) == [["a/trial_0", "a/trial_5"]]


few = st.sampled_from
TRIALS = st.lists(
    st.builds(
        row,
        workspace=few("ab"),
        trial=st.integers(0, 30),
        strategy=few(["m", "n", None]),
        parameters=few(['{"x": 1}', '{"x": 1.0}', '{"x": 2}', "{}"]),
        prices_digest=few(["p", None]),
        rules_digest=few(["r", None]),
        signals_digest=few(["s", None]),
        period_start=few([START, None]),
        status=few(["ok", "failed"]),
        sharpe_ratio=few([1.0, 2.0, None]),
    ),
    unique_by=lambda each: (each["workspace"], each["trial_id"]),
    max_size=12,
)


@given(TRIALS)
@settings(deadline=None, max_examples=50)
def test_every_trial_is_found_in_exactly_one_place_list_and_groups_agree_with_a_plain_loop(rows):
    groups: dict[object, list[dict[str, object]]] = {}
    for each in sorted(rows, key=lambda it: (it["workspace"], int(it["trial_id"][6:]))):
        parameters = json.loads(each["parameters"])
        key: object = (
            each["strategy"],
            tuple(sorted(parameters.items())),
            each["prices_digest"],
            each["rules_digest"] or (each["period_start"], each["period_end"]),
            None if each["prices_digest"] else each["signals_digest"],
        )
        if each["strategy"] is None and not parameters and each["signals_digest"] is None:
            key = (each["workspace"], each["trial_id"])
        groups.setdefault(key, []).append(each)
    counted = unique_trials(frame(*rows))
    expected = [[f"{each['workspace']}/{each['trial_id']}" for each in group] for group in groups.values()]
    assert sorted(found_in(counted.rows)) == sorted(expected)
    firsts = {
        id(next((each for each in group if each["status"] == "ok"), group[0])) for group in groups.values()
    }
    kept = {(each["workspace"], each["trial_id"]) for each in rows if id(each) in firsts}
    assert set(counted.rows.select("workspace", "trial_id").rows()) == kept
    differing = sum(
        each["sharpe_ratio"]
        != next((one for one in group if one["status"] == "ok"), group[0])["sharpe_ratio"]
        for group in groups.values()
        for each in group
    )
    assert counted.conflicts.height == differing


@given(TRIALS, st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=30)
def test_the_order_of_rows_changes_nothing(rows, random):
    shuffled = random.sample(rows, len(rows))
    for one, other in zip(unique_trials(frame(*rows)), unique_trials(frame(*shuffled)), strict=True):
        assert one.equals(other)


def test_trials_of_two_sweeps_are_matched_whatever_they_are_called_and_rest_on():
    a = frame(row("a", 0), row("a", 1, parameters='{"x": 2}'))
    b = frame(
        row("b", 9, prices_digest="q", parameters='{"x": 1.0}', sharpe_ratio=0.5), row("b", 1, strategy="n")
    )
    matched = matched_trials(a, b)
    assert matched.trials.height == 1 + len(METRIC_NAMES)
    assert matched.trials["metric"].to_list() == ["trades", *METRIC_NAMES]
    sharpe = matched.trials.filter(pl.col("metric") == "sharpe_ratio")
    assert sharpe.rows() == [
        ("m", '{"x": 1}', "a", "trial_0", "b", "trial_9", "sharpe_ratio", 1.0, 0.5, -0.5),
    ]
    assert matched.only_in_a.rows() == [("trial_1", "m", '{"x": 2}')]
    assert matched.only_in_b.rows() == [("trial_1", "n", '{"x": 1}')]


def test_what_was_tried_twice_is_matched_in_order_and_the_rest_has_no_partner():
    matched = matched_trials(frame(row("a", 10), row("a", 2), row("a", 30)), frame(row("b", 1), row("b", 0)))
    pairs = matched.trials.select("trial_a", "trial_b").unique(maintain_order=True)
    assert pairs.rows() == [("trial_2", "trial_0"), ("trial_10", "trial_1")]
    assert matched.only_in_a["trial_id"].to_list() == ["trial_30"]
    assert matched.only_in_b.height == 0


def test_an_empty_sweep_matches_nothing():
    matched = matched_trials(frame(), frame(row("b")))
    assert (matched.trials.height, matched.only_in_a.height, matched.only_in_b.height) == (0, 0, 1)


@given(TRIALS, TRIALS)
@settings(deadline=None, max_examples=50)
def test_every_trial_is_matched_or_alone_and_the_other_way_round_is_the_mirror(rows, others):
    a, b = (
        frame(*[{**each, "workspace": name, "trial_id": f"trial_{n}"} for n, each in enumerate(side)])
        for name, side in (("a", rows), ("b", others))
    )
    there, back = matched_trials(a, b), matched_trials(b, a)
    pairs = set(there.trials.select("trial_a", "trial_b").rows())
    assert pairs == set(back.trials.select("trial_b", "trial_a").rows())
    assert len(pairs) + there.only_in_a.height == a.height
    assert len(pairs) + there.only_in_b.height == b.height
    assert there.only_in_a.equals(back.only_in_b)


def test_differences_are_summed_up_by_metric():
    a = frame(*[row("a", n, parameters=f'{{"x": {n}}}', sharpe_ratio=1.0) for n in range(4)])
    b = frame(
        *[
            row("b", n, parameters=f'{{"x": {n}}}', sharpe_ratio=value)
            for n, value in enumerate([1.0, 1.5, -1.0, None])
        ]
    )
    summed = differences_by_metric(matched_trials(a, b).trials)
    by_name = {each[0]: each[1:] for each in summed.rows()}
    assert list(by_name) == ["trades", *METRIC_NAMES]
    assert by_name["sharpe_ratio"] == (4, 3, 0.0, -2.0)
    assert by_name["trades"] == (4, 0, 0.0, 0.0)
    assert by_name["cagr"] == (4, 0, None, None)
    assert differences_by_metric(matched_trials(frame(), frame()).trials).height == 0


def test_documents_differ_by_dotted_key():
    a = {
        "seed": 1,
        "data": {"zone": "UTC", "symbols": ["A"]},
        "strategies": [{"name": "m", "p": {"x": [1, 2]}}],
    }
    b = {
        "seed": 1.0,
        "data": {"zone": "UTC", "symbols": ["A", "B"], "note": None},
        "strategies": [{"name": "n", "p": {}}, {"name": "m", "p": {"x": [1, 3]}}],
    }
    assert differences(a, b).rows() == [
        ("data.note", None, "null"),
        ("data.symbols", '["A"]', '["A", "B"]'),
        ("strategies.m.p.x", "[1, 2]", "[1, 3]"),
        ("strategies.n.name", None, '"n"'),
        ("strategies.n.p", None, "{}"),
    ]


def test_the_same_documents_and_empty_ones_do_not_differ():
    assert differences({}, {}).rows() == []
    assert differences({"a": {}}, {"a": {}}).rows() == []
    assert differences({"a": 1}, {}).rows() == [("a", "1", None)]


@given(st.dictionaries(st.text(max_size=3), st.integers() | st.floats(allow_nan=False, allow_infinity=False)))
@settings(deadline=None, max_examples=30)
def test_a_document_does_not_differ_from_itself_in_another_spelling(document):
    respelled = {key: value if abs(value) > 2**53 else float(value) for key, value in document.items()}
    assert differences(document, dict(reversed(respelled.items()))).height == 0
