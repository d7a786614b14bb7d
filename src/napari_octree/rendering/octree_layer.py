"""VispyOctreeImage: how one viewer draws one `OctreeImage`.

Invariants: the work of a frame is done in the draw itself (`_on_prepare`), where the
transforms are the ones drawn with and a GL context is current; nothing raises there. Another
frame is asked for only while something is left to upload or the camera moves: settled means no
frames and no timers. What a frame does is told by its two halves, `TileDrawing` and
`VolumeDrawing`; here are napari's seams, the timers, and what the layer is told.
"""

from __future__ import annotations

import functools
import time
import warnings
import weakref
from typing import Any

import numpy as np
from qtpy.QtCore import QTimer

from napari_octree.layers.image.octree_image import OctreeImage
from napari_octree.layers.main_loop import MAIN_LOOP
from napari_octree.layers.views.progress import OctreeProgress
from napari_octree.layers.views.statistics import ViewStatistics
from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.rendering import _vispy
from napari_octree.rendering.draw_context import DrawContext
from napari_octree.rendering.gpu.texture_encoding import texture_encoding
from napari_octree.rendering.loading_sign import LoadingNotice
from napari_octree.rendering.octree_nodes import OctreeNodes
from napari_octree.rendering.playback_gate import PlaybackGate
from napari_octree.rendering.qt_loop import attach_qt_loop
from napari_octree.rendering.status_refresh import StatusRefresh
from napari_octree.rendering.tiles.atlas.texture_atlas_2d import TextureAtlas2D
from napari_octree.rendering.tiles.tile_drawing import TileDrawing
from napari_octree.rendering.tiles.tiled_image import TiledImageVisual
from napari_octree.rendering.view.rest_timer import RestTimer
from napari_octree.rendering.volume.brick_frame import ShownBricks
from napari_octree.rendering.volume.brick_volume import BrickVolume
from napari_octree.rendering.volume.texture_atlas_3d import TextureAtlas3D
from napari_octree.rendering.volume.volume_drawing import VolumeDrawing


class VispyOctreeImage(_vispy.VispyImageLayer):
    """Draws an `OctreeImage` in one viewer.

    Parameters
    ----------
    layer : OctreeImage
    """

    layer: OctreeImage
    _world_to_layer_units_scale: tuple[float, ...]

    def __init__(
        self, layer: OctreeImage, node: Any = None, texture_format: str = "auto", **keywords: Any
    ) -> None:
        attach_qt_loop()
        self._closed = False
        self._broken = False
        self._reported: tuple[Any, ...] = ()
        this = weakref.ref(self)

        def draw() -> None:
            if (view := this()) is not None:
                view._refine()

        def wake() -> None:
            MAIN_LOOP.post(draw)

        texels = texture_encoding(layer.dtype, layer.data.shape[-1] if layer.rgb else 1)

        def drawn(max_side: int) -> DrawContext:
            return DrawContext(layer, texels, layer.loader.open(wake), self._on_prepare, max_side)

        def make_volume() -> VolumeDrawing:
            return VolumeDrawing(drawn(self.MAX_TEXTURE_SIZE_3D or 2048))

        self._tiles = TileDrawing(drawn(_vispy.get_max_texture_sizes()[0] or 4096))
        self._notice = LoadingNotice(draw)
        self._play = PlaybackGate(self._play_waits)
        self._status = StatusRefresh(layer)
        self._rest = RestTimer(self._on_rest)
        self._patience = QTimer()
        self._patience.setSingleShot(True)
        self._patience.timeout.connect(self.request_frame)
        super().__init__(
            layer,
            node=node,
            texture_format=texture_format,
            layer_node_class=functools.partial(
                OctreeNodes, layer=layer, tiles=self._tiles, make_volume=make_volume
            ),
            **keywords,
        )
        layer.attach_view(self)

    # ------------------------------------------------------------ napari's seams

    def _on_data_change(self) -> None:
        ndisplay = self.layer._slice_input.ndisplay
        node = self._layer_node.get_node(ndisplay)
        if ndisplay == 3 and self._volume is None:
            data = _vispy.fix_data_dtype(self.layer._data_view)
            rank = data.ndim - len(self.layer._colour_axis)
            data = data.reshape((1,) * (3 - rank) + data.shape)
            data = self.downsample_texture(data, self.MAX_TEXTURE_SIZE_3D)
        else:
            data = None
        if node is not self.node:
            self._on_display_change(data)
        elif data is not None:
            node.set_data(data)
        if ndisplay == 2:
            rows, columns = self._displayed_shape()
            node.size = (columns, rows)
            if self._layer_node.volume is not None:
                self._layer_node.volume.leave()
        else:
            self._tiles.leave()
        node.visible = self.layer.visible
        self._on_matrix_change()
        node.update()

    @property
    def _volume(self) -> VolumeDrawing | None:
        """The 3-D half, while it is what is shown."""
        shown = self.layer._slice_input.ndisplay == 3 and self.layer.ndim > 2
        return self._layer_node.volume if shown else None

    @property
    def _half(self) -> TileDrawing | VolumeDrawing:
        """The half that is shown."""
        return self._volume or self._tiles

    def _on_contrast_limits_change(self) -> None:
        if self.node is self._tiles.node:
            self._tiles.set_limits()
        elif (volume := self._volume) is not None:
            # napari's own takes narrow limits for others, to which it has scaled the data.
            volume.set_limits()
        else:
            super()._on_contrast_limits_change()

    def _on_iso_threshold_change(self) -> None:
        """Place the surface of a volume."""
        if (volume := self._volume) is not None:
            volume.place_threshold()
        else:
            super()._on_iso_threshold_change()

    def _displayed_shape(self) -> tuple[int, int]:
        shape = self.layer.level_shapes[0]
        rows, columns = (int(shape[a]) for a in self.layer._slice_input.displayed[-2:])
        return rows, columns

    def _on_matrix_change(self) -> None:
        """Place the node in level-0 coordinates, whatever level it shows.

        As napari's own, but for what it derives from `data_level` and `corner_pixels`, which
        have no meaning here.
        """
        layer = self.layer
        displayed = layer._slice_input.displayed
        if len(self._world_to_layer_units_scale) != layer.ndim:
            self._world_units = layer.units
            self._world_to_layer_units_scale = (1,) * layer.ndim
        transform = layer._data_to_world.set_slice(displayed)
        units = np.array([self._world_to_layer_units_scale[a] for a in displayed][::-1], float)
        rank = len(displayed)
        affine = np.eye(4)
        affine[:rank, :rank] = transform.linear_matrix[::-1, ::-1].T * units
        affine[3, :rank] = transform.translate[::-1] * units
        to_data = np.eye(4)
        if layer._slice_input.ndisplay == 2:
            # Node coordinates are pixel areas; data coordinates have their origin at the centre
            # of the first pixel.
            to_data[3, :rank] = -0.5
        elif self._volume is None:
            octree_slice = layer.octree_slice
            if octree_slice is not None and len(octree_slice.octree.extent) == rank:
                coarsest = octree_slice.octree.levels[-1].transform
                factor = np.array(coarsest.factor[::-1])
                to_data[range(rank), range(rank)] = factor
                to_data[3, :rank] = (factor - 1) / 2 + np.array(coarsest.translation[::-1])
        self._master_transform.matrix = to_data @ affine
        # Overlays are children of the node, but in data coordinates.
        from_data = np.linalg.inv(to_data)
        for child in self.node.children:
            child.transform.matrix = from_data

    def close(self) -> None:
        """Stop loading and let go of the GPU's memory."""
        self._closed = True
        self._rest.stop()
        self._patience.stop()
        self._notice.close()
        self._play.close()
        self._status.close()
        self.layer.detach_view(self)
        self._tiles.close()
        if self._layer_node.volume is not None:
            self._layer_node.volume.close()
        super().close()

    # --------------------------------------------------------------- the frame

    def _on_prepare(self, node: TiledImageVisual | BrickVolume) -> None:
        """Do the work of a frame, inside the draw."""
        if self._closed or self._broken:
            return
        try:
            half = self._tiles if node is self._tiles.node else self._volume
            if half is not None:  # else the last draw of a node that has been replaced
                self._prepare(half)
        except Exception as error:  # the draw path must not raise: napari would lose the canvas
            self._broken = True
            message = f"{self.layer.name}: drawing has stopped: {type(error).__name__}: {error}"
            MAIN_LOOP.post(functools.partial(_raise_later, error, message))

    def _prepare(self, half: TileDrawing | VolumeDrawing) -> None:
        if half.prepare(time.perf_counter()):
            self._rest.start(half.rest_ms)
        canvas = half.node.canvas
        if isinstance(half, VolumeDrawing):
            _vispy.when_idle(canvas, half.drawn)
        if half.frame.more:
            _vispy.when_idle(canvas, self._refine)
        elif isinstance(half, TileDrawing) and half.wait_ms is not None:
            self._patience.start(int(half.wait_ms) + 1)
        self._play.attach(canvas)
        self._status.attach(canvas)
        self._report()

    def _play_waits(self) -> bool:
        """Whether a playing slider is to stay where it is, until what is blank has come."""
        wanted = self.layer.display.play == "wait" and self.layer.visible and not self._closed
        return wanted and self._volume is None and not self._tiles.frame.covered

    def _on_rest(self) -> None:
        if self._closed:
            return
        if self._half.rest():
            self.request_frame()
        else:
            self._report()  # resting may have settled it, without a frame
        self.layer._tell_progress()  # a layer at rest does what it does not while it moves

    def _report(self) -> None:
        """Tell the layer if what is shown, or how much of it, has changed."""
        half = self._half
        if half is self._tiles and self._tiles.grow():
            self.request_frame()
        waits = not half.whole and self.layer.display.show_loading
        self._notice.report(self.node, waits, half.frame.stuck)
        state = half.state
        if state != self._reported:
            self._reported = state
            self.layer._tell_progress()

    # ----------------------------------------------------------- for the layer

    def _refine(self) -> None:
        """Draw what has arrived; where frames are expensive, more of it at a time."""
        if self._closed:
            return
        volume = self._volume
        wait_ms = 0 if volume is None else volume.wait_ms(time.perf_counter())
        if volume is None or wait_ms <= 0:
            self.request_frame()
            return
        volume.upload()
        if volume.frame.more:
            _vispy.when_idle(self.node.canvas, self._refine)
        if not self._patience.isActive():
            self._patience.start(wait_ms)

    def request_frame(self) -> None:
        """Draw again soon."""
        if not self._closed:
            self.node.update()

    @property
    def settled(self) -> bool:
        """Every ideal chunk of what the camera shows now is drawn."""
        return self._half.settled

    @property
    def stuck(self) -> bool:
        """Not settled, and nothing more will come by itself."""
        return self._broken or self._half.stuck

    @property
    def moving(self) -> bool:
        """The view is being moved right now."""
        return self._half.moving

    @property
    def level(self) -> int:
        """The ideal level of the last plan."""
        return self._half.frame.level

    @property
    def shown_bricks(self) -> frozenset[ChunkKey]:
        """What a 3-D view shows of the current slice (any thread)."""
        shown = self._shown
        return frozenset() if shown is None else frozenset(shown.keys)

    @property
    def failed_bricks(self) -> frozenset[ChunkKey]:
        """What of the current slice a 3-D view could not load (any thread)."""
        shown = self._shown
        return frozenset() if shown is None else frozenset(shown.failed)

    @property
    def _shown(self) -> ShownBricks | None:
        volume = self._volume
        return None if volume is None or volume.frame.stale else volume.frame.shown

    @property
    def progress(self) -> OctreeProgress:
        """Chunks of the last plan."""
        return self._half.frame.progress

    @property
    def statistics(self) -> ViewStatistics:
        """Counts so far."""
        half = self._half
        atlas: TextureAtlas2D | TextureAtlas3D = half.node.atlas
        budget = half.budget
        return ViewStatistics(
            frames=half.frames,
            plans=half.frame.plans,
            uploads=budget.uploads,
            upload_bytes=budget.upload_bytes,
            upload_ms=budget.upload_ms,
            longest_upload_ms=budget.longest_ms,
            upload_check=budget.checked,
            over_budget=budget.over_budget,
            slots=atlas.slots.capacity,
            resident=len(atlas.slots),
            vram_bytes=atlas.nbytes,
            level=half.frame.level,
            buffered=half.frame.buffered if isinstance(half, TileDrawing) else None,
        )


def _raise_later(error: BaseException, message: str) -> None:
    """Let the user know through napari's notifications, outside of the draw."""
    warnings.warn(message, RuntimeWarning, stacklevel=1)
    raise error
