"""What goes wrong when something is written."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path


class WritingError(ValueError):
    """Something cannot be written; the message begins with the problem and names the path."""


@contextlib.contextmanager
def written_to(path: str | Path) -> Iterator[None]:
    """Tell what the disk says of writing with the path, as of a full disk it does not name it.

    Raises
    ------
    WritingError
        In place of any `OSError` that is raised within.
    """
    try:
        yield
    except OSError as error:
        raise WritingError(f"{path}: cannot be written: {error.strerror or error}") from error


class CancelledError(Exception):
    """The user has stopped the work."""
