"""The viewer in front, as callbacks and conditions of menu entries are given it: not at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari import current_viewer
from napari.layers import Layer


def selected_layers() -> list[Layer]:
    """The selected layers of the viewer in front; none without a viewer."""
    viewer = current_viewer()
    return [] if viewer is None else list(viewer.layers.selection)


class SelectedCount:
    """A number of selected layers: napari calls what a condition of a menu names.

    Parameters
    ----------
    counts : callable
        Whether a layer counts.
    """

    def __init__(self, counts: Callable[[Layer], bool]) -> None:
        self._counts = counts

    def __call__(self) -> int:
        """How many count now."""
        return sum(self._counts(layer) for layer in selected_layers())

    def __gt__(self, other: int) -> bool:
        return self() > other


def with_viewer(command: Callable[[Any], Any]) -> Callable[[], None]:
    """Return a callback that calls `command` with the viewer in front, if there is one."""

    def run() -> None:
        viewer = current_viewer()
        if viewer is not None:
            command(viewer)

    run.__name__ = command.__name__
    run.__doc__ = command.__doc__
    return run
