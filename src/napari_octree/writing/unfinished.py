"""Files and folders that have another name until they are whole.

Invariants: the final name appears when all is written; a failure or a cancel leaves nothing under
it or beside it, and never touches what was there before. No two writers of this process write to
one path at once.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

from napari_octree.writing.errors import WritingError, written_to

_AT_WORK: set[Path] = set()
_LOCK = threading.Lock()


@contextlib.contextmanager
def unfinished(path: str | Path) -> Iterator[Path]:
    """Give the name to write to, and rename it to `path` at the end (any thread).

    What is at `path`, a file or a folder, is replaced. If it is a link, what it points to is
    replaced, not the link.

    Raises
    ------
    WritingError
        The path is being written already, or the disk does not let it be written; also in place
        of any `OSError` that is raised within.
    """
    final = Path(path).resolve()
    with _LOCK:
        if final in _AT_WORK:
            raise WritingError(f"{path}: is being written already; wait until that is done")
        _AT_WORK.add(final)
    part = final.with_name(f".{final.name}.part")
    try:
        with written_to(path):
            _remove(part)  # of a process that was killed
            yield part
            _replace(final, part)
    finally:
        with contextlib.suppress(OSError):
            _remove(part)
        with _LOCK:
            _AT_WORK.discard(final)


def _replace(final: Path, part: Path) -> None:
    if not final.is_dir():
        part.replace(final)
        return
    former = final.with_name(f".{final.name}.former")
    _remove(former)
    final.rename(former)  # at once: deleting a folder may fail half-way
    try:
        part.rename(final)
    except OSError:
        former.rename(final)
        raise
    with contextlib.suppress(OSError):
        _remove(former)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
