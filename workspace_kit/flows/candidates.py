"""Which candidate the files of an ensemble name, and how."""

from collections.abc import Mapping
from typing import Any

from workspace_kit.layout import names

EQUAL_ROW = 0


def recommended(choice: Mapping[str, Any]) -> str | None:
    """Return the candidate that ``ensemble_weights.json`` recommends, null where it does not say."""
    return {"ensemble": "ensemble", "equal": "equal_weight"}.get(str(choice.get("recommended")))


def ensemble_trial_id(row: int) -> str:
    """Return the id of the ensemble trial that tries a row of the weight sets."""
    return f"ensemble_{names.trial_id(row)}"
