"""Opening OME-Zarr as layers: an OctreeImage per channel, and one for each label image.

Invariants: metadata is read in the calling thread, pixels are not; either all layers of a path are
made or an error is raised. Layers of one image share their storage chunks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from napari.layers import Labels, Layer

from napari_octree.config import OctreeConfig
from napari_octree.layers.source import note_source
from napari_octree.plugin.opening.image_layers import image_layers
from napari_octree.plugin.opening.label_layers import label_layers
from napari_octree.sources.errors import SourceError
from napari_octree.sources.ome_zarr.image import OmeZarrImage
from napari_octree.sources.ome_zarr.metadata.flaws import warn
from napari_octree.sources.ome_zarr.opening import Openable, read_ome_zarr
from napari_octree.sources.stores.address import shown as shown_address


def open_ome_zarr(
    path_or_url: Openable,
    coordinate_system: str | None = None,
    **storage_options: Any,
) -> list[Layer]:
    """Open an image as layers, to be added to a viewer with `viewer.add_layer`.

    Parameters
    ----------
    path_or_url : str, path-like, zarr.Group, zarr.Array or zarr store
        An OME-Zarr image (0.1 to 0.6), its labels, a plate, a well, a scene, a collection
        written by bioformats2raw, or a plain zarr array: a folder, a zip file, or an address
        (http, s3, gs, az, or any other that fsspec knows); or what somebody has opened.
    coordinate_system : str, optional
        The name of a coordinate system of the image or scene (0.6) in which it is to be shown;
        default: the image's intrinsic one, or the first of the scene.
    **storage_options
        `acquisition`: the id of that acquisition of a plate that is shown (default: the first).
        All others say how the store is reached, as fsspec takes them: `anon=True` for a public
        bucket, `profile`, `key`, `secret`, `endpoint_url`, `headers`, ….

    Returns
    -------
    list of napari.layers.Layer
        An OctreeImage per channel of each image, with names, colours, contrast limits,
        visibility, scale, translation, affine, units and axis labels of the metadata; then its
        label images, hidden. What napari has no place for is in the layers' `metadata`.

    Raises
    ------
    SourceError
        A `ValueError` that names the path and the problem.
    """
    layers = open_layers(path_or_url, None, coordinate_system, **storage_options)
    if isinstance(path_or_url, str | os.PathLike):
        note_source(layers, shown_address(os.fspath(path_or_url)))
    return layers


def open_layers(
    path_or_url: Openable,
    config: OctreeConfig | None,
    coordinate_system: str | None = None,
    **storage_options: Any,
) -> list[Layer]:
    """`open_ome_zarr` with a configuration."""
    return prepare_layers(path_or_url, config, coordinate_system, **storage_options)()


def prepare_layers(
    path_or_url: Openable,
    config: OctreeConfig | None,
    coordinate_system: str | None = None,
    **storage_options: Any,
) -> Callable[[], list[Layer]]:
    """Read the metadata (any thread); what is returned makes the layers (main thread)."""
    images = read_ome_zarr(path_or_url, coordinate_system, **storage_options)
    return lambda: layers_of(images, config)


def layers_of(images: Iterable[OmeZarrImage], config: OctreeConfig | None) -> list[Layer]:
    """Make the layers of opened images; one that cannot be shown costs the others nothing.

    Raises
    ------
    SourceError
        None can be shown: the first problem met.
    """
    layers: list[Layer] = []
    problems: list[SourceError] = []
    for image in images:
        make = image_layers if image.label is None else label_layers
        try:
            layers += make(image, config)
        except SourceError as problem:
            problems.append(problem)
    if problems and not any(not isinstance(layer, Labels) for layer in layers):
        raise problems[0]
    for each in problems:
        warn(f"{each}; it is left out")
    return layers
