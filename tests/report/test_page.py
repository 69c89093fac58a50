import base64
import datetime as dt
import hashlib
import json
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import polars as pl
import pytest

from workspace_kit.report import page, performance_chart
from workspace_kit.report.panels import PANELS
from workspace_kit.schema import TABLES

HOSTILE = (
    "<script>alert(1)</script>{{ 7 * 7 }}{% raw %}]]>--><!--</style></script>",
    "\" onload=\"alert(1)' onload='alert(1)",
    "$\\frac{1}{0}$ $x^$ \x00\x1b[31m\x07\ufffe \u202eRTL \u05e9\u05dc \u0627\u0644 \U0001f4c8 株価\u200b",
    "x" * 10_000,
)


class Reader(HTMLParser):
    """Collects tags, ids and attributes of a page."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.ids, self.attributes, self.text, self.headings = Counter(), [], [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.ids += [value for name, value in attrs if name == "id"]
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="session")
def read(told):
    return Reader(told)


def filled(table, text):
    """Return one row of a table in which every text is hostile."""
    now = dt.datetime(2020, 1, 31)
    by_type = {
        pl.String(): text,
        pl.Float64(): 0.5,
        pl.Int64(): 3,
        pl.Boolean(): True,
        pl.Datetime("us"): now,
    }
    keys = {"kind": ("trial", "ensemble", "returns"), "period": ("train", "select"), "status": ("ok",)}
    keys["regime"] = ("bull_market", text)
    rows = [{column.name: by_type[column.type] for column in table.columns}]
    for name in sorted(set(table.names) & set(keys)):
        rows = [{**row, name: value} for row in rows for value in keys[name]]
    return table.frame(rows)


def hostile_story(story, text):
    return replace(
        story,
        name=text,
        note=text,
        workspace=text,
        verdict=text,
        candidates={"ensemble": text, "best_single": text},
        tables={name: filled(table, text) for name, table in TABLES.items()},
        lineage={text: text},
        warnings=(text,),
    )


def without(story, name):
    return replace(story, tables={key: frame for key, frame in story.tables.items() if key != name})


def nulled(story):
    """Return the story with every cell null but the names by which rows are told apart."""
    kept = {"workspace", "trial_id", "series", "candidate", "member", "subject", "trial_a", "trial_b"}
    tables = {
        name: frame.with_columns(
            pl.lit(None, dtype=type_).alias(column)
            for column, type_ in frame.schema.items()
            if column not in kept
        )
        for name, frame in story.tables.items()
    }
    return replace(story, tables=tables)


def test_the_same_story_gives_the_same_bytes(story, told):
    is_same_page = page(story) == told
    is_same_picture = performance_chart(story) == performance_chart(story)
    assert (is_same_page, is_same_picture) == (True, True)


def test_the_order_of_rows_changes_no_byte_even_where_they_contradict_each_other(story):
    small = {name: frame.head(40) for name, frame in story.tables.items()}
    bent = {name: frame.with_columns(pl.col(pl.Float64) * 1.5) for name, frame in small.items()}
    doubled = {name: pl.concat([frame, bent[name]]) for name, frame in small.items()}
    reversed_ = {name: frame.reverse() for name, frame in doubled.items()}
    is_same_page = page(replace(story, tables=doubled)) == page(replace(story, tables=reversed_))
    assert is_same_page


def test_every_panel_has_something_to_show(story, told):
    for panel in PANELS:
        assert f'id="{panel.key}"' in told
        assert not panel.missing or panel.missing not in told


def test_no_id_is_used_twice(read):
    assert [name for name, times in Counter(read.ids).items() if times > 1] == []


def test_every_reference_within_the_page_has_its_target(told, read):
    referred = {value[1:] for _, name, value in read.attributes if name == "href" and value.startswith("#")}
    referred |= {
        part
        for _, name, value in read.attributes
        if name in {"aria-labelledby", "for"}
        for part in value.split()
    }
    referred |= set(re.findall(r"url\(#([\w.-]+)\)", told))
    assert referred <= set(read.ids)


def test_the_page_asks_the_network_for_nothing(told, read):
    assert not re.search(r"https?://|//[a-z]+\.", told)
    sources = {
        value[:11] for _, name, value in read.attributes if name in {"src", "href"} and value[0] != "#"
    }
    assert sources <= {"data:image/"}
    assert read.tags["link"] == read.tags["iframe"] == 0


def test_the_policy_admits_the_one_style_and_the_one_script_alone(told, read):
    policy = next(value for tag, name, value in read.attributes if tag == "meta" and "default-src" in value)
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        (body,) = re.findall(rf"<{tag}>(.*?)</{tag}>", told, flags=re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert read.tags["style"] == read.tags["script"] == 1


def test_no_drawing_has_a_colour_that_the_theme_cannot_change(told):
    assert not re.search(r'(fill|stroke)="#', told)


def test_nothing_on_the_page_is_styled_or_scripted_inline(read):
    assert [(tag, name) for tag, name, _ in read.attributes if name == "style" or name.startswith("on")] == []


def test_a_screen_reader_finds_its_way(read):
    assert read.headings[0] == 1
    assert set(read.headings[1:]) == {2}
    assert [read.tags[tag] for tag in ("header", "nav", "main", "footer", "h1")] == [1, 1, 1, 1, 1]
    assert read.tags["caption"] == read.tags["table"]
    assert read.tags["figcaption"] == read.tags["figure"]
    labels = [value for tag, name, value in read.attributes if tag == "svg" and name == "aria-label"]
    assert len(labels) == read.tags["svg"]
    assert all(labels)
    scopes = [value for tag, name, value in read.attributes if tag == "th" and name == "scope"]
    assert len(scopes) == read.tags["th"]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_and_never_run(story, text):
    html = page(hostile_story(story, text))
    html.encode()
    found = Reader(html)
    assert found.tags["script"] == found.tags["style"] == 1
    assert not [name for _, name, _ in found.attributes if name.startswith("on")]
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069\u200b]", html)
    assert "49" not in re.findall(r"<h1>(.*?)</h1>", html)[0]
    assert len(html) < 1_500_000
    assert [name for name, times in Counter(found.ids).items() if times > 1] == []
    performance_chart(hostile_story(story, text))


def test_hostile_text_can_still_be_read(story):
    html = page(hostile_story(story, HOSTILE[0]))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_a_story_of_nothing_says_what_is_missing(empty_story):
    html = page(empty_story)
    for panel in PANELS:
        if panel.missing:
            assert panel.missing in html
    assert "No verdict" in html
    assert "<svg" not in html
    assert performance_chart(empty_story).startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["performance", "returns"])
def test_a_page_does_without_any_one_table(story, name):
    assert Reader(page(without(story, name))).tags["h1"] == 1


@pytest.mark.parametrize("name", sorted(TABLES))
def test_a_page_does_with_any_one_table_alone(story, name):
    alone = {key: frame for key, frame in story.tables.items() if key == name}
    assert Reader(page(replace(story, tables=alone))).tags["h1"] == 1


def test_a_page_of_one_bar_is_told(short_story):
    html = page(short_story)
    assert 'id="growth"' in html
    assert performance_chart(short_story).startswith(b"\x89PNG")


def test_a_page_of_nulls_shows_dashes(story):
    html = page(nulled(story))
    assert "nan" not in Reader(html).text
    assert "None" not in " ".join(Reader(html).text)
    assert performance_chart(nulled(story)).startswith(b"\x89PNG")


def test_another_program_s_performance_files_alone_make_a_page(foreign_story):
    html = page(foreign_story)
    assert "Histogram" in html
    assert "over the whole period" in html
    assert 'id="trials"' in html
    assert "unnamed strategy" in html


def test_wild_returns_break_nothing(story):
    wild = story.table("returns").with_columns(
        pl.when(pl.int_range(pl.len()) % 7 == 0)
        .then(1e300)
        .when(pl.int_range(pl.len()) % 5 == 0)
        .then(-3.0)
        .otherwise(pl.col("return"))
        .alias("return")
    )
    bent = replace(story, tables={**story.tables, "returns": wild})
    assert "inf" not in " ".join(Reader(page(bent)).text).split()
    assert performance_chart(bent).startswith(b"\x89PNG")


def test_months_are_those_of_the_declared_zone(story):
    close = dt.datetime(2020, 2, 1, 4, 59, 59)  # 31 January, 23:59:59 in New York
    rows = [
        {"workspace": "w", "series": "ensemble", "timestamp": close + dt.timedelta(days=at), "return": 0.011}
        for at in (0, 2)
    ]
    tables = {"returns": TABLES["returns"].frame(rows)}
    html = page(
        replace(story, timezone="America/New_York", tables=tables, periods={}, periods_per_year=252.0)
    )
    january = re.search(
        r'<tr><th scope="row">2020</th><td class="n up-\d">1\.1</td><td class="n up-\d">1\.1</td>', html
    )
    assert january


def test_the_hour_that_clocks_repeat_counts_as_two_bars(story):
    hours = pl.datetime_range(dt.datetime(2023, 11, 4), dt.datetime(2023, 11, 6, 23), "1h", eager=True)
    rows = [{"workspace": "w", "series": "ensemble", "timestamp": hour, "return": 0.0} for hour in hours]
    tables = {"returns": TABLES["returns"].frame(rows)}
    html = page(replace(story, timezone="America/New_York", tables=tables))
    assert "<dt>Bars</dt><dd>72, 3\u00a0Nov\u00a02023 to\u00a06\u00a0Nov\u00a02023</dd>" in html


def test_headline_numbers_are_those_of_the_documents(story, told):
    row = story.table("validations").filter(pl.col("candidate") == "ensemble").row(0, named=True)
    trials = story.table("performance").filter(
        pl.col("trial_id") == story.candidates["ensemble"], pl.col("period") == "train"
    )
    headline = re.search(r'id="headline-table".*?</table>', told, flags=re.DOTALL)[0]
    assert f">{row['trades']}<" in headline
    assert f">{trials['sharpe_ratio'][0]:.2f}<" in headline


def test_later_looks_at_the_test_period_are_told(story, told):
    assert "look number 3" in told
    first = story.table("validations").with_columns(pl.lit(1, dtype=pl.Int64).alias("looks"))
    html = page(replace(story, warnings=(), tables={"validations": first}))
    assert "first look" in html
    assert "look number" not in html


def test_the_fault_count_stands_on_the_first_screen(told):
    assert re.search(r"<dt>Faults</dt><dd>1</dd>", told)
    assert told.index("<dt>Faults</dt>") < told.index('id="headline"')


def test_a_failed_trial_is_counted_and_named(story, told):
    failed = (
        pl.when(pl.col("trial_id") == "trial_3").then(pl.lit("failed")).otherwise("status").alias("status")
    )
    bent = story.table("performance").with_columns(failed)
    html = page(replace(story, tables={"performance": bent}))
    assert "38, 1 failed" in html
    assert "<td>failed</td>" in html
    assert "failed" not in told


def test_long_tables_are_cut_and_say_so(story):
    rows = [
        {"workspace": "w", "path": f"signals/trial_{at}.jsonl", "line": 1, "reason": "torn"}
        for at in range(2_100)
    ]
    html = page(replace(story, tables={"faults": TABLES["faults"].frame(rows)}))
    assert "The first 2\u202f000 of 2\u202f100 rows are shown." in html


def test_sorting_goes_by_the_number_and_not_by_its_words(story, told):
    values = re.findall(r'data-value="([^"]+)"', told)
    assert values
    assert all(json.loads(value) is not None for value in values)


def test_the_picture_is_sixteen_hundred_by_a_thousand(story):
    picture = performance_chart(story)
    assert [int.from_bytes(picture[at : at + 4]) for at in (16, 20)] == [1600, 1000]


def test_a_long_daily_history_stays_a_light_page(story):
    times = pl.datetime_range(
        dt.datetime(1990, 1, 1), dt.datetime(2022, 1, 1), "1d", eager=True, time_unit="us"
    )
    frames = [
        pl.DataFrame({"timestamp": times}).with_columns(
            pl.lit("w").alias("workspace"),
            pl.lit(name).alias("series"),
            (pl.int_range(pl.len()).mod(17 + at) / 1000 - 0.0075).alias("return"),
        )
        for at, name in enumerate(("ensemble", "equal_weight", "best_single", "buy_and_hold", "benchmark"))
    ]
    returns = pl.concat(frames).select(TABLES["returns"].names)
    assert len(page(replace(story, tables={"returns": returns}, periods_per_year=365.0))) < 900_000
