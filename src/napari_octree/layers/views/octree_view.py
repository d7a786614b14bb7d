"""The viewers' drawings of one layer, as the layer knows them.

Invariants: the state of a view (camera, atlas) belongs to the visual of that viewer; the layer
only asks. Main thread, but for `shown_bricks` and `failed_bricks`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Protocol

from napari_octree.layers.views.progress import OctreeProgress
from napari_octree.layers.views.residency import Residency
from napari_octree.layers.views.statistics import ViewStatistics
from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.octree.view import View, VolumeView
from napari_octree.sources.protocol import Region


class OctreeView(Protocol):
    """What a viewer's visual tells the layer."""

    @property
    def settled(self) -> bool:
        """Every ideal chunk of the view is drawn."""
        ...

    @property
    def stuck(self) -> bool:
        """Nothing more will come by itself, though it is not settled: reads have failed."""
        ...

    @property
    def progress(self) -> OctreeProgress:
        """Chunks of the view."""
        ...

    @property
    def statistics(self) -> ViewStatistics:
        """Counts so far."""
        ...

    @property
    def view(self) -> View | VolumeView | None:
        """What the last frame showed, in octree coordinates; None before the first."""
        ...

    @property
    def level(self) -> int:
        """The ideal level."""
        ...

    @property
    def levels(self) -> tuple[int, ...]:
        """Levels of which something is drawn, finest first."""
        ...

    @property
    def shown_bricks(self) -> Collection[ChunkKey]:
        """What a 3-D view shows of the current slice (any thread)."""
        ...

    @property
    def failed_bricks(self) -> Collection[ChunkKey]:
        """What of the current slice a 3-D view could not load (any thread)."""
        ...

    @property
    def residency(self) -> Residency:
        """What of the current slice is on the GPU, and what could not be read."""
        ...

    @property
    def moving(self) -> bool:
        """The view is being moved right now."""
        ...

    def request_frame(self) -> None:
        """Draw again soon."""
        ...

    def edited(self, box: Region) -> None:
        """Show what was painted in a box of level 0, with the next frame."""
        ...

    def configure(self) -> None:
        """Go by the layer's configuration and loader of now."""
        ...


class OctreeViews:
    """The views of one layer, oldest first."""

    def __init__(self) -> None:
        self._views: list[OctreeView] = []

    def __len__(self) -> int:
        return len(self._views)

    def __iter__(self) -> Iterator[OctreeView]:
        return iter(self._views)

    def __getitem__(self, index: int) -> OctreeView:
        return self._views[index]

    def attach(self, view: OctreeView) -> None:
        """Count `view` in."""
        self._views.append(view)

    def detach(self, view: OctreeView) -> None:
        """Forget `view`; nothing happens if it is not known."""
        if view in self._views:
            self._views.remove(view)

    def request_frames(self) -> None:
        """Have all draw again soon."""
        for view in self._views:
            view.request_frame()

    def edited(self, box: Region) -> None:
        """Have all show what was painted in a box of level 0."""
        for view in self._views:
            view.edited(box)
            view.request_frame()

    def configure(self) -> None:
        """Have all go by the layer's configuration and loader of now."""
        for view in self._views:
            view.configure()

    @property
    def settled(self) -> bool:
        """All are."""
        return all(view.settled for view in self._views)

    @property
    def stuck(self) -> bool:
        """None of them goes on by itself."""
        return all(view.settled or view.stuck for view in self._views)

    @property
    def moving(self) -> bool:
        """One of them is being moved."""
        return any(view.moving for view in self._views)

    @property
    def progress(self) -> OctreeProgress:
        """Summed over all."""
        return sum((view.progress for view in self._views), OctreeProgress())

    @property
    def residency(self) -> Residency:
        """Of all together."""
        found = Residency()
        for view in self._views:
            found |= view.residency
        return found

    @property
    def statistics(self) -> tuple[ViewStatistics, ...]:
        """Of each."""
        return tuple(view.statistics for view in self._views)
