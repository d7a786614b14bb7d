"""Print tables of what plans cost: ``python -m benchmarks.plan_table [ROUNDS [FILE.json]]``.

All sizes of an image are timed in turns, so that a busy moment of the machine meets them alike.
The file gets the times of each table: state or camera, then side.
"""

from __future__ import annotations

import gc
import json
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

from benchmarks.plan_scenes import CAMERAS, SIDES, STATES, camera, plan, scene, volume

from napari_octree.octree import select_bricks


def milliseconds(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Processor time of each of some calls, taken in turns: the least of all rounds.

    What else runs on the machine only ever adds to a time.
    """
    least = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.thread_time()
            call()
            least[name] = min(least[name], 1e3 * (time.thread_time() - start))
    return least


def kibibytes(call: Callable[[], object]) -> tuple[float, float]:
    """Memory that a call's result holds, and the most that was held meanwhile."""
    call()
    gc.collect()
    tracemalloc.start()
    kept = call()
    held, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    return held / 1024, most / 1024


def row(*cells: object) -> None:
    """Print a row of a Markdown table."""
    print("|", " | ".join(f"{c:.2f}" if isinstance(c, float) else str(c) for c in cells), "|")


def header(*cells: str) -> None:
    """Print the head of a Markdown table."""
    row(*cells)
    row(*["---"] * len(cells))


def main(rounds: int, path: str = "") -> None:
    """Print every table."""
    found: dict[str, dict[str, dict[str, float]]] = {"plan": {}, "bricks": {}}
    print("2-D: ms of a plan of 256 ideal tiles\n")
    header("state", *SIDES, "2^40 : 2^13")
    for state in STATES:
        calls = {}
        for name, side in SIDES.items():
            it = scene(side, state)
            calls[name] = lambda it=it: plan(it.octree, it.view, it.resident)
        times = milliseconds(calls, rounds)
        found["plan"][state] = times
        row(state, *times.values(), times["2^40"] / times["2^13"])
    print("\n3-D: ms of up to 1000 bricks (number of bricks)\n")
    header("camera", *SIDES, "2^40 : 2^13")
    for kind in CAMERAS:
        calls, bricks = {}, {}
        for name, side in SIDES.items():
            octree, view = volume(side), camera(side, kind)
            calls[name] = lambda o=octree, v=view: select_bricks(o, v, 1000)
            bricks[name] = len(calls[name]())
        times = milliseconds(calls, rounds)
        found["bricks"][kind] = times
        cells = [f"{t:.2f} ({bricks[name]})" for name, t in times.items()]
        row(kind, *cells, times["2^40"] / times["2^13"])
    print("\nMemory of a plan, KiB held (most while planning)\n")
    header("ideal tiles", *SIDES)
    for tiles in (4, 8, 16):
        cells = []
        for side in SIDES.values():
            it = scene(side, "panning", tiles)
            held, most = kibibytes(lambda it=it: plan(it.octree, it.view, it.resident))
            cells.append(f"{held:.0f} ({most:.0f})")
        row(tiles**2, *cells)
    if path:
        Path(path).write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 600, *sys.argv[2:])
