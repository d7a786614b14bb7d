"""Where stock napari's float32 goes wrong, what is drawn is what float64 says.

The truth is worked out per screen pixel: its centre, the data's pixel there, that pixel's value
between the contrast limits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.layers import Image

from conftest import CANVAS_SHAPE
from napari_octree import OctreeImage

ZOOM = 1.7731


class Pattern:
    """A level of any size, each pixel unlike its neighbours: 31 and 17 apart, up to 250."""

    def __init__(self, side: int, step: int) -> None:
        self.shape, self.dtype, self.ndim = (side // step,) * 2, np.dtype(np.uint8), 2
        self.size = self.shape[0] ** 2
        self.chunks = (256, 256)
        self._step = step

    def __getitem__(self, index: Any) -> np.ndarray:
        rows, columns = (np.arange(*i.indices(n)) for i, n in zip(index, self.shape, strict=True))
        return pattern(rows[:, None] * self._step, columns * self._step)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:, :]  # stock asks the coarsest level for it


def pattern(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    return ((rows * 31 + columns * 17) % 251).astype(np.uint8)


def levels(side: int) -> list[Pattern]:
    return [Pattern(side, 2**k) for k in range(side.bit_length() - 9)]


def shown_by(viewer: Any) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of level 0 under the centres of the canvas' pixels, in float64."""
    camera = viewer.scene.camera
    rows, columns = (
        np.floor(center + (np.arange(n) + 0.5 - n / 2) / camera.zoom + 0.5).astype(np.int64)
        for center, n in zip(camera.center[-2:], CANVAS_SHAPE, strict=True)
    )
    return rows, columns


def wrong(viewer: Any, picture: np.ndarray, side: int) -> float:
    """The share of the image's screen pixels that show another value than they should."""
    rows, columns = shown_by(viewer)
    inside = (rows[:, None] < side) & (columns < side)
    truth = pattern(rows[:, None], columns).astype(int)
    return float((np.abs(picture[..., 0].astype(int) - truth) > 2)[inside].mean())


@pytest.mark.parametrize("exponent", [22, 24, 27])
def test_the_far_corner_is_right(viewer, screenshot, look_at, exponent) -> None:
    side = 2**exponent
    layer = viewer.add_layer(OctreeImage(levels(side), contrast_limits=(0, 255)))
    look_at(viewer, (side - 50, side - 50), ZOOM)
    assert layer.wait_until_settled(30)
    picture = screenshot(viewer)
    assert wrong(viewer, picture, side) == 0
    outside = np.logical_or.outer(*(place >= side for place in shown_by(viewer)))
    assert outside.any()
    assert (picture[outside][:, :3] == 0).all()


def test_stock_s_far_corner_is_not(viewer, screenshot, look_at) -> None:
    side = 2**22
    viewer.add_layer(Image(levels(side), multiscale=True, contrast_limits=(0, 255)))
    look_at(viewer, (side - 50, side - 50), ZOOM)
    share = wrong(viewer, screenshot(viewer), side)
    print(f"stock napari: {share:.0%} of the pixels are wrong")  # noqa: T201
    assert share > 0.1


LARGE = [
    ("uint32", 2**31, 40),
    ("uint32", 2**31, 300),  # float32 just tells 256 of these apart
    ("int32", -(2**30), 40),
    ("int64", 2**50, 2**30),
    ("uint64", 2**60, 2**40),
    ("float64", 1e12, 1.0),
    ("float64", 1e12, 70000.0),
]
"""Types, where the values begin, and the step between two of 251; float32 is exact to 2^24."""


@pytest.mark.parametrize(("dtype", "start", "step"), LARGE)
def test_large_numbers_are_nearer_the_truth_than_stock_s(
    viewer, screenshot, look_at, dtype, start, step
) -> None:
    rows, columns = np.mgrid[:200, :300]
    shades = pattern(rows, columns).astype(int)
    data = np.array(start, dtype) + shades.astype(dtype) * np.array(step, dtype)
    limits = (float(start), float(start) + 255 * step)
    errors = []
    for kind in (Image, OctreeImage):
        layer = viewer.add_layer(kind(data, contrast_limits=(0, 2 * float(abs(start)))))
        layer.contrast_limits = limits
        look_at(viewer, (100, 150), ZOOM)
        if isinstance(layer, OctreeImage):
            assert layer.wait_until_settled(30)
        y, x = shown_by(viewer)
        truth = shades[np.clip(y, 0, 199)][:, np.clip(x, 0, 299)]
        inside = np.logical_and.outer((y >= 0) & (y < 200), (x >= 0) & (x < 300))
        error = np.abs(screenshot(viewer)[..., 0].astype(int) - truth)[inside]
        errors.append(float(error.mean()))
        viewer.layers.remove(layer)
    stock, ours = errors
    print(f"{dtype}: mean error {stock:.2f} of 255 with stock napari, {ours:.3f} here")  # noqa: T201
    assert ours < 0.1
    assert ours < stock or not stock
