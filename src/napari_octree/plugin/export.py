"""What one sees, written to disk: a box of some layers, at a level, as OME-Zarr or OME-TIFF.

Invariants: an `Export` is a frozen description, made in the main thread without reading; `run`
may be called in any thread. The final name appears when all is written; a failure or a cancel
leaves nothing under it, and never touches what was there before.
"""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from napari.utils.colormaps import DirectLabelColormap

from napari_octree.layers.base.octree_scalar_field import OctreeScalarField
from napari_octree.layers.image.octree_image import OctreeImage
from napari_octree.sources import as_level_source
from napari_octree.sources.derived.stacked import StackedArray
from napari_octree.sources.ome_zarr.metadata.image_label import ImageLabel
from napari_octree.sources.protocol import LevelSource, Region
from napari_octree.writing.build import BuildOptions, build_pyramid
from napari_octree.writing.errors import WritingError
from napari_octree.writing.from_files import colour_channels, label_facts
from napari_octree.writing.image_to_write import (
    ChannelToWrite,
    ImageToWrite,
    image_to_write,
    unnamed_axes,
    with_labels,
)
from napari_octree.writing.running import Progress
from napari_octree.writing.source_paths import refuse_own_source
from napari_octree.writing.tiff import write_tiff
from napari_octree.writing.unfinished import unfinished

Format = Literal["OME-Zarr", "OME-TIFF"]

ENDINGS: dict[Format, str] = {"OME-Zarr": ".ome.zarr", "OME-TIFF": ".ome.tif"}


@dataclass(frozen=True, eq=False)
class Export:
    """What is written where.

    Attributes
    ----------
    image : ImageToWrite
    path : Path
    format : {"OME-Zarr", "OME-TIFF"}
    overwrite : bool
        Replace what is there, once the new one is whole.
    """

    image: ImageToWrite
    path: Path
    format: Format
    overwrite: bool = False

    @property
    def nbytes(self) -> int:
        """Bytes before compression, coarser levels included: what it takes at most."""
        finest = int(np.prod(self.image.shape, dtype=object)) * self.image.dtype.itemsize
        return finest * 4 // 3

    def run(
        self,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
        workers: int = 2,
    ) -> Path:
        """Write it (any thread); returns the path.

        Raises
        ------
        WritingError, CancelledError
        SourceError, OSError
            What reading raises.
        """
        self._check()
        if self.format == "OME-TIFF":
            write_tiff(self.image, self.path, progress=progress, cancelled=cancelled)
            return self.path
        with unfinished(self.path) as part:
            build_pyramid(
                self.image,
                str(part),
                BuildOptions(overwrite=True),
                workers=workers,
                progress=progress,
                cancelled=cancelled,
            )
        return self.path

    def _check(self) -> None:
        folder = self.path.absolute().parent
        if not os.path.isdir(folder):
            raise WritingError(f"{folder}: there is no such folder")
        try:
            there = self.path.exists()
        except OSError as error:
            raise WritingError(f"{self.path}: cannot be written: {error.strerror}") from error
        refuse_own_source(self.image, self.path)
        if there and not self.overwrite:
            raise WritingError(f"{self.path}: there is something already")
        if self.path.is_file() and self.format == "OME-Zarr":
            raise WritingError(f"{self.path}: is a file: it is not replaced by a folder")
        is_zarr = any((self.path / name).is_file() for name in ("zarr.json", ".zgroup"))
        if self.path.is_dir() and not is_zarr:
            raise WritingError(f"{self.path}: is a folder, and no zarr: it is not replaced")
        free = shutil.disk_usage(folder).free
        if self.nbytes // 4 > free:
            raise WritingError(
                f"{folder}: {free / 2**30:.1f} GiB are free; up to {self.nbytes / 2**30:.1f} GiB "
                "may be needed"
            )


def export_of(
    layers: Sequence[OctreeScalarField],
    path: Path,
    format: Format,  # noqa: A002
    *,
    box: Region | None = None,
    level: int = 0,
    overwrite: bool = False,
) -> Export:
    """Describe an export.

    Parameters
    ----------
    layers : sequence of octree layers
        One image, or its channels: of one shape and in one place. Labels are written beside it.
    path : Path
    format : {"OME-Zarr", "OME-TIFF"}
    box : tuple of (int, int), optional
        Level-0 pixels, start and stop per axis; default: everything.
        Of images with labels: of all of them.
    level : int
        The level whose pixels are written as the finest.
    overwrite : bool

    Raises
    ------
    WritingError, SourceError
        The layers do not make one image.
    """
    if not layers:
        raise WritingError("no octree layer is selected")
    images: list[OctreeScalarField] = [each for each in layers if isinstance(each, OctreeImage)]
    labels = [each for each in layers if not isinstance(each, OctreeImage)]
    beside = labels if images else labels[1:]
    if beside and not images:
        raise WritingError(f"{path}: several labels without an image: write them one by one")
    if beside and format == "OME-TIFF":
        raise WritingError(
            f"{path}: OME-TIFF holds no labels beside an image: write them apart, or as OME-Zarr"
        )
    main = _image_of(images or labels, box, level)
    if beside:
        region = None if box is None else tuple(box)
        own = [_image_of([each], _like(each, images[0], region, level), level) for each in beside]
        main = with_labels(main, own)
    return Export(main, path, format, overwrite)


def _like(
    labels: OctreeScalarField, image: OctreeScalarField, box: Region | None, level: int
) -> Region | None:
    """The box of an image, for labels of the same size; they may differ if all is written."""
    if box is None and level == 0:
        return None
    ndim = labels.ndim
    if tuple(labels.level_shapes[0][:ndim]) != tuple(image.level_shapes[0][: image.ndim][-ndim:]):
        raise WritingError(
            f"{labels.name}: labels of another size than {image.name} can be written beside it "
            "only as a whole"
        )
    return None if box is None else box[-ndim:]


def _image_of(layers: Sequence[OctreeScalarField], box: Region | None, level: int) -> ImageToWrite:
    """One image of layers that are its channels."""
    first = layers[0]
    whole = tuple((0, int(n)) for n in first.level_shapes[0][: first.ndim])
    region = whole if box is None else box
    for layer in layers:
        if not 0 <= level < len(layer.level_shapes):
            raise WritingError(f"{layer.name}: has no level {level}")
    try:
        cut = [layer.cropped_level(level, region) for layer in layers]
    except ValueError as error:
        raise WritingError(str(error)) from error
    pieces, matrices = [as_level_source(array) for array, _ in cut], [m for _, m in cut]
    if any(piece.shape != pieces[0].shape for piece in pieces):
        raise WritingError("layers of different sizes cannot be written as one image")
    if any(not np.allclose(matrix, matrices[0]) for matrix in matrices):
        raise WritingError("layers that lie in different places cannot be written as one image")
    linear = matrices[0][:-1, :-1]
    if not np.allclose(linear, np.diag(np.abs(np.diag(linear)))):
        warnings.warn(
            f"{first.name}: is rotated, sheared or flipped; this is not written: the pixels are, "
            "as they are stored",
            stacklevel=4,
        )
    axes, names = _axes(first)
    scale = [float(np.linalg.norm(matrices[0][:-1, axis])) for axis in range(first.ndim)]
    translation = [float(value) for value in matrices[0][:-1, -1]]
    units = [None if str(unit) == "pixel" else str(unit) for unit in first.units]
    rgb = bool(getattr(first, "rgb", False))
    if rgb and len(layers) > 1:
        raise WritingError("several layers of colours cannot be written as one image")
    source: LevelSource | StackedArray = pieces[0]
    channels = [_look(layer) for layer in layers]
    if rgb:
        axes, scale, translation, units = (
            [*axes, "s"], [*scale, 1.0], [*translation, 0.0], [*units, None],
        )  # fmt: skip
        channels = colour_channels(pieces[0].shape[-1])
    elif len(layers) > 1:
        if "c" in axes:
            raise WritingError("layers with an axis c of their own cannot be written as channels")
        source = StackedArray(tuple(pieces))
        axes, scale, translation, units = (
            ["c", *axes], [1.0, *scale], [0.0, *translation], [None, *units],
        )  # fmt: skip
    image = image_to_write(
        source, axes, name=names, scale=scale, translation=translation, units=units,
        channels=channels,
    )  # fmt: skip
    if not isinstance(first, OctreeImage):
        image = replace(image, is_label=True, label_facts=_label_facts(first))
    return image


def _axes(layer: OctreeScalarField) -> tuple[list[str], str]:
    """Axis letters, and the image's name."""
    labels = [str(label).lower() for label in layer.axis_labels]
    known = all(label in "tczyx" and len(label) == 1 for label in labels)
    distinct = len(set(labels)) == len(labels) and {"y", "x"} <= set(labels)
    letters = labels if known and distinct else list(unnamed_axes(layer.ndim))
    if len(letters) != layer.ndim:
        raise WritingError(f"{layer.name}: {layer.ndim} axes of which the names are not known")
    return letters, layer.name.split(":")[0].strip() or "image"


def _label_facts(layer: OctreeScalarField) -> dict[str, Any]:
    """Colours and properties of labels that somebody has chosen."""
    colors: dict[int, tuple[float, float, float, float]] = {}
    colormap = getattr(layer, "colormap", None)
    if isinstance(colormap, DirectLabelColormap):
        for value, color in colormap.color_dict.items():
            if value is not None and value != 0:
                red, green, blue, alpha = (float(part) for part in color)
                colors[int(value)] = (red, green, blue, alpha)
    properties: dict[int, dict[str, Any]] = {}
    features = getattr(layer, "features", None)
    if features is not None and "index" in features:
        for row in features.to_dict("records"):
            own = {str(k): _plain(v) for k, v in row.items() if k != "index" and v is not None}
            properties[int(row["index"])] = own
    return label_facts(ImageLabel(colors, properties))


def _plain(value: Any) -> Any:
    """A value that JSON can hold."""
    value = value.item() if isinstance(value, np.generic) else value
    return value if isinstance(value, str | int | float | bool) else str(value)


def _look(layer: OctreeScalarField) -> ChannelToWrite:
    label = layer.name.partition(":")[2].strip() or layer.name
    if not isinstance(layer, OctreeImage):
        return ChannelToWrite(label)
    first, last = np.clip(layer.colormap.map(np.array([0.0, 1.0]))[:, :3], 0, 1)
    inverted = bool(first.sum() > last.sum())
    brightest = first if inverted else last
    color = "".join(f"{round(float(part) * 255):02X}" for part in brightest)
    low, high = (float(limit) for limit in layer.contrast_limits)
    ends = (float(layer.contrast_limits_range[0]), float(layer.contrast_limits_range[1]))
    return ChannelToWrite(label, color, (low, high), ends, layer.visible, inverted)
