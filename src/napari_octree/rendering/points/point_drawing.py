"""PointDrawing: the `Drawing` of a set of points, in 2-D and in 3-D alike.

Invariants: those of every `Drawing`. All selected nodes that are resident are drawn; the budget is
met by a coarser selection, and while the view moves by a part of each node's points.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_octree.layers.views.progress import OctreeProgress
from napari_octree.layers.views.residency import Residency
from napari_octree.layers.views.statistics import ViewStatistics
from napari_octree.loading import Pace
from napari_octree.octree.bricks.projection import Projection
from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.octree.points.node_selection import NodeSelection, PointView, select_nodes
from napari_octree.octree.view import VolumeView
from napari_octree.rendering import _vispy
from napari_octree.rendering.drawing import DrawContext, complete
from napari_octree.rendering.gpu.upload_budget import UNHURRIED_MS, UploadBudget
from napari_octree.rendering.gpu.upload_check import check_upload
from napari_octree.rendering.points.density_frame import (
    density_frame,
    mean_colours,
    shows_only_density,
)
from napari_octree.rendering.points.density_legend import DensityNotice
from napari_octree.rendering.points.point_buffer import PlacedNode
from napari_octree.rendering.points.point_nodes import NodeKey, Places, ShownPlace
from napari_octree.rendering.points.point_quality import PointQuality
from napari_octree.rendering.points.point_view import canvas_matrix, optics_of, point_view
from napari_octree.rendering.points.point_visual import DrawnNode
from napari_octree.rendering.points.point_visual import OctreePoints as PointsNode
from napari_octree.rendering.points.resident_nodes import ResidentNodes
from napari_octree.rendering.points.vertex_layout import VertexLayout
from napari_octree.rendering.view.frame_pace import FramePace

if TYPE_CHECKING:
    from napari_octree.layers.points.octree_points import OctreePoints


class PointDrawing:
    """The node, the buffer and the frames of one viewer's picture of a layer of points.

    Parameters
    ----------
    context : DrawContext
    ndisplay : int
        2 or 3.
    """

    def __init__(self, context: DrawContext[Any], ndisplay: int) -> None:
        self.layer: OctreePoints = context.layer
        self.client = context.client
        self._ndisplay = ndisplay
        self.node = PointsNode(context.on_prepare, self.layer.point_look)
        self.budget = UploadBudget(self._send, check=check_upload)
        self.quality = PointQuality()
        self.frames = self.plans = 0
        self.selection = NodeSelection.nothing()
        self._places = Places()
        self._nodes = ResidentNodes(self.client, self.node)
        self._notice = DensityNotice()
        self._planned: tuple[Any, ...] = ()
        self._view: PointView | None = None
        self._moving = self._finishing = False
        self._reloads = self.layer.reloads
        self._drawn_share = 1.0
        self._selected_points = 0.0
        self._moved_s = 0.0
        self.frame_pace = FramePace()
        self.shown_points = 0
        self.shows_density = False

    # ------------------------------------------------------------------- frame

    def prepare(self, now: float) -> bool:
        """Do a frame's work, inside the draw, at `now` (seconds)."""
        self.frames += 1
        found = self._see()
        if found is None:
            self._show_nothing()
            return False
        self.frame_pace.begin(now, counts=not self._finishing)
        place, view, matrix = found
        moved = view != self._view and self._view is not None
        first = self._view is None
        self._view = view
        if moved:
            self._moved_s, self._moving = now, True
            self.client.pace = Pace.RUSHING
        elif first or 1e3 * (now - self._moved_s) > self.rest_ms:
            self.client.pace = Pace.STEADY
        self._plan(place, view)
        if self._moving:
            self.quality.moved(self._selected_points)
        uploaded = self._nodes.upload(self.budget, self._upload_ms)
        self._draw(place, matrix)
        if self.frame_pace.under_way:
            _vispy.when_idle(self.node.canvas, self.drawn)
        return moved or (uploaded and self._moving)

    def _see(self) -> tuple[ShownPlace, PointView, np.ndarray] | None:
        """Return what is to be shown now."""
        slab = self.layer.slab
        if _vispy.ndisplay_of(self.layer) != self._ndisplay or slab is None:
            return None
        canvas = canvas_matrix(self.node, self._ndisplay)
        if canvas is None:
            return None
        matrix, size = canvas
        look = self.layer.point_look
        place = self._places.find(self.layer, slab, VertexLayout.of(look, slab), look.size)
        view = point_view(matrix, size, slab, self.layer.reach)
        return None if view is None else (place, view, matrix)

    @property
    def _most_points(self) -> int:
        return self.layer.config.render.points

    def _plan_of(self, place: ShownPlace, view: PointView) -> tuple[Any, ...]:
        return (place.number, view, self._most_points, self.layer.density)

    def _plan(self, place: ShownPlace, view: PointView) -> None:
        """Choose nodes, and ask for those that are not there."""
        planned = self._plan_of(place, view)
        if planned == self._planned:
            return
        if self.layer.reloads != self._reloads:
            self._reloads = self.layer.reloads
            self.client.replace([])  # what has failed would stay so while it is on the list
        gap = 2.0**self.layer.config.render.level_bias
        if shows_only_density(self.layer, place):
            self.selection = NodeSelection.nothing()
        else:
            self.selection = select_nodes(place.source.table, view, self._most_points, gap)
        self.plans += 1
        chosen = place.source.table.counts[self.selection.rows]
        self._selected_points = float(chosen.sum()) * self.selection.share
        anew = bool(self._planned) and self._planned[0] != place.number
        self._planned = planned
        vram_bytes = self.layer.config.memory.vram_bytes
        self._nodes.want(place, self.selection.rows, self._most_points, vram_bytes, anew)

    def _draw(self, place: ShownPlace, matrix: np.ndarray) -> None:
        """Say what is drawn."""
        place, keys, placed_nodes = self._nodes.to_draw(place)
        self._drawn_share = self.quality.share
        share = self.selection.share * self._drawn_share
        nodes, total = _shown(place, keys, placed_nodes, matrix, share)
        self.shown_points = total
        optics = optics_of(self.node, matrix)
        self.node.set_nodes(nodes, optics)
        dot = self.node.dot(optics, *mean_colours(self.layer))
        pixels = _square(self.node, matrix)
        chosen = self.selection
        frame = density_frame(self.layer, place, chosen, share, matrix, pixels, dot)
        self._notice.report(self.node, self.node.set_density(frame))
        self.shows_density = frame is not None

    def _show_nothing(self) -> None:
        if self._planned:
            self.client.replace([])
        self._planned, self._view = (), None
        self.selection = NodeSelection.nothing()
        self._nodes.clear()
        self.shown_points = 0
        self.node.set_nodes((), optics_of(self.node, np.eye(4)))
        self.node.set_density(None)
        self._notice.close()
        self.shows_density = False

    @property
    def _upload_ms(self) -> float:
        if self._finishing or self.layer.config.loader_defaults.force_synchronous:
            return UNHURRIED_MS
        render = self.layer.config.render
        return render.upload_ms_moving if self._moving else render.upload_ms

    def foresee(self) -> None:
        """Nothing: what a first frame needs is found in it."""

    def finish(self, wait: Callable[[], bool]) -> bool:
        """Load and draw all that the camera shows at its best, inside this draw: an export."""
        self._finishing = True
        try:
            self.rest()
            self.prepare(time.perf_counter())
            self.rest()
            self.prepare(time.perf_counter())
            return complete(self, wait)
        finally:
            self._finishing = False

    def drawn(self) -> None:
        """The frame that is under way, if any, has been drawn: learn what it cost."""
        if self.node.canvas is None or not self.frame_pace.under_way:
            return
        _vispy.finish(self.node.canvas)
        self.quality.drawn(self.frame_pace.end(time.perf_counter()))

    def rest(self) -> bool:
        """Nothing moves: all points from now on. Returns whether to draw again."""
        self.client.pace = Pace.STEADY
        self._moving = False
        reduced = self._drawn_share < 1
        self.quality.rested()
        return reduced

    def refine(self, now: float) -> int:
        """Draw what has arrived soon; where frames are expensive, upload it until then."""
        self.drawn()  # what a frame has cost is to be known first
        if self._wait_ms(now) > 0:
            _vispy.make_current(self.node.canvas)
            self._nodes.upload(self.budget, self._upload_ms)
        return self._wait_ms(now)

    def _wait_ms(self, now: float) -> int:
        """How long a frame waits; not at all without a picture, nor if nothing is to come."""
        loading = self.client.pending or self.client.ready or self.more
        return self.frame_pace.wait_ms(now) if loading and self._nodes.resident else 0

    def compile_ahead(self) -> bool:
        """Which program it is depends on the points that are in view."""
        return False

    def grow(self) -> bool:
        """It has what it needs."""
        return False

    def edited(self, box: tuple[tuple[int, int], ...]) -> None:
        """Points are not painted."""

    def pause(self) -> None:
        """Want nothing of the loader until the next frame: the layer is hidden."""
        self.client.replace([])
        self._planned = ()
        self._nodes.more = False
        self._notice.close()

    def configure(self) -> None:
        """Go by the layer's configuration of now, and ask the loader for everything anew."""
        self.client.replace([])
        self._nodes.failed.clear()
        self._planned = ()

    def leave(self) -> None:
        """Another dimension is shown: want nothing, hold nothing."""
        self._show_nothing()
        self._nodes.close()

    def close(self) -> None:
        """Stop loading and let go of the GPU's memory."""
        self.client.close()
        self._nodes.close()
        self._notice.close()

    def _send(self) -> None:
        _vispy.flush(self.node.canvas.context)

    # ------------------------------------------------------------------- state

    @property
    def is_current(self) -> bool:
        """What was drawn last is what the camera shows now."""
        if _vispy.ndisplay_of(self.layer) != self._ndisplay:
            return True
        found = self._see()
        if found is None:
            return self._view is None
        place, view, _ = found
        return self._planned == self._plan_of(place, view)

    @property
    def settled(self) -> bool:
        """Every selected node of what the camera shows now is drawn, with all its points."""
        return self._complete and self._drawn_share == 1 and self.is_current

    @property
    def _complete(self) -> bool:
        return self.frames > 0 and self._nodes.is_complete

    @property
    def stuck(self) -> bool:
        """Not settled, and nothing more will come by itself: reads have failed."""
        return self.in_vain and self.is_current

    @property
    def in_vain(self) -> bool:
        """The last frame is not complete, and nothing more will come by itself."""
        return bool(self._nodes.failed) and not self.client.pending and not self.more

    @property
    def whole(self) -> bool:
        """Nothing that is shown stands in for something else."""
        return self._nodes.is_complete

    @property
    def covered(self) -> bool:
        """No place of the view is blank that will be filled."""
        nodes = self._nodes
        return not nodes.stands_in and (nodes.resident > 0 or not nodes.wanted)

    @property
    def moving(self) -> bool:
        """The view is being moved right now."""
        return self._moving

    @property
    def more(self) -> bool:
        """The next frame would show more."""
        return self._nodes.more

    @property
    def again_ms(self) -> float | None:
        """Nothing happens without a reason."""
        return None

    @property
    def rest_ms(self) -> int:
        """How long nothing must change until the view is at rest."""
        return self.quality.rest_ms

    # ------------------------------------------------------------- for the layer

    @property
    def state(self) -> object:
        """Another value whenever the layer should be told."""
        return (self.progress, self.settled, self.shown_points)

    @property
    def view(self) -> VolumeView | None:
        """What the last frame showed, in data coordinates."""
        return None if self._view is None else self._view.view

    @property
    def level(self) -> int:
        """The depth of the deepest node of the last plan, counted from the deepest of all."""
        rows = self.selection.rows
        if not len(rows):
            return 0
        depths = self.layer.points_source.table.depths
        if rows.max() >= len(depths):
            return 0
        return int(depths.max() - depths[rows].max())

    levels: tuple[int, ...] = ()
    ring = (0, 0)  # points have no tiles to outline

    @property
    def progress(self) -> OctreeProgress:
        """Nodes of the last plan."""
        nodes = self._nodes
        ideal, resident, failed = len(nodes.wanted), nodes.resident, len(nodes.failed)
        return OctreeProgress(ideal, resident, max(ideal - resident - failed, 0), failed)

    @property
    def statistics(self) -> ViewStatistics:
        """Counts so far."""
        counted = self.budget.statistics(self.frames, self.plans)
        slots, used, nbytes = self._nodes.slots
        return replace(counted, slots=slots, resident=used, vram_bytes=nbytes, level=self.level)

    @property
    def shown_part(self) -> float:
        """How many of the points in view are drawn, of one; by the boxes of their nodes."""
        total = self.selection.in_view
        return min(self.shown_points / total, 1.0) if total and self.shown_points else 1.0

    @property
    def data_per_pixel(self) -> float:
        """How long a pixel of the canvas is in data units, at the depth of the focus."""
        view = self._view
        if view is None:
            return 0.0
        pixels = float(Projection.of(view.view).focus_pixels.max())
        return 1 / pixels if pixels else 0.0

    @property
    def shown_nodes(self) -> tuple[int, ...]:
        """Rows of the nodes that are drawn (any thread)."""
        drawn = self._nodes.drawn
        if drawn is None or drawn[0].source is not self.layer.points_source:
            return ()
        return tuple(key.node for key in drawn[1])

    @property
    def residency(self) -> Residency:
        """Nodes of the present slab, each by its level, 0 the deepest, and its row."""
        place = self._places.current
        return Residency() if place is None else self._nodes.residency(place)

    @property
    def shown_bricks(self) -> frozenset[ChunkKey]:
        """None: these are no bricks."""
        return frozenset()

    @property
    def failed_bricks(self) -> frozenset[ChunkKey]:
        """None: these are no bricks."""
        return frozenset()


def _square(node: Any, matrix: np.ndarray) -> float:
    """Framebuffer pixels of a square data unit, in a flat view."""
    width, height = _vispy.viewport_size(node.canvas)
    return abs(float(np.linalg.det(matrix[:2, :2]))) * width * height / 4


def _shown(
    place: ShownPlace,
    keys: Sequence[NodeKey],
    placed_nodes: Sequence[PlacedNode],
    matrix: np.ndarray,
    share: float,
) -> tuple[list[DrawnNode], int]:
    """Return a share of each node as it is drawn, and how many points that is."""
    middle, half = place.box(np.array([key.node for key in keys], np.int64))
    matrices = np.zeros((len(keys), 4, 4))
    matrices[:, [0, 1, 2], [0, 1, 2]] = half
    matrices[:, 3, :3] = middle
    matrices[:, 3, 3] = 1
    matrices = (matrices @ matrix).astype(np.float32)
    nodes, total = [], 0
    for placed, to_clip in zip(placed_nodes, matrices, strict=True):
        count = placed.count if share == 1 else math.ceil(placed.count * share)
        if count:
            nodes.append(DrawnNode(placed.first, count, to_clip))
            total += count
    return nodes, total
