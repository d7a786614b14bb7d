"""A folder that is gone is no folder of empty chunks.

A chunk that a store does not hold shows the fill value. Of an array whose whole folder is gone (a
drive was unmounted, somebody deleted it) no chunk is there either, and all of it would turn black
without a word.
"""

from __future__ import annotations

import errno
from pathlib import Path


def check_there(folder: Path) -> None:
    """Ask for the folder of an array, one of whose chunks is not there (worker threads only).

    Raises
    ------
    FileNotFoundError
    """
    if not folder.exists():
        raise FileNotFoundError(errno.ENOENT, "the folder of the array is gone", str(folder))
