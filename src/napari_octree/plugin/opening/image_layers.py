"""The layers of one OME-Zarr image: an OctreeImage per channel.

Invariants: reads nothing. Layers of one image share their storage chunks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pint

from napari_octree.config import OctreeConfig
from napari_octree.layers.image.octree_image import OctreeImage
from napari_octree.octree.transform import LevelTransform, infer_level_transforms
from napari_octree.plugin.opening.channel_looks import channel_colormap, channel_name, show_range
from napari_octree.sources import AxisView, as_level_sources
from napari_octree.sources.ome_zarr.image import OmeZarrImage
from napari_octree.sources.ome_zarr.metadata.flaws import warn
from napari_octree.sources.ome_zarr.metadata.values import shown

MOST_CHANNEL_LAYERS = 100
"""A longer channel axis becomes a slider: so many layers make napari itself slow."""


def image_layers(image: OmeZarrImage, config: OctreeConfig | None) -> Iterator[OctreeImage]:
    """Make the layers of an image.

    Raises
    ------
    SourceError
        Its levels cannot be shown.
    """
    image = _without_long_channel_axis(image)
    metadata = image.metadata
    axis = metadata.channel_axis
    count = 1 if axis is None else image.levels[0].shape[axis]
    channels = [metadata.channel(index) for index in range(count)]
    all_hidden = not any(channel.active for channel in channels)
    group = uuid4().hex if count > 1 else None
    for index, channel in enumerate(channels):
        levels = levels_with_channel(image, index)
        arrays = channel_arrays(levels, index)
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
            **geometry(levels),
        )
        layer.display.channel_group = group
        show_range(layer, channel)
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


def channel_arrays(image: OmeZarrImage, index: int) -> list[Any]:
    """The levels of a channel, checked.

    Raises
    ------
    SourceError
        They cannot be shown; the message has the array's path.
    """
    axis = image.metadata.channel_axis
    arrays: list[Any] = list(image.levels)
    if axis is not None:
        arrays = [AxisView(level, axis, index) for level in arrays]
    as_level_sources(arrays)
    return arrays


def levels_with_channel(image: OmeZarrImage, index: int) -> OmeZarrImage:
    """The image without those levels that lack a channel (or most of it, on a slider)."""
    axis = image.metadata.channel_axis
    if axis is None or all(level.shape[axis] > index for level in image.levels):
        return image
    pairs = zip(image.levels, image.metadata.datasets, strict=True)
    kept = [(level, dataset) for level, dataset in pairs if level.shape[axis] > index]
    levels, datasets = zip(*kept, strict=True)
    return replace(image, levels=levels, metadata=replace(image.metadata, datasets=datasets))


def geometry(image: OmeZarrImage) -> dict[str, Any]:
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
        "affine": image.affine,
        "metadata": _facts(image),
    }


def _facts(image: OmeZarrImage) -> dict[str, Any]:
    """What the layer's `metadata` keeps of the file: all that napari has no place for."""
    facts: dict[str, Any] = {"version": image.metadata.version or None, **image.details}
    directions = {axis.name: axis.orientation for axis in image.metadata.axes if axis.orientation}
    if directions:
        facts["orientation"] = directions
    if image.metadata.start:
        facts["start"] = dict(image.metadata.start)
    return {"ome_zarr": facts} if any(facts.values()) else {}


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
