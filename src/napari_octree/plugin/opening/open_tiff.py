"""TIFF images and slides as layers: one OctreeImage per channel.

Invariants: metadata is read in the calling thread, pixels are not; either all layers of a path are
made or an error is raised. Layers of one image share what is read.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from uuid import uuid4

import numpy as np
from napari.utils.colormaps import Colormap

from napari_octree.config import OctreeConfig
from napari_octree.layers.image.octree_image import OctreeImage
from napari_octree.octree.transform import LevelTransform, infer_level_transforms
from napari_octree.plugin.opening.channel_looks import channel_colormap, channel_name, show_range
from napari_octree.plugin.opening.image_layers import MOST_CHANNEL_LAYERS
from napari_octree.sources import AxisView, as_level_sources
from napari_octree.sources.ome_zarr.metadata.model import Channel
from napari_octree.sources.stores.address import as_path
from napari_octree.sources.tiff.image import TiffImage
from napari_octree.sources.tiff.opening import read_tiff_or_slide


def prepare_tiff(
    path: str | os.PathLike[str], config: OctreeConfig | None = None
) -> Callable[[], list[OctreeImage]]:
    """Read the metadata of a TIFF file or a slide (any thread).

    Parameters
    ----------
    path : str or path-like
        TIFF, BigTIFF, OME-TIFF, ImageJ hyperstacks, and slides that tifffile or openslide reads.
    config : OctreeConfig, optional

    Returns
    -------
    callable
        Makes the layers, one per channel of each image (main thread).

    Raises
    ------
    SourceError
        A `ValueError` that names the path and the problem.
    """
    images = read_tiff_or_slide(as_path(os.fspath(path)))
    return lambda: [layer for image in images for layer in _layers(image, config)]


def _layers(image: TiffImage, config: OctreeConfig | None) -> Iterator[OctreeImage]:
    as_level_sources(image.levels)  # problems are told with the file's name
    axis = image.channel_axis
    if axis is not None and image.levels[0].shape[axis] > MOST_CHANNEL_LAYERS:
        axis = None  # on a slider
    kept = [a for a in range(len(image.levels[0].shape)) if a != axis]
    named = [a for a in kept if a < len(image.axes)]
    keywords: dict[str, Any] = {
        "scale": [image.scale[a] for a in named],
        "translate": [image.translation[a] for a in named],
        "units": [image.units[a] for a in named],
        "axis_labels": _axis_labels([image.axes[a] for a in named]),
        "rgb": image.rgb,
        "metadata": dict(image.metadata),
        "level_transforms": _level_transforms(image, named),
    }
    count = 1 if axis is None else image.levels[0].shape[axis]
    group = uuid4().hex if count > 1 else None
    said = (*image.channels, *[Channel()] * count)[:count]
    all_hidden = not any(channel.active for channel in said)
    for index, channel in enumerate(said):
        levels: list[Any] = list(image.levels)
        if axis is not None:
            levels = [AxisView(level, axis, index) for level in levels]
        if not image.rgb:
            keywords["colormap"] = _colormap(image, channel, index, count)
            keywords["contrast_limits"] = _limits(image, channel)
        layer = OctreeImage(
            levels,
            config,
            name=channel_name(image.name, channel, index, count),
            blending="additive" if count > 1 else "translucent_no_depth",
            visible=channel.active or all_hidden,
            **keywords,
        )
        layer.display.channel_group = group
        show_range(layer, channel)
        yield layer


def _axis_labels(letters: Sequence[str]) -> list[str]:
    """Names of sliders: napari's own where the file does not say, its letter for which is q."""
    rank = len(letters)
    return [str(a - rank) if name == "q" else name for a, name in enumerate(letters)]


def _level_transforms(image: TiffImage, kept: Sequence[int]) -> tuple[LevelTransform, ...]:
    return infer_level_transforms([[level.shape[a] for a in kept] for level in image.levels])


def _colormap(image: TiffImage, channel: Channel, index: int, count: int) -> Colormap | str:
    if image.palette is not None:
        return Colormap(np.clip(image.palette, 0, 1), name=f"{image.name} palette")
    if count == 1 and image.inverted:
        return "gray_r"
    return channel_colormap(channel, index, count, greyscale=False)


def _limits(image: TiffImage, channel: Channel) -> tuple[float, float] | None:
    if image.palette is not None:
        return 0.0, float(len(image.palette) - 1)
    return channel.window
