"""Whatever the byte order and the width of numbers, the picture is that of the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.layers import Image

from napari_octree import OctreeImage

TYPES = ["u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"]


@pytest.mark.parametrize("ndisplay", [2, 3], ids=["projection", "volume"])
def test_foreign_byte_orders_and_long_doubles(viewer, pump, ndisplay: int) -> None:
    z, y, x = np.mgrid[:8, :30, :40]
    numbers = 50 + 40 * np.sin(z / 3 + y / 5) * np.cos(x / 6)
    viewer.dims.ndisplay = ndisplay
    # Keeps the viewer's axes: their sliders made anew for each layer take longer than the rest.
    viewer.add_layer(Image(numbers, visible=False))
    viewer.dims.thickness = (4, 0, 0)
    viewer.reset_view()

    def picture(dtype: Any) -> np.ndarray:
        layer = OctreeImage(numbers.astype(dtype), contrast_limits=(0, 100), projection_mode="max")
        viewer.add_layer(layer)
        pump()
        assert layer.wait_until_settled(30)
        assert np.ptp(layer.thumbnail[..., 0]) > 50
        picture = viewer.screenshot(flash=False)[..., :3].astype(int)
        viewer.layers.remove(layer)
        return picture

    for name in TYPES:
        native = picture(name)
        assert native.std() > 20
        assert np.abs(picture(f">{name}") - native).max() <= 1, name
    assert np.abs(picture(np.longdouble) - picture("f8")).max() <= 1
