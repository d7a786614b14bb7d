"""Take the long walk, and print a line for each fortieth of the way."""

from __future__ import annotations

import argparse
import ctypes
import sys
import time

import numpy as np
from benchmarks.soak.invariants import MEBIBYTE, Sample, faults, sample
from benchmarks.soak.user import User


def line(found: Sample, seconds: float) -> str:
    """What was held at one moment, in words."""
    return (
        f"{found.moves:6} moves, {seconds:5.0f} s: {found.ram_bytes / MEBIBYTE:.0f} MiB in RAM "
        f"({found.chunk_bytes / MEBIBYTE:.0f} chunks, {found.texture_bytes / MEBIBYTE:.0f} "
        f"textures, {found.other_bytes / MEBIBYTE:.0f} else), {found.objects} objects, "
        f"{found.threads} threads, {found.files} files"
    )


def main() -> None:
    """Walk until the moves or the minutes are over."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--moves", type=int, default=20_000)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    samples: list[Sample] = []
    start = time.perf_counter()
    with faults() as found:
        user = User(options.seed)
        while user.moves < options.moves and time.perf_counter() - start < 60 * options.minutes:
            user.move()
            if found:
                raise AssertionError(f"after {user.moves} moves: {found}")
            if user.moves % max(options.moves // 40, 1) == 0:
                samples.append(sample(user.moves))
                print(line(samples[-1], time.perf_counter() - start), flush=True)
        user.close()
    if found:
        raise AssertionError(found)
    if sys.platform == "linux":  # what the allocator kept for itself is no leak
        ctypes.CDLL(None).malloc_trim(0)
    print(line(sample(user.moves), time.perf_counter() - start))
    print(f"{user.pixels_checked} pixels compared;", user.done)
    second = samples[len(samples) // 2 :]
    if len(second) > 2:
        moves = [s.moves for s in second]
        for name in ("other_bytes", "objects", "threads", "files"):
            slope = np.polyfit(moves, [getattr(s, name) for s in second], 1)[0]
            print(f"second half: {name} {slope * 1000:+.0f} per 1000 moves")


if __name__ == "__main__":
    main()
