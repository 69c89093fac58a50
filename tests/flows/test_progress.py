"""Whoever watches is told of every step of what may take long: as many as were announced, no more."""

import shutil
from contextlib import contextmanager

import pytest

import workspace_kit as wk
from tests.flows.foreign import write_foreign
from workspace_kit import flows


class Watcher:
    """Counts steps announced and steps taken, by piece of work."""

    def __init__(self):
        self.announced, self.taken = {}, {}

    @contextmanager
    def __call__(self, what, total):
        self.announced[what] = self.announced.get(what, 0) + total
        self.taken.setdefault(what, 0)

        def step():
            self.taken[what] += 1

        yield step


@pytest.fixture
def held(tmp_path):
    write_foreign(tmp_path / "results", "w", [2, 5])
    return wk.open_workspace("w", tmp_path / "results")


def test_archive_and_restore_tell_of_each_file(held):
    watcher = Watcher()
    flows.archive_workspace(held, reporter=watcher)
    flows.restore_workspace("w", held.root, reporter=watcher)
    assert watcher.taken == watcher.announced == {"Archiving": 4, "Restoring": 4}


def test_clean_tells_of_each_file_it_archives(held):
    watcher = Watcher()
    done = dict(flows.clean(held.root, keep_days=0, keep_last=0, named=["w"], reporter=watcher))
    assert done["w"].startswith("archived as ")
    assert watcher.taken == watcher.announced == {"Archiving": 4}


def test_repair_tells_of_each_signal_file(held):
    watcher = Watcher()
    flows.repair_workspace(held, reporter=watcher)
    assert watcher.taken == watcher.announced == {"Files": 2}


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda held, bar: list(flows.overview(held.root, held.id, reporter=bar)), {"Files"}),
        (lambda held, bar: flows.compare_workspaces(held, held, reporter=bar), {"Files"}),
        (lambda held, bar: flows.write_report(held, reporter=bar), {"Files", "Report"}),
    ],
)
def test_a_look_at_one_workspace_tells_of_the_files_it_reads(held, ask, told):
    watcher = Watcher()
    ask(held, watcher)
    assert watcher.taken == watcher.announced
    assert set(watcher.taken) == told


def test_verify_announces_the_files_it_reads_and_not_those_that_may_change(small, tmp_path):
    root = tmp_path / "results"
    shutil.copytree(small, root / small.name)
    watcher = Watcher()
    flows.verify_workspace(small.name, root, deep=True, reporter=watcher)
    files = [path for path in (root / small.name).rglob("*") if path.is_file()]
    assert watcher.taken == watcher.announced
    assert len(files) / 2 < watcher.taken["Files"] < len(files)
