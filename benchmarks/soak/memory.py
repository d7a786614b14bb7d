"""What the process holds, and whether it holds more and more.

Invariants: what counts as held is what was allocated and not freed, as the allocator of C tells it
(NumPy, Qt, Mesa and readers of files allocate there; what Python's small objects take shows in
their number). RAM in use is printed, but is no judge: glibc keeps pages that hold one small block
among freed chunks, and of those it has more the longer chunks of all sizes come and go in many
threads. Measured, seed 1: in 21 minutes RAM beyond what was allocated rose from 255 to 711 MiB;
with glibc told to map blocks from 64 KiB apart and to use one arena, from 247 to 401 in 15, most
of it in the first six; and after each user in turn had closed all windows, 71, 72 and 73 MiB were
allocated while RAM in use went from 436 to 516. Elsewhere than with glibc RAM in use is all that
there is to judge by.

What is allocated while windows are open depends on what they show, by hundreds of MiB. So all
windows are closed now and then: what is held then has a much narrower bound.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import psutil
from benchmarks.soak.invariants import CONFIG, MEBIBYTE

from napari_octree.loading.loader import default_loader
from napari_octree.rendering.gpu.vram import VRAM

OPEN = {"other_bytes": 150 * MEBIBYTE, "threads": 8, "files": 16}
CLOSED = {"other_bytes": 24 * MEBIBYTE, "objects": 40_000, "threads": 8, "files": 16}
"""By how much more in the last third than in the first is a leak, windows being open or closed.

Of medians, and half of it from each third to the next: what is made once, at the first need, is no
leak (modules; with closed windows once 130 MiB in one step, which neither Python nor NumPy had
allocated).
"""


class _Mallinfo(ctypes.Structure):
    """What glibc's ``mallinfo2`` returns."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


def allocated_bytes() -> int | None:
    """Return the bytes that C's allocator has given out; None where it does not tell."""
    tell = getattr(ctypes.CDLL(None), "mallinfo2", None) if sys.platform == "linux" else None
    if tell is None:
        return None
    tell.restype = _Mallinfo
    told = tell()
    return int(told.uordblks + told.hblkhd)


@dataclass(frozen=True)
class Sample:
    """What was held after so many moves; `other_bytes` is what is neither chunk nor texture.

    (A renderer on the CPU keeps its textures in RAM too.)
    """

    moves: int
    ram_bytes: int
    allocated_bytes: int
    chunk_bytes: int
    texture_bytes: int
    objects: int
    threads: int
    files: int

    @property
    def other_bytes(self) -> int:
        """Allocated bytes that no budget bounds."""
        return self.allocated_bytes - self.chunk_bytes - self.texture_bytes

    def line(self, seconds: float) -> str:
        """All of it in words."""
        return (
            f"{self.moves:6} moves, {seconds:5.0f} s: {self.ram_bytes / MEBIBYTE:.0f} MiB in RAM, "
            f"{self.allocated_bytes / MEBIBYTE:.0f} allocated "
            f"({self.chunk_bytes / MEBIBYTE:.0f} chunks, {self.texture_bytes / MEBIBYTE:.0f} "
            f"textures, {self.other_bytes / MEBIBYTE:.0f} else), {self.objects} objects, "
            f"{self.threads} threads, {self.files} files"
        )


def sample(moves: int) -> Sample:
    """What is held now."""
    gc.collect()
    if sys.platform == "linux":  # what the allocator keeps for later is not in use
        ctypes.CDLL(None).malloc_trim(0)
    loader = default_loader(CONFIG).statistics
    process = psutil.Process()
    ram, allocated = process.memory_info().rss, allocated_bytes()
    return Sample(
        moves,
        ram,
        ram if allocated is None else allocated,
        loader.cached_bytes + loader.in_flight_bytes + loader.staged_bytes,
        VRAM.held_bytes,
        len(gc.get_objects()),
        threading.active_count(),
        len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else process.num_fds(),
    )


def has_grown(what: str, samples: Sequence[Sample], least: dict[str, int]) -> bool:
    """Print the medians of three thirds; whether anything grows from each to the next.

    Parameters
    ----------
    what : str
        What the samples are of.
    samples : sequence of Sample
        The first is left out: not everything has been imported then.
    least : dict of str to int
        `OPEN` or `CLOSED`.
    """
    thirds = [list(each) for each in np.array_split(np.array(samples[1:], object), 3)]
    if min(map(len, thirds)) < 2:
        return False
    grown = False
    for name in ("ram_bytes", "other_bytes", "objects", "threads", "files"):
        first, second, last = (
            float(np.median([getattr(s, name) for s in third])) for third in thirds
        )
        print(f"{what}, {name}: median {first:.0f}, then {second:.0f}, then {last:.0f}")
        if name in least and min(second - first, last - second) > least[name] / 2:
            print(f"{name} grows")
            grown = True
    return grown
