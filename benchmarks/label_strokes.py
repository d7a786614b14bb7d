"""1,000 strokes on labels of 2^20 × 2^20: `python -m benchmarks.label_strokes [strokes [side]]`.

Prints memory as strokes are painted all over the image, takes all of them back, and compares
with what was there. Memory is that of edits and history as the layer counts it, and of the
process.
"""

from __future__ import annotations

import gc
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from napari_octree import OctreeConfig, OctreeLabels, samples

LIMIT = 32 * 2**20


def main() -> None:
    """Run it."""
    strokes = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    side = int(sys.argv[2]) if len(sys.argv) > 2 else 2**20
    levels = samples.labels(side)
    folder = tempfile.TemporaryDirectory(prefix="napari-octree-strokes-")
    config = OctreeConfig(
        memory={"ram_bytes": LIMIT, "edits_bytes": LIMIT, "edits_path": Path(folder.name)}
    )
    layer = OctreeLabels(levels, config=config)
    assert layer.wait_until_settled(120)
    layer.brush_size = 41
    random = np.random.default_rng(0)
    places = random.integers(200, side - 200, (strokes, 2)).tolist()
    process = psutil.Process()
    start = time.perf_counter()
    for n, (y, x) in enumerate(places):
        with layer.block_history():
            for step in range(10):
                layer.paint((y + 7 * step, x + 5 * step), n + 1)
        assert layer.wait_until_settled(120)  # as between a person's strokes
        if n % max(strokes // 10, 1) == 0:
            gc.collect()
            painted = layer.statistics.painted
            print(
                f"{n:5} strokes: {painted['ram_bytes'] / 2**20:6.1f} MiB of edits, "
                f"{painted['chunks_on_disk']:5} chunks on disk, "
                f"process {process.memory_info().rss / 2**20:6.0f} MiB, "
                f"{time.perf_counter() - start:5.1f} s",
                flush=True,
            )
    assert layer.wait_until_settled(120)
    here = [
        tuple(slice(p - 100, p + 200) for p in place)
        for place in random.permutation(places)[:50].tolist()
    ]
    changed = 0
    for index in here:
        painted_now = layer.data[index]
        changed += bool((painted_now != np.asarray(levels[0][index])).any())
    print(f"{changed} of {len(here)} places differ from the data")
    while layer._undo_history:
        layer.undo()
        layer.wait_until_settled(120)
    for index in here:
        np.testing.assert_array_equal(layer.data[index], np.asarray(levels[0][index]))
    assert layer._kept.flush(layer._keeping)
    print(
        f"all taken back: unsaved {layer.has_edits}, "
        f"{layer.statistics.painted['ram_bytes'] / 2**20:.1f} MiB, "
        f"{time.perf_counter() - start:.1f} s"
    )


if __name__ == "__main__":
    main()
