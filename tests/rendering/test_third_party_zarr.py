"""OME-Zarr images of other writers: the settled canvas equals stock napari's, pixel by pixel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from napari.layers import Image

from cameras import tie_mask
from conftest import CANVAS_SHAPE
from napari_octree import open_ome_zarr

SHAPE = (2, 512, 640)


def pixels(dtype: str) -> np.ndarray:
    y, x = np.mgrid[: SHAPE[1], : SHAPE[2]]
    rng = np.random.default_rng(3)
    planes = [0.5 + 0.3 * np.sin(x / (9 + 4 * c)) + 0.15 * np.cos(y / 5) for c in range(SHAPE[0])]
    image = np.clip(np.stack(planes) + rng.uniform(-0.05, 0.05, SHAPE), 0, 1)
    if dtype == "float32":
        return image.astype(np.float32)
    return (image * np.iinfo(dtype).max).astype(dtype)


def write_with_ome_zarr(folder: Path, image: np.ndarray, version: str) -> None:
    from ome_zarr.format import FormatV04, FormatV05
    from ome_zarr.writer import write_image

    form = FormatV04() if version == "0.4" else FormatV05()
    root = zarr.open_group(str(folder), mode="w", zarr_format=2 if version == "0.4" else 3)
    write_image(
        image,
        root,
        axes="cyx",
        fmt=form,
        scale_factors=[2, 4],
        scale={"c": 1.0, "y": 0.5, "x": 0.5},
        storage_options={"chunks": (1, 128, 128)},
        name="cells",
    )


def write_with_yaozarrs(folder: Path, image: np.ndarray, version: str) -> None:
    from yaozarrs import v05
    from yaozarrs.write.v05 import write_image

    def dataset(k: int) -> dict[str, Any]:
        scale = {"type": "scale", "scale": [1.0, 0.5 * 2**k, 0.5 * 2**k]}
        return {"path": str(k), "coordinateTransformations": [scale]}

    axes = [{"name": "c", "type": "channel"}]
    axes += [{"name": n, "type": "space", "unit": "micrometer"} for n in "yx"]
    multiscale = {"name": "cells", "axes": axes, "datasets": [dataset(k) for k in range(3)]}
    levels = [image[:, :: 2**k, :: 2**k] for k in range(3)]
    metadata = v05.Image(multiscales=[multiscale])
    write_image(folder, metadata, levels, chunks=(1, 128, 128), writer="zarr")


WRITERS = [
    pytest.param(write_with_ome_zarr, "0.4", id="ome-zarr-0.4"),
    pytest.param(write_with_ome_zarr, "0.5", id="ome-zarr-0.5"),
    pytest.param(write_with_yaozarrs, "0.5", id="yaozarrs-0.5"),
]
LOOKS: dict[str, dict[str, Any]] = {
    "plain": {"colormap": "gray", "gamma": 1, "opacity": 1},
    "colour": {"colormap": "viridis", "gamma": 0.7, "opacity": 0.6},
    "place": {"scale": (0.6, 0.55), "translate": (11.3, -7.9)},
    "turned": {"scale": (0.5, 0.5), "translate": (0, 0), "rotate": 23.0},
    "affine": {"rotate": 0.0, "affine": [[1, 0.1, 3], [0, 0.9, 4], [0, 0, 1]]},
}


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize(("write", "version"), WRITERS)
def test_equal_to_stock(viewer, screenshot, pump, look_at, tmp_path, write, version, dtype):
    image = pixels(dtype)
    folder = tmp_path / "image.ome.zarr"
    write(folder, image, version)
    layers = open_ome_zarr(folder)
    assert len(layers) == SHAPE[0]
    ours = layers[1]
    assert "cells" in ours.name
    np.testing.assert_allclose(ours.scale, (0.5, 0.5))
    group = zarr.open_group(str(folder), mode="r")
    paths = ["0", "1", "2"] if "0" in group else ["s0", "s1", "s2"]
    levels = [group[path][1] for path in paths]
    limits = (0.1, 0.8) if dtype == "float32" else (10, 0.8 * np.iinfo(dtype).max)
    ours.contrast_limits = limits
    ours.blending = "translucent"
    stock = Image(levels, multiscale=True, contrast_limits=limits, scale=ours.scale)
    for look, keywords in LOOKS.items():
        for level, zoom in ((1, 0.8), (0, 4.61)) if look == "plain" else ((0, 4.61),):
            stock.locked_data_level = level  # it follows the camera a frame late
            pictures = []
            for layer in (stock, ours):
                for name, value in {
                    "colormap": "gray",
                    "gamma": 1,
                    "opacity": 1,
                    **keywords,
                }.items():
                    setattr(layer, name, value)
                viewer.add_layer(layer)
                texel = np.abs(layer.scale) * 2**level
                origin = layer.translate - layer.scale / 2
                look_at(viewer, (120.3, 140.7), zoom, texel, origin)
                pump()
                if layer is ours:
                    assert ours.wait_until_settled(30)
                    assert ours.data_level == level
                pictures.append(screenshot(viewer).astype(int))
                viewer.layers.remove(layer)
            assert pictures[0].std() > 5
            difference = np.abs(pictures[0] - pictures[1]).max(axis=-1)
            if "rotate" in keywords:
                center = viewer.scene.camera.center[-2:]
                to_data = ours._data_to_world.inverse
                ties = tie_mask(to_data, center, zoom, CANVAS_SHAPE, 2**level)
                assert ties.mean() < 0.01
                difference[ties] = 0
            assert difference.max() == 0, (keywords, zoom)
