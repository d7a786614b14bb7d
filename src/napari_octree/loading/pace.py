"""How fast a client's list changes: what a wait before each read can save, or cost.

Invariants: only the client knows it (from the speed of its view); the loader never guesses.
"""

from __future__ import annotations

from enum import IntEnum


class Pace(IntEnum):
    """How long what is wished for now will be wished for."""

    STEADY = 0
    """The view rests, or moves so slowly that what comes into it stays for longer than any
    delay: waiting would save no read."""
    UNCERTAIN = 1
    """It may go on or not: a first move, a step of a slider. What a slow source would have to
    read waits for the delay; or until the view rests."""
    RUSHING = 2
    """Most of what comes into view leaves it at once: all wait, for longer than one delay."""
