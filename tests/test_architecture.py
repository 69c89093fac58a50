"""The house holds: who may import whom, and a stranger at the door."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LINT = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint()"]


def lint(tree: Path) -> subprocess.CompletedProcess[str]:
    """Hold a tree against the import contract."""
    arguments = [*LINT, "--no-cache"]
    return subprocess.run(
        arguments,
        cwd=tree,
        env={"PYTHONPATH": str(tree), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )


def copy_of_the_house(folder: Path) -> Path:
    shutil.copytree(
        ROOT / "workspace_kit", folder / "workspace_kit", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def test_the_import_contract_holds():
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout


def test_a_module_without_a_place_breaks_the_contract(tmp_path):
    house = copy_of_the_house(tmp_path)
    (house / "workspace_kit" / "helpers.py").write_text('"""A room nobody planned."""\n')
    result = lint(house)
    assert result.returncode == 1
    assert "helpers" in result.stdout


def test_stages_that_import_one_another_break_the_contract(tmp_path):
    house = copy_of_the_house(tmp_path)
    module = house / "workspace_kit" / "prices" / "load.py"
    module.write_text(module.read_text() + "\nfrom workspace_kit.views import Catalog as Catalog\n")
    assert lint(house).returncode == 1


def test_drawing_outside_the_report_breaks_the_contract(tmp_path):
    house = copy_of_the_house(tmp_path)
    module = house / "workspace_kit" / "flows" / "trip.py"
    module.write_text(module.read_text() + "\nimport matplotlib as matplotlib\n")
    assert lint(house).returncode == 1
