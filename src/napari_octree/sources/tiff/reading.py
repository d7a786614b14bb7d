"""A TIFF file's images: levels, axes, channels, sizes; no pixels.

Invariants: either all images of a file that can be shown are returned or an error names the file
and the problem; labels, macro pictures and thumbnails of slides are left out.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from napari_octree.sources.errors import SourceError
from napari_octree.sources.ome_zarr.metadata.model import Channel
from napari_octree.sources.tiff.image import OVERLAPPING, TiffImage
from napari_octree.sources.tiff.mapped_tiff import MappedTiffArray
from napari_octree.sources.tiff.open_tiff_file import FileVersion, OpenTiffFile, open_tiff_file
from napari_octree.sources.tiff.slide_tags import leica_overviews, ventana_overlaps
from napari_octree.sources.tiff.tags import facts_of
from napari_octree.sources.tiff.tiff_array import PageLayout, TiffArray

SLIDE_KINDS = ("svs", "ndpi", "qpi", "philips", "bif", "ventana", "avs", "indica")
"""Kinds (tifffile's names) of which the first series is the slide, and the rest pictures of it."""

MIN_IS_WHITE, RGB, PALETTE, SEPARATED, YCBCR, LAB = 0, 2, 3, 5, 6, 8

SAMPLES: dict[int, tuple[tuple[str, str], ...]] = {
    RGB: (("red", "#ff0000"), ("green", "#00ff00"), ("blue", "#0000ff")),
    SEPARATED: (
        ("cyan", "#00ffff"), ("magenta", "#ff00ff"), ("yellow", "#ffff00"), ("black", "#ffffff"),
    ),
    YCBCR: (("Y", "#ffffff"), ("Cb", "#0000ff"), ("Cr", "#ff0000")),
    LAB: (("L", "#ffffff"), ("a", "#ff0000"), ("b", "#ffff00")),
}  # fmt: skip
"""Names and colours of the samples of a pixel that are no colours as a screen has them."""

PLAIN_CODECS = (1, 5, 8, 32773, 32946, 34925, 50000)
"""Compressions that leave pixels as they are; others turn YCbCr into RGB when they decode."""


def read_tiff(path: str | os.PathLike[str]) -> tuple[TiffImage, ...]:
    """Read what a TIFF file holds.

    Raises
    ------
    SourceError
        It is not there, no TIFF file, damaged, or of a kind that cannot be shown.
    """
    try:
        version = FileVersion.of(path)
    except OSError as error:
        raise SourceError(f"{path}: cannot be opened: {error.strerror or error}") from error
    opened = open_tiff_file(version)
    series = list(opened.tiff.series)
    overviews = leica_overviews(opened.tiff) if opened.tiff.is_scn else ()
    chosen = [i for i, one in enumerate(series) if i not in overviews and _is_shown(one, i)]
    scattered = _scattered_levels(series, chosen)
    chosen = [i for i in chosen if not any(i in levels for levels in scattered.values())]
    images, problems = [], []
    for index in chosen:
        try:
            images.append(_image(opened, index, len(chosen) > 1, scattered.get(index, ())))
        except SourceError as error:
            problems.append(error)
    if not images:
        raise problems[0] if problems else SourceError(f"{path}: a TIFF file without images")
    for flaw in (*opened.damage, *(str(problem) for problem in problems)):
        warnings.warn(f"{path}: not all of it can be shown: {flaw}", stacklevel=2)
    return tuple(images)


def _is_shown(series: Any, index: int) -> bool:
    kind = str(series.kind).lower()
    if index and any(kind.startswith(slide) for slide in SLIDE_KINDS):
        return str(series.name).lower().startswith("baseline")
    return 0 not in series.shape


def _scattered_levels(series: Sequence[Any], chosen: Sequence[int]) -> dict[int, list[int]]:
    """Series that are coarser levels of another one, though they do not follow it by size.

    Such are marked as reduced pictures; only if there is one image can they be its levels.
    """
    reduced = [i for i in chosen if int(series[i].keyframe.subfiletype) & 1]
    whole = [i for i in chosen if i not in reduced]
    if len(whole) != 1 or len(series[whole[0]].shape) < 2:
        return {}
    finest = series[whole[0]]
    rows, columns = (finest.axes.index(letter) for letter in "YX")

    def fits(other: Any) -> bool:
        if other.axes != finest.axes or other.dtype != finest.dtype:
            return False
        factors = [finest.shape[a] / max(other.shape[a], 1) for a in (rows, columns)]
        same = all(
            a in (rows, columns) or n == m
            for a, (n, m) in enumerate(zip(finest.shape, other.shape, strict=True))
        )
        # a last pixel may be there or cut off
        odd = max(factors) / min(other.shape[a] for a in (rows, columns))
        return same and min(factors) > 1 and abs(factors[0] - factors[1]) <= odd

    return {whole[0]: [i for i in reduced if fits(series[i])]}


def _image(
    opened: OpenTiffFile, index: int, several: bool, scattered: Sequence[int] = ()
) -> TiffImage:
    path = opened.version.path
    series = opened.tiff.series[index]
    try:
        facts = facts_of(opened.tiff, index)
        found = [_level(opened, index, number) for number in range(len(series.levels))]
        for other in scattered:
            numbers = range(len(opened.tiff.series[other].levels))
            found += [_level(opened, other, number) for number in numbers]
        levels = tuple(sorted(found, key=lambda level: -level.size))  # files may have any order
        keyframe = series.keyframe
        photometric = int(keyframe.photometric)
        colormap = keyframe.colormap if photometric == PALETTE else None
    except SourceError:
        raise
    except Exception as error:  # tifffile raises what struct and numpy raise
        raise SourceError(f"{path}: series {index} cannot be used: {error}") from error
    axes = levels[0].axes.lower()
    levels = tuple(level for level in levels if level.axes == levels[0].axes)
    samples = levels[0].shape[-1] if axes.endswith("s") else 1
    is_colour = samples == 3 or (samples == 4 and photometric in (RGB, YCBCR))
    raw = photometric == YCBCR and int(keyframe.compression) in PLAIN_CODECS
    rgb = is_colour and photometric in (RGB, YCBCR, MIN_IS_WHITE + 1) and not raw
    names = axes[:-1] if rgb else axes
    channel_axis: int | None = None
    if "c" in names:
        channel_axis = names.index("c")
    elif not rgb and axes.endswith("s"):
        channel_axis = len(axes) - 1
    stem = Path(path).name
    for ending in (".ome.tif", ".ome.tiff", ".ome.btf", Path(path).suffix):
        if ending and stem.lower().endswith(ending.lower()):
            stem = stem[: -len(ending)]
            break
    metadata = {"kind": str(series.kind), "path": path}
    if opened.tiff.is_bif and ventana_overlaps(opened.tiff):
        metadata[OVERLAPPING] = "true"
    if facts.magnification is not None:
        metadata["magnification"] = f"{facts.magnification:g}"
    return TiffImage(
        name=f"{stem}: {series.name or index}" if several else stem,
        path=path,
        levels=levels,
        axes=tuple(names),
        rgb=rgb,
        channel_axis=channel_axis,
        channels=facts.channels or _samples(photometric, samples, rgb),
        scale=tuple(facts.sizes.get(name, 1.0) for name in names),
        units=tuple(
            ("second" if name == "t" else "micrometer")
            if name in facts.sizes and name not in facts.plain
            else "pixel"
            for name in names
        ),
        translation=tuple(facts.places.get(name, 0.0) for name in names),
        palette=None if colormap is None else np.asarray(colormap).T / 65535,
        inverted=photometric == MIN_IS_WHITE,
        metadata=metadata,
    )


def _samples(photometric: int, samples: int, rgb: bool) -> tuple[Channel, ...]:
    known = SAMPLES.get(photometric, ())
    if rgb or samples < len(known) or samples < 2:
        return ()
    return tuple(Channel(name, color) for name, color in known)


def _level(opened: OpenTiffFile, series_index: int, number: int) -> TiffArray | MappedTiffArray:
    version = opened.version
    series = opened.tiff.series[series_index].levels[number]
    keyframe = series.keyframe
    where = f"{version.path}: level {number} of series {series_index}"
    if keyframe.dtype is None:
        raise SourceError(f"{where}: pixels of {keyframe.bitspersample} bits cannot be shown")
    if keyframe.compression not in tifffile.TIFF.DECOMPRESSORS:
        raise SourceError(f"{where}: its compression ({keyframe.compression!s}) is not known")
    dtype = np.dtype(keyframe.dtype)
    shape, axes = tuple(int(n) for n in series.shape), str(series.axes)
    page_shape, page_axes = tuple(keyframe.shape), str(keyframe.axes)
    if shape[len(shape) - len(page_shape) :] != page_shape:
        page_axes = "".join(a for a, n in zip(page_axes, page_shape, strict=True) if n != 1)
        page_shape = tuple(n for n in page_shape if n != 1)
    leading = len(shape) - len(page_shape)
    planar = page_axes.startswith("S") and "S" in axes[leading:]
    order = tuple(range(len(shape)))
    if planar:  # colours in separate planes are shown as one picture, colours last
        order = (*order[:leading], *order[leading + 1 :], leading)
    axes = "".join(axes[a] for a in order)
    offset = None if number else series.dataoffset
    if offset is not None and keyframe.is_memmappable:
        nbytes = int(np.prod(shape, dtype=object)) * dtype.itemsize
        if offset + nbytes > version.size:
            raise SourceError(f"{where}: the file is shorter than its {nbytes} bytes of pixels")
        stored = dtype.newbyteorder(opened.tiff.byteorder)
        return MappedTiffArray(version, series_index, offset, shape, order, stored, axes)
    if shape[leading:] != page_shape or int(np.prod(shape[:leading], dtype=object)) != len(series):
        raise SourceError(f"{where}: {len(series)} pages do not make an image of shape {shape}")
    letters = [("S" if planar else None), "Z", "Y", "X", (None if planar else "S")]
    kept = tuple(letters.index(letter) for letter in axes[leading:])
    tiled = bool(keyframe.is_tiled)
    segment = (
        1,
        keyframe.tiledepth if tiled else 1,
        keyframe.tilelength if tiled else min(keyframe.rowsperstrip, keyframe.imagelength),
        keyframe.tilewidth if tiled else keyframe.imagewidth,
        keyframe.shaped[4],
    )
    layout = PageLayout(tuple(int(n) for n in keyframe.shaped), segment, kept)
    return TiffArray(
        version=version,
        series=series_index,
        level=number,
        shape=tuple(shape[a] for a in order),
        dtype=dtype,
        layout=layout,
        fill_value=keyframe.nodata,
        axes=axes,
    )
