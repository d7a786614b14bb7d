"""Whether levels of a pyramid can be shown: everything that is known without reading.

Invariants: reads nothing; the first problem is raised as a `SourceError` that names the level,
the array and what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Sequence

from napari_octree.sources.errors import SourceError
from napari_octree.sources.protocol import MAX_AXIS_PIXELS, LevelSource


def check_levels(sources: Sequence[LevelSource]) -> None:
    """Refuse what cannot be shown.

    Raises
    ------
    SourceError
    """
    if not sources:
        raise SourceError("an image needs at least one level")
    for number, source in enumerate(sources):
        where = f"level {number} ({source.storage.source_name}, shape {source.shape})"
        _check_alone(source, where)
        if number:
            _check_after(sources[number - 1], source, where)


def _check_alone(source: LevelSource, where: str) -> None:
    kind = source.dtype.kind
    if kind == "c":
        raise SourceError(
            f"{where}: complex pixels ({source.dtype}) cannot be shown; "
            "give the real part, the magnitude or the phase"
        )
    if kind not in "buif":
        raise SourceError(f"{where}: pixels of type {source.dtype} cannot be shown")
    if len(source.shape) < 2:
        raise SourceError(f"{where}: an image needs at least two axes")
    if 0 in source.shape:
        raise SourceError(f"{where}: has no pixels, since an axis has size zero")
    for axis, size in enumerate(source.shape):
        if size > MAX_AXIS_PIXELS:
            raise SourceError(
                f"{where}: axis {axis} has {size} pixels; napari's sliders count to less "
                "than 10^9, so leave out the finest levels or cut the axis"
            )


def _check_after(finer: LevelSource, source: LevelSource, where: str) -> None:
    if source.dtype != finer.dtype:
        raise SourceError(
            f"{where}: its pixels are {source.dtype}, but those of the level before {finer.dtype}"
        )
    if len(source.shape) != len(finer.shape):
        raise SourceError(
            f"{where}: has {len(source.shape)} axes, but the level before has {len(finer.shape)}"
        )
    for axis, (size, before) in enumerate(zip(source.shape, finer.shape, strict=True)):
        if size > before:
            raise SourceError(
                f"{where}: axis {axis} is larger than in the level before, which has shape "
                f"{finer.shape}; give the finest level first"
            )
