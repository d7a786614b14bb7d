"""Transformations as matrices.

Invariants: pure but for `parameters`, which reads a small array by its path. A matrix has a row
per output axis and a column per input axis, one row and column more for shifts, and only finite
numbers; whatever cannot be one is `UnusableError`, never another exception. What is not linear is
replaced by the identity, and noted.

Source: the specification 0.6 (RFC-5), and its development versions 0.6.dev1 to dev4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_octree.sources.ome_zarr.metadata.scales import LARGEST, SMALLEST
from napari_octree.sources.ome_zarr.metadata.values import (
    as_index,
    as_list,
    as_mapping,
    as_numbers,
    as_path,
    shown,
)

DEEPEST = 12
"""Levels of nesting that are followed."""
LONGEST = 100
"""Transformations of a sequence that are followed."""
MOST_AXES = 16
NONLINEAR = ("displacements", "coordinates")


class UnusableError(Exception):
    """A transformation that is no matrix; the message says why."""


@dataclass
class Context:
    """What a transformation is read with.

    Attributes
    ----------
    parameters : callable
        Reads the array at a path; raises `UnusableError`.
    notes : list of str
        Filled with what was approximated.
    inputs, outputs : tuple of str
        Names of the axes, where known: development versions name axes instead of counting them.
    """

    parameters: Callable[[str], np.ndarray]
    notes: list[str] = field(default_factory=list)
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()


def matrix_of(document: Any, inputs: int, context: Context) -> np.ndarray:
    """The matrix of a transformation of points with `inputs` axes.

    Raises
    ------
    UnusableError
    """
    with np.errstate(all="ignore"):
        try:
            matrix = _matrix(document, inputs, context, 0)
        except (OverflowError, RecursionError, np.linalg.LinAlgError) as error:
            raise UnusableError(f"{shown(document)}: {error}") from error
    if not np.isfinite(matrix).all() or np.abs(matrix).max() > LARGEST:
        raise UnusableError(f"{shown(document)}: numbers out of range")
    return matrix


def inverted(matrix: np.ndarray) -> np.ndarray:
    """The inverse of a matrix.

    Raises
    ------
    UnusableError
        It has none.
    """
    if matrix.shape[0] != matrix.shape[1]:
        raise UnusableError("a transformation that changes the number of axes has no inverse")
    linear = matrix[:-1, :-1]
    lengths = np.linalg.norm(linear, axis=0)
    with np.errstate(all="ignore"):
        # Columns of unit length first: micrometres beside metres are no singular matrix.
        if lengths.min() < SMALLEST or abs(np.linalg.det(linear / lengths)) < 1e-9:
            raise UnusableError("a singular matrix has no inverse")
        result: np.ndarray = np.linalg.inv(matrix)
    if not np.isfinite(result).all():
        raise UnusableError("a matrix without an inverse of finite numbers")
    return result


def _matrix(document: Any, inputs: int, context: Context, depth: int) -> np.ndarray:
    if not isinstance(document, Mapping):
        raise UnusableError(f"{shown(document)} is no transformation")
    if depth > DEEPEST:
        raise UnusableError("transformations are nested too deeply")
    kind = document.get("type")
    if kind in NONLINEAR:
        context.notes.append(f"{kind} {shown(document.get('path'))}")
        return np.eye(inputs + 1)
    builder = _BUILDERS.get(kind) if isinstance(kind, str) else None
    if builder is None:
        raise UnusableError(f"an unknown type of transformation: {shown(kind)}")
    return builder(document, inputs, context, depth)


def _identity(document: Any, inputs: int, context: Context, depth: int) -> np.ndarray:
    return np.eye(inputs + 1)


def _scale(document: Any, inputs: int, context: Context, depth: int) -> np.ndarray:
    numbers = _vector(document, "scale", inputs, context)
    if min(numbers, default=1) < SMALLEST:
        raise UnusableError(f"a scale that is not positive: {shown(numbers)}")
    return np.diag([*numbers, 1.0])


def _translation(document: Any, inputs: int, context: Context, depth: int) -> np.ndarray:
    matrix = np.eye(inputs + 1)
    matrix[:-1, -1] = _vector(document, "translation", inputs, context)
    return matrix


def _vector(document: Any, kind: str, count: int, context: Context) -> list[float]:
    """The numbers of a scale or translation; in dev1 and dev2 perhaps in an array."""
    value = document.get(kind)
    if value is None and as_path(document.get("path")) is not None:
        value = context.parameters(document["path"]).tolist()
    numbers = as_numbers(value, count)
    if numbers is None:
        raise UnusableError(f"a {kind} of {shown(value)} instead of {count} numbers")
    return numbers


def _affine(document: Any, inputs: int, context: Context, depth: int) -> np.ndarray:
    rows = _rows(document, "affine", inputs + 1, context)
    last = [0.0] * inputs + [1.0]
    if len(rows) == inputs + 1 and rows[-1] == last:
        rows = rows[:-1]  # written with the row that is always the same
    return np.array([*rows, last])


def _rotation(document: Any, inputs: int, context: Context, depth: int) -> np.ndarray:
    rows = _rows(document, "rotation", inputs, context)
    if len(rows) != inputs:
        raise UnusableError(f"a rotation of {len(rows)} × {inputs} numbers")
    matrix = np.eye(inputs + 1)
    matrix[:-1, :-1] = rows
    linear = matrix[:-1, :-1]
    if not np.allclose(linear @ linear.T, np.eye(inputs), atol=1e-3):
        raise UnusableError(f"a rotation that is none: {shown(rows)}")
    return matrix


def _rows(document: Any, kind: str, columns: int, context: Context) -> list[list[float]]:
    value = document.get(kind)
    if value is None and document.get("path") is not None:
        value = context.parameters(document["path"]).tolist()
    if kind == "affine" and as_numbers(value, len(as_list(value))) and columns > 1:
        # One flat list, row by row, as the first drafts had it.
        flat = as_list(value)
        if len(flat) % columns == 0:
            value = [flat[i : i + columns] for i in range(0, len(flat), columns)]
    rows = [as_numbers(row, columns) for row in as_list(value)[: MOST_AXES + 1]]
    if not rows or any(row is None for row in rows):
        raise UnusableError(f"the {kind} {shown(value)} has not {columns} numbers a row")
    return [row for row in rows if row is not None]


def _map_axis(document: Any, inputs: int, context: Context, depth: int) -> np.ndarray:
    value = document.get("mapAxis")
    if isinstance(value, Mapping):  # dev1, dev2: names of outputs to names of inputs
        value = [_position(value.get(name), context.inputs) for name in context.outputs]
    order = [as_index(number) for number in as_list(value)]
    if sorted(-1 if n is None else n for n in order) != list(range(inputs)):
        raise UnusableError(
            f"the mapAxis {shown(document.get('mapAxis'))} is no order of {inputs} axes"
        )
    matrix = np.zeros((inputs + 1, inputs + 1))
    matrix[-1, -1] = 1
    for row, column in enumerate(order):
        matrix[row, column or 0] = 1
    return matrix


def _project_axis(document: Any, inputs: int, context: Context, depth: int) -> np.ndarray:
    if "droppedInputs" not in document and "createdOutputs" not in document:
        raise UnusableError("a projectAxis without droppedInputs and createdOutputs")
    dropped = _indices(document.get("droppedInputs", []), inputs)
    kept = [column for column in range(inputs) if column not in dropped]
    created = as_list(document.get("createdOutputs", []))
    count = len(kept) + len(created)
    new = _indices(document.get("createdOutputs", []), count)
    if count == 0 or count > MOST_AXES:
        raise UnusableError(f"a projectAxis to {count} axes")
    matrix = np.zeros((count + 1, inputs + 1))
    matrix[-1, -1] = 1
    rows = [row for row in range(count) if row not in new]
    for row, column in zip(rows, kept, strict=True):
        matrix[row, column] = 1
    return matrix


def _sequence(document: Any, inputs: int, context: Context, depth: int) -> np.ndarray:
    parts = as_list(document.get("transformations"))
    if not parts:
        raise UnusableError("a sequence of no transformations")
    if len(parts) > LONGEST:
        raise UnusableError(f"a sequence of {len(parts)} transformations")
    result = np.eye(inputs + 1)
    for part in parts:
        result = _matrix(part, result.shape[0] - 1, context, depth + 1) @ result
    return result


def _by_dimension(document: Any, inputs: int, context: Context, depth: int) -> np.ndarray:
    parts = as_list(document.get("transformations"))
    if not parts:
        raise UnusableError("a byDimension of no transformations")
    if len(parts) > MOST_AXES:
        raise UnusableError(f"a byDimension of {len(parts)} transformations")
    blocks: list[tuple[list[int], list[int], np.ndarray]] = []
    for part in map(as_mapping, parts):
        inner = part.get("transformation", part)
        columns = _axes_of(part, ("inputAxes", "input_axes", "input"), context.inputs, inputs)
        rows = _axes_of(part, ("outputAxes", "output_axes", "output"), context.outputs, MOST_AXES)
        block = _matrix(inner, len(columns), context, depth + 1)
        if block.shape[0] - 1 != len(rows):
            raise UnusableError(f"a part of byDimension has {len(rows)} outputs: {shown(part)}")
        blocks.append((rows, columns, block))
    taken = [row for rows, _, _ in blocks for row in rows]
    if len(set(taken)) != len(taken):
        raise UnusableError("two parts of byDimension have the same output axis")
    count = max(max(taken) + 1, len(context.outputs) if depth == 0 else 0, inputs)
    matrix = np.zeros((count + 1, inputs + 1))
    matrix[-1, -1] = 1
    for rows, columns, block in blocks:
        matrix[np.ix_(rows, columns)] = block[:-1, :-1]
        matrix[rows, -1] = block[:-1, -1]
    for row in set(range(count)) - set(taken):
        if row >= inputs:
            raise UnusableError(f"a byDimension without output axis {row}")
        context.notes.append(f"byDimension that leaves output axis {row} out")
        matrix[row, row] = 1
    return matrix


def _axes_of(
    part: Mapping[str, Any], keys: Sequence[str], names: Sequence[str], count: int
) -> list[int]:
    value = next((part[key] for key in keys if key in part), None)
    positions = [
        _position(each, names) if isinstance(each, str) else as_index(each)
        for each in as_list(value)
    ]
    found = [n for n in positions if n is not None and n < count]
    if not found or len(found) != len(positions) or len(set(found)) != len(found):
        raise UnusableError(f"a part of byDimension with the axes {shown(value)}")
    return found


def _bijection(document: Any, inputs: int, context: Context, depth: int) -> np.ndarray:
    if not isinstance(document.get("inverse"), Mapping):
        raise UnusableError("a bijection without an inverse")
    return _matrix(document.get("forward"), inputs, context, depth + 1)


def _inverse_of(document: Any, inputs: int, context: Context, depth: int) -> np.ndarray:
    return inverted(_matrix(document.get("transformation"), inputs, context, depth + 1))


def _position(name: Any, names: Sequence[str]) -> int | None:
    return list(names).index(name) if isinstance(name, str) and name in names else None


def _indices(value: Any, count: int) -> list[int]:
    found = [as_index(each) for each in as_list(value)]
    if not isinstance(value, list | tuple) or any(n is None or n >= count for n in found):
        raise UnusableError(f"axes {shown(value)} of {count}")
    if len(set(found)) != len(found):
        raise UnusableError(f"an axis twice in {shown(value)}")
    return [n for n in found if n is not None]


_BUILDERS: dict[str, Callable[[Any, int, Context, int], np.ndarray]] = {
    "identity": _identity,
    "scale": _scale,
    "translation": _translation,
    "affine": _affine,
    "rotation": _rotation,
    "mapAxis": _map_axis,
    "projectAxis": _project_axis,
    "sequence": _sequence,
    "byDimension": _by_dimension,
    "bijection": _bijection,
    "inverseOf": _inverse_of,
}
