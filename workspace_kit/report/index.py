"""Many workspaces on one page: what each recommends, how that fared, and how far it may be believed."""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from workspace_kit.report import words
from workspace_kit.report.blocks import Cell, as_float, count_cell, date_cell, metric_cell
from workspace_kit.report.document import rendered
from workspace_kit.report.ink import INKS
from workspace_kit.report.series import Floats, growth
from workspace_kit.report.story import BENCHMARK

_NAME, _TAGS, _WORDS, _FAILURE = 80, 120, 40, 200
_POINTS, _WIDTH, _HEIGHT = 48, 96, 24
_SMALLEST, _LARGEST = 1e-9, 1e300
# What is known of an archived workspace is what its archive says of it, which counts nothing.
_ARCHIVED = "archived"
_SHARPES = ("train_sharpe_ratio", "select_sharpe_ratio", "test_sharpe_ratio")


@dataclass(frozen=True, slots=True)
class Sparkline:
    """Growth on a logarithmic scale: its path, where nothing was gained or lost, its ink, words and end."""

    path: str
    start: str
    ink: str
    label: str
    end: float


@dataclass(frozen=True, slots=True)
class Entry:
    """One workspace: where its page lies, null where it has none, why no new one could be made, its row."""

    workspace: str
    link: str | None
    failure: str
    name: str
    tags: tuple[str, ...]
    cells: tuple[tuple[Cell, bool], ...]
    sparkline: Sparkline | None


def index_page(
    summary: pl.DataFrame,
    returns: pl.DataFrame,
    *,
    links: Mapping[str, str],
    failures: Mapping[str, str],
    as_of: dt.datetime,
) -> str:
    """Return one HTML document with a row per workspace, in the order given.

    ``summary`` is the answer ``workspace_summary``, ``returns`` the answer ``recommended_returns``; ``links``
    are relative places of pages by workspace, ``failures`` why one has no new page. Texts of others are
    escaped and cut where they run long. The same frames give the same bytes.
    """
    drawn = _sparklines(returns)
    facts = {
        "entries": [
            _entry(row, links=links, failures=failures, drawn=drawn) for row in summary.iter_rows(named=True)
        ],
        "facts": _facts(summary, as_of=as_of),
        "width": _WIDTH,
        "height": _HEIGHT,
    }
    return rendered("index.html", facts, styles=("index.css",))


def _facts(summary: pl.DataFrame, *, as_of: dt.datetime) -> Mapping[str, str]:
    archived = summary.filter(state=_ARCHIVED).height
    totals = {name: words.count(int(summary[name].sum())) for name in ("trials", "ensembles", "faults")}
    put_away = f" ({words.count(archived)} archived)" if archived else ""
    return {
        "Workspaces": words.count(summary.height) + put_away,
        "Trials": totals["trials"],
        "Weight sets": totals["ensembles"],
        "Faults": totals["faults"],
        "Written": f"{words.date(as_of)}, {as_of:%H:%M} UTC",
    }


def _entry(
    row: Mapping[str, Any],
    *,
    links: Mapping[str, str],
    failures: Mapping[str, str],
    drawn: Mapping[str, Sparkline],
) -> Entry:
    workspace = row["workspace"]
    return Entry(
        workspace=workspace,
        link=links.get(workspace),
        failure=words.short(failures.get(workspace, ""), most=_FAILURE),
        name=words.short(row["name"] or "", most=_NAME) or workspace,
        tags=_tags(row["tags"]),
        cells=tuple(_cells(row)),
        sparkline=drawn.get(workspace),
    )


def _cells(row: Mapping[str, Any]) -> list[tuple[Cell, bool]]:
    """Return the cells between name and growth, each with whether it is a number."""
    failed, is_away = row["failed"], row["state"] == _ARCHIVED
    trials = count_cell(None if is_away else row["trials"])
    if failed:
        trials = Cell(f"{trials.text} ({words.count(failed)} failed)", trials.value)
    state = " · ".join(each for each in (row["state"], row["phase"]) if each).replace("_", " ")
    return [
        (date_cell(row["created_at"]), False),
        (Cell(words.short(state, most=_WORDS) or words.NOTHING), False),
        (trials, True),
        (Cell(words.short(words.named(row["candidate"] or words.NOTHING), most=_WORDS)), False),
        *((metric_cell("sharpe_ratio", row[name]), True) for name in _SHARPES),
        *((Cell(words.probability(row[name]), as_float(row[name])), True) for name in ("dsr", "pbo")),
        (count_cell(row["looks"]), True),
        (count_cell(None if is_away else row["faults"]), True),
    ]


def _tags(text: str | None) -> tuple[str, ...]:
    """Return tags given as a JSON list; whatever else another program wrote there is one tag."""
    try:
        told = json.loads(text) if text else []
    except (ValueError, RecursionError):
        told = [text]
    listed = told if isinstance(told, list) else [told]
    line = [words.short(str(each), most=_WORDS) for each in listed[:_WORDS]]
    return tuple(each for at, each in enumerate(line) if each and sum(map(len, line[:at])) < _TAGS)


def _sparklines(returns: pl.DataFrame) -> dict[str, Sparkline]:
    clean = returns.filter(pl.col("return").is_finite(), pl.col("timestamp").is_not_null())
    ordered = clean.sort("workspace", "timestamp", "return")
    return {
        str(workspace): _sparkline(rows)
        for (workspace,), rows in ordered.group_by(["workspace"], maintain_order=True)
    }


def _sparkline(rows: pl.DataFrame) -> Sparkline:
    series, first, last = rows["series"][0], rows["timestamp"][0], rows["timestamp"][-1]
    grown = np.clip(np.nan_to_num(growth(rows["return"].to_numpy())), _SMALLEST, _LARGEST)
    heights = np.log(np.concatenate(([1.0], grown)))
    low, high = float(heights.min()), float(heights.max())
    places = np.unique(np.linspace(0, len(heights) - 1, min(len(heights), _POINTS)).round().astype(int))
    xs, ys = places / (len(heights) - 1) * _WIDTH, _down(heights[places], low=low, high=high)
    end = float(grown[-1])
    who = f"{words.named(series)} over all periods"
    return Sparkline(
        path="M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in zip(xs, ys, strict=True)),
        start=f"{_down(heights[:1], low=low, high=high)[0]:.1f}",
        ink=series if series in INKS else BENCHMARK,
        label=f"{who}: × {words.number(end, decimals=2)}, {words.span(first, last)}",
        end=end,
    )


def _down(heights: Floats, *, low: float, high: float) -> Floats:
    """Return places from the top, a margin of one unit left for the line's width."""
    share = (heights - low) / (high - low) if high > low else np.full(len(heights), 0.5)
    return np.asarray((1.0 - share) * (_HEIGHT - 2) + 1, dtype=np.float64)
