"""Pages of workspaces whose documents another program wrote, or wrote half."""

import json
import re
from pathlib import Path

import pytest

import workspace_kit as wk
from workspace_kit.flows.catalogs import open_workspace
from workspace_kit.flows.pages import verdict_of

OTHERS = (None, 7, "text", [], [1, 2, 3], [["a"]], {}, {"a": 1}, {"a": [1, "b"]}, {"a": {"b": [1]}}, 10**400)


def write(root: Path, documents: dict[str, object]) -> Path:
    workspace = wk.WorkspaceManager(root).create_workspace({"name": "foreign"})
    for path, content in documents.items():
        file = workspace / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(content))
    return workspace


def test_a_validation_without_intervals_has_a_page_without_a_column_for_them(tmp_path):
    tested = {"candidates": {"ensemble": {"metrics": {"sharpe_ratio": 1.25}}}}
    page = wk.write_report(write(tmp_path, {"performance/validation_results.json": tested})).read_text()
    assert "1.25" in page
    assert ">interval<" not in page


@pytest.mark.parametrize("other", OTHERS, ids=lambda other: str(other)[:9])
def test_a_page_survives_sections_of_another_shape(tmp_path, other):
    documents = {
        "performance/validation_results.json": {"candidates": other, "looks": other},
        "analysis/ensemble_weights.json": {
            "intervals": other,
            "near_identical": other,
            "ensemble_trial": other,
            "weights": other,
        },
        "analysis/overfitting.json": {"subjects": other, "logits": other, "luck_hurdle": other},
        "metadata/environment.json": {"prices": other, "versions": other, "git": other, "warnings": other},
    }
    assert "<html" in wk.write_report(write(tmp_path, documents)).read_text()
    nested = {
        "performance/validation_results.json": {"candidates": {"ensemble": {"intervals": other}}},
        "analysis/ensemble_weights.json": {"intervals": {"ensemble": other, "best_single": {"cagr": other}}},
        "analysis/overfitting.json": {
            "subjects": {"ensemble": {"pbo": other}},
            "logits": {"edges": other, "counts": other},
        },
    }
    assert "<html" in wk.write_report(write(tmp_path, nested)).read_text()


@pytest.mark.parametrize(
    ("told", "said", "recommended"),
    [
        ({}, "is not stated", False),
        ({"recommended": ["equal"]}, "is not stated", False),
        ({"recommended": "ensemble"}, "They beat equal weight on select", True),
        ({"recommended": "equal"}, "these weights did not beat it on select", True),
        (
            {"recommended": "equal", "reason": "no member ever moved"},
            "recommended: no member ever moved.",
            True,
        ),
    ],
)
def test_a_page_claims_of_an_ensemble_what_its_document_states(tmp_path, told, said, recommended):
    weights = {"weights": {"a": 0.75, "b": 0.25}, **told}
    metrics = {"period_name": "train", "metrics": {"sharpe_ratio": 7.77}}
    documents = {
        "analysis/ensemble_weights.json": weights,
        "performance/ensemble_trial_0.json": {"trial_id": "ensemble_trial_0", "status": "ok", **metrics},
    }
    page = wk.write_report(write(tmp_path, documents)).read_text()
    assert said in page
    assert ("did not beat" in page or "beat equal weight on select" in page) == (
        recommended and "reason" not in told
    )
    headline = re.search(r'id="headline-table".*?</table>', page, flags=re.DOTALL)
    assert headline is None or "7.77" not in headline[0]


@pytest.mark.parametrize(
    ("told", "advice"), [("equal", "Recommended: equal weight."), ("ensemble", "Recommended: the ensemble.")]
)
def test_the_verdict_names_what_is_recommended(tmp_path, told, advice):
    documents = {
        "analysis/overfitting.json": {"verdict": "Winner a of 9 tried."},
        "analysis/ensemble_weights.json": {"recommended": told},
        "performance/validation_results.json": {"verdict": "Sharpe on test: 1."},
    }
    held = open_workspace(write(tmp_path, documents))
    assert verdict_of(held) == f"Winner a of 9 tried. {advice} Sharpe on test: 1."
