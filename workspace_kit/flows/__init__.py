"""Trips from disk through the stages and back; the only code that wires them.

Names are imported when they are first used: a command that needs no picture does not load Matplotlib.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workspace_kit.flows.analyses import ANALYSES as ANALYSES
    from workspace_kit.flows.analyses import analyze as analyze
    from workspace_kit.flows.batch import Batch as Batch
    from workspace_kit.flows.batch import write_reports as write_reports
    from workspace_kit.flows.catalogs import archive_ids as archive_ids
    from workspace_kit.flows.catalogs import open_catalog as open_catalog
    from workspace_kit.flows.catalogs import open_workspace as open_workspace
    from workspace_kit.flows.catalogs import reading as reading
    from workspace_kit.flows.catalogs import workspace_ids as workspace_ids
    from workspace_kit.flows.comparison import compare_workspaces as compare_workspaces
    from workspace_kit.flows.comparison import comparison_told as comparison_told
    from workspace_kit.flows.coordinator import PerformanceReader as PerformanceReader
    from workspace_kit.flows.coordinator import WorkspaceManager as WorkspaceManager
    from workspace_kit.flows.coordinator import write_trial as write_trial
    from workspace_kit.flows.estimate import cost_of_run as cost_of_run
    from workspace_kit.flows.following import IncrementalProcessor as IncrementalProcessor
    from workspace_kit.flows.frames import best_parameters as best_parameters
    from workspace_kit.flows.frames import ensemble_weights as ensemble_weights
    from workspace_kit.flows.frames import overfitting as overfitting
    from workspace_kit.flows.frames import replay as replay
    from workspace_kit.flows.health import examine as examine
    from workspace_kit.flows.housekeeping import closing_line as closing_line
    from workspace_kit.flows.housekeeping import overview as overview
    from workspace_kit.flows.housekeeping import write_example as write_example
    from workspace_kit.flows.integrity import accept_change as accept_change
    from workspace_kit.flows.integrity import check_verdicts as check_verdicts
    from workspace_kit.flows.integrity import differences as differences
    from workspace_kit.flows.integrity import verdict_counts as verdict_counts
    from workspace_kit.flows.integrity import verify_workspace as verify_workspace
    from workspace_kit.flows.lifecycle import archive_workspace as archive_workspace
    from workspace_kit.flows.lifecycle import clean as clean
    from workspace_kit.flows.lifecycle import cleanable as cleanable
    from workspace_kit.flows.lifecycle import pin as pin
    from workspace_kit.flows.lifecycle import repair_workspace as repair_workspace
    from workspace_kit.flows.lifecycle import restore_workspace as restore_workspace
    from workspace_kit.flows.pages import write_report as write_report
    from workspace_kit.flows.provenance import versions as versions
    from workspace_kit.flows.publishing import publish_catalog as publish_catalog
    from workspace_kit.flows.publishing import raw_views as raw_views
    from workspace_kit.flows.questions import ask as ask
    from workspace_kit.flows.questions import ask_file as ask_file
    from workspace_kit.flows.questions import kept_questions as kept_questions
    from workspace_kit.flows.questions import write_parquet as write_parquet
    from workspace_kit.flows.resume import Resumed as Resumed
    from workspace_kit.flows.resume import resume_run as resume_run
    from workspace_kit.flows.run import About as About
    from workspace_kit.flows.run import run_workflow as run_workflow
    from workspace_kit.flows.studies import CompositeWorkspace as CompositeWorkspace
    from workspace_kit.flows.trip import Reporter as Reporter
    from workspace_kit.flows.trip import silent as silent
    from workspace_kit.flows.watching import glimpses as glimpses

_HOME = {
    "ANALYSES": "analyses",
    "About": "run",
    "Batch": "batch",
    "CompositeWorkspace": "studies",
    "IncrementalProcessor": "following",
    "PerformanceReader": "coordinator",
    "Reporter": "trip",
    "Resumed": "resume",
    "WorkspaceManager": "coordinator",
    "accept_change": "integrity",
    "analyze": "analyses",
    "archive_ids": "catalogs",
    "archive_workspace": "lifecycle",
    "ask": "questions",
    "ask_file": "questions",
    "best_parameters": "frames",
    "check_verdicts": "integrity",
    "clean": "lifecycle",
    "cleanable": "lifecycle",
    "closing_line": "housekeeping",
    "compare_workspaces": "comparison",
    "comparison_told": "comparison",
    "cost_of_run": "estimate",
    "differences": "integrity",
    "ensemble_weights": "frames",
    "examine": "health",
    "glimpses": "watching",
    "kept_questions": "questions",
    "open_catalog": "catalogs",
    "open_workspace": "catalogs",
    "overfitting": "frames",
    "overview": "housekeeping",
    "pin": "lifecycle",
    "publish_catalog": "publishing",
    "raw_views": "publishing",
    "reading": "catalogs",
    "repair_workspace": "lifecycle",
    "replay": "frames",
    "restore_workspace": "lifecycle",
    "resume_run": "resume",
    "run_workflow": "run",
    "silent": "trip",
    "verdict_counts": "integrity",
    "verify_workspace": "integrity",
    "versions": "provenance",
    "workspace_ids": "catalogs",
    "write_example": "housekeeping",
    "write_parquet": "questions",
    "write_report": "pages",
    "write_reports": "batch",
    "write_trial": "coordinator",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
