"""Pyramids out of core beside ome-zarr's: seconds in turns, peak memory, and what is wrong.

    python -m benchmarks.build [side] [repeats] [ours]

With "ours" ome-zarr is left out (of what is too large for two builds). Each build runs in a
process of its own: (1, side, side) uint16, chunks of 512², no shards, two threads, five coarser
levels. Prints medians and their ratio.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

OURS = """
from napari_octree.writing.build import BuildOptions, build_pyramid
from napari_octree.writing.image_to_write import image_to_write
build_pyramid(
    image_to_write(zarr.open_array(source, mode="r"), "cyx"), target,
    BuildOptions(chunk=512, shard=2048, sharded=False, factors=[(1, 2, 2)] * 5), workers=2,
)
"""
OME_ZARR = """
import dask.array as da, dask
from ome_zarr.scale import Scaler
from ome_zarr.writer import write_image
from ome_zarr.format import FormatV05
with dask.config.set(scheduler="threads", num_workers=2):
    from ome_zarr.scale import Methods
    write_image(
        da.from_zarr(source), target, axes="cyx", fmt=FormatV05(), method=Methods.LOCAL_MEAN,
        scale_factors=[2, 4, 8, 16, 32], storage_options={"chunks": (1, 512, 512)},
    )
"""
FRAME = """
import json, resource, sys, time, zarr
source, target = sys.argv[1:]
begin = time.perf_counter()
{body}
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(json.dumps([time.perf_counter() - begin, peak]))
"""

SOURCE = """
import sys, numpy as np, zarr
path, side = sys.argv[1], int(sys.argv[2])
array = zarr.create_array(path, shape=(1, side, side), chunks=(1, 512, 512), dtype="u2")
for top in range(0, side, 512):
    row = np.random.default_rng(top).integers(0, 4000, (512, side // 8), np.uint16).repeat(8, 1)
    array[0, top : top + 512] = row
"""


def main() -> None:
    """Run and print."""
    side = int(sys.argv[1]) if len(sys.argv) > 1 else 16384
    repeats = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    builds = [("ours", OURS), ("ome-zarr", OME_ZARR)][: 1 if "ours" in sys.argv else 2]
    folder = Path(tempfile.mkdtemp())
    try:
        source = str(folder / "source.zarr")
        subprocess.run([sys.executable, "-c", SOURCE, source, str(side)], check=True)
        figures: dict[str, list[list[float]]] = {"ours": [], "ome-zarr": []}
        for _ in range(repeats):
            for name, body in builds:
                target = str(folder / "target.zarr")
                shutil.rmtree(target, ignore_errors=True)
                code = FRAME.format(body=body)
                ran = subprocess.run(
                    [sys.executable, "-W", "ignore", "-c", code, source, target],
                    check=True, capture_output=True, text=True,
                )  # fmt: skip
                figures[name].append(json.loads(ran.stdout.splitlines()[-1]))
                print(name, *(f"{value:.2f}" for value in figures[name][-1]), flush=True)
        if figures["ome-zarr"]:
            ratio = _median(figures["ours"]) / _median(figures["ome-zarr"])
            print(f"{side}²: ours takes {ratio:.2f} of the time of ome-zarr")
    finally:
        shutil.rmtree(folder)


def _median(runs: list[list[float]]) -> float:
    return statistics.median(seconds for seconds, _ in runs)


if __name__ == "__main__":
    main()
