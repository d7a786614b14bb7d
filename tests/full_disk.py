"""A disk that gets full: the next so many writes below a folder succeed, then none does."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from napari_octree.writing.errors import WritingError


class FullDisk:
    """Files that are opened for writing below a folder.

    Of the write that fails, the first half arrives.

    Attributes
    ----------
    free : int or None
        How many writes still succeed; None: all.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free: int | None = None
        self._lock = threading.Lock()
        opened = Path.open

        def limited(path: Path, mode: str = "r", *arguments: Any, **keywords: Any) -> Any:
            file = opened(path, mode, *arguments, **keywords)
            return file if "r" in mode or folder not in path.parents else _File(file, self)

        monkeypatch.setattr(Path, "open", limited)

    def attempts(self, write: Callable[[], object], step: int = 4) -> Iterator[WritingError]:
        """Write again, with room for a few more writes each time, until it succeeds.

        Yields how it failed, after 0, `step`, 2 × `step`, … writes.
        """
        for self.free in range(0, 1000, step):
            try:
                write()
            except WritingError as error:
                yield error
            else:
                return
        raise AssertionError("it never succeeds")

    def full(self) -> bool:
        """Whether one more write fails."""
        with self._lock:
            if self.free:
                self.free -= 1
                return False
            return self.free is not None


class _File:
    """A file on such a disk."""

    def __init__(self, file: Any, disk: FullDisk) -> None:
        self._file, self._disk = file, disk

    def write(self, data: Any) -> int:
        if self._disk.full():
            data = data if isinstance(data, str) else bytes(data)
            self._file.write(data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return self._file.write(data)

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
