"""What is told of fields that differ from the others: once per kind, with a count.

Invariants: any thread; the warning comes a moment after the first field of its kind, so that it
can say how many there are; what comes later is only counted.
"""

from __future__ import annotations

import threading
import warnings
from typing import Any

GATHER_S = 1.0


class MosaicWarning(UserWarning):
    """Fields of a mosaic that differ from the others, and how they are shown."""


class Deviations:
    """Counts fields by kind.

    Parameters
    ----------
    where : str
        Path or address of the mosaic, for messages.
    """

    def __init__(self, where: str) -> None:
        self._where = where
        self._lock = threading.Lock()
        self._seen: dict[str, dict[str, None]] = {}
        self._untold: dict[str, str] = {}
        self._timer: threading.Timer | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"where": self._where}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["where"])  # type: ignore[misc]

    def note(self, kind: str, name: str, consequence: str) -> None:
        """Count a field.

        Parameters
        ----------
        kind : str
            As "another type of pixels".
        name : str
            Of the field; a second time it does not count.
        consequence : str
            How it is shown.
        """
        with self._lock:
            names = self._seen.get(kind)
            if names is None:
                names = self._seen[kind] = {}
                self._untold[kind] = consequence
                if self._timer is None:
                    self._timer = threading.Timer(GATHER_S, self.tell)
                    self._timer.daemon = True
                    self._timer.start()
            names[name] = None

    @property
    def counts(self) -> dict[str, int]:
        """Fields by kind, as far as they have been opened."""
        with self._lock:
            return {kind: len(names) for kind, names in self._seen.items()}

    def tell(self) -> None:
        """Warn of the kinds that have not been told."""
        with self._lock:
            timer, self._timer = self._timer, None
            untold, self._untold = self._untold, {}
            told = [
                (kind, consequence, list(self._seen[kind])) for kind, consequence in untold.items()
            ]
        if timer is not None:
            timer.cancel()
        for kind, consequence, names in told:
            subject = f"{names[0]} has"
            if len(names) > 1:
                subject = f"{len(names)} of the images opened so far ({names[0]}, …) have"
            warnings.warn(
                f"{self._where}: {subject} {kind}: {consequence}", MosaicWarning, stacklevel=2
            )
