import threading
from queue import SimpleQueue

from napari_octree.loading.delay_queue import DelayQueue


def test_calls_come_in_the_order_of_their_times():
    queue = DelayQueue()
    called = []
    done = threading.Event()
    now = queue.now()
    queue.call_at("c", now + 0.03, done.set)
    queue.call_at("a", now + 0.01, lambda: called.append("a"))
    queue.call_at("b", now + 0.02, lambda: called.append("b"))
    assert done.wait(60)
    assert called == ["a", "b"]
    queue.close()


def test_a_name_has_one_time():
    queue = DelayQueue()
    called = []
    done = threading.Event()
    queue.call_at("a", queue.now() + 3600, lambda: called.append("first"))
    queue.call_at("a", queue.now(), lambda: (called.append("second"), done.set()))
    assert done.wait(60)
    assert called == ["second"]
    queue.close()


def test_a_call_that_raises_does_not_end_the_queue():
    queue = DelayQueue()
    done = threading.Event()
    queue.call_at("a", queue.now(), lambda: 1 / 0)
    queue.call_at("b", queue.now() + 0.01, done.set)
    assert done.wait(60)
    queue.close()


def test_with_nothing_scheduled_it_waits_without_a_time_out():
    queue = DelayQueue()
    queue.call_at("a", queue.now() + 3600, lambda: None)
    waits = []
    settled = threading.Event()
    wait = queue._condition.wait

    def watched(timeout=None):
        waits.append(timeout)
        if timeout is None:
            settled.set()
        return wait(timeout)

    queue._condition.wait = watched
    queue.call_at("b", queue.now(), lambda: queue.cancel("a"))
    assert settled.wait(60)
    assert waits[-1] is None
    queue.close()


def test_a_replaced_time_is_not_kept():
    queue = DelayQueue()
    called = []
    done = threading.Event()
    now = queue.now()
    queue.call_at("b", now + 0.02, done.set)
    queue.call_at("a", now + 0.01, lambda: called.append("first"))
    queue.call_at("a", now + 3600, lambda: called.append("second"))
    assert done.wait(60)
    assert called == []
    queue.close()


def test_what_is_cancelled_is_waited_for_no_longer():
    queue, waits = waiting_for_an_hour()
    queue.cancel("a")
    assert waits.get(timeout=60) is None
    queue.close()


def test_a_later_call_wakes_nobody():
    queue, _ = waiting_for_an_hour()
    notified = []
    notify = queue._condition.notify
    queue._condition.notify = lambda: (notified.append(None), notify())
    queue.call_at("b", queue.now() + 7200, lambda: None)
    assert not notified
    queue.call_at("c", queue.now() + 60, lambda: None)
    assert notified
    queue.close()


def waiting_for_an_hour():
    """Return a queue whose thread waits for an hour, and the time-outs of its further waits."""
    queue = DelayQueue()
    waits = SimpleQueue()
    wait = queue._condition.wait

    def watched(timeout=None):
        waits.put(timeout)
        return wait(timeout)

    queue._condition.wait = watched
    queue.call_at("a", queue.now() + 3600, lambda: None)
    assert 0 < waits.get(timeout=60) <= 3600
    return queue, waits


def test_a_sooner_call_is_not_waited_past():
    queue, _ = waiting_for_an_hour()
    done = threading.Event()
    queue.call_at("b", queue.now(), done.set)
    assert done.wait(60)
    queue.close()


def test_close_ends_the_thread_whatever_is_scheduled():
    queue, _ = waiting_for_an_hour()
    thread = queue._thread
    queue.close()
    thread.join(60)
    assert not thread.is_alive()
    queue.call_at("b", queue.now(), lambda: None)
    assert not queue._scheduled
