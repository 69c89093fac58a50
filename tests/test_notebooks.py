"""The notebooks hold what they show: they run clean, and running them again shows the same words.

``python tests/test_notebooks.py`` runs them again and keeps what they then show.
"""

import json
import re
import tempfile
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[1] / "notebooks"
NAMES = ("across_workspaces", "is_it_luck", "one_workspace", "regimes_and_ensembles")
LARGEST = 150_000
# Where a machine, a moment or a process would show.
PRIVATE = re.compile(r"/(tmp|home|root|Users|work)/|0x[0-9a-f]{6,}|202[4-9]-\d\d-\d\d[T ]")


def cells(name: str) -> list[dict[str, Any]]:
    notebook = json.loads((FOLDER / f"{name}.ipynb").read_text())
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def run(name: str, folder: Path) -> Any:
    """Run a notebook in a folder and return it with its outputs, and nothing of the machine or the moment."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    place = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, record_timing=False, timeout=600, resources=place).execute()
    notebook.metadata["language_info"] = {"name": "python"}
    return notebook


def words(outputs: list[dict[str, Any]]) -> list[str]:
    """What outputs say in text, without the pictures."""
    said = [each.get("text") or each.get("data", {}).get("text/plain", "") for each in outputs]
    return ["".join(each) for each in said]


def test_every_notebook_is_known():
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_was_saved_after_one_clean_run(name):
    assert all(cell["metadata"] == {} for cell in cells(name))
    assert [cell["execution_count"] for cell in cells(name)] == list(range(1, len(cells(name)) + 1))
    for output in (output for cell in cells(name) for output in cell["outputs"]):
        assert output["output_type"] in {"stream", "display_data", "execute_result"}
        assert output.get("name") != "stderr"


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_small_and_names_no_machine(name):
    assert (FOLDER / f"{name}.ipynb").stat().st_size < LARGEST
    assert [text for cell in cells(name) for text in words(cell["outputs"]) if PRIVATE.search(text)] == []


@pytest.mark.notebooks
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("default")  # those of the machinery; the notebook's own land on its stderr
def test_a_notebook_runs_again_to_the_same_words(name, tmp_path):
    notebook = run(name, tmp_path)
    again = [cell["outputs"] for cell in notebook.cells if cell.cell_type == "code"]
    assert [each for outputs in again for each in outputs if each.get("name") == "stderr"] == []
    assert [words(outputs) for outputs in again] == [words(cell["outputs"]) for cell in cells(name)]
    assert list(tmp_path.iterdir()) == []


def keep_anew() -> None:
    """Run every notebook and keep what it then shows."""
    import nbformat

    for name in NAMES:
        with tempfile.TemporaryDirectory() as empty:
            nbformat.write(run(name, Path(empty)), FOLDER / f"{name}.ipynb")


if __name__ == "__main__":
    keep_anew()
