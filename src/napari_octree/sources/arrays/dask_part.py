"""What one block takes of a dask graph.

Invariants: pure; the cost follows the tasks that the block needs, not the number of blocks.
(dask's own culling lists the keys of all blocks first where any task is in the older form of
tuples, as where an array is wrapped: 2 s for each of a million blocks.)
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from dask._task_spec import GraphNode
from dask.blockwise import Blockwise
from dask.core import keys_in_tasks
from dask.highlevelgraph import HighLevelGraph


def part_of(graph: Mapping[Any, Any], key: Any) -> dict[Any, Any]:
    """Return the tasks that computing `key` takes.

    Parameters
    ----------
    graph : mapping
        Of layers, or of plain tasks.
    key : str or tuple

    Raises
    ------
    KeyError
        A task is not in the graph.
    """
    keys = _Keys(graph)
    part: dict[Any, Any] = {}
    wanted = [key]
    while wanted:
        key = wanted.pop()
        if key in part:
            continue
        layer = keys.layer_of(key)
        if isinstance(layer, Blockwise):
            block, needed = layer.cull({key}, ())
            part.update(block)
            wanted.extend(needed[key])
        elif layer is None:
            raise KeyError(key)
        else:
            task = part[key] = layer[key]
            if isinstance(task, GraphNode):
                wanted.extend(task.dependencies)
            else:
                wanted.extend(keys_in_tasks(keys, [task]))
    return part


class _Keys(Collection[Any]):
    """All keys of a graph, of which only is asked whether it has one."""

    def __init__(self, graph: Mapping[Any, Any]) -> None:
        layers = graph.layers.values() if isinstance(graph, HighLevelGraph) else [graph]
        self._blockwise = {each.output: each for each in layers if isinstance(each, Blockwise)}
        self._others = [each for each in layers if not isinstance(each, Blockwise)]

    def layer_of(self, key: Any) -> Any:
        """The layer that makes `key`; None: it is none of the graph's keys."""
        if isinstance(key, tuple) and key and isinstance(key[0], str):
            layer = self._blockwise.get(key[0])
            if layer is not None and len(key) == 1 + len(layer.output_indices):
                return layer
        return next((layer for layer in self._others if key in layer), None)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str | bytes | int | float | tuple) and (
            self.layer_of(key) is not None
        )

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError("there may be billions")

    def __len__(self) -> int:
        raise NotImplementedError("there may be billions")
