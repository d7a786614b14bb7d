"""Points as stock napari draws them, pixel by pixel, where they do not overlap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from napari.layers import Points

from napari_octree import OctreePoints

RNG = np.random.default_rng(0)


def apart(n: int, ndim: int) -> np.ndarray:
    """So many points per axis of a box of 100, that keep a distance."""
    places = np.stack(np.meshgrid(*[np.arange(n)] * ndim, indexing="ij"), -1).reshape(-1, ndim)
    return (places + RNG.random(places.shape) * 0.3) * 100 / n


FLAT = apart(20, 2)
SPARSE = apart(9, 2)
SOLID = np.c_[RNG.integers(0, 8, len(SPARSE)) * 3.0, SPARSE]
FEATURES = {
    "score": RNG.random(len(FLAT)),
    "gene": np.array(list("abcde"))[RNG.integers(0, 5, len(FLAT))],
    "cluster": RNG.integers(3, 9, len(FLAT)),
}


@pytest.fixture
def pair(make_viewer: Any, pump: Any, screenshot: Any) -> Callable[..., float]:
    """Compare a look in stock's layer and ours: the part of all pixels that differ."""
    viewer = make_viewer((260, 300))

    def compare(points: np.ndarray, ndisplay: int = 2, look: Any = None, **settings: Any) -> float:
        viewer.layers.clear()
        viewer.dims.ndisplay = 2
        stock, ours = Points(points, **settings), OctreePoints(points, **settings)
        for layer in (stock, ours):
            viewer.add_layer(layer)
        viewer.dims.ndisplay = ndisplay
        viewer.reset_view()
        if look is not None:
            look(viewer)
        pictures = []
        for shown, other in ((stock, ours), (ours, stock)):
            shown.visible, other.visible = True, False
            pump()
            assert shown is stock or shown.wait_until_settled(20)
            pictures.append(screenshot(viewer)[..., :3].astype(int))
        theirs, own = pictures
        assert (theirs.max(axis=2) > 0).mean() > 0.001
        return float((np.abs(theirs - own) > 2).any(axis=2).mean())

    return compare


def zoom(viewer: Any) -> None:
    viewer.scene.camera.zoom *= 8
    viewer.scene.camera.center = (0, 31.3, 42.7)


def turn(viewer: Any) -> None:
    viewer.scene.camera.angles, viewer.scene.camera.perspective = (10, 25, 30), 40


def thick(viewer: Any) -> None:
    viewer.dims.set_point(0, 10)
    viewer.dims.thickness = (9, 1, 1)


def test_looks_in_2d(pair):
    looks: list[dict[str, Any]] = [
        {},
        {"size": 1, "border_width": 0},
        {"size": 3, "features": FEATURES, "face_color": "score", "border_color": "gene"},
        {"size": 3, "features": FEATURES, "face_color": "gene", "face_color_cycle": ["r", "b"]},
        {"size": 3, "features": FEATURES, "face_color": "cluster"},
        {"size": 3, "border_width": 0.6, "border_width_is_relative": False},
        {"size": 3, "opacity": 0.5, "blending": "additive"},
        {"size": RNG.uniform(1, 4, len(FLAT))},
        {"size": 3, "canvas_size_limits": (4, 6), "antialiasing": 0.5},
        {"size": 3, "scale": (2, 2)},
        {"size": 2, "scale": (3, 1), "rotate": 30, "translate": (5, -7)},
        {"size": 3, "look": zoom},
    ]
    differing = {str(look): pair(FLAT, **{"size": 3, **look}) for look in looks}
    assert max(differing.values()) <= 1e-3, differing


@pytest.mark.parametrize("symbol", ["square", "star", "ring", "arrow"])
def test_symbols(pair, symbol):
    assert pair(FLAT, size=3, symbol=symbol) <= 1e-3


def test_looks_in_3d_and_in_slices(pair):
    looks: list[dict[str, Any]] = [
        {"ndisplay": 3},
        {"ndisplay": 3, "look": turn},
        {"ndisplay": 3, "look": turn, "shading": "spherical"},
        {"look": thick},
        {"look": thick, "projection_mode": "rescale_linear"},
        {"look": thick, "projection_mode": "rescale_spherical", "size": 8},
        {"projection_mode": "none", "look": lambda v: v.dims.set_point(0, 9)},
    ]
    differing = {str(look): pair(SOLID, **{"size": 3, **look}) for look in looks}
    assert max(differing.values()) <= 1e-3, differing


def test_flat_points_in_3d(pair):
    assert pair(FLAT, 3, size=1, look=turn) <= 1e-3


def test_far_from_the_origin_points_are_where_they_are(make_viewer, pump, screenshot):
    """float32 could not tell them apart; the same points near the origin are the truth."""
    viewer = make_viewer((200, 200))
    pictures = []
    for origin in (0.0, 2.0**30):
        viewer.layers.clear()
        layer = OctreePoints(FLAT * 2.0**-10 + origin, size=3 * 2.0**-10)
        viewer.add_layer(layer)
        viewer.scene.camera.center = (0, origin + 50 * 2.0**-10, origin + 50 * 2.0**-10)
        viewer.scene.camera.zoom = 1.5 * 2.0**10
        pump()
        assert layer.wait_until_settled(20)
        pictures.append(screenshot(viewer)[..., 0].astype(int))
    near, far = pictures
    # One step of float64 there is a 2^-12 of a pixel; the camera's own rectangle is float64.
    assert (near > 0).mean() > 0.1
    assert (np.abs(near - far) > 8).mean() < 5e-3
