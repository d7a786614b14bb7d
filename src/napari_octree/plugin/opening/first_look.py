"""What a viewer shows first of layers that have just been opened.

Invariants: run in the GUI thread; what somebody has set meanwhile stays as it is.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from napari import current_viewer
from napari.layers import Layer, Points

from napari_octree.layers.main_loop import MAIN_LOOP

if TYPE_CHECKING:
    import napari.viewer


def arrange_first_look(
    layers: Sequence[Layer], viewer: napari.viewer.Viewer | None = None
) -> None:
    """Arrange a viewer (the current one) as soon as layers that are about to be added are in it.

    In an empty viewer the sliders start at the slices that the file names, and names beside a
    plate are in view. The image is selected, not the names: the status bar tells of what is
    selected.
    """
    viewer = current_viewer() if viewer is None else viewer
    if viewer is None or not layers:
        return
    was_empty = not viewer.layers
    last = weakref.ref(layers[-1])
    has_names = type(layers[-1]) is Points and len(layers) > 1

    def added(event: Any) -> None:
        layer = last()
        if layer is not None and event.value is not layer:
            return
        seen = _camera(viewer)

        def arrange() -> None:
            viewer.layers.events.inserted.disconnect(added)
            if layer is None or layer not in viewer.layers:
                return  # it never came, or has gone
            if was_empty:
                _go_to_start(viewer)
            if has_names:
                _select_image(viewer, layer)
                if was_empty and _camera(viewer) == seen:
                    viewer.reset_view()

        MAIN_LOOP.post(arrange)  # napari itself selects and centres after this event

    viewer.layers.events.inserted.connect(added)


def _camera(viewer: napari.viewer.Viewer) -> tuple[Any, ...]:
    camera = viewer.scene.camera
    return (*camera.center, camera.zoom, *camera.angles, viewer.dims.ndisplay)


def _select_image(viewer: napari.viewer.Viewer, names: Layer) -> None:
    below = viewer.layers[: viewer.layers.index(names)]
    images = [layer for layer in below if layer.visible]
    if images and set(viewer.layers.selection) == {names}:
        viewer.layers.selection.active = images[-1]


def _go_to_start(viewer: napari.viewer.Viewer) -> None:
    """Move the sliders that are where napari has put them: in the middle."""
    if not viewer.layers:
        return
    layer = viewer.layers[0]
    start = layer.metadata.get("ome_zarr", {}).get("start", {})
    dims = viewer.dims
    extent = layer.extent.data
    for axis, name in enumerate(layer.axis_labels):
        slider = dims.ndim - layer.ndim + axis
        middle = (dims.nsteps[slider] - 1) // 2
        if name not in start or slider in dims.displayed or dims.current_step[slider] != middle:
            continue
        place = list(extent[0])
        place[axis] = min(max(start[name], extent[0][axis]), extent[1][axis])
        dims.set_point(slider, layer.data_to_world(place)[axis])
