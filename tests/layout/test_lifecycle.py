import datetime as dt
import json
import re
import threading
from pathlib import Path

import pytest

from tests.stopping import Killed, killing
from workspace_kit import storage
from workspace_kit.errors import NameInvalid, StorageError
from workspace_kit.layout import names
from workspace_kit.layout.inventory import inventory, workspaces
from workspace_kit.layout.lifecycle import create_workspace
from workspace_kit.layout.names import Workspace

NOW = dt.datetime(2024, 1, 15, 14, 30)


def create(root: Path, name: str | None = "w", *, durability: str = "none", **choices: object) -> Workspace:
    told = {"config": "name: sweep\n", "environment": {"python": "3.11"}, **choices}
    return create_workspace(root, name, now=NOW, durability=durability, **told)


def test_a_new_workspace_has_its_six_folders_configuration_environment_and_log(tmp_path: Path) -> None:
    workspace = create(tmp_path / "a" / "results")
    assert workspace.path == tmp_path / "a" / "results" / "w"
    assert sorted(path.name for path in workspace.path.iterdir()) == sorted(names.FOLDERS)
    held = {path.name: path.read_text() for path in (workspace.path / "metadata").iterdir()}
    assert held["config.yaml"] == "name: sweep\n"
    assert held["execution_log.json"] == "[]\n"
    assert json.loads(held["environment.json"]) == {
        "schema_version": 1,
        "written_at": "2024-01-15T14:30:00Z",
        "python": "3.11",
    }
    assert set(inventory([workspace])["kind"]) == {"config", "metadata"}


def test_a_configuration_given_as_a_mapping_is_kept_as_yaml(tmp_path: Path) -> None:
    workspace = create(tmp_path, config={"b": [1, "NO"], "a": None})
    assert workspace.file(names.CONFIG, "config").read_text() == "b:\n- 1\n- 'NO'\na: null\n"


def test_without_a_name_the_id_tells_the_instant(tmp_path: Path) -> None:
    ids = [create(tmp_path, None).id for _ in range(3)]
    assert len(set(ids)) == 3
    assert all(re.fullmatch(r"workflow_20240115_143000_[0-9a-f]{8}", each) for each in ids)


@pytest.mark.parametrize("name", ["..", "a/b", "", ".hidden", "a\nb"])
def test_an_id_that_leads_elsewhere_makes_nothing(name: str, tmp_path: Path) -> None:
    with pytest.raises(NameInvalid):
        create(tmp_path / "results", name)
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("there", ["workspace", "file", "link"])
def test_an_id_that_is_taken_is_refused_and_what_has_it_is_left_alone(there: str, tmp_path: Path) -> None:
    path = tmp_path / "w"
    if there == "workspace":
        create(tmp_path)
    elif there == "file":
        path.write_bytes(b"mine")
    else:
        (tmp_path / "mine").mkdir()
        path.symlink_to(tmp_path / "mine")
    before = path.lstat()
    with pytest.raises(NameInvalid) as caught:
        create(tmp_path)
    assert str(caught.value) == (
        f"{path}: found a workspace of this id, expected a free id; "
        "choose another with --id, or remove the old one"
    )
    assert path.lstat() == before


@pytest.mark.parametrize("durability", ["none", "commit"])
def test_killed_anywhere_nobody_sees_half_a_workspace_and_the_next_try_succeeds(
    durability: str, tmp_path: Path
) -> None:
    count = len(_operations(tmp_path / "whole", durability))
    for step in range(count):
        root = tmp_path / str(step)
        with storage.watch_operations(killing(step)), pytest.raises(Killed):
            create(root, durability=durability)
        for half in workspaces(root):
            assert inventory([half]).height == 3
        if not workspaces(root):
            assert inventory([create(root, durability=durability)]).height == 3


def _operations(root: Path, durability: str) -> list[str]:
    seen: list[str] = []
    with storage.watch_operations(lambda operation, path: seen.append(operation)):
        create(root, durability=durability)
    return seen


def test_a_new_workspace_is_synced_before_anybody_sees_it(tmp_path: Path) -> None:
    assert "fsync" not in _operations(tmp_path / "none", "none")
    seen = _operations(tmp_path / "commit", "commit")
    assert seen.index("fsync") < seen.index("rename") < len(seen) - 1
    assert seen[-1] == "fsync"


def test_of_many_that_want_an_id_one_gets_it(tmp_path: Path) -> None:
    won: list[int] = []

    def work(number: int) -> None:
        try:
            create(tmp_path, config=f"name: number {number}\n")
            won.append(number)
        except NameInvalid:
            pass

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = won
    (workspace,) = workspaces(tmp_path)
    assert workspace.file(names.CONFIG, "config").read_text() == f"name: number {winner}\n"


def test_a_root_that_is_a_file_is_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "results").write_bytes(b"")
    with pytest.raises(StorageError, match="mkdir refused: File exists"):
        create(tmp_path / "results")
