"""The GPU's memory, shared by everything that draws in this process.

Invariants: what is granted never exceeds the limit in sum, but for the little without which
there would be no picture; what is released can be granted again. GUI thread only.
"""

from __future__ import annotations


class VramLedger:
    """Who holds how many bytes."""

    def __init__(self) -> None:
        self._held: dict[int, int] = {}

    @property
    def held_bytes(self) -> int:
        """Bytes granted to all owners."""
        return sum(self._held.values())

    def available(self, owner: object, limit_bytes: int) -> int:
        """Bytes that `owner` may take: half of what the others left, so that one more finds some.

        Parameters
        ----------
        owner : object
            What it holds now counts as free.
        limit_bytes : int
            For all owners together.
        """
        return self.room(owner, limit_bytes) // 2

    def room(self, owner: object, limit_bytes: int) -> int:
        """Bytes that the others left, what `owner` holds included."""
        others = self.held_bytes - self._held.get(id(owner), 0)
        return max(limit_bytes - others, 0)

    def take(self, owner: object, nbytes: int) -> None:
        """Note that `owner` holds `nbytes` now, and nothing else."""
        self._held[id(owner)] = nbytes

    def release(self, owner: object) -> None:
        """Note that `owner` holds nothing."""
        self._held.pop(id(owner), None)


VRAM = VramLedger()
"""The process's own."""
