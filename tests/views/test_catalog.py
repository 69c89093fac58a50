import io
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import polars as pl
import pytest

from tests.views.conftest import MIRROR, Open, sample, write
from workspace_kit.errors import NameInvalid, QueryError
from workspace_kit.schema import TABLES
from workspace_kit.views import Catalog, answers


def described(catalog: Catalog, view: str) -> list[tuple[str, str]]:
    return [(name, kind) for name, kind, *_ in catalog.connection.sql(f"describe {view}").fetchall()]


@pytest.mark.parametrize("state", ["empty", "filled"])
def test_every_view_has_the_columns_and_types_of_its_table(
    state: str, open_over: Open, request: pytest.FixtureRequest
) -> None:
    catalog = open_over() if state == "empty" else request.getfixturevalue("filled")
    for name, table in TABLES.items():
        assert described(catalog, name) == [(column.name, column.duckdb) for column in table.columns]
        rows = catalog.sql(f"from {name}")
        assert dict(rows.schema) == table.types
        assert rows.height == (0 if state == "empty" else 1)


def test_a_view_gives_back_what_the_mirror_holds(filled: Catalog) -> None:
    for name in set(TABLES) - {"workspaces"}:
        expected = tuple(sample(column) for column in TABLES[name].columns)
        assert filled.sql(f"from {name}").rows() == filled.table(name).rows() == [expected]


@pytest.mark.parametrize("name", sorted(answers()))
def test_every_answer_has_the_columns_of_its_head_on_nothing_and_on_something(
    name: str, open_over: Open, filled: Catalog
) -> None:
    for catalog in (open_over(), filled):
        assert tuple(catalog.answer(name).columns) == answers()[name].columns
    assert catalog.answer(name).equals(catalog.answer(name))


def test_a_catalog_over_some_workspaces_sees_no_other(open_over: Open) -> None:
    regimes = [{"workspace": name, "regime": "bull_market"} for name in ("a", "b'", "c")]
    assert open_over(None, regimes=regimes).sql("select workspace from regimes order by all").height == 3
    assert open_over(["c", "b'"], regimes=regimes).sql("from regimes")["workspace"].to_list() == ["b'", "c"]
    assert open_over(["d"], regimes=regimes).sql("from regimes").is_empty()
    assert open_over([], regimes=regimes).sql("from regimes").is_empty()


def test_several_parts_are_one_table(tmp_path: Path) -> None:
    parts = []
    for number in range(3):
        (tmp_path / str(number)).mkdir()
        parts.append(write(tmp_path / str(number), "faults", [{"line": number}]))
    with Catalog({"faults": parts}, scratch=tmp_path, workspaces=None) as catalog:
        assert catalog.sql("select line from faults order by line")["line"].to_list() == [0, 1, 2]


@pytest.mark.parametrize(
    "name",
    [
        "res[1]*ults'x",
        "a[!b]",
        "t?",
        "[",
        "]",
        "x{a,b}",
        "back\\slash",
        "~",
        "workspace=7",
        'q"u',
        "s3:",
        "per%20",
        "ü\n",
    ],
)
def test_a_folder_name_is_never_a_pattern_nor_sql(name: str, tmp_path: Path) -> None:
    for decoy in ("res1_ults'x", "ac", "tt", "x", "t"):
        (tmp_path / decoy).mkdir()
        write(tmp_path / decoy, "regimes", [{"workspace": "decoy"}])
    folder = tmp_path / name
    folder.mkdir()
    part = write(folder, "regimes", [{"workspace": "mine"}])
    with Catalog({"regimes": [part]}, scratch=folder, workspaces=None) as catalog:
        assert catalog.sql("select workspace from regimes").rows() == [("mine",)]


@pytest.mark.parametrize("name", ["b\\[x", "b\udcff"])
def test_a_folder_that_duckdb_cannot_be_told_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(NameInvalid):
        Catalog({"regimes": [tmp_path / name / "p.parquet"]}, scratch=tmp_path, workspaces=None)


def test_the_connection_and_its_cursors_see_the_views(filled: Catalog) -> None:
    assert isinstance(filled.connection, duckdb.DuckDBPyConnection)
    assert filled.connection.cursor().sql("select count(*) from signals").fetchall() == [(1,)]
    assert filled.connection.cursor().sql("select current_setting('TimeZone')").fetchall() == [("UTC",)]
    filled.connection.register("mine", pl.DataFrame({"symbol": ["text"]}))
    assert filled.sql("from signals semi join mine using (symbol)").height == 1


def test_values_go_beside_the_sql(filled: Catalog) -> None:
    rows = filled.sql("select $text as value, symbol = $text as is_it from signals", {"text": "it's"})
    assert rows.rows() == [("it's", False)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("select * from sgnals", r'Table with name sgnals does not exist!.*did you mean "signals"'),
        ("select\n timestmp from signals", r'"timestmp" not found.*candidate bindings: "timestamp"'),
        ("select 1\n +", r"syntax error"),
        ("select cast('x' as bigint)", r"SQL, line 1: .*Could not convert"),
        ("select $missing", r"parameters: missing"),
        ("select interval 1 month as span", "interval"),
        ("from text", "text does not exist"),
    ],
)
def test_sql_that_cannot_be_answered_is_one_line_with_the_nearest_name(
    text: str, said: str, filled: Catalog
) -> None:
    with pytest.raises(QueryError, match=said) as caught:
        filled.sql(text)
    assert "\n" not in str(caught.value)
    assert filled.sql("select 1 as one").rows() == [(1,)]


def test_sql_without_rows_gives_an_empty_frame(filled: Catalog) -> None:
    assert filled.sql("-- nothing").is_empty()
    filled.sql("create table mine as select 1 as one")
    assert filled.sql("from mine").rows() == [(1,)]


def test_an_unknown_question_names_the_nearest(filled: Catalog) -> None:
    with pytest.raises(QueryError, match="did you mean 'leaderboard'"):
        filled.answer("leader_board")
    with pytest.raises(QueryError, match=r"query leaderboard: .*did you mean 'metric'"):
        filled.answer("leaderboard", {"metrics": "cagr"})
    with pytest.raises(QueryError, match="query leaderboard"):
        filled.answer("leaderboard", {"most": "many"})


def test_the_views_are_listed_with_grain_and_columns(filled: Catalog) -> None:
    listed = filled.views()
    assert listed.columns == ["view", "grain", "columns"]
    assert listed["view"].to_list() == list(TABLES)
    assert "bull" not in filled._repr_html_()
    assert "performance_by_regime" in filled._repr_html_()


def test_a_closed_catalog_answers_nothing(tmp_path: Path) -> None:
    with Catalog({}, scratch=tmp_path, workspaces=None) as catalog:
        pass
    with pytest.raises(QueryError, match="closed"):
        catalog.sql("select 1")


def test_what_does_not_fit_into_memory_goes_to_scratch_and_leaves_the_rest(tmp_path: Path) -> None:
    part = write(tmp_path, "regimes", [{"workspace": "mine"}])
    with Catalog({"regimes": [part]}, scratch=tmp_path, workspaces=None) as catalog:
        catalog.sql("set memory_limit = '50MB'")
        catalog.sql("create table big as select hash(i)::varchar as h from range(4000000) as t(i)")
        assert len(list(tmp_path.iterdir())) > 1
    assert list(tmp_path.iterdir()) == [part]


ASK = """
import sys
from pathlib import Path
from workspace_kit.views import Catalog
parts = {name: [Path(path)] for name, path in zip(sys.argv[1::2], sys.argv[2::2])}
catalog = Catalog(parts, scratch=Path("."), workspaces=None)
print(catalog.sql("select created_at from workspaces").rows())
print(catalog.sql(
    "select timestamp::varchar as t, (timestamp at time zone 'UTC')::varchar as u from signals"
).rows())
"""


def test_the_time_zone_of_the_host_changes_nothing(tmp_path: Path) -> None:
    rows = {
        name: [{column.name: sample(column) for column in MIRROR[name].columns}]
        for name in ("signals", "files")
    }
    rows["facts"] = [{"workspace": "text", "name": "created_at", "value": "2020-01-01T02:00:00.5+02:00"}]
    parts = [text for name in rows for text in (name, str(write(tmp_path, name, rows[name])))]
    said = subprocess.run(
        [sys.executable, "-c", ASK, *parts],
        env={**os.environ, "TZ": "America/New_York"},
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    assert "datetime.datetime(2020, 1, 1, 0, 0, 0, 500000)" in said
    assert "('2020-01-02 03:04:05.000006', '2020-01-02 03:04:05.000006+00')" in said


def test_text_of_a_mirror_that_is_json_stays_as_written(open_over: Open) -> None:
    written = '{"a": 1.0, "b": 123456789012345678901234567890, "ü": null}'
    catalog = open_over(signals=[{"extra": written}, {"extra": None}])
    assert catalog.sql("select extra from signals")["extra"].to_list() == [written, None]
    assert catalog.sql("select extra ->> '$.b' as b from signals where extra is not null").rows() == [
        ("123456789012345678901234567890",)
    ]


def test_a_part_of_another_shape_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    pl.DataFrame({"workspace": ["a"]}).write_parquet(buffer)
    (tmp_path / "p.parquet").write_bytes(buffer.getvalue())
    with pytest.raises(duckdb.BinderException):
        Catalog({"signals": [tmp_path / "p.parquet"]}, scratch=tmp_path, workspaces=None)


def test_duckdb_draws_no_bar_into_what_is_printed_even_without_a_script(tmp_path: Path) -> None:
    ask = (
        "from pathlib import Path; from workspace_kit.views import Catalog;"
        f"catalog = Catalog({{}}, scratch=Path({str(tmp_path)!r}), workspaces=None);"
        "print(catalog.sql(\"select current_setting('enable_progress_bar') as bar\")['bar'][0])"
    )
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("form", ["{}", "[{}]", "{{'x': [{}]}}", "map {{1: {}}}"])
def test_an_interval_is_refused_with_a_way_round_wherever_it_lies(form: str, open_over: Open) -> None:
    catalog, told = open_over(), form.format("interval 1 day")
    for ask in (catalog.sql, lambda text: list(catalog.stream(text))):
        with pytest.raises(QueryError) as caught:
            ask(f"select 1 as a, {told} as b")
        assert str(caught.value) == (
            "SQL: found intervals in column b, expected a type that a frame can hold; cast it to varchar, or "
            "count units with date_diff"
        )
    assert catalog.sql(f"select {told}::varchar as b, 'a'::enum('a') as c").height == 1
