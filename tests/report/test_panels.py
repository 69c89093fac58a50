"""A page takes panels of one's own, and says what it shows in figures that agree with the files."""

import datetime as dt
import html
import math
import re
from dataclasses import replace

import polars as pl
import pytest

from workspace_kit.errors import UsageError
from workspace_kit.report import Note, Panel, blank, chart, colour, page, place, report, table
from workspace_kit.report.crises import CRISES
from workspace_kit.report.ink import house_style
from workspace_kit.report.keyfigures import GROUPS, key_figures
from workspace_kit.report.panels import PANELS, sections
from workspace_kit.report.series import growth, values
from workspace_kit.report.story import Story, prepared
from workspace_kit.report.trading import exposure
from workspace_kit.report.years import calendar, crises


def gross(width):
    figure = blank(width, 200)
    place(figure, left=40, right=10, top=20, bottom=30).plot([0, 1], [0, 1], color=colour("gain"))
    return figure


def own(story):
    counted = story.table("performance").group_by("strategy").len().sort("strategy")
    return [
        Note("Mine."),
        table("per-strategy", counted, caption="Trials per strategy."),
        chart("gross-return", gross, caption="Gross.", label="A line."),
    ]


MINE = Panel("own-view", "My view", own)


def test_a_panel_of_one_s_own_follows_the_built_in_ones(story):
    made = report(story, [MINE])
    assert made.page.index('id="limits"') < made.page.index('id="own-view"') < made.page.index('id="lineage"')
    assert '<table id="per-strategy"' in made.page
    assert "momentum" in re.search(r'id="per-strategy".*?</table>', made.page, flags=re.DOTALL)[0]
    assert made.pictures["gross_return"].startswith(b"\x89PNG")
    assert "s-gain" in made.page


@pytest.mark.parametrize("key", ["growth", "main", "months", "trials", "Own View", "x y", "", "1st"])
def test_a_panel_s_key_is_an_id_of_its_own(story, key):
    with pytest.raises(UsageError, match="give the panel another key"):
        page(story, [replace(MINE, key=key)])


@pytest.mark.parametrize("key", ["trials", "months", "performance-chart", "own-view", "../x", "gross_return"])
def test_a_table_s_key_is_an_id_of_its_own_too(story, key):
    counted = pl.DataFrame({"strategies": [4]})
    mine = replace(MINE, build=lambda _: [table(key, counted, caption="")])
    beside = [panel for panel in PANELS if panel.key in {"calendar", "all-trials"}]
    with house_style(), pytest.raises(UsageError, match="give the table another key"):
        sections(prepared(story), [*beside, mine])


def test_no_chart_of_one_s_own_takes_the_picture_of_another(story):
    mine = replace(MINE, build=lambda _: [chart("equity", gross, caption="Gross.", label="A line.")])
    beside = [panel for panel in PANELS if panel.key == "growth"]
    with house_style(), pytest.raises(UsageError, match=r"chart 'equity'.*give the chart another key"):
        sections(prepared(story), [*beside, mine])


@pytest.mark.parametrize("key", ["days", "price-quality"])
def test_days_of_a_table_sort_by_time_and_not_by_their_words(story, key):
    days = {"day": [dt.date(2010, 2, 1)], "time": [dt.datetime(1990, 1, 31, 23, 59, 59)], "none": [None]}
    mine = Panel("dated", "Dated", lambda _: [table("days", pl.DataFrame(days), caption="")])
    shown = re.search(rf'<table id="{key}".*?</table>', page(story, [mine]), flags=re.DOTALL)[0]
    worth = [float(value) for value in re.findall(r'data-value="([^"]+)">[^<]*\d{4}<', shown)]
    assert dt.datetime(1990, 1, 31, 23, 59, 59, tzinfo=dt.UTC).timestamp() in worth
    if key == "days":
        assert worth[0] == dt.datetime(2010, 2, 1, tzinfo=dt.UTC).timestamp()


def test_charts_that_stand_alone_are_pictures_too(story):
    pictures = report(story).pictures
    assert set(pictures) == {"performance_chart", "years", "weights", "luck"}
    assert all(picture.startswith(b"\x89PNG") for picture in pictures.values())


def test_pictures_are_the_same_bytes_each_time(story):
    assert report(story) == report(story)


def test_the_recommended_one_stands_first_and_the_page_says_why(story, told):
    headline = re.search(r'id="headline-table".*?</table>', told, flags=re.DOTALL)[0]
    assert headline.index("Equal weight") < headline.index("Ensemble")
    assert "Equal weight stands first" in told
    other = page(replace(story, recommended="ensemble"))
    headline = re.search(r'id="headline-table".*?</table>', other, flags=re.DOTALL)[0]
    assert headline.index("Ensemble") < headline.index("Equal weight")


def test_intervals_stand_beside_the_headline_numbers(told):
    headline = re.search(r'id="headline-table".*?</table>', told, flags=re.DOTALL)[0]
    assert "0.21 to 1.87" in headline
    assert headline.count(">Interval<") == 3
    assert "95\u00a0% intervals" in told


def test_without_intervals_the_headline_has_no_column_for_them(story):
    assert ">Interval<" not in page(replace(story, intervals={}))


def test_key_figures_name_every_measure_of_the_group(told):
    figures = re.search(r'id="key-figures-table".*?</table>', told, flags=re.DOTALL)[0]
    for title in (
        "Kelly fraction",
        "Omega ratio",
        "Ulcer index",
        "Information ratio",
        "Years won",
        "Alpha a year",
    ):
        assert title in figures


def test_every_key_figure_says_what_it_means_beside_its_name_and_in_a_table(told):
    meanings = re.search(
        r'<details class="fold">(?:(?!</details>).)*id="key-figures-meanings".*?</details>',
        told,
        flags=re.DOTALL,
    )[0]
    for measure in (each for group in GROUPS.values() for each in group):
        meaning = html.escape(measure.meaning, quote=True)
        title = html.escape(measure.title, quote=True)
        assert f'<th scope="row" title="{meaning}">{title}</th>'.replace("&#x27;", "&#39;") in told
        assert f'<th scope="row">{title}</th><td>{meaning}</td>'.replace("&#x27;", "&#39;") in meanings


def test_a_crisis_tells_what_its_bars_compounded_to(story, told):
    main = story.series["equal_weight"]
    title, start, end = next(each for each in CRISES if each[0] == "Dot-com bust")
    inside = main.filter(pl.col("timestamp").dt.date().is_between(start, end, closed="right"))
    earned = growth(values(inside))[-1] - 1
    row = re.search(rf"<tr><th scope=\"row\">{title}</th>.*?</tr>", told)[0]
    assert f"{abs(earned) * 100:.1f}" in row


def test_nearly_identical_members_are_named(told):
    assert "momentum and crossover" in told


def test_the_share_of_splits_that_failed_stands_beside_their_logits(told):
    assert re.search(r"780 ways to halve train.*?21\.4", told)


def test_what_these_files_cannot_tell_is_said(told):
    limits = told[told.index('id="limits"') :]
    assert "no volumes" in limits
    assert "no intraday prices" in limits


def test_without_records_the_page_says_who_would_make_them(story):
    bare = {name: frame for name, frame in story.tables.items() if name not in {"activity", "price_quality"}}
    html = page(replace(story, tables=bare))
    for panel in PANELS:
        if panel.key in {"exposure-and-turnover", "data-quality"}:
            assert panel.missing in html


@pytest.mark.parametrize("most", [0, 5])
def test_a_crisis_has_no_number_of_a_series_that_lacks_its_bars(story, most):
    title, start, end = next(each for each in CRISES if each[0] == "Dot-com bust")
    is_benchmark = pl.col("series") == "benchmark"
    inside = is_benchmark & pl.col("timestamp").dt.date().is_between(start, end)
    returns = story.table("returns")
    kept = pl.concat([returns.filter(~inside), returns.filter(inside).head(most)])
    (grid,) = crises(prepared(replace(story, tables={**story.tables, "returns": kept})))
    (row,) = [row for row in grid.groups[0].rows if row[0].text == title]
    assert [cell.text == "–" for cell in row[3:6]] == [False, False, True]


def test_without_a_calendar_nothing_is_told_per_year(story):
    def traded(told: Story) -> list[str]:
        with house_style():
            blocks = exposure(told)
        grid = next(block for block in blocks if getattr(block, "key", "") == "activity-table")
        return [cell.text for cell in grid.groups[0].rows[0][5:]]

    assert traded(prepared(story))[0].endswith("×")
    assert traded(prepared(replace(story, periods_per_year=None))) == ["–", "–"]


def table_of(blocks, key):
    return next(block for block in blocks if getattr(block, "key", "") == key)


def test_the_bars_of_a_crisis_have_a_mean_a_worst_and_a_best(story):
    told = prepared(story)
    title, start, end = next(each for each in CRISES if each[0] == "Dot-com bust")
    main = told.series["equal_weight"]
    inside = [
        value for time, value in main.select("timestamp", "return").iter_rows() if start < time.date() <= end
    ]
    (row,) = [row for row in crises(told)[0].groups[0].rows if row[0].text == title]
    wanted = [sum(inside) / len(inside), min(inside), max(inside)]
    assert [cell.value for cell in row[-3:]] == pytest.approx(wanted)


def test_crises_are_in_order_of_time_and_end_after_they_begin():
    assert [start for _, start, _ in CRISES] == sorted(start for _, start, _ in CRISES)
    assert all(start < end for _, start, end in CRISES)


def test_a_year_is_won_that_earned_more_than_the_benchmark(story):
    told = prepared(story)
    with house_style():
        grid = table_of(calendar(told), "years-table")
    assert [head.title for head in grid.heads][-2:] == ["Multiplier", "Won"]
    years = {row[0].text: row for row in grid.groups[0].rows}
    for year in (1991, 2008, 2015):
        ours, theirs = (
            math.prod(
                1 + value
                for time, value in told.series[name].select("timestamp", "return").iter_rows()
                if time.year == year
            )
            - 1
            for name in ("equal_weight", "benchmark")
        )
        multiplier, won = years[str(year)][-2:]
        assert multiplier.value == (pytest.approx(ours / theirs) if theirs > 0 else None)
        assert won.text == ("yes" if ours > theirs else "no")


def test_without_a_benchmark_no_year_is_won(story):
    alone = story.table("returns").filter(pl.col("series") != "benchmark")
    with house_style():
        grid = table_of(calendar(prepared(replace(story, tables={"returns": alone}))), "years-table")
    assert "Won" not in [head.title for head in grid.heads]


def test_mean_gross_is_what_was_held_long_and_short_together(story):
    with house_style():
        grid = table_of(exposure(prepared(story)), "activity-table")
    rows = story.table("activity").filter(pl.col("series") == "equal_weight").select("long", "short").rows()
    at = [head.title for head in grid.heads].index("Mean gross")
    assert grid.groups[0].rows[0][at].value == pytest.approx(
        sum(long - short for long, short in rows) / len(rows)
    )


def test_key_figures_name_the_risk_free_rate(story):
    (figures, _) = key_figures(prepared(replace(story, risk_free_rate=0.0325)))
    assert "risk-free rate of 3.25\u00a0% a year" in figures.caption


def test_key_figures_say_that_all_periods_hold_what_chose_them(told):
    assert "All periods include train, where these were chosen, and select." in told
