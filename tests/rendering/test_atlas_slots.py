"""The slots of an atlas, against a slow model with lists."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from napari_octree.rendering.gpu.atlas_slots import AtlasSlots

CAPACITY = 4
keys = st.integers(0, 9)


class SlotsMachine(RuleBasedStateMachine):
    """Any series of adds, touches and evictions keeps the promises."""

    def __init__(self) -> None:
        super().__init__()
        self.slots: AtlasSlots[int] = AtlasSlots(CAPACITY)
        self.recency: list[int] = []
        self.capacity = CAPACITY

    @rule(key=keys, protected=st.frozensets(keys, max_size=6))
    def add(self, key: int, protected: frozenset[int]) -> None:
        before = list(self.recency)
        slot, evicted = self.slots.add(key, (3, 5), True, protected)
        victims = [k for k in before if k not in protected]
        if key in before or len(before) < self.capacity:
            assert evicted is None
        elif victims:
            assert evicted == victims[0]
            self.recency.remove(victims[0])
        else:
            assert slot is None
            assert evicted is None
            return
        assert slot is not None
        if key in self.recency:
            self.recency.remove(key)
        self.recency.append(key)

    @rule()
    def extend(self) -> None:
        before = {key: self.slots[key] for key in self.slots}
        self.capacity += 2
        self.slots.extend(self.capacity)
        assert self.slots.capacity == self.capacity
        assert {key: self.slots[key] for key in self.slots} == before

    @rule(touched=st.lists(keys, unique=True))
    def touch(self, touched: list[int]) -> None:
        drawn = [key for key in touched if key in self.recency]
        self.slots.touch(np.fromiter(self.slots.numbers(drawn), np.int64, len(drawn)))
        for key in drawn:
            self.recency.remove(key)
            self.recency.append(key)

    @rule(key=keys)
    def evict(self, key: int) -> None:
        self.slots.evict(key)
        if key in self.recency:
            self.recency.remove(key)

    @rule()
    def clear(self) -> None:
        self.slots.clear()
        self.recency.clear()

    @invariant()
    def same_keys(self) -> None:
        assert set(self.slots) == set(self.recency)
        assert len(self.slots) == len(self.recency)

    @invariant()
    def one_slot_each(self) -> None:
        numbers = [self.slots.get(k).number for k in self.slots]
        assert len(set(numbers)) == len(numbers) <= self.capacity
        assert all(0 <= n < self.capacity for n in numbers)


SlotsMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestSlots = SlotsMachine.TestCase


def test_replacing_a_key_keeps_its_place() -> None:
    slots: AtlasSlots[str] = AtlasSlots(2)
    first, _ = slots.add("a", (1, 1), complete=False)
    again, evicted = slots.add("a", (1, 1), complete=True)
    assert first.number == again.number
    assert again.complete
    assert evicted is None


def test_what_is_drawn_in_later_frames_goes_later() -> None:
    slots: AtlasSlots[str] = AtlasSlots(3)
    for key in "abc":
        slots.add(key, (1, 1))
    for drawn in ([2, 0], [1], [0, 2, 0]):
        slots.touch(np.array(drawn))
    assert [slots.add(key, (1, 1))[1] for key in "defg"] == ["b", "c", "a", "d"]
    slots.touch(np.array([slots["e"].number]))
    assert [slots.add(key, (1, 1))[1] for key in "hi"] == ["f", "g"]


@pytest.mark.parametrize("protect", [True, False])
def test_a_full_atlas_of_protected_keys_takes_nothing(protect: bool) -> None:
    slots: AtlasSlots[int] = AtlasSlots(2)
    slots.add(0, (1, 1))
    slots.add(1, (1, 1))
    slot, _ = slots.add(2, (1, 1), protected={0, 1} if protect else set())
    assert (slot is None) is protect
    assert (0 in slots) is protect
