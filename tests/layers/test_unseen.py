import math

import numpy as np
import pytest
from napari.utils import Colormap

from napari_octree import OctreeImage
from napari_octree.layers.image.hidden_values import hidden_up_to

CLEAR = Colormap([[0, 0, 0, 0], [1, 1, 1, 1]])
NEVER = -math.inf


@pytest.mark.parametrize(
    ("rendering", "colormap", "expected"),
    [
        ("mip", "gray", 20.0),
        ("mip", "viridis", 20.0),  # all values up to the limit look alike
        ("attenuated_mip", "gray_r", 20.0),
        ("additive", "magenta", 20.0),
        ("additive", "viridis", NEVER),  # its first colour adds up along the ray
        ("translucent", CLEAR, 20.0),
        ("translucent", "gray", NEVER),  # black hides what lies behind
        ("iso", "gray", math.nextafter(50.0, NEVER)),
        ("average", "gray", NEVER),
        ("minip", "gray", NEVER),
    ],
)
def test_what_leaves_no_trace(rendering, colormap, expected):
    layer = OctreeImage(
        np.zeros((4, 8, 8), np.uint8),
        contrast_limits=(20, 200),
        iso_threshold=50,
        rendering=rendering,
        colormap=colormap,
    )
    assert hidden_up_to(layer) == expected


def test_of_colours_every_value_counts():
    assert hidden_up_to(OctreeImage(np.zeros((4, 8, 8, 3), np.uint8), rgb=True)) == NEVER
