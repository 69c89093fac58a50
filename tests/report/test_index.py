import datetime as dt
import math

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.report.test_page import HOSTILE, Reader
from workspace_kit.report import index_page
from workspace_kit.schema import COUNT, NUMBER, TEXT, TIME

AS_OF = dt.datetime(2026, 1, 2, 3, 4)
NUMBERS = ("train_sharpe_ratio", "select_sharpe_ratio", "test_sharpe_ratio", "dsr", "pbo")
COUNTS = ("trials", "failed", "ensembles", "looks", "faults", "bytes")
TEXTS = ("workspace", "name", "tags", "phase", "state", "recommended", "candidate", "candidate_trial")
SUMMARY = {
    **dict.fromkeys(TEXTS, TEXT),
    "created_at": TIME,
    **dict.fromkeys(COUNTS, COUNT),
    **dict.fromkeys(NUMBERS, NUMBER),
}
RETURNS = {"workspace": TEXT, "series": TEXT, "timestamp": TIME, "return": NUMBER}
NO_RETURNS = pl.DataFrame(schema=RETURNS)


def row(workspace: str, **values: object) -> dict[str, object]:
    told = {"workspace": workspace, "trials": 3, "failed": 0, "ensembles": 2, "faults": 0}
    return {**dict.fromkeys(SUMMARY), **told, **values}


def summary(*rows: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=SUMMARY)


def returns(*values: float | None, workspace: str = "w", series: str = "ensemble") -> pl.DataFrame:
    times = [dt.datetime(2020, 1, 1) + dt.timedelta(days=at) for at in range(len(values))]
    columns = {"workspace": workspace, "series": series, "timestamp": times, "return": values}
    return pl.DataFrame(columns, schema=RETURNS)


def told(rows: pl.DataFrame, earned: pl.DataFrame = NO_RETURNS, **links: str) -> str:
    return index_page(rows, earned, links=links, failures={}, as_of=AS_OF)


def test_a_row_tells_what_was_recommended_how_it_fared_and_how_far_it_may_be_believed():
    rows = summary(
        row(
            "w",
            name="trend",
            tags='["a", "b"]',
            created_at=dt.datetime(2026, 1, 1),
            state="complete",
            phase="phase_4",
            failed=1,
            candidate="equal_weight",
            train_sharpe_ratio=1.25,
            select_sharpe_ratio=-0.5,
            test_sharpe_ratio=0.75,
            dsr=0.9,
            pbo=0.2,
            looks=2,
        )
    )
    text = " ".join(" ".join(Reader(told(rows, w="w/visualizations/report.html")).text).split())
    assert "trend w a b 1 Jan 2026 complete · phase 4 3 (1 failed) Equal weight" in text
    assert "Equal weight 1.25 \u22120.50 0.75 90.0 % 20.0 % 2 0 –" in text


def test_a_name_leads_to_its_page_where_there_is_one():
    html = told(summary(row("a", name="first"), row("b", name="second")), a="a/visualizations/report.html")
    assert '<a class="titled" href="a/visualizations/report.html">first</a>' in html
    assert '<span class="titled">second</span>' in html


def test_an_archived_workspace_is_listed_without_numbers_that_nobody_counted():
    text = " ".join(Reader(told(summary(row("w", state="archived", trials=0)))).text)
    assert "1 (archived)" not in text
    assert "1 (1 archived)" in text
    assert "archived – – – – – – – – – –" in " ".join(text.split())


def test_an_empty_root_is_said_to_be_empty():
    html = told(summary())
    assert "No workspace is here yet." in html
    assert "<table" not in html


@pytest.mark.parametrize("text", HOSTILE)
def test_what_others_wrote_can_neither_act_nor_hide(text):
    rows = summary(row("w", name=text, tags=text, state=text, phase=text, candidate=text))
    html = told(rows, returns(0.1, series=text), w='"><script>x</script>')
    read = Reader(html)
    assert (read.tags["script"], read.tags["style"], html.count("<body")) == (1, 1, 1)
    assert not [name for _, name, _ in read.attributes if name.startswith("on") or name == "style"]
    assert not {"\u202e", "\x1b", "\x00", "\u200b"} & set(html)
    assert len(html) < 60_000


def test_one_file_asks_no_network_for_anything():
    read = Reader(told(summary(row("w"))))
    assert not [name for _, name, _ in read.attributes if name in {"src", "srcset", "action"}]
    policy = next(value for _, name, value in read.attributes if name == "content" and "default" in value)
    assert policy.startswith("default-src 'none'; style-src 'sha256-")


def test_growth_is_drawn_over_all_bars_in_few_points_and_told_in_words():
    html = told(summary(row("w")), returns(*[0.01] * 700))
    assert (
        'aria-label="Ensemble over all periods: × 1\u202f059.16, 1\xa0Jan\xa02020 to\xa030\xa0Nov\xa02021"'
        in html
    )
    path = html.partition('class="s-ensemble" d="')[2].partition('"')[0]
    assert path.startswith("M0.0 23.0L")
    assert path.endswith("L96.0 1.0")
    assert path.count("L") <= 48


@settings(deadline=None, max_examples=50)
@given(st.lists(st.one_of(st.none(), st.floats(width=32)), max_size=6))
def test_no_return_whatever_stops_the_page_and_no_place_is_undefined(values):
    html = told(summary(row("w")), returns(*values))
    assert "nan" not in html.partition("<tbody>")[2].partition("<script>")[0]
    is_drawn = any(value is not None and math.isfinite(value) for value in values)
    assert ("<svg" in html) == is_drawn


@settings(deadline=None, max_examples=20)
@given(st.randoms(use_true_random=False))
def test_the_order_of_returns_changes_no_byte(random):
    earned = pl.concat([returns(0.1, -0.2, 0.3, workspace=name) for name in "ab"])
    places = list(range(earned.height))
    random.shuffle(places)
    rows = summary(row("a"), row("b"))
    assert told(rows, earned[places]) == told(rows, earned)


def test_a_thousand_workspaces_stay_a_small_page():
    names = [f"workflow_20260101_120000_{at:08x}" for at in range(1_000)]
    rows = summary(*(row(name, name="trend", train_sharpe_ratio=1.0, dsr=0.9) for name in names))
    earned = pl.concat([returns(*[0.01, -0.005] * 50, workspace=name) for name in names])
    html = told(rows, earned, **{name: f"{name}/visualizations/report.html" for name in names})
    assert html.count("<tr>") == 1_001
    assert len(html.encode()) < 1_600_000
