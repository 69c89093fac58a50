"""The commands: each a few lines over a flow, each error one line with its exit code."""

import atexit
import gc
import os
import signal
import sys
from typing import Annotated

import typer

from workspace_kit import flows, terminal
from workspace_kit.cli import keeping, questions, work
from workspace_kit.errors import WorkspaceKitError

app = typer.Typer(
    help="Plain-file workspaces for trading-research sweeps.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
COMMANDS = (
    work.run,
    work.init,
    questions.list_,
    questions.show,
    questions.compare,
    work.analyze,
    questions.watch,
    questions.sql,
    questions.catalog,
    questions.report,
    work.resume,
    keeping.verify,
    keeping.accept,
    keeping.repair,
    keeping.pin,
    keeping.archive,
    keeping.restore,
    keeping.clean,
    keeping.doctor,
)
for command in COMMANDS:
    app.command(command.__name__.rstrip("_"))(command)


def _say_version(is_asked: bool) -> None:
    if is_asked:
        terminal.say(f"workspace-kit {flows.versions()['workspace-kit']}")
        raise typer.Exit


@app.callback()
def common(
    *,
    asks_version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Say which version this is."),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Plain-file workspaces for trading-research sweeps."""


def main() -> None:
    """Run one command; every expected failure is one line on standard error."""
    # Imports make next to no garbage: to look for it as often as by default takes a tenth of a second.
    gc.set_threshold(50_000)
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        app(arguments)
    except BrokenPipeError:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        sys.exit(0)
    except WorkspaceKitError as error:
        if "--debug" in sys.argv:
            raise
        terminal.remark(f"{type(error).__name__}: {error}")
        sys.exit(error.exit_code)


def program() -> None:
    """Run one command as a process; where it went well, leave without taking every module apart.

    That would take a fifth of a second, for memory that the system takes back anyway.
    """
    try:
        main()
    except SystemExit as done:
        if done.code:
            raise
    atexit._run_exitfuncs()
    try:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
    except OSError:
        return  # Python says so, and ends as it would have
    os._exit(0)
