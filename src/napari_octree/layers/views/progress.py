"""How far the current view is loaded: an immutable count."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OctreeProgress:
    """Chunks of the current view, summed over the viewers that show the layer.

    Attributes
    ----------
    ideal : int
        Chunks at the ideal level that are in view.
    resident : int
        Those of them that are in the atlas and drawn.
    loading : int
        Those that are still to come.
    failed : int
        Those that cannot be read.
    """

    ideal: int = 0
    resident: int = 0
    loading: int = 0
    failed: int = 0

    def __add__(self, other: OctreeProgress) -> OctreeProgress:
        return OctreeProgress(
            self.ideal + other.ideal,
            self.resident + other.resident,
            self.loading + other.loading,
            self.failed + other.failed,
        )
