"""The GPU's memory, shared by everything that draws in this process.

Invariants: what is granted never exceeds the limit in sum, but for the little without which
there would be no picture; what is released can be granted again. Who holds more than the
present view needs gives way to who holds less: as little as that takes, the richest first, and
never below the own need, unless the needs together exceed the limit; then all get the same part
of theirs. GUI thread only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def _no_wake() -> None:
    """Nobody has to be told."""


@dataclass
class _Claim:
    """What one owner holds, and what it cannot do without."""

    held: int = 0
    needed: int = 0
    wake: Callable[[], None] = _no_wake
    gives: bool = False

    @property
    def least(self) -> int:
        return self.needed if self.gives else self.held

    @property
    def lacking(self) -> int:
        return max(self.needed - self.held, 0)


class VramLedger:
    """Who holds how many bytes.

    Attributes
    ----------
    changes : int
        Rises whenever a `share` may have become another one.
    """

    def __init__(self) -> None:
        self.changes = 0
        self._claims: dict[int, _Claim] = {}

    @property
    def held_bytes(self) -> int:
        """Bytes granted to all owners."""
        return sum(claim.held for claim in self._claims.values())

    def available(self, owner: object, limit_bytes: int) -> int:
        """Bytes that `owner` may take: half of what the others left, so that one more finds some.

        Parameters
        ----------
        owner : object
            What it holds now counts as free.
        limit_bytes : int
            For all owners together.
        """
        return self.room(owner, limit_bytes) // 2

    def room(self, owner: object, limit_bytes: int) -> int:
        """Bytes that the others left, what `owner` holds included."""
        others = self.held_bytes - self._claim(owner).held
        return max(limit_bytes - others, 0)

    def share(self, owner: object, limit_bytes: int, kept: int) -> int:
        """Bytes that `owner`, which has told its need, may hold from now on.

        As `available`, but for three things: it may keep what it has, it may have what it
        needs, and where others lack more than is free it has to give way.

        Parameters
        ----------
        owner : object
        limit_bytes : int
            For all owners together.
        kept : int
            Bytes that it would like to keep of those that it holds.
        """
        mine, room = self._claim(owner), self.room(owner, limit_bytes)
        if kept < mine.needed:
            return min(room, max(mine.needed, room // 2))
        if self.is_short(limit_bytes):
            return min(room, kept, self._level(mine, limit_bytes))
        return max(min(kept, room), (room - self._lacking) // 2)

    def is_short(self, limit_bytes: int) -> bool:
        """Whether some lack more than is free."""
        return self._lacking > max(limit_bytes - self.held_bytes, 0)

    @property
    def _lacking(self) -> int:
        return sum(claim.lacking for claim in self._claims.values())

    def _level(self, mine: _Claim, limit_bytes: int) -> int:
        """What `mine` comes down to, when all richer than some level come down to it."""
        claims = self._claims.values()
        needed = sum(max(claim.least, claim.needed) for claim in claims)
        if needed >= limit_bytes:
            return mine.least * limit_bytes // needed

        def together(level: int) -> int:
            return sum(max(min(claim.held, level), claim.least, claim.needed) for claim in claims)

        low, high = 0, limit_bytes
        while low < high:
            level = (low + high + 1) // 2
            low, high = (level, high) if together(level) <= limit_bytes else (low, level - 1)
        return max(min(mine.held, low), mine.least)

    def need(self, owner: object, nbytes: int, wake: Callable[[], None] = _no_wake) -> None:
        """Note that `owner` cannot do with less than `nbytes`, and may give way down to that.

        Parameters
        ----------
        owner : object
        nbytes : int
        wake : callable
            Called when it should ask for its `share` again.
        """
        claim = self._claims.setdefault(id(owner), _Claim())
        if claim.gives and claim.needed == nbytes:
            return
        claim.needed, claim.wake, claim.gives = nbytes, wake, True
        self.changes += 1
        if claim.lacking:
            self._wake(lambda other: other is not claim and other.held > other.least)

    def take(self, owner: object, nbytes: int) -> None:
        """Note that `owner` holds `nbytes` now, and nothing else."""
        claim = self._claims.setdefault(id(owner), _Claim())
        gave, claim.held = nbytes < claim.held, nbytes
        self.changes += 1
        if gave:
            self._wake(lambda other: other.lacking > 0)

    def release(self, owner: object) -> None:
        """Note that `owner` holds and needs nothing."""
        self.changes += 1
        if self._claims.pop(id(owner), None) is not None:
            self._wake(lambda other: other.lacking > 0)

    def _claim(self, owner: object) -> _Claim:
        return self._claims.get(id(owner)) or _Claim()

    def _wake(self, concerned: Callable[[_Claim], bool]) -> None:
        for claim in list(self._claims.values()):
            if concerned(claim):
                claim.wake()


VRAM = VramLedger()
"""The process's own."""
