"""Exporting a crop of 8192² pixels of a generated image of 2^27², while one browses.

    python -m benchmarks.export [side] [repeats]

Longest gap of the event loop while the export runs and the view moves, beside an export of a numpy
array of the same size; peak memory above what it was before; whether the file reads back equal.
Each in a process of its own, in turns.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np


def run(kind: str, side: int, folder: str) -> None:
    """One export; prints seconds, longest gap, memory."""
    from benchmarks.compare.peers import PEERS
    from benchmarks.compare.session import Session
    from benchmarks.compare.stores import Opened

    session = Session(PEERS["ours"], Opened([]), watch=False)
    viewer = session.viewer
    from napari_octree import OctreeConfig, OctreeImage, open_ome_zarr
    from napari_octree.plugin.commands.export_commands import start_export
    from napari_octree.plugin.export import export_of
    from napari_octree.sources.samples.mandelbrot import mandelbrot

    levels = mandelbrot()
    start = 2**26 - side // 2
    box = ((start, start + side),) * 2
    part = tuple(slice(*bounds) for bounds in box)
    if kind == "ram":
        rows = range(start, start + side, 512)
        levels = [np.concatenate([levels[0][row : row + 512, part[1]] for row in rows])]
        box = ((0, side),) * 2
        part = (slice(None), slice(None))
    config = OctreeConfig(memory={"ram_bytes": 2**28})
    layer: Any = viewer.add_layer(OctreeImage(levels, config))
    viewer.reset_view()
    layer.wait_until_settled(60)
    export = export_of([layer], Path(folder, f"{kind}.zarr"), "OME-Zarr", box=box, overwrite=True)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    camera = viewer.scene.camera
    center, zoom = camera.center, camera.zoom
    begin = perf_counter()
    task = start_export(export)

    def step(number: int) -> None:
        camera.zoom = zoom * (1 + 0.5 * np.sin(number / 20))
        camera.center = (0.0, center[1] + number % 40 / zoom, center[2])

    gaps, number = 0.0, 0
    while not task.finished:
        steps = [lambda n=n: step(n) for n in range(number, number + 40)]
        gaps = max(gaps, session.phase("", steps)["longest_gap_ms"])
        number += 40
    seconds = perf_counter() - begin
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20
    (back,) = open_ome_zarr(export.path)
    equal = all(
        np.array_equal(back.data[0][row : row + 512], levels[0][part][row : row + 512])
        if kind == "ram"
        else np.array_equal(
            back.data[0][row : row + 512], levels[0][start + row : start + row + 512, part[1]]
        )
        for row in range(0, side, 512)
    )
    viewer.close()
    figures = {"seconds": seconds, "gap": gaps, "gib": peak}
    print(json.dumps({**figures, "equal": equal}))


def main() -> None:
    """Run and print."""
    if sys.argv[1:2] == ["run"]:
        run(sys.argv[2], int(sys.argv[3]), sys.argv[4])
        return
    side = int(sys.argv[1]) if len(sys.argv) > 1 else 8192
    repeats = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    runs: dict[str, list[dict[str, float]]] = {"generated": [], "ram": []}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(repeats):
            for kind, found in runs.items():
                command = [
                    sys.executable,
                    "-m",
                    "benchmarks.export",
                    "run",
                    kind,
                    str(side),
                    folder,
                ]
                ran = subprocess.run(command, capture_output=True, text=True, check=True)
                figures = json.loads(ran.stdout.splitlines()[-1])
                found.append(figures)
                print(kind, {k: round(v, 2) for k, v in figures.items()}, flush=True)
    generated, ram = (statistics.median(f["gap"] for f in found) for found in runs.values())
    print(f"longest gap {generated:.0f} ms, from RAM {ram:.0f}: {generated / ram:.2f}")


if __name__ == "__main__":
    main()
