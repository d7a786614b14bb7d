"""EditedChunk: a box of level 0 in memory, with what was painted on it.

Invariants: arrays that somebody else holds (`is_shared`: a copy of the layer, the worker that
writes them to disk) are not written to; the chunk takes copies first.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np

Index = tuple[int, ...]
"""Which chunk, along each axis."""

NEVER = -1


@dataclass(eq=False)
class EditedChunk:
    """A box of level 0.

    Attributes
    ----------
    values : array
        As it is now.
    written : bool array
        Which pixels were painted since the box was loaded.
    has_written : bool
        Whether any were.
    saved : bool
        The data have all of it.
    clean : int or None
        Digest of the values that the data have; None where it is not known.
    revision : int
        Changes with each stroke.
    sent, kept : int
        The revisions that were handed on to be written to disk, and that are there; `NEVER`: none.
    is_shared : bool
        Somebody else reads the arrays.
    """

    values: np.ndarray
    written: np.ndarray
    has_written: bool = False
    saved: bool = True
    clean: int | None = None
    revision: int = 0
    sent: int = NEVER
    kept: int = NEVER
    is_shared: bool = False

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return self.values.nbytes + self.written.nbytes

    def own(self) -> None:
        """Have arrays that can be written to."""
        if self.is_shared:
            self.values, self.written = self.values.copy(), self.written.copy()
            self.is_shared = False

    def share(self) -> EditedChunk:
        """Return the chunk as it is now, which stays so."""
        self.is_shared = True
        return replace(self)

    def remember_clean(self) -> None:
        """Note what the data have, before the first change."""
        if self.saved:
            self.clean = _digest(self.values)

    @property
    def is_clean(self) -> bool:
        """Whether the values are again those that the data have."""
        return self.clean is not None and self.clean == _digest(self.values)


def _digest(values: np.ndarray) -> int:
    """A number that other values hardly have: a sum of products with random numbers.

    As in Carter and Wegman's universal hashing (less than one case in 2^28). A cryptographic
    digest takes ten times as long, with the first dab on each chunk.
    """
    octets = np.ascontiguousarray(values).view(np.uint8).ravel()
    if octets.size % 8:
        octets = np.pad(octets, (0, -octets.size % 8))
    words = octets.view(np.uint64)
    mixed = words >> np.uint64(29)  # products of high bits alone could cancel out
    mixed ^= words
    return int(np.dot(mixed, _weights(words.size)))


@functools.lru_cache(4)
def _weights(number: int) -> np.ndarray:
    return np.random.default_rng().integers(0, 2**64, number, np.uint64) | np.uint64(1)
