"""The way from one coordinate system to another.

Invariants: pure; a way is found if there is one, through transformations in either direction;
one whose every step can be used is preferred, then one without non-linear parts, then the
shortest; cycles do no harm.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from napari_octree.sources.ome_zarr.coordinates.matrices import NONLINEAR
from napari_octree.sources.ome_zarr.metadata.model import Edge, Key
from napari_octree.sources.ome_zarr.metadata.values import as_list, as_mapping

Step = tuple[Edge, bool]
"""A transformation, and whether it is followed forward."""
NONLINEAR_COST = 10**6
UNUSABLE_COST = 10**12
IsUsable = Callable[[Edge, bool], bool]
"""Whether a transformation can be followed forward, or backward."""


def find_way(
    edges: Iterable[Edge], start: Key, end: Key, is_usable: IsUsable | None = None
) -> list[Step] | None:
    """The steps from one system to another; None if there is no way.

    Steps that are not usable are taken only where no other way leads there.
    """
    return reachable(edges, start, is_usable, end).get(end)


def reachable(
    edges: Iterable[Edge],
    start: Key,
    is_usable: IsUsable | None = None,
    end: Key | None = None,
) -> dict[Key, list[Step]]:
    """All systems that can be reached (up to `end`), nearest first, each with its way."""
    leaving: dict[Key, list[tuple[Key, Step]]] = defaultdict(list)
    for edge in edges:
        leaving[edge.input].append((edge.output, (edge, True)))
        leaving[edge.output].append((edge.input, (edge, False)))
    ways: dict[Key, list[Step]] = {}
    came_by: dict[Key, tuple[Key, Step] | None] = {}
    queue: list[tuple[int, int, Key, tuple[Key, Step] | None]] = [(0, 0, start, None)]
    count = 0
    while queue:
        cost, _, key, by = heapq.heappop(queue)
        if key in came_by:
            continue
        came_by[key] = by
        ways[key] = [] if by is None else [*ways[by[0]], by[1]]
        if key == end:
            break
        for other, step in leaving[key]:
            if other not in came_by:
                count += 1
                own = NONLINEAR_COST if is_nonlinear(step[0].document) else 1
                if is_usable is not None and not is_usable(*step):
                    own = UNUSABLE_COST
                heapq.heappush(queue, (cost + own, count, other, (key, step)))
    return ways


def is_nonlinear(document: Any, depth: int = 0) -> bool:
    """Whether a transformation is, or contains, a field of vectors."""
    values: Mapping[str, Any] = as_mapping(document)
    if values.get("type") in NONLINEAR:
        return True
    if depth > 12:
        return False
    inner: Sequence[Any] = [
        *as_list(values.get("transformations")),
        *(values.get(key) for key in ("transformation", "forward")),
    ]
    return any(is_nonlinear(each, depth + 1) for each in inner if each is not None)
