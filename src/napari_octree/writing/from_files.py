"""Images in files, described for writing: any zarr or TIFF that the readers open.

Invariants: metadata is read, pixels are not.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from napari_octree.sources.errors import SourceError
from napari_octree.sources.ome_zarr.addresses import is_url
from napari_octree.sources.ome_zarr.image import OmeZarrImage
from napari_octree.sources.ome_zarr.metadata.model import Channel
from napari_octree.sources.ome_zarr.opening import read_ome_zarr
from napari_octree.writing.image_to_write import ChannelToWrite, ImageToWrite, image_to_write


def images_in_file(path: str | os.PathLike[str], **storage_options: Any) -> list[ImageToWrite]:
    """Describe every image at a path or URL.

    Raises
    ------
    SourceError
        There is none that can be read.
    """
    text = os.fspath(path)
    if not is_url(text) and Path(text).expanduser().is_file():
        with Path(text).expanduser().open("rb") as opened:
            start = opened.read(4)
        if start[:2] in (b"II", b"MM"):
            return _from_tiff(Path(text).expanduser())
    return [_from_zarr(image) for image in read_ome_zarr(text, **storage_options)]


def _from_zarr(image: OmeZarrImage) -> ImageToWrite:
    metadata = image.metadata
    first = metadata.datasets[0]
    axis = metadata.channel_axis
    names = [axis.name for axis in metadata.axes]
    count = 0 if axis is None else image.levels[0].shape[axis]
    return image_to_write(
        image.levels[0],
        names if all(len(name) == 1 for name in names) else None,
        name=image.name,
        scale=first.scale,
        translation=first.translation,
        units=[axis.unit for axis in metadata.axes],
        channels=[_channel(metadata.channel(index)) for index in range(count)],
        greyscale=metadata.greyscale,
    )


def _channel(channel: Channel) -> ChannelToWrite:
    color = None if channel.color is None else channel.color.lstrip("#").upper()
    return ChannelToWrite(channel.label, color, channel.window)


def _from_tiff(path: Path) -> list[ImageToWrite]:
    try:
        from napari_octree.sources.tiff.reading import read_tiff
    except ImportError as error:
        raise SourceError(
            f"{path}: TIFF files need tifffile and imagecodecs; try\n"
            "  pip install 'napari-octree[slides]'"
        ) from error
    images = []
    for image in read_tiff(path):
        axes, scale, units = list(image.axes), list(image.scale), list(image.units)
        channels = [_channel(channel) for channel in image.channels]
        if image.rgb:
            axes, scale, units = [*axes, "s"], [*scale, 1.0], [*units, "pixel"]
            names = ("red", "green", "blue", "alpha")
            colors = ("FF0000", "00FF00", "0000FF", "FFFFFF")
            samples = image.levels[0].shape[-1]
            channels = [ChannelToWrite(names[i], colors[i]) for i in range(samples)]
        images.append(
            image_to_write(
                image.levels[0], axes, name=image.name, scale=scale, units=units, channels=channels
            )
        )
    return images
