"""The matrix of a way through coordinate systems.

Invariants: a step that cannot be used ends the way, with a warning; the rest of it is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from napari_octree.sources.ome_zarr.coordinates.graph import Step, is_nonlinear
from napari_octree.sources.ome_zarr.coordinates.matrices import (
    Context,
    UnusableError,
    inverted,
    matrix_of,
)
from napari_octree.sources.ome_zarr.metadata.flaws import warn
from napari_octree.sources.ome_zarr.metadata.model import Axis, Edge, Key, System
from napari_octree.sources.ome_zarr.metadata.scales import SMALLEST
from napari_octree.sources.ome_zarr.metadata.values import shown

Read = Callable[[str], np.ndarray]
"""Reads parameters by their path; raises `UnusableError`."""


def follow(
    way: Sequence[Step],
    start: Key,
    count: int,
    systems: Mapping[Key, System],
    reader: Callable[[str], Read],
) -> tuple[np.ndarray, Key]:
    """Multiply the matrices of a way.

    Parameters
    ----------
    way : sequence of steps
    start : Key
        Where it begins.
    count : int
        Axes of the coordinate system there.
    systems : mapping
        Those that are known.
    reader : callable
        Gives the reader of parameters for the folder of a transformation.

    Returns
    -------
    matrix : array
        (M + 1) × (count + 1).
    end : Key
        The system that was reached.
    """
    matrix, here = np.eye(count + 1), start
    for edge, forward in way:
        there = edge.output if forward else edge.input
        context = context_of(edge, forward, systems, reader)
        try:
            step = step_matrix(edge, forward, matrix.shape[0] - 1, systems, context)
        except UnusableError as problem:
            warn(f"{edge.where} cannot be used: {problem}")
            return matrix, here
        if context.notes:
            notes = ", ".join(dict.fromkeys(context.notes))
            warn(f"{edge.where}: only its linear part is shown, without {notes}")
        matrix, here = step @ matrix, there
    return matrix, here


def usable_steps(
    systems: Mapping[Key, System], reader: Callable[[str], Read]
) -> Callable[[Edge, bool], bool]:
    """For `find_way`: whether a step between systems has a matrix; each is looked at once."""
    known: dict[tuple[int, bool], bool] = {}

    def is_usable(edge: Edge, forward: bool) -> bool:
        key = id(edge), forward
        if key not in known:
            here = systems.get(edge.input if forward else edge.output)
            try:
                if here is not None:
                    context = context_of(edge, forward, systems, reader)
                    step_matrix(edge, forward, len(here.axes), systems, context)
                known[key] = True
            except UnusableError:  # told by whoever has to take it
                known[key] = False
        return known[key]

    return is_usable


def check_edge(edge: Edge, systems: Mapping[Key, System], reader: Callable[[str], Read]) -> None:
    """Warn of a transformation that could not be used if it were asked for."""
    start, end = systems.get(edge.input), systems.get(edge.output)
    if start is None:
        return
    context = context_of(edge, True, systems, reader)
    try:
        matrix = matrix_of(edge.document, len(start.axes), context)
        if end is not None and matrix.shape[0] - 1 != len(end.axes):
            raise UnusableError(f"it gives {matrix.shape[0] - 1} numbers for {len(end.axes)} axes")
        check_not_flat(matrix, start.axes)
    except UnusableError as problem:
        warn(f"{edge.where} cannot be used: {problem}")
        return
    if is_nonlinear(edge.document):
        warn(f"{edge.where} is not linear; where it is used, only its linear part is shown")


def check_not_flat(matrix: np.ndarray, inputs: Sequence[Axis]) -> None:
    """Refuse a matrix that makes an image flat; it may leave out channels, which are layers.

    Raises
    ------
    UnusableError
    """
    linear = matrix[:-1, :-1]
    left_out = {n for n, axis in enumerate(inputs) if axis.type == "channel"}
    columns = [n for n in range(linear.shape[1]) if linear[:, n].any() or n not in left_out]
    lengths = np.linalg.norm(linear[:, columns], axis=0)
    # Columns of unit length first: micrometres beside metres are not flat.
    if lengths.min(initial=1) < SMALLEST or (
        np.linalg.matrix_rank(linear[:, columns] / lengths, tol=1e-9) < len(columns)
    ):
        raise UnusableError("a singular matrix, which makes the image flat")


def context_of(
    edge: Edge,
    forward: bool,
    systems: Mapping[Key, System],
    reader: Callable[[str], Read],
) -> Context:
    """What a transformation is read with."""
    names = [
        tuple(axis.name for axis in systems[key].axes) if key in systems else ()
        for key in (edge.input, edge.output)
    ]
    if not forward and edge.document.get("type") == "bijection":
        names.reverse()
    return Context(reader(edge.folder), [], names[0], names[1])


def step_matrix(
    edge: Edge,
    forward: bool,
    count: int,
    systems: Mapping[Key, System],
    context: Context,
) -> np.ndarray:
    """The matrix of one step, from a system of `count` axes.

    Raises
    ------
    UnusableError
        It has none, or none that fits both systems.
    """
    here, there = (edge.input, edge.output) if forward else (edge.output, edge.input)
    step = _matrix_of_step(edge, forward, count, systems, context)
    if there in systems and len(systems[there].axes) != step.shape[0] - 1:
        raise UnusableError(
            f"it gives {step.shape[0] - 1} numbers, but {there[1]!r} has "
            f"{len(systems[there].axes)} axes"
        )
    check_not_flat(step, systems[here].axes if here in systems else ())
    return step


def _matrix_of_step(
    edge: Edge, forward: bool, count: int, systems: Mapping[Key, System], context: Context
) -> np.ndarray:
    if forward:
        return matrix_of(edge.document, count, context)
    if edge.document.get("type") == "bijection":
        return matrix_of(edge.document.get("inverse"), count, context)
    start = systems.get(edge.input)
    matrix = matrix_of(edge.document, count if start is None else len(start.axes), context)
    if matrix.shape[0] - 1 != count:
        raise UnusableError(f"going back from {count} axes through {shown(edge.document)}")
    return inverted(matrix)
