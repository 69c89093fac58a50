"""Panels about the search itself: regimes, parameters, resemblance, weights, luck, validation, every trial."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import polars as pl

from workspace_kit.report import words
from workspace_kit.report.blocks import Block, Cell, Chart, Grid, Head, Note, Rows, Tiles, chart, text_cell, tile
from workspace_kit.report.curves import WIDE, regimes_chart
from workspace_kit.report.fields import (
    correlation_chart,
    distribution_chart,
    scatter_chart,
    surface_chart,
    weights_chart,
)
from workspace_kit.report.series import by_series, runs
from workspace_kit.report.story import BENCHMARK, BUY_AND_HOLD, Story, in_order
from workspace_kit.report.trials import Surface, clusters, first_period, metric_values, surfaces, train_and_select
from workspace_kit.schema import BEAR, BULL, METRIC_NAMES, NEUTRAL, PERIODS

_ORDER = (BULL, NEUTRAL, BEAR)
_MOST_ROWS = 2_000
_PARAMETERS = 90


def regimes(story: Story) -> list[Block]:
    """Return the regimes over the benchmark, and the best parameters in each."""
    return [*_regime_chart(story), *_regime_winners(story), *_by_regime(story)]


def _regime_chart(story: Story) -> list[Block]:
    labels, series = story.table("regimes"), by_series(story.table("returns"))
    name = next((name for name in (BENCHMARK, BUY_AND_HOLD) if name in series), None)
    if not labels.height:
        return []
    counted = Note(_regime_counts(labels))
    if name is None:
        return [counted]
    drawn = chart(
        "regimes",
        lambda width: regimes_chart(series[name], labels, story.periods, width=width),
        caption=f"Growth of the {words.named(name).lower()} over the regimes known at each close; neutral bars and the warm-up are unshaded.",
        label=f"Growth of the {words.named(name).lower()}, shaded by regime. {counted.text}",
        legend=[(BULL, "Bull"), (BEAR, "Bear")],
    )
    return [counted, drawn]


def _regime_counts(labels: pl.DataFrame) -> str:
    bars = dict(labels.group_by("regime").len().iter_rows())
    stretches = dict(runs(labels).group_by("regime").len().iter_rows())
    parts = [
        f"{words.named(name)}: {words.count(bars[name])} bars in {stretches[name]} episodes, "
        f"{words.number(bars[name] / stretches[name], decimals=1)} bars each"
        for name in _ORDER
        if name in stretches
    ]
    basis = "; ".join(sorted(labels["basis"].drop_nulls().unique()))
    return f"{'; '.join(parts) or 'No bar has a label'}. Basis: {words.short(basis or 'not stated', most=60)}."


def _regime_winners(story: Story) -> list[Block]:
    rows = story.table("regime_params")
    if not rows.height:
        return []
    metric = words.named(words.short(rows["metric"].drop_nulls().first() or story.metric, most=40))
    titles = ("Trial", "Parameters", metric, "Bars", "Episodes", "Trades", "Plateau", "Note")
    heads = (
        Head("Regime", is_number=False),
        *(Head(title, is_number=title not in {"Trial", "Parameters", "Note"}) for title in titles),
    )
    strategies = rows["strategy"].unique(maintain_order=True).sort(nulls_last=False).to_list()
    groups = tuple(
        Rows(
            "Best of all" if strategy is None else words.short(strategy, most=60),
            tuple(
                _winner_row(row)
                for regime in _ORDER
                for row in rows.filter(
                    pl.col("strategy").eq_missing(strategy), pl.col("regime") == regime
                ).iter_rows(named=True)
            ),
        )
        for strategy in strategies
    )
    caption = "Best parameters in each regime, on train. Plateau: mean over the trial and its grid neighbours."
    return [Grid("regime-parameters", caption, heads, groups)]


def _winner_row(row: Mapping[str, object]) -> tuple[Cell, ...]:
    notes = [row["fallback_reason"], "at the grid's edge" if row["edge_of_grid"] else None]
    metric = str(row["metric"])
    return (
        Cell(words.named(str(row["regime"]))),
        text_cell(_text(row["trial_id"])),
        Cell(words.parameters(_text(row["parameters"]), most=_PARAMETERS)),
        Cell(words.metric(metric, _float(row["performance"]))),
        *(Cell(words.number(_float(row[name]), decimals=0)) for name in ("bars", "episodes", "trades")),
        Cell(words.metric(metric, _float(row["plateau_score"]))),
        text_cell("; ".join(str(note) for note in notes if note) or None),
    )


def _by_regime(story: Story) -> list[Block]:
    """Return the metric of every trial in every regime."""
    rows = story.table("performance_by_regime")
    if not rows.height or story.metric not in rows.columns:
        return []
    known = [regime for regime in _ORDER if regime in rows["regime"]]
    trials = in_order(rows.select("trial_id", "strategy").unique("trial_id", keep="first", maintain_order=True), "trial_id")
    value = {(trial, regime): number for trial, regime, number in rows.select("trial_id", "regime", story.metric).iter_rows()}
    trades = {(trial, regime): number for trial, regime, number in rows.select("trial_id", "regime", "trades").iter_rows()}
    said = _parameters_of(story)
    body = tuple(
        (
            text_cell(trial),
            text_cell(strategy),
            Cell(words.parameters(said.get(trial), most=_PARAMETERS)),
            *(_metric_cell(story.metric, value.get((trial, regime))) for regime in known),
            *(_count_cell(trades.get((trial, regime))) for regime in known),
        )
        for trial, strategy in trials.head(_MOST_ROWS).iter_rows()
    )
    heads = (
        *(Head(title, is_number=False) for title in ("Trial", "Strategy", "Parameters")),
        *(Head(words.named(regime), group=words.named(story.metric)) for regime in known),
        *(Head(words.named(regime), group="Trades") for regime in known),
    )
    caption = f"Every trial in every regime, on train. {_cut(trials.height)}"
    return [Grid("trials-by-regime", caption, heads, (Rows("", body),), is_searchable=True, is_folded=True)]


def parameters(story: Story) -> list[Block]:
    """Return the metric over each strategy's parameters."""
    found = surfaces(story)
    if not found:
        return []
    every = np.concatenate([surface.cells[np.isfinite(surface.cells)] for surface in found])
    scale = (float(every.min()), float(every.max()))
    drawings = tuple(
        tile(f"surface-{at}", surface_chart(surface, metric=story.metric, scale=scale), label=_surface_label(surface, story.metric))
        for at, surface in enumerate(found)
    )
    caption = (
        f"{words.named(story.metric)} over {_period_words(first_period(story))}. The best trial is outlined; "
        "shades mean the same in every drawing, and deeper is better."
    )
    remarks = [Note(remark) for remark in map(_surface_remark, found) if remark]
    return [Tiles(caption, drawings), *remarks]


def _surface_label(surface: Surface, metric: str) -> str:
    row, column = surface.best
    over = f"{surface.x} and {surface.y}" if surface.y else surface.x
    best = f"{surface.x} {surface.xs[column]:g}" + (f", {surface.y} {surface.ys[row]:g}" if surface.y else "")
    return f"{surface.strategy}: {words.named(metric)} over {over}; best at {best}."


def _surface_remark(surface: Surface) -> str:
    """Say what a drawing alone would hide: means over other parameters, and a best at the end of its grid."""
    strategy = words.short(surface.strategy, most=60)
    mean = f"cells are means over {_listed(surface.others)}" if surface.others else ""
    edge = f"the best lies at the end of what was tried in {_listed(surface.edges)}" if surface.edges else ""
    said = "; ".join(part for part in (mean, edge) if part)
    return f"{strategy}: {said}." if said else ""


def _listed(names: Sequence[str]) -> str:
    return " and ".join(words.short(name, most=40) for name in names)


def _period_words(period: str | None) -> str:
    return "the whole period" if period in {None, "all"} else words.short(period or "", most=40)


def correlations(story: Story) -> list[Block]:
    """Return how the trials' returns move together, like beside like."""
    pairs = story.table("correlations").filter(pl.col("kind") == "returns")
    groups = clusters(pairs)
    if len(groups.trials) < 2:
        return []
    strategies = {
        trial: strategy
        for trial, strategy in story.table("performance").select("trial_id", "strategy").iter_rows()
        if strategy is not None
    }
    above = groups.matrix[np.triu_indices(len(groups.trials), 1)]
    known = above[np.isfinite(above)]
    mean = words.number(float(known.mean()) if len(known) else None, decimals=2)
    said = f"Mean correlation of {words.count(len(groups.trials))} trials: {mean}."
    return [
        chart(
            "correlations",
            lambda width: correlation_chart(groups, strategies, width=width),
            caption=f"Correlation of bar returns on train, in cluster order (average linkage). {said}",
            label=f"Correlation matrix in cluster order. {said}",
        )
    ]


def weights(story: Story) -> list[Block]:
    """Return each member's share of capital."""
    rows = in_order(story.table("ensemble_weights").drop_nulls("weight"), "member")
    if not rows.height:
        return []
    members = [member or "unnamed" for member in rows["member"]]
    shares = rows["weight"].to_list()
    said = ", ".join(f"{member} {words.percent(share)}" for member, share in zip(members, shares, strict=True))
    method = words.short(str(rows["method"].drop_nulls().first() or "not stated").replace("_", " "), most=60)
    equal = rows["recommended"].drop_nulls().first() == "equal"
    advice = "Equal weight is recommended: these weights did not beat it on select." if equal else "They beat equal weight on select."
    return [
        chart(
            "weights",
            lambda width: weights_chart(members, shares, width=min(width, 620)),
            caption=f"Share of capital per member, in percent. Chosen on train by {method}. {advice}",
            label=f"Weights: {said}.",
        )
    ]


def luck(story: Story) -> list[Block]:
    """Return whether train's best holds on select, and the odds that it is luck."""
    return [*_luck_chart(story), *_odds(story)]


def _luck_chart(story: Story) -> list[Chart]:
    metric = story.metric
    hurdle = story.luck_hurdle if metric == "sharpe_ratio" else None
    explained = " Dashed: the Sharpe ratio that the best of all trials reaches by luck." if hurdle is not None else ""
    pairs = train_and_select(story, metric=metric)
    if pairs.height:
        return [
            chart(
                "luck",
                lambda width: scatter_chart(pairs, metric=metric, hurdle=hurdle, candidates=story.candidates, width=width),
                caption=f"{words.named(metric)} of every trial on select against train; faint dots are weight sets.{explained}",
                label=f"{words.named(metric)} on select against train of {words.count(pairs.height)} trials.",
            )
        ]
    period = first_period(story)
    values = metric_values(story, metric=metric, period=period)["value"].drop_nulls().to_numpy()
    if len(values) < 2:
        return []
    return [
        chart(
            "luck",
            lambda width: distribution_chart(values, metric=metric, hurdle=hurdle, width=width),
            caption=f"{words.named(metric)} over {_period_words(period)} of {words.count(len(values))} trials.{explained}",
            label=f"Histogram of {words.named(metric)}: from {words.metric(metric, float(values.min()))} to {words.metric(metric, float(values.max()))}.",
        )
    ]


def _odds(story: Story) -> list[Block]:
    rows = in_order(story.table("overfitting"), "subject")
    if not rows.height:
        return []
    heads = (
        Head("Subject", is_number=False),
        *(Head(title) for title in ("PSR", "Deflated", "Tried", "Independent", "Bars needed", "PBO", "SPA p")),
    )
    body = tuple(
        (
            text_cell(words.named(row["subject"] or "")),
            Cell(words.percent(row["psr"])),
            Cell(words.percent(row["dsr"])),
            Cell(words.count(row["trials_tried"])),
            Cell(words.number(row["effective_trials"], decimals=1)),
            Cell(words.number(row["min_track_record"], decimals=0)),
            Cell(words.percent(row["pbo"])),
            Cell(words.number(row["spa_p_value"], decimals=3)),
        )
        for row in rows.iter_rows(named=True)
    )
    caption = (
        "Odds of luck. PSR: probability that the true Sharpe ratio is above zero; deflated: above what the best of "
        "all trials tried reaches by luck; bars needed: for 95\u00a0% confidence; PBO: probability that the best in "
        "sample falls below the median out of sample; SPA p: of beating buy and hold by luck."
    )
    return [Grid("odds", caption, heads, (Rows("", body),))]


def validation(story: Story) -> list[Block]:
    """Return the candidates over the test period, and how often it had been looked at."""
    rows = story.table("validations")
    if not rows.height:
        return []
    looks = rows["looks"].max()
    first = rows.row(0, named=True)
    body = tuple(
        (
            text_cell(words.named(row["candidate"] or "")),
            *(_metric_cell(name, row[name]) for name in METRIC_NAMES),
            _count_cell(row["trades"]),
        )
        for row in rows.iter_rows(named=True)
    )
    heads = (Head("Candidate", is_number=False), *(Head(words.named(name)) for name in METRIC_NAMES), Head("Trades"))
    caption = f"Test period, {words.span(first['period_start'], first['period_end'])}, net of cost."
    return [Note(_looks_said(looks if isinstance(looks, int) else None)), Grid("validations", caption, heads, (Rows("", body),))]


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
    kinds = (("trial", "trials", "Every trial"), ("ensemble", "weight-sets", "Every weight set of the ensemble"))
    return [
        _trial_grid(story, performance.filter(pl.col("kind") == kind), key=key, title=title)
        for kind, key, title in kinds
        if (performance["kind"] == kind).any()
    ]


def _trial_grid(story: Story, rows: pl.DataFrame, *, key: str, title: str) -> Grid:
    periods = [*[name for name in PERIODS if name in rows["period"]], *sorted(set(rows["period"].drop_nulls()) - set(PERIODS))]
    first = metric_values(story, metric=story.metric, period=first_period(story)).select("trial_id", "value")
    unique = in_order(rows.unique("trial_id", keep="first", maintain_order=True), "trial_id")
    ranked = unique.join(first, on="trial_id", how="left", maintain_order="left").sort(
        "value", descending=True, nulls_last=True, maintain_order=True
    )
    of = {(row["trial_id"], row["period"]): row for row in rows.iter_rows(named=True)}
    names = ("total_return", "sharpe_ratio", "max_drawdown", "win_rate")
    body = tuple(
        (
            text_cell(trial["trial_id"]),
            *([text_cell(trial["strategy"])] if key == "trials" else []),
            Cell(words.parameters(trial["parameters"], most=_PARAMETERS)),
            *(cell for period in periods for cell in _period_cells(of.get((trial["trial_id"], period)), names)),
            *([text_cell(trial["status"])] if key == "trials" else []),
        )
        for trial in ranked.head(_MOST_ROWS).iter_rows(named=True)
    )
    heads = (
        Head("Trial", is_number=False),
        *([Head("Strategy", is_number=False)] if key == "trials" else []),
        Head("Parameters" if key == "trials" else "Weights", is_number=False),
        *(
            Head(head, group=words.short(period, most=30).capitalize())
            for period in periods
            for head in (*(words.named(name) for name in names), "Trades")
        ),
        *([Head("Status", is_number=False)] if key == "trials" else []),
    )
    caption = f"{title}, best {words.named(story.metric)} over {_period_words(first_period(story))} first. {_cut(unique.height)}"
    return Grid(key, caption, heads, (Rows("", body),), is_searchable=True, is_folded=key != "trials")


def _period_cells(row: Mapping[str, object] | None, names: Iterable[str]) -> list[Cell]:
    of = row or {}
    return [*(_metric_cell(name, _float(of.get(name))) for name in names), _count_cell(of.get("trades"))]


def faults(story: Story) -> list[Block]:
    """Return every line or file that could not be read."""
    rows = story.table("faults").sort("path", "line", nulls_last=False)
    if not rows.height:
        return [Note("Every file and every line could be read.")]
    body = tuple(
        (text_cell(path), _count_cell(line), _count_cell(offset), text_cell(reason), text_cell(excerpt))
        for path, line, offset, reason, excerpt in rows.select(
            "path", "line", "byte_offset", "reason", "excerpt"
        ).head(_MOST_ROWS).iter_rows()
    )
    heads = tuple(
        Head(title, is_number=title in {"Line", "Byte"}) for title in ("File", "Line", "Byte", "Reason", "Begins with")
    )
    caption = f"Unreadable lines and files; every number above rests on what could be read. {_cut(rows.height)}"
    return [Grid("fault-list", caption, heads, (Rows("", body),), is_searchable=True)]


def _parameters_of(story: Story) -> dict[str, str]:
    return dict(story.table("performance").select("trial_id", "parameters").drop_nulls().iter_rows())


def _metric_cell(name: str, value: float | None) -> Cell:
    return Cell(words.metric(name, value), value)


def _count_cell(value: object) -> Cell:
    return Cell(words.number(_float(value), decimals=0), _float(value))


def _float(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _cut(rows: int) -> str:
    return f"The first {words.count(_MOST_ROWS)} of {words.count(rows)} rows are shown." if rows > _MOST_ROWS else ""
