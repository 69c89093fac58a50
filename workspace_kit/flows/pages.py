"""Pictures and pages of a workspace, from its files alone."""

import datetime as dt
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from workspace_kit.config import Config
from workspace_kit.errors import FileDamaged
from workspace_kit.flows.candidates import EQUAL_ROW, ensemble_trial_id, recommended
from workspace_kit.flows.catalogs import open_catalog, open_workspace, reading
from workspace_kit.flows.origins import config_of, content_of
from workspace_kit.flows.provenance import digest_of
from workspace_kit.flows.tearsheet import Numbers, statistics_of
from workspace_kit.flows.trip import Reporter, now, silent
from workspace_kit.layout import names
from workspace_kit.layout.names import Workspace
from workspace_kit.layout.reader import record_of, zone_of
from workspace_kit.layout.writer import write_file
from workspace_kit.prices import day_bounds
from workspace_kit.report.keyfigures import judged
from workspace_kit.report.page import report
from workspace_kit.report.panels import Panel
from workspace_kit.report.story import LOGITS, Interval, Story
from workspace_kit.schema import PERIODS, PRICE_QUALITY, RECORDS, SELECT, TABLES, TEST

SHARED_ODDS = ("pbo", "probability_of_loss", "degradation_slope", "reality_check_p_value")
ADVICE = {"ensemble": "Recommended: the ensemble.", "equal_weight": "Recommended: equal weight."}
PAGE_KEY = "report"
_MOST = 2**53
NO_VERDICT = "No verdict: this workspace has no analysis/overfitting.json, so nobody counted what was tried."


def write_report(
    workspace: Workspace | Path | str,
    *,
    out: Path | None = None,
    panels: Sequence[Panel] = (),
    reporter: Reporter = silent,
) -> Path:
    """Write ``report.html`` and a PNG of each chart that stands alone, and return the page's path.

    They go into the workspace's ``visualizations/``, or into the folder ``out``. ``panels`` of one's own
    (`workspace_kit.report.Panel`) follow the built-in ones.
    """
    held = open_workspace(workspace)
    story = story_of(held, reporter=reporter)
    with reporter("Report", 1) as step:
        made = report(story, panels)
        for key, picture in made.pictures.items():
            write_file(held, names.PICTURE, key, picture, out=out)
        path = write_file(held, names.PAGE, PAGE_KEY, made.page.encode(), out=out)
        step()
    return path


def verdict_of(workspace: Workspace) -> str:
    """Return the verdict in plain words: of the ensemble, else of the sweep; what is recommended; of test."""
    ensemble, sweep, test = (
        content_of(workspace, kind, key).get("verdict")
        for kind, key in (
            (names.ANALYSIS, "overfitting"),
            (names.SUMMARY, "summary"),
            (names.VALIDATION, "validation_results"),
        )
    )
    advice = ADVICE.get(recommended(content_of(workspace, names.ANALYSIS, "ensemble_weights")) or "")
    return " ".join(str(each) for each in (ensemble or sweep or NO_VERDICT, advice, test) if each)


def story_of(workspace: Workspace, *, reporter: Reporter = silent) -> Story:
    """Gather what a page tells of a workspace; whatever is not there is left out."""
    with (
        reading(reporter) as progress,
        open_catalog(workspace.root, [workspace.id], progress=progress) as catalog,
    ):
        tables = {name: catalog.table(name) for name in TABLES if name not in {"signals", "files"}}
    listed = tables["workspaces"]
    about = listed.row(0, named=True) if listed.height else dict.fromkeys(listed.columns)
    config = config_of(workspace)
    luck, choice, validation = (
        content_of(workspace, kind, key)
        for kind, key in (
            (names.ANALYSIS, "overfitting"),
            (names.ANALYSIS, "ensemble_weights"),
            (names.VALIDATION, "validation_results"),
        )
    )
    periods = _periods(config)
    zone = config.data.timezone if config else zone_of(workspace.path).timezone
    records, damage = _records(workspace, luck)
    story = Story(
        workspace=workspace.id,
        name=about["name"] or "",
        note=about["note"] or "",
        created_at=about["created_at"],
        as_of=now(),
        timezone=zone,
        verdict=verdict_of(workspace),
        metric=config.metric if config else "sharpe_ratio",
        periods_per_year=config.data.periods_per_year if config else None,
        risk_free_rate=config.data.risk_free_rate if config else 0.0,
        recommended=recommended(choice),
        reason=choice["reason"] if isinstance(choice.get("reason"), str) else None,
        cost_bps=config.execution.cost_bps if config else None,
        luck_hurdle=_number(luck.get("luck_hurdle")),
        luck=_luck(luck),
        statistics={},
        intervals=_intervals(choice, validation),
        confidence=config.luck.confidence if config else None,
        near_identical=[
            [str(each) for each in pair] for pair in map(_list, _list(choice.get("near_identical")))
        ],
        candidates=_candidates(choice),
        periods=periods,
        tables={**tables, **records},
        lineage=_lineage(workspace, config),
        warnings=[*_warnings(workspace, validation), *damage],
    )
    return replace(story, statistics=_statistics(story))


def _records(workspace: Workspace, luck: Mapping[str, Any]) -> tuple[dict[str, pl.DataFrame], list[str]]:
    """Read what a run recorded beside its views, and say which of it cannot be read."""
    frames, damage = {LOGITS.name: _logits(luck)}, []
    for table in (*RECORDS, PRICE_QUALITY):
        try:
            frames[table.name] = record_of(workspace, table)
        except FileDamaged as error:
            damage.append(str(error))
    return frames, damage


def _logits(luck: Mapping[str, Any]) -> pl.DataFrame:
    logits = _section(luck, "logits")
    edges = [_number(edge) for edge in _list(logits.get("edges"))]
    counts = [
        each if isinstance(each, int) and 0 <= each < _MOST else None for each in _list(logits.get("counts"))
    ]
    if None in edges or None in counts or len(edges) != len(counts) + 1:
        return LOGITS.empty()
    rows = zip(edges, edges[1:], counts, strict=False)
    return pl.DataFrame(list(rows), schema=LOGITS.types, orient="row")


def _luck(luck: Mapping[str, Any]) -> dict[str, float | None]:
    """What is known of choosing the best at all, which is the same of every subject."""
    subjects = _section(luck, "subjects")
    first = next((_section(subjects, subject) for subject in subjects), {})
    return {name: _number(first.get(name)) for name in SHARED_ODDS}


def _statistics(story: Story) -> dict[str, dict[str, Numbers]]:
    if story.periods_per_year is None:
        return {}
    returns = story.table("returns")
    return statistics_of(
        returns.filter(pl.col("series").is_in(judged(story))),
        story.periods,
        timezone=story.timezone,
        periods_per_year=story.periods_per_year,
        risk_free_rate=story.risk_free_rate,
    )


def _intervals(
    choice: Mapping[str, Any], validation: Mapping[str, Any]
) -> dict[str, dict[str, dict[str, Interval]]]:
    """Low and high by period, candidate and metric: select as phase 3 saved it, test as phase 4 did."""
    judged, tested = _section(choice, "intervals"), _section(validation, "candidates")
    told = {
        SELECT: {name: _section(judged, name) for name in judged},
        TEST: {name: _section(_section(tested, name), "intervals") for name in tested},
    }
    return {
        period: {
            name: {metric: _interval(ends) for metric, ends in found.items()} for name, found in of.items()
        }
        for period, of in told.items()
    }


def _interval(ends: object) -> Interval:
    """Return low and high where they are two numbers."""
    low, high = (
        (_number(each) for each in ends) if isinstance(ends, list) and len(ends) == 2 else (None, None)
    )
    return None if low is None or high is None else (low, high)


def _section(of: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a part of a document, empty where another program wrote something else there."""
    found = of.get(name)
    return found if isinstance(found, dict) else {}


def _list(found: object) -> list[Any]:
    return found if isinstance(found, list) else []


def _number(found: object) -> float | None:
    if isinstance(found, bool) or not isinstance(found, int | float) or not abs(found) <= sys.float_info.max:
        return None
    return float(found)


def _candidates(choice: Mapping[str, Any]) -> dict[str, str]:
    """Which trial stands behind which series."""
    behind = {"ensemble": choice.get("ensemble_trial"), "best_single": choice.get("best_single_trial")}
    named = {series: trial for series, trial in behind.items() if isinstance(trial, str)}
    is_told = "ensemble" in named and _section(choice, "equal_weight")
    return {**named, "equal_weight": ensemble_trial_id(EQUAL_ROW)} if is_told else named


def _periods(config: Config | None) -> dict[str, tuple[dt.datetime, dt.datetime]]:
    if config is None:
        return {}
    zone = config.data.timezone
    return {name: day_bounds(*getattr(config.periods, name), timezone=zone) for name in PERIODS}


def _lineage(workspace: Workspace, config: Config | None) -> dict[str, str]:
    environment = content_of(workspace, names.METADATA, "environment")
    prices, versions = _section(environment, "prices"), _section(environment, "versions")
    facts = {
        "Configuration": digest_of(msgspec.to_builtins(config)) if config else None,
        "Prices": prices.get("source"),
        "Prices digest": prices.get("digest"),
        "Benchmark": environment.get("benchmark"),
        "Seed": config.seed if config else None,
        "Versions": ", ".join(f"{name} {each}" for name, each in versions.items()),
        "Python": environment.get("python"),
        "Commit": _section(environment, "git").get("commit"),
        "Replay": _replay_rule(config) if config else None,
    }
    return {name: str(value) for name, value in facts.items() if value}


def _replay_rule(config: Config) -> str:
    rule = config.execution
    return (
        f"signals earn from {rule.delay} bar{'s' if rule.delay > 1 else ''} later,"
        f" filled at the {rule.fill.replace('_', ' ')},"
        f" {rule.direction}, {rule.sizing} sizing, {rule.allocation} allocation,"
        f" {rule.cost_bps:g} bps per unit traded, {config.data.periods_per_year:g} bars a year"
    ).replace("long_", "long ")


def _warnings(workspace: Workspace, validation: Mapping[str, Any]) -> list[str]:
    looks = validation.get("looks")
    recorded = content_of(workspace, names.METADATA, "environment").get("warnings")
    told = [str(each) for each in _list(recorded)]
    if isinstance(looks, int) and looks > 1:
        told.append(
            f"This test period had been looked at {'once' if looks == 2 else f'{looks - 1} times'} before"
            " by other workspaces of this root: its numbers are no longer out of sample."
        )
    return told
