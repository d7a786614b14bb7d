"""A few threads that read for a widget: what was asked for last comes first.

Invariants: answers are given in the main thread; after `forget` or `close` nobody hears of what
was asked before; threads are daemons and end when nothing is left, so an idle browser has none.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from napari_octree.layers.main_loop import MAIN_LOOP

MOST_THREADS = 4


class Workers:
    """Threads, as many as there is work for."""

    def __init__(self, most: int = MOST_THREADS) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._asked: list[tuple[int, Callable[[], Any], Callable[[Any, str], None]]] = []
        self._threads = 0
        self._age = 0

    def ask(self, read: Callable[[], Any], tell: Callable[[Any, str], None]) -> None:
        """Have `read()` called in a thread, then `tell(result, problem)` in the main thread.

        `problem` is the message of what `read` raised, "" if nothing.
        """
        with self._lock:
            self._asked.append((self._age, read, tell))
            start = self._threads < self._most
            self._threads += start
        if start:
            threading.Thread(target=self._work, name="octree browse", daemon=True).start()

    def forget(self) -> None:
        """Do nothing of what has been asked for, as far as it is not done."""
        with self._lock:
            self._age += 1
            self._asked.clear()

    close = forget

    @property
    def busy(self) -> bool:
        """Something is still to be done."""
        return self._threads > 0

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._asked:
                    self._threads -= 1
                    return
                age, read, tell = self._asked.pop()
            result, problem = None, ""
            try:
                result = read()
            except Exception as error:  # stores raise anything
                problem = str(error) or repr(error)
            MAIN_LOOP.post(self._answer(age, tell, result, problem))
            del read, tell, result

    def _answer(
        self, age: int, tell: Callable[[Any, str], None], result: Any, problem: str
    ) -> Callable[[], None]:
        def answer() -> None:
            if age == self._age:
                tell(result, problem)

        return answer
