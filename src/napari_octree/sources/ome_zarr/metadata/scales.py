"""Scales and translations of versions 0.4 and 0.5, and whether they fit the arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from napari_octree.sources.ome_zarr.metadata.flaws import warn
from napari_octree.sources.ome_zarr.metadata.model import ImageMetadata
from napari_octree.sources.ome_zarr.metadata.values import as_list, as_number, shown

Numbers = tuple[float, ...]

SMALLEST, LARGEST = 1e-30, 1e30
"""Numbers beyond are mistakes; GPUs calculate with floats of 32 bits."""


def compose(
    transformations: Sequence[Any], ndim: int, where: str
) -> tuple[Numbers | None, Numbers | None]:
    """Apply scales and translations one after the other.

    Returns
    -------
    scale, translation : tuple of float or None
        None where there is none that can be used.
    """
    scale: list[float] | None = None
    shift: list[float] | None = None
    for transformation in transformations:
        kind = transformation.get("type") if isinstance(transformation, Mapping) else None
        if kind == "identity":
            continue
        numbers = _usable_numbers(transformation, kind, ndim, where)
        if numbers is None:
            continue
        if kind == "scale":
            scale_now = [a * b for a, b in zip(scale or [1.0] * ndim, numbers, strict=True)]
            shift_now = [a * b for a, b in zip(shift, numbers, strict=True)] if shift else None
        else:
            scale_now = scale or []
            shift_now = [a + b for a, b in zip(shift or [0.0] * ndim, numbers, strict=True)]
        if not in_range([*scale_now], [*(shift_now or ())]):
            warn(f"{where}: cannot use the transformation {shown(transformation)}: out of range")
            continue
        scale, shift = scale_now or None, shift_now
    return (tuple(scale) if scale else None), (tuple(shift) if shift else None)


def _usable_numbers(transformation: Any, kind: Any, ndim: int, where: str) -> list[float] | None:
    """The numbers of a scale or translation; where one axis has none of use, as if left out."""
    values = as_list(transformation.get(kind)) if kind in ("scale", "translation") else []
    numbers = [as_number(value) for value in values]
    usable = [n for n in numbers if n is not None and (kind != "scale" or n != 0)]
    if len(values) != ndim or not usable:
        warn(f"{where}: cannot use the transformation {shown(transformation)}")
        return None
    if len(usable) == ndim:
        return usable
    # As of programs that write 0 for the distance of planes or times that they do not know.
    neutral = 1.0 if kind == "scale" else 0.0
    warn(
        f"{where}: cannot use all of the transformation {shown(transformation)}; "
        f"{neutral:g} is taken where its number is of no use"
    )
    return [n if n in usable and n is not None else neutral for n in numbers]


def in_range(scales: Sequence[float], shifts: Sequence[float]) -> bool:
    """Whether a picture can be drawn with these."""
    return all(SMALLEST <= abs(s) <= LARGEST for s in scales) and all(
        abs(t) <= LARGEST for t in shifts
    )


def check_transformations(transformations: Any, where: str) -> None:
    """Warn where a level of 0.4 or 0.5 has not exactly one scale, then perhaps a translation."""
    if not transformations:
        warn(f"{where} has no coordinateTransformations")
        return
    if not isinstance(transformations, list | tuple):
        warn(f"{where}: cannot use the transformations {shown(transformations)}")
        return
    kinds = [t.get("type") if isinstance(t, Mapping) else None for t in transformations]
    if kinds not in (["scale"], ["scale", "translation"], ["identity"]) and None not in kinds:
        names = ", ".join(shown(kind) for kind in kinds[:5])
        warn(f"{where}: has the transformations {names} instead of one scale and a translation")


def reconcile_scales(
    image: ImageMetadata, shapes: Sequence[Sequence[int]], where: str
) -> ImageMetadata:
    """Drop the levels' scales if they contradict the shapes of the arrays.

    A level must begin and end within one of its own pixels of where the first level does.
    """
    first = image.datasets[0].scale
    if first is None:
        return image
    for dataset, shape in zip(image.datasets, shapes, strict=True):
        if dataset.scale is None:
            continue
        for axis, n, n_first, s, s_first in zip(
            image.axes, shape, shapes[0], dataset.scale, first, strict=True
        ):
            if axis.type == "channel":
                continue  # a level may lack some
            if abs(n * s - n_first * s_first) > max(abs(s), abs(s_first)) * (1 + 1e-6):
                warn(
                    f"{where}: the scale of level {dataset.path!r} along {axis.name} is {s:g}, "
                    f"which does not fit {n} pixels where level {image.datasets[0].path!r} has "
                    f"{n_first} of {s_first:g}; levels are aligned by their shapes"
                )
                head, *rest = image.datasets
                rest = [replace(d, scale=None, translation=None) for d in rest]
                return replace(image, datasets=(head, *rest))
    return image
