"""Tasks of a build end before whoever started them goes on."""

import threading

import dask
import pytest

from napari_octree.writing.errors import CancelledError
from napari_octree.writing.running import run_in_threads


@pytest.mark.parametrize("error", [CancelledError, KeyboardInterrupt])
def test_nothing_is_written_after_a_cancel(error):
    second, asked, ended = threading.Event(), threading.Event(), []
    order = iter(range(9))

    def write(_):
        number = next(order)
        if number == 0:
            assert second.wait(20)
            return  # the next task is about to begin
        second.set()
        assert asked.wait(20)  # until after the cancel
        sum(range(1_000_000))
        ended.append(number)

    def cancelled():
        if not second.is_set():
            return False
        asked.set()
        raise error

    tasks = [dask.delayed(write)(number) for number in range(9)]
    with pytest.raises(error):
        run_in_threads(tasks, 2, None, cancelled)
    assert ended == [1]  # begun before the cancel, and whole


def test_a_failed_task_ends_the_others_first():
    begun, failed, ended = threading.Event(), threading.Event(), []

    def work(number):
        if number:
            assert begun.wait(20)
            failed.set()
            raise OSError("the disk is gone")
        begun.set()
        assert failed.wait(20)
        sum(range(1_000_000))
        ended.append(number)

    tasks = [dask.delayed(work)(number) for number in range(2)]
    with pytest.raises(OSError, match="the disk is gone"):
        run_in_threads(tasks, 2, None, None)
    assert ended == [0]
