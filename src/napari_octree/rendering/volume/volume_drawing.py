"""VolumeDrawing: the `Drawing` of a layer in 3-D, whatever its kind.

Invariants: those of every `Drawing`.
From a change of the view until nothing has happened for a while, frames may be coarse, so that
they come in time; then they are in full quality. Where they are expensive all the same,
bricks are uploaded between them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from napari_octree.layers.slices.flat_slice import FlatSlice
from napari_octree.layers.slices.octree_slice import OctreeSlice
from napari_octree.layers.slices.slice_key import SliceKey
from napari_octree.layers.views.progress import OctreeProgress
from napari_octree.layers.views.residency import Residency
from napari_octree.layers.views.statistics import ViewStatistics
from napari_octree.loading import Pace
from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.octree.octree import Octree
from napari_octree.octree.policy import POLICIES
from napari_octree.octree.view import VolumeView
from napari_octree.rendering import _vispy
from napari_octree.rendering.drawing import DrawContext, complete
from napari_octree.rendering.gpu.node_matrices import viewbox_of, volume_matrices
from napari_octree.rendering.gpu.upload_budget import UNHURRIED_MS, UploadBudget
from napari_octree.rendering.gpu.upload_check import check_upload
from napari_octree.rendering.layer_like import LayerLike
from napari_octree.rendering.view.view_3d import volume_view
from napari_octree.rendering.view.view_motion import ViewMotion
from napari_octree.rendering.volume.brick_atlas_lease import BrickAtlasLease
from napari_octree.rendering.volume.brick_encoding import BrickEncoding
from napari_octree.rendering.volume.brick_frame import BrickFrame, BrickInputs
from napari_octree.rendering.volume.brick_kind import BrickKind
from napari_octree.rendering.volume.nodes.shown_bricks import ShownBricks
from napari_octree.rendering.volume.quality.motion_quality import FULL, Quality
from napari_octree.rendering.volume.refinement_pace import RefinementPace
from napari_octree.rendering.volume.texture_atlas_3d import TextureAtlas3D

STALE_FADE = 0.5
"""Brightness of a slice that still stands in for the one asked for."""


class VolumeDrawing:
    """The node, the atlas and the frames of a layer's 3-D view.

    Parameters
    ----------
    context : DrawContext
    kind : BrickKind
    """

    def __init__(self, context: DrawContext[LayerLike], kind: BrickKind) -> None:
        self.layer = layer = context.layer
        self.client = client = context.client
        self.budget = UploadBudget(self._send, check=check_upload)
        self.frame = BrickFrame(client, layer.config, self.budget)
        self._kind = kind
        self._drawn_view: VolumeView | None = None
        self._drawn_unseen = -math.inf
        self._motion = ViewMotion()
        self._slice_key: SliceKey | None = None
        self._drawn_key: SliceKey | None = None
        self._placed: TextureAtlas3D | None = None
        self._rested = False
        self._resumes = False
        self._moved_s = 0.0
        self.frames = 0
        self._flat: tuple[OctreeSlice, FlatSlice] | None = None  # of 2-D data, made once a slice
        self.ring = (0, 0)
        self._levels: tuple[int, ...] = ()
        self._levels_of: ShownBricks | None = None
        self._finishing = False  # in an export, whose frames say nothing of what frames cost
        nowhere = Octree.from_shapes([(1, 1, 1)], 16)
        encoding = BrickEncoding(kind.encoding, (16, 16, 16))
        self.node = kind.make_node(encoding, nowhere, context.on_prepare)
        self.lease = BrickAtlasLease(self.node, layer.config, context.max_side, self._send)
        self.refinement = RefinementPace(self.node, self.lease)

    # ------------------------------------------------------------------- frame

    def prepare(self, now: float) -> bool:
        """Do a frame's work, inside the draw, at `now` (seconds).

        Returns
        -------
        bool
            Whether something happens: from now on `rest_ms` without that are a rest.
        """
        octree_slice = self._slice()
        view = self._view(octree_slice)
        moved = self._move_to(view, now)
        self.frames += 1
        self.refinement.begin(now, counts=not self._finishing)
        if octree_slice is not None:
            self._kind.take_values(octree_slice.display_dtype)
            self._keep_atlas(octree_slice)
            self._expect(octree_slice.key, now)
            if self.frames == 1:
                self.refinement.expect(octree_slice.octree)
        if not self._rested and (moved or not self.settled):
            self._draw_in(self.refinement.quality.moved())
        elif self._rested and not (self.node.pictures.strips or self._hurried):
            self._draw_in(self.refinement.quality.current)
        self._drawn_unseen = self._unseen()
        inputs = BrickInputs(
            octree_slice,
            view,
            self._upload_ms,
            self.layer.locked_data_level,
            unseen=self._drawn_unseen,
            hurried=self.moving and self.refinement.quality.current != FULL,
        )
        changed = self.frame.prepare(self.lease.atlas, inputs)
        changed |= self._go_with_atlas()
        self._show(changed)
        if self.node.pictures.strips <= 1:
            self.node.pictures.unfinished = False  # this draw casts all rays
        if self.refinement.frames.under_way:
            _vispy.when_idle(self.node.canvas, self.refinement.drawn)
        # One that was hidden while it moved gets no other sign to come to rest.
        resumes, self._resumes = self._resumes, False
        return moved or ((changed or resumes) and not self._rested)

    def _move_to(self, view: VolumeView | None, now: float) -> bool:
        """Note what is seen from now on. Returns whether that is something else than before."""
        moved = view is not None and view != self._drawn_view
        if moved:
            self._rested = False
            self._moved_s = now
            self.client.pace = Pace.STEADY if self._drawn_view is None else Pace.RUSHING
        elif 1e3 * (now - self._moved_s) > self.rest_ms:
            self.client.pace = Pace.STEADY
        self._drawn_view = view
        return moved

    def _go_with_atlas(self) -> bool:
        """Draw from the atlas of this frame. Returns whether its nodes are to be written anew."""
        shown, changed = self.frame.shown, False
        if not self.lease.is_shown and (shown is None or shown.covers or self.frame.stuck):
            self.lease.show()
            self.frame.replan()  # there may be room for more now
            changed = True
        if self.node.atlas is not self._placed:
            self._placed = self.node.atlas
            self._kind.place(self.node)
        if self.lease.grow():
            changed = True
            self._draw_in(self.refinement.quality.current)  # if there is memory for that, still
        return changed

    def _show(self, changed: bool) -> None:
        """Have the node draw the frame's bricks, if they have changed, and what marks them."""
        node, shown, display = self.node, self.frame.shown, self.layer.display
        node.content += changed
        if changed and self.lease.is_shown:
            if shown is None:
                node.nodes.write([], np.zeros(0, np.int64), np.zeros((0, 2)))
            else:
                node.nodes.write(
                    shown.keys, shown.slots, shown.ranges, shown.failed, shown.failed_slots
                )
        node.fade = STALE_FADE if self.frame.stale else 1.0
        failed = display.show_failed and shown is not None and bool(shown.failed)
        node.set_overlays(display.tint_levels, display.show_grid, failed)

    @property
    def _upload_ms(self) -> float:
        """What the uploads of a frame may take."""
        if self._hurried:
            return UNHURRIED_MS
        render = self.layer.config.render
        return render.upload_ms_moving if self.moving else render.upload_ms

    @property
    def _hurried(self) -> bool:
        """Somebody waits for the next frame, and it has to be the last one."""
        return self._finishing or self.layer.config.loader_defaults.force_synchronous

    def foresee(self) -> None:
        """Nothing: what a first frame needs is found in it."""

    def finish(self, wait: Callable[[], bool]) -> bool:
        """Load and draw all that the camera shows at its best, inside this draw: an export."""
        self._finishing = True
        self.node.pictures.unfinished = False  # strips: this draw casts all rays
        try:
            self.prepare(time.perf_counter())
            self.rest()
            return complete(self, wait)
        finally:
            self._finishing = False
            self.node.pictures.unfinished = False

    def _expect(self, key: SliceKey, now: float) -> None:
        before, self._slice_key = self._slice_key, key
        if key != before:
            self._motion.observe(None, key, before or key, now)
        policy = POLICIES[self.layer.display.policy]
        self.frame.expect(self._motion.axis, self._motion.motion, policy)

    def refine(self, now: float) -> int:
        """Draw what has arrived soon; where frames are expensive, upload it until then."""
        self.refinement.drawn()  # what a frame has cost is to be known first
        if self.wait_ms(now) > 0:
            uploads = self.budget.uploads
            self.upload()
            if self.more and self.budget.uploads == uploads:
                return 0  # the atlas is full: a frame has it grow
        return self.wait_ms(now)

    def compile_ahead(self) -> bool:
        """A volume is drawn in every frame, wherever it is: its program is there."""
        return False

    def grow(self) -> bool:
        """It has what it needs: the atlas grows with the selection."""
        return False

    def upload(self) -> None:
        """Upload finished bricks between frames, within the budget of one."""
        _vispy.make_current(self.node.canvas)
        self.frame.upload(self.layer.config.render.upload_ms)

    def wait_ms(self, now_s: float) -> int:
        """How long to wait before a frame that only shows more bricks: `upload` goes on then.

        Nothing waits where there is no picture yet, or nothing that is still to come.
        """
        shown = self.frame.shown
        if shown is None or not shown.covers or not self._loading:
            return 0
        return self.refinement.frames.wait_ms(now_s)

    @property
    def _loading(self) -> bool:
        """Bricks are on their way."""
        return bool(self.client.pending or self.client.ready or self.more)

    def edited(self, box: tuple[tuple[int, int], ...]) -> None:
        """Have bricks loaded again that hold what was painted in a box of level 0."""
        slots = self.lease.atlas.slots
        slots.outdate(list(slots))
        self.frame.replan()

    def rest(self) -> bool:
        """Nothing happens: full quality from now on. Returns whether to draw again."""
        self.client.pace = Pace.STEADY
        self._rested = True
        self.frame.expect(
            self._motion.axis, self._motion.rest(), POLICIES[self.layer.display.policy]
        )
        self.frame.wish()
        coarse = self.refinement.quality.current != FULL
        self._draw_in(self.refinement.quality.rested())
        if coarse and not self._finishing:
            self.node.pictures.unfinished = True  # until the frame that this asks for
        return coarse or not self.frame.settled

    def _draw_in(self, quality: Quality) -> None:
        self.refinement.draw_in(quality, self._hurried)

    def configure(self) -> None:
        """Go by the layer's configuration of now, and ask the loader for everything anew."""
        config = self.layer.config
        self.frame.configure(config)
        self.lease.configure(config)

    def pause(self) -> None:
        """Want nothing of the loader until the next frame: the layer is hidden."""
        self.client.pace = Pace.STEADY
        self._resumes = True
        self.frame.pause()

    def leave(self) -> None:
        """Another dimension is shown: want nothing, hold nothing."""
        self.frame.prepare(self.lease.atlas, BrickInputs(None, None, 0.0))
        self.lease.release()
        self._drawn_view = None
        self._slice_key = self._drawn_key = None

    def close(self) -> None:
        """Stop loading and let go of the GPU's memory."""
        self.client.close()
        self.lease.close()

    def _slice(self) -> OctreeSlice | None:
        octree_slice = self.layer.octree_slice
        if octree_slice is None or _vispy.ndisplay_of(self.layer) != 3:
            return None
        if len(octree_slice.octree.extent) == 3:
            return octree_slice
        if self._flat is None or self._flat[0] is not octree_slice:
            self._flat = (octree_slice, FlatSlice(octree_slice))
        return self._flat[1]

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
        value = self._kind.hidden_up_to
        return value if value == -math.inf else self.lease.atlas.texture_value(value)

    def _keep_atlas(self, octree_slice: OctreeSlice) -> None:
        """Have an atlas for bricks of this slice's shape and type, and the slice's geometry."""
        shown = self.frame.shown
        # An atlas on its way has none shown yet: then what is drawn is still the same as before.
        drawn = self._drawn_key if shown is None else shown.octree_slice.key
        self._drawn_key = drawn
        self.lease.keep(octree_slice, self._kind.encoding, drawn == octree_slice.key)

    def _send(self) -> None:
        _vispy.flush(self.node.canvas.context)

    # ------------------------------------------------------------------- state

    @property
    def is_current(self) -> bool:
        """Whether what was drawn last is what the camera shows now."""
        octree_slice = self._slice()
        if octree_slice is None:
            return True
        if self._kind.encoding != self.lease.atlas.encoding.texels:
            return False
        shown_now = (self._view(octree_slice), self._unseen())
        return self.frames > 0 and shown_now == (self._drawn_view, self._drawn_unseen)

    @property
    def settled(self) -> bool:
        """Every selected brick of what the camera shows now is drawn, in full quality."""
        if self.node.pictures.unfinished or not self.frame.settled:
            return False
        return self.refinement.quality.current == FULL and self.is_current

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
        """Sliders do not wait for a volume."""
        return True

    @property
    def more(self) -> bool:
        """The next frame would show more."""
        return self.frame.more

    @property
    def again_ms(self) -> float | None:
        """Nothing happens without a reason."""
        return None

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
        return (self.frame.progress, self.settled, self.moving)

    @property
    def rest_ms(self) -> int:
        """How long nothing must happen until it counts as a rest."""
        return self.refinement.rest_ms(self._loading and not self.moving)

    @property
    def view(self) -> VolumeView | None:
        """What the last frame showed."""
        return self._drawn_view

    @property
    def level(self) -> int:
        """The finest level of the last selection."""
        return self.frame.level

    @property
    def progress(self) -> OctreeProgress:
        """Leaves of the last selection."""
        return self.frame.progress

    @property
    def statistics(self) -> ViewStatistics:
        """Counts so far."""
        counted = self.budget.statistics(self.frames, self.frame.plans)
        atlas = self.node.atlas
        return replace(
            counted,
            slots=atlas.slots.capacity,
            resident=len(atlas.slots),
            vram_bytes=atlas.nbytes,
            level=self.level,
        )

    @property
    def residency(self) -> Residency:
        """What of the present slice is in the atlas, and what could not be read."""
        octree_slice = self._slice()
        place = None if octree_slice is None else octree_slice.key
        return Residency.of(place, self.node.atlas.slots, self.frame.failed)

    @property
    def levels(self) -> tuple[int, ...]:
        """Those of which something is drawn."""
        shown = self._shown
        if shown is not self._levels_of:
            self._levels_of = shown
            self._levels = () if shown is None else shown.levels_seen()
        return self._levels

    @property
    def shown_bricks(self) -> frozenset[ChunkKey]:
        """Bricks of the present slice that are drawn (any thread)."""
        shown = self._shown
        return frozenset() if shown is None else frozenset(shown.keys)

    @property
    def failed_bricks(self) -> frozenset[ChunkKey]:
        """Bricks of the present slice that could not be loaded (any thread)."""
        shown = self._shown
        return frozenset() if shown is None else frozenset(shown.failed)

    @property
    def _shown(self) -> ShownBricks | None:
        return None if self.frame.stale else self.frame.shown
