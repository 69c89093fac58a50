import re

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workspace_kit.errors import SchemaMismatch
from workspace_kit.schema import (
    DUCKDB_TYPES,
    INVENTORY,
    METRICS,
    MIRRORED,
    PRICES,
    STRATEGY_SIGNALS,
    TABLES,
    TIME,
    natural_order,
)

EVERY_TABLE = [*TABLES.values(), *MIRRORED.values(), INVENTORY, PRICES, STRATEGY_SIGNALS]


@pytest.mark.parametrize("table", EVERY_TABLE, ids=lambda table: table.name)
def test_every_column_has_one_name_a_type_and_a_meaning(table) -> None:
    assert len(set(table.names)) == len(table.names)
    assert list(table.types) == list(table.names)
    for column in table.columns:
        assert re.fullmatch(r"[a-z][a-z_]*", column.name)
        assert column.meaning
        assert column.duckdb == ("JSON" if column.json else DUCKDB_TYPES[column.type])


@pytest.mark.parametrize("table", EVERY_TABLE, ids=lambda table: table.name)
def test_an_empty_table_has_its_columns_and_passes_its_own_check(table) -> None:
    assert table.frame([]).equals(table.empty())
    assert table.check(table.empty(), where="here").schema == pl.Schema(table.types)


def test_a_column_that_a_row_lacks_is_null() -> None:
    (row,) = PRICES.frame([{"symbol": "A"}]).to_dicts()
    assert row == {"timestamp": None, "symbol": "A", "close": None}


@pytest.mark.parametrize("row", [{"close": "dear"}, {"symbol": 5}])
def test_a_value_of_another_type_makes_no_row(row: dict[str, object]) -> None:
    with pytest.raises(TypeError):
        PRICES.frame([row])


def test_a_whole_number_is_a_number_and_a_broken_one_no_count() -> None:
    assert PRICES.frame([{"close": 1}, {"close": 2.5}])["close"].to_list() == [1.0, 2.5]
    with pytest.raises(TypeError):
        TABLES["correlations"].frame([{"bars": 1.5}])


def test_a_check_puts_columns_in_order_and_leaves_others_out() -> None:
    frame = pl.DataFrame({"volume": [1], "close": [2.0], "symbol": ["A"], "timestamp": [None]})
    frame = frame.with_columns(pl.col("timestamp").cast(TIME))
    assert PRICES.check(frame, where="here").columns == ["timestamp", "symbol", "close"]


def test_a_check_names_every_difference_at_once() -> None:
    with pytest.raises(SchemaMismatch) as caught:
        PRICES.check(pl.DataFrame({"symbol": [1], "close": ["x"]}), where="prices.csv")
    assert str(caught.value) == (
        "prices.csv: found 3 difference(s) from table 'prices': 'close' is String, expected Float64; "
        "'symbol' is Int64, expected String; 'timestamp' is missing, "
        "expected columns timestamp, symbol, close; rename or cast the columns named"
    )


def test_times_of_another_unit_or_zone_are_another_type() -> None:
    for type_ in (pl.Datetime("ms"), pl.Datetime("us", "UTC"), pl.Date):
        frame = PRICES.empty().with_columns(pl.col("timestamp").cast(type_))
        with pytest.raises(SchemaMismatch, match="'timestamp' is"):
            PRICES.check(frame, where="here")


def test_metric_columns_stand_alike_in_every_table_that_has_them() -> None:
    for table in EVERY_TABLE:
        for column in table.columns:
            if column.name in {metric.name for metric in METRICS}:
                assert column in METRICS


def test_what_the_mirror_keeps_is_what_the_views_show() -> None:
    assert set(MIRRORED) == set(TABLES) - {"workspaces", "files"} | {"facts"}


def ordered(names: list[str | None]) -> list[str | None]:
    return pl.DataFrame({"n": names}, schema={"n": pl.String}).sort(*natural_order("n"))["n"].to_list()


def test_trials_stand_in_the_order_people_count() -> None:
    assert ordered(["trial_10", "trial_2", "ensemble_trial_1", "summary", "trial_1"]) == [
        "ensemble_trial_1",
        "summary",
        "trial_1",
        "trial_2",
        "trial_10",
    ]


@pytest.mark.parametrize("names", [[], ["trial_1"], [None, None], ["trial_٣", "trial_1"], ["9" * 30, "x"]])
def test_any_name_has_a_place_in_the_order(names: list[str | None]) -> None:
    assert sorted(ordered(names), key=str) == sorted(names, key=str)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.from_regex(r"\A[a-c_]{0,3}[0-9]{0,4}\Z"), max_size=20), st.randoms())
def test_the_order_is_that_of_text_then_number_then_name_whatever_came_first(names, random) -> None:
    def key(name: str) -> tuple[str, int, str]:
        text, digits = re.fullmatch(r"(.*?)([0-9]*)", name).groups()
        return text, int(digits) if digits else -1, name

    shuffled = random.sample(names, len(names))
    assert ordered(shuffled) == sorted(names, key=key)
