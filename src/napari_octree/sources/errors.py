"""What can be wrong with a place where pixels come from, in words a person can act on."""

from __future__ import annotations

import re

import numpy as np

MOST_TOLD = 500
"""Characters of a library's message that are told."""

_CAUSES = {
    "ConnectionRefused": "connection refused",
    "dns error": "there is no server of that name",
    "kind: Timeout": "no answer in time",
    "TimedOut": "no answer in time",
    "ConnectionReset": "the connection was reset",
    "IncompleteMessage": "the connection was closed without an answer",
    "IncompleteBody": "the connection broke off",
    "InvalidContentType": "the server does not answer with https",
    "UnknownIssuer": "the server's certificate is not trusted",
    "Certificate": "the server's certificate is not accepted",
    "kind: Connect": "no connection",
}
"""What obstore's debug text holds, the most telling first, and what it means."""

_STATUS = re.compile(r"status code: (\d{3} [A-Za-z ]+)")
_REQUEST = re.compile(r"^Generic \w+ error: |Error performing \w+ \S+ in \S+.*? - ")


class SourceError(ValueError):
    """Input that cannot be shown; the message names the array or path, and the problem."""


class AccessRefusedError(SourceError):
    """A store that wants to know who asks, or does not want this one to."""


class ShapeMismatchError(SourceError):
    """A source returned an array of another shape or type than it announced."""


class PartialReadError(Exception):
    """Some of what a chunk shows cannot be read: of many images, say, one.

    The loader tries again as its cause demands; then it shows what there is, says what failed, and
    keeps the chunk in RAM only.

    Attributes
    ----------
    pixels : numpy.ndarray or None
        The chunk without what cannot be read, as `StorageArray.read` would return it.
    """

    def __init__(self, message: str, pixels: np.ndarray | None) -> None:
        super().__init__(message)
        self.pixels = pixels

    def __reduce__(self) -> tuple[type, tuple[str, np.ndarray | None]]:
        return type(self), (str(self), self.pixels)  # from a process that reads


def plain_words(error: BaseException) -> str | None:
    """What a network library means, in a few words; None where its own text is as good."""
    text, _, details = str(error).partition("\n\nDebug source:")
    if not details:
        return None
    if (status := _STATUS.search(text)) is not None:
        return f"the server answers {status[1].strip()}"
    return next((words for sign, words in _CAUSES.items() if sign in details), None)


def told(error: BaseException) -> str:
    """What went wrong, in one short text: plain words, else the type and what it says."""
    words = plain_words(error)
    return words if words is not None else f"{type(error).__name__}: {message_of(error)}"


def message_of(error: BaseException) -> str:
    """What an error says, without what is for those who mend the library."""
    text = _REQUEST.sub("", str(error).partition("\n\nDebug source:")[0])
    return text if len(text) <= MOST_TOLD else f"{text[: MOST_TOLD - 1]}…"
