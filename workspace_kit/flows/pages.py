"""Pictures and pages of a workspace, from its files alone."""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from workspace_kit.config import Config
from workspace_kit.flows.catalogs import open_catalog
from workspace_kit.flows.choice import EQUAL_ROW, ensemble_trial_id
from workspace_kit.flows.origins import config_of, content_of
from workspace_kit.flows.provenance import digest_of
from workspace_kit.flows.studies import open_workspace
from workspace_kit.flows.trip import now
from workspace_kit.layout import names
from workspace_kit.layout.names import Workspace
from workspace_kit.layout.reader import zone_of
from workspace_kit.layout.writer import write_file
from workspace_kit.prices import day_bounds
from workspace_kit.report.page import page, performance_chart
from workspace_kit.report.story import Story
from workspace_kit.schema import PERIODS, TABLES

CHART_KEY, PAGE_KEY = "performance_chart", "report"
NO_VERDICT = "No verdict: this workspace has no analysis/overfitting.json, so nobody counted what was tried."


def write_report(workspace: Workspace | Path | str, *, out: Path | None = None) -> Path:
    """Write ``performance_chart.png`` and ``report.html`` and return the page's path.

    They go into the workspace's ``visualizations/``, or into the folder ``out``.
    """
    held = open_workspace(workspace)
    story = story_of(held)
    write_file(held, names.PICTURE, CHART_KEY, performance_chart(story), out=out)
    return write_file(held, names.PAGE, PAGE_KEY, page(story).encode(), out=out)


def verdict_of(workspace: Workspace) -> str:
    """Return the verdict in plain words: of the ensemble, else of the sweep, and then of the test period."""
    ensemble, sweep, test = (
        content_of(workspace, kind, key).get("verdict")
        for kind, key in (
            (names.ANALYSIS, "overfitting"),
            (names.SUMMARY, "summary"),
            (names.VALIDATION, "validation_results"),
        )
    )
    return " ".join(str(each) for each in (ensemble or sweep or NO_VERDICT, test) if each)


def story_of(workspace: Workspace) -> Story:
    """Gather what a page tells of a workspace; whatever is not there is left out."""
    with open_catalog(workspace.root, [workspace.id]) as catalog:
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
    return Story(
        workspace=workspace.id,
        name=about["name"] or "",
        note=about["note"] or "",
        created_at=about["created_at"],
        as_of=now(),
        timezone=config.data.timezone if config else zone_of(workspace.path).timezone,
        verdict=verdict_of(workspace),
        metric=config.metric if config else "sharpe_ratio",
        periods_per_year=config.data.periods_per_year if config else None,
        risk_free_rate=config.data.risk_free_rate if config else 0.0,
        luck_hurdle=luck.get("luck_hurdle"),
        candidates=_candidates(choice),
        periods=_periods(config),
        tables=tables,
        lineage=_lineage(workspace, config),
        warnings=_warnings(workspace, validation),
    )


def _candidates(choice: Mapping[str, Any]) -> dict[str, str]:
    """Which trial stands behind which series."""
    behind = {"ensemble": choice.get("ensemble_trial"), "best_single": choice.get("best_single_trial")}
    named = {series: trial for series, trial in behind.items() if isinstance(trial, str)}
    return {**named, "equal_weight": ensemble_trial_id(EQUAL_ROW)} if choice else named


def _periods(config: Config | None) -> dict[str, tuple[dt.datetime, dt.datetime]]:
    if config is None:
        return {}
    zone = config.data.timezone
    return {name: day_bounds(*getattr(config.periods, name), timezone=zone) for name in PERIODS}


def _lineage(workspace: Workspace, config: Config | None) -> dict[str, str]:
    environment = content_of(workspace, names.METADATA, "environment")
    prices = environment.get("prices") or {}
    facts = {
        "Configuration": digest_of(msgspec.to_builtins(config)) if config else None,
        "Prices": prices.get("source"),
        "Prices digest": prices.get("digest"),
        "Benchmark": environment.get("benchmark"),
        "Seed": config.seed if config else None,
        "Versions": ", ".join(f"{name} {each}" for name, each in (environment.get("versions") or {}).items()),
        "Python": environment.get("python"),
        "Commit": (environment.get("git") or {}).get("commit"),
        "Replay": _replay_rule(config) if config else None,
    }
    return {name: str(value) for name, value in facts.items() if value}


def _replay_rule(config: Config) -> str:
    rule = config.execution
    return (
        f"signals earn from {rule.delay} bar(s) later, filled at the {rule.fill.replace('_', ' ')},"
        f" {rule.direction}, {rule.sizing} sizing, {rule.allocation} allocation,"
        f" {rule.cost_bps:g} bps per unit traded, {config.data.periods_per_year:g} bars a year"
    ).replace("long_", "long ")


def _warnings(workspace: Workspace, validation: Mapping[str, Any]) -> list[str]:
    looks = validation.get("looks")
    recorded = content_of(workspace, names.METADATA, "environment").get("warnings") or []
    told = [str(each) for each in recorded]
    if isinstance(looks, int) and looks > 1:
        told.append(
            f"This test period had been looked at {looks - 1} time(s) before by other workspaces of this"
            " root: its numbers are no longer out of sample."
        )
    return told
