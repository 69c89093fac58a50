"""Plain-file workspaces for trading-research sweeps.

For a coordinator of one's own: `WorkspaceManager`, `generate_workspace_path`, `SignalWriter`, `write_trial`,
`PerformanceReader`, `read_with_recovery`, `CompositeWorkspace`, `IncrementalProcessor`. For analysis:
`run_workflow`, `analyze`, `open_workspace`, `open_catalog`, `compare_workspaces`, `write_report`. For what
was interrupted or changed: `resume_run`, `verify_workspace`, `accept_change`. Every error is a
`WorkspaceKitError`.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workspace_kit.errors import WorkspaceCorruptedError as WorkspaceCorruptedError
    from workspace_kit.errors import WorkspaceKitError as WorkspaceKitError
    from workspace_kit.flows import CompositeWorkspace as CompositeWorkspace
    from workspace_kit.flows import IncrementalProcessor as IncrementalProcessor
    from workspace_kit.flows import PerformanceReader as PerformanceReader
    from workspace_kit.flows import WorkspaceManager as WorkspaceManager
    from workspace_kit.flows import accept_change as accept_change
    from workspace_kit.flows import analyze as analyze
    from workspace_kit.flows import compare_workspaces as compare_workspaces
    from workspace_kit.flows import open_catalog as open_catalog
    from workspace_kit.flows import open_workspace as open_workspace
    from workspace_kit.flows import resume_run as resume_run
    from workspace_kit.flows import run_workflow as run_workflow
    from workspace_kit.flows import verify_workspace as verify_workspace
    from workspace_kit.flows import write_report as write_report
    from workspace_kit.flows import write_trial as write_trial
    from workspace_kit.layout.names import generate_workspace_path as generate_workspace_path
    from workspace_kit.layout.recovery import read_with_recovery as read_with_recovery
    from workspace_kit.layout.writer import SignalWriter as SignalWriter

# Names are imported when they are first used, so that importing the package costs next to nothing.
_HOME = {
    "CompositeWorkspace": "flows",
    "IncrementalProcessor": "flows",
    "PerformanceReader": "flows",
    "SignalWriter": "layout.writer",
    "WorkspaceCorruptedError": "errors",
    "WorkspaceKitError": "errors",
    "WorkspaceManager": "flows",
    "accept_change": "flows",
    "analyze": "flows",
    "compare_workspaces": "flows",
    "generate_workspace_path": "layout.names",
    "open_catalog": "flows",
    "open_workspace": "flows",
    "read_with_recovery": "layout.recovery",
    "resume_run": "flows",
    "run_workflow": "flows",
    "verify_workspace": "flows",
    "write_report": "flows",
    "write_trial": "flows",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
