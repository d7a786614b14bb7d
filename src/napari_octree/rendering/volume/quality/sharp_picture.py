"""SharpPicture: a volume in full quality, cast strip by strip over several frames.

Invariants: where casting all rays in one frame would hold up the window, each frame casts those of
a strip into textures as large as the canvas; what was there before is shown until the last strip
is done. All strips are of one state (place, looks, bricks): another state begins anew. As long as
the state lasts the picture is shown again without casting. GUI thread with a current GL context.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from napari_octree.rendering._vispy import scissored
from napari_octree.rendering.volume.quality.reduced_picture import ReducedPicture

LEAST_SHARE = 1 / 64
"""Of a strip: what a frame costs besides would be all that it costs."""

MOST_DIVIDED = 4
"""A strip becomes so many times as small at most. Smaller ones would not be quicker: then it is
other layers, or other programs, that make frames slow, and each strip waits for them again."""


class SharpPicture:
    """The picture of one state after the other.

    Attributes
    ----------
    of : Hashable or None
        The state that it shows, as far as strips are done.
    """

    def __init__(self) -> None:
        self._picture = ReducedPicture()
        self.of: Hashable | None = None
        self._share = self._least_share = 1.0
        self._row = self._rows = 0

    @property
    def whole(self) -> bool:
        """All strips are done."""
        return self.of is not None and 0 < self._rows == self._row

    @property
    def nbytes(self) -> int:
        """Bytes on the GPU."""
        return self._picture.nbytes

    def begin(self, of: Hashable, strips: int) -> None:
        """Show another state from now on, at first in strips of such a part of the picture."""
        self.of, self._share = of, 1 / strips
        self._least_share = max(LEAST_SHARE, self._share / MOST_DIVIDED)
        self._row = self._rows = 0

    def scale(self, factor: float) -> None:
        """Have the next strips so many times as large."""
        self._share = min(max(self._share * factor, self._least_share), 1.0)

    def cast_next(self, canvas: Any, cast: Callable[[], None]) -> float:
        """Cast the rays of the next strip. Returns the share of the picture that it is."""
        width, height = self._picture.prepare(canvas, 1.0)
        self._rows, low = height, self._row
        high = self._row = min(low + max(round(height * self._share), 1), height)

        def cast_strip() -> None:
            with scissored(canvas, (0, low, width, high - low)):
                cast()

        self._picture.cast(canvas, cast_strip, clears=low == 0)
        return (high - low) / height

    def show(self, gl_state: dict[str, Any]) -> None:
        """Put it onto the canvas."""
        self._picture.show(gl_state)

    def release(self, canvas: Any) -> None:
        """Give the textures' memory back, outside of a draw."""
        self.of = None
        self._picture.release(canvas)
