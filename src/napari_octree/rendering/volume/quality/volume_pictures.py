"""VolumePictures: a volume drawn in the quality that is asked for, in one frame or in several.

Invariants: GUI thread; `draw` is called in a draw, with a current GL context. In larger pixels the
rays of all of them are cast in each frame. In strips a frame casts those of one strip, and shows
the coarser picture of the same state until the last strip is there; then the full one is shown
again without casting, as long as the state lasts.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from napari_octree.rendering.volume.quality.motion_quality import FULL, Quality
from napari_octree.rendering.volume.quality.reduced_picture import ReducedPicture
from napari_octree.rendering.volume.quality.sharp_picture import SharpPicture


class VolumePictures:
    """The pictures of one node.

    Attributes
    ----------
    pixel_size : float
        In pixels of the canvas: a ray for each such pixel.
    step_factor : float
        Between samples of a ray, as a multiple of the full quality's.
    strips : int
        Into how many the picture is to be divided; 0 or 1: it comes in one piece.
    meanwhile : Quality
        Of the picture that is shown until the last strip is there.
    cast_share : float or None
        Which share of all rays the last draw has cast in the quality asked for; None: no telling.
    unfinished : bool
        There are more strips to come.
    reduced : ReducedPicture
        Where it is drawn in larger pixels.
    sharp : SharpPicture
        Where it is drawn strip by strip.
    """

    def __init__(self) -> None:
        self.pixel_size = self.step_factor = 1.0
        self.strips = 0
        self.meanwhile: Quality = FULL
        self.cast_share: float | None = 1.0
        self.unfinished = False
        self.reduced = ReducedPicture()
        self.sharp = SharpPicture()
        self._reduced_of: Hashable = None

    @property
    def in_one_piece(self) -> bool:
        """Rays go straight to the canvas: there is nothing to keep."""
        return self.strips <= 1 and self.pixel_size <= 1

    @property
    def nbytes(self) -> int:
        """Bytes on the GPU."""
        return self.reduced.nbytes + self.sharp.nbytes

    def lacks_strips(self, state: Hashable) -> bool:
        """Whether the picture in full quality, which comes strip by strip, is not whole yet."""
        return self.strips > 1 and not (self.sharp.of == state and self.sharp.whole)

    def begin(self) -> None:
        """Begin a draw: as long as nothing else is said, all rays are cast."""
        self.cast_share, self.unfinished = 1.0, False

    def draw(
        self,
        canvas: Any,
        state: Hashable,
        cast: Callable[[], None],
        set_step: Callable[[float], None],
        gl_state: dict[str, Any],
    ) -> None:
        """Draw, in pixels of `pixel_size`; or a strip of the picture, if it is to have `strips`.

        Parameters
        ----------
        canvas : SceneCanvas
        state : Hashable
            All that the picture depends on, whatever its quality.
        cast : callable
            Casts all rays, into what is drawn to.
        set_step : callable
            Has rays take longer steps by a factor.
        gl_state : dict
            How the picture is put onto the canvas.
        """
        if self.strips <= 1:
            self._reduced_of = state
            self.reduced.draw(canvas, self.pixel_size, cast, gl_state)
            return
        sharp = self.sharp
        if sharp.of != state:
            sharp.begin(state, self.strips)
            if self._reduced_of != state:
                self._reduced_of = state
                set_step(self.meanwhile.step)
                self.reduced.draw(canvas, self.meanwhile.pixel_size, cast, gl_state)
                set_step(self.step_factor)
                self.cast_share, self.unfinished = None, True
                return
        self.cast_share = None if sharp.whole else sharp.cast_next(canvas, cast)
        self.unfinished = not sharp.whole
        (sharp if sharp.whole else self.reduced).show(gl_state)

    def release(self, canvas: Any) -> None:
        """Give the textures' memory back, outside of a draw."""
        self.reduced.release(canvas)
        self.sharp.release(canvas)
