"""The budget of a frame, on a clock that only uploads move."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_octree.layers.views.statistics import UploadCheck
from napari_octree.rendering.gpu.upload_budget import UploadBudget


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def upload(self, ms: float) -> None:
        self.now += ms / 1e3


def frame(budget: UploadBudget, clock: Clock, limit: float, costs: list[float]) -> int:
    """Upload tiles of equal size that cost `costs` ms until the budget stops it."""
    budget.begin(limit)
    sent = 0
    for cost in costs:
        if not budget.allows(1000):
            break
        budget.spend(lambda cost=cost: clock.upload(cost), 1000)
        sent += 1
    budget.end()
    return sent


@given(
    limit=st.floats(0.1, 20),
    frames=st.lists(st.lists(st.floats(0.01, 5), min_size=1, max_size=40), min_size=1, max_size=8),
)
def test_a_frame_exceeds_its_budget_by_one_tile_at_most(
    limit: float, frames: list[list[float]]
) -> None:
    clock = Clock()
    budget = UploadBudget(lambda: None, clock)
    for costs in frames:
        before = clock.now
        sent = frame(budget, clock, limit, costs)
        assert sent >= 1
        assert (clock.now - before) * 1e3 <= limit + max(costs[:sent]) + 1e-6


def test_a_frame_that_takes_longer_than_could_be_expected_is_counted() -> None:
    clock = Clock()
    budget = UploadBudget(lambda: None, clock)
    frame(budget, clock, 5.0, [0.4] * 40)
    frame(budget, clock, 0.3, [0.4] * 40)  # one tile, whatever the budget
    assert budget.over_budget == 0
    frame(budget, clock, 5.0, [0.4, 122.0])
    assert budget.over_budget == 1
    assert budget.longest_ms == pytest.approx(122.4)


def test_one_upload_that_waited_does_not_slow_down_the_next() -> None:
    clock = Clock()
    budget = UploadBudget(lambda: None, clock)
    frame(budget, clock, 5.0, [0.4] * 40)
    frame(budget, clock, 5.0, [0.4, 122.0])
    assert frame(budget, clock, 5.0, [0.4] * 40) == 12


def test_a_tile_that_costs_more_than_the_budget_still_goes() -> None:
    clock = Clock()
    budget = UploadBudget(lambda: None, clock)
    assert frame(budget, clock, 1.0, [50.0, 50.0]) == 1
    assert frame(budget, clock, 1.0, [50.0, 50.0]) == 1


def test_the_budget_learns_the_rate() -> None:
    clock = Clock()
    budget = UploadBudget(lambda: None, clock)
    frame(budget, clock, 5.0, [0.4] * 40)
    assert frame(budget, clock, 5.0, [0.4] * 40) == 12
    assert abs(budget.bytes_per_ms - 2500) < 1
    # Slower from now on: fewer tiles a frame once it has been noticed.
    for _ in range(30):
        frame(budget, clock, 5.0, [0.9] * 40)
    assert frame(budget, clock, 5.0, [0.9] * 40) == 5


def test_counts() -> None:
    clock = Clock()
    budget = UploadBudget(lambda: None, clock)
    frame(budget, clock, 3.0, [1.0, 1.0])
    assert (budget.uploads, budget.upload_bytes) == (2, 2000)
    assert abs(budget.upload_ms - 2.0) < 1e-9
    assert abs(budget.longest_ms - 2.0) < 1e-9


def test_one_upload_is_checked_and_counts_as_it_was_issued() -> None:
    clock = Clock()
    seen: list[int] = []

    def check(upload: Callable[[], None], nbytes: int) -> UploadCheck:
        seen.append(nbytes)
        upload()
        clock.upload(100)  # waiting for the GPU
        return UploadCheck(nbytes, 1.0, 100.0, None)

    budget = UploadBudget(lambda: None, clock, check)
    for _ in range(20):
        assert frame(budget, clock, 3.0, [1.0]) == 1
    assert seen == [1000]
    assert budget.checked == UploadCheck(1000, 1.0, 100.0, None)
    assert budget.upload_ms == pytest.approx(20.0)
    assert budget.over_budget == 0
