"""OME-Zarr images as layers: one OctreeImage per channel.

Invariants: metadata is read in the calling thread, pixels are not; either all layers of a path are
made or an error is raised. Layers of one image share their storage chunks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pint

from napari_octree.config import OctreeConfig
from napari_octree.layers.image.octree_image import OctreeImage
from napari_octree.octree.transform import LevelTransform, infer_level_transforms
from napari_octree.plugin.channel_looks import channel_colormap, channel_name
from napari_octree.sources import AxisView, as_level_sources
from napari_octree.sources.ome_zarr.image import OmeZarrImage
from napari_octree.sources.ome_zarr.metadata.flaws import warn
from napari_octree.sources.ome_zarr.metadata.values import shown
from napari_octree.sources.ome_zarr.opening import read_ome_zarr

MOST_CHANNEL_LAYERS = 100
"""A longer channel axis becomes a slider: so many layers make napari itself slow."""


def open_ome_zarr(
    path_or_url: str | os.PathLike[str], **storage_options: Any
) -> list[OctreeImage]:
    """Open an image as layers, to be added to a viewer with `viewer.add_layer`.

    Parameters
    ----------
    path_or_url : str or path-like
        An OME-Zarr image (0.1 to 0.5), a collection written by bioformats2raw, or a plain
        zarr array: a folder, a zip file, or any URL that fsspec knows.
    **storage_options
        Passed to fsspec, as `anon=True` for a public bucket.

    Returns
    -------
    list of OctreeImage
        One per channel of each image, with names, colours, contrast limits, visibility,
        scale, translation, units and axis labels of the metadata.

    Raises
    ------
    SourceError
        A `ValueError` that names the path and the problem.
    """
    return open_layers(path_or_url, None, **storage_options)


def open_layers(
    path_or_url: str | os.PathLike[str], config: OctreeConfig | None, **storage_options: Any
) -> list[OctreeImage]:
    """`open_ome_zarr` with a configuration."""
    return prepare_layers(path_or_url, config, **storage_options)()


def prepare_layers(
    path_or_url: str | os.PathLike[str], config: OctreeConfig | None, **storage_options: Any
) -> Callable[[], list[OctreeImage]]:
    """Read the metadata (any thread); what is returned makes the layers (main thread)."""
    images = read_ome_zarr(path_or_url, **storage_options)
    return lambda: [layer for image in images for layer in _image_layers(image, config)]


def _image_layers(image: OmeZarrImage, config: OctreeConfig | None) -> Iterator[OctreeImage]:
    image = _without_long_channel_axis(image)
    metadata = image.metadata
    axis = metadata.channel_axis
    count = 1 if axis is None else image.levels[0].shape[axis]
    channels = [metadata.channel(index) for index in range(count)]
    all_hidden = not any(channel.active for channel in channels)
    group = uuid4().hex if count > 1 else None
    for index, channel in enumerate(channels):
        levels = _levels_with_channel(image, index)
        arrays: list[Any] = list(levels.levels)
        if axis is not None:
            arrays = [AxisView(level, axis, index) for level in arrays]
        as_level_sources(arrays)  # problems are told with the array's path
        rgb = metadata.axes[-1].type == "colour"
        layer = OctreeImage(
            arrays,
            config,
            name=channel_name(image.name, channel, index, count),
            colormap=None if rgb else channel_colormap(channel, index, count, metadata.greyscale),
            contrast_limits=channel.window,
            visible=channel.active or all_hidden,
            blending="additive" if count > 1 else "translucent_no_depth",
            rgb=rgb,
            **_geometry(levels),
        )
        if layer.config.render.channels_together:
            layer.display.channel_group = group
        if channel.window is not None and channel.window_range is not None:
            low, high = channel.window_range
            layer.contrast_limits_range = (
                min(low, channel.window[0]),
                max(high, channel.window[1]),
            )
        yield layer


def _without_long_channel_axis(image: OmeZarrImage) -> OmeZarrImage:
    """The image, its channels left on a slider if they are too many for layers of their own."""
    axis = image.metadata.channel_axis
    if axis is None or image.levels[0].shape[axis] <= MOST_CHANNEL_LAYERS:
        return image
    warn(
        f"{image.where}: has {image.levels[0].shape[axis]} channels, more than "
        f"{MOST_CHANNEL_LAYERS}; they are on a slider instead of in layers of their own"
    )
    axes = list(image.metadata.axes)
    axes[axis] = replace(axes[axis], type=None)
    return replace(image, metadata=replace(image.metadata, axes=tuple(axes), channels=()))


def _levels_with_channel(image: OmeZarrImage, index: int) -> OmeZarrImage:
    """The image without those levels that lack a channel (or most of it, on a slider)."""
    axis = image.metadata.channel_axis
    if axis is None or all(level.shape[axis] > index for level in image.levels):
        return image
    pairs = zip(image.levels, image.metadata.datasets, strict=True)
    kept = [(level, dataset) for level, dataset in pairs if level.shape[axis] > index]
    levels, datasets = zip(*kept, strict=True)
    return replace(image, levels=levels, metadata=replace(image.metadata, datasets=datasets))


def _geometry(image: OmeZarrImage) -> dict[str, Any]:
    """Keywords that say where the pixels lie, without the channel axis."""
    metadata = image.metadata
    channel_axis = metadata.channel_axis
    kept = [
        a for a, axis in enumerate(metadata.axes) if a != channel_axis and axis.type != "colour"
    ]
    axes = [metadata.axes[a] for a in kept]
    first = metadata.datasets[0]
    scale = [first.scale[a] for a in kept] if first.scale else [1.0] * len(kept)
    translate = [first.translation[a] for a in kept] if first.translation else [0.0] * len(kept)
    return {
        "scale": scale,
        "translate": translate,
        "units": [_unit(axis.unit, image.where) for axis in axes],
        "axis_labels": [axis.name for axis in axes],
        "level_transforms": _level_transforms(image, kept),
    }


def _level_transforms(image: OmeZarrImage, kept: Sequence[int]) -> tuple[LevelTransform, ...]:
    shapes = [[level.shape[a] for a in kept] for level in image.levels]
    datasets = image.metadata.datasets
    if any(dataset.scale is None for dataset in datasets):
        return infer_level_transforms(shapes)
    # Axes may be flipped; levels only matter relative to the first.
    signs = [1.0 if (datasets[0].scale or ())[a] > 0 else -1.0 for a in kept]
    scales, translations = [], []
    for dataset in datasets:
        scale = dataset.scale or ()
        translation = dataset.translation or (0.0,) * len(scale)
        scales.append([scale[a] * sign for a, sign in zip(kept, signs, strict=True)])
        translations.append([translation[a] * sign for a, sign in zip(kept, signs, strict=True)])
    try:
        return infer_level_transforms(shapes, scales, translations)
    except (ValueError, OverflowError) as error:  # signs that differ, shifts beyond floats
        warn(f"{image.where}: {error}; levels are aligned by their shapes")
        return infer_level_transforms(shapes)


def _unit(unit: str | None, where: str) -> str:
    """A unit as napari takes it; pixels where there is none."""
    if unit is None:
        return "pixel"
    try:
        pint.get_application_registry().parse_units(unit)
    except Exception:  # pint's parser raises anything for texts that are no units
        warn(f"{where}: the unit {shown(unit)} is not known; pixels are taken instead")
        return "pixel"
    return unit
