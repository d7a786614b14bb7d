"""VispyOctreeImage: how napari draws an `OctreeImage`: what is only an image's."""

from __future__ import annotations

from napari_octree.layers.image.octree_image import OctreeImage
from napari_octree.rendering import _vispy
from napari_octree.rendering.gpu.texture_encoding import texture_encoding
from napari_octree.rendering.image.image_bricks import ImageBricks
from napari_octree.rendering.image.image_kind import channels_of
from napari_octree.rendering.image.image_tiles import ImageTiles
from napari_octree.rendering.octree_layer import OctreeVispyLayer
from napari_octree.rendering.tiles.tile_drawing import TileDrawing
from napari_octree.rendering.view.layer_view import LayerView
from napari_octree.rendering.volume.volume_drawing import VolumeDrawing


class VispyOctreeImage(OctreeVispyLayer, _vispy.VispyImageLayer):
    """Draws an `OctreeImage` in one viewer."""

    layer: OctreeImage
    _tiles: ImageTiles
    _bricks: ImageBricks

    def make_view(self, layer: OctreeImage) -> LayerView:
        """Tiles and bricks with contrast limits."""
        texels = texture_encoding(layer.dtype, channels_of(layer))
        self._tiles, self._bricks = ImageTiles(layer, texels), ImageBricks(layer, texels)
        return LayerView(
            layer,
            texels,
            lambda context: TileDrawing(context, self._tiles),
            lambda context: VolumeDrawing(context, self._bricks),
        )

    def is_flat(self, layer: OctreeImage) -> bool:
        """Never: images of two axes are one plane of bricks in 3-D."""
        return False

    def _on_contrast_limits_change(self) -> None:
        if self.node is self.view.tiles.node:
            self._tiles.limits_changed(self.node)
        elif self._is_volume:
            # napari's own takes narrow limits for others, to which it has scaled the data.
            self._bricks.limits_changed(self.view.node)
        else:
            super()._on_contrast_limits_change()

    def _on_iso_threshold_change(self) -> None:
        """Place the surface of a volume."""
        if self._is_volume:
            self._bricks.place_threshold(self.view.node)
        else:
            super()._on_iso_threshold_change()
