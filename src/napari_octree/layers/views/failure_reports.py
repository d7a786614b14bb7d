"""Tells the user of failed reads through napari's notifications.

Invariants: once per source and cause (the loader counts, and emits no second time until a
retry), in the main thread, as a warning that stops nothing.
"""

from __future__ import annotations

import functools
import logging
import weakref

from napari.utils.notifications import notification_manager, show_info, show_warning

from napari_octree.layers.main_loop import MAIN_LOOP
from napari_octree.loading.failure import LoadFailure
from napari_octree.loading.loader import ChunkLoader


class _WhereNapariTellsNothing(logging.Handler):
    """Writes to the terminal what napari does not write there itself, as it does with a window.

    Without any handler Python would write each failure beside napari's notice of it.
    """

    def emit(self, record: logging.LogRecord) -> None:
        if not notification_manager.notification_ready.callbacks and logging.lastResort:
            logging.lastResort.handle(record)


logging.getLogger("napari_octree.loader").addHandler(_WhereNapariTellsNothing(logging.WARNING))

SAY_ENOUGH = {"ConnectionError", "OSError", "SourceError", "TimeoutError", "FileNotFoundError"}
"""Types of errors whose messages say what is wrong."""

_REPORTED: weakref.WeakSet[ChunkLoader] = weakref.WeakSet()


def report_failures(loader: ChunkLoader) -> None:
    """Have the failures of `loader` shown; a second call does nothing."""
    if loader in _REPORTED:
        return
    _REPORTED.add(loader)
    loader.on_failure.connect(_on_failure)
    loader.on_healed.connect(_on_healed)


def _on_failure(failure: LoadFailure) -> None:
    # In a worker thread.
    MAIN_LOOP.post(functools.partial(show_warning, notice_of(failure)))


def _on_healed(source_name: str) -> None:
    # In a worker thread.
    MAIN_LOOP.post(functools.partial(show_info, f"{short_name(source_name)}: can be read again."))


def notice_of(failure: LoadFailure) -> str:
    """What a person is told: the problem first, then what to do, then the address.

    Each on a line of its own: of a notice only the first line is seen, until it is unfolded.
    """
    place, name = failure.source_name, short_name(failure.source_name)
    lines = [
        f"{name}: {_problem(failure)}",
        "Some pixels could not be read. To try again: Layers ▸ Visualize ▸ Reload.",
    ]
    return "\n".join(lines if place == name else [*lines, place])


def _problem(failure: LoadFailure) -> str:
    """The cause; the type of an error is left out where the sentence beside it is enough."""
    told = failure.cause in SAY_ENOUGH and " " in failure.message
    return failure.message if told else failure.problem


def short_name(place: str) -> str:
    """The last parts of a path or an address, which tell images apart in a narrow notice."""
    parts = place.rstrip("/").split("?")[0].split("/")
    kept = parts[-2:] if parts[-1].isdigit() and len(parts) > 1 else parts[-1:]
    return "/".join(kept) or place
