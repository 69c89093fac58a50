import numpy as np
import pytest
from matplotlib.patches import Rectangle

from workspace_kit.report.ink import house_style
from workspace_kit.report.surfaces import surface_chart
from workspace_kit.report.trials import Surface


@pytest.fixture(autouse=True)
def styled():
    with house_style():
        yield


def surface(*, columns, rows, tried=None):
    """Return a surface in which each cell is worth its number, all of them tried or only some."""
    cells = np.arange(columns * rows) if tried is None else np.array(tried)
    best = int(cells[-1])
    return Surface(
        strategy="s",
        x="fast",
        xs=tuple(float(at) for at in range(columns)),
        y="slow" if rows > 1 else None,
        ys=tuple(float(at) for at in range(rows)),
        rows=cells // columns,
        columns=cells % columns,
        means=cells.astype(float),
        others=(),
        best=(best // columns, best % columns),
        edges=(),
    )


def draw(of):
    (axes,) = surface_chart(of, metric="sharpe_ratio", scale=(0.0, float(of.means.max()))).axes
    return axes


def test_every_cell_shows_its_value_and_the_best_is_outlined():
    axes = draw(surface(columns=3, rows=2))
    assert sorted(text.get_text() for text in axes.texts) == [f"{at}.00" for at in range(6)]
    (outline,) = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    assert outline.get_xy() == (1.5, 0.5)


def test_a_deeper_shade_is_a_better_cell():
    (image,) = draw(surface(columns=3, rows=2)).images
    opacity = image.get_array()[..., 3].ravel()
    assert (np.diff(opacity) > 0).all()


def test_a_cell_that_was_not_tried_is_clear():
    (image,) = draw(surface(columns=2, rows=2, tried=[0, 1, 3])).images
    assert image.get_array()[1, 0, 3] == 0.0


def test_a_large_grid_is_not_numbered():
    assert len(draw(surface(columns=20, rows=20)).texts) == 0


def test_a_sparse_grid_is_drawn_as_points():
    axes = draw(surface(columns=10, rows=10, tried=[3, 47, 88]))
    assert len(axes.images) == 0
    assert axes.collections[0].get_offsets().tolist() == [[3, 0], [7, 4], [8, 8]]


def test_one_parameter_is_drawn_as_a_line():
    axes = draw(surface(columns=4, rows=1))
    assert axes.lines[0].get_ydata().tolist() == [0.0, 1.0, 2.0, 3.0]


def test_equal_values_everywhere_are_no_division_by_zero():
    of = surface(columns=2, rows=2, tried=[0])
    assert len(surface_chart(of, metric="sharpe_ratio", scale=(0.0, 0.0)).axes) == 1
