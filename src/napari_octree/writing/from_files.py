"""Images in files, described for writing: any zarr, TIFF or slide that the readers open.

Invariants: metadata is read, pixels are not. Label images that lie beside an image are its labels.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_octree.sources.ome_zarr.addresses import is_url
from napari_octree.sources.ome_zarr.image import OmeZarrImage
from napari_octree.sources.ome_zarr.metadata.image_label import ImageLabel
from napari_octree.sources.ome_zarr.metadata.model import Channel
from napari_octree.sources.ome_zarr.opening import read_ome_zarr
from napari_octree.sources.tiff.image import TiffImage
from napari_octree.sources.tiff.opening import read_tiff_or_slide
from napari_octree.sources.tiff.slide_names import OPENSLIDE_ENDINGS, SLIDE_ENDINGS
from napari_octree.writing.image_to_write import (
    ChannelToWrite,
    ImageToWrite,
    image_to_write,
    with_labels,
)

RGBA = (("red", "FF0000"), ("green", "00FF00"), ("blue", "0000FF"), ("alpha", "FFFFFF"))
"""Colours of a pixel are written as channels."""


TIFF_NAMES = (".tif", ".tiff", ".btf", *SLIDE_ENDINGS, *OPENSLIDE_ENDINGS)
"""Files of these names are opened as TIFF or slides whatever is in them, for clear messages."""


def images_in_file(path: str | os.PathLike[str], **storage_options: Any) -> list[ImageToWrite]:
    """Describe every image at a path or URL.

    Raises
    ------
    SourceError
        There is none that can be read.
    """
    text = os.fspath(path)
    file = Path(text).expanduser()
    if not is_url(text) and file.is_file():
        with file.open("rb") as opened:
            start = opened.read(4)
        if start[:2] in (b"II", b"MM") or text.lower().endswith(TIFF_NAMES):
            return [_from_tiff(image) for image in read_tiff_or_slide(file)]
    images: list[ImageToWrite] = []
    for image in read_ome_zarr(text, **storage_options):
        if image.label is not None and image.hidden and images:
            images[-1] = with_labels(images[-1], [_from_zarr(image)])
        else:
            images.append(_from_zarr(image))
    return images


def _from_zarr(image: OmeZarrImage) -> ImageToWrite:
    metadata = image.metadata
    first = metadata.datasets[0]
    axis = metadata.channel_axis
    names = [axis.name for axis in metadata.axes]
    colours = metadata.axes[-1].type == "colour"
    count = 0 if axis is None else image.levels[0].shape[axis]
    channels = [_channel(metadata.channel(index)) for index in range(count)]
    if colours:
        channels = colour_channels(image.levels[0].shape[-1])
        names[-1] = "s"
    scale, translation = _placed(image, first.scale, first.translation)
    described = image_to_write(
        image.levels[0],
        names if all(len(name) == 1 for name in names) else None,
        name=image.name.rpartition(": ")[2] if image.hidden else image.name,
        scale=scale,
        translation=translation,
        units=[axis.unit for axis in metadata.axes],
        channels=channels,
        greyscale=metadata.greyscale,
    )
    if image.label is None:
        return described
    return replace(described, is_label=True, label_facts=label_facts(image.label))


def _placed(
    image: OmeZarrImage,
    scale: tuple[float, ...] | None,
    translation: tuple[float, ...] | None,
) -> tuple[list[float], list[float]]:
    """Scale and translation of level 0, with what else the file says of the image's place."""
    rank = len(image.metadata.axes)
    scales = list(scale or (1.0,) * rank)
    shifts = list(translation or (0.0,) * rank)
    if image.affine is None:
        return scales, shifts
    affine = np.asarray(image.affine, float)
    channel = image.metadata.channel_axis
    kept = [a for a in range(rank) if a != channel and image.metadata.axes[a].type != "colour"]
    linear = affine[:-1, :-1]
    if linear.shape != (len(kept),) * 2 or not np.allclose(linear, np.diag(np.diag(linear))):
        warnings.warn(
            f"{image.where}: is rotated or sheared, which is not carried over", stacklevel=3
        )
        return scales, shifts
    for row, a in enumerate(kept):
        shifts[a] = float(linear[row, row] * shifts[a] + affine[row, -1])
        scales[a] = float(linear[row, row] * scales[a])
    return scales, shifts


def _channel(channel: Channel) -> ChannelToWrite:
    color = None if channel.color is None else channel.color.lstrip("#").upper()
    return ChannelToWrite(
        channel.label,
        color,
        channel.window,
        channel.window_range,
        channel.active,
        channel.inverted,
    )


def colour_channels(count: int) -> list[ChannelToWrite]:
    """Channels for the colours of a pixel."""
    return [ChannelToWrite(name, color) for name, color in RGBA[:count]]


def label_facts(label: ImageLabel) -> dict[str, Any]:
    """Colours and properties of labels as OME-Zarr's "image-label" has them."""
    facts: dict[str, Any] = {}
    if label.colors:
        facts["colors"] = [
            {"label-value": value, "rgba": [round(part * 255) for part in color]}
            for value, color in label.colors.items()
        ]
    if label.properties:
        facts["properties"] = [
            {"label-value": value, **own} for value, own in label.properties.items()
        ]
    return facts


def _from_tiff(image: TiffImage) -> ImageToWrite:
    axes, scale, units = list(image.axes), list(image.scale), list(image.units)
    shift = list(image.translation)
    channels = [_channel(channel) for channel in image.channels]
    if image.rgb:
        axes, scale, units = [*axes, "s"], [*scale, 1.0], [*units, "pixel"]
        shift.append(0.0)
        channels = colour_channels(image.levels[0].shape[-1])
    elif image.palette is not None:
        warnings.warn(f"{image.path}: its palette is not carried over", stacklevel=3)
    elif image.inverted and not channels:
        channels = [ChannelToWrite(inverted=True)]
    return image_to_write(
        image.levels[0],
        axes,
        name=image.name,
        scale=scale,
        translation=shift,
        units=units,
        channels=channels,
    )
