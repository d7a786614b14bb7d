"""Tells fetching bytes from decoding them, within one read of a chunk.

Invariants: the clock of a read is found by whatever runs in that read's context, also in an event
loop of another thread (where zarr fetches), and by nothing else; a reader that cannot
tell the two apart reports nothing.
"""

from __future__ import annotations

from contextvars import ContextVar, Token

_CLOCK: ContextVar[FetchClock | None] = ContextVar("fetch_clock", default=None)


class FetchClock:
    """Seconds that one read has spent fetching; a context manager around the read."""

    def __init__(self) -> None:
        self.seconds: float | None = None
        """None: the reader does not say."""
        self._token: Token[FetchClock | None] | None = None

    def __enter__(self) -> FetchClock:
        self._token = _CLOCK.set(self)
        return self

    def __exit__(self, *error: object) -> None:
        assert self._token is not None  # entered
        _CLOCK.reset(self._token)

    @staticmethod
    def current() -> FetchClock | None:
        """Return the clock of the read that the caller works for, if there is one."""
        return _CLOCK.get()

    def fetched(self, seconds: float) -> None:
        """Note that bytes took so long to come."""
        self.seconds = seconds if self.seconds is None else self.seconds + seconds

    def rest_of(self, seconds: float) -> float | None:
        """Return what was not fetching of a read that took `seconds`; None if not known."""
        return None if self.seconds is None else max(seconds - self.seconds, 0.0)
