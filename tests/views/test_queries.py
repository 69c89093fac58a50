import re

import pytest

from workspace_kit.errors import QueryError
from workspace_kit.schema import TABLES
from workspace_kit.views import Parameter, answers, parse_query, shared, staging

HEAD = """-- name: best
-- answers: Which trials did
--     best?
-- grain: one row per trial
-- columns: trial_id,
--     value
-- parameters: metric VARCHAR = sharpe_ratio, most BIGINT, floor DOUBLE = null
select trial_id, value -- the first comment below a head belongs to the SQL
from metrics where name = $metric and value > $floor limit $most
"""


def test_a_head_is_read_to_its_last_line() -> None:
    query = parse_query(HEAD, where="best.sql")
    assert query.name == "best"
    assert query.answers == "Which trials did best?"
    assert query.grain == "one row per trial"
    assert query.columns == ("trial_id", "value")
    assert query.parameters == (
        Parameter("metric", "VARCHAR", "sharpe_ratio", required=False),
        Parameter("most", "BIGINT", None, required=True),
        Parameter("floor", "DOUBLE", None, required=False),
    )
    assert query.sql == HEAD


def test_defaults_have_the_type_that_the_head_says() -> None:
    query = parse_query(HEAD.replace("most BIGINT", "most BIGINT = 20"), where="best.sql")
    assert query.values({}) == {"metric": "sharpe_ratio", "most": 20, "floor": None}
    assert query.values({"floor": -0.1})["floor"] == -0.1


def test_a_required_parameter_must_be_given_and_an_unknown_one_may_not() -> None:
    query = parse_query(HEAD, where="best.sql")
    with pytest.raises(QueryError, match="found None for the parameter 'most', expected a BIGINT"):
        query.values({})
    with pytest.raises(QueryError, match=r"unknown parameter 'metrik'.* did you mean 'metric'"):
        query.values({"most": 1, "metrik": "cagr"})


@pytest.mark.parametrize(
    "given", [{"most": "5"}, {"most": 5.0}, {"most": True}, {"metric": None}, {"floor": ""}]
)
def test_a_value_of_another_type_is_refused(given: dict[str, object]) -> None:
    query = parse_query(HEAD, where="best.sql")
    with pytest.raises(QueryError, match="query best: "):
        query.values({"most": 1, **given})
    assert query.values({"most": 1, "floor": -1})["floor"] == -1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("-- name: best\n", ""),
        ("-- name: best\n", "-- name: best\n-- name: best\n"),
        ("-- name: best", "-- name: Best-of"),
        ("-- name: best", "-- nom: best"),
        ("-- name: best", "--name: best"),
        ("-- name: best\n", "--     best\n-- name: best\n"),
        (
            "-- answers: Which trials did\n--     best?\n-- grain: one row per trial",
            "-- grain: x\n-- answers: y",
        ),
        ("-- grain: one row per trial", "-- grain:"),
        ("trial_id,\n", "value,\n"),
        ("most BIGINT", "most INTEGER"),
        ("most BIGINT", "most"),
        ("most BIGINT", "most BIGINT = many"),
        ("most BIGINT", "most BIGINT ="),
        ("most BIGINT, ", ""),
        ("limit $most", ""),
        (
            "-- parameters: metric VARCHAR = sharpe_ratio, most BIGINT, floor DOUBLE = null",
            "-- parameters: none",
        ),
    ],
)
def test_a_bad_head_is_refused_by_file(old: str, new: str) -> None:
    assert old in HEAD
    with pytest.raises(QueryError, match=r"^best\.sql: .*head"):
        parse_query(HEAD.replace(old, new, 1), where="best.sql")


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(QueryError, match="found the keys none"):
        parse_query("", where="best.sql")


def test_every_public_view_has_one_staging_file_that_states_its_columns() -> None:
    assert set(staging()) == set(TABLES)
    for name, query in staging().items():
        assert query.columns == TABLES[name].names
        assert query.grain == f"one row per {TABLES[name].grain}"
        assert query.parameters == ()


def test_staging_reads_only_the_mirror_and_answers_only_the_views() -> None:
    for query in staging().values():
        read = set(re.findall(r"\b(?:from|join)\s+([a-z_.]+)", query.sql))
        own = set(re.findall(r"([a-z_]+) as \(", query.sql))
        assert read - own
        assert all(name.startswith("mirror.") for name in read - own)
    for query in [*shared().values(), *answers().values()]:
        assert "mirror." not in query.sql


def test_a_step_that_questions_share_is_one_and_reads_the_public_views() -> None:
    for name, query in shared().items():
        assert name not in {**staging(), **answers()}
        assert query.parameters == ()
        taken_by = [other.name for other in answers().values() if re.search(rf"\b{name}\b", other.sql)]
        assert len(taken_by) > 1


AVOIDED = (
    "percentile_cont|arg_max|arg_min|max_by|min_by|skewness|kurtosis|quantile\\w*|asof|time_bucket|"
    "generate_series|range\\(|map\\b|columns\\(|replace\\(|product|by name|json_each|epoch_ms|pivot|"
    "histogram|log\\(|(?<!cast\\()sum\\((?!ln\\()|avg\\(|stddev\\w*|corr\\("
)


def test_answers_use_only_sql_that_travels_and_repeats() -> None:
    """Float sums differ from run to run at two threads, and what is avoided differs between engines.

    Sums of whole numbers, cast to what they are, do repeat, and so do running ones along an ordered window.
    """
    for query in answers().values():
        body = re.sub(r"(?m)--.*$", "", query.sql)
        assert not re.findall(rf"(?i)\b(?:{AVOIDED})", body), query.name
        assert re.search(r"(?m)^order by\s", body), query.name
        assert body.count("sum(ln(") == len(
            re.findall(r"sum\(ln\(.*\) over \(\n[^()]*?(?:\([^()]*\)[^()]*?)?rows between", body)
        )


def test_names_are_answers() -> None:
    assert not [name for name in answers() if name.startswith(("get", "show", "analyze", "list"))]
    assert all(
        query.answers.endswith("?")
        for query in [*answers().values(), *shared().values(), *staging().values()]
    )
