"""What was painted in a session that crashed: found in its folder, and offered once.

Invariants: folders are searched in a worker; everything else is done in the main thread. A folder
is nobody's if its process has gone, by number and start.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
from napari.utils.notifications import Notification, notification_manager

from napari_octree.layers.labels.painting.scratch.store import (
    ABOUT,
    LIVE,
    About,
    ScratchStore,
    read_about,
)
from napari_octree.layers.labels.painting.scratch.writer import in_worker
from napari_octree.layers.main_loop import MAIN_LOOP

logger = logging.getLogger("napari_octree.loader")

OTHER_HOST_S = 24 * 3600.0
"""A folder of another machine counts as left behind when nothing was written for so long."""


def stores_in(base: Path, about: About) -> Iterator[ScratchStore]:
    """Folders in `base` of the same labels that were left behind (worker threads)."""
    if not base.is_dir():
        return
    for path in sorted(base.glob(f"*/{ABOUT}")):
        try:
            found = read_about(path)
            if found.is_of(about) and _is_left_behind(path.parent, found):
                store = ScratchStore.open(path.parent)
                LIVE.discard(store)
                if store.unsaved():
                    yield store
        except Exception as error:  # half made when its process ended, or another is removing it
            logger.info("%s: %s", path.parent, error)


def _is_left_behind(folder: Path, about: About) -> bool:
    """Whether nobody writes to a folder any more."""
    if any(store.folder == folder for store in LIVE):
        return False
    if about.host != socket.gethostname():
        return time.time() - (folder / ABOUT).stat().st_mtime > OTHER_HOST_S
    number, started = about.process
    if number == os.getpid():
        return True
    try:
        return abs(psutil.Process(number).create_time() - started) > 1
    except psutil.Error:
        return True


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
