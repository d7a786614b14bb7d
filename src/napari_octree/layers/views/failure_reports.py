"""Tells the user of failed reads through napari's notifications.

Invariants: once per source and cause (the loader counts, and emits no second time until a
retry), in the main thread, as a warning that stops nothing. It begins with the layer's name, if
one layer alone shows what failed, else with the place's.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from napari.utils.notifications import notification_manager, show_info, show_warning

from napari_octree.layers.main_loop import MAIN_LOOP
from napari_octree.loading.failure import LoadFailure
from napari_octree.loading.loader import ChunkLoader
from napari_octree.sources.identity import SourceGroup


class Reading(Protocol):
    """A layer, as far as it matters here."""

    name: Any

    def reads(self, group: SourceGroup) -> bool:
        """Whether it shows what is read from there."""
        ...


OpenLayers = Callable[[], Iterable[Reading]]


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


def report_failures(loader: ChunkLoader, layers: OpenLayers = tuple) -> None:
    """Have the failures of `loader` shown; a second call does nothing.

    Parameters
    ----------
    loader : ChunkLoader
    layers : callable
        Returns the layers that there are.
    """
    if loader in _REPORTED:
        return
    _REPORTED.add(loader)
    reports = _Reports(layers)
    # In worker threads.
    loader.on_failure.connect(lambda failure: MAIN_LOOP.post(lambda: reports.failed(failure)))
    loader.on_healed.connect(lambda name: MAIN_LOOP.post(lambda: reports.healed(name)))


class _Reports:
    """Tells of one loader's failures (main thread)."""

    def __init__(self, layers: OpenLayers) -> None:
        self._layers = layers
        self._told: dict[str, str] = {}  # what sources that fail were called

    def failed(self, failure: LoadFailure) -> None:
        """Tell that something cannot be read."""
        name = self._told[failure.source_name] = self._name(failure)
        show_warning(notice_of(failure, name))

    def healed(self, source_name: str) -> None:
        """Tell that it can."""
        name = self._told.pop(source_name, short_name(source_name))
        show_info(f"{name}: can be read again.")

    def _name(self, failure: LoadFailure) -> str:
        group = failure.group
        names = [] if group is None else [x.name for x in self._layers() if x.reads(group)]
        return str(names[0]) if len(names) == 1 else short_name(failure.source_name)


def notice_of(failure: LoadFailure, name: str = "") -> str:
    """What a person is told: the problem first, then what to do, then the address.

    Each on a line of its own: of a notice only the first line is seen, until it is unfolded.

    Parameters
    ----------
    failure : LoadFailure
    name : str
        What failed; default: the end of its address.
    """
    place = failure.source_name
    name = name or short_name(place)
    lines = [
        f"{name}: {_problem(failure)}",
        "Some pixels could not be read. To try again: Layers ▸ Visualize ▸ Reload.",
    ]
    is_address = "/" in place or "\\" in place  # and no name of a class
    return "\n".join([*lines, place] if is_address else lines)


def _problem(failure: LoadFailure) -> str:
    """The cause; the type of an error is left out where the sentence beside it is enough."""
    told = failure.cause in SAY_ENOUGH and " " in failure.message
    return failure.message if told else failure.problem


def short_name(place: str) -> str:
    """The last parts of a path or an address, which tell images apart in a narrow notice."""
    parts = place.rstrip("/").split("?")[0].split("/")
    kept = parts[-2:] if parts[-1].isdigit() and len(parts) > 1 else parts[-1:]
    return "/".join(kept) or place
