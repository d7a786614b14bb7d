"""Menu entries for our layers, in napari's menus: a door to napari's private registry."""

from __future__ import annotations

from napari_octree.layers._napari import (
    add_context_key,
    is_registered,
    register_actions,
    set_enablement,
)

__all__ = ["add_context_key", "is_registered", "register_actions", "set_enablement"]
