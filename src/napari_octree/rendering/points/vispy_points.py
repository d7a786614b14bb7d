"""VispyOctreePoints: how napari draws an `OctreePoints`."""

from __future__ import annotations

from typing import Any

from napari_octree.layers.points.octree_points import OctreePoints
from napari_octree.rendering import _vispy
from napari_octree.rendering.canvas.qt_loop import attach_qt_loop
from napari_octree.rendering.gpu.texture_encoding import texture_encoding
from napari_octree.rendering.points.point_drawing import PointDrawing
from napari_octree.rendering.view.layer_view import LayerView


class VispyOctreePoints(_vispy.VispyBaseLayer):
    """Draws an `OctreePoints` in one viewer.

    Parameters
    ----------
    layer : OctreePoints
    font_info
        As napari hands it over.
    """

    layer: OctreePoints
    node: Any

    def __init__(self, layer: OctreePoints, font_info: Any = None, **keywords: Any) -> None:
        attach_qt_loop()
        self.view = LayerView(
            layer,
            texture_encoding(layer.points_source.position_dtype),
            lambda context: PointDrawing(context, 2),
            lambda context: PointDrawing(context, 3),
        )
        super().__init__(layer, self.view.tiles.node, font_info=font_info)
        layer.events.look.connect(self._on_look_change)
        layer.events.scale.connect(self._on_look_change)
        layer.attach_view(self.view)
        self._on_data_change()
        self.reset()

    def _on_data_change(self) -> None:
        """Show the node of the present number of axes."""
        node = self.view.show(_vispy.ndisplay_of(self.layer)).node
        if node is not self.node:
            former = self.node
            node.parent, node.order = former.parent, former.order
            for child in [*former.children]:
                child.parent = node
            former.parent = None
            self.node = node
            self.reset()
        self.view.turned()
        self._on_matrix_change()
        self._on_look_change()
        node.update()

    def _on_look_change(self, event: Any = None) -> None:
        # As napari's own: sizes follow the scale of the last axis only.
        self.node.set_look(self.layer.point_look, abs(float(self.layer.scale[-1])))
        self.view.request_frame()

    def _on_visible_change(self) -> None:
        super()._on_visible_change()
        self.view.visible_changed()

    def reset(self) -> None:
        """Tell the node all."""
        super().reset()
        self._on_look_change()

    def close(self) -> None:
        """Stop loading and let go of the GPU's memory."""
        self.view.close()
        super().close()
