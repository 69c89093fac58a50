import datetime as dt
import io
import json
import unicodedata

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from workspace_kit import terminal

ROWS = pl.DataFrame(
    {
        "trial": ["trial_1", "a\nfake row", "\x1b[31mred", "\u202egnp.exe", None],
        "sharpe": [1.23456789, 0.0, -1e-9, 1e300, None],
        "at": [dt.datetime(2020, 1, 2, 3, 4, 5), None, None, None, None],
        "bars": [1, 2, 3, 4, None],
    }
)


def written(rows: pl.DataFrame, form: str, capfd: pytest.CaptureFixture[str]) -> str:
    terminal.write_rows(rows, form)
    return capfd.readouterr().out


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=20))
def test_nothing_that_could_take_over_a_screen_is_shown_as_it_is(text: str) -> None:
    shown = terminal.printable(text)
    unseen = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert all(each == "\n" or unicodedata.category(each) not in unseen for each in shown)
    assert shown.count("\n") == text.count("\n")


def test_what_anyone_can_read_is_shown_as_it_is() -> None:
    assert terminal.printable("Sharpe 1.5, äöü 漢字 😀 'x' \\n") == "Sharpe 1.5, äöü 漢字 😀 'x' \\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("a\tb", "a\\tb"),
        ("\u202eexe.png", "\\u202eexe.png"),
        ("\r", "\\r"),
        ("\x00", "\\x00"),
        ("\ud800", "\\ud800"),
        ("a\u200db", "a\\u200db"),
    ],
)
def test_control_escape_and_bidirectional_characters_are_spelled_out(text: str, shown: str) -> None:
    assert terminal.printable(text) == shown


def test_a_text_in_a_table_cannot_begin_a_row_of_its_own(capfd) -> None:
    table = written(ROWS, "table", capfd)
    assert len(table.splitlines()) == len(
        written(ROWS.with_columns(trial=pl.lit("x")), "table", capfd).splitlines()
    )
    assert "a\\nfake row" in table
    assert "\x1b" not in table
    assert "\u202e" not in table


def test_a_table_rounds_for_people_and_leaves_a_null_empty(capfd) -> None:
    table = written(ROWS, "table", capfd)
    (first,) = (line for line in table.splitlines() if "trial_1" in line)
    assert first.split() == ["trial_1", "1.23457", "2020-01-02", "03:04:05", "1"]
    assert "None" not in table
    assert "null" not in table


def test_csv_and_json_leave_nothing_out(capfd) -> None:
    assert (
        pl.read_csv(io.StringIO(written(ROWS, "csv", capfd)))["sharpe"].to_list() == ROWS["sharpe"].to_list()
    )
    assert [row["trial"] for row in json.loads(written(ROWS, "json", capfd))] == ROWS["trial"].to_list()


def test_parquet_is_the_same_frame(capfdbinary) -> None:
    terminal.write_rows(ROWS, "parquet")
    assert pl.read_parquet(capfdbinary.readouterr().out).equals(ROWS)


WIDE = {name: pl.String() for name in ("workspace", "name", "note")} | {"trials": pl.Int64()}


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(*[st.text("ab漢\n\u202e", max_size=60)] * 3, st.integers(0, 10**9)), max_size=4),
    st.integers(30, 120),
)
def test_no_table_is_wider_than_its_terminal(rows, width) -> None:
    screen = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(terminal, "_console", lambda _: Console(file=screen, width=width, highlight=False))
        terminal.write_rows(pl.DataFrame(rows, schema=WIDE, orient="row"), "table")
    assert all(cell_len(line) <= width for line in screen.getvalue().splitlines())


def on_a_terminal_of(width: int, rows: pl.DataFrame, capfd, monkeypatch) -> tuple[str, str]:
    monkeypatch.setattr(terminal, "_console", lambda file: Console(file=file, width=width, highlight=False))
    terminal.write_rows(rows, "table")
    return capfd.readouterr()


def test_columns_that_do_not_fit_are_left_out_whole_and_named(capfd, monkeypatch) -> None:
    rows = pl.DataFrame([("w" * 30, "n" * 30, "x", 1)] * 2, schema=WIDE, orient="row")
    out, err = on_a_terminal_of(70, rows, capfd, monkeypatch)
    assert out.split()[:2] == ["workspace", "name"]
    assert out.count("n" * 30) == 2
    assert err == "2 column(s) do not fit: note, trials; `| less -S` shows all.\n"


def test_a_single_row_too_wide_is_written_a_line_per_column(capfd, monkeypatch) -> None:
    rows = pl.DataFrame([("w" * 30, "n" * 30, "x", 1)], schema=WIDE, orient="row")
    out, err = on_a_terminal_of(70, rows, capfd, monkeypatch)
    assert [line.split()[0] for line in out.splitlines()[3:7]] == list(WIDE)
    assert err == ""


def test_a_pipe_is_given_every_column_whole(capfd) -> None:
    table = written(
        pl.DataFrame([("w" * 300, "n" * 300, "x", 1)] * 2, schema=WIDE, orient="row"), "table", capfd
    )
    assert table.count("n" * 300) == 2
    assert "trials" in table


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_no_rows_are_shown_as_columns_without_rows(form: str, capfd) -> None:
    text = written(ROWS.clear(), form, capfd)
    assert "trial_1" not in text
    assert text.strip() == "[]" if form == "json" else "sharpe" in text


def test_remarks_do_not_mix_with_rows(capfd) -> None:
    terminal.say("one\x07")
    terminal.remark("two\x07")
    assert capfd.readouterr() == ("one\\x07\n", "two\\x07\n")


def test_progress_shows_nothing_where_nobody_watches(capfd) -> None:
    with terminal.progress_bar("Discovery", 2) as step:
        step()
        step()
    assert capfd.readouterr() == ("", "")


def test_progress_is_shown_on_standard_error_where_somebody_watches(capfd, monkeypatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with terminal.progress_bar("Discovery", 2) as step:
        step()
        step()
    out, err = capfd.readouterr()
    assert out == ""
    assert "Discovery" in err
    assert "2/2" in err
