"""What can be wrong with a place where pixels come from, in words a person can act on."""

from __future__ import annotations

import numpy as np


class SourceError(ValueError):
    """Input that cannot be shown; the message names the array or path, and the problem."""


class AccessRefusedError(SourceError):
    """A store that wants to know who asks, or does not want this one to."""


class ShapeMismatchError(SourceError):
    """A source returned an array of another shape or type than it announced."""


class PartialReadError(Exception):
    """Some of what a chunk shows cannot be read: of many images, say, one.

    The loader tries again as its cause demands; then it shows what there is, says what failed, and
    keeps the chunk in RAM only.

    Attributes
    ----------
    pixels : numpy.ndarray or None
        The chunk without what cannot be read, as `StorageArray.read` would return it.
    """

    def __init__(self, message: str, pixels: np.ndarray | None) -> None:
        super().__init__(message)
        self.pixels = pixels

    def __reduce__(self) -> tuple[type, tuple[str, np.ndarray | None]]:
        return type(self), (str(self), self.pixels)  # from a process that reads
