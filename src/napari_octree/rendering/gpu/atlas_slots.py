"""Which tile lies in which slot of an atlas: bookkeeping without a GPU.

Invariants: every key has one slot and every slot at most one key; a protected key is never
evicted; get, add and evict are O(1) (eviction skips protected keys, each at most once per call;
the order in which keys are evicted is found for all at once, and serves until it is used up).
What a frame draws is marked in one operation on an array, however much it is. Used in the GUI
thread only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Hashable, Iterable, Iterator
from operator import itemgetter
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

K = TypeVar("K", bound=Hashable)


class Slot(NamedTuple):
    """A place in the atlas and what it holds.

    Attributes
    ----------
    number : int
        Row-major in the grid of slots.
    shape : tuple of int
        Texels of the tile with its apron, ([planes,] rows, columns).
    complete : bool
        No better version of the tile is to come: its apron and its pixels are final.
    """

    number: int
    shape: tuple[int, ...]
    complete: bool = True


class AtlasSlots(Generic[K]):
    """Least-recently-drawn allocation of `capacity` slots.

    Parameters
    ----------
    capacity : int
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.evictions = 0
        self._slots: dict[K, Slot] = {}
        self._renamed: set[K] = set()
        self._drawn = np.zeros(0, np.int64)
        self._line: deque[tuple[K, int, int]] = deque()  # as they were drawn when it was made
        self.clear()

    def __len__(self) -> int:
        return len(self._slots)

    def __contains__(self, key: K) -> bool:
        return key in self._slots

    def __iter__(self) -> Iterator[K]:
        return iter(self._slots)

    def __getitem__(self, key: K) -> Slot:
        return self._slots[key]

    def get(self, key: K) -> Slot | None:
        """The slot of `key`, without touching it."""
        return self._slots.get(key)

    def numbers(self, keys: Iterable[K]) -> Iterator[int]:
        """The numbers of the slots of `keys`, which all have one."""
        return map(itemgetter(0), map(self._slots.__getitem__, keys))

    def touch(self, numbers: npt.NDArray[np.int64]) -> None:
        """Mark slots, by their numbers, as drawn now: the last of them last."""
        self._drawn[numbers] = np.arange(self._now, self._now + len(numbers))
        self._now += len(numbers)

    def add(
        self,
        key: K,
        shape: tuple[int, ...],
        complete: bool = True,
        protected: Collection[K] = (),
    ) -> tuple[Slot | None, K | None]:
        """Give `key` a slot: its own again, a free one, or that of the least recently drawn.

        Returns
        -------
        slot : Slot or None
            None if all slots hold protected keys.
        evicted : key or None
            The key that lost its slot.
        """
        old = self._slots.get(key)
        self._renamed.discard(key)
        evicted = None
        if old is not None:
            number = old.number
        elif self._free:
            number = self._free.pop()
        else:
            evicted = self._least_recent(protected)
            if evicted is None:
                return None, None
            number = self._slots.pop(evicted).number
            self._renamed.discard(evicted)
            self.evictions += 1
            self._free_around(number)
        # As `Slot(…)`, which takes four times as long, and a fifth of a small tile's upload.
        slot = self._slots[key] = tuple.__new__(Slot, (number, shape, complete))
        self._drawn[number] = self._now
        self._now += 1
        return slot, evicted

    def _least_recent(self, protected: Collection[K]) -> K | None:
        """The key least recently drawn of those that are not protected."""
        drawn = self._drawn
        for lined_up in (False, True):
            passed: list[tuple[K, int, int]] = []
            if lined_up:  # those that were passed before are in it too
                order = np.argsort(drawn)
                keys = {slot.number: key for key, slot in self._slots.items()}
                self._line = deque(
                    (keys[number], number, stamp)
                    for number, stamp in zip(order.tolist(), drawn[order].tolist(), strict=True)
                    if number in keys
                )
            while self._line:
                key, number, stamp = self._line.popleft()
                if drawn[number] != stamp:
                    continue  # drawn since, or no longer there
                if key not in protected:
                    self._line.extendleft(reversed(passed))
                    return key
                passed.append((key, number, stamp))
        return None

    def outdate(self, keys: Iterable[K]) -> None:
        """Say that better versions of `keys` are to come."""
        for key in keys:
            self._slots[key] = self._slots[key]._replace(complete=False)

    def rename(self, names: Iterable[tuple[K, K]]) -> None:
        """Call what the slots hold by other keys (old, new); better versions are to come."""
        for old, new in names:
            self._slots[new] = self._slots.pop(old)._replace(complete=False)
            self._renamed.discard(old)
            self._renamed.add(new)
        self._line.clear()

    def evict_renamed(self, key: K) -> bool:
        """Free the slot of `key` if it holds what was called by another key before."""
        if key not in self._renamed:
            return False
        self.evict(key)
        return True

    def evict(self, key: K) -> None:
        """Free the slot of `key`, if it has one."""
        slot = self._slots.pop(key, None)
        self._renamed.discard(key)
        if slot is not None:
            self._free.append(slot.number)
            self._drawn[slot.number] = -1
            self.evictions += 1
            self._free_around(slot.number)

    def _free_around(self, number: int) -> None:
        """Free what a key had besides its own slot: nothing, where all take one."""

    def extend(self, capacity: int) -> None:
        """Have more slots: those so far keep their numbers and what they hold."""
        self._free[:0] = range(capacity - 1, self.capacity - 1, -1)
        self._drawn = np.pad(self._drawn, (0, capacity - self.capacity), constant_values=-1)
        self.capacity = capacity

    def clear(self) -> None:
        """Free all slots."""
        self._slots.clear()
        self._renamed.clear()
        self._line.clear()
        self._free = list(range(self.capacity - 1, -1, -1))
        self._drawn = np.full(self.capacity, -1)
        self._now = 0
