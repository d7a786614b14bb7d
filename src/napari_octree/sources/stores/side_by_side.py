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
from heapq import heappop, heappush
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")

MOST = 64
"""Requests at once."""

Turn = int
"""A place in the queue: the smaller, the sooner."""


class RequestPool:
    """Threads that fetch.

    Thousands of short tasks a second go through it, and a thread that lost the interpreter while
    it held a lock would stop all others. So what they share is changed by single calls of
    functions that keep the interpreter until they have ended.

    Parameters
    ----------
    most : int
        Threads at most; each starts when there is more to do than others are free for.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._tasks: list[tuple[Turn, int, Callable[[], None]]] = []
        """A heap."""
        self._counts: SimpleQueue[None] = SimpleQueue()
        """As many as there are tasks in the heap: what threads wait for."""
        self._turns = itertools.count()
        self._serial = itertools.count()
        self._threads = 0

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
            work: Callable[[], None] = partial(_run, task, results, number, left)
            heappush(self._tasks, (turn, next(self._serial), work))
            self._counts.put(None)
        if self._threads < self._most:
            self._start()
        left.wait()
        return results

    def _start(self) -> None:
        """Start a thread for each task that none is free for."""
        with self._lock:
            new = min(self._counts.qsize(), self._most - self._threads)
            self._threads += max(new, 0)
        for _ in range(new):
            threading.Thread(target=self._work, name="napari-octree-fetch", daemon=True).start()

    def _work(self) -> None:
        while True:
            self._counts.get()
            _, _, work = heappop(self._tasks)
            work()
            del work


class _Countdown:
    """How many tasks are left."""

    def __init__(self, count: int) -> None:
        self._numbers = itertools.count(1)
        self._count = count
        self._over = threading.Event()
        if not count:
            self._over.set()

    def one_less(self) -> None:
        if next(self._numbers) == self._count:
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
