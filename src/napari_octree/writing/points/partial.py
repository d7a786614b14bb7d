"""Files that are there whole or not at all, and what is left of those that never became whole.

Invariants: any process; two may write the same file at once.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from napari_octree.writing.errors import written_to

SUFFIX = ".partial"
"""Ends the names of half-written files and folders, zarr's included."""


def partial_name(path: Path) -> Path:
    """Return a name, used nowhere else, for what is to become a file or a folder."""
    return path.with_name(f"{path.name}.{uuid.uuid4().hex}{SUFFIX}")


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give the name to write a file to, and rename it to `path` at the end.

    Raises
    ------
    WritingError
        In place of any `OSError` that is raised within.
    """
    made = partial_name(path)
    with written_to(path):
        try:
            yield made
            os.replace(made, path)
        finally:
            made.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove what killed processes had begun to write below a folder."""
    for left in list(folder.rglob(f"*{SUFFIX}")):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)
