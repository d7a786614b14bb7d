"""Making this plugin the one that opens *.zarr, and the one offer to do so.

Invariants: napari's preferences are changed only where the user asks for it; the offer is made
once, as a notice that goes away by itself, and never where a reader has been chosen already.
"""

from __future__ import annotations

from napari import current_viewer
from napari.settings import get_settings
from napari.utils.notifications import Notification, notification_manager, show_info

from napari_octree.plugin.preferences import PLUGIN
from napari_octree.plugin.remembered import recall, remember

READER_PATTERNS = ("*.zarr", "*.zarr/", "*.zarr.zip")
"""As napari's preferences write them: folders end with a slash."""

OFFERED = "offered to be the default reader"


def prefer_reader() -> None:
    """Have napari open *.zarr with this plugin without asking."""
    plugins = get_settings().plugins
    plugins.extension2reader = {
        **plugins.extension2reader,
        **dict.fromkeys(READER_PATTERNS, PLUGIN),
    }
    remember(OFFERED, True)
    show_info("*.zarr now opens with napari-octree. To undo it: Preferences ▸ Plugins.")


def offer_to_be_default() -> None:
    """Offer it, in a window, unless it was offered before or a reader has been chosen."""
    chosen = get_settings().plugins.extension2reader
    if current_viewer() is None or any(pattern in chosen for pattern in READER_PATTERNS):
        return
    if recall(OFFERED, False):
        return
    remember(OFFERED, True)
    notification_manager.dispatch(
        Notification(
            # Of a notice only the first line is seen, until it is unfolded.
            "Always open *.zarr with napari-octree?\n"
            "napari asks each time, because its own reader claims them too. "
            "(Later: File ▸ IO Utilities ▸ Use napari-octree for *.zarr by default.)",
            "info",
            actions=[("Use napari-octree", lambda *_: prefer_reader())],
        )
    )
