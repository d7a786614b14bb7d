"""An exported picture whose tiles do not fit in the atlas: drawn one part after the other.

Invariants: GUI thread, inside one draw. Each pixel of the framebuffer is drawn by exactly one part
and at the level that the whole picture calls for; a part whose tiles do not fit
either is halved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from napari_octree.rendering import _vispy
from napari_octree.rendering.gpu.node_matrices import TileMatrices
from napari_octree.rendering.tiles.picture.quads import no_quads
from napari_octree.rendering.tiles.tile_frame import TileFrame, TileInputs
from napari_octree.rendering.view.parts import Part


def draw_in_parts(
    node: Any,
    frame: TileFrame,
    matrices: TileMatrices,
    inputs: TileInputs,
    patch: Callable[[], None],
    show: Callable[[], None],
    wait: Callable[[], bool],
) -> bool:
    """Load and draw all that the camera shows, part by part.

    Parameters
    ----------
    node : TiledImage
    frame : TileFrame
    matrices : TileMatrices
        Of the node, in this draw.
    inputs : TileInputs
        Of the whole picture; its view is that of the part in turn.
    patch : callable
        Has tiles show what was painted on them; called after each frame.
    show : callable
        Has the node draw from the atlas that the frame has filled.
    wait : callable
        Waits until something may have arrived; False when the time is up.

    Returns
    -------
    bool
        Whether nothing is missing but what cannot be read.
    """
    assert inputs.octree_slice is not None
    assert frame.picture.tiles is not None
    atlas, slice_key = frame.picture.tiles.atlas, inputs.octree_slice.key
    framebuffer = _vispy.viewport_size(node.canvas)
    complete, parts = True, [Part.whole(matrices)]
    while parts:
        part = parts.pop()
        frame.look_afresh()
        of_part = replace(inputs, view=part.view(matrices, slice_key))
        frame.prepare(atlas, of_part)
        patch()
        halves = part.halves()
        if frame.coarsened and halves is not None:
            parts += halves
            continue
        while complete and not (frame.settled or frame.stuck):
            complete = frame.more or wait()
            frame.prepare(atlas, of_part)
            patch()
        show()
        node.set_quads(frame.picture.quads or no_quads())
        node.set_matrix(matrices.to_render)
        with _vispy.scissored(node.canvas, part.scissor(matrices, framebuffer)):
            node.draw_part()
    frame.look_afresh()
    return complete
