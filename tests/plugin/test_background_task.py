"""Long work in a thread, with a bar of napari's."""

from __future__ import annotations

import gc
import weakref

from napari_octree.plugin.background_task import BackgroundTask


class Subject:
    """What a piece of work is about."""


def test_what_it_was_about_is_let_go_when_it_ends(viewer, pump_until) -> None:
    """napari keeps bars, also closed ones."""
    subject, results = Subject(), []
    gone = weakref.ref(subject)
    task = BackgroundTask(
        "Work", lambda task, subject=subject: 1, lambda n, subject=subject: results.append(n)
    )
    del subject
    pump_until(lambda: task.finished)
    assert results == [1]

    def is_gone() -> bool:
        gc.collect()
        return gone() is None

    pump_until(is_gone)  # the thread that told of the end may not have left the work yet
