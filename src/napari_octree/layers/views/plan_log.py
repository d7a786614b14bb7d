"""Writes what the octree plans to a file, where the configuration asks for it.

Invariants: nothing is written unless `octree.log_path` is set; one file gets each line once,
however many layers name it.
"""

from __future__ import annotations

import logging
from pathlib import Path

_HANDLERS: dict[Path, logging.Handler] = {}


def log_plans(path: Path | None) -> None:
    """Append the lines of the logger `napari_octree.octree` to a file from now on."""
    if path is None:
        return
    path = path.expanduser().absolute()
    if path not in _HANDLERS:
        handler = _HANDLERS[path] = logging.FileHandler(path, encoding="utf-8", delay=True)
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        plans = logging.getLogger("napari_octree.octree")
        plans.addHandler(handler)
        plans.setLevel(logging.DEBUG)
