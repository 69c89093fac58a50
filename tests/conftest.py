"""One run of the packaged example, shared by every test that only looks at it."""

import os
from pathlib import Path

import pytest

import workspace_kit as wk

EPOCH = "1767225600"


@pytest.fixture(scope="session")
def epoch():
    """Date every document alike, so that runs can be compared byte by byte."""
    before = os.environ.get("SOURCE_DATE_EPOCH")
    os.environ["SOURCE_DATE_EPOCH"] = EPOCH
    yield EPOCH
    if before is None:
        del os.environ["SOURCE_DATE_EPOCH"]
    else:
        os.environ["SOURCE_DATE_EPOCH"] = before


@pytest.fixture(scope="session")
def example(tmp_path_factory, epoch) -> Path:
    """Folder of the packaged example, run with one worker."""
    root = tmp_path_factory.mktemp("example")
    return wk.run_workflow(root=root, workspace_id="workflow_golden", workers=1).path


TINY = """
name: tiny
data: {prices: sample:stocks, periods_per_year: 12, benchmark: "^GSPC", symbols: [IBM, AAPL, MSFT]}
periods: {train: [1990-01-01, 2009-12-31], select: [2010-01-01, 2015-12-31], test: [2016-01-01, 2022-05-31]}
strategies:
  - {name: momentum, function: momentum, parameters: {lookback: [3, 6], threshold: [0.0]}}
  - {name: reversion, function: reversion, parameters: {window: [6], entry: [0.5, 1.0]}}
ensemble: {step: 0.5}
luck: {draws: 50, blocks: 4}
durability: none
"""


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    """Path of a workflow of four trials, for tests that have to run it many times."""
    path = tmp_path_factory.mktemp("tiny") / "tiny.yaml"
    path.write_text(TINY)
    return path
