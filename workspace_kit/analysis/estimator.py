"""Weights from any portfolio estimator of skfolio, through the extra of that name."""

import difflib
import importlib
import importlib.util
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workspace_kit.errors import ConfigError

Array = NDArray[np.float64]
PACKAGE = "skfolio"
# Solvers stop this far from a sum of one or from zero.
TOLERANCE = 1e-6


def estimated_weights(returns: Array, *, estimator: str) -> Array:
    """Return the weights that a skfolio estimator with its own defaults gives members.

    Takes returns, bars x members; only long, fully invested weights are accepted.

    Raises
    ------
    ConfigError
        skfolio is not installed, has no estimator of this name, or its weights are short or do not sum to 1.
    """
    weights = np.asarray(find_estimator(estimator)().fit(returns).weights_, dtype=np.float64)
    if (weights < -TOLERANCE).any() or abs(weights.sum() - 1) > TOLERANCE:
        found = f"weights {weights.round(4).tolist()}"
        raise _refused(estimator, found=found, expected="long weights that sum to 1")
    kept = np.clip(weights, 0.0, None)
    return np.asarray(kept / kept.sum(), dtype=np.float64)


def find_estimator(name: str) -> Any:
    """Return the skfolio estimator of that name; a ConfigError where there is none."""
    if importlib.util.find_spec(PACKAGE) is None:
        raise _refused(name, found="no package skfolio", expected="pip install 'workspace-kit[skfolio]'")
    optimization = importlib.import_module(f"{PACKAGE}.optimization")
    if name not in optimization.__all__:
        near = difflib.get_close_matches(name, optimization.__all__, n=1, cutoff=0.5)
        wanted = f"one of {', '.join(optimization.__all__)}"
        raise _refused(name, found="an unknown estimator", expected=near[0] if near else wanted)
    return getattr(optimization, name)


def _refused(name: str, *, found: str, expected: str) -> ConfigError:
    return ConfigError(
        f"key ensemble.method, skfolio:{name}", found=found, expected=expected, remedy="choose another method"
    )
