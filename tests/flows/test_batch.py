"""All pages of a root: only what changed is made again, one that fails hinders no other."""

import re
import shutil

import pytest

from tests.flows.foreign import write_foreign
from workspace_kit import flows
from workspace_kit.flows import batch
from workspace_kit.flows.batch import write_reports
from workspace_kit.storage import RACY_NS


def at_once(function, items, *, shared, workers, lost):
    """Stand in for worker processes."""
    return [function(shared, item) for item in items]


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Two workspaces of another program, at rest for a while; pages are made in this process."""
    monkeypatch.setattr(batch, "each", at_once)
    elapsed = [RACY_NS]
    clock = batch.time.time_ns
    monkeypatch.setattr(batch.time, "time_ns", lambda: clock() + elapsed[0])
    for name in ("a", "b"):
        write_foreign(tmp_path / "results", name, [2])
    return tmp_path / "results"


def outcomes(root, **choices):
    return dict(write_reports(root, **choices).rows.select("workspace", "outcome").iter_rows())


def test_only_a_page_whose_workspace_changed_is_made_again(root):
    assert outcomes(root) == {"a": "made", "b": "made"}
    assert outcomes(root) == {"a": "kept", "b": "kept"}
    with (root / "a" / "signals" / "trial_0.jsonl").open("ab") as file:
        file.write(b"\n")
    assert outcomes(root) == {"a": "made", "b": "kept"}
    (root / "b" / "visualizations" / "performance_chart.png").unlink()
    assert outcomes(root) == {"a": "kept", "b": "made"}


def test_another_version_makes_every_page_again(root, monkeypatch):
    outcomes(root)
    monkeypatch.setattr(batch, "versions", lambda: {"workspace-kit": "9.9.9"})
    assert outcomes(root) == {"a": "made", "b": "made"}


def test_files_too_young_to_be_told_from_a_later_state_are_not_taken_for_known(root, monkeypatch):
    monkeypatch.setattr(batch.time, "time_ns", lambda: 0)
    assert outcomes(root) == outcomes(root) == {"a": "made", "b": "made"}


def test_pages_elsewhere_are_remembered_apart_and_linked_from_their_index(root, tmp_path):
    out = tmp_path / "pages"
    assert outcomes(root, out=out) == {"a": "made", "b": "made"}
    assert outcomes(root, out=out) == {"a": "kept", "b": "kept"}
    assert not (root / "a" / "visualizations").exists()
    links = re.findall(r'href="([^#"]+)"', (out / "index.html").read_text())
    assert links == ["a/report.html", "b/report.html"]
    assert all((out / link).is_file() for link in links)


def test_one_that_fails_hinders_no_other_is_told_and_tried_again(root, monkeypatch):
    real = batch.write_report

    def faulty(workspace, **choices):
        if workspace.id == "a":
            raise ValueError("a bug")
        return real(workspace, **choices)

    monkeypatch.setattr(batch, "write_report", faulty)
    done = write_reports(root)
    again = f"workspace-kit --debug report a --results {root}"
    assert done.failed == {"a": f"ValueError: a bug; `{again}` shows where"}
    assert done.told == "Reports: 1 made, 0 kept, 1 failed"
    index = done.index.read_text()
    assert re.findall(r"No new page: ([^;<]+)", index) == ["ValueError: a bug"]
    monkeypatch.setattr(batch, "write_report", real)
    assert outcomes(root) == {"a": "made", "b": "kept"}
    assert "No new page" not in done.index.read_text()


def test_the_way_to_a_root_makes_no_page_again(root, tmp_path, monkeypatch):
    outcomes(root)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(root)
    for way in ("results", tmp_path / "link"):
        assert outcomes(way) == {"a": "kept", "b": "kept"}


@pytest.mark.parametrize("content", [b"", b"x" * 100_000])
def test_a_page_that_somebody_cut_or_wrote_is_made_again(root, content):
    outcomes(root)
    (root / "a" / "visualizations" / "report.html").write_bytes(content)
    assert outcomes(root) == {"a": "made", "b": "kept"}


def test_an_interruption_forgets_no_page_that_was_made(root, monkeypatch):
    def interrupted(function, items, *, shared, workers, lost):
        yield function(shared, items[0])
        raise KeyboardInterrupt

    monkeypatch.setattr(batch, "each", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_reports(root)
    monkeypatch.setattr(batch, "each", at_once)
    assert outcomes(root) == {"a": "kept", "b": "made"}


@pytest.mark.parametrize("memory", [b"", b"{", b"[]", b'{"x": 1}'])
def test_a_memory_that_cannot_be_read_only_costs_time(root, memory):
    outcomes(root)
    (root / ".workspace_kit" / "reports.json").write_bytes(memory)
    assert outcomes(root) == {"a": "made", "b": "made"}


def test_no_page_is_a_change_to_verify(small, tmp_path, monkeypatch):
    monkeypatch.setattr(batch, "each", at_once)
    root = tmp_path / "results"
    shutil.copytree(small, root / small.name)
    write_reports(root)
    assert flows.differences(flows.verify_workspace(small.name, root)).is_empty()


def test_the_same_root_gives_the_same_index(root, epoch):
    pages = {write_reports(root).index.read_bytes() for _ in range(2)}
    assert len(pages) == 1


def test_an_empty_root_has_an_index_too(tmp_path):
    done = write_reports(tmp_path)
    assert done.rows.is_empty()
    assert "No workspace is here yet." in done.index.read_text()


def test_progress_is_told_of_every_page(root):
    seen = []

    def reporter(what, total):
        seen.append((what, total))
        return flows.silent(what, total)

    write_reports(root, reporter=reporter)
    assert ("Reports", 2) in seen
    assert ("Files", 4) in seen
