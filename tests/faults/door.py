"""R3: strace on the real commands: no call that changes a workspace goes past the door."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from harness import scratch

ROOT = Path(__file__).parents[2]
CALLS = (
    "openat,open,creat,rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,rmdir,symlink,"
    "symlinkat,truncate,ftruncate,utimensat,chmod,fchmod,fchmodat"
)
# Installed into every process of a command: what the door lets through, one line each.
WATCHED = """
import atexit, os, sys
try:
    from workspace_kit import storage
except ImportError:
    pass
else:
    log = os.open(os.environ["DOOR_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    storage._watchers.append(
        lambda operation, path: os.write(log, f"{operation}\\t{os.path.abspath(path)}\\n".encode())
    )
"""
# Phase 4 rests on it: a resume has something to set aside, and something to do.
CHANGED = "analysis/ensemble_weights.json"
MAIN = "from workspace_kit.cli import main; main()"
WRITING = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND")
PATH = re.compile(r'"((?:[^"\\]|\\.)*)"')


def commands() -> list[list[str]]:
    return [
        ["run", "--id", "w", "--workers", "1", "--quiet"],
        ["list"],
        ["sql", "select count(*) from signals"],
        ["report", "w"],
        ["verify", "w"],
        ["accept", "w", CHANGED, "--reason", "on one line"],
        ["resume", "w", "--workers", "1", "--quiet"],
        ["pin", "w"],
        ["pin", "w", "--off"],
        ["repair", "w"],
        ["doctor"],
        ["archive", "w"],
        ["restore", "w"],
        ["clean", "--keep-days", "0"],
    ]


def changes(trace: str, results: Path) -> list[tuple[str, str]]:
    """Calls of a trace that succeeded and changed something below the results."""
    found = []
    for line in trace.splitlines():
        call = re.search(r"(\w+)\(", line)
        if not call or " = -1 " in line:
            continue
        if call[1].startswith(("open", "creat")) and not WRITING.search(line):
            continue
        inside = [each for each in PATH.findall(line) if each.startswith(str(results))]
        found += [(call[1], each) for each in inside]
    return found


def traced(arguments: list[str], folder: Path) -> tuple[int, int]:
    """How many calls changed the results, and how many of those the door never saw."""
    results, log, trace = folder / "results", folder / "door.log", folder / "trace"
    log.unlink(missing_ok=True)
    environment = {
        **os.environ,
        "PYTHONPATH": f"{folder}:{ROOT}",
        "DOOR_LOG": str(log),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    ended = subprocess.run(
        ["strace", "-f", "-qq", "-e", f"trace={CALLS}", "-e", "signal=none", "-s", "4096", "-o", str(trace),
         sys.executable, "-c", MAIN, *arguments, "--results", str(results)],
        env=environment, cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, (arguments, ended.stderr)
    seen = {line.split("\t")[1] for line in log.read_text().splitlines()} if log.exists() else set()
    made = changes(trace.read_text(errors="replace"), results)
    # One mkdir through the door makes the folders above it too; a hidden file is written before it is renamed.
    past = [
        (call, path)
        for call, path in made
        if path not in seen
        and not any(call.startswith("mkdir") and each.startswith(f"{path}/") for each in seen)
        and not (path.endswith(".tmp") and any(call.startswith(each) for each in ("link", "rename")))
        and not (
            call.startswith("rename")
            and any(each == target for each in seen for target in partners(made, path))
        )
    ]
    assert not past, (arguments, past[:10])
    return len(made), len(past)


def partners(made: list[tuple[str, str]], path: str) -> list[str]:
    """The other names of the calls that renamed this path."""
    pairs = zip(made, made[1:], strict=False)
    return [b for (one, a), (other, b) in pairs if one == other and one.startswith("rename") and a == path]


def r3(*, full: bool) -> str:
    assert shutil.which("strace"), "R3 needs strace, which is not on this machine: install it"
    calls = 0
    with scratch() as folder:
        (folder / "sitecustomize.py").write_text(WATCHED)
        for arguments in commands():
            if CHANGED in arguments:
                path = folder / "results" / "w" / CHANGED
                path.write_text(json.dumps(json.loads(path.read_text())))
            made, _ = traced(arguments, folder)
            calls += made
    return f"R3: {calls} changing calls in {len(commands())} commands, 0 past the door"
