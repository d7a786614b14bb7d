"""The layers of one OME-Zarr label image, with its colours and properties."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from napari.utils.colormaps import DirectLabelColormap, label_colormap

from napari_octree.config import OctreeConfig
from napari_octree.layers.labels.octree_labels import OctreeLabels
from napari_octree.plugin.opening.image_layers import channel_arrays, geometry, levels_with_channel
from napari_octree.sources.ome_zarr.image import OmeZarrImage
from napari_octree.sources.ome_zarr.metadata.flaws import warn
from napari_octree.sources.ome_zarr.metadata.image_label import ImageLabel

MOST_CHANNELS = 20
MOST_PROPERTIES = 100
"""Columns; each is shown in the status bar."""


def label_layers(image: OmeZarrImage, config: OctreeConfig | None) -> Iterator[OctreeLabels]:
    """Make the layers of a label image: one, or one per channel if it has channels.

    Raises
    ------
    SourceError
        Its levels cannot be shown.
    """
    assert image.label is not None
    axis = image.metadata.channel_axis
    count = 1 if axis is None else image.levels[0].shape[axis]
    if count > MOST_CHANNELS:
        warn(f"{image.where}: labels of {count} channels; the first {MOST_CHANNELS} are opened")
    for index in range(min(count, MOST_CHANNELS)):
        levels = levels_with_channel(image, index)
        arrays = channel_arrays(levels, index)
        keywords = geometry(levels)
        keywords["name"] = image.name if count == 1 else f"{image.name}: channel {index}"
        keywords["visible"] = not image.hidden
        if (colormap := colors_of(image.label)) is not None:
            keywords["colormap"] = colormap
        if features := features_of(image.label):
            keywords["features"] = features
        yield OctreeLabels(arrays, config, **keywords)


def colors_of(label: ImageLabel) -> DirectLabelColormap | None:
    """The colours of labels; those without one get napari's own, 0 is transparent."""
    if not label.colors:
        return None
    colors: dict[int | None, Any] = {value: np.array(c) for value, c in label.colors.items()}
    # 0 is what lies between the labels, whatever colour a file gives it.
    colors[0] = np.zeros(4)
    colors[None] = label_colormap(49).map(1)
    return DirectLabelColormap(color_dict=colors)


def features_of(label: ImageLabel) -> dict[str, list[Any]]:
    """Properties as napari's table of features: a column each, and one of the labels' values."""
    names = dict.fromkeys(name for own in label.properties.values() for name in own if name)
    names.pop("index", None)
    values = list(label.properties)
    if not values:
        return {}
    table: dict[str, list[Any]] = {"index": values}
    for name in list(names)[:MOST_PROPERTIES]:
        table[name] = [_plain(label.properties[value].get(name)) for value in values]
    return table


def _plain(value: Any) -> Any:
    """A value that fits a cell of a table."""
    return str(value) if isinstance(value, list | tuple | Mapping) else value
