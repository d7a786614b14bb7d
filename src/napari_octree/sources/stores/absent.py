"""What the errors of stores mean: nothing there, or no access.

Invariants: pure functions of the error; any library's errors.
"""

from __future__ import annotations

import re

_NOT_FOUND = re.compile(r"\b404\b|\b410 Gone|NOT_FOUND|NoSuchKey|no such key", re.IGNORECASE)
_REFUSED = re.compile(r"\b40[13]\b|PERMISSION_DENIED|AccessDenied|access ?denied|forbidden", re.I)


def is_absent(error: BaseException) -> bool:
    """Whether an error says that there is no such object."""
    if isinstance(error, FileNotFoundError | KeyError | IsADirectoryError | NotADirectoryError):
        return True
    return _status(error) in (404, 410) or bool(
        _status(error) is None and _NOT_FOUND.search(str(error))
    )


def is_refused(error: BaseException) -> bool:
    """Whether an error says that access is refused.

    Stores that may not be listed say so of objects that are not there, too (S3 without
    ListBucket): of metadata that is looked for, it means absent if other metadata is there.
    """
    if isinstance(error, PermissionError):
        return True
    status = _status(error)
    return status in (401, 403) or (status is None and bool(_REFUSED.search(str(error))))


def _status(error: BaseException) -> int | None:
    status = getattr(error, "status", None) or getattr(error, "code", None)
    return status if isinstance(status, int) else None
