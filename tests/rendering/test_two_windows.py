"""Two windows: each has a GL context of its own, in which alone its commands mean something."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Image
from vispy.gloo import gl

from napari_octree import OctreeImage


def test_what_is_removed_in_one_stays_in_the_other(make_viewer: Any, screenshot: Any) -> None:
    """napari has GL delete what has some number in whatever context is the current one."""
    one, other = make_viewer(), make_viewer()
    grey = np.full((60, 60), 100, np.uint8)
    stock = one.add_layer(Image(grey, contrast_limits=(0, 255)))
    for viewer in (one, other):
        assert viewer.add_layer(OctreeImage(grey, contrast_limits=(0, 255))).wait_until_settled(30)
    middle = (150, 200, 0)
    assert screenshot(one)[middle] == 100
    assert screenshot(other)[middle] == 100  # its context is the current one from now on
    one.layers.remove(stock)
    assert screenshot(other)[middle] == 100
    assert gl.glGetError() == gl.GL_NO_ERROR
    assert screenshot(one)[middle] == 100
    assert gl.glGetError() == gl.GL_NO_ERROR
