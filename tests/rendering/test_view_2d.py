"""Views from matrices: corners, resolution and focus under any affine transform."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_octree.rendering.view.view_2d import view_from_matrix

angles = st.floats(0, 2 * np.pi)
zooms = st.floats(1e-6, 1e4)
offsets = st.floats(-1e8, 1e8)


def affine(linear: np.ndarray, offset: tuple[float, float]) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:2, :2] = linear
    matrix[3, :2] = offset
    return matrix


@given(angle=angles, zoom=zooms, flip=st.booleans(), x=offsets, y=offsets)
def test_corners_map_back_to_the_view_box(
    angle: float, zoom: float, flip: bool, x: float, y: float
) -> None:
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    linear = zoom * turn @ np.diag([1, -1 if flip else 1])
    view = view_from_matrix(affine(linear, (x, y)), (400, 300), 1.0)
    assert view is not None
    points = np.array([(cx, cy) for cy, cx in view.corners]) @ linear + (x, y)
    np.testing.assert_allclose(points, [(0, 0), (400, 0), (400, 300), (0, 300)], atol=1e-4)
    np.testing.assert_allclose(view.pixel_size, 1 / zoom, rtol=1e-9)


def test_anisotropic_scale_and_high_dpi() -> None:
    view = view_from_matrix(affine(np.diag([2.0, 0.5]), (0, 0)), (400, 300), 2.0)
    assert view.pixel_size == (1.0, 0.25)  # (y, x) level-0 pixels per framebuffer pixel


def test_the_cursor_is_the_focus_while_it_is_inside() -> None:
    matrix = affine(np.diag([2.0, 2.0]), (10, 20))
    assert view_from_matrix(matrix, (400, 300), 1.0, (30, 40)).focus == (10.0, 10.0)
    assert view_from_matrix(matrix, (400, 300), 1.0, (-1, 40)).focus is None


@pytest.mark.parametrize(
    ("linear", "size"),
    [
        (np.zeros((2, 2)), (400, 300)),
        (np.diag([1.0, 0.0]), (400, 300)),
        (np.diag([np.nan, 1.0]), (400, 300)),
        (np.eye(2), (0, 300)),
    ],
)
def test_nothing_to_see(linear: np.ndarray, size: tuple[float, float]) -> None:
    assert view_from_matrix(affine(linear, (0, 0)), size, 1.0) is None
