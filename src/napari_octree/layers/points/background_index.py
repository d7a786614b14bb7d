"""Makes the trees of points in memory while a first sample is shown.

Invariants: one thread of its own for each set; what it found is handed over in the main thread,
and dropped if the layer has gone or has other points by then.
"""

from __future__ import annotations

import functools
import threading
import weakref
from collections.abc import Callable

from napari_octree.layers.main_loop import MAIN_LOOP
from napari_octree.sources.points.points_source import PointsSource


def index_in_background(
    make: Callable[[], PointsSource],
    done: Callable[[PointsSource | BaseException], None],
) -> None:
    """Call `make` in a thread, and the method `done` with what it gives in the main thread.

    `done` must be a bound method: its object is not kept alive.
    """
    reference = weakref.WeakMethod(done)

    def hand_over(result: PointsSource | BaseException) -> None:
        method = reference()
        if method is not None:
            method(result)

    def work() -> None:
        try:
            result: PointsSource | BaseException = make()
        except BaseException as error:  # told where somebody can see it
            result = error
        MAIN_LOOP.post(functools.partial(hand_over, result))

    threading.Thread(target=work, name="octree points index", daemon=True).start()
