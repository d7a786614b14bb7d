"""TaskRunner: does the tasks of a build, a few at a time, and tells how far it is.

Invariants: at most four times as many tasks as workers are known to dask at once. An active
`distributed.Client` has its cluster do them; else threads do.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")

Report = Callable[[int, int], None]
"""Called with the number of finished tasks and of all."""


class TaskRunner:
    """Does the tasks of one build.

    Parameters
    ----------
    workers : int
    progress : callable or None

    Attributes
    ----------
    total : int
        How many tasks there will be, as far as that is known.
    """

    def __init__(self, workers: int, progress: Report | None) -> None:
        self._workers, self._progress = workers, progress
        self._done = 0
        self.total = 0

    def each(self, tasks: Sequence[Callable[[], T]]) -> list[T]:
        """Do tasks. Returns their results in their order."""
        import dask

        results: list[T] = []
        step = max(4 * self._workers, 1)
        settings: dict[str, Any] = {"num_workers": self._workers}
        pool: ThreadPoolExecutor | None = None
        try:
            from distributed import default_client

            default_client()
        except (ImportError, ValueError):
            if self._workers > 1:
                # Leaving it waits for what runs, which dask does not do after an error.
                pool = ThreadPoolExecutor(self._workers, "octree-points")
                settings = {"scheduler": "threads", "pool": pool}
            else:
                settings = {"scheduler": "synchronous"}
        with pool or contextlib.nullcontext():
            for start in range(0, len(tasks), step):
                some = [dask.delayed(task, pure=False)() for task in tasks[start : start + step]]
                results += dask.compute(*some, **settings)
                self._done += len(some)
                if self._progress is not None:
                    self._progress(self._done, max(self.total, self._done))
        return results
