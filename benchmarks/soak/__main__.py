"""Take the long walk, and print a line for each fortieth of the way."""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
from benchmarks.soak.frames import watch_files
from benchmarks.soak.invariants import MEBIBYTE, Sample, faults, sample
from benchmarks.soak.stores import Stores
from benchmarks.soak.user import User

SAMPLES = 40
LEAST = {"other_bytes": 150 * MEBIBYTE, "threads": 8, "files": 16}
"""By how much more than in the first half is a leak: of medians."""


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
    stores = Stores()
    start = time.perf_counter()
    try:
        with faults() as found:
            user = User(options.seed, stores=stores)
            watch_files(stores.folder, user.wrong)
            while True:
                seconds = time.perf_counter() - start
                share = max(user.moves / options.moves, seconds / 60 / options.minutes)
                if share * SAMPLES >= len(samples):
                    samples.append(sample(user.moves))
                    print(line(samples[-1], seconds), flush=True)
                if share >= 1:
                    break
                user.move()
                if found:
                    raise AssertionError(f"after {user.moves} moves: {found}")
            user.close()
        if found or user.wrong:
            raise AssertionError([*found, *user.wrong])
    finally:
        stores.close()
    print(line(sample(user.moves), time.perf_counter() - start))
    exported = user.exporter
    print(
        f"{user.pixels_checked} pixels, {user.watch.covers} covers, {user.watch.frames} frames, "
        f"{user.rests_checked} rests looked at; {exported.compared} exports compared, "
        f"{exported.cancelled} cancelled, {exported.failed} failed;",
        user.done,
    )
    sys.exit(growth(samples))


def growth(samples: list[Sample]) -> int:
    """Print what grew in the second half; returns 1 if threads or files did."""
    middle = len(samples) // 2
    first, second = samples[1:middle], samples[middle:]
    if len(first) < 3:
        return 0
    grown = 0
    for name in ("other_bytes", "objects", "threads", "files"):
        before, after = ([getattr(s, name) for s in half] for half in (first, second))
        slope = np.polyfit([s.moves for s in second], after, 1)[0]
        print(
            f"{name}: median {np.median(before):.0f}, then {np.median(after):.0f}; second half "
            f"{slope * 1000:+.0f} per 1000 moves"
        )
        if name in LEAST and np.median(after) > np.median(before) + LEAST[name]:
            print(f"{name} has grown")
            grown = 1
    return grown


if __name__ == "__main__":
    main()
