"""The house style of figures: which colour means what, in light and dark, and how a bare figure looks."""

import contextlib
import gc
import io
import threading
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from workspace_kit.report.story import BENCHMARK, BEST_SINGLE, BUY_AND_HOLD, ENSEMBLE, EQUAL_WEIGHT
from workspace_kit.report.ticks import QuickAxes
from workspace_kit.schema import BEAR, BULL


@dataclass(frozen=True, slots=True)
class Ink:
    """A colour with a meaning: hexadecimal on light and on dark paper; no two share a light value."""

    light: str
    dark: str


INKS: Mapping[str, Ink] = {
    "paper": Ink("#fdfcf9", "#161513"),
    "ink": Ink("#1d1c1a", "#e8e5de"),
    "muted": Ink("#69655c", "#a39e93"),
    "faint": Ink("#b9b4a8", "#5d5a53"),
    "grid": Ink("#e6e3db", "#302e2a"),
    "gain": Ink("#2f6fa8", "#4d8fc9"),
    "loss": Ink("#b3530f", "#d58545"),
    ENSEMBLE: Ink("#1f5a8c", "#7db4e6"),
    EQUAL_WEIGHT: Ink("#a85a05", "#eba24e"),
    BEST_SINGLE: Ink("#97447f", "#d68fc4"),
    BUY_AND_HOLD: Ink("#217757", "#62c2a0"),
    BENCHMARK: Ink("#736e64", "#98938a"),
    BULL: Ink("#4aa3dc", "#4c97c9"),
    BEAR: Ink("#e5a01a", "#c98a1c"),
}

# More points than this are drawn as one image: a page must stay light.
MOST_VECTORS = 1_500

Plane = np.ndarray[tuple[int, int], np.dtype[np.float64]]
Pixels = np.ndarray[tuple[int, int, int], np.dtype[np.float64]]

# Half the time of the usual level, for a file a tenth larger.
_COMPRESSION = 3

_lock = threading.Lock()
_COLOURS = {
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "axes.edgecolor": INKS["faint"].light,
    "axes.labelcolor": INKS["muted"].light,
    "axes.titlecolor": INKS["ink"].light,
    "grid.color": INKS["grid"].light,
    "text.color": INKS["ink"].light,
    "xtick.color": INKS["faint"].light,
    "xtick.labelcolor": INKS["muted"].light,
    "ytick.color": INKS["faint"].light,
    "ytick.labelcolor": INKS["muted"].light,
}
_SHAPES = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    # A place of its own spares the search for one that overlaps nothing, a tenth of the time of a page.
    "axes.titley": 1.0,
    "axes.unicode_minus": True,
    "axes.xmargin": 0.0,
    "grid.linewidth": 0.7,
    "lines.linewidth": 1.4,
    "lines.solid_capstyle": "round",
    "ytick.major.size": 0.0,
    "ytick.minor.size": 0.0,
    "xtick.major.size": 3.5,
    "xtick.minor.size": 0.0,
    # The one font, named: every text drawn asks for it anew, and all that is listed is read again each time.
    "font.family": ["DejaVu Sans"],
    **{f"font.{kind}": [] for kind in ("serif", "sans-serif", "cursive", "fantasy", "monospace")},
    "font.size": 12.0,
    "axes.labelsize": 12.0,
    "axes.titlesize": 12.0,
    "xtick.labelsize": 12.0,
    "ytick.labelsize": 12.0,
    "text.parse_math": False,
    # At this size no eye sees the difference, and it takes a third of the time of drawing a text.
    "text.hinting": "none",
    "svg.fonttype": "none",
    "svg.hashsalt": "workspace-kit",
}
# A reader's own matplotlibrc must change neither looks nor bytes, so every setting is reset first.
_STYLE: dict[Any, Any] = (
    {key: value for key, value in mpl.rcParamsDefault.items() if key != "backend"} | _COLOURS | _SHAPES
)


@contextlib.contextmanager
def house_style() -> Iterator[None]:
    """Draw and render in the house style; the settings outside are as before afterwards.

    Matplotlib's settings belong to the process: two threads inside at once would leave them changed for good.
    """
    with _lock, _uncollected(), warnings.catch_warnings(), mpl.rc_context(_STYLE):
        # A label in a script that Matplotlib's own font lacks is shown by the browser's fonts all the same.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Leave garbage until the drawing is done: figures are webs of cycles, and a search takes a tenth."""
    was_collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_collecting:
            gc.enable()


def colour(name: str) -> str:
    """Return an ink's light value, which stands for the ink in every figure."""
    return INKS[name].light


def blank(width: float, height: float) -> Figure:
    """Return an empty figure of a size in CSS pixels."""
    return Figure(figsize=(width / 72, height / 72), dpi=72)


def place(figure: Figure, *, left: float, right: float, top: float, bottom: float) -> Axes:
    """Return axes with margins in CSS pixels."""
    width, height = figure.get_size_inches() * 72
    return figure.add_axes(
        (left / width, bottom / height, (width - left - right) / width, (height - top - bottom) / height),
        axes_class=QuickAxes,
    )


def tint(ink: str, opacity: Plane) -> Pixels:
    """Return pixels of one ink, so that paper of either theme shines through."""
    pixels = np.empty((*opacity.shape, 4))
    pixels[..., :3] = to_rgb(colour(ink))
    pixels[..., 3] = np.clip(opacity, 0.0, 1.0)
    return pixels


def show(axes: Axes, pixels: Pixels, *, origin: Literal["lower", "upper"]) -> None:
    """Fill the axes with pixels, sharp at any size; pixel (row, column) is centred on (column, row)."""
    axes.imshow(pixels, aspect="auto", interpolation="none", origin=origin)


def svg_bytes(figure: Figure) -> bytes:
    """Render as SVG, equal bytes for equal figures."""
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return out.getvalue().encode()


def png_bytes(figure: Figure, *, scale: float) -> bytes:
    """Render as PNG on light paper at ``scale`` image pixels per CSS pixel, equal bytes for equal figures."""
    out = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(
        out,
        format="png",
        dpi=72 * scale,
        facecolor=colour("paper"),
        metadata={"Software": None},
        pil_kwargs={"compress_level": _COMPRESSION},
    )
    return out.getvalue()
