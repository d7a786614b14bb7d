"""Runs the tasks of a build: in threads of this process, or on a cluster.

Invariants: no more is scheduled after a cancel; what is written stays. Other builds may run on the
same cluster.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari_octree.writing.errors import CancelledError, WritingError

Progress = Callable[[int, int], None]
"""Told the number of finished tasks and of all."""


def run_in_threads(
    tasks: list[Any],
    workers: int,
    progress: Progress | None,
    cancelled: Callable[[], bool] | None,
) -> None:
    """Run dask tasks in so many threads of this process.

    Raises
    ------
    CancelledError
        And what the tasks raise.
    """
    import dask
    from dask.callbacks import Callback

    done = 0

    def before(*_: object) -> None:
        if cancelled is not None and cancelled():
            raise CancelledError

    def after(*_: object) -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(min(done, len(tasks)), len(tasks))

    with Callback(pretask=before, posttask=after):
        dask.compute(*tasks, scheduler="threads", num_workers=workers, optimize_graph=False)


def run_on_cluster(
    tasks: list[Any],
    address: str,
    progress: Progress | None,
    cancelled: Callable[[], bool] | None,
) -> None:
    """Run dask tasks by the workers of the scheduler at an address.

    Raises
    ------
    WritingError
        There is no such scheduler.
    CancelledError
        And what the tasks raise.
    """
    try:
        from distributed import Client, as_completed
    except ImportError as error:
        raise WritingError(
            "a scheduler needs dask.distributed; try\n  pip install 'napari-octree[cluster]'"
        ) from error
    try:
        client = Client(address, timeout=10, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise WritingError(f"{address}: no dask scheduler answers: {error}") from error
    with client:
        futures = client.compute(tasks, optimize_graph=False)
        for done, future in enumerate(as_completed(futures, loop=client.loop), 1):
            if cancelled is not None and cancelled():
                client.cancel(futures)
                raise CancelledError
            future.result()
            if progress is not None:
                progress(done, len(tasks))
