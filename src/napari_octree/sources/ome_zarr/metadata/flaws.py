"""Warnings about files that can be shown nevertheless."""

from __future__ import annotations

import warnings


class OmeZarrWarning(UserWarning):
    """A flaw of a file that can be shown nevertheless."""


def warn(message: str) -> None:
    """Warn of a flaw; the message begins with the path or address, then says what is wrong."""
    warnings.warn(message, OmeZarrWarning, stacklevel=3)
