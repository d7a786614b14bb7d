"""Which tile lies in which slot of an atlas: bookkeeping without a GPU.

Invariants: every key has one slot and every slot at most one key; a protected key is never
evicted; get, touch, add and evict are O(1) (eviction skips protected keys, each at most once
per call). Used in the GUI thread only.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Collection, Hashable, Iterable, Iterator
from operator import itemgetter
from typing import Generic, NamedTuple, TypeVar

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
        self._free = list(range(capacity - 1, -1, -1))
        self._slots: OrderedDict[K, Slot] = OrderedDict()  # least recently drawn first
        self.evictions = 0

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

    def touch(self, keys: Iterable[K]) -> None:
        """Mark `keys`, which all have slots, as drawn now."""
        deque(map(self._slots.move_to_end, keys), maxlen=0)

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
        old = self._slots.pop(key, None)
        evicted = None
        if old is not None:
            number = old.number
        elif self._free:
            number = self._free.pop()
        else:
            evicted = next((k for k in self._slots if k not in protected), None)
            if evicted is None:
                return None, None
            number = self._slots.pop(evicted).number
            self.evictions += 1
        # As `Slot(…)`, which takes four times as long, and a fifth of a small tile's upload.
        slot = self._slots[key] = tuple.__new__(Slot, (number, shape, complete))
        return slot, evicted

    def outdate(self, keys: Iterable[K]) -> None:
        """Say that better versions of `keys` are to come."""
        for key in keys:
            self._slots[key] = self._slots[key]._replace(complete=False)

    def evict(self, key: K) -> None:
        """Free the slot of `key`, if it has one."""
        slot = self._slots.pop(key, None)
        if slot is not None:
            self._free.append(slot.number)
            self.evictions += 1

    def clear(self) -> None:
        """Free all slots."""
        self._slots.clear()
        self._free = list(range(self.capacity - 1, -1, -1))
