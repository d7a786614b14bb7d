"""How the user moves, estimated from the last views, and what that makes likely next.

Invariants: `Motion` is an immutable value; `observe` is a pure function of its arguments (time
is handed in, no clock is read). Speeds are per second of the caller's clock: pan in
framebuffer pixels, zoom in octaves (positive: zooming out), scroll in slices.

The idea (a velocity with a variance, both forgotten exponentially, gives the probability that a
place is reached within a short time) is that of Neuroglancer's velocity_estimation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

HALF_LIFE_S = 0.12
"""A speed counts half after this time: a few frames, so a change of direction shows soon."""

PAUSE_S = 0.5
"""After a pause this long a move starts anew: what went before says nothing about it."""


@dataclass(frozen=True, slots=True)
class Velocity:
    """One speed and how far it may be wrong.

    Attributes
    ----------
    mean : float
        Units per second.
    variance : float
        Square of units per second.
    """

    mean: float = 0.0
    variance: float = 0.0

    def updated(self, speed: float, weight: float) -> Velocity:
        """Return the estimate after a new measurement that replaces `weight` (0–1) of the old.

        Exponentially weighted mean and variance, as in Finch, "Incremental calculation of
        weighted mean and variance" (2009), section 9.
        """
        difference = speed - self.mean
        step = weight * difference
        return Velocity(self.mean + step, (1 - weight) * (self.variance + difference * step))

    def reach(self, distance: float, horizon_s: float, spread: float) -> float:
        """Probability that a move of at least `distance` happens within `horizon_s`.

        The move is taken as normally distributed around ``mean * horizon_s``.

        Parameters
        ----------
        distance : float
            Signed, in units of the position: negative asks for moves the other way.
        horizon_s : float
            Seconds ahead.
        spread : float
            Standard deviation that remains when everything stands still (units of the
            position): nobody knows what a user does next.
        """
        sign = math.copysign(1.0, distance)
        deviation = math.sqrt(self.variance * horizon_s**2 + spread**2)
        if deviation == 0:
            return float(sign * self.mean * horizon_s >= abs(distance))
        ahead = (abs(distance) - sign * self.mean * horizon_s) / deviation
        return 0.5 * math.erfc(ahead / math.sqrt(2))


@dataclass(frozen=True, slots=True)
class Motion:
    """Estimated speeds of a view, and the last position that they were measured from.

    Attributes
    ----------
    pan : tuple of Velocity
        Framebuffer pixels per second, per displayed axis: of the view over the data.
    zoom : Velocity
        Octaves per second; positive is zooming out.
    scroll : Velocity
        Slices per second along the axis last moved.
    scrolled : bool
        Whether the slice has ever moved: before that no neighbouring slice is likely.
    begun : bool
        The last observation came after a pause: its speed is an average over standing still,
        and the next one replaces it.
    time_s, centre, octave, slice_position
        The last observation.
    """

    pan: tuple[Velocity, ...] = (Velocity(), Velocity())
    zoom: Velocity = Velocity()
    scroll: Velocity = Velocity()
    scrolled: bool = False
    begun: bool = False
    time_s: float | None = None
    centre: tuple[float, ...] = ()
    octave: float = 0.0
    slice_position: float = 0.0


AT_REST = Motion()
"""Nothing is known: the user may go anywhere, and not far."""


def observe(
    motion: Motion,
    time_s: float,
    centre: tuple[float, ...],
    pixel_size: tuple[float, ...],
    slice_position: float = 0.0,
) -> Motion:
    """Return the estimate after seeing the view at `time_s`.

    Parameters
    ----------
    motion : Motion
        The former estimate; `AT_REST` to begin with.
    time_s : float
        Any clock that never goes back.
    centre : tuple of float
        Centre of the view, octree coordinates; () where only slices are followed.
    pixel_size : tuple of float
        Octree-coordinate length of a framebuffer pixel per displayed axis.
    slice_position : float
        Index on the axis that was moved last. When another axis is moved, start it from the
        index before the move (``replace(motion, slice_position=...)``).

    Returns
    -------
    Motion
        Unchanged speeds if no time has passed.
    """
    octave = math.log2(math.prod(pixel_size)) / max(len(pixel_size), 1)
    seen = replace(
        motion, time_s=time_s, centre=centre, octave=octave, slice_position=slice_position
    )
    scrolled = motion.time_s is not None and (
        motion.scrolled or slice_position != motion.slice_position
    )
    if motion.time_s is None or len(motion.centre) != len(centre):
        return replace(seen, pan=(Velocity(),) * len(centre))
    elapsed = time_s - motion.time_s
    if elapsed <= 0:
        # Two looks at one moment cannot measure a speed; the next one measures both moves.
        return motion
    paused = elapsed > PAUSE_S
    weight = 1.0 if paused or motion.begun else 1 - 0.5 ** (elapsed / HALF_LIFE_S)
    pan = tuple(
        v.updated((c - b) / (p * elapsed), weight)
        for v, c, b, p in zip(motion.pan, centre, motion.centre, pixel_size, strict=True)
    )
    return replace(
        seen,
        pan=pan,
        zoom=motion.zoom.updated((octave - motion.octave) / elapsed, weight),
        scroll=motion.scroll.updated((slice_position - motion.slice_position) / elapsed, weight),
        scrolled=scrolled,
        begun=paused,
    )
