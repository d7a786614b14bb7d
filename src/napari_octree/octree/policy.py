"""What to load first and what to load ahead, as named immutable values.

Invariant: a policy decides order and prefetch only, never correctness: under every policy what
is visible is covered exactly once, the overview is wished first and all ideal tiles are wished.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Policy:
    """Rules for plans.

    Attributes
    ----------
    name : str
    coverage : tuple of int
        Levels above the ideal one that are loaded before it, in this order. Two above costs a
        sixteenth of the ideal tiles and makes every place presentable.
    max_tiles : int
        Most ideal tiles of a plan. Where more are in view the ideal level is coarsened:
        visible tiles are never dropped.
    hysteresis : float
        Octaves that one must zoom out beyond the exact threshold before the level gets coarser.
        Zooming in switches at once, so a texel is never larger than a pixel, yet
        trembling at a threshold does not flip levels.
    finer_levels : int
        How many levels below the ideal one may stand in for it while it loads.
    ring : int
        Tiles around the view that may be prefetched, in tiles.
    neighbour_levels : bool
        Whether the next finer and coarser levels may be prefetched.
    slices : int
        Neighbouring slices (each way along the axis last moved) that may be prefetched.
    ahead_s : float
        While a slider moves, the overviews of the slices that it will reach in so many seconds
        are loaded before its turn comes to them (longer than a usual read takes), if they are
        coarser than the view needs.
    most_ahead : int
        Of them at most so many.
    prefetch : float
        Most prefetch wishes, as a fraction of the ideal tiles: by default enough for two slices
        with their coverage, or for the ring.
    probable : float
        Only what is reached with at least this probability is prefetched.
    horizon_s : float
        How far ahead moves are guessed.
    max_overview_tiles : int
        The whole overview is loaded, not only its visible part, if it has at most this many tiles.
    """

    name: str
    coverage: tuple[int, ...] = (2,)
    max_tiles: int = 4096
    hysteresis: float = 0.15
    finer_levels: int = 2
    ring: int = 1
    neighbour_levels: bool = True
    slices: int = 2
    ahead_s: float = 0.25
    most_ahead: int = 8
    prefetch: float = 2.5
    probable: float = 0.05
    horizon_s: float = 0.5
    max_overview_tiles: int = 16


EXPLORE = Policy("explore")
"""The default: something everywhere quickly, then the view itself, then what may come next."""

PLAY = Policy(
    "play",
    coverage=(3, 2, 1),
    ring=0,
    neighbour_levels=False,
    slices=4,
    prefetch=6.0,
    horizon_s=1.0,
)
"""For playing a time or z axis: keep up with it, coarser first, and load slices ahead."""

QUALITY = Policy(
    "quality", coverage=(), ring=0, neighbour_levels=False, slices=0, most_ahead=0, prefetch=0.0
)
"""For screenshots and careful looks: the ideal tiles at once, nothing on the way or ahead."""

POLICIES = {policy.name: policy for policy in (EXPLORE, PLAY, QUALITY)}
"""By name."""
