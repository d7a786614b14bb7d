"""A command: show OME-Zarr layers in another of their coordinate systems.

Invariants: metadata are read in a thread; layers are replaced only after all new ones are made;
what cannot be opened leaves everything as it was, and says why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.layers import Layer
from napari.utils.notifications import show_error, show_info

from napari_octree.layers.source import note_source
from napari_octree.plugin.opening.open_ome_zarr import prepare_layers
from napari_octree.plugin.opening.waiting import Cancelled, open_and_wait
from napari_octree.sources.errors import SourceError

if TYPE_CHECKING:
    import napari.viewer

KEPT = ("visible", "opacity", "blending", "colormap", "contrast_limits", "gamma")
"""What the new layers take over from the former ones of the same names."""


def choose_coordinate_system(viewer: napari.viewer.Viewer) -> None:
    """Ask for one of the active layer's coordinate systems, and show its file in that."""
    from qtpy.QtWidgets import QApplication, QInputDialog

    layer = viewer.layers.selection.active
    systems = systems_of(layer)
    if layer is None or len(systems) < 2 or layer.source.path is None:
        show_info("Select a layer of an OME-Zarr image that has several coordinate systems.")
        return
    shown = facts_of(layer).get("coordinate_system")
    current = systems.index(shown) if shown in systems else 0
    name, chosen = QInputDialog.getItem(
        QApplication.activeWindow(), "Coordinate system", "Show in:", systems, current, False
    )
    if chosen:
        show_in(viewer, layer, name)


def show_in(viewer: Any, layer: Layer, name: str) -> list[Layer]:
    """Replace the layers of a layer's file by ones in another coordinate system.

    Returns
    -------
    list of Layer
        The new ones; none if they cannot be made, which a message tells.
    """
    path, config = str(layer.source.path), getattr(layer, "config", None)
    try:
        made = open_and_wait(path, lambda: prepare_layers(path, config, name))()
    except SourceError as error:
        show_error(str(error))
        return []
    except Cancelled:
        return []
    former = [other for other in viewer.layers if other.source.path == layer.source.path]
    at = viewer.layers.index(former[0])
    known = {other.name: other for other in former}
    for new in made:
        note_source([new], path)
        if (old := known.get(new.name)) is not None and type(old) is type(new):
            for look in KEPT:
                if hasattr(old, look):
                    setattr(new, look, getattr(old, look))
    names = [new.name for new in made]
    for offset, new in enumerate(made):
        # Before the old ones go: an empty viewer forgets its camera and its sliders.
        viewer.layers.insert(at + offset, new)
    for other in former:
        viewer.layers.remove(other)
    for new, own_name in zip(made, names, strict=True):
        new.name = own_name
    return made


def systems_of(layer: Layer | None) -> list[str]:
    """The names of the coordinate systems of a layer's image."""
    return list(facts_of(layer).get("coordinate_systems", [])) if layer is not None else []


def facts_of(layer: Layer) -> dict[str, Any]:
    """What the layer's metadata say of its OME-Zarr file."""
    facts: dict[str, Any] = layer.metadata.get("ome_zarr", {})
    return facts
