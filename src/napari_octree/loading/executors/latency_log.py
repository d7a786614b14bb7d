"""A log of every read and every assembled tile: JSON lines in a local file.

Invariants: nothing is written unless `loader_defaults.log_path` is set; one line is one event,
written whole; a disk that is full or away ends the log, never the loading.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
from pathlib import Path
from typing import TextIO

from napari_octree.loading.work import ReadOutcome

logger = logging.getLogger("napari_octree.loader")


class LatencyLog:
    """Appends events to a file.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._file: TextIO | None = None
        try:
            self._file = path.expanduser().open("a", encoding="utf-8", buffering=1)
        except OSError as error:
            logger.warning("no latency log: %s", error)

    def read(self, source: str, region: object, queued_s: float, outcome: ReadOutcome) -> None:
        """Note one read of a storage chunk.

        `read_ms` includes `decode_ms`, which only some readers can tell.
        """
        pixels, error, decode_s = outcome.pixels, outcome.error, outcome.decode_s
        if error is not None:
            result = type(error).__name__
        else:
            result = "missing" if pixels is None else "loaded"
        self._write(
            event="read",
            source=source,
            region=region,
            queue_ms=round(1000 * queued_s, 3),
            read_ms=round(1000 * outcome.seconds, 3),
            decode_ms=None if decode_s is None else round(1000 * decode_s, 3),
            bytes=0 if pixels is None else pixels.nbytes,
            result=result,
        )

    def assembled(self, key: object, assemble_s: float, nbytes: int, result: str) -> None:
        """Note one assembled tile."""
        self._write(
            event="tile",
            key=str(key),
            assemble_ms=round(1000 * assemble_s, 3),
            bytes=nbytes,
            result=result,
        )

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._file is not None:
                self._file.close()

    def _write(self, **event: object) -> None:
        line = json.dumps({"time": round(time.time(), 3), **event}, default=str) + "\n"
        with self._lock:
            if self._file is None or self._file.closed:
                return
            try:
                self._file.write(line)
            except OSError as error:
                logger.warning("the latency log ends: %s", error)
                with contextlib.suppress(OSError):  # what it still holds cannot be written either
                    self._file.close()
