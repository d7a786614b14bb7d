"""Menu commands that give pixels away: crop to a new layer, export, pop out a level.

Invariants: GUI thread; pixels are read in threads only; whoever cancels has changed nothing.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Labels, Layer
from napari.utils.notifications import show_info, show_warning

from napari_octree.layers.base.octree_scalar_field import OctreeScalarField
from napari_octree.layers.image.octree_image import OctreeImage
from napari_octree.plugin.background_task import BackgroundTask
from napari_octree.plugin.commands.export_regions import (
    IN_VIEW,
    drawn_box,
    export_regions,
    pixel_length,
    with_slices,
    world_box,
)
from napari_octree.plugin.export import ENDINGS, Export, Format, export_of
from napari_octree.plugin.picture import Picture, picture_of
from napari_octree.sources.errors import SourceError
from napari_octree.sources.protocol import Region
from napari_octree.writing.errors import WritingError

if TYPE_CHECKING:
    import napari.viewer
    from qtpy.QtWidgets import QWidget

    from napari_octree.qt.export_dialog import ExportChoice
    from napari_octree.qt.picture_progress import PictureProgress

FORMATS: tuple[Format, ...] = ("OME-Zarr", "OME-TIFF")
PNG = len(FORMATS)
"""The dialog's last choice: a picture of what is shown, not pixels of layers."""

REFUSALS = (WritingError, SourceError, ValueError, IndexError)
"""Errors of a choice that cannot be written: their text tells why."""


def crop_to_layer(viewer: napari.viewer.Viewer) -> list[Layer]:
    """Add layers that show a box of the selected ones: a drawn rectangle, or what is in view."""
    layers = selected_octrees(viewer)
    if not layers:
        show_info("Select an octree layer to crop.")
        return []
    made: list[Layer] = []
    for layer in layers:
        box = drawn_box(viewer, layer) or layer.visible_region()
        try:
            made.append(viewer.add_layer(layer.crop(box)))
        except ValueError as error:
            show_warning(str(error))
    return made


def pop_out_level(viewer: napari.viewer.Viewer) -> Layer | None:
    """Add the level that is shown of the selected layer as a stock layer, in the same place.

    For plugins that cannot work on levels. Its pixels are read when somebody asks for them.
    """
    layers = selected_octrees(viewer)
    if not layers:
        show_info("Select an octree layer.")
        return None
    layer = layers[0]
    number = layer.data_level
    if number >= len(layer.level_shapes):  # a level that is computed, not stored
        number = len(layer.level_shapes) - 1
    kind = Image if isinstance(layer, OctreeImage) else Labels
    looks: dict[str, Any] = {
        "name": f"{layer.name} level {number}",
        "affine": layer.level_affine(number),
        "units": layer.units,
        "axis_labels": layer.axis_labels,
        "opacity": layer.opacity,
    }
    if isinstance(layer, OctreeImage):
        looks |= {
            "rgb": layer.rgb,
            "colormap": layer.colormap if not layer.rgb else None,
            "contrast_limits": layer.contrast_limits,
            "blending": layer.blending,
            "gamma": layer.gamma,
        }
    else:
        looks["colormap"] = getattr(layer, "colormap", None)
    looks = {key: value for key, value in looks.items() if value is not None}
    added: Layer = viewer.add_layer(kind(layer.level(number), multiscale=False, **looks))
    return added


def export_layers(
    viewer: napari.viewer.Viewer,
) -> BackgroundTask[Path] | PictureProgress | None:
    """Ask what to export of the selected layers, and write it in the background."""
    from napari.qt import get_stylesheet

    from napari_octree.qt.export_dialog import ExportDialog
    from napari_octree.qt.picture_progress import PictureProgress

    layers = selected_octrees(viewer)
    if not layers:
        show_info("Select the octree layers to export: one image, or its channels.")
        return None
    offer = _Offer(viewer, layers, export_regions(viewer, layers[0]))
    dialog = ExportDialog(
        _window(),
        f"Export {offer.name}",
        list(offer.regions),
        offer.levels,
        (*FORMATS, "PNG picture, as shown"),
        offer.describe,
        offer.suggest,
        _sliders(viewer, layers[0]),
    )
    dialog.setStyleSheet(get_stylesheet(viewer.theme))
    if not dialog.exec_():
        return None
    try:
        export = offer.chosen(dialog.choice)
    except REFUSALS as error:
        show_warning(str(error))
        return None
    if isinstance(export, Picture):
        return PictureProgress(
            _window(), f"Export {export.path.name}", export.steps(), f"Exported: {export.path}"
        )
    return start_export(export)


@dataclass(frozen=True, eq=False)
class _Offer:
    """What can be exported, and what a choice of it means."""

    viewer: napari.viewer.Viewer
    layers: list[OctreeScalarField]
    regions: dict[str, Region]

    @property
    def name(self) -> str:
        """Of the image: what its channels' names have in common."""
        return self.layers[0].name.split(":")[0].strip() or "image"

    def levels(self, format_index: int) -> list[str]:
        """Resolutions in which a format can be written."""
        levels = [
            f"{i}: {' × '.join(str(n) for n in shape)}"
            for i, shape in enumerate(self.layers[0].level_shapes)
        ]
        return ["as on the screen", *levels] if format_index == PNG else levels

    def suggest(self, format_index: int) -> str:
        """A path for a format."""
        ending = ".png" if format_index == PNG else ENDINGS[FORMATS[format_index]]
        return str(Path(os.getcwd()) / f"{self.name}{ending}")

    def chosen(self, choice: ExportChoice) -> Export | Picture:
        """What is to be written. Raises `REFUSALS`."""
        viewer, first = self.viewer, self.layers[0]
        path = Path(choice.path).expanduser()
        title, box = list(self.regions.items())[choice.region]
        if choice.format == PNG:
            in_view = title.startswith(IN_VIEW)
            return picture_of(
                viewer,
                path,
                box=None if in_view else world_box(viewer, first, box),
                pixel=pixel_length(viewer, first, choice.level - 1) if choice.level else None,
                overwrite=os.path.exists(path),
            )
        return export_of(
            self.layers,
            path,
            FORMATS[choice.format],
            box=with_slices(first, box, choice.slices),
            level=choice.level,
            overwrite=os.path.exists(path),
        )

    def describe(self, choice: ExportChoice) -> str:
        """How large it will be, or why it cannot be written."""
        try:
            export = self.chosen(choice)
        except REFUSALS as error:
            return str(error)
        there = " It replaces what is there." if export.overwrite else ""
        size = f"{_size(export.nbytes)} at most, before compression."
        if isinstance(export, Picture):
            rows, columns = export.shape
            return f"{columns} × {rows} pixels of all that is shown, {size}{there}"
        return f"{' × '.join(str(n) for n in export.image.shape)} pixels, {size}{there}"


def start_export(export: Export) -> BackgroundTask[Path]:
    """Write an export in the background; a notice says when it is done."""
    return BackgroundTask(
        f"Export {export.path.name}",
        lambda task: export.run(task.report, task.cancelled),
        lambda path: show_info(f"Exported: {path}"),
    )


def selected_octrees(viewer: napari.viewer.Viewer) -> list[OctreeScalarField]:
    """The selected octree layers, in the order of the list."""
    return [
        layer
        for layer in viewer.layers
        if layer in viewer.layers.selection and isinstance(layer, OctreeScalarField)
    ]


def _sliders(viewer: napari.viewer.Viewer, layer: OctreeScalarField) -> list[str]:
    """Names of a layer's axes that are not drawn."""
    offset = viewer.dims.ndim - layer.ndim
    return [
        str(label)
        for axis, label in enumerate(layer.axis_labels)
        if axis + offset in viewer.dims.not_displayed
    ]


def _window() -> QWidget | None:
    from qtpy.QtWidgets import QApplication

    return QApplication.activeWindow()


def _size(nbytes: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if nbytes < 1024:
            return f"{nbytes:.3g} {unit}"
        nbytes /= 1024
    return f"{nbytes:.3g} TiB"
