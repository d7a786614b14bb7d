"""What one viewer shows of one layer in 2-D: from a view to quads, frame by frame.

Invariants: GUI thread only. A frame plans only if the tiles in view have changed, uploads in the
order of the plan until its milliseconds are spent, and rebuilds its picture only if the plan or
what is resident has changed. What the plan draws or wants is never evicted. Nothing here knows
napari: the atlas, the loader's client and the layer's slice are handed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_octree.config import OctreeConfig
from napari_octree.layers.slices.octree_slice import OctreeSlice
from napari_octree.layers.slices.slice_key import SliceKey, TileKey
from napari_octree.layers.views.progress import OctreeProgress
from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.octree.cover.intersection import OctreeIntersection, intersect
from napari_octree.octree.motion import Motion
from napari_octree.octree.policy import Policy
from napari_octree.octree.view import View
from napari_octree.rendering.drawing import FrameInputs
from napari_octree.rendering.gpu.upload_budget import UploadBudget
from napari_octree.rendering.tiles.atlas.texture_atlas_2d import TextureAtlas2D
from napari_octree.rendering.tiles.channel_group import ChannelMember
from napari_octree.rendering.tiles.picture.tile_picture import TilePicture
from napari_octree.rendering.tiles.tile_requests import TileRequests
from napari_octree.rendering.tiles.tile_uploads import TileUploads

if TYPE_CHECKING:
    from collections.abc import Set

    from napari_octree.loading.loader import LoaderClient
    from napari_octree.rendering.gpu.texture_encoding import TextureEncoding

HASTY_OUT, HASTY_IN = 1.0, 8.0
"""Octaves per second of zooming beyond which nothing but the overview is wished for.

Levels pass by faster than they load then. Zooming out needs nothing new to be complete: finer
tiles and the overview stand in, and where it ends has often been seen before.
"""


@dataclass(frozen=True, eq=False)
class TileInputs(FrameInputs[View]):
    """What a 2-D frame shows, and how much it may do.

    Attributes
    ----------
    margin_texels : float
        How far the interpolation looks around a pixel.
    scroll_axis : int or None
        The data axis whose slider was moved last: slices are read ahead along it.
    moving : bool
        The view moves: what lies around it is not read ahead before `rest`.
    now : float
        Seconds, for what fades in.
    """

    margin_texels: float = 0.0
    scroll_axis: int | None = None
    moving: bool = False
    now: float = 0.0


class TileFrame:
    """Plans, uploads and covers for one view after the other.

    Parameters
    ----------
    client : LoaderClient
    config : OctreeConfig
    budget : UploadBudget
    """

    def __init__(self, client: LoaderClient, config: OctreeConfig, budget: UploadBudget) -> None:
        self._client = client
        self._config = config
        self._uploads = TileUploads(client, budget)
        self.picture = TilePicture(config.render.fade_ms)
        self._slice: OctreeSlice | None = None
        self._intersection: OctreeIntersection | None = None
        self._hasty = False
        self._requests = TileRequests(client, config)
        self._level_before: int | None = None
        self.channel: ChannelMember | None = None  # set where it draws a channel of several
        self._held_back: frozenset[ChunkKey] = frozenset()
        self._marked: frozenset[ChunkKey] = frozenset()
        self._asked: tuple[object, ...] = ()
        self._foreseen: tuple[TextureEncoding, int] | None = None
        self._progress: OctreeProgress | None = None
        self.plans = 0

    # ------------------------------------------------------------------ frame

    def follow(self, policy: Policy) -> None:
        """Load by this policy from now on."""
        if policy != self._requests.policy:
            self._requests.follow(policy)
            planned = self._intersection
            if self._slice is not None and planned is not None and self.picture.tiles is not None:
                self._wish(self._slice, planned, planned.view.motion)

    def foresee(
        self,
        octree_slice: OctreeSlice,
        intersection: OctreeIntersection,
        apron: int,
        encoding: TextureEncoding,
    ) -> None:
        """Ask for what the first frame will want of such an atlas (see `TileRequests`)."""
        self._foreseen = encoding, apron
        self._requests.foresee(octree_slice, intersection, apron, encoding)

    def prepare(self, atlas: TextureAtlas2D, inputs: TileInputs) -> bool:
        """Do a frame's work.

        Parameters
        ----------
        atlas : TextureAtlas2D
            Another one than before is filled from now on; the former is drawn until this shows
            as much (see `TilePicture`), unless `let_go` was called.
        inputs : TileInputs

        Returns
        -------
        bool
            Whether the picture has changed.
        """
        octree_slice, view = inputs.octree_slice, inputs.view
        if self.channel is not None:
            self.channel.begin()
        picture = self.picture
        if picture.tiles is None or atlas is not picture.tiles.atlas:
            picture.stage(atlas, self._slice)
            self._uploads.drop()
            if self._foreseen != (atlas.encoding, atlas.apron):
                self.forget()
            self._foreseen = None  # it is asked for again now, and goes on
        self._requests.scroll_axis, self._requests.moving = inputs.scroll_axis, inputs.moving
        if octree_slice is not self._slice:
            self._turn(octree_slice)
        if octree_slice is None or view is None:
            return self._show_nothing()
        planned = self._plan(octree_slice, view, inputs)
        assert picture.tiles is not None
        assert self._intersection is not None
        uploaded = self._uploads.take(picture.tiles, self._requests, inputs.upload_ms)
        if self._uploads.displaced:
            self._wish(octree_slice, self._intersection, view.motion)
        if self.channel is not None:
            self.channel.fresh |= self._uploads.fresh
        held_back = self._hold_back(octree_slice)
        marked = self._marked_before(octree_slice.key)
        changed = planned or uploaded or picture.changing
        changed = changed or (held_back, marked) != (self._held_back, self._marked)
        self._held_back, self._marked = held_back, marked
        if changed:
            self._progress = None
            picture.draw(
                octree_slice,
                self._intersection,
                held_back,
                self._uploads.failed,
                marked,
                self._to_come,
                self._stand_in_serves,
                inputs.now,
            )
        return changed

    def _turn(self, octree_slice: OctreeSlice | None) -> None:
        before, planned = self._slice, self._intersection
        self.picture.turn(before, octree_slice)
        alike = before and octree_slice and before.octree == octree_slice.octree
        self._level_before = planned.level if alike and planned else None
        self._slice = octree_slice
        self._requests.renew()
        self._intersection = None

    def forget(self) -> None:
        """Ask for everything again in the next frame (failed reads are to be tried again)."""
        self._requests.renew()
        self._client.replace([])
        self._uploads.failed.clear()
        self._intersection = None
        self._progress = None

    def configure(self, config: OctreeConfig) -> None:
        """Go by other settings from the next frame on, which asks for everything again."""
        self._config = config
        self.picture.fade_in(config.render.fade_ms)
        self._requests.configure(config)
        self.forget()

    def pause(self) -> None:
        """Want nothing until the next frame, which asks anew for what is not there yet."""
        self._requests.want_nothing()
        self._intersection = None
        self._uploads.more = False

    def look_afresh(self) -> None:
        """Plan the next view by itself: no level is kept because the one before had it."""
        self._intersection = self._level_before = None

    def _show_nothing(self) -> bool:
        self._requests.want_nothing()
        self._intersection = None
        self._uploads.more = False
        return self.picture.clear()

    def _plan(self, octree_slice: OctreeSlice, view: View, inputs: TileInputs) -> bool:
        assert self.picture.tiles is not None
        render = self._config.render
        previous = self._intersection
        asked = (view, inputs.locked_level, inputs.margin_texels)
        same, self._asked = asked == self._asked, asked  # these objects: compared by identity next
        if previous is not None and same:
            return False
        intersection = intersect(
            octree_slice.octree,
            view,
            previous_level=previous.level if previous is not None else self._level_before,
            # Half for the ideal tiles leaves room for coverage, overview and what was seen before.
            max_tiles=max(self.picture.tiles.atlas.room(octree_slice.octree) // 2, 1),
            locked_level=inputs.locked_level,
            level_bias=render.level_bias,
            margin_texels=inputs.margin_texels,
        )
        speed = view.motion.zoom.mean
        hasty = speed > HASTY_OUT or speed < -HASTY_IN
        same_tiles = intersection == previous
        if same_tiles and hasty == self._hasty:
            return False
        self._intersection = intersection
        self._hasty = hasty
        if not self._is_all_here(octree_slice, intersection):
            self._wish(octree_slice, intersection, view.motion)
        self.plans += 1
        return not same_tiles  # wishing for more changes nothing that is drawn

    def _is_all_here(self, octree_slice: OctreeSlice, intersection: OctreeIntersection) -> bool:
        """Whether the loader need not be told of a view: it has nothing to do for it."""
        assert self.picture.tiles is not None
        return (
            not self._hasty
            and not self._client.pending
            and self.picture.tiles.are_final(intersection.chunks)
            and self._requests.let_be(
                octree_slice.key,
                intersection.chunks,
                self.picture.tiles.atlas.room(octree_slice.octree),
            )
        )

    def rest(self, motion: Motion) -> None:
        """The view has come to rest: read ahead what lies around it too (no frame needed)."""
        self._requests.moving = False
        if self._slice is not None and self._intersection is not None and not self._hasty:
            self._wish(self._slice, self._intersection, motion)

    def _wish(
        self, octree_slice: OctreeSlice, intersection: OctreeIntersection, motion: Motion
    ) -> None:
        picture = self.picture
        assert picture.tiles is not None
        atlas, kept = picture.tiles.atlas, picture.former.keys
        self._requests.sending = self._uploads.sending
        self._requests.ask(octree_slice, intersection, motion, atlas, self._hasty, kept)

    def _hold_back(self, octree_slice: OctreeSlice) -> frozenset[ChunkKey]:
        """Ideal tiles that are not to be shown before the other channels have them."""
        if self.channel is None or self._intersection is None:
            return frozenset()
        assert self.picture.tiles is not None
        resident = self.picture.tiles.levels.get(self._intersection.level, ())
        ready = (chunk for chunk in self._intersection.chunks if chunk in resident)
        return self.channel.hold_back(octree_slice.key, ready)

    def _marked_before(self, place: SliceKey) -> frozenset[ChunkKey]:
        """Tiles that have failed here, but are marked as such by another channel already."""
        if self.channel is None:
            return frozenset()
        failed = self._uploads.failed
        return self.channel.marked_before(tile.chunk for tile in failed if tile.place == place)

    def has(self, place: SliceKey, chunk: ChunkKey) -> bool:
        """Whether the tile of another channel's place can be drawn here too, or never can."""
        if self._slice is None or self.picture.tiles is None:
            return True
        place = place._replace(version=self._slice.key.version)
        tile = TileKey(place, chunk)
        return tile in self.picture.tiles.atlas.slots or tile in self._uploads.failed

    @property
    def arrived(self) -> set[ChunkKey]:
        """Tiles, of whatever slice, that were uploaded in the last frame."""
        return self._uploads.arrived

    # ------------------------------------------------------------------- state

    @property
    def more(self) -> bool:
        """Another frame would show more: what did not fit in the budget, or what all have now.

        Or more of what is fading in.
        """
        together = self.channel is not None and self.channel.more
        return self._uploads.more or together or self.picture.fading

    @property
    def level(self) -> int:
        """The ideal level of the last plan (0 before any)."""
        return self._intersection.level if self._intersection is not None else 0

    @property
    def tiles(self) -> int:
        """How many ideal tiles the last plan had."""
        return len(self._intersection.chunks) if self._intersection is not None else 0

    @property
    def coarsened(self) -> bool:
        """Whether the last plan is coarser than the view calls for: its tiles were too many."""
        planned = self._intersection
        return planned is not None and planned.level > planned.requested_level

    @property
    def progress(self) -> OctreeProgress:
        """Of the ideal tiles of the last plan."""
        if self._intersection is None or self._slice is None or self.picture.tiles is None:
            return OctreeProgress()
        if self._progress is not None:
            return self._progress
        shown = self.picture.stand_in if self._stand_in_serves else self.picture.tiles
        assert shown is not None
        chunks, place = self._intersection.chunks, self._slice.key
        resident = shown.count(chunks)
        gone = self._uploads.failed
        failed = sum(TileKey(place, chunk) in gone for chunk in chunks) if gone else 0
        loading = len(chunks) - resident - failed
        self._progress = OctreeProgress(len(chunks), resident, loading, failed)
        return self._progress

    @property
    def failed(self) -> Set[TileKey]:
        """Tiles, of any slice, that could not be read."""
        return self._uploads.failed

    @property
    def settled(self) -> bool:
        """Every ideal tile of the last plan is drawn, and no better version is to come."""
        if self._intersection is None:
            return self._slice is None
        picture = self.picture
        if picture.cover is None or not picture.cover.complete or picture.fading:
            return False
        return self._stand_in_serves if picture.stand_in is not None else not self._to_come

    @property
    def _stand_in_serves(self) -> bool:
        """The former atlas shows all there is to show: the new one only has another size."""
        planned = self._intersection
        return planned is not None and not self._hasty and self.picture.stand_in_serves(planned)

    @property
    def complete(self) -> bool:
        """What is shown is what there is to show, though more may be wished for around it."""
        picture = self.picture
        if picture.cover is None or picture.stand_in is not None:
            return self.settled
        return picture.cover.complete

    @property
    def buffered(self) -> tuple[int, int] | None:
        """Positions of the slider last moved whose slices are in RAM around the present one."""
        return self._requests.buffered(self._slice)

    @property
    def covered(self) -> bool:
        """No place of the view is blank that could be filled."""
        drawn = self.picture.cover
        return drawn is None or not self._to_come or not len(drawn.blank)

    @property
    def stuck(self) -> bool:
        """Not settled, and nothing is on its way: reads have failed."""
        return bool(self._uploads.failed) and not (self._to_come or self.settled)

    @property
    def _to_come(self) -> bool:
        """Tiles for this view are being loaded, wait to be uploaded, or are not yet asked for."""
        client = self._client
        loading = self._hasty or client.pending > 0 or client.awaited or bool(self._held_back)
        return loading or bool(self._requests.at_hand) or self._uploads.busy
