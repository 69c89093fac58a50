"""What starting costs: told by the modules that are loaded, which no other program's load can change."""

import subprocess
import sys

import pytest

HEAVY = {"duckdb", "jinja2", "matplotlib", "msgspec", "numpy", "polars", "pyarrow", "scipy", "yaml"}
IMPORT = "import workspace_kit"
HELP = """
import sys
from workspace_kit.cli import main
sys.argv = ["workspace-kit", *{arguments}]
try:
    main()
except SystemExit:
    pass
"""


def loaded(program: str) -> set[str]:
    """Run a program in a process of its own and return the packages it has loaded."""
    program += "\nimport sys\nprint(*sys.modules, sep='\\n')"
    told = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return {name.partition(".")[0] for name in told.stdout.splitlines()}


def test_importing_the_package_loads_no_other() -> None:
    assert "workspace_kit" in (packages := loaded(IMPORT))
    assert not packages & (HEAVY | {"rich", "typer"})


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["no-such-command"]])
def test_help_loads_what_it_is_printed_with_and_no_more(arguments: list[str]) -> None:
    assert "typer" in (packages := loaded(HELP.format(arguments=arguments)))
    assert not packages & HEAVY


def test_a_name_of_the_package_loads_what_it_needs() -> None:
    assert "polars" in loaded(f"{IMPORT}\nworkspace_kit.SignalWriter")


def ended(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command as its own process, with something still to be done at the end."""
    code = (
        "import atexit, sys; from workspace_kit.cli import program; "
        f"sys.argv = ['workspace-kit', *{arguments}]; atexit.register(print, 'done at the end'); program()"
    )
    return subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)


def test_a_command_that_leaves_at_once_has_said_and_done_all() -> None:
    left = ended("--help")
    assert left.returncode == 0
    assert left.stdout.count("\n") > 30
    assert left.stdout.endswith("done at the end\n")


def test_a_command_that_failed_leaves_with_its_exit_code() -> None:
    left = ended("show", "nothing-here", "--results", "nowhere")
    assert left.returncode == 3
    assert "nowhere" in left.stderr


def test_a_command_without_a_standard_error_ends_well() -> None:
    code = "import os; os.execvp(sys.executable, [sys.executable, '-c', PROGRAM, '--version'])"
    program = "from workspace_kit.cli import program; program()"
    closed = f"import os, sys; PROGRAM = {program!r}; os.close(2); {code}"
    left = subprocess.run([sys.executable, "-c", closed], check=False, stdout=subprocess.PIPE, text=True)
    assert left.returncode == 0
    assert left.stdout.strip()
