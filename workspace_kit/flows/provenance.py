"""Where an analysis came from: what it read, how, with which versions."""

import hashlib
import json
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from workspace_kit import clock
from workspace_kit.config import Config
from workspace_kit.flows.market import Market
from workspace_kit.flows.trip import Trip
from workspace_kit.layout.reader import document_of, read_bytes

PACKAGES = ("workspace-kit", "polars", "duckdb", "pyarrow", "numpy", "scipy", "matplotlib")


def analysis_metadata(
    trip: Trip,
    *,
    method: str,
    options: Mapping[str, object],
    period: str,
    trials_analyzed: int,
    trials_tried: int,
    inputs: Iterable[Path],
) -> dict[str, object]:
    """Return what every analysis document says of its making."""
    start, end = trip.market.bounds[period]
    return {
        "method": method,
        "options": dict(options),
        "period": {"name": period, "start": clock.text(start), "end": clock.text(end)},
        "trials_analyzed": trials_analyzed,
        "trials_tried": trials_tried,
        "prices": {"source": trip.config.data.prices, "digest": trip.market.digest},
        "inputs": [{"path": "/".join(path.parts[-2:]), "digest": content_digest(path)} for path in inputs],
        "versions": versions(),
        "timestamp": clock.text(trip.now),
    }


def environment(
    config: Config, *, folder: Path, market: Market, test_prices: Mapping[str, str]
) -> dict[str, object]:
    """Return what a run depends on beyond its configuration."""
    caveats = [market.source] if market.source != config.data.prices else []
    return {
        "versions": versions(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "config_folder": str(folder),
        "config_digest": digest_of(msgspec.to_builtins(config)),
        "prices": {"source": market.source, "digest": market.digest},
        "benchmark": market.benchmark_name,
        "code": _code(config),
        "test_prices": test_prices,
        "warnings": [*caveats, *market.remarks, *map(_move, market.warnings.iter_rows(named=True))],
        "seed": config.seed,
        "git": _git(folder),
    }


def _code(config: Config) -> dict[str, str]:
    """Digest of the module of each function of the user's own; its imports are not followed."""
    named = {strategy.function for strategy in config.strategies} | {config.regimes.method}
    modules = {name.partition(":")[0] for name in named if ":" in name}
    files = {name: getattr(sys.modules.get(name), "__file__", None) for name in sorted(modules)}
    return {name: hashlib.sha256(read_bytes(Path(file))).hexdigest() for name, file in files.items() if file}


def _move(move: Mapping[str, Any]) -> str:
    when = f"on {move['timestamp']:%Y-%m-%d}"
    return f"Price of {move['symbol']} moved {move['change']:+.0%} {when}: {move['reason']}"


def versions() -> dict[str, str]:
    """Return the versions of the packages that compute."""
    return {name: version(name) for name in PACKAGES}


def content_digest(path: Path) -> str:
    """Return the sha256 of a file, of a document without the time it was written at."""
    if path.suffix == ".json":
        content = document_of(path)
        return digest_of({key: value for key, value in content.items() if key != "written_at"})
    return hashlib.sha256(read_bytes(path)).hexdigest()


def digest_of(content: Any) -> str:
    """Return the sha256 of plain values, whatever the order of their keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _git(folder: Path) -> dict[str, object] | None:
    """Commit and cleanness of the repository that the configuration lies in, null where there is none."""
    try:
        commit, changes = (
            subprocess.run(  # noqa: S603 - a fixed command
                ["git", "-C", str(folder), *arguments],  # noqa: S607 - the git that the user runs
                capture_output=True,
                check=True,
                text=True,
                timeout=10,
            ).stdout.strip()
            for arguments in (("rev-parse", "HEAD"), ("status", "--porcelain"))
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit, "dirty": bool(changes)}
