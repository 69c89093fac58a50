"""Which candidate the files of an ensemble name, and how."""

from collections.abc import Mapping
from typing import Any

from workspace_kit.layout import names

EQUAL_ROW = 0


def recommended(choice: Mapping[str, Any]) -> str:
    """Return the candidate that ``ensemble_weights.json`` recommends: the ensemble, or equal weight."""
    return "equal_weight" if choice.get("recommended") == "equal" else "ensemble"


def ensemble_trial_id(row: int) -> str:
    """Return the id of the ensemble trial that tries a row of the weight sets."""
    return f"ensemble_{names.trial_id(row)}"
