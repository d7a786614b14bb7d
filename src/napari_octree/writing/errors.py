"""What goes wrong when something is written."""

from __future__ import annotations


class WritingError(ValueError):
    """Something cannot be written; the message begins with the problem and names the path."""


class CancelledError(Exception):
    """The user has stopped the work."""
