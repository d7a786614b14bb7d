"""What can be wrong with a place where pixels come from, in words a person can act on."""

from __future__ import annotations


class SourceError(ValueError):
    """Input that cannot be shown; the message names the array or path, and the problem."""


class ShapeMismatchError(SourceError):
    """A source returned an array of another shape or type than it announced."""
