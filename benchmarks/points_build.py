"""Index many points out of core: time, memory, and whether a killed build ends the same.

    python benchmarks/points_build.py [--points 100_000_000] [--kills 0] [--workers 2]

Points are made block by block, as they would be read: two coordinates and a feature, 12 bytes
each. Memory is the peak of the resident set of the process that builds, less what it had before.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_octree.sources.points.point_blocks import Block
from napari_octree.writing.points.build import PointsOptions, build_points

BLOCK = 1_000_000


@dataclass(frozen=True)
class MadePoints:
    """Points of clusters of all sizes, with a background."""

    count: int
    name: str = "made points"

    def __len__(self) -> int:
        return -(-self.count // BLOCK)

    def read(self, block: int) -> Block:
        """Make a block."""
        rng = np.random.default_rng(block)
        n = min(BLOCK, self.count - block * BLOCK)
        centres = np.random.default_rng(2**40).random((500, 2)) * 100_000
        spread = np.random.default_rng(2**41).random(500) ** 3 * 5000
        chosen = rng.integers(0, 500, n)
        positions = centres[chosen] + rng.normal(size=(n, 2)) * spread[chosen, np.newaxis]
        return Block(positions.astype(np.float32), {"score": rng.random(n, np.float32)})


def build(count: int, target: str, workers: int) -> None:
    """Build, and print what it took."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, cpu = time.perf_counter(), time.process_time()
    last = [start]

    def show(done: int, total: int) -> None:
        if time.perf_counter() - last[0] > 15:
            last[0] = time.perf_counter()
            print(f"  {done}/{total} tasks, {last[0] - start:.0f} s", flush=True)

    found = build_points(
        MadePoints(count), target, PointsOptions(), workers=workers, progress=show
    )
    wall, used = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    files = [file for file in Path(target).rglob("*") if file.is_file()]
    size = sum(file.stat().st_size for file in files)
    print(
        f"{found.total:,} points, {len(found.table):,} nodes: {wall:.0f} s ({used:.0f} s of "
        f"processor), {workers} workers; memory +{(peak - before) / 2**10:.0f} MiB; "
        f"{len(files):,} files, {size / 2**30:.2f} GiB; load {os.getloadavg()[0]:.0f}",
        flush=True,
    )


def killed(count: int, folder: Path, workers: int, kills: int) -> None:
    """Kill a build again and again, and compare what it ends with."""
    rng = np.random.default_rng(0)
    command = [sys.executable, __file__, "--points", str(count), "--workers", str(workers)]
    whole, broken = folder / "whole.zarr", folder / "killed.zarr"
    start = time.perf_counter()
    subprocess.run([*command, "--target", str(whole)], check=True)
    took = time.perf_counter() - start
    for _ in range(kills):
        with subprocess.Popen([*command, "--target", str(broken)]) as process:
            try:
                process.wait(timeout=rng.uniform(0.1, 0.5) * took)
                break
            except subprocess.TimeoutExpired:
                process.kill()
    subprocess.run([*command, "--target", str(broken)], check=not broken.exists())
    same = digest(whole) == digest(broken)
    print(f"killed {kills} times and resumed: {'identical' if same else 'DIFFERENT'}")


def digest(folder: Path) -> str:
    """Return a digest of all names and bytes of a folder."""
    found = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            found.update(str(file.relative_to(folder)).encode())
            found.update(file.read_bytes())
    return found.hexdigest()


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=100_000_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--folder", help="where there is room for three times the points")
    parser.add_argument("--target", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.target:
        build(options.points, options.target, options.workers)
        return
    folder = Path(tempfile.mkdtemp(dir=options.folder))
    try:
        if options.kills:
            killed(options.points, folder, options.workers, options.kills)
        else:
            build(options.points, str(folder / "points.zarr"), options.workers)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
