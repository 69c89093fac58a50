"""Panels about the search itself: regimes, parameters, who resembles whom, ensemble weights."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from workspace_kit.report import words
from workspace_kit.report.blocks import (
    MOST_ROWS,
    Block,
    Cell,
    Grid,
    Head,
    Note,
    Rows,
    Tiles,
    chart,
    count_cell,
    cut,
    metric_cell,
    parameters_cell,
    text_cell,
    tile,
)
from workspace_kit.report.curves import regimes_chart
from workspace_kit.report.fields import (
    correlation_chart,
    weights_chart,
)
from workspace_kit.report.series import runs
from workspace_kit.report.story import BENCHMARK, BUY_AND_HOLD, ENSEMBLE, EQUAL_WEIGHT, Story, in_order
from workspace_kit.report.surfaces import surface_chart
from workspace_kit.report.trials import Surface, clusters, first_period, surfaces
from workspace_kit.schema import BEAR, BULL, NEUTRAL

_ORDER = (BULL, NEUTRAL, BEAR)
_MOST_SURFACES, _MOST_MEMBERS, _MOST_PAIRS = 24, 40, 10


def regimes(story: Story) -> list[Block]:
    """Return the regimes over the benchmark, and the best parameters in each."""
    return [*_regime_chart(story), *_regime_winners(story), *_by_regime(story)]


def _regime_chart(story: Story) -> list[Block]:
    labels = story.table("regimes")
    name = next((name for name in (BENCHMARK, BUY_AND_HOLD) if name in story.series), None)
    if not labels.height:
        return []
    counted = Note(_regime_counts(labels))
    if name is None:
        return [counted]
    who = f"Growth of the {words.named(name).lower()}"
    drawn = chart(
        "regimes",
        lambda width: regimes_chart(story.series[name], labels, story.periods, width=width),
        caption=f"{who} over the regimes known at each close; neutral bars and the warm-up are unshaded.",
        label=f"{who}, shaded by regime. {counted.text}",
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
    return (
        f"{'; '.join(parts) or 'No bar has a label'}. Basis: {words.short(basis or 'not stated', most=60)}."
    )


def _regime_winners(story: Story) -> list[Block]:
    rows = story.table("regime_params")
    if not rows.height:
        return []
    metric = words.named(words.short(str(rows["metric"].drop_nulls().first() or story.metric), most=40))
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
    caption = (
        "Best parameters in each regime, on train. Plateau: mean over the trial and its grid neighbours."
    )
    return [Grid("regime-parameters", caption, heads, groups)]


def _winner_row(row: Mapping[str, object]) -> tuple[Cell, ...]:
    notes = [row["fallback_reason"], "at the grid's edge" if row["edge_of_grid"] else None]
    metric = str(row["metric"])
    return (
        Cell(words.named(str(row["regime"]))),
        text_cell(row["trial_id"]),
        parameters_cell(row["parameters"]),
        metric_cell(metric, row["performance"]),
        *(count_cell(row[name]) for name in ("bars", "episodes", "trades")),
        metric_cell(metric, row["plateau_score"]),
        text_cell("; ".join(str(note) for note in notes if note) or None),
    )


def _by_regime(story: Story) -> list[Block]:
    """Return the metric of every trial in every regime."""
    rows = story.table("performance_by_regime")
    if not rows.height or story.metric not in rows.columns:
        return []
    known = [regime for regime in _ORDER if regime in rows["regime"]]
    trials = in_order(rows.unique("trial_id", keep="first", maintain_order=True), "trial_id").select(
        "trial_id", "strategy"
    )
    cells = rows.select("trial_id", "regime", pl.col(story.metric).alias("value"), "trades").iter_rows()
    numbers = {(trial, regime): (value, trades) for trial, regime, value, trades in cells}
    said = dict(story.table("performance").select("trial_id", "parameters").iter_rows())
    body = tuple(
        (
            text_cell(trial),
            text_cell(strategy),
            parameters_cell(said.get(trial)),
            *(metric_cell(story.metric, numbers.get((trial, regime), (None, None))[0]) for regime in known),
            *(count_cell(numbers.get((trial, regime), (None, None))[1]) for regime in known),
        )
        for trial, strategy in trials.head(MOST_ROWS).iter_rows()
    )
    heads = (
        *(Head(title, is_number=False) for title in ("Trial", "Strategy", "Parameters")),
        *(Head(words.named(regime), group=words.named(story.metric)) for regime in known),
        *(Head(words.named(regime), group="Trades") for regime in known),
    )
    caption = f"Every trial in every regime, on train. {cut(trials.height)}"
    return [Grid("trials-by-regime", caption, heads, (Rows("", body),), is_searchable=True, is_folded=True)]


def parameters(story: Story) -> list[Block]:
    """Return the metric over each strategy's parameters."""
    every = surfaces(story)
    found = every[:_MOST_SURFACES]
    if not found:
        return []
    scored = np.concatenate([surface.means for surface in found])
    scale = (float(scored.min()), float(scored.max()))
    drawings = tuple(
        tile(
            f"surface-{at}",
            surface_chart(surface, metric=story.metric, scale=scale),
            label=_surface_label(surface, story.metric),
        )
        for at, surface in enumerate(found)
    )
    left_out = f" {len(every) - len(found)} more strategies are not drawn." if len(every) > len(found) else ""
    caption = (
        f"{words.named(story.metric)} over {words.period_words(first_period(story))}. The best is outlined; "
        f"shades mean the same in every drawing, and deeper is better.{left_out}"
    )
    remarks = " ".join(remark for remark in map(_surface_remark, found) if remark)
    return [Tiles(caption, drawings), *([Note(remarks)] if remarks else [])]


def _surface_label(surface: Surface, metric: str) -> str:
    row, column = surface.best
    over = f"{surface.x} and {surface.y}" if surface.y else surface.x
    best = f"{surface.x} {surface.xs[column]:g}" + (f", {surface.y} {surface.ys[row]:g}" if surface.y else "")
    return f"{surface.strategy}: {words.named(metric)} over {over}; best at {best}."


def _surface_remark(surface: Surface) -> str:
    """Say what a drawing alone would hide: means over other parameters, and a best at the end of its grid."""
    strategy = words.short(surface.strategy, most=60)
    mean = f"cells are means over {_listed(surface.others)}" if surface.others else ""
    edge = (
        f"the best lies at the end of the range tried for {_listed(surface.edges)}" if surface.edges else ""
    )
    said = "; ".join(part for part in (mean, edge) if part)
    return f"{strategy}: {said}." if said else ""


def _listed(names: Sequence[str]) -> str:
    return " and ".join(words.short(name, most=40) for name in names)


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
    every = in_order(story.table("ensemble_weights").filter(pl.col("weight").is_finite()), "member")
    if not every.height:
        return []
    rows = every.sort("weight", descending=True, maintain_order=True).head(_MOST_MEMBERS)
    members = [member or "unnamed" for member in rows["member"]]
    shares = rows["weight"].to_list()
    said = ", ".join(
        f"{member} {words.percent(share)}" for member, share in zip(members, shares, strict=True)
    )
    method = words.short(str(rows["method"].drop_nulls().first() or "not stated").replace("_", " "), most=60)
    why = story.reason or "these weights did not beat it on select"
    advice = {
        EQUAL_WEIGHT: f"Equal weight is recommended: {words.short(why, most=200)}.",
        ENSEMBLE: "They beat equal weight on select.",
    }.get(story.recommended or "", "Whether they beat equal weight is not stated.")
    drawn = [
        chart(
            "weights",
            lambda width: weights_chart(members, shares, equal=1 / every.height, width=width),
            caption=f"Share of capital per member, in percent. Chosen on train by {method}. {advice}",
            label=f"Weights: {said}.",
        )
    ]
    return [*_near_identical(story), *drawn]


def _near_identical(story: Story) -> list[Note]:
    """Warn of members that are hardly two."""
    pairs = [_listed(list(map(str, pair))) for pair in story.near_identical]
    if not pairs:
        return []
    shown = "; ".join(pairs[:_MOST_PAIRS]) + ("; …" if len(pairs) > _MOST_PAIRS else "")
    return [
        Note(f"Nearly identical on train (correlation above 0.9999), so read their weights as one: {shown}.")
    ]
