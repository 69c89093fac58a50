"""What the figures were seen on."""

import importlib.metadata
import os
import platform
from pathlib import Path

PACKAGES = (
    "polars",
    "duckdb",
    "pyarrow",
    "numpy",
    "pandas",
    "orjson",
    "msgspec",
    "mlflow-skinny",
    "optuna",
    "vectorbt",
)


def described() -> str:
    """Return cores, memory, system, load before the first benchmark, and versions, as a sentence each."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    system = f"{platform.system()} {platform.release()}"
    return (
        f"{os.cpu_count()} cores ({_processor()}), {memory:.0f} GiB, {system}, "
        f"load {os.getloadavg()[0]:.1f} at the start. Python {platform.python_version()}, {versions}."
    )


def _processor() -> str:
    told = Path("/proc/cpuinfo").read_text().partition("model name")[2]
    return told.partition("\n")[0].strip(" \t:") or platform.machine()
