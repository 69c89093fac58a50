"""Seconds against size, both logarithmic: a cost in proportion to size rises by a factor of 10 a step."""

import io
from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.table import Line

WIDTH, HEIGHT = 10, 4.2


def draw(lines: Sequence[Line]) -> bytes:
    """Return an SVG with a panel for each unit."""
    units = list(dict.fromkeys(line.unit for line in lines))
    with mpl.rc_context({"svg.hashsalt": "benchmarks", "font.size": 9}):
        figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
        panels = figure.subplots(1, len(units), squeeze=False)[0]
        for unit, panel in zip(units, panels, strict=True):
            for line in (line for line in lines if line.unit == unit):
                panel.loglog(line.sizes, line.seconds, marker="o", label=line.way)
            panel.set(xlabel=unit, ylabel="seconds")
            panel.grid(visible=True, which="major", color="#ddd")
            panel.spines[["top", "right"]].set_visible(False)
            panel.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.14))
        out = io.BytesIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()
