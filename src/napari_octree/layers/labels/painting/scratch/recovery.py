"""What was painted in a session that crashed is looked for, and offered once.

Invariants: folders are searched in a worker; everything else is done in the main thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari.utils.notifications import Notification, notification_manager

from napari_octree.layers.labels.painting.scratch.store import About, ScratchStore, stores_in
from napari_octree.layers.labels.painting.scratch.writer import in_worker
from napari_octree.layers.main_loop import MAIN_LOOP


def look_for_edits(
    base: Path, about: About, on_found: Callable[[list[ScratchStore]], None]
) -> None:
    """Search `base` for edits of these labels that nobody was told of yet."""

    def search() -> None:
        found = [store for store in stores_in(base, about) if not store.about.was_offered]
        if found:
            MAIN_LOOP.post(lambda: on_found(found))

    in_worker(search)


def offer_edits(name: str, stores: list[ScratchStore], restore: Callable[[], object]) -> None:
    """Ask whether to restore what was left behind for a layer of this name; never again."""
    when = max(store.folder.stat().st_mtime for store in stores if store.folder.exists())
    for store in stores:
        store.describe(was_offered=True)

    def delete(_: Any = None) -> None:
        for store in stores:
            store.delete()

    notification_manager.dispatch(
        Notification(
            f"{name}: what was painted on these labels until "
            f"{time.strftime('%d %B, %H:%M', time.localtime(when))} was not saved. "
            "Restore it, or do so later with layer.restore_edits().",
            "warning",
            actions=(("Restore", lambda _=None: restore()), ("Delete", delete)),
        )
    )
