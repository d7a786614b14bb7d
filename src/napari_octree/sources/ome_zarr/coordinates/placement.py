"""From a matrix to what napari shows: axes in order, scales and shifts, and the rest as affine.

napari slices by the position of axes, so an order of axes belongs into the data; what only
scales and shifts belongs into the levels' scales; what is left is the layer's affine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from napari_octree.sources.ome_zarr.coordinates.matrices import UnusableError
from napari_octree.sources.ome_zarr.metadata.axes import with_unique_names
from napari_octree.sources.ome_zarr.metadata.flaws import warn
from napari_octree.sources.ome_zarr.metadata.model import Axis, Dataset

TINY = 1e-9
"""Smaller than this beside the largest number of its column, a number is rounding."""


@dataclass(frozen=True, eq=False)
class Placement:
    """How the arrays of an image are to be turned, and where they lie then.

    Attributes
    ----------
    order : tuple of (int or None)
        Per axis that is shown: the axis of the arrays, or None for a new one of one pixel.
    axes : tuple of Axis
        Those that are shown.
    scale, shift : tuple of float
        To be applied after the levels' own, per axis that is shown.
    affine : array or None
        To be applied after that, over all axes but the channels' one.
    """

    order: tuple[int | None, ...]
    axes: tuple[Axis, ...]
    scale: tuple[float, ...]
    shift: tuple[float, ...]
    affine: np.ndarray | None = None


def place(
    matrix: np.ndarray, inputs: Sequence[Axis], outputs: Sequence[Axis], where: str
) -> Placement:
    """Take a matrix apart.

    Parameters
    ----------
    matrix : array
        (M + 1) × (N + 1), from the axes of the arrays to those of a coordinate system.
    inputs, outputs : sequence of Axis
        N and M.
    where : str
        For messages.

    Raises
    ------
    UnusableError
        It drops an axis of space, so it is no picture of the image.
    """
    matrix = _rounded(matrix)
    channel = next((n for n, axis in enumerate(inputs) if axis.type == "channel"), None)
    columns = [n for n in range(len(inputs)) if n != channel]
    rows = list(range(len(outputs)))
    if channel is not None:
        rows = _rows_without_channel(matrix, channel, outputs, where)
    linear = matrix[np.ix_(rows, columns)]
    shift = matrix[rows, -1]
    shown = [replace(outputs[row], type=slider_type(outputs[row])) for row in rows]
    if len(rows) < len(columns):
        raise UnusableError(f"it leaves {len(rows)} of {len(columns)} axes")
    order: list[int | None] = [*columns]
    if len(rows) > len(columns):
        linear, new = _with_new_axes(linear)
        order = [
            None if n in new else columns[sum(m not in new for m in range(n))]
            for n in range(len(rows))
        ]
    turned = _as_order(linear)
    if turned is not None:
        order = [order[n] for n in turned]
        scale = tuple(float(linear[row, column]) for row, column in enumerate(turned))
        parts: tuple[tuple[float, ...], tuple[float, ...], np.ndarray | None] = (
            scale,
            tuple(map(float, shift)),
            None,
        )
    else:
        affine = np.eye(len(rows) + 1)
        affine[:-1, :-1], affine[:-1, -1] = linear, shift
        parts = (1.0,) * len(rows), (0.0,) * len(rows), affine
        _warn_if_tilted(linear, where)
    if channel is None:
        return Placement(tuple(order), with_unique_names(shown), *parts)
    at = min(channel, len(order))
    return Placement(
        (*order[:at], channel, *order[at:]),
        with_unique_names([*shown[:at], inputs[channel], *shown[at:]]),
        (*parts[0][:at], 1.0, *parts[0][at:]),
        (*parts[1][:at], 0.0, *parts[1][at:]),
        parts[2],
    )


def slider_type(axis: Axis) -> str | None:
    """Channels are those of the arrays: another axis of that type is a slider."""
    return None if axis.type == "channel" else axis.type


def placed_dataset(dataset: Dataset, placement: Placement, first: bool) -> Dataset:
    """A level's scale and translation, turned and with those of the placement after them."""
    if dataset.scale is None and dataset.translation is None and not first:
        return dataset
    scale = _turned(dataset.scale, placement.order, 1.0)
    shift = _turned(dataset.translation, placement.order, 0.0)
    return replace(
        dataset,
        scale=tuple(a * b for a, b in zip(scale, placement.scale, strict=True)),
        translation=tuple(
            a * b + c for a, b, c in zip(shift, placement.scale, placement.shift, strict=True)
        ),
    )


def _turned(
    values: Sequence[float] | None, order: Sequence[int | None], default: float
) -> list[float]:
    return [default if n is None or values is None else values[n] for n in order]


def _rounded(matrix: np.ndarray) -> np.ndarray:
    matrix = np.array(matrix, dtype=float)
    linear = matrix[:-1, :-1]
    linear[np.abs(linear) <= TINY * np.abs(linear).max(axis=0, initial=0)] = 0
    return matrix


def _rows_without_channel(
    matrix: np.ndarray, channel: int, outputs: Sequence[Axis], where: str
) -> list[int]:
    """Outputs other than the channels'; channels are layers, so no matrix can move them."""
    rows = list(range(len(outputs)))
    own = [row for row in rows if matrix[row, channel] != 0]
    others = np.delete(matrix[:-1], channel, axis=1)
    for row in own:
        if len(own) == 1 and not others[row, :-1].any():
            if matrix[row, channel] != 1 or others[row, -1] != 0:
                warn(f"{where}: a transformation of channels is left out: they are layers")
            return [r for r in rows if r != row]
    if not own:
        return rows
    warn(f"{where}: a transformation that mixes channels with other axes is left out of them")
    typed = [row for row in rows if outputs[row].type == "channel"]
    return [row for row in rows if row not in typed[:1]]


def _with_new_axes(linear: np.ndarray) -> tuple[np.ndarray, set[int]]:
    """Make a matrix square by columns for axes of one pixel; where rows are zero, there."""
    rows, columns = linear.shape
    empty = [row for row in range(rows) if not linear[row].any()]
    count = rows - columns
    if len(empty) == count:
        new, fillers = set(empty), np.eye(rows)[:, empty]
    else:
        basis, values, _ = np.linalg.svd(linear)
        if values.min() < TINY * values.max():
            raise UnusableError("it makes the image flat")
        new, fillers = set(range(count)), basis[:, columns:]
    result = np.zeros((rows, rows))
    result[:, sorted(new)] = fillers
    result[:, [n for n in range(rows) if n not in new]] = linear
    return result, new


def _as_order(linear: np.ndarray) -> list[int] | None:
    """Per row its only column, if the matrix only scales, mirrors and reorders."""
    filled = linear != 0
    if not (filled.sum(axis=0) == 1).all() or not (filled.sum(axis=1) == 1).all():
        return None
    return [int(column) for column in filled.argmax(axis=1)]


def _warn_if_tilted(linear: np.ndarray, where: str) -> None:
    front = len(linear) - 2
    if front > 0 and (linear[:front, front:].any() or linear[front:, :front].any()):
        warn(
            f"{where}: is tilted against the slices of napari; it is placed right in 3-D, "
            "but in 2-D napari shows its own slices without the tilt"
        )
