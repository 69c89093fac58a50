"""Print one figure: ``python figures.py R1 full``; in a process that has never run Polars."""

import importlib
import os
import sys

os.environ.setdefault("POLARS_MAX_THREADS", "1")

HOME = {
    "R1": "kills",
    "R2": "kills",
    "R3": "door",
    "R4": "power",
    "R5": "appends",
    "R6": "appends",
    "R7": "torn",
    "R8": "refusals",
    "R9": "flips",
    "R11": "commands",
    "R12": "archives",
    "R13": "stateful",
    "R14": "fuzz",
    "R15": "cost",
}

if __name__ == "__main__":
    name, size = sys.argv[1:]
    figure = getattr(importlib.import_module(HOME[name]), name.lower())(full=size == "full")
    sys.stdout.write(f"{figure}\n")
