"""Settled, the canvas equals stock napari's on the same data, off texel ties."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from napari.layers import Image

from cameras import tie_mask
from conftest import CANVAS_SHAPE

TYPES = ["uint8", "uint16", "float32"]
LIMITS = {"uint8": (20, 200), "uint16": (5000, 50000), "float32": (0.1, 0.8)}


def as_type(scene: np.ndarray, dtype: str) -> np.ndarray:
    if dtype.startswith("float"):
        return scene.astype(dtype)
    return (scene * np.iinfo(dtype).max).astype(dtype)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("center", "zoom"), [((350, 450), 0.9), ((256.2, 255.7), 3.3)])
def test_plain(compare, scene, dtype, center, zoom) -> None:
    difference = compare(as_type(scene, dtype), center, zoom, contrast_limits=LIMITS[dtype])
    assert difference.max() == 0


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(
    "keywords",
    [
        {"gamma": 0.6, "colormap": "viridis"},
        {"opacity": 0.5, "blending": "additive"},
        {"opacity": 0.5, "blending": "translucent", "colormap": "twilight"},
        {"blending": "minimum"},
        {"scale": (1.3, 0.7), "translate": (11.3, -7.9)},
        {"scale": (-1, 1)},
    ],
    ids=lambda keywords: "-".join(keywords),
)
def test_contrast_colour_and_place(compare, scene, dtype, keywords) -> None:
    center = (-300.2, 255.7) if keywords.get("scale") == (-1, 1) else (256.2, 255.7)
    difference = compare(
        as_type(scene, dtype), center, 1.7731, contrast_limits=LIMITS[dtype], **keywords
    )
    assert difference.max() == 0


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(
    "keywords",
    [
        {"rotate": 23.0, "scale": (1.3, 0.7)},
        {"shear": [0.2], "rotate": -37.0, "opacity": 0.5},
        {"affine": [[1, 0.1, 3], [0, 0.9, 4], [0, 0, 1]], "colormap": "viridis"},
    ],
    ids=lambda keywords: "-".join(keywords),
)
def test_rotated_and_sheared(compare, scene, dtype, keywords) -> None:
    # A rotated grid of pixels has no camera off all ties: those few pixels are left out.
    center, zoom = (300.137, 300.291), 1.7731
    data = as_type(scene, dtype)
    difference = compare(data, center, zoom, True, contrast_limits=LIMITS[dtype], **keywords)
    ties = tie_mask(Image(data, **keywords)._data_to_world.inverse, center, zoom, CANVAS_SHAPE)
    assert ties.mean() < 0.01
    assert difference[~ties].max() == 0


def test_coarser_levels_equal_stock_s(compare, scene) -> None:
    image = as_type(scene[:640, :896], "uint16")
    levels = [image, image[::2, ::2].copy(), image[::4, ::4].copy()]
    # Half a screen pixel per texel of level 0: level 1 is ideal for both.
    difference = compare(levels, (320, 448), 0.45, contrast_limits=(0, 65535))
    assert difference.max() == 0


def test_the_comparison_sees_a_shift_by_one_texel(compare, scene, monkeypatch) -> None:
    image = as_type(scene, "uint8")
    from napari_octree.rendering.tiles.picture import tile_picture

    cover = tile_picture.ideal_cover

    def shifted(*args: Any) -> Any:
        drawn = cover(*args)
        return replace(drawn, texels=drawn.texels + 1)

    monkeypatch.setattr(tile_picture, "ideal_cover", shifted)
    assert compare(image, (256.2, 255.7), 3.3, contrast_limits=(0, 255)).max() > 10
