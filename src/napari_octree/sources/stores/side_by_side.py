"""Requests to far stores, many at once; those of what was asked for first come first.

Invariants: at most `MOST` at once in the process; threads are daemons and idle ones sleep; a
result or the error of each task comes back, in the order of the tasks. The threads are not the
loader's: its readers wait here, and cannot fill this pool with others that wait for them.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from functools import partial
from queue import PriorityQueue
from typing import Any, TypeVar

T = TypeVar("T")

MOST = 64
"""Requests at once."""

Turn = int
"""A place in the queue: the smaller, the sooner."""


class RequestPool:
    """Threads that fetch.

    Parameters
    ----------
    most : int
        Threads at most; each starts when there is more to do than others are free for.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._queue: PriorityQueue[tuple[Turn, int, Callable[[], None]]] = PriorityQueue()
        self._turns = itertools.count()
        self._serial = itertools.count()
        self._threads = 0
        self._unfinished = 0

    def new_turn(self) -> Turn:
        """Return the next place in the queue: a read takes one for all its rounds of requests."""
        return next(self._turns)

    def run(self, tasks: Sequence[Callable[[], T]], turn: Turn) -> list[T | BaseException]:
        """Run tasks that mostly wait; return the result of each, or the error that it raised."""
        if len(tasks) == 1:
            return [_outcome(tasks[0])]
        results: list[Any] = [None] * len(tasks)
        left = _Countdown(len(tasks))
        for number, task in enumerate(tasks):
            self._submit(turn, partial(_run, task, results, number, left))
        left.wait()
        return results

    def _submit(self, turn: Turn, work: Callable[[], None]) -> None:
        with self._lock:
            self._unfinished += 1
            start = self._unfinished > self._threads and self._threads < self._most
            self._threads += start
        self._queue.put((turn, next(self._serial), work))
        if start:
            threading.Thread(target=self._work, name="napari-octree-fetch", daemon=True).start()

    def _work(self) -> None:
        while True:
            _, _, work = self._queue.get()
            work()
            del work
            with self._lock:
                self._unfinished -= 1


class _Countdown:
    """How many tasks are left."""

    def __init__(self, count: int) -> None:
        self._left = count
        self._lock = threading.Lock()
        self._over = threading.Event()
        if not count:
            self._over.set()

    def one_less(self) -> None:
        with self._lock:
            self._left -= 1
            if not self._left:
                self._over.set()

    def wait(self) -> None:
        self._over.wait()


def _outcome(task: Callable[[], T]) -> T | BaseException:
    try:
        return task()
    except BaseException as error:  # whoever asked decides what it means
        return error


def _run(task: Callable[[], Any], results: list[Any], number: int, left: _Countdown) -> None:
    results[number] = _outcome(task)
    left.one_less()


POOL = RequestPool()
"""The process's."""
