"""One run of the packaged example, shared by every test that only looks at it."""

import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import workspace_kit as wk
from workspace_kit import cli
from workspace_kit.flows import run
from workspace_kit.layout.names import FOLDERS, Workspace
from workspace_kit.workflow_file import example_text

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


SMALLER = (
    ("{lookback: [3, 6, 9, 12], threshold: [0.0, 0.02, 0.05]}", "{lookback: [3, 9], threshold: [0.0]}"),
    ("{fast: [2, 3, 4], slow: [6, 9, 12]}", "{fast: [2], slow: [6, 12]}"),
    ("{window: [6, 9, 12], entry: [0.5, 1.0, 1.5]}", "{window: [6], entry: [0.5, 1.5]}"),
    ("step: 0.1 ", "step: 0.5 "),
    ("luck: {confidence: 0.95, draws: 1000, blocks: 16}", "luck: {draws: 50, blocks: 4}"),
)


@pytest.fixture(scope="session")
def small_text() -> str:
    """The packaged workflow with eight trials and few weight sets: the same paths, sooner."""
    text = example_text()
    for whole, part in SMALLER:
        assert whole in text
        text = text.replace(whole, part)
    return text


@pytest.fixture(scope="session")
def small(tmp_path_factory, epoch, small_text) -> Path:
    """Folder of the small workflow, run with one worker."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "workflow.yaml").write_text(small_text)
    return wk.run_workflow(
        folder / "workflow.yaml", root=folder / "results", workspace_id="workflow_small", workers=1
    ).path


@pytest.fixture(scope="module")
def without_pages(example, small):
    """Let runs draw no page, where nobody looks at one; those that all tests share have theirs by then."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "write_report", lambda _workspace: None)
        yield


@pytest.fixture
def command(capfd, monkeypatch, tmp_path):
    """Run one command in an empty folder: its exit code, output and messages."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["workspace-kit", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capfd.readouterr()
        return ended.value.code, captured.out, captured.err

    return run


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A workspace that holds its six folders and no file, below a root of its own."""
    empty = Workspace(tmp_path / "results", "workflow_1")
    for folder in FOLDERS:
        (empty.path / folder).mkdir(parents=True)
    return empty


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


@pytest.fixture
def tell(record_property) -> Callable[[str], None]:
    """Have a figure shown when all tests have ended, with the time it took and that of the processor."""
    begun, before = time.monotonic(), processor_seconds()

    def told(figure: str) -> None:
        seconds, spent = time.monotonic() - begun, processor_seconds() - before
        record_property("figure", f"{figure.strip()} ({seconds:.0f} s, {spent:.0f} s of processor)")
        record_property("processor", spent)

    return told


def processor_seconds() -> float:
    """Seconds of processor of this process and of those it has waited for."""
    each = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(used.ru_utime + used.ru_stime for used in each)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the figures last: they use every processor, so that the last to end leaves none idle."""
    items.sort(key=lambda item: item.path.name == "test_figures.py" and "faults" in item.keywords)


def pytest_terminal_summary(terminalreporter) -> None:
    """Show the figures, which no worker process of pytest-xdist can show itself."""
    found = [pair for report in terminalreporter.getreports("passed") for pair in report.user_properties]
    told = [text for name, text in found if name == "figure"]
    for text in sorted(told, key=lambda text: (len(text.partition(":")[0]), text)):
        terminalreporter.write_line(text)
    if told:
        spent = sum(seconds for name, seconds in found if name == "processor")
        terminalreporter.write_line(f"In all {spent:.0f} s of processor.")
