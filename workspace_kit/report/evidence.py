"""Panels about what the search proves: luck, validation, every trial, and what could not be read."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from workspace_kit.report import words
from workspace_kit.report.blocks import (
    MOST_ROWS,
    Block,
    Cell,
    Chart,
    Grid,
    Head,
    Note,
    Rows,
    Tiles,
    as_float,
    chart,
    count_cell,
    cut,
    date_cell,
    metric_cell,
    parameters_cell,
    text_cell,
    tile,
)
from workspace_kit.report.fields import CANDIDATES, distribution_chart, scatter_chart
from workspace_kit.report.shapes import logits_tile
from workspace_kit.report.story import Story, in_order
from workspace_kit.report.trials import first_period, metric_values, train_and_select
from workspace_kit.schema import METRIC_NAMES, PERIODS

_SHOWN = ("total_return", "sharpe_ratio", "max_drawdown", "win_rate")


def luck(story: Story) -> list[Block]:
    """Return whether train's best holds on select, the odds that it is luck, and how halves of train fare."""
    return [*_luck_chart(story), *_odds(story), *_logits(story)]


def _logits(story: Story) -> list[Block]:
    bins = story.table("logits").drop_nulls().sort("low")
    if not bins.height or not bins["splits"].sum():
        return []
    edges = np.append(bins["low"].to_numpy(), bins["high"][-1])
    counts = bins["splits"].to_list()
    slope, loss = (story.luck.get(name) for name in ("degradation_slope", "probability_of_loss"))
    said = (
        f"Over {words.count(sum(counts))} ways to halve train, the trial that is best in one half falls below"
        f" the median of the other in {words.probability(story.luck.get('pbo'))} (orange), and scores"
        f" below zero there in {words.probability(loss)}. Its score out of sample changes by"
        f" {words.number(slope, decimals=2)} for each unit in sample: below zero, the better the past,"
        f" the worse what followed. White's reality check against buy and hold: p\u00a0=\u00a0"
        f"{words.number(story.luck.get('reality_check_p_value'), decimals=3)}."
    )
    drawn = tile("logits", logits_tile(edges, counts), label=f"Histogram of logits. {said}")
    return [Tiles(said, (drawn,))]


def _luck_chart(story: Story) -> list[Chart]:
    """Return select against train where there are both, else how the metric is spread."""
    metric, name = story.metric, words.named(story.metric)
    hurdle = as_float(story.luck_hurdle) if metric == "sharpe_ratio" else None
    dashed = (
        "" if hurdle is None else " Dashed: the Sharpe ratio that the best of all trials reaches by luck."
    )
    pairs = train_and_select(story, metric=metric)
    if pairs.height:
        return [
            chart(
                "luck",
                lambda width: scatter_chart(
                    pairs, metric=metric, hurdle=hurdle, candidates=story.candidates, width=width
                ),
                caption=f"{name} of every trial on select against train; small dots are weight sets; on the "
                f"line, select equals train.{dashed}",
                label=f"{name} on select against train of {words.count(pairs.height)} trials.",
                legend=[
                    (series, words.named(series))
                    for series in CANDIDATES
                    if story.candidates.get(series) in set(pairs["trial_id"])
                ],
            )
        ]
    period = first_period(story)
    values = metric_values(story, metric=metric, period=period)["value"].drop_nulls().sort().to_numpy()
    if len(values) < 2:
        return []
    ends = " to ".join(words.metric(metric, float(value)) for value in values[[0, -1]])
    return [
        chart(
            "luck",
            lambda width: distribution_chart(values, metric=metric, hurdle=hurdle, width=width),
            caption=f"{name} over {words.period_words(period)} of {words.count(len(values))} trials.{dashed}",
            label=f"Histogram of {name}, {ends}.",
        )
    ]


def _odds(story: Story) -> list[Block]:
    rows = in_order(story.table("overfitting"), "subject")
    if not rows.height:
        return []
    heads = (
        Head("Subject", is_number=False),
        *(
            Head(title)
            for title in ("PSR", "Deflated", "Tried", "Independent", "Bars needed", "PBO", "SPA p")
        ),
    )
    body = tuple(
        (
            text_cell(words.named(row["subject"] or "")),
            Cell(words.probability(row["psr"])),
            Cell(words.probability(row["dsr"])),
            Cell(words.count(row["trials_tried"])),
            Cell(words.number(row["effective_trials"], decimals=1)),
            Cell(words.number(row["min_track_record"], decimals=0)),
            Cell(words.probability(row["pbo"])),
            Cell(words.number(row["spa_p_value"], decimals=3)),
        )
        for row in rows.iter_rows(named=True)
    )
    caption = (
        "Odds of luck. PSR: probability that the true Sharpe ratio is above zero; deflated: above what "
        "the best of all trials tried reaches by luck; bars needed: for 95\u00a0% confidence; PBO: "
        "probability that the best in sample falls below the median out of sample; SPA p: of beating "
        "buy and hold by luck."
    )
    return [Grid("odds", caption, heads, (Rows("", body),))]


def validation(story: Story) -> list[Block]:
    """Return the candidates over the test period, and how often it had been looked at."""
    validated = story.table("validations")
    rank = {name: place for place, name in enumerate(story.order)}
    rows = validated.sort(pl.col("candidate").replace_strict(rank, default=len(rank)), maintain_order=True)
    if not rows.height:
        return []
    looks = rows["looks"].max()
    first = rows.row(0, named=True)
    body = tuple(
        (
            text_cell(words.named(row["candidate"] or "")),
            *(metric_cell(name, row[name]) for name in METRIC_NAMES),
            count_cell(row["trades"]),
        )
        for row in rows.iter_rows(named=True)
    )
    heads = (
        Head("Candidate", is_number=False),
        *(Head(words.named(name)) for name in METRIC_NAMES),
        Head("Trades"),
    )
    caption = f"Test period, {words.span(first['period_start'], first['period_end'])}, net of cost."
    return [
        Note(_looks_said(looks if isinstance(looks, int) else None)),
        Grid("validations", caption, heads, (Rows("", body),)),
    ]


def _looks_said(looks: int | None) -> str:
    if looks is None:
        return "How often this test period had been looked at was not recorded."
    if looks <= 1:
        return "This was the first look at the test period."
    return (
        f"This was look number {words.count(looks)} at an overlapping test period with the same prices: "
        "each look after the first makes these numbers weaker evidence."
    )


def trials(story: Story) -> list[Block]:
    """Return every trial and every weight set with its numbers in each period."""
    performance = story.table("performance")
    kinds = (
        ("trial", "trials", "Every trial"),
        ("ensemble", "weight-sets", "Every weight set of the ensemble"),
    )
    return [
        _trial_grid(story, performance.filter(pl.col("kind") == kind), key=key, title=title)
        for kind, key, title in kinds
        if (performance["kind"] == kind).any()
    ]


def _trial_grid(story: Story, rows: pl.DataFrame, *, key: str, title: str) -> Grid:
    found = set(rows["period"].drop_nulls())
    periods = [*(name for name in PERIODS if name in found), *sorted(found - set(PERIODS))]
    of = {(row["trial_id"], row["period"]): row for row in rows.iter_rows(named=True)}
    best = words.period_words(first_period(story))
    has_failed = rows.filter(pl.col("status") == "failed").height > 0
    body = tuple(
        (
            text_cell(trial["trial_id"]),
            text_cell(trial["strategy"]),
            parameters_cell(trial["parameters"]),
            *(cell for period in periods for cell in _period_cells(of.get((trial["trial_id"], period), {}))),
            *([text_cell(trial["status"])] if has_failed else []),
        )
        for trial in _ranked(story, rows).head(MOST_ROWS).iter_rows(named=True)
    )
    heads = (
        *(Head(name, is_number=False) for name in ("Trial", "Strategy", "Parameters")),
        *(
            Head(head, group=words.short(period, most=30).capitalize())
            for period in periods
            for head in (*map(words.named, _SHOWN), "Trades")
        ),
        *([Head("Status", is_number=False)] if has_failed else []),
    )
    caption = (
        f"{title}, best {words.named(story.metric)} over {best} first. {cut(rows['trial_id'].n_unique())}"
    )
    return Grid(key, caption, heads, (Rows("", body),), is_searchable=True, is_folded=key != "trials")


def _ranked(story: Story, rows: pl.DataFrame) -> pl.DataFrame:
    """Return one row a trial, best metric first."""
    scores = metric_values(story, metric=story.metric, period=first_period(story)).select("trial_id", "value")
    unique = in_order(rows.unique("trial_id", keep="first", maintain_order=True), "trial_id")
    scored = unique.join(scores, on="trial_id", how="left", maintain_order="left")
    return scored.sort("value", descending=True, nulls_last=True, maintain_order=True)


def _period_cells(row: Mapping[str, object]) -> list[Cell]:
    return [*(metric_cell(name, row.get(name)) for name in _SHOWN), count_cell(row.get("trades"))]


def price_quality(story: Story) -> list[Block]:
    """Return what the prices of each symbol lack."""
    rows = in_order(story.table("price_quality"), "symbol")
    if not rows.height:
        return []
    counts = ("bars", "missing", "longest_gap", "late", "early_end", "longest_stale", "suspicious")
    flawed = rows.filter(pl.any_horizontal(pl.col("missing", "late", "early_end", "suspicious") > 0)).height
    body = tuple(
        (
            text_cell(row["symbol"]),
            date_cell(row["first"]),
            date_cell(row["last"]),
            *(count_cell(row[name]) for name in counts),
        )
        for row in rows.head(MOST_ROWS).iter_rows(named=True)
    )
    titles = (
        *("Bars", "Missing", "Longest gap", "Listed late", "Ended early"),
        *("Longest stale", "Suspicious moves"),
    )
    heads = (
        *(Head(title, is_number=False) for title in ("Symbol", "First price", "Last price")),
        *(Head(title) for title in titles),
    )
    said = (
        f"{words.count(flawed)} of {words.count(rows.height)} symbols have a gap, begin late, end early or"
        " move suspiciously; nothing was mended."
    )
    caption = (
        "Prices as they came, in bars of all symbols together. Stale: closes in a row that did not change;"
        f" suspicious: a move that an unadjusted split or an error would leave. {cut(rows.height)}"
    )
    return [
        Note(said),
        Grid("price-quality", caption.strip(), heads, (Rows("", body),), is_searchable=True),
    ]


def limits(_: Story) -> list[Block]:
    """Say what no file of a workspace could tell."""
    return [
        Note(
            "These files hold closes and signals, so this page cannot tell: capacity and the price impact of"
            " size (no volumes), time of day and slippage within a bar (no intraday prices), exposure to"
            " sectors and styles (no classification), taxes, dividends beyond adjusted prices, cost of"
            " borrowing. Risk of ruin is left out: its usual formula is zero for any long record."
        )
    ]


def faults(story: Story) -> list[Block]:
    """Return every line or file that could not be read."""
    rows = story.table("faults").sort("path", "line", nulls_last=False)
    if not rows.height:
        return [Note("Every file and every line could be read.")]
    body = tuple(
        (text_cell(path), count_cell(line), count_cell(offset), text_cell(reason), text_cell(excerpt))
        for path, line, offset, reason, excerpt in rows.select(
            "path", "line", "byte_offset", "reason", "excerpt"
        )
        .head(MOST_ROWS)
        .iter_rows()
    )
    heads = tuple(
        Head(title, is_number=title in {"Line", "Byte"})
        for title in ("File", "Line", "Byte", "Reason", "Begins with")
    )
    caption = (
        f"Unreadable lines and files; every number above rests on what could be read. {cut(rows.height)}"
    )
    return [Grid("fault-list", caption, heads, (Rows("", body),), is_searchable=True)]
