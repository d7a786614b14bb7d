"""How one viewer's view has been moving, over camera and sliders: what prefetch goes by.

Invariants: GUI thread only; `axis` is the data axis whose slider was moved last, and the slice
positions of `motion` are indices on that axis.
"""

from __future__ import annotations

from dataclasses import replace

from napari_octree.layers.slices.slice_key import SliceKey
from napari_octree.octree.motion import AT_REST, Motion, Velocity, observe
from napari_octree.octree.view import View


class ViewMotion:
    """Speeds measured from one view after the other."""

    def __init__(self) -> None:
        self.motion: Motion = AT_REST
        self.axis: int | None = None

    def observe(
        self, view: View | None, slice_key: SliceKey, before: SliceKey, now: float
    ) -> Motion:
        """Return the motion after seeing `view` of a slice, where `before` was seen last.

        Without a view (of a volume) sliders alone are followed.
        """
        if before.displayed != slice_key.displayed:
            self.motion, self.axis = AT_REST, None
        moved = before.axis_to(slice_key)
        if moved is not None and moved != self.axis:
            self.axis = moved
            self.motion = replace(self.motion, slice_position=float(before.position(moved)))
        position = 0 if self.axis is None else slice_key.position(self.axis)
        centre, pixel_size = ((), ()) if view is None else (view.centre, view.pixel_size)
        self.motion = observe(self.motion, now, centre, pixel_size, float(position))
        return self.motion

    def jump(self) -> Motion:
        """Return the motion after a view that has nothing to do with the one before.

        It says how far, not how fast: the next move, if one follows, is measured by itself.
        """
        still = Velocity()
        self.motion = replace(
            self.motion, pan=(still,) * len(self.motion.pan), zoom=still, begun=True
        )
        return self.motion

    def rest(self) -> Motion:
        """Return the motion of a view that has stood still: it may go anywhere, not far."""
        still = Velocity()
        self.motion = replace(
            self.motion, pan=(still,) * len(self.motion.pan), zoom=still, scroll=still
        )
        return self.motion
