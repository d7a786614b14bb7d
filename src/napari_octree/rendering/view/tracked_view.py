"""TrackedView: what one viewer shows of one layer in 2-D, and how it moves.

Invariants: GUI thread only; `view` is what the frame before showed, with the motion that led
there; a view that has not changed stays the same object, and finding that out inverts no matrix.
A move of the camera from rest to quite another view is a jump: nothing says that it will go on, so
nothing waits to see whether it does. What follows before the view has rested is a move like any
other.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from napari_octree.layers.slices.octree_slice import OctreeSlice
from napari_octree.layers.slices.slice_key import SliceKey
from napari_octree.loading import Pace
from napari_octree.octree.motion import AT_REST, Motion
from napari_octree.octree.view import View
from napari_octree.rendering.gpu.node_matrices import TileMatrices
from napari_octree.rendering.view.view_2d import view_from_matrix
from napari_octree.rendering.view.view_motion import ViewMotion

WhereCursor = Callable[[], "tuple[float, float] | None"]

RUSH_OCTAVES, RUSH_WIDTHS = 0.5, 5.0
"""Faster than this, per second, tiles leave the view before they were worth a read."""

JUMP_OCTAVES = 1.0
"""A zoom by this much at once is no notch of a wheel."""

REST_MS, MOST_REST_MS = 50, 200
"""The view counts as moving until it has stood still for two frames, within these limits."""


class TrackedView:
    """The views of one frame after the other."""

    def __init__(self) -> None:
        self.view: View | None = None
        self.moving = False
        self.pace = Pace.STEADY
        """How long what comes into view stays there."""
        self.rest_ms = REST_MS
        self._moved_s = 0.0
        self._motion = ViewMotion()
        self._slice_key: SliceKey | None = None
        self._matrices: TileMatrices | None = None
        self._slice: OctreeSlice | None = None

    @property
    def scroll_axis(self) -> int | None:
        """The data axis whose slider was moved last."""
        return self._motion.axis

    def see(
        self,
        matrices: TileMatrices,
        octree_slice: OctreeSlice | None,
        track: bool,
        now: float,
        cursor: WhereCursor | None = None,
    ) -> bool:
        """Take in what a frame shows.

        Parameters
        ----------
        matrices : TileMatrices
        octree_slice : OctreeSlice or None
            None: outside the data, or not in 2-D.
        track : bool
            Whether the camera is followed; if not, the region of the frame before is kept.
        now : float
            Seconds.
        cursor : callable, optional
            Where the mouse is in the view box; asked for where something has moved.

        Returns
        -------
        bool
            Whether it is another view than that of the frame before.
        """
        view, former = self._find(matrices, octree_slice, track, cursor), self.view
        moved = (
            view is not None
            and octree_slice is not None
            and (former is None or not _same(view, former))
        )
        if moved:
            assert view is not None
            assert octree_slice is not None
            before = self._slice_key or octree_slice.key
            self._slice_key = octree_slice.key
            motion = self._motion.observe(view, octree_slice.key, before, now)
            view = replace(view, motion=motion)
            jumped = former is not None and not self.moving and _apart(view, former)
            if jumped:
                view = replace(view, motion=self._motion.jump())
            self.moving = former is not None
            scrolled = before != octree_slice.key
            steady = jumped or not self.moving
            self.pace = Pace.STEADY if steady else _pace(motion, matrices, scrolled)
            # A slow frame must not pass for standing still.
            self.rest_ms = int(min(max(2e3 * (now - self._moved_s), REST_MS), MOST_REST_MS))
            self._moved_s = now
        self.view = view
        self._matrices, self._slice = (matrices, octree_slice) if track else (None, None)
        return moved

    def is_current(
        self, matrices: TileMatrices, octree_slice: OctreeSlice | None, track: bool
    ) -> bool:
        """Whether the frame before showed what one drawn now would show."""
        view = self._find(matrices, octree_slice, track)
        if view is None or self.view is None:
            return view is self.view
        return _same(view, self.view)

    def rest(self) -> Motion:
        """The view has stood still; returns its motion from now on."""
        self.moving, self.pace = False, Pace.STEADY
        motion = self._motion.rest()
        if self.view is not None:
            self.view = replace(self.view, motion=motion)
        return motion

    def _find(
        self,
        matrices: TileMatrices,
        octree_slice: OctreeSlice | None,
        track: bool,
        cursor: WhereCursor | None = None,
    ) -> View | None:
        if octree_slice is None:
            return None
        if not track and self.view is not None:
            return replace(self.view, slice=octree_slice.key)
        if matrices is self._matrices and octree_slice is self._slice:
            return self.view
        return view_from_matrix(
            matrices.to_viewbox,
            matrices.size,
            matrices.pixel_scale,
            None if cursor is None else cursor(),
            slice_key=octree_slice.key,
            motion=self.view.motion if self.view is not None else AT_REST,
        )


def _same(view: View, other: View) -> bool:
    return view is other or (view.corners == other.corners and view.slice == other.slice)


def _apart(view: View, former: View) -> bool:
    """Whether two views of a slice have next to no tile in common.

    A step of a slider is none: most are followed by another one.
    """
    if view.slice != former.slice:
        return False
    zoomed = view.pixel_size[0] / former.pixel_size[0]
    if abs(math.log2(zoomed)) >= JUMP_OCTAVES:
        return True
    boxes = [[(min(c), max(c)) for c in zip(*v.corners, strict=True)] for v in (view, former)]
    return any(a[1] <= b[0] or b[1] <= a[0] for a, b in zip(*boxes, strict=True))


def _pace(motion: Motion, matrices: TileMatrices, scrolled: bool) -> Pace:
    """Whether tiles come and go too quickly to be worth loading on the way."""
    widths_per_s = max(
        abs(speed.mean) / (length * matrices.pixel_scale)
        for speed, length in zip(motion.pan, reversed(matrices.size), strict=True)
    )
    if abs(motion.zoom.mean) > RUSH_OCTAVES or widths_per_s > RUSH_WIDTHS:
        return Pace.RUSHING
    # What stays in view for a fifth of a second need not wait a tenth to see whether it does.
    return Pace.UNCERTAIN if motion.begun or scrolled else Pace.STEADY
