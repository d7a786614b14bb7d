"""What drawing asks of a layer: images, and whatever else is shown from an octree.

Invariant: names no kind of layer. What only images have stands in `rendering.image`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from napari_octree.config import OctreeConfig
    from napari_octree.layers.slices.octree_slice import OctreeSlice
    from napari_octree.layers.views.display_options import OctreeDisplayOptions
    from napari_octree.layers.views.octree_view import OctreeView
    from napari_octree.loading.loader import ChunkLoader


class LayerLike(Protocol):
    """A napari layer whose picture comes from an octree."""

    name: str
    visible: bool
    opacity: float
    events: Any
    display: OctreeDisplayOptions

    @property
    def config(self) -> OctreeConfig:
        """The settings of now (see `Drawing.configure`)."""
        ...

    @property
    def loader(self) -> ChunkLoader:
        """What brings its tiles, with those settings."""
        ...

    @property
    def ndim(self) -> int:
        """Axes of the data, without colour."""
        ...

    @property
    def level_shapes(self) -> np.ndarray:
        """(levels, axes): pixels of each level."""
        ...

    @property
    def units(self) -> tuple[Any, ...]:
        """Of each axis."""
        ...

    @property
    def dtype(self) -> np.dtype:
        """Type of the data."""
        ...

    @property
    def octree_slice(self) -> OctreeSlice | None:
        """The slice that the sliders name; None outside the data (any thread)."""
        ...

    @property
    def locked_data_level(self) -> int | None:
        """The level to show whatever the zoom; None: the ideal one."""
        ...

    def attach_view(self, view: OctreeView) -> None:
        """Count in a viewer that draws the layer."""
        ...

    def detach_view(self, view: OctreeView) -> None:
        """Forget that viewer."""
        ...

    def tell_progress(self) -> None:
        """A view has changed: tell the listeners soon."""
        ...
