"""VispyOctreeImage: how one viewer draws one `OctreeImage`.

Invariants: the work of a frame is done in the draw itself (`_prepare_draw`), where the
transforms are the ones drawn with and a GL context is current; nothing raises there. Another
frame is asked for only while something is left to upload or the camera moves: settled means no
frames and no timers. 3-D has its own half, `VolumeDrawing`; data of two axes are shown there
by napari's own volume node, from the overview.
"""

from __future__ import annotations

import functools
import time
import warnings
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from qtpy.QtCore import QTimer

from napari_octree.layers.main_loop import MAIN_LOOP
from napari_octree.layers.octree_image import OctreeImage
from napari_octree.layers.progress import OctreeProgress
from napari_octree.layers.slice_key import SliceKey
from napari_octree.layers.statistics import ViewStatistics
from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.octree.motion import AT_REST, Motion
from napari_octree.octree.view import View
from napari_octree.rendering import _vispy
from napari_octree.rendering.atlas_lease import AtlasLease
from napari_octree.rendering.brick_frame import BrickFrame
from napari_octree.rendering.brick_volume import BrickVolume
from napari_octree.rendering.loading_sign import LoadingNotice
from napari_octree.rendering.qt_loop import attach_qt_loop
from napari_octree.rendering.quads import no_quads
from napari_octree.rendering.texture_atlas_2d import TextureAtlas2D
from napari_octree.rendering.texture_atlas_3d import TextureAtlas3D
from napari_octree.rendering.texture_encoding import (
    TextureEncoding,
    encoding_for_limits,
    texture_encoding,
)
from napari_octree.rendering.tile_frame import TileFrame
from napari_octree.rendering.tiled_image import TiledImage, TiledImageVisual
from napari_octree.rendering.upload_budget import UploadBudget
from napari_octree.rendering.view_2d import view_from_matrix
from napari_octree.rendering.view_motion import ViewMotion
from napari_octree.rendering.volume_drawing import VolumeDrawing

REST_MS, MOST_REST_MS = 50, 200
"""The camera counts as moving until it has stood still for two frames, within these limits."""

RUSH_OCTAVES, RUSH_WIDTHS = 0.5, 5.0
"""Faster than this, per second, tiles leave the view before they were worth a read."""

FORMER_OPACITY = 0.4
"""Of a slice that is kept until the new one can be shown: it must not pass for the new one."""

FILTER_TEXELS = {"nearest": 0.0, "linear": 0.5}
"""How far an interpolation looks around a pixel; 4 for vispy's kernels."""


class OctreeNodes(_vispy.ScalarFieldLayerNode):
    """The nodes of a layer: tiles in 2-D, bricks in 3-D (made when first asked for)."""

    def __init__(
        self,
        custom_node: Any = None,
        texture_format: str | None = "auto",
        *,
        layer: OctreeImage,
        on_prepare: Any,
        make_volume: Callable[[TextureEncoding], VolumeDrawing],
    ) -> None:
        self._layer = layer
        self._make_volume = make_volume
        self.encoding: TextureEncoding = texture_encoding(
            layer.dtype, layer.data.shape[-1] if layer.rgb else 1
        )
        self.tiles = TiledImage(self.encoding, (1, 1), on_prepare)
        self.volume: VolumeDrawing | None = None
        self._flat: Any = None

    def get_node(self, ndisplay: int, dtype: Any = None, shape: Any = None) -> Any:
        """Tiles in 2-D, bricks in 3-D, the overview where data of two axes are shown in 3-D."""
        if ndisplay == 2:
            return self.tiles
        if self._layer.ndim > 2:
            if self.volume is None:
                self.volume = self._make_volume(self.encoding)
            return self.volume.node
        if self._flat is None:
            self._flat = _vispy.Volume(
                np.zeros((1, 1, 1), dtype=np.float32), clim=[0, 1], texture_format="auto"
            )
        return self._flat


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
        self._drawn_view: View | None = None
        self._motion = ViewMotion()
        self._slice_key: SliceKey | None = None
        self._dims: Any = None
        self._moved_s = 0.0
        self._moving = False
        self._allocated: TextureAtlas2D | None = None
        self._frames = 0
        self._reported: tuple[Any, ...] = ()
        self._broken = False
        self._budget = UploadBudget()
        this = weakref.ref(self)

        def draw() -> None:
            if (view := this()) is not None:
                view._refine()

        def wake() -> None:
            MAIN_LOOP.post(draw)

        def make_volume(texels: TextureEncoding) -> VolumeDrawing:
            client = layer.loader.open(wake)
            max_side = self.MAX_TEXTURE_SIZE_3D or 2048
            return VolumeDrawing(layer, texels, client, self._on_prepare, max_side)

        self._client = layer.loader.open(wake)
        self._frame = TileFrame(self._client, layer.config, self._budget, self._send)
        max_side = _vispy.get_max_texture_sizes()[0] or 4096
        self._lease = AtlasLease(self._frame, layer.config, max_side)
        self._encoding: TextureEncoding | None = None
        self._frozen_level: int | None = None
        self._drawn_state: tuple[Any, ...] = ()
        self._notice = LoadingNotice(draw)
        self._rest = QTimer()
        self._rest.setSingleShot(True)
        self._rest.timeout.connect(self._on_rest)
        self._patience = QTimer()
        self._patience.setSingleShot(True)
        self._patience.timeout.connect(self.request_frame)
        super().__init__(
            layer,
            node=node,
            texture_format=texture_format,
            layer_node_class=functools.partial(
                OctreeNodes,
                layer=layer,
                on_prepare=self._on_prepare,
                make_volume=make_volume,
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
            self._frame.prepare(self._layer_node.tiles.atlas, None, None, 0.0)
            self._lease.release()
        node.visible = self.layer.visible
        self._on_matrix_change()
        node.update()

    @property
    def _volume(self) -> VolumeDrawing | None:
        """The 3-D half, while it is what is shown."""
        shown = self.layer._slice_input.ndisplay == 3 and self.layer.ndim > 2
        return self._layer_node.volume if shown else None

    def _on_iso_threshold_change(self) -> None:
        """Place the surface at its value in data units.

        napari's own takes the range of the limits' slider for that of the type.
        """
        volume = self._volume
        if volume is None:
            super()._on_iso_threshold_change()
        else:
            volume.node.threshold = volume.node.atlas.texture_value(self.layer.iso_threshold)

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
        self.layer.detach_view(self)
        self._client.close()
        if self._layer_node.volume is not None:
            self._layer_node.volume.close()
        self._lease.release()
        if self._dims is not None and self.node.canvas is not None:
            self.node.canvas.events.draw.disconnect(self._hold_play)
        super().close()

    # --------------------------------------------------------------- the frame

    def _on_prepare(self, node: TiledImageVisual | BrickVolume) -> None:
        """Do the work of a frame, inside the draw."""
        if self._closed or self._broken:
            return
        try:
            if isinstance(node, BrickVolume):
                self._prepare_volume()
            else:
                self._prepare(node)
        except Exception as error:  # the draw path must not raise: napari would lose the canvas
            self._broken = True
            message = f"{self.layer.name}: drawing has stopped: {type(error).__name__}: {error}"
            MAIN_LOOP.post(functools.partial(_raise_later, error, message))

    def _prepare(self, node: TiledImageVisual) -> None:
        now = time.perf_counter()
        to_viewbox, to_render, size, pixel_scale = _vispy.node_matrices(node)
        octree_slice = self.layer.octree_slice
        view = self._make_view(to_viewbox, size, pixel_scale)
        moved = view is not None and (
            self._drawn_view is None
            or view.corners != self._drawn_view.corners
            or view.slice != self._drawn_view.slice
        )
        if view is not None and octree_slice is not None and moved:
            before = self._slice_key or octree_slice.key
            self._slice_key = octree_slice.key
            motion = self._motion.observe(view, octree_slice.key, before, now)
            view = replace(view, motion=motion)
            self._moving = self._drawn_view is not None
            self._client.moving = self._moving and _rushes(motion, size, pixel_scale)
            # A slow frame must not pass for standing still.
            self._rest.start(int(np.clip(2e3 * (now - self._moved_s), REST_MS, MOST_REST_MS)))
            self._moved_s = now
        self._drawn_view = view
        tracked = self.layer.display.track_view and octree_slice is not None
        self._drawn_state = _state(to_viewbox, size, pixel_scale, octree_slice) if tracked else ()
        self._frames += 1
        reach, former = self._filter_reach, node.atlas
        atlas = self._lease.keep(
            node, self._encoding or self._layer_node.encoding, reach, size, pixel_scale
        )
        render = self.layer.config.render
        self._frame.former.keep = self.layer.display.keep_slice
        changed = self._frame.prepare(
            atlas,
            octree_slice if self.layer._slice_input.ndisplay == 2 else None,
            view,
            render.upload_ms_moving if self._moving else render.upload_ms,
            self._level_lock(),
            reach,
            self._motion.axis,
            self._moving,
        )
        if atlas is not self._allocated:
            # GL makes room when it is told to, not when it is asked: now, while tiles are read.
            self._allocated = atlas
            self._send()
        self._lease.show()
        opacity = self.layer.opacity * (FORMER_OPACITY if self._frame.former.shown else 1.0)
        if node.opacity != opacity:
            node.opacity = opacity
        if node.atlas is not former:
            self._place_limits()
        if changed:
            node.set_quads(self._frame.quads or no_quads())
        node.set_matrix(to_render)
        if view is not None:
            display = self.layer.display
            grid = _pixel_size(to_viewbox, pixel_scale) if display.show_grid else (0.0, 0.0)
            node.set_overlays(display.tint_levels, grid)
        if self._frame.more:
            _vispy.when_idle(self.node.canvas, self.request_frame)
        if self._dims is None and (dims := _vispy.dims_of(node.canvas)) is not None:
            self._dims = dims
            node.canvas.events.draw.connect(self._hold_play, position="last")
        self._report()

    def _hold_play(self, event: Any = None) -> None:
        """Keep a playing slider where it is; napari lets it go on after each frame."""
        if self.layer.display.play != "wait" or not self.layer.visible or self._closed:
            return
        if self._dims is not None and self._volume is None and not self._frame.covered:
            self._dims._play_ready = False

    def _prepare_volume(self) -> None:
        volume = self._volume
        if volume is None:  # the last draw of a node that has been replaced
            return
        if volume.prepare():
            self._rest.start(volume.quality.rest_ms)
        _vispy.when_idle(self.node.canvas, volume.drawn)
        if volume.frame.more:
            _vispy.when_idle(self.node.canvas, self.request_frame)
        self._report()

    def _make_view(
        self, to_viewbox: np.ndarray, size: tuple[float, float], pixel_scale: float
    ) -> View | None:
        octree_slice = self.layer.octree_slice
        if octree_slice is None:
            return None
        if not self.layer.display.track_view and self._drawn_view is not None:
            return replace(self._drawn_view, slice=octree_slice.key)
        if _state(to_viewbox, size, pixel_scale, octree_slice) == self._drawn_state:
            return self._drawn_view
        return view_from_matrix(
            to_viewbox,
            size,
            pixel_scale,
            slice_key=octree_slice.key,
            motion=self._drawn_view.motion if self._drawn_view is not None else AT_REST,
        )

    @property
    def _filter_reach(self) -> float:
        """How many texels around a pixel the interpolation looks at."""
        if self.layer.interpolation2d == "custom":
            return max(self.layer.custom_interpolation_kernel_2d.shape) / 2
        return FILTER_TEXELS.get(self.layer.interpolation2d, 4.0)

    def _level_lock(self) -> int | None:
        """The level to show whatever the zoom, if any."""
        layer = self.layer
        if not layer.display.freeze_level or layer.locked_data_level is not None:
            self._frozen_level = None
            return layer.locked_data_level
        if self._frozen_level is None and self._frame.plans:
            self._frozen_level = self._frame.level
        return self._frozen_level

    def _on_contrast_limits_change(self) -> None:
        """Hand the limits to the shader, and have other texels where float32 needs them."""
        if self.node is not self._layer_node.tiles:
            super()._on_contrast_limits_change()
            return
        plain, limits = self._layer_node.encoding, self.layer.contrast_limits
        self._encoding = encoding_for_limits(plain, limits, self._encoding)
        self._place_limits()

    def _place_limits(self) -> None:
        node = self._layer_node.tiles
        largest = float(np.finfo(np.float32).max) / 8
        low, high = node.atlas.encoding.texel_limits(self.layer.contrast_limits)
        node.clim = float(np.clip(low, -largest, largest)), float(np.clip(high, -largest, largest))

    def _send(self) -> None:
        _vispy.flush(self.node.canvas.context)

    def _on_rest(self) -> None:
        if not self._closed and self._volume is not None:
            if self._volume.rest():
                self.request_frame()
        elif not self._closed:
            self._moving = self._client.moving = False
            motion = self._motion.rest()
            if self._drawn_view is not None:
                self._drawn_view = replace(self._drawn_view, motion=motion)
            self._frame.rest(motion)
            if not self._frame.settled:  # what was left out while moving
                self.request_frame()
                self.layer._tell_progress()
            else:
                self._report()  # resting may have settled it, without a frame

    def _report(self) -> None:
        """Tell the layer if what is shown, or how much of it, has changed."""
        frame = self._current_frame
        whole = frame.complete if isinstance(frame, TileFrame) else frame.settled
        self._notice.report(self.node, not whole and self.layer.display.show_loading, frame.stuck)
        if self._volume is not None:
            state: tuple[Any, ...] = (self._volume.frame.progress, self._volume.settled)
        else:
            state = (self._frame.progress, self._frame.settled, self._drawn_view)
        if state != self._reported:
            self._reported = state
            self.layer._tell_progress()

    # ----------------------------------------------------------- for the layer

    def _refine(self) -> None:
        """Draw what has arrived; where frames are expensive, more of it at a time."""
        wait_ms = 0 if self._volume is None else self._volume.wait_ms(time.perf_counter())
        if wait_ms <= 0:
            self.request_frame()
        elif not self._closed and not self._patience.isActive():
            self._patience.start(wait_ms)

    def request_frame(self) -> None:
        """Draw again soon."""
        if not self._closed:
            self.node.update()

    def _is_current(self) -> bool:
        """Whether what was drawn last is what the camera shows now."""
        if self.layer._slice_input.ndisplay != 2:
            return True
        if not self._frames or _vispy.viewbox_of(self.node) is None:
            return False
        to_viewbox, _, size, pixel_scale = _vispy.node_matrices(self.node)
        view = self._make_view(to_viewbox, size, pixel_scale)
        drawn = self._drawn_view
        if view is None or drawn is None:
            return view is drawn
        return view.corners == drawn.corners and view.slice == drawn.slice

    @property
    def settled(self) -> bool:
        """Every ideal tile of what the camera shows now is drawn."""
        if self._volume is not None:
            return self._volume.settled
        if self.layer._slice_input.ndisplay != 2:
            return True
        return self._frame.settled and self._is_current()

    @property
    def stuck(self) -> bool:
        """Not settled, and nothing more will come by itself."""
        if self._volume is not None:
            return self._broken or (self._volume.frame.stuck and self._volume.is_current)
        return self._broken or (self._frame.stuck and self._is_current())

    @property
    def moving(self) -> bool:
        """The view is being moved right now."""
        return self._moving if self._volume is None else self._volume.client.moving

    @property
    def level(self) -> int:
        """The ideal level of the last plan."""
        return self._current_frame.level

    @property
    def shown_bricks(self) -> frozenset[ChunkKey]:
        """What a 3-D view shows of the current slice (any thread)."""
        volume = self._volume
        shown = None if volume is None or volume.frame.stale else volume.frame.shown
        return frozenset() if shown is None else frozenset(shown.keys)

    @property
    def progress(self) -> OctreeProgress:
        """Chunks of the last plan."""
        return self._current_frame.progress

    @property
    def _current_frame(self) -> TileFrame | BrickFrame:
        return self._frame if self._volume is None else self._volume.frame

    @property
    def statistics(self) -> ViewStatistics:
        """Counts so far."""
        atlas: TextureAtlas2D | TextureAtlas3D = self._layer_node.tiles.atlas
        budget, frames, volume = self._budget, self._frames, self._volume
        if volume is not None:
            atlas, budget, frames = volume.node.atlas, volume.budget, volume.frames
        return ViewStatistics(
            frames=frames,
            plans=self._current_frame.plans,
            uploads=budget.uploads,
            upload_bytes=budget.upload_bytes,
            upload_ms=budget.upload_ms,
            longest_upload_ms=budget.longest_ms,
            over_budget=budget.over_budget,
            slots=atlas.slots.capacity,
            resident=len(atlas.slots),
            vram_bytes=atlas.nbytes,
            level=self._current_frame.level,
            buffered=None if volume is not None else self._frame.buffered,
        )


def _state(to_viewbox: np.ndarray, *others: Any) -> tuple[Any, ...]:
    """What a view follows from."""
    return (to_viewbox.tobytes(), *others)


def _pixel_size(to_viewbox: np.ndarray, pixel_scale: float) -> tuple[float, float]:
    """Level-0 pixels (x, y) per framebuffer pixel."""
    x, y = 1 / (np.linalg.norm(to_viewbox[:2, :2], axis=1) * pixel_scale)
    return float(x), float(y)


def _rushes(motion: Motion, size: tuple[float, float], pixel_scale: float) -> bool:
    """Whether tiles come and go too quickly to be worth loading on the way."""
    widths_per_s = max(
        abs(speed.mean) / (length * pixel_scale)
        for speed, length in zip(motion.pan, reversed(size), strict=True)
    )
    return abs(motion.zoom.mean) > RUSH_OCTAVES or widths_per_s > RUSH_WIDTHS


def _raise_later(error: BaseException, message: str) -> None:
    """Let the user know through napari's notifications, outside of the draw."""
    warnings.warn(message, RuntimeWarning, stacklevel=1)
    raise error
