"""The writer that napari's File ▸ Save asks: layers of any size, as OME-Zarr or OME-TIFF.

Invariants: main thread; pixels are read and written in a thread, a bar in the activity dock shows
how far it is, and the window stays alive meanwhile. A path is returned when all is written; what
goes wrong, a cancel too, is an error and leaves what was there before.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import napari
from napari.layers import Layer

from napari_octree.layers.base.octree_scalar_field import OctreeScalarField
from napari_octree.layers.image.octree_image import OctreeImage
from napari_octree.layers.labels.octree_labels import OctreeLabels
from napari_octree.layers.main_loop import MAIN_LOOP
from napari_octree.plugin.background_task import BackgroundTask
from napari_octree.plugin.export import Export, Format, export_of
from napari_octree.writing.errors import WritingError

LONGEST_S = 20 * 24 * 3600.0


class NotWrittenError(OSError):
    """What cannot be written, and why. napari takes a `ValueError` for "no plugin can do it"."""


LayerData = tuple[Any, dict[str, Any], str]


def save_layers(path: str = "", layer_data: Sequence[LayerData] = ()) -> list[str]:
    """Write layers to one file; without a path, ask what to export of the selected ones.

    Parameters
    ----------
    path : str
        Ends in .zarr, or else is written as OME-TIFF; without an ending it gets .zarr. What is
        there is replaced.
    layer_data : sequence of (data, settings, type)
        Images, which become the channels of one, and labels, which are written beside it.

    Returns
    -------
    list of str
        What was written. napari lists every command in its palette, also those of writers: there
        one has no path, and this opens the dialog.

    Raises
    ------
    NotWrittenError
        They do not make one image, or it cannot be written.
    """
    if not path:
        from napari_octree.plugin.commands.export_commands import export_layers

        viewer = napari.current_viewer()
        if viewer is not None:
            export_layers(viewer)
        return []
    if not Path(path).suffix:
        path += ".zarr"
    try:
        _write(path, export_of_tuples(path, layer_data))
    except ValueError as error:
        raise NotWrittenError(str(error)) from error
    return [path]


def _write(path: str, export: Export) -> None:
    problems: list[BaseException] = []
    task = BackgroundTask(
        f"Save {export.path.name}",
        lambda task: export.run(task.report, task.cancelled),
        lambda _: None,
        problems.append,
        lambda: problems.append(WritingError(f"{path}: not saved: cancelled")),
    )
    MAIN_LOOP.run_until(lambda: task.finished, LONGEST_S)
    if problems:
        raise problems[0]


def export_of_tuples(path: str, layer_data: Sequence[LayerData]) -> Export:
    """Describe how layers are written that napari hands over as tuples."""
    kinds: dict[str, Any] = {"image": OctreeImage, "labels": OctreeLabels}
    layers = [_layer(kinds[each[2]], each) for each in layer_data if each[2] in kinds]
    kind: Format = "OME-Zarr" if path.lower().endswith(".zarr") else "OME-TIFF"
    file = Path(path).expanduser()
    return export_of(layers, file, kind, overwrite=os.path.exists(file))


def _layer(kind: type[OctreeScalarField], data: LayerData) -> OctreeScalarField:
    """A layer of ours, which reads nothing as it is not shown."""
    array, settings, _ = data
    own: Any = kind
    layer: OctreeScalarField = own(array, **{**settings, "visible": False})
    assert isinstance(layer, Layer)
    return layer
