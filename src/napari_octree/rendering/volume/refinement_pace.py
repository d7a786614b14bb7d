"""RefinementPace: when a volume is drawn again, and how well, by what its frames have cost.

Invariants: GUI thread only. From a change of the view until a rest frames are as coarse as it
takes for them to come in time; then they are in full quality, strip by strip where one frame of
that would hold up the window. Nothing here knows bricks or the loader.
"""

from __future__ import annotations

import time
from collections import deque

from napari_octree.octree.octree import Octree
from napari_octree.rendering import _vispy
from napari_octree.rendering.gpu.graphics import draws_in_software
from napari_octree.rendering.view.frame_pace import PAUSE, FramePace
from napari_octree.rendering.volume.brick_atlas_lease import BrickAtlasLease
from napari_octree.rendering.volume.brick_volume import BrickVolume
from napari_octree.rendering.volume.quality.motion_quality import (
    FULL,
    MOST_SAVING,
    STRIP_MS,
    MotionQuality,
    Quality,
)

PATIENCE = 5
"""How many times as long a rest must be while bricks are on their way: full frames would keep a
slow renderer's processors from computing them, and be outdated by the next one."""

SOFTWARE_SAMPLES = 1e7
"""Samples of rays that a processor takes in the time that a frame of a moving camera has."""

STRIP_COSTS = 1.5
"""A frame with a strip of the full picture may take so many times as long as a coarse one: what
other layers cost in each frame scatters as much, and strips must not wait for each other then."""

COARSE_FRAMES = 6
"""Coarse frames that tell what one takes."""


class RefinementPace:
    """The quality and the costs of a node's frames.

    Parameters
    ----------
    node : BrickVolume
    lease : BrickAtlasLease
        Says whether there is memory for what a quality needs.

    Attributes
    ----------
    quality : MotionQuality
    frames : FramePace
    """

    def __init__(self, node: BrickVolume, lease: BrickAtlasLease) -> None:
        self._node = node
        self._lease = lease
        self.quality = MotionQuality()
        self.frames = FramePace()
        self._coarse_ms: deque[float] = deque([0.0], COARSE_FRAMES)
        self._strips_left = False
        self._in_software = False
        self._began_cpu_s = 0.0

    def begin(self, now_s: float, counts: bool) -> None:
        """Begin a frame; what it costs may not count, as in an export."""
        self.frames.begin(now_s, counts)
        self._began_cpu_s = time.process_time()

    def expect(self, octree: Octree) -> None:
        """Begin with coarse frames where the first one would be a long one."""
        self._in_software = draws_in_software()
        if self._in_software:
            width, height = _vispy.viewport_size(self._node.canvas)
            samples = width * height * max(octree.extent)
            self.quality = MotionQuality(min(max(samples / SOFTWARE_SAMPLES, 1.0), MOST_SAVING))

    def draw_in(self, quality: Quality, hurried: bool) -> None:
        """Draw in some quality from now on, as far as there is memory for it.

        Parameters
        ----------
        quality : Quality
        hurried : bool
            The next frame has to be the last one: full quality comes in one piece.
        """
        pictures = self._node.pictures
        pictures.step_factor, pictures.pixel_size, pictures.strips = quality.step, 1.0, 0
        if quality == FULL:
            strips = 0 if hurried else self.quality.strips
            if strips and self._lease.affords_sharp():
                pictures.strips, pictures.meanwhile = strips, self.quality.coarse
        elif quality.pixel_size > 1 and self._lease.affords(quality.pixel_size):
            pictures.pixel_size = quality.pixel_size

    def drawn(self) -> None:
        """The frame that is under way, if any, has been drawn: learn what it cost."""
        node, pictures = self._node, self._node.pictures
        if node.canvas is None or not self.frames.under_way:
            return
        # Else what it costs would pass for the cost of the uploads that have to wait for it.
        _vispy.finish(node.canvas)
        cost_ms = self.frames.end(time.perf_counter())
        if self._in_software:
            # Else a processor that is busy with other programs would pass for costly rays.
            cost_ms = min(cost_ms, 1e3 * (time.process_time() - self._began_cpu_s))
        if pictures.cast_share == 1:
            self.quality.drawn(cost_ms)
            if self.quality.current != FULL:
                self._coarse_ms.append(cost_ms)
        elif pictures.cast_share:
            # Most of a frame may be what it costs besides its rays: so compare with others.
            # The least: a frame may have waited for threads that read.
            limit_ms = max(STRIP_MS, STRIP_COSTS * min(self._coarse_ms))
            pictures.sharp.scale(
                1.5 if cost_ms < limit_ms else 0.5 if cost_ms > 2 * limit_ms else 1.0
            )
        if pictures.unfinished or self._strips_left:
            node.update()  # the next strip; or nothing, after the last one, but to say that it is
        self._strips_left = pictures.unfinished

    def rest_ms(self, loading: bool) -> int:
        """How long nothing must happen until it counts as a rest; longer while bricks come."""
        if not loading:
            return self.quality.rest_ms
        # Longer than frames that only show more bricks wait for each other.
        return self.quality.rest_ms * PATIENCE + int((PAUSE + 1) * self.frames.cost_ms)
