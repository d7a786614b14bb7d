"""Quads as the vertex buffers of their shader: two triangles each.

Invariants: pure; axis order (x, y) from here on, as GL has it. Places are float32 relative to the
`origin` of the quads, texels a share of the atlas.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from napari_octree.rendering.tiles.picture.quads import Quads, Under

BUFFERS = ("a_corner", "a_tile", "a_image")
"""Of all quads."""

OVERLAY_BUFFERS = ("a_tint", "a_border")
"""Where the levels, borders or failures of tiles are shown."""

FADE_BUFFERS = ("a_under", "a_under_tile", "a_under_image")
"""Where tiles fade in above others."""

_CORNERS = np.array([[1, 0], [1, 2], [3, 2], [1, 0], [3, 2], [3, 0]])
"""Columns of (y0, x0, y1, x1) for the x and y of the six vertices of two triangles."""

_TWO_CORNERS = np.concatenate([_CORNERS, _CORNERS + 4], axis=1)
"""The same of two such boxes side by side."""

_SWAP = [1, 0, 3, 2]
"""(y, x) becomes (x, y) here: vispy and GL want x first."""


def quad_vertices(
    quads: Quads, extent: tuple[int, int], overlaid: bool, fades: bool
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each buffer's name and its (6 N, columns) float32 values.

    Parameters
    ----------
    quads : Quads
    extent : (int, int)
        Rows and columns of a page of the atlas.
    overlaid, fades : bool
        Whether the shader has `OVERLAY_BUFFERS`, and `FADE_BUFFERS`.
    """
    texels, (y, x) = np.tile(extent, 2), quads.origin
    places = [quads.rectangles - (y, x, y, x), quads.texcoords / texels]
    boxes = np.concatenate(places, axis=1, dtype=np.float32)
    yield "a_corner", _vertices(boxes[:, _TWO_CORNERS])
    yield "a_tile", _vertices(quads.edges[:, None, 0])
    yield "a_image", _vertices(quads.edges[:, None, 1])
    if overlaid and quads.marks is not None:
        corners = places[0][:, _CORNERS]
        edges = quads.marks.borders[:, None, _SWAP] - (x, y, x, y)
        yield "a_tint", _vertices(quads.marks.tints[:, None])
        yield "a_border", _vertices(corners - edges[..., :2], edges[..., 2:] - corners)
    if fades:
        under = quads.under or Under(quads.texcoords, quads.edges)
        corners, weights = (under.texcoords / texels)[:, _CORNERS], under.weights[:, None, None]
        yield "a_under", _vertices(corners, weights)
        yield "a_under_tile", _vertices(under.edges[:, None, 0])
        yield "a_under_image", _vertices(under.edges[:, None, 1])


def vertices_by_page(quads: Quads) -> list[tuple[int, np.ndarray | None]]:
    """Each page of the atlas that quads are drawn from, and its vertices; None: all there are."""
    if quads.pages is None or not len(quads.pages):
        return [(0, None)]
    vertices = 6 * np.arange(len(quads.pages))[:, None] + np.arange(6)
    pages = np.unique(quads.pages)
    if len(pages) == 1:
        return [(int(pages[0]), None)]
    return [(int(page), vertices[quads.pages == page].ravel().astype(np.uint32)) for page in pages]


def _vertices(*columns: np.ndarray) -> np.ndarray:
    """Values for the six vertices of each quad, of (N, 6 or 1, columns) side by side."""
    data = columns[0]
    if len(columns) > 1 or data.shape[1] == 1 or data.dtype != np.float32:
        widths = [values.shape[-1] for values in columns]
        data = np.empty((len(data), 6, sum(widths)), np.float32)
        first = 0
        for values, width in zip(columns, widths, strict=True):
            data[..., first : first + width] = values
            first += width
    return data.reshape(-1, data.shape[-1])
