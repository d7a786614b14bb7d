"""How much memory sources keep for themselves, so that the loader leaves room for it.

Invariants: any thread; counts only. Whoever keeps pixels reports them here, and keeps no more than
is allowed.
"""

from __future__ import annotations

import threading

SHARE = 4
"""Sources may keep one part in so many of the limit of memory."""
STEP = 2**20
"""Bytes below which nobody has to look."""


class KeptBytes:
    """A count of bytes.

    Attributes
    ----------
    nbytes : int
        Kept now.
    allowed : int or None
        What may be kept; None: as much as each source allows itself.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.nbytes = 0
        self.allowed: int | None = None

    def add(self, nbytes: int) -> None:
        """Count more bytes, or fewer (negative)."""
        with self._lock:
            self.nbytes += nbytes

    def left_of(self, limit_bytes: int) -> int:
        """Return what of a limit is left for the loader, and allow sources their share of it."""
        self.allowed = limit_bytes // SHARE
        kept = min(self.nbytes, self.allowed)
        return limit_bytes - kept if kept >= STEP else limit_bytes  # crumbs are not worth it


KEPT = KeptBytes()
"""Of the process."""
