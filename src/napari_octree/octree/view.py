"""What a canvas shows of one layer, as values.

Invariants: frozen and hashable, all lengths in octree coordinates (level-0 pixel areas) or in
framebuffer (physical) pixels, axis order (…, z, y, x); every number finite. A view knows nothing
of napari: the room that draws builds it from the node's transforms.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass

from napari_octree.octree.motion import AT_REST, Motion


@dataclass(frozen=True)
class View:
    """A 2-D view.

    Attributes
    ----------
    corners : tuple of 4 (y, x) pairs
        The visible region, in order around it: a convex quadrilateral in octree
        coordinates. It may be rotated, sheared or flipped and lie partly or wholly outside.
    pixel_size : tuple of 2 float
        Octree-coordinate length of one framebuffer pixel, per displayed axis (y, x). Framebuffer,
        not canvas: so high-DPI screens get the finer level that they can show.
    focus : (y, x) or None
        Where the user looks (the cursor), octree coordinates: tiles are loaded from there
        outward. None is the centre.
    slice : Hashable
        Which slice of the other axes is shown; only compared.
    motion : Motion
        How the view has been moving.

    Raises
    ------
    ValueError
        Numbers that are not finite or pixel sizes that are not positive (a canvas or
        transform that is not ready).
    """

    corners: tuple[tuple[float, float], ...]
    pixel_size: tuple[float, float]
    focus: tuple[float, float] | None = None
    slice: Hashable = ()
    motion: Motion = AT_REST

    def __post_init__(self) -> None:
        numbers = [*(c for corner in self.corners for c in corner), *self.pixel_size]
        if self.focus is not None:
            numbers.extend(self.focus)
        if not all(map(math.isfinite, numbers)):
            raise ValueError(f"a view needs finite numbers, got {self}")
        if min(self.pixel_size) <= 0:
            raise ValueError(f"pixels must have a size, got {self.pixel_size}")

    @property
    def centre(self) -> tuple[float, float]:
        """Mean of the corners, octree coordinates (y, x)."""
        n = len(self.corners)
        return sum(y for y, _ in self.corners) / n, sum(x for _, x in self.corners) / n

    @property
    def focus_point(self) -> tuple[float, float]:
        """The focus, or the centre where none is set."""
        return self.centre if self.focus is None else self.focus

    @classmethod
    def of_box(
        cls,
        start: tuple[float, float],
        stop: tuple[float, float],
        pixel_size: float | tuple[float, float] = 1.0,
        **others: object,
    ) -> View:
        """Make the view of an axis-aligned box, for scripts and tests."""
        (y0, x0), (y1, x1) = start, stop
        size = pixel_size if isinstance(pixel_size, tuple) else (pixel_size, pixel_size)
        return cls(((y0, x0), (y0, x1), (y1, x1), (y1, x0)), size, **others)  # type: ignore[arg-type]


@dataclass(frozen=True)
class VolumeView:
    """A 3-D view.

    Attributes
    ----------
    matrix : 4 rows of 4 float
        From octree coordinates to GL's clip space, for column vectors:
        ``clip (x, y, z, w) = matrix @ (z, y, x, 1)``, in float64. Orthographic and perspective.
    canvas_size : tuple of 2 float
        Width and height in framebuffer pixels.
    focus : (z, y, x)
        Where the camera turns around, octree coordinates.
    clipping_planes : tuple of (position, normal) pairs
        Each a (z, y, x) point and a (z, y, x) vector in octree coordinates; the side
        that the normal points to is kept.
    slice : Hashable
    """

    matrix: tuple[tuple[float, float, float, float], ...]
    canvas_size: tuple[float, float]
    focus: tuple[float, float, float]
    clipping_planes: tuple[tuple[tuple[float, float, float], tuple[float, float, float]], ...] = ()
    slice: Hashable = ()

    def __post_init__(self) -> None:
        numbers = [*(m for row in self.matrix for m in row), *self.canvas_size, *self.focus]
        numbers.extend(c for plane in self.clipping_planes for v in plane for c in v)
        if not all(map(math.isfinite, numbers)):
            raise ValueError(f"a view needs finite numbers, got {self}")
        if min(self.canvas_size) <= 0:
            raise ValueError(f"a canvas must have a size, got {self.canvas_size}")
