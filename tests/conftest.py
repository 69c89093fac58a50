"""One run of the packaged example, shared by every test that only looks at it."""

import os
from pathlib import Path

import pytest

import workspace_kit as wk
from workspace_kit.layout.names import FOLDERS, Workspace

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


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A workspace that holds its six folders and no file, below a root of its own."""
    empty = Workspace(tmp_path / "results", "workflow_1")
    for folder in FOLDERS:
        (empty.path / folder).mkdir(parents=True)
    return empty
