"""VolumeDrawing: the 3-D half of how one viewer draws one `OctreeImage`.

Invariants: as `octree_layer` says of a frame: its work is done in the draw itself, nothing raises
there that the caller does not catch, and another frame is asked for only while something is
left to do. Loads nothing and holds no atlas before the first 3-D frame, nor after `leave`.
From a change of the view until nothing has happened for a while, frames may be coarse, so that
they come in time; then they are in full quality. Where they are expensive all the same,
bricks are uploaded between them.
"""

from __future__ import annotations

import logging
import math
import time
from typing import Any

import numpy as np

from napari_octree.layers.image.hidden_values import hidden_up_to
from napari_octree.layers.slices.octree_slice import OctreeSlice
from napari_octree.layers.slices.slice_key import SliceKey
from napari_octree.loading import Pace
from napari_octree.octree.octree import Octree
from napari_octree.octree.policy import POLICIES
from napari_octree.octree.view import VolumeView
from napari_octree.rendering import _vispy
from napari_octree.rendering.draw_context import DrawContext
from napari_octree.rendering.gpu.node_matrices import viewbox_of, volume_matrices
from napari_octree.rendering.gpu.texture_encoding import texture_encoding
from napari_octree.rendering.gpu.upload_budget import UploadBudget
from napari_octree.rendering.gpu.upload_check import check_upload
from napari_octree.rendering.gpu.vram import VRAM
from napari_octree.rendering.view.view_3d import volume_view
from napari_octree.rendering.view.view_motion import ViewMotion
from napari_octree.rendering.volume.brick_encoding import BrickEncoding
from napari_octree.rendering.volume.brick_frame import BrickFrame
from napari_octree.rendering.volume.brick_requests import room_for
from napari_octree.rendering.volume.brick_volume import BrickVolume
from napari_octree.rendering.volume.motion_quality import FULL, MotionQuality, Quality
from napari_octree.rendering.volume.nodes.node_geometry import NodeGeometry
from napari_octree.rendering.volume.reduced_picture import reduced_bytes
from napari_octree.rendering.volume.texture_atlas_3d import TextureAtlas3D, slot_grid

logger = logging.getLogger("napari_octree.rendering")

STALE_FADE = 0.5
"""Brightness of a slice that still stands in for the one asked for."""


PATIENCE = 5
"""How many times as long a rest must be while bricks are on their way: full frames would keep a
slow renderer's processors from computing them, and be outdated by the next one."""

CHEAP_MS = 20.0
"""Frames that take no longer are drawn whenever there is something new."""


class VolumeDrawing:
    """The node, the atlas and the frames of a layer's 3-D view.

    Parameters
    ----------
    drawn : DrawContext
    """

    def __init__(self, drawn: DrawContext) -> None:
        self.layer = layer = drawn.layer
        self.client = client = drawn.client
        self.budget = UploadBudget(self._send, check=check_upload)
        self.frame = BrickFrame(client, layer.config, self.budget)
        self.quality = MotionQuality()
        self._texels = drawn.texels
        self._max_side = drawn.max_side
        self._drawn_view: VolumeView | None = None
        self._drawn_unseen = -math.inf
        self._motion = ViewMotion()
        self._slice_key: SliceKey | None = None
        self._has_atlas = False
        self._rested = False
        self._moved_s = self._began_s = self._ended_s = 0.0
        self.frames = 0
        nowhere = Octree.from_shapes([(1, 1, 1)], 16)
        encoding = BrickEncoding(drawn.texels, (16, 16, 16))
        self.node = BrickVolume(encoding, nowhere, drawn.on_prepare)

    # ------------------------------------------------------------------- frame

    def prepare(self, now: float) -> bool:
        """Do a frame's work, inside the draw, at `now` (seconds).

        Returns
        -------
        bool
            Whether something happens: from now on `rest_ms` without that are a rest.
        """
        node = self.node
        octree_slice = self._slice()
        view = self._view(octree_slice)
        moved = view is not None and view != self._drawn_view
        if moved:
            self._rested = False
            self._moved_s = now
            self.client.pace = Pace.STEADY if self._drawn_view is None else Pace.RUSHING
        elif 1e3 * (now - self._moved_s) > self.rest_ms:
            self.client.pace = Pace.STEADY
        self._drawn_view = view
        self._began_s = now
        self.frames += 1
        if octree_slice is not None:
            self._keep_atlas(octree_slice)
            self._expect(octree_slice.key, now)
        if not self._rested and (moved or not self.settled):
            self._draw_in(self.quality.moved())
        render = self.layer.config.render
        self._drawn_unseen = self._unseen()
        changed = self.frame.prepare(
            node.atlas,
            octree_slice,
            view,
            render.upload_ms_moving if self.moving else render.upload_ms,
            self.layer.locked_data_level,
            self._drawn_unseen,
        )
        if node.nodes.grid != node.atlas.grid:  # it has grown
            node.extend()
            VRAM.take(self, self._atlas_bytes + node.reduced_picture.nbytes)
            self._draw_in(self.quality.current)  # if there is memory for that, still
        if changed:
            shown = self.frame.shown
            if shown is None:
                node.nodes.write([], np.zeros(0, np.int64), np.zeros((0, 2)))
            else:
                node.nodes.write(
                    shown.keys, shown.slots, shown.ranges, shown.failed, shown.failed_slots
                )
        node.fade = STALE_FADE if self.frame.stale else 1.0
        display = self.layer.display
        failed = self.frame.shown is not None and bool(self.frame.shown.failed)
        node.set_overlays(display.tint_levels, display.show_grid, self.frame.level, failed)
        return moved or (changed and not self._rested)

    def _expect(self, key: SliceKey, now: float) -> None:
        before, self._slice_key = self._slice_key, key
        if key != before:
            self._motion.observe(None, key, before or key, now)
        policy = POLICIES[self.layer.display.policy]
        self.frame.expect(self._motion.axis, self._motion.motion, policy)

    def upload(self) -> None:
        """Upload finished bricks between frames, within the budget of one."""
        _vispy.make_current(self.node.canvas)
        self.frame.upload(self.layer.config.render.upload_ms)

    def drawn(self) -> None:
        """The frame that was prepared last has been drawn: learn what it cost."""
        if self.node.canvas is None:
            return
        # Else what it costs would pass for the cost of the uploads that have to wait for it.
        _vispy.finish(self.node.canvas)
        self._ended_s = time.perf_counter()
        self.quality.drawn((self._ended_s - self._began_s) * 1e3)

    def wait_ms(self, now_s: float) -> int:
        """How long to wait before a frame that only shows more bricks.

        Frames take at most a third of the time while the rest loads: where they are
        expensive (a software renderer above all) loading would starve. Then `upload` goes on.
        """
        cost_s = max(self._ended_s - self._began_s, 0.0)
        wait_s = self._ended_s + 2 * cost_s - now_s
        return int(1e3 * wait_s) if cost_s * 1e3 > CHEAP_MS else 0

    def rest(self) -> bool:
        """Nothing happens: full quality from now on. Returns whether to draw again."""
        self.client.pace = Pace.STEADY
        self._rested = True
        self.frame.expect(
            self._motion.axis, self._motion.rest(), POLICIES[self.layer.display.policy]
        )
        self.frame.wish()
        coarse = self.quality.current != FULL
        self._draw_in(self.quality.rested())
        return coarse or not self.frame.settled

    def _draw_in(self, quality: Quality) -> None:
        """Draw in some quality from now on, as far as there is memory for it."""
        node = self.node
        node.step_factor, node.pixel_size = quality.step, 1.0
        if quality.pixel_size > 1:
            needed = self._atlas_bytes + reduced_bytes(node.canvas, quality.pixel_size)
            if needed <= VRAM.room(self, self.layer.config.memory.vram_bytes):
                node.pixel_size = quality.pixel_size
                VRAM.take(self, needed)

    def set_limits(self) -> None:
        """Hand the contrast limits to the shader, which knows float32 only."""
        largest = np.finfo(np.float32).max / 8
        low, high = np.clip(self.layer.contrast_limits, -largest, largest).astype(np.float32)
        # Limits that fall together would leave nothing to divide by.
        self.node.clim = float(low), float(max(high, np.nextafter(low, np.float32(np.inf))))

    def leave(self) -> None:
        """Another dimension is shown: want nothing, hold nothing."""
        if not self._has_atlas:
            return
        self.frame.prepare(self.node.atlas, None, None, 0.0)
        self._replace_atlas(
            TextureAtlas3D(self.node.atlas.encoding, (1, 1, 2)), self.node.geometry
        )
        self.node.reduced_picture.release(self.node.canvas)
        if self.node.canvas is not None:
            _vispy.make_current(self.node.canvas)
            self._send()
        VRAM.release(self)
        self._has_atlas = False
        self._drawn_view = None
        self._slice_key = None

    def close(self) -> None:
        """Stop loading and let go of the GPU's memory."""
        self.client.close()
        self.node.reduced_picture.release(self.node.canvas)
        VRAM.release(self)
        for texture in (*self.node.nodes.textures, self.node.atlas):
            _vispy.delete_texture(self.node.canvas, texture)

    def _slice(self) -> OctreeSlice | None:
        octree_slice = self.layer.octree_slice
        if octree_slice is None or len(octree_slice.octree.extent) != 3:
            return None
        return octree_slice

    def _view(self, octree_slice: OctreeSlice | None) -> VolumeView | None:
        if octree_slice is None or viewbox_of(self.node) is None:
            return None
        node = self.node
        slab = None
        if node.raycasting_mode == "plane":
            slab = (node.plane_position, node.plane_normal, float(node.plane_thickness))
        return volume_view(volume_matrices(node), node.clipping_planes, slab, octree_slice.key)

    def _unseen(self) -> float:
        """Texture values up to this leave no trace in the picture."""
        value = hidden_up_to(self.layer) if self.layer.config.render.skip_empty else -math.inf
        return value if value == -math.inf else self.node.atlas.texture_value(value)

    def _keep_atlas(self, octree_slice: OctreeSlice) -> None:
        """Have an atlas for bricks of this slice's shape and type, and the slice's geometry."""
        node, octree = self.node, octree_slice.octree
        # A thick slice may hold other values than a thin one: means, sums.
        texels = texture_encoding(octree_slice.display_dtype, self._texels.channels)
        same = octree == node.geometry.octree and texels == node.atlas.encoding.texels
        limit = self.layer.config.memory.vram_bytes
        allowed = VRAM.available(self, limit)
        if self._has_atlas and same:
            # While it grows there are both, the former and the larger one.
            node.atlas.allow(min(allowed, max(limit - VRAM.held_bytes, 0)))
            return
        z, y, x = octree.levels[0].tile_shape
        encoding = BrickEncoding(texels, (z, y, x))
        bricks = sum(int(np.prod(level.grid_shape)) for level in octree.levels)
        grid = slot_grid(encoding, room_for(bricks), allowed, self._max_side)
        atlas = node.atlas
        if not self._has_atlas or atlas.encoding != encoding or atlas.largest != grid:
            atlas = TextureAtlas3D(encoding, grid)
            logger.debug("an atlas of up to %s bricks", "×".join(map(str, grid)))
        self._replace_atlas(atlas, NodeGeometry.of(octree))
        VRAM.take(self, self._atlas_bytes + node.reduced_picture.nbytes)
        self._has_atlas = True

    @property
    def _atlas_bytes(self) -> int:
        return self.node.atlas.nbytes + self.node.nodes.nbytes

    def _replace_atlas(self, atlas: TextureAtlas3D, geometry: NodeGeometry) -> None:
        if atlas is not self.node.atlas:
            self.node.atlas.delete()
        self.node.bind(atlas, geometry)
        canvas = self.node.canvas
        if canvas is not None:
            for texture in (atlas, atlas.ranges, *self.node.nodes.textures):
                _vispy.share_queue(canvas.context, texture)

    def _send(self) -> None:
        _vispy.flush(self.node.canvas.context)

    # ------------------------------------------------------------------- state

    @property
    def is_current(self) -> bool:
        """Whether what was drawn last is what the camera shows now."""
        octree_slice = self._slice()
        if octree_slice is None:
            return True
        shown_now = (self._view(octree_slice), self._unseen())
        return self.frames > 0 and shown_now == (self._drawn_view, self._drawn_unseen)

    @property
    def settled(self) -> bool:
        """Every selected brick of what the camera shows now is drawn, in full quality."""
        return self.frame.settled and self.quality.current == FULL and self.is_current

    @property
    def stuck(self) -> bool:
        """Not settled, and nothing more will come by itself."""
        return self.frame.stuck and self.is_current

    @property
    def whole(self) -> bool:
        """Nothing that is shown stands in for something else."""
        return self.frame.settled

    @property
    def moving(self) -> bool:
        """The camera is being moved right now."""
        return self.client.pace is Pace.RUSHING

    @property
    def state(self) -> tuple[Any, ...]:
        """Changes whenever the layer should be told."""
        return (self.frame.progress, self.settled)

    @property
    def rest_ms(self) -> int:
        """How long nothing must happen until it counts as a rest."""
        loading = self.client.pending and not self.moving
        return self.quality.rest_ms * (PATIENCE if loading else 1)
