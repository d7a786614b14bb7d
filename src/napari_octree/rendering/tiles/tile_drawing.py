"""TileDrawing: the `Drawing` of a layer in 2-D.

Invariants: those of every `Drawing`. Knows no kind of layer: what its texels mean, the node's
colours and filters are the `TileKind`'s.
"""

from __future__ import annotations

import math
import time
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from napari_octree.layers.slices.octree_slice import OctreeSlice
from napari_octree.layers.views.progress import OctreeProgress
from napari_octree.layers.views.residency import Residency
from napari_octree.layers.views.statistics import ViewStatistics
from napari_octree.loading import Pace
from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.octree.cover.intersection import intersect
from napari_octree.octree.policy import POLICIES
from napari_octree.octree.view import View
from napari_octree.rendering import _vispy
from napari_octree.rendering.canvas.cursor import cursor_of
from napari_octree.rendering.drawing import DrawContext, complete
from napari_octree.rendering.gpu.graphics import draws_in_software
from napari_octree.rendering.gpu.node_matrices import (
    TileMatrices,
    WatchedTileMatrices,
    viewbox_of,
)
from napari_octree.rendering.gpu.upload_budget import UNHURRIED_MS, UploadBudget
from napari_octree.rendering.gpu.upload_check import check_upload
from napari_octree.rendering.layer_like import LayerLike
from napari_octree.rendering.tiles.atlas.texture_atlas_2d import TextureAtlas2D
from napari_octree.rendering.tiles.atlas_lease import AtlasLease, AtlasNeeds
from napari_octree.rendering.tiles.channel_group import ChannelMember, group_of
from napari_octree.rendering.tiles.export_in_parts import draw_in_parts
from napari_octree.rendering.tiles.ideal_tiles import IdealTiles
from napari_octree.rendering.tiles.picture.quads import no_quads
from napari_octree.rendering.tiles.tile_frame import TileFrame, TileInputs
from napari_octree.rendering.tiles.tile_kind import TileKind
from napari_octree.rendering.tiles.tile_patches import TilePatches
from napari_octree.rendering.tiles.tiled_slice import TiledSlice
from napari_octree.rendering.view.loading_pace import loading_pace_of
from napari_octree.rendering.view.tracked_view import TrackedView
from napari_octree.rendering.view.view_2d import view_from_matrix

GATHER_MS = 8
"""Half a frame: so long what has arrived may wait for what else comes."""

SOFTWARE_GATHER_MS = 32
"""The same where the processor draws: a frame more takes as long, and only then shows the rest."""

FORMER_OPACITY = 0.4
"""Of a slice that is kept until the new one can be shown: it must not pass for the new one."""


class TileDrawing:
    """The node, the atlas and the frames of a layer's 2-D view.

    Parameters
    ----------
    context : DrawContext
    kind : TileKind
    """

    def __init__(self, context: DrawContext[LayerLike], kind: TileKind) -> None:
        self.layer = layer = context.layer
        self.client = client = context.client
        self.kind = kind
        self.budget = UploadBudget(self._send, check=check_upload)
        self.frame = TileFrame(client, layer.config, self.budget)
        self.tracked = TrackedView()
        self.lease = AtlasLease(
            self.frame.picture, layer.config, context.max_side, self._draw_again
        )
        self.slices = TiledSlice(layer, kind, self.lease)
        self._allocated: TextureAtlas2D | None = None
        self._ideal = IdealTiles(layer, self.frame)
        self._placed: TileMatrices | None = None
        self._joined: tuple[weakref.ref[Any] | None, str | None] = (None, None)
        self._patches = TilePatches()
        self.frames = 0
        self._gathers_until: float | None = None
        self._gather_ms = GATHER_MS
        self._finishing = False
        self.ring = (0, 0)
        self._render = layer.config.render
        self.node = kind.make_node(context.on_prepare, self._render.fade_ms > 0)
        self._place = WatchedTileMatrices(self.node)

    # ------------------------------------------------------------------- frame

    def prepare(self, now: float) -> bool:
        """Do a frame's work, inside the draw, at `now` (seconds).

        Returns
        -------
        bool
            Whether the view has changed: until `rest` is called it counts as moving.
        """
        node, frame, display = self.node, self.frame, self.layer.display
        matrices, slices = self._place.now(), self.slices
        octree_slice = slices.now()
        if octree_slice is not None and octree_slice is not slices.drawn:
            slices.draw(octree_slice)
        tracks = display.track_view
        moved = self.tracked.see(matrices, octree_slice, tracks, now, self._cursor)
        self.client.pace = self.tracked.pace
        self._gathers_until = None
        if not self.frames and draws_in_software():
            self._gather_ms = SOFTWARE_GATHER_MS
        self.frames += 1
        reach, former = self.kind.filter_reach, node.atlas
        coarsened = frame.coarsened
        in_view = frame.tiles
        if coarsened or (self.lease.opening and not slices.tiling.whole):
            bias = self._render.level_bias
            in_view = self._ideal.count(octree_slice, self.tracked.view, bias)
        size, scale = matrices.size, matrices.pixel_scale
        needs = AtlasNeeds(self.kind.encoding, reach, size, scale, in_view, *slices.tiling)
        atlas = self.lease.keep(node, needs)
        frame.picture.former.keep = display.keep_slice
        frame.follow(POLICIES[display.policy])
        together = self._render.channels_together
        self._join(node.canvas, display.channel_group if together else None)
        inputs = TileInputs(
            octree_slice,
            self.tracked.view,
            self._upload_ms,
            self._ideal.locked_level(),
            margin_texels=reach,
            scroll_axis=self.tracked.scroll_axis,
            moving=self.tracked.moving,
            now=now,
        )
        changed = frame.prepare(atlas, inputs)
        self._patch(octree_slice)
        if changed and not coarsened and frame.coarsened:
            self._draw_again()  # with an atlas that has room for it, if there can be one
        if atlas is not self._allocated:
            # GL makes room when it is told to, not when it is asked: now, while tiles are read.
            self._allocated = atlas
            self._send()
        self._show(former)
        opacity = self.layer.opacity * (FORMER_OPACITY if frame.picture.former.shown else 1.0)
        if node.opacity != opacity:
            node.opacity = opacity
        if changed:
            node.set_quads(frame.picture.quads or no_quads())
        if changed or matrices is not self._placed:
            self._placed = matrices
            node.set_matrix(matrices.to_render)
        if self.tracked.view is not None:
            node.set_overlays(self.ring, display.show_grid, matrices, display.show_failed)
        if not (frame.complete or moved or self._finishing):
            loading_pace_of(node.canvas).begin()
        return moved

    def _patch(self, octree_slice: OctreeSlice | None) -> None:
        """Have what is drawn show what was painted."""
        picture = self.frame.picture
        if octree_slice is not None and octree_slice.pyramid.edits is not None:
            shown = [tiles for tiles in (picture.tiles, picture.stand_in) if tiles is not None]
            self._patches.apply(octree_slice, shown, self.frame.arrived, picture.levels)

    def foresee(self) -> None:
        """Ask for what the first frame will want: until then the window may be busy for long."""
        octree_slice = self.slices.now()
        self.slices.look_afresh()  # others may take the memory before the frame
        if octree_slice is None or self.frames:
            return
        if octree_slice is not self.slices.drawn:
            self.slices.draw(octree_slice)
        matrices, reach = self._place.now(), self.kind.filter_reach
        view = view_from_matrix(
            matrices.to_viewbox, matrices.size, matrices.pixel_scale, slice_key=octree_slice.key
        )
        if view is None:
            return
        shape, whole, _ = self.slices.tiling
        apron = 0 if whole else self.lease.apron(reach, shape)
        seen = intersect(
            octree_slice.octree,
            view,
            locked_level=self._ideal.locked_level(),
            level_bias=self._render.level_bias,
            margin_texels=reach,
        )
        texel_bytes = self.kind.encoding.texel_bytes
        if self.lease.has_room_for(
            len(seen) * math.prod(n + 2 * apron for n in shape) * texel_bytes
        ):
            self.client.pace = Pace.STEADY
            self.frame.foresee(octree_slice, seen, apron, self.kind.encoding)

    def _cursor(self) -> tuple[float, float] | None:
        return cursor_of(self.node.canvas).over(self.node)

    def _show(self, former: TextureAtlas2D) -> None:
        """Draw from the atlas that the picture is of; `former` is the one drawn from so far."""
        self.lease.show()
        if self.node.atlas is not former:
            self.kind.place(self.node)

    @property
    def _upload_ms(self) -> float:
        """What the uploads of a frame may take."""
        if self._finishing or self.layer.config.loader_defaults.force_synchronous:
            return UNHURRIED_MS
        render = self._render
        return render.upload_ms_moving if self.tracked.moving else render.upload_ms

    def finish(self, wait: Callable[[], bool]) -> bool:
        """Load and draw all that the camera shows at its best, inside this draw: an export."""
        frame = self.frame
        channel, frame.channel, self._finishing = frame.channel, None, True
        try:
            frame.look_afresh()
            for _ in range(2):  # the second time with the atlas that the first has called for
                self.prepare(time.perf_counter())
                self.rest()
                if not frame.coarsened:
                    break
            if frame.coarsened:
                return self._finish_in_parts(wait)
            return complete(self, wait)
        finally:
            frame.channel, self._finishing = channel, False

    def _finish_in_parts(self, wait: Callable[[], bool]) -> bool:
        node, level = self.node, self._ideal.locked_level()
        margin = self.kind.filter_reach
        inputs = TileInputs(self.slices.now(), None, self._upload_ms, level, margin_texels=margin)

        def show() -> None:
            self._show(node.atlas)

        def patch() -> None:
            self._patch(inputs.octree_slice)

        return draw_in_parts(node, self.frame, self._place.now(), inputs, patch, show, wait)

    def _draw_again(self) -> None:
        _vispy.when_idle(self.node.canvas, self.node.update)

    def _join(self, canvas: Any, name: str | None) -> None:
        """Show new tiles together with the layers of the same name in this canvas."""
        joined, joined_name = self._joined
        if (None if joined is None else joined()) is not canvas or name != joined_name:
            self._joined = (weakref.ref(canvas), name)
            self.frame.channel = (
                None if name is None else ChannelMember(group_of(canvas, name), self.frame)
            )

    @property
    def again_ms(self) -> float | None:
        """Until tiles are shown without those of the other channels: see `ChannelMember`."""
        return None if self.frame.channel is None else self.frame.channel.wait_ms

    def refine(self, now: float) -> int:
        """Draw what has arrived, together with what comes in the next moment.

        Reads that began together end nearly together, and a frame for each would only be in the
        way of the others. What fills a blank place waits only where frames are expensive: they
        would take the processor from loading. Nothing waits that is the first or the last.
        """
        canvas = self.node.canvas
        if self.frame.more or not self.client.pending or canvas is None:
            return 0
        if not self.frame.covered:
            calm = not self.tracked.moving and self.levels
            return loading_pace_of(canvas).wait_ms(now) if calm else 0
        if self._gathers_until is None:
            self._gathers_until = now + self._gather_ms / 1000
        return max(math.ceil(1000 * (self._gathers_until - now)), 0)

    def rest(self) -> bool:
        """The view stands still. Returns whether to draw again, for what was left out so far."""
        self.client.pace = Pace.STEADY
        self.frame.rest(self.tracked.rest())
        return not self.frame.settled

    def grow(self) -> bool:
        """Let the atlas be as large as browsing needs, now that nobody waits for a picture.

        Returns
        -------
        bool
            Whether to draw again.
        """
        if not (self.lease.opening and not self.moving and self.whole):
            return False
        octree_slice = self.slices.now()
        if octree_slice is None or octree_slice.is_one_tile:
            return False
        return self.lease.grow(octree_slice.tiles)

    def compile_ahead(self) -> bool:
        """Have GL make the program of tiles that are not in view yet, outside of a draw."""
        return self.frames > 0 and self.node.canvas is not None and self.node.compile_ahead()

    def edited(self, box: tuple[tuple[int, int], ...]) -> None:
        """Show what was painted in a box of level 0, with the next frame."""
        self._patches.add(box)

    def configure(self) -> None:
        """Go by the layer's configuration of now, and ask the loader for everything anew."""
        config = self.layer.config
        self._render = config.render
        self.node.fades = config.render.fade_ms > 0
        self.frame.configure(config)
        self.lease.configure(config)

    def pause(self) -> None:
        """Want nothing of the loader until the next frame: the layer is hidden."""
        self.tracked.rest()  # hidden in the midst of a zoom it is shown again as at rest
        self.client.pace = Pace.STEADY
        self.frame.pause()

    def leave(self) -> None:
        """Another dimension is shown: want nothing, hold nothing."""
        self.frame.prepare(self.node.atlas, TileInputs(None, None, 0.0))
        self.tracked.rest()
        self.client.pace = Pace.STEADY
        self.lease.release()
        self.slices.look_afresh()

    def close(self) -> None:
        """Stop loading and let go of the GPU's memory."""
        self.client.close()
        self.lease.release()

    @property
    def _displayed(self) -> bool:
        return _vispy.ndisplay_of(self.layer) == 2

    def _send(self) -> None:
        _vispy.flush(self.node.canvas.context)

    # ------------------------------------------------------------------- state

    @property
    def is_current(self) -> bool:
        """Whether what was drawn last is what the camera shows now."""
        if not self._displayed:
            return True
        if not self.frames or viewbox_of(self.node) is None:
            return False
        return self.tracked.is_current(
            self._place.now(), self.slices.now(), self.layer.display.track_view
        )

    @property
    def settled(self) -> bool:
        """Every ideal tile of what the camera shows now is drawn."""
        return not self._displayed or (self.frame.settled and self.is_current)

    @property
    def stuck(self) -> bool:
        """Not settled, and nothing more will come by itself."""
        return self.frame.stuck and self.is_current

    @property
    def in_vain(self) -> bool:
        """The last frame is not complete, and nothing more will come by itself."""
        return self.frame.stuck

    @property
    def covered(self) -> bool:
        """No place of the view is blank that will be filled."""
        return not self._displayed or self.frame.covered

    @property
    def more(self) -> bool:
        """The next frame would show more."""
        return self.frame.more

    @property
    def whole(self) -> bool:
        """Nothing that is shown stands in for something else."""
        return self.frame.complete

    @property
    def moving(self) -> bool:
        """The view is being moved right now."""
        return self.tracked.moving

    @property
    def rest_ms(self) -> int:
        """How long the view has to stand still before it is at rest."""
        return self.tracked.rest_ms

    @property
    def state(self) -> tuple[Any, ...]:
        """Changes whenever the layer should be told: not with each frame of a move."""
        frame = self.frame
        return (frame.progress, frame.settled, frame.level, self.tracked.moving)

    @property
    def view(self) -> View | None:
        """What the last frame showed."""
        return self.tracked.view

    @property
    def level(self) -> int:
        """The ideal level of the last plan."""
        return self.frame.level

    @property
    def levels(self) -> tuple[int, ...]:
        """Those of which something is drawn."""
        cover = self.frame.picture.cover
        if cover is None:
            return ()
        relative = set(cover.relative_levels.tolist())
        return tuple(sorted(self.frame.level + steps for steps in relative))

    @property
    def progress(self) -> OctreeProgress:
        """Ideal tiles of the last plan."""
        return self.frame.progress

    @property
    def statistics(self) -> ViewStatistics:
        """Counts so far."""
        counted = self.budget.statistics(self.frames, self.frame.plans)
        return replace(
            counted,
            slots=self.node.atlas.slots.capacity,
            resident=len(self.node.atlas.slots),
            vram_bytes=self.node.atlas.nbytes,
            level=self.level,
            buffered=self.frame.buffered,
        )

    @property
    def residency(self) -> Residency:
        """What of the present slice is in the atlas, and what could not be read."""
        octree_slice = self.slices.now()
        place = None if octree_slice is None else octree_slice.key
        return Residency.of(place, self.node.atlas.slots, self.frame.failed)

    shown_bricks: frozenset[ChunkKey] = frozenset()
    failed_bricks: frozenset[ChunkKey] = frozenset()
