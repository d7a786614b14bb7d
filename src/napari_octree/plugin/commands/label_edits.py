"""Menu entries for what was painted on labels: save it, or forget it.

Invariants: GUI thread; writing is done in a worker, and the window stays alive meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.utils.notifications import show_info

from napari_octree.layers.labels.octree_labels import OctreeLabels

if TYPE_CHECKING:
    import napari.viewer


def save_edits(viewer: napari.viewer.Viewer) -> None:
    """Write what was painted on the selected labels into their data, at all levels."""
    layers = _edited(viewer)
    if not layers:
        show_info("Nothing was painted on the selected labels that is not saved.")
    for layer in layers:
        written = layer.save_edits()
        show_info(f"{layer.name}: saved, {written} chunks were written.")


def discard_edits(viewer: napari.viewer.Viewer) -> None:
    """Forget what was painted on the selected labels and not saved."""
    layers = _edited(viewer)
    if not layers:
        show_info("Nothing was painted on the selected labels that is not saved.")
    for layer in layers:
        layer.discard_edits()


def _edited(viewer: napari.viewer.Viewer) -> list[OctreeLabels]:
    return [
        layer
        for layer in viewer.layers.selection
        if isinstance(layer, OctreeLabels) and layer.is_unsaved
    ]
