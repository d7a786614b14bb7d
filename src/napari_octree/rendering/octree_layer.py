"""OctreeVispyLayer: napari's seams of a layer that is drawn from an octree, whatever kind it is.

Invariants: combined with napari's own vispy layer of the kind (see `rendering.image`), it replaces
what that derives from napari's slice: nodes, their place, what they show. All that a frame does is
the `LayerView`'s; nothing here reads pixels but the overview in memory.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from napari_octree.rendering import _vispy
from napari_octree.rendering.canvas.qt_loop import attach_qt_loop
from napari_octree.rendering.layer_like import LayerLike
from napari_octree.rendering.view.layer_view import LayerView


class OctreeVispyLayer(_vispy.VispyScalarFieldBaseLayer):
    """Draws a layer with levels in one viewer.

    Parameters
    ----------
    layer : napari layer, a `LayerLike`
    node, texture_format, **keywords
        As napari hands them over.
    """

    layer: LayerLike
    view: LayerView
    _world_to_layer_units_scale: tuple[float, ...]
    _shown: tuple[Any, Any] = (None, None)

    def __init__(
        self, layer: Any, node: Any = None, texture_format: str = "auto", **keywords: Any
    ) -> None:
        attach_qt_loop()
        self.view = self.make_view(layer)
        super().__init__(
            layer,
            node=node,
            texture_format=texture_format,
            layer_node_class=functools.partial(
                OctreeNodes,
                flat=lambda: self.is_flat(layer),
                make_flat=self.make_flat,
                show=self.view.show,
            ),
            **keywords,
        )
        layer.attach_view(self.view)

    def make_view(self, layer: Any) -> LayerView:
        """The frames of this kind of layer."""
        raise NotImplementedError

    def is_flat(self, layer: Any) -> bool:
        """Whether in 3-D the overview is shown by napari's own node, and not bricks."""
        return bool(layer.ndim <= 2)

    def make_flat(self) -> Any:
        """Napari's node for the overview in 3-D."""
        return _vispy.Volume(
            np.zeros((1, 1, 1), dtype=np.float32), clim=[0, 1], texture_format="auto"
        )

    def overview_texels(self) -> np.ndarray:
        """The overview as that node takes it."""
        texels: np.ndarray = _vispy.fix_data_dtype(_vispy.slice_of(self.layer))
        return texels

    def _on_data_change(self) -> None:
        ndisplay = _vispy.ndisplay_of(self.layer)
        node = self._layer_node.get_node(ndisplay)
        if ndisplay == 3 and not self._is_volume:
            data = self.overview_texels()
            data = data.reshape((1,) * (3 - self.layer.ndim) + data.shape)
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
        self.view.turned()
        if node.visible != self.layer.visible:
            node.visible = self.layer.visible
        self._on_matrix_change()
        # napari is told of new data too when an overview or another level has come, which
        # nothing in the picture depends on.
        octree_slice = self.layer.octree_slice
        shown = (node, None if octree_slice is None else octree_slice.key)
        if shown != self._shown or data is not None:
            self._shown = shown
            node.update()

    def _on_visible_change(self) -> None:
        super()._on_visible_change()
        self.view.visible_changed()

    @property
    def _is_volume(self) -> bool:
        """Whether bricks are shown."""
        return self.view.volume is not None and self.view.drawing is self.view.volume

    def _displayed_shape(self) -> tuple[int, int]:
        shape = self.layer.level_shapes[0]
        rows, columns = (int(shape[a]) for a in _vispy.displayed_axes(self.layer)[-2:])
        return rows, columns

    def _on_matrix_change(self) -> None:
        """Place the node in level-0 coordinates, whatever level it shows.

        As napari's own, but for what it derives from `data_level` and `corner_pixels`, which
        have no meaning here.
        """
        layer = self.layer
        displayed = _vispy.displayed_axes(layer)
        if len(self._world_to_layer_units_scale) != layer.ndim:
            self._world_units = layer.units
            self._world_to_layer_units_scale = (1,) * layer.ndim
        transform = _vispy.data_to_world(layer).set_slice(displayed)
        units = np.array([self._world_to_layer_units_scale[a] for a in displayed][::-1], float)
        rank = len(displayed)
        affine = np.eye(4)
        affine[:rank, :rank] = transform.linear_matrix[::-1, ::-1].T * units
        affine[3, :rank] = transform.translate[::-1] * units
        to_data = np.eye(4)
        if _vispy.ndisplay_of(layer) == 2:
            # Node coordinates are pixel areas; data coordinates have their origin at the centre
            # of the first pixel.
            to_data[3, :rank] = -0.5
        elif not self._is_volume:
            octree_slice = layer.octree_slice
            if octree_slice is not None and len(octree_slice.octree.extent) == rank:
                coarsest = octree_slice.octree.levels[-1].transform
                factor = np.array(coarsest.factor[::-1])
                to_data[range(rank), range(rank)] = factor
                to_data[3, :rank] = (factor - 1) / 2 + np.array(coarsest.translation[::-1])
        _place(self._master_transform, to_data @ affine)
        # Overlays are children of the node, but in data coordinates.
        if self.node.children:
            from_data = np.linalg.inv(to_data)
            for child in self.node.children:
                _place(child.transform, from_data)

    def close(self) -> None:
        """Stop loading and let go of the GPU's memory."""
        self.view.close()
        super().close()


def _place(transform: Any, matrix: np.ndarray) -> None:
    """Set a transform's matrix; the same one again would have all that depends on it drawn."""
    if not np.array_equal(transform.matrix, matrix):
        transform.matrix = matrix


class OctreeNodes(_vispy.ScalarFieldLayerNode):
    """The nodes of a layer in one viewer, as napari asks for them.

    Tiles in 2-D, always the same node; bricks in 3-D, made when first asked for; data of two axes
    are shown in 3-D by napari's own volume node, from the overview.

    Parameters
    ----------
    custom_node, texture_format
        As napari hands them over; not used.
    flat : callable
        Whether the data have two axes only.
    make_flat : callable
        Makes that node.
    show : callable
        Returns the drawing for a number of displayed axes.
    """

    def __init__(
        self,
        custom_node: Any = None,
        texture_format: str | None = "auto",
        *,
        flat: Callable[[], bool],
        make_flat: Callable[[], Any],
        show: Callable[[int], Any],
    ) -> None:
        self._is_flat = flat
        self._make_flat = make_flat
        self._show = show
        self._flat: Any = None

    def get_node(self, ndisplay: int, dtype: Any = None, shape: Any = None) -> Any:
        """Tiles in 2-D, bricks in 3-D, the overview where data of two axes are shown in 3-D."""
        if ndisplay == 2 or not self._is_flat():
            return self._show(ndisplay).node
        if self._flat is None:
            self._flat = self._make_flat()
        return self._flat
