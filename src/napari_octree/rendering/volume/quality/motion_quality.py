"""How coarse a moving picture may be, so that frames come in time.

Invariants: pure arithmetic on costs that are handed in. At rest the quality is always full; what
moves is only as coarse as its frames need: where they are fast nothing changes at all. What was
learned, at rest too, serves the next move.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

TARGET_MS = 40.0
"""A frame should not take longer while the camera moves."""

LONGEST_STEP, LARGEST_PIXEL = 4.0, 4.0
MOST_SAVING = LONGEST_STEP * LARGEST_PIXEL**2

STRIP_MS = 60.0
"""What a strip of a picture in full quality may take."""

WORTH_STRIPS = 4.0
"""Where a picture in full quality takes so many times the target, it is drawn in strips."""

REST_MS, MOST_REST_MS = 60.0, 400.0
"""How long the camera must stand still: as long as a frame in full quality takes, within these."""


@dataclass(frozen=True)
class Quality:
    """How a volume is drawn.

    Attributes
    ----------
    step : float
        Between samples of a ray, as a multiple of the full quality's.
    pixel_size : float
        In pixels of the canvas: a ray for each such pixel.
    """

    step: float = 1.0
    pixel_size: float = 1.0

    @property
    def saving(self) -> float:
        """How many times fewer samples are taken than in full quality."""
        return self.step * self.pixel_size**2

    @classmethod
    def with_saving(cls, saving: float) -> Quality:
        """As many times fewer samples, shared evenly among the three axes.

        Pixels come in sizes a factor √2 apart, as a new size needs new textures; steps fill the
        gap.
        """
        saving = min(max(saving, 1.0), MOST_SAVING)
        octaves = math.log2(saving)
        of_pixels = max(
            math.floor((2 * octaves + 1) / 3 + 1e-9),
            math.ceil(octaves - math.log2(LONGEST_STEP) - 1e-9),
        )
        pixel_size = 2.0 ** (of_pixels / 2)
        return cls(saving / pixel_size**2, pixel_size)


FULL = Quality()


class MotionQuality:
    """The quality of one frame after the other.

    Parameters
    ----------
    wanted : float
        The saving to begin with, before anything was drawn.
    """

    def __init__(self, wanted: float = 1.0) -> None:
        self.current = FULL
        self._wanted = wanted

    def drawn(self, cost_ms: float) -> None:
        """Learn from what a frame in the current quality took."""
        needed = self.current.saving * max(cost_ms, 1e-3) / TARGET_MS
        if self.current != FULL:
            # Half of the way each time: cost does not follow the samples alone.
            needed = math.sqrt(needed * self._wanted)
        self._wanted = min(max(needed, 1.0), MOST_SAVING)

    def moved(self) -> Quality:
        """Choose the quality of a frame of a moving camera."""
        self.current = Quality.with_saving(self._wanted)
        return self.current

    def rested(self) -> Quality:
        """Go back to full quality."""
        self.current = FULL
        return FULL

    @property
    def coarse(self) -> Quality:
        """That of a moving camera."""
        return Quality.with_saving(self._wanted)

    @property
    def strips(self) -> int:
        """Into how many frames a picture in full quality is to be divided; 0: it need not be."""
        parts = math.ceil(self._wanted * TARGET_MS / STRIP_MS)
        return parts if self._wanted > WORTH_STRIPS else 0

    @property
    def rest_ms(self) -> int:
        """How long to wait for the camera before drawing in full quality."""
        return int(min(max(self._wanted * TARGET_MS, REST_MS), MOST_REST_MS))
