"""What was there and is gone is told from what never was.

A well, a field or a level that is listed and not there shows the fill value. One that was deleted,
or whose drive was unmounted, must not.

Invariants: worker threads only. A document that is missing is taken for one that never was if it
has not been seen, and the nearest document above it that was fetched is still there: looked for
after the other was missed, once for all that were missed until then.
"""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable, Iterable


class Presence:
    """Which documents of a store were found, and which were missed when.

    Parameters
    ----------
    fetched : iterable of str
        Names of documents that are known to be there.
    """

    def __init__(self, fetched: Iterable[str] = ()) -> None:
        self._fetched = set(fetched)
        self._consolidated: set[str] = set()
        self._missed: dict[str, float] = {}
        self._looked: dict[str, float] = {}
        """When documents were last looked for, and found."""
        self._lock = threading.Lock()

    def find(self, name: str) -> None:
        """Note that a document was fetched."""
        self._fetched.add(name)

    def find_consolidated(self, names: Iterable[str]) -> None:
        """Note documents of consolidated metadata, which may have no object of their own."""
        self._consolidated.update(names)

    def miss(self, name: str, address: str) -> None:
        """Note that a document is not there.

        Raises
        ------
        FileNotFoundError
            It was.
        """
        if name in self._fetched or name in self._consolidated:
            raise gone(f"{address}/{name}")
        self._missed[name] = time.monotonic()

    def nearest_above(self, path: str, names_of: Callable[[str], Iterable[str]]) -> str | None:
        """Return the name of the nearest document above a path that was fetched.

        `names_of` gives the names that documents may have at a path.
        """
        while path:
            path = path.rpartition("/")[0]
            for name in names_of(path):
                if name in self._fetched:
                    return name
        return None

    def is_there_since(
        self, above: str, missed: Iterable[str], look: Callable[[str], bool]
    ) -> bool:
        """Whether a document is there, by `look`, since others were missed."""
        since = max((self._missed.get(name, 0.0) for name in missed), default=0.0)
        if self._looked.get(above, -1.0) >= since:
            return True
        with self._lock:  # the others that missed something wait for one answer
            if self._looked.get(above, -1.0) >= since:
                return True
            began = time.monotonic()
            if not look(above):
                return False
            self._looked[above] = began
            return True


def gone(address: str) -> FileNotFoundError:
    """Make the error of what was there."""
    return FileNotFoundError(errno.ENOENT, "it was there, and is gone", address)
