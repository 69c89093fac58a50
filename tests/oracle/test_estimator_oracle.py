"""An estimator of skfolio in a workflow, where skfolio is installed."""

import json
import warnings
from pathlib import Path

import pytest

import workspace_kit as wk
from workspace_kit.errors import ConfigError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("skfolio")

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]

WORKFLOW = """
data: {{prices: "sample:stocks", periods_per_year: 12, symbols: [IBM, MSFT, XRX]}}
periods: {{train: [1990-01-01, 2009-12-31], select: [2010-01-01, 2015-12-31], test: [2016-01-01, 2022-05-31]}}
strategies:
  - {{name: momentum, function: momentum, parameters: {{lookback: [3, 12], threshold: [0.0]}}}}
  - {{name: crossover, function: crossover, parameters: {{fast: [3], slow: [6]}}}}
  - {{name: reversion, function: reversion, parameters: {{window: [6], entry: [0.5]}}}}
ensemble: {{method: "{method}", cap: {cap}}}
luck: {{draws: 20, blocks: 4}}
durability: none
"""


def weights(folder: Path, *, method: str, cap: float) -> dict[str, float]:
    """Weights that a method chose in a run of its own, up to phase 3."""
    workflow = folder / "workflow.yaml"
    workflow.write_text(WORKFLOW.format(method=method, cap=cap))
    name = method.replace(":", "_")
    run = wk.run_workflow(
        workflow, root=folder / "results", workspace_id=name, until="phase_3", workers=1
    ).path
    found: dict[str, float] = json.loads((run / "analysis" / "ensemble_weights.json").read_text())["weights"]
    return found


def test_an_estimator_of_skfolio_weighs_the_members_as_the_built_in_method_does(tmp_path):
    theirs = weights(tmp_path, method="skfolio:InverseVolatility", cap=1.0)
    ours = weights(tmp_path, method="inverse_volatility", cap=1.0)
    assert len(set(ours.values())) == 3
    assert theirs == pytest.approx(ours, abs=1e-8)


@pytest.mark.parametrize(
    ("method", "cap", "message"),
    [
        ("skfolio:InverseVolatilty", 1.0, "an unknown estimator, expected InverseVolatility"),
        ("skfolio:InverseVolatility", 0.5, "expected 1: an estimator has limits of its own"),
    ],
)
def test_an_estimator_that_cannot_be_used_is_refused_before_anything_is_written(
    tmp_path, method, cap, message
):
    with pytest.raises(ConfigError, match=message):
        weights(tmp_path, method=method, cap=cap)
    assert not (tmp_path / "results").exists()
