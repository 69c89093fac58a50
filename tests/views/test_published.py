"""A published catalog: the same answers, for any client, while the next one takes its place."""

import datetime as dt
import struct
from pathlib import Path

import duckdb
import pytest

from tests.views.conftest import Open
from workspace_kit.schema import TABLES
from workspace_kit.views import Catalog, answers, is_published, publish

AS_OF = dt.datetime(2026, 1, 2, 3, 4, 5)


@pytest.fixture
def published(filled: Catalog, tmp_path: Path) -> Path:
    path = tmp_path / "mine.duckdb"
    publish(filled, path, as_of=AS_OF, root="it's results")
    return path


def test_every_view_and_every_question_answers_as_in_the_catalog(filled: Catalog, published: Path) -> None:
    with duckdb.connect(published, read_only=True) as connection:
        for name in TABLES:
            assert connection.sql(f"from {name}").pl().equals(filled.table(name)), name
        for name in answers():
            assert connection.sql(f"from {name}()").pl().equals(filled.answer(name)), name
        assert connection.sql("from as_of").fetchall() == [(AS_OF, "it's results")]


def test_types_are_those_of_the_views(published: Path) -> None:
    with duckdb.connect(published, read_only=True) as connection:
        for name, table in TABLES.items():
            told = [(column, kind) for column, kind, *_ in connection.sql(f"describe {name}").fetchall()]
            assert told == [(column.name, column.duckdb) for column in table.columns]


def test_the_parameters_of_a_question_are_those_of_its_macro(open_over: Open, tmp_path: Path) -> None:
    trials = [
        {"workspace": "w", "trial_id": f"trial_{n}", "kind": "trial", "period": "train", "status": "ok"}
        for n in range(3)
    ]
    scores = [
        {"workspace": "w", "trial_id": f"trial_{n}", "period": "train", "name": "cagr", "value": n / 10}
        for n in range(3)
    ]
    catalog = open_over(
        performance=[{**each, "max_drawdown": -0.1 * n} for n, each in enumerate(trials)], metrics=scores
    )
    publish(catalog, tmp_path / "c.duckdb", as_of=AS_OF, root="")
    asked = {"metric": "cagr", "most": 2, "floor": -0.15}
    with duckdb.connect(tmp_path / "c.duckdb", read_only=True) as connection:
        told = connection.sql("from leaderboard(metric := 'cagr', most := 2, floor := -0.15)").pl()
        kept = "select function_name, parameters from duckdb_functions() where function_type = 'table_macro'"
        macros = dict(connection.sql(f"{kept} and not internal").fetchall())
    assert told.equals(catalog.answer("leaderboard", asked))
    assert told["trial_id"].to_list() == ["trial_1", "trial_0"]
    assert macros == {name: [each.name for each in query.parameters] for name, query in answers().items()}


def test_the_file_is_one_that_older_clients_read(published: Path) -> None:
    header = published.read_bytes()[:20]
    assert header[8:12] == b"DUCK"
    assert struct.unpack("<Q", header[12:20]) == (64,), "the storage format of DuckDB 1.0"


def test_it_answers_where_it_is_attached_under_another_name(published: Path) -> None:
    connection = duckdb.connect()
    connection.execute("ATTACH $path AS other (READ_ONLY)", {"path": str(published)})
    assert connection.sql("select count(*) from other.signals").fetchall() == [(1,)]
    assert connection.sql("select as_of from other.as_of").fetchall() == [(AS_OF,)]
    connection.execute("USE other")
    assert connection.sql("select count(*) from failed_trials()").fetchall() == [(0,)]


def test_the_snapshot_stays_while_the_catalog_goes_on(filled: Catalog, published: Path) -> None:
    assert filled.sql("select count(*) as n from performance")["n"].to_list() == [1]
    filled.sql("create table memory.main.mine as select 1 as one")
    assert filled.sql("from mine").height == 1


def test_an_empty_catalog_is_published_with_all_its_views(open_over: Open, tmp_path: Path) -> None:
    publish(open_over(), tmp_path / "c.duckdb", as_of=AS_OF, root="")
    with duckdb.connect(tmp_path / "c.duckdb", read_only=True) as connection:
        for name in (*TABLES, *(f"{name}()" for name in answers())):
            assert connection.sql(f"from {name}").fetchall() == []


@pytest.mark.parametrize("content", [b"", b"notes", b"\0" * 4096, b"PAR1"])
def test_a_file_of_another_kind_is_no_catalog(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "f").write_bytes(content)
    assert not is_published(tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == content


def test_a_database_of_somebody_is_no_catalog(tmp_path: Path, published: Path) -> None:
    with duckdb.connect(tmp_path / "theirs.duckdb") as connection:
        connection.execute("create table performance as select 1 as one")
    assert not is_published(tmp_path / "theirs.duckdb")
    assert is_published(published)
    assert not is_published(tmp_path / "nowhere.duckdb")
    assert not (tmp_path / "nowhere.duckdb").exists()


def test_a_folder_with_odd_characters_is_only_a_folder(filled: Catalog, tmp_path: Path) -> None:
    folder = tmp_path / "it's [1]*; drop"
    folder.mkdir()
    publish(filled, folder / "c.duckdb", as_of=AS_OF, root=str(folder))
    assert is_published(folder / "c.duckdb")
