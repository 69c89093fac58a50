"""Plain-file workspaces for trading-research sweeps.

For a coordinator of one's own: `WorkspaceManager`, `SignalWriter`, `write_trial`, `generate_workspace_path`,
`PerformanceReader`, `IncrementalProcessor`, `read_with_recovery`; and for what was interrupted or changed
`resume_run`, `verify_workspace`, `accept_change`.

For analysis of workspaces: `run_workflow`, `open_workspace`, `open_catalog`, `CompositeWorkspace`, `analyze`,
`compare_workspaces`, `write_report`; of frames at hand: `load_prices`, `replay`, `summarise`,
`label_regimes`, `best_parameters`, `ensemble_weights`, `correlations`, `overfitting`, told how by `Data`,
`Execution`, `Regimes`, `Minimum`, `Ensemble`, `Luck`. Every error is a `WorkspaceKitError`.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workspace_kit.analysis.correlation import correlations as correlations
    from workspace_kit.analysis.measures import summarise as summarise
    from workspace_kit.analysis.regimes import label_regimes as label_regimes
    from workspace_kit.config import Data as Data
    from workspace_kit.config import Ensemble as Ensemble
    from workspace_kit.config import Execution as Execution
    from workspace_kit.config import Luck as Luck
    from workspace_kit.config import Minimum as Minimum
    from workspace_kit.config import Regimes as Regimes
    from workspace_kit.errors import WorkspaceCorruptedError as WorkspaceCorruptedError
    from workspace_kit.errors import WorkspaceKitError as WorkspaceKitError
    from workspace_kit.flows import CompositeWorkspace as CompositeWorkspace
    from workspace_kit.flows import IncrementalProcessor as IncrementalProcessor
    from workspace_kit.flows import PerformanceReader as PerformanceReader
    from workspace_kit.flows import WorkspaceManager as WorkspaceManager
    from workspace_kit.flows import accept_change as accept_change
    from workspace_kit.flows import analyze as analyze
    from workspace_kit.flows import best_parameters as best_parameters
    from workspace_kit.flows import compare_workspaces as compare_workspaces
    from workspace_kit.flows import ensemble_weights as ensemble_weights
    from workspace_kit.flows import open_catalog as open_catalog
    from workspace_kit.flows import open_workspace as open_workspace
    from workspace_kit.flows import overfitting as overfitting
    from workspace_kit.flows import replay as replay
    from workspace_kit.flows import resume_run as resume_run
    from workspace_kit.flows import run_workflow as run_workflow
    from workspace_kit.flows import verify_workspace as verify_workspace
    from workspace_kit.flows import write_report as write_report
    from workspace_kit.flows import write_trial as write_trial
    from workspace_kit.layout.names import generate_workspace_path as generate_workspace_path
    from workspace_kit.layout.recovery import read_with_recovery as read_with_recovery
    from workspace_kit.layout.writer import SignalWriter as SignalWriter
    from workspace_kit.prices import load_prices as load_prices

# Names are imported when they are first used, so that importing the package costs next to nothing.
_HOME = {
    "CompositeWorkspace": "flows",
    "Data": "config",
    "Ensemble": "config",
    "Execution": "config",
    "IncrementalProcessor": "flows",
    "Luck": "config",
    "Minimum": "config",
    "PerformanceReader": "flows",
    "Regimes": "config",
    "SignalWriter": "layout.writer",
    "WorkspaceCorruptedError": "errors",
    "WorkspaceKitError": "errors",
    "WorkspaceManager": "flows",
    "accept_change": "flows",
    "analyze": "flows",
    "best_parameters": "flows",
    "compare_workspaces": "flows",
    "correlations": "analysis.correlation",
    "ensemble_weights": "flows",
    "generate_workspace_path": "layout.names",
    "label_regimes": "analysis.regimes",
    "load_prices": "prices",
    "open_catalog": "flows",
    "open_workspace": "flows",
    "overfitting": "flows",
    "read_with_recovery": "layout.recovery",
    "replay": "flows",
    "resume_run": "flows",
    "run_workflow": "flows",
    "summarise": "analysis.measures",
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
