"""Reads in a process of its own: both ends of a pipe.

Invariants: one question, then one answer; the child ends when its input ends, so it never outlives
the parent by more than a read; what readers print in the child goes to standard error, as standard
output carries the answers.

Run as `python -c` (not by `multiprocessing`, which would run the user's main script again; nor by
`python -m`, where errors of this module would be those of the child's `__main__`, which the parent
does not know).
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys

import numpy as np

from napari_octree.sources.protocol import Region, StorageArray


class NotPicklableError(TypeError):
    """The source cannot be sent to another process."""


class ProcessDiedError(ConnectionError):
    """The reading process has died."""


class ReaderProcess:
    """The parent's end; used by one thread at a time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"from {__name__} import main; main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )

    def read(self, storage: StorageArray, region: Region) -> np.ndarray | None:
        """Read a chunk in the other process.

        Raises
        ------
        NotPicklableError
            The source cannot be pickled here, or not be unpickled there.
        ProcessDiedError
        Exception
            Whatever the read raised there.
        """
        try:
            question = pickle.dumps((storage, region), protocol=5)
        except Exception as error:  # pickling runs the source's own code
            raise NotPicklableError(str(error)) from error
        sink, answers = self._process.stdin, self._process.stdout
        assert sink is not None
        assert answers is not None
        try:
            pickle.dump(question, sink, protocol=5)
            sink.flush()
            good, answer = pickle.load(answers)
        except (EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
            raise ProcessDiedError("the reading process has died") from error
        if not good:
            raise answer
        result: np.ndarray | None = answer
        return result

    def kill(self) -> None:
        """End the process at once (any thread)."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # the other end is gone, as it should be
                    pipe.close()


def _answer(question: bytes) -> tuple[bool, object]:
    try:
        storage, region = pickle.loads(question)
    except Exception as error:  # e.g. a class of the user's main script
        return False, NotPicklableError(str(error))
    try:
        return True, storage.read(region)
    except BaseException as error:  # a reader is foreign code; the parent judges what it raised
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:  # errors with constructors of their own
            return False, RuntimeError(f"{type(error).__name__}: {error}")
        return False, error


def main() -> None:
    """Answer until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # from the terminal: the parent's to answer
    questions = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr  # which keeps no finished line back: the process ends by being killed
    while True:
        try:
            question = pickle.load(questions)
        except (EOFError, pickle.UnpicklingError):  # the parent was killed, perhaps as it wrote
            return
        answer = _answer(question)
        try:
            pickle.dump(answer, answers, protocol=5)
            answers.flush()
        except BrokenPipeError:  # the parent was killed meanwhile
            os._exit(1)  # without an attempt to write the rest
