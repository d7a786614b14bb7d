"""Tells the user of failed reads through napari's notifications.

Invariants: once per source and cause (the loader counts, and emits no second time until a
retry), in the main thread, as a warning that stops nothing.
"""

from __future__ import annotations

import functools
import weakref

from napari.utils.notifications import show_warning

from napari_octree.layers.main_loop import MAIN_LOOP
from napari_octree.loading.failure import LoadFailure
from napari_octree.loading.loader import ChunkLoader

_REPORTED: weakref.WeakSet[ChunkLoader] = weakref.WeakSet()


def report_failures(loader: ChunkLoader) -> None:
    """Have the failures of `loader` shown; a second call does nothing."""
    if loader in _REPORTED:
        return
    _REPORTED.add(loader)
    loader.on_failure.connect(_on_failure)


def _on_failure(failure: LoadFailure) -> None:
    # In a worker thread.
    MAIN_LOOP.post(functools.partial(show_warning, f"{failure}. Retry with layer.reload()."))
