"""What the tiles and the bricks of labels have in common.

Invariants: a look goes to the shader; it changes no texel. Data of another type, assigned to the
layer, have other texels; a look is that of the texels which are drawn.
"""

from __future__ import annotations

import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from napari.utils.colormaps import DirectLabelColormap

from napari_octree.layers.labels.label_colours import LabelColormap
from napari_octree.layers.labels.octree_labels import OctreeLabels
from napari_octree.layers.main_loop import MAIN_LOOP
from napari_octree.rendering.gpu.label_encoding import LabelEncoding, label_encoding
from napari_octree.rendering.labels.label_look import (
    LabelColours,
    LabelLook,
    ShowsLabels,
    colours_of,
    label_look,
)

MOST_AT_ONCE = 20_000
"""Colours by label that are made in the GUI thread: some 30 ms."""

_WORKER = ThreadPoolExecutor(1, thread_name_prefix="napari-octree colours")


class LabelKind:
    """The part of a `TileKind` or `BrickKind` of labels that both have.

    Parameters
    ----------
    layer : OctreeLabels
    encoding : LabelEncoding
        Of its type.
    """

    def __init__(self, layer: OctreeLabels, encoding: LabelEncoding) -> None:
        self._layer = layer
        self._encoding = self._drawn = encoding
        self._is_late = False
        self._begin_colours()

    def _begin_colours(self) -> None:
        """Have the colour map's colours, or none until a worker has those of a large one."""
        colormap = self._layer.colormap
        self._is_late = _is_large(colormap)
        if self._is_late:
            colormap = DirectLabelColormap(color_dict={None: "transparent"})
        self._colours = colours_of(colormap, self._drawn)

    @property
    def encoding(self) -> LabelEncoding:
        """The one of the layer's type."""
        return self._encoding

    def look_changed(self, node: ShowsLabels, colours_too: bool) -> None:
        """Show the labels as the layer says now; with other colours only if these have changed."""
        if colours_too:
            self._find_colours(node)
        node.set_look(self._look())

    def _find_colours(self, node: ShowsLabels) -> None:
        """Have the colour map's colours, at once; those of a large map when a worker has them."""
        colormap = self._layer.colormap
        if not _is_large(colormap):
            self._colours = colours_of(colormap, self._drawn)
            return
        encoding, shown = self._drawn, weakref.ref(node)

        def find() -> None:
            colours = colours_of(colormap, encoding)
            MAIN_LOOP.post(lambda: show(colours))

        def show(colours: LabelColours) -> None:
            self._layer.await_colours(-1)
            present = shown()
            asked = (self._layer.colormap, self._drawn)
            if present is not None and asked[0] is colormap and asked[1] == encoding:
                self._colours = colours
                present.set_look(self._look())

        self._layer.await_colours(1)
        _WORKER.submit(find)

    def _made(self, node: ShowsLabels) -> None:
        """Bring the colours that a new node does not have yet."""
        if self._is_late:
            self._is_late = False
            self._find_colours(node)

    def take_values(self, dtype: np.dtype) -> None:
        """Have texels for labels of `dtype`: other data may have been assigned."""
        if dtype != self._encoding.label_dtype:
            self._encoding = label_encoding(dtype)

    def _follow(self, encoding: LabelEncoding, node: ShowsLabels) -> None:
        """Have the look be that of other texels, if the node draws such from now on."""
        if encoding != self._drawn:
            self._drawn = encoding
            self._begin_colours()
            node.set_look(self._look())
            self._made(node)

    def _look(self) -> LabelLook:
        return label_look(self._colours, self._layer.colormap, self._drawn, self._contour)

    @property
    def _contour(self) -> int:
        """Texels of outlines; 0: filled."""
        return 0


def _is_large(colormap: LabelColormap) -> bool:
    return isinstance(colormap, DirectLabelColormap) and len(colormap.color_dict) > MOST_AT_ONCE
