"""What a failed read means, and when to try it again.

Invariants: the verdict depends on the error alone (and on the time of day, if it names a date);
delays are bounded and never shorter than what the server asked for (up to `LONGEST_DELAY_S`).
"""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import inf, isfinite
from typing import Any

from napari_octree.sources.errors import SourceError

FIRST_DELAY_S = 0.25
LONGEST_DELAY_S = 60.0
TRANSIENT_ATTEMPTS = 7
"""Reads in all: with delays that double from 0.25 s, about 16 s of patience."""
UNKNOWN_ATTEMPTS = 2
"""Errors that look permanent but may be a damaged transfer are tried once more."""

_PERMANENT_STATUS = frozenset({400, 401, 402, 403, 404, 405, 410, 416, 451})
_STATUS_IN_TEXT = re.compile(r"(?:HTTP(?: response)?(?: code:?)?|status(?: code)?:?) ?\"?(\d{3})")
_TRANSIENT_WORDS = re.compile(
    r"UNAVAILABLE|DEADLINE_EXCEEDED|ABORTED|timed? ?out|connection (?:reset|refused|closed|error)"
    r"|incomplete|error sending request|temporarily|disconnected",
    re.IGNORECASE,
)
_DENIED_WORDS = re.compile(r"PERMISSION_DENIED|UNAUTHENTICATED|access ?denied", re.IGNORECASE)
_TRANSIENT_NAMES = frozenset(  # truncated answers, in aiohttp and http.client
    {"ClientPayloadError", "ServerDisconnectedError", "IncompleteRead", "ContentLengthError"}
)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Verdict:
    """What an error means for the read that raised it.

    Attributes
    ----------
    cause : str
        A short name for people and for counting ("HTTP 503", "TimeoutError").
    attempts : int
        Reads in all after which the failure is final.
    retry_after_s : float or None
        What the server asked for.
    """

    cause: str
    attempts: int
    retry_after_s: float | None = None

    @property
    def transient(self) -> bool:
        """Whether the store rather than the data is to blame."""
        return self.attempts == TRANSIENT_ATTEMPTS


def judge(error: BaseException, today: Callable[[], datetime] = _now) -> Verdict:
    """Tell transient errors (time-outs, connections, 429, 5xx) from permanent ones.

    Parameters
    ----------
    error : BaseException
    today : callable
        The time of day, with its zone: servers may name the date after which to come back.
    """
    chain = list(_chain(error))
    if any(type(link).__name__ in _TRANSIENT_NAMES for link in chain):
        return Verdict(type(error).__name__, TRANSIENT_ATTEMPTS)  # whose text may name a status
    for link in chain:
        status = _http_status(link)
        if status is not None:
            if status in _PERMANENT_STATUS:
                return Verdict(f"HTTP {status}", 1)
            return Verdict(f"HTTP {status}", TRANSIENT_ATTEMPTS, _retry_after(link, today))
    cause = type(error).__name__
    for link in chain:
        if isinstance(link, (SourceError, PermissionError)):
            return Verdict(cause, 1)
        if _DENIED_WORDS.search(str(link)):
            return Verdict(cause, 1)
        if isinstance(link, (FileNotFoundError, IsADirectoryError, NotADirectoryError)):
            return Verdict(cause, 1)
        if isinstance(link, (TimeoutError, OSError)):
            return Verdict(cause, TRANSIENT_ATTEMPTS)
        if _TRANSIENT_WORDS.search(str(link)):
            return Verdict(cause, TRANSIENT_ATTEMPTS)
        if isinstance(link, (EOFError, zlib.error)):
            return Verdict(cause, UNKNOWN_ATTEMPTS)
    return Verdict(cause, UNKNOWN_ATTEMPTS)


def delay_s(attempt: int, verdict: Verdict, jitter: random.Random) -> float:
    """Seconds to wait after failed attempt number `attempt` (from 1).

    Exponential backoff with "equal jitter": between half and all of a delay that doubles each
    time, so that many failed reads do not come back in one wave.
    """
    backoff = min(FIRST_DELAY_S * 2 ** (attempt - 1), LONGEST_DELAY_S)
    waited: float = backoff * (0.5 + 0.5 * jitter.random())
    if verdict.retry_after_s is None:
        return waited
    return min(verdict.retry_after_s, LONGEST_DELAY_S) + waited


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def _http_status(error: BaseException) -> int | None:
    """Find the status in the errors of aiohttp, urllib, requests, httpx, botocore and in text."""
    response: Any = getattr(error, "response", None)
    if isinstance(response, dict):
        response = response.get("ResponseMetadata", {})
        candidates = [response.get("HTTPStatusCode")]
    else:
        candidates = [
            getattr(error, "status", None),
            getattr(error, "code", None),
            getattr(response, "status_code", None),
        ]
    for status in candidates:
        if isinstance(status, int) and 400 <= status < 600:
            return status
    found = _STATUS_IN_TEXT.search(str(error))
    if found and 400 <= int(found[1]) < 600:
        return int(found[1])
    return None


def _retry_after(error: BaseException, today: Callable[[], datetime]) -> float | None:
    """Seconds that the server asked for: it names them, or a date (RFC 9110, section 10.2.3)."""
    response: Any = getattr(error, "response", None)
    if isinstance(response, dict):
        headers = response.get("ResponseMetadata", {}).get("HTTPHeaders")
    else:
        headers = getattr(error, "headers", None) or getattr(response, "headers", None)
    for name in ("Retry-After", "retry-after"):
        value = headers.get(name) if headers else None  # some kinds tell cases apart
        if value is None:
            continue
        try:
            seconds = float(value)
        except (TypeError, ValueError):
            seconds = _seconds_until(str(value), today())
        return max(seconds, 0.0) if isfinite(seconds) else None
    return None


def _seconds_until(date: str, now: datetime) -> float:
    """Seconds until a date as HTTP writes it; infinity if it is none."""
    try:
        then = parsedate_to_datetime(date)
    except ValueError:
        return inf
    if then.tzinfo is None:  # "-0000": it is UTC all the same
        then = then.replace(tzinfo=UTC)
    return (then - now).total_seconds()
