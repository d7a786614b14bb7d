"""Take the long walk, and print a line for each fortieth of the way."""

from __future__ import annotations

import argparse
import sys
import time

from benchmarks.soak.frames import watch_files
from benchmarks.soak.invariants import faults
from benchmarks.soak.memory import CLOSED, OPEN, Sample, has_grown, sample
from benchmarks.soak.stores import Stores
from benchmarks.soak.user import User

SAMPLES = 40
CLOSES = 4
"""With each such sample all windows are closed, looked at what is left, and one is opened."""


def main() -> None:
    """Walk until the moves or the minutes are over."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--moves", type=int, default=20_000)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    samples: list[Sample] = []
    closed: list[Sample] = []
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
                    print(samples[-1].line(seconds), flush=True)
                    if len(samples) % CLOSES == 0 and share < 1:
                        user.close()
                        closed.append(sample(user.moves))
                        print(f"  all closed: {closed[-1].line(seconds)}", flush=True)
                        user.begin()
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
    closed.append(sample(user.moves))
    print(closed[-1].line(time.perf_counter() - start))
    exported = user.exporter
    print(
        f"{user.pixels_checked} pixels, {user.watch.covers} covers, {user.watch.frames} frames, "
        f"{user.rests_checked} rests looked at; {exported.compared} exports compared, "
        f"{exported.cancelled} cancelled, {exported.failed} failed;",
        user.done,
    )
    grown = [has_grown("open", samples, OPEN), has_grown("closed", closed, CLOSED)]
    sys.exit(any(grown))


if __name__ == "__main__":
    main()
