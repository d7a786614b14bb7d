"""The pool of requests to far stores."""

from __future__ import annotations

import threading
from functools import partial

from napari_octree.sources.stores.side_by_side import RequestPool


def test_results_and_errors_come_in_the_order_of_the_tasks() -> None:
    pool, error = RequestPool(3), OSError("gone")

    def task(number: int) -> int:
        if number == 7:
            raise error
        return number

    found = pool.run([partial(task, number) for number in range(200)], pool.new_turn())
    assert found == [*range(7), error, *range(8, 200)]
    assert pool.run([], pool.new_turn()) == []


def test_no_more_run_at_once_than_there_are_threads() -> None:
    pool, lock, running, most = RequestPool(4), threading.Lock(), [0], [0]

    def task() -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        with lock:
            running[0] -= 1

    def ask() -> None:
        pool.run([task] * 100, pool.new_turn())

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert 1 <= most[0] <= 4
    assert pool._threads <= 4


def test_as_many_run_at_once_as_there_may() -> None:
    pool, together = RequestPool(4), threading.Barrier(4)
    assert pool.run([partial(together.wait, 30)] * 4, 0)
    assert not together.broken


def test_what_was_asked_for_first_comes_first() -> None:
    pool, begun, go_on, order = RequestPool(1), threading.Event(), threading.Event(), []

    def hold() -> None:
        begun.set()
        go_on.wait(30)

    def ask(turn: int) -> None:
        pool.run([partial(order.append, turn)] * 2, turn)

    first = threading.Thread(target=pool.run, args=([hold, hold], 0))
    first.start()
    begun.wait(30)
    others = [threading.Thread(target=ask, args=(turn,)) for turn in (3, 1, 2)]
    for thread in others:
        thread.start()
    while pool._queue.qsize() < 7 and first.is_alive():  # until all have asked
        pass
    go_on.set()
    for thread in (first, *others):
        thread.join(30)
    assert order == [1, 1, 2, 2, 3, 3]
