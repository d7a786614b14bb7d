"""LayerView: how one viewer shows one layer: its frames and timers, and what the layer is told.

Invariants: GUI thread only, but for the bricks that are shown. Nothing raises in a draw: after an
error nothing is drawn any more, and nothing loaded. Another frame is asked for only while
something is left to do or the camera moves: settled means no frames and no timers. Knows no kind
of layer: what a frame does is told by the drawings.
"""

from __future__ import annotations

import functools
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Set
from typing import Any

from qtpy.QtCore import QTimer

from napari_octree.layers.main_loop import MAIN_LOOP
from napari_octree.layers.views.progress import OctreeProgress
from napari_octree.layers.views.residency import Residency
from napari_octree.layers.views.statistics import ViewStatistics
from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.octree.view import View, VolumeView
from napari_octree.rendering import _vispy
from napari_octree.rendering.canvas.axis_tooltips import AxisTooltips
from napari_octree.rendering.canvas.exports import MOST_WAIT_S, Exports, exports_of
from napari_octree.rendering.canvas.idle_collector import IDLE_COLLECTOR
from napari_octree.rendering.canvas.level_legend import LevelNotice
from napari_octree.rendering.canvas.loading_sign import LoadingNotice
from napari_octree.rendering.canvas.own_context import guard_context
from napari_octree.rendering.canvas.playback_gate import PlaybackGate
from napari_octree.rendering.canvas.programs_ahead import PROGRAMS_AHEAD
from napari_octree.rendering.canvas.status_refresh import StatusRefresh
from napari_octree.rendering.drawing import DrawContext, Drawing
from napari_octree.rendering.gpu.node_matrices import viewbox_of
from napari_octree.rendering.gpu.texture_encoding import TextureEncoding
from napari_octree.rendering.layer_like import LayerLike
from napari_octree.rendering.view.rest_timer import RestTimer

MakeDrawing = Callable[[DrawContext[Any]], Drawing]


class LayerView:
    """One viewer's view of one layer.

    Parameters
    ----------
    layer : LayerLike
    texels : TextureEncoding
        Of the layer's type.
    make_tiles, make_volume : callable
        Make the drawing in 2-D (at once) and in 3-D (when it is first shown).
    """

    def __init__(
        self,
        layer: LayerLike,
        texels: TextureEncoding,
        make_tiles: MakeDrawing,
        make_volume: MakeDrawing,
    ) -> None:
        self.layer = layer
        self._texels = texels
        self._make_volume = make_volume
        self._closed = False
        self._broken = False
        self._reported: object = None
        this = weakref.ref(self)

        def draw() -> None:
            if (view := this()) is not None:
                view._refine()

        arrived = self._arrived = threading.Event()

        def wake() -> None:
            arrived.set()
            MAIN_LOOP.post(draw)

        self._wake = wake
        self._exports: Exports | None = None
        self.volume: Drawing | None = None
        self.tiles = self._made(make_tiles, _vispy.get_max_texture_sizes()[0] or 4096)
        self._notice = LoadingNotice(draw)
        self._legend = LevelNotice()
        self._play = PlaybackGate(self._play_waits)
        self._status = StatusRefresh(layer)
        self._axis_tooltips = AxisTooltips(layer)
        self._rest = RestTimer(self._on_rest)
        self._patience = QTimer()
        self._patience.setSingleShot(True)
        self._patience.timeout.connect(self._refine)  # others' frames may have shown it
        self._enter_collector()

    def _enter_collector(self) -> None:
        if self.layer.config.render.collect_when_idle:
            IDLE_COLLECTOR.enter(self)
        else:
            IDLE_COLLECTOR.leave(self)

    def _made(self, make: MakeDrawing, max_side: int) -> Drawing:
        client = self.layer.loader.open(self._wake)
        context = DrawContext(self.layer, self._texels, client, self._on_prepare, max_side)
        drawing = make(context)
        drawing.node.events.canvas_change.connect(self._on_canvas)
        drawing.node.events.parent_change.connect(self._on_parent)
        return drawing

    def _on_canvas(self, event: Any) -> None:
        """The node is drawn in another canvas from now on, or in none."""
        if event.new is not None and not self._closed:
            guard_context(event.new)
            self._exports = exports_of(event.new)
            self._exports.views.add(self)

    def _on_parent(self, event: Any) -> None:
        """Let the first frame find much: napari makes the layer's controls before it."""
        if self._broken or not self.layer.visible or viewbox_of(self.drawing.node) is None:
            return
        try:
            self.drawing.foresee()
        except Exception as error:  # as in a draw
            self._stop(error)

    # ---------------------------------------------------------------- drawings

    def show(self, ndisplay: int) -> Drawing:
        """The drawing for so many displayed axes, made where it is not there yet."""
        if ndisplay == 2:
            return self.tiles
        if self.volume is None:
            most = _vispy.get_max_texture_sizes()[1] or 2048
            self.volume = self._made(self._make_volume, most)
        return self.volume

    @property
    def drawing(self) -> Drawing:
        """The drawing that is shown."""
        if self.volume is not None and self._is_volume:
            return self.volume
        return self.tiles

    @property
    def _is_volume(self) -> bool:
        return _vispy.ndisplay_of(self.layer) == 3

    @property
    def node(self) -> Any:
        """What vispy draws."""
        return self.drawing.node

    def turned(self) -> None:
        """The number of displayed axes may have changed: free what is not shown."""
        if _vispy.ndisplay_of(self.layer) != 2:
            self.tiles.leave()
        if self.volume is not None and not self._is_volume:
            self.volume.leave()

    def visible_changed(self) -> None:
        """A hidden layer starts nothing new; shown again, its next frame asks anew."""
        if self.layer.visible:
            self.request_frame()
            return
        self._rest.stop()
        self._patience.stop()
        self._notice.report(self.node, False, False)
        self._legend.hide()
        self.drawing.pause()
        self.layer.tell_progress()

    def close(self) -> None:
        """Stop loading and let go of the GPU's memory."""
        self._closed = True
        IDLE_COLLECTOR.leave(self)
        if self._exports is not None:
            self._exports.views.discard(self)
        self._rest.stop()
        self._patience.stop()
        self._notice.close()
        self._legend.hide()
        self._play.close()
        self._status.close()
        self._axis_tooltips.close()
        self.layer.detach_view(self)
        self.tiles.close()
        if self.volume is not None:
            self.volume.close()

    # --------------------------------------------------------------- the frame

    def _on_prepare(self, node: Any) -> None:
        """Do the work of a frame, inside the draw."""
        if self._closed or self._broken:
            return
        try:
            drawing = self.drawing
            if node is drawing.node:  # else the last draw of a node that has been replaced
                self._prepare(drawing)
        except Exception as error:  # the draw path must not raise: napari would lose the canvas
            self._stop(error)

    def _stop(self, error: Exception) -> None:
        """Draw nothing any more, and free what has been loaded for it."""
        self._broken = True
        for drawing in (self.tiles, self.volume):
            if drawing is not None:
                drawing.client.close()
        message = f"{self.layer.name}: drawing has stopped: {type(error).__name__}: {error}"
        MAIN_LOOP.post(functools.partial(_raise_later, error, message))

    def _prepare(self, drawing: Drawing) -> None:
        self._show_levels(drawing)
        deadline = None if self._exports is None else self._exports.deadline()
        if deadline is not None:
            self._finish(drawing, deadline)
        elif drawing.prepare(time.perf_counter()):
            self._rest.start(drawing.rest_ms)
            IDLE_COLLECTOR.moved()
        canvas = drawing.node.canvas
        if drawing.more:
            _vispy.when_idle(canvas, self._refine)
        elif (again_ms := drawing.again_ms) is not None:
            self._patience.start(int(again_ms) + 1)
        if drawing.ring[0]:
            self._legend.tell(drawing.levels)
        self._play.attach(canvas)
        self._status.attach(canvas)
        self._axis_tooltips.attach(canvas)
        self._report()

    def _show_levels(self, drawing: Drawing) -> None:
        """Have the drawing colour its levels, with a legend, if that is asked for."""
        if not self.layer.display.tint_levels:
            drawing.ring = (0, 0)
            self._legend.hide()
        else:
            drawing.ring = self._legend.show(drawing.node, drawing.levels)

    def _finish(self, drawing: Drawing, deadline: float) -> None:
        """Draw all of an exported picture, waiting for it until `deadline`."""

        def wait() -> bool:
            remaining = deadline - time.perf_counter()
            if remaining > 0:
                self._arrived.wait(min(remaining, MOST_WAIT_S))
                self._arrived.clear()
            return remaining > 0

        if not drawing.finish(wait):
            _warn(
                f"{self.layer.name}: the exported picture is coarser than it should be: not "
                f"everything could be loaded within {self.export_timeout_s:g} s "
                "(see render.export_timeout_s)"
            )

    @property
    def export_timeout_s(self) -> float:
        """How long an exported picture waits for its pixels."""
        return self.layer.config.render.export_timeout_s

    @property
    def is_current(self) -> bool:
        """What was drawn last is what the camera shows now."""
        drawn = self.layer.visible and not (self._closed or self._broken)
        return not drawn or self.drawing.is_current

    def begin_export(self) -> None:
        """Ask for what the camera shows now, at rest."""
        if not self.layer.visible or self._closed or self._broken:
            return
        try:
            drawing = self.drawing
            drawing.prepare(time.perf_counter())
            drawing.rest()
        except Exception as error:  # as in a draw of its own
            self._stop(error)

    def _play_waits(self) -> bool:
        """Whether a playing slider is to stay where it is, until what is blank has come."""
        wanted = self.layer.display.play == "wait" and self.layer.visible and not self._closed
        return wanted and not self.drawing.covered

    def _on_rest(self) -> None:
        if self._closed:
            return
        if self.drawing.rest():
            self.request_frame()
        else:
            self._report()  # resting may have settled it, without a frame
        IDLE_COLLECTOR.rests()
        PROGRAMS_AHEAD.enter(self)
        self.layer.tell_progress()  # a layer at rest does what it does not while it moves

    def compile_ahead(self) -> bool:
        """Have GL make what is not drawn yet, if nothing moves. Returns whether it took time."""
        drawing = self.drawing
        if self._closed or self._broken or not self.layer.visible or drawing.moving:
            return False
        try:
            return drawing.compile_ahead()
        except Exception as error:  # as in a draw
            self._stop(error)
            return True

    def _report(self) -> None:
        """Tell the layer if what is shown, or how much of it, has changed."""
        drawing = self.drawing
        if drawing.grow():
            _vispy.when_idle(drawing.node.canvas, self.request_frame)
        waits = not drawing.whole and self.layer.display.show_loading
        self._notice.report(drawing.node, waits, drawing.in_vain, drawing.moving)
        state = drawing.state
        if state != self._reported:
            self._reported = state
            self.layer.tell_progress()
            if not drawing.moving and drawing.whole:
                IDLE_COLLECTOR.rests()

    def _refine(self) -> None:
        """Draw what has arrived; where frames are expensive, more of it at a time."""
        if self._closed:
            return
        drawing = self.drawing
        wait_ms = drawing.refine(time.perf_counter())
        if wait_ms <= 0:
            self._patience.stop()  # for what it waited is drawn now
            self.request_frame()
            return
        if drawing.more:
            _vispy.when_idle(drawing.node.canvas, self._refine)
        if not self._patience.isActive():
            self._patience.start(wait_ms)

    # ----------------------------------------------------------- for the layer

    def request_frame(self) -> None:
        """Draw again soon."""
        if not self._closed:
            self.node.update()

    def edited(self, box: tuple[tuple[int, int], ...]) -> None:
        """Show what was painted in a box of level 0, with the next frame."""
        for drawing in (self.tiles, self.volume):
            if drawing is not None:
                drawing.edited(box)

    def configure(self) -> None:
        """Go by the layer's configuration and loader of now, from the next frame on."""
        if self._closed or self._broken:
            return
        for drawing in (self.tiles, self.volume):
            if drawing is not None:
                drawing.client.follow(self.layer.loader)
                drawing.configure()
        self._enter_collector()
        self.request_frame()

    @property
    def settled(self) -> bool:
        """Every ideal chunk of what the camera shows now is drawn."""
        return self.drawing.settled

    @property
    def stuck(self) -> bool:
        """Not settled, and nothing more will come by itself."""
        return self._broken or self.drawing.stuck

    @property
    def moving(self) -> bool:
        """The view is being moved right now."""
        return self.drawing.moving

    @property
    def view(self) -> View | VolumeView | None:
        """What the last frame showed, in octree coordinates; None before the first."""
        return self.drawing.view

    @property
    def level(self) -> int:
        """The ideal level of the last plan."""
        return self.drawing.level

    @property
    def residency(self) -> Residency:
        """What of the present slice is on the GPU, and what could not be read."""
        return self.drawing.residency

    @property
    def levels(self) -> tuple[int, ...]:
        """Those of which something is drawn, finest first."""
        return self.drawing.levels

    @property
    def shown_bricks(self) -> Set[ChunkKey]:
        """What a 3-D view shows of the current slice (any thread)."""
        return self.drawing.shown_bricks

    @property
    def failed_bricks(self) -> Set[ChunkKey]:
        """What of the current slice a 3-D view could not load (any thread)."""
        return self.drawing.failed_bricks

    @property
    def progress(self) -> OctreeProgress:
        """Chunks of the last plan."""
        return self.drawing.progress

    @property
    def statistics(self) -> ViewStatistics:
        """Counts so far."""
        return self.drawing.statistics


def _warn(message: str) -> None:
    """Warn at once, as a script may not run the event loop; where that raises, later."""
    try:
        warnings.warn(message, RuntimeWarning, stacklevel=2)
    except RuntimeWarning:
        MAIN_LOOP.post(functools.partial(warnings.warn, message, RuntimeWarning))


def _raise_later(error: BaseException, message: str) -> None:
    """Let the user know through napari's notifications, outside of the draw."""
    warnings.warn(message, RuntimeWarning, stacklevel=1)
    raise error
