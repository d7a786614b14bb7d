"""How one viewer draws one layer: the contract that 2-D and 3-D have in common.

Invariants: GUI thread only. The work of a frame is done in the draw itself (`prepare`), where the
transforms are the ones drawn with and a GL context is current. A drawing loads nothing and holds
no memory of the GPU before its first frame, nor after `leave`. Another frame is asked for only
while something is left to do.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from napari_octree.octree.view import View, VolumeView
from napari_octree.rendering.gpu.texture_encoding import TextureEncoding
from napari_octree.rendering.layer_like import LayerLike

if TYPE_CHECKING:
    from collections.abc import Set

    from napari_octree.layers.slices.octree_slice import OctreeSlice
    from napari_octree.layers.views.progress import OctreeProgress
    from napari_octree.layers.views.residency import Residency
    from napari_octree.layers.views.statistics import ViewStatistics
    from napari_octree.loading.loader import LoaderClient
    from napari_octree.octree.chunk_key import ChunkKey

L = TypeVar("L", bound=LayerLike, covariant=True)
V = TypeVar("V", View, VolumeView)


@dataclass(frozen=True, eq=False)
class DrawContext(Generic[L]):
    """What a drawing is made with.

    Attributes
    ----------
    layer : LayerLike
    texels : TextureEncoding
        Of the layer's own type.
    client : LoaderClient
        Of this drawing alone.
    on_prepare : callable
        Called with the node, first in every draw of it.
    max_side : int
        GL's limit of texels per axis of the texture.
    """

    layer: L
    texels: TextureEncoding
    client: LoaderClient
    on_prepare: Callable[[Any], None]
    max_side: int


@dataclass(frozen=True, eq=False)
class FrameInputs(Generic[V]):
    """What a frame shows, and how much it may do.

    Attributes
    ----------
    octree_slice : OctreeSlice or None
        None: outside the data, or another dimension is shown: nothing to draw.
    view : View or VolumeView or None
        None while there is nothing to see.
    upload_ms : float
        What the frame's uploads may take.
    locked_level : int or None
        The level to show whatever the zoom.
    """

    octree_slice: OctreeSlice | None
    view: V | None
    upload_ms: float
    locked_level: int | None = None


class Drawing(Protocol):
    """The node, the memory of the GPU and the frames of one viewer's view in 2-D or in 3-D."""

    node: Any
    """What vispy draws."""

    @property
    def client(self) -> LoaderClient:
        """What it loads with."""
        ...

    # ------------------------------------------------------------------ frames

    def prepare(self, now: float) -> bool:
        """Do a frame's work, inside the draw, at `now` (seconds).

        Returns
        -------
        bool
            Whether something has changed: the view counts as moving until `rest` is called,
            `rest_ms` after the last such frame.
        """
        ...

    def foresee(self) -> None:
        """Ask for what the first frame will want: until then the window may be busy for long."""
        ...

    def finish(self, wait: Callable[[], bool]) -> bool:
        """Load and draw all that the camera shows at its best, inside this draw: an export.

        Parameters
        ----------
        wait : callable
            Waits until something may have arrived; False when the time is up.

        Returns
        -------
        bool
            Whether nothing is missing but what cannot be read.
        """
        ...

    def rest(self) -> bool:
        """The view stands still. Returns whether to draw again."""
        ...

    def refine(self, now: float) -> int:
        """Something has arrived, or is left to upload, between two frames at `now` (seconds).

        Returns
        -------
        int
            After how many milliseconds to draw it; 0 is soon. Where frames are expensive, tiles
            are uploaded until then.
        """
        ...

    def grow(self) -> bool:
        """Take the memory that browsing needs, now that nobody waits. Returns whether to draw."""
        ...

    def compile_ahead(self) -> bool:
        """Have GL make what the first draw would make, now that nobody waits, outside of a draw.

        Returns
        -------
        bool
            Whether that took any time.
        """
        ...

    def edited(self, box: tuple[tuple[int, int], ...]) -> None:
        """Show what was painted in a box of level 0, with the next frame."""
        ...

    def configure(self) -> None:
        """Go by the layer's configuration of now, and ask the loader for everything anew."""
        ...

    def pause(self) -> None:
        """Want nothing of the loader until the next frame: the layer is hidden."""
        ...

    def leave(self) -> None:
        """Another dimension is shown: want nothing, hold nothing."""
        ...

    def close(self) -> None:
        """Stop loading and let go of the GPU's memory."""
        ...

    # ------------------------------------------------------------------- state

    @property
    def settled(self) -> bool:
        """Everything that the camera shows now is drawn at its best."""
        ...

    @property
    def stuck(self) -> bool:
        """Not settled, and nothing more will come by itself: reads have failed."""
        ...

    @property
    def in_vain(self) -> bool:
        """The last frame is not complete, and nothing more will come by itself."""
        ...

    @property
    def is_current(self) -> bool:
        """What was drawn last is what the camera shows now."""
        ...

    @property
    def whole(self) -> bool:
        """Nothing that is shown stands in for something else."""
        ...

    @property
    def covered(self) -> bool:
        """No place of the view is blank that will be filled."""
        ...

    @property
    def moving(self) -> bool:
        """The view is being moved right now."""
        ...

    @property
    def more(self) -> bool:
        """The next frame would show more."""
        ...

    @property
    def again_ms(self) -> float | None:
        """After how long to draw again though nothing happens; None: not at all."""
        ...

    @property
    def rest_ms(self) -> int:
        """How long nothing must change until the view is at rest."""
        ...

    # ------------------------------------------------------------- for the layer

    @property
    def state(self) -> object:
        """Another value whenever the layer should be told."""
        ...

    @property
    def view(self) -> View | VolumeView | None:
        """What the last frame showed, in octree coordinates; None before the first."""
        ...

    @property
    def level(self) -> int:
        """The finest level of the last plan."""
        ...

    @property
    def levels(self) -> tuple[int, ...]:
        """Those of which something is drawn, finest first."""
        ...

    ring: tuple[int, int]
    """Which outline of how many tells the levels, 1 the outermost; (0, 0): none does."""

    @property
    def progress(self) -> OctreeProgress:
        """Tiles or bricks of the last plan."""
        ...

    @property
    def statistics(self) -> ViewStatistics:
        """Counts so far."""
        ...

    @property
    def residency(self) -> Residency:
        """What of the present slice is in the atlas, and what could not be read."""
        ...

    @property
    def shown_bricks(self) -> Set[ChunkKey]:
        """Bricks of the present slice that are drawn; none in 2-D (any thread)."""
        ...

    @property
    def failed_bricks(self) -> Set[ChunkKey]:
        """Bricks of the present slice that could not be loaded; none in 2-D (any thread)."""
        ...


def complete(drawing: Drawing, wait: Callable[[], bool]) -> bool:
    """Do frames, inside one draw, until what the camera shows is there; see `Drawing.finish`."""
    while not (drawing.settled or drawing.stuck):
        if not drawing.more and not wait():
            return False
        drawing.prepare(time.perf_counter())
    return True
