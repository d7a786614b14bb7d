"""A stutter in the midst of a move does not pass for its end."""

from __future__ import annotations

from napari_octree.rendering.view import rest_timer
from napari_octree.rendering.view.rest_timer import LATE_S, MOST_WAITS, RestTimer


class HeldUp:
    """A clock by which every time-out comes too late, so often."""

    def __init__(self, times: int) -> None:
        self.now, self.times, self.asked = 0.0, times, 0

    def __call__(self) -> float:
        self.asked += 1
        self.now += 1 if self.asked <= 1 + self.times else LATE_S / 100
        return self.now


def test_it_rests_once_after_the_last_move(pump_until) -> None:
    rests: list[bool] = []
    timer = RestTimer(lambda: rests.append(timer.running))
    timer.start(60_000)
    assert timer.running
    timer.start(0)
    pump_until(lambda: rests)
    assert rests == [False]
    timer.start(0)
    timer.stop()
    assert not timer.running


def test_time_in_which_the_loop_was_held_up_does_not_count(pump_until, monkeypatch) -> None:
    clock = HeldUp(1)
    monkeypatch.setattr(rest_timer, "perf_counter", clock)
    rests: list[int] = []
    timer = RestTimer(lambda: rests.append(clock.asked))
    timer.start(1)
    pump_until(lambda: rests)
    assert rests == [3]  # after the frame, too late, in time


def test_on_a_machine_that_is_always_late_it_rests_as_well(pump_until, monkeypatch) -> None:
    clock = HeldUp(1000)
    monkeypatch.setattr(rest_timer, "perf_counter", clock)
    rests: list[int] = []
    timer = RestTimer(lambda: rests.append(clock.asked))
    timer.start(1)
    pump_until(lambda: rests)
    assert rests == [MOST_WAITS + 1]
