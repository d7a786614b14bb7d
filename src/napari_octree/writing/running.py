"""Runs the tasks of a build: in threads of this process, or on a cluster.

Invariants: no more is scheduled after a cancel; what is written stays. When a run returns or
raises, none of its tasks is writing any more: whoever called may delete the files, or begin again.
Other builds may run on the same cluster.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from napari_octree.writing.errors import CancelledError, WritingError

POLL_S = 0.1
"""How often a cluster is asked whether cancelled tasks have ended."""

CONNECT_S = 10.0
"""How long a scheduler may take to answer."""

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

    # A pool of our own: leaving it waits for the tasks that are running, which dask does not do
    # after an error.
    with (
        ThreadPoolExecutor(workers, "octree-build") as pool,
        Callback(pretask=before, posttask=after),
    ):
        dask.compute(*tasks, scheduler="threads", pool=pool, optimize_graph=False)


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
        There is no such scheduler, it went away, or its workers die of the work.
    CancelledError
        And what the tasks raise.
    """
    try:
        from distributed import Client, KilledWorker, as_completed
        from distributed.client import FutureCancelledError
    except ImportError as error:
        raise WritingError(
            "a scheduler needs dask.distributed; try\n  pip install 'napari-octree[cluster]'"
        ) from error
    try:
        client = Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise WritingError(f"{address}: no dask scheduler answers: {error}") from error
    with client:
        futures = client.compute(tasks, optimize_graph=False)
        try:
            for done, future in enumerate(as_completed(futures, loop=client.loop), 1):
                if cancelled is not None and cancelled():
                    raise CancelledError
                future.result()
                if progress is not None:
                    progress(done, len(tasks))
        except KilledWorker as error:
            _end(client, futures)
            raise WritingError(
                f"{address}: workers died again and again of the same task (is their memory too "
                f"small?); start the build again to go on: {error}"
            ) from error
        except FutureCancelledError as error:
            raise WritingError(
                f"{address}: the scheduler has gone; start the build again to go on"
            ) from error
        except BaseException:
            _end(client, futures)
            raise


def _end(client: Any, futures: list[Any]) -> None:
    """Cancel what waits on a cluster, and wait for what runs."""
    keys = {str(future.key) for future in futures}
    client.cancel(futures, force=True)
    while any(keys & set(running) for running in client.run(_executing).values()):
        time.sleep(POLL_S)


def _executing(dask_worker: Any) -> list[str]:
    """Names of the tasks that a worker is running now (run in the worker)."""
    return [str(state.key) for state in dask_worker.state.executing]
