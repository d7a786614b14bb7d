"""OME-Zarr images as layers: one OctreeImage per channel.

Invariants: metadata is read in the calling thread, pixels are not; either all layers of a path are
made or an error is raised. Layers of one image share their storage chunks.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from uuid import uuid4

import pint
from napari.utils.colormaps import Colormap, ensure_colormap

from napari_octree.config import OctreeConfig
from napari_octree.layers.image.octree_image import OctreeImage
from napari_octree.octree.transform import LevelTransform, infer_level_transforms
from napari_octree.sources import AxisView, as_level_sources
from napari_octree.sources.ome_zarr.metadata import Channel, OmeZarrWarning
from napari_octree.sources.ome_zarr.opening import OmeZarrImage, read_ome_zarr

TWO_COLORS = ("magenta", "green")
MANY_COLORS = ("cyan", "yellow", "magenta", "red", "green", "blue")
"""Colour maps of channels without colours: those that napari itself uses for `channel_axis`."""

NAMED_COLORS = {
    "#ffffff": "gray",
    "#ff0000": "red",
    "#00ff00": "green",
    "#0000ff": "blue",
    "#00ffff": "cyan",
    "#ff00ff": "magenta",
    "#ffff00": "yellow",
}


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
    as_level_sources(image.levels)  # problems are told with the array's path
    axis = image.metadata.channel_axis
    keywords = _geometry(image)
    metadata = image.metadata
    count = 1 if axis is None else image.levels[0].shape[axis]
    channels = [metadata.channel(index) for index in range(count)]
    all_hidden = not any(channel.active for channel in channels)
    group = uuid4().hex if count > 1 else None
    for index, channel in enumerate(channels):
        levels: list[Any] = list(image.levels)
        if axis is not None:
            levels = [AxisView(level, axis, index) for level in levels]
        layer = OctreeImage(
            levels,
            config,
            name=_layer_name(image.name, channel, index, count),
            colormap=_colormap(channel, index, count, metadata.greyscale),
            contrast_limits=channel.window,
            visible=channel.active or all_hidden,
            blending="additive" if count > 1 else "translucent_no_depth",
            **keywords,
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


def _geometry(image: OmeZarrImage) -> dict[str, Any]:
    """Keywords that say where the pixels lie, without the channel axis."""
    metadata = image.metadata
    channel_axis = metadata.channel_axis
    kept = [a for a in range(len(metadata.axes)) if a != channel_axis]
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
    return infer_level_transforms(shapes, scales, translations)


def _layer_name(image_name: str, channel: Channel, index: int, count: int) -> str:
    if channel.label is not None:
        return f"{image_name}: {channel.label}"
    return f"{image_name}: channel {index}" if count > 1 else image_name


def _colormap(channel: Channel, index: int, count: int, greyscale: bool) -> Colormap | str:
    color = channel.color
    if color is None or greyscale:
        if count == 1 or greyscale:
            name = "gray"
        else:
            name = TWO_COLORS[index] if count == 2 else MANY_COLORS[index % len(MANY_COLORS)]
        return "gray_r" if channel.inverted and name == "gray" else name
    if channel.inverted:
        return Colormap([color, "black"], name=f"{color} inverted")
    return ensure_colormap(NAMED_COLORS.get(color, color))


def _unit(unit: str | None, where: str) -> str:
    """A unit as napari takes it; pixels where there is none."""
    if unit is None:
        return "pixel"
    try:
        pint.get_application_registry().parse_units(unit)
    except (pint.UndefinedUnitError, pint.errors.DefinitionSyntaxError, ValueError):
        message = f"{where}: the unit {unit!r} is not known; pixels are taken instead"
        warnings.warn(message, OmeZarrWarning, stacklevel=2)
        return "pixel"
    return unit
