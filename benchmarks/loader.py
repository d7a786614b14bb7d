"""What the loader costs: beside the raw reader on the same chunks, and per wish.

    python benchmarks/loader.py [--repeat 5] [--json FILE]

"Raw" reads the same storage chunks with the same number of threads and does nothing with them;
"loader" delivers finished tiles. Both in turns, so that the machine's load falls on both.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import tensorstore
import zarr

from napari_octree.config import OctreeConfig
from napari_octree.loading import ChunkLoader, TileRequest
from napari_octree.loading.testing import SimulatedSource
from napari_octree.octree.chunk_key import Tier
from napari_octree.sources.level_source import as_level_source
from napari_octree.sources.protocol import LevelSource, StorageArray
from napari_octree.sources.zarr_array import wrap_zarr

SIDE = 256
WORKERS = 4
FRAME_S = 0.004
"""Clients take what is finished once a frame, not each tile as it comes."""


def tile_requests(source: LevelSource, apron: int) -> list[TileRequest]:
    """One request for every chunk of a two-dimensional array."""
    grid = source.storage.grid((SIDE, SIDE))
    whole = tuple((0, n) for n in source.shape)
    return [
        TileRequest(
            key=index,
            source=source,
            region=grid.region(index),
            apron=(apron, apron),
            hint=(SIDE, SIDE),
            finish=np.ascontiguousarray,
            tier=Tier.COVERAGE,
            relative_level=0,
        )
        for index in grid.indices(whole)
    ]


def read_raw(storage: StorageArray, regions: list, workers: int) -> float:
    """Seconds to read regions with a plain thread pool."""
    with ThreadPoolExecutor(workers) as pool:
        started = time.perf_counter()
        for _ in pool.map(storage.read, regions):
            pass
        return time.perf_counter() - started


def read_loaded(requests: list[TileRequest], workers: int) -> float:
    """Seconds until all tiles are delivered, their aprons included."""
    config = OctreeConfig(
        octree={"loaders": {0: {"num_workers": workers, "delay_queue_ms": 0}}},
        memory={"ram_bytes": 2**31},
    )
    loader = ChunkLoader(config)
    woken = threading.Event()
    client = loader.open(woken.set)
    complete = set()
    started = time.perf_counter()
    client.replace(requests)
    while len(complete) < len(requests):
        woken.wait()
        time.sleep(FRAME_S)
        woken.clear()
        while (tile := client.take()) is not None:
            if tile.complete or not any(requests[0].apron):
                complete.add(tile.key)
    seconds = time.perf_counter() - started
    loader.close()
    return seconds


class SlowSource(SimulatedSource):
    """A far store: a read takes 50 ms and no processor."""

    def read(self, region):  # noqa: D102
        time.sleep(0.05)
        return np.zeros((SIDE, SIDE), np.uint16)


def compare(source: LevelSource, apron: int, workers: int, repeat: int) -> dict[str, float]:
    """Raw and loaded in turns; medians, and the median of the overheads of the pairs."""
    requests = tile_requests(source, apron)
    regions = [source.storage_region(request.region) for request in requests]
    raw, loaded = [], []
    read_raw(source.storage, regions, workers)
    for _ in range(repeat):
        raw.append(read_raw(source.storage, regions, workers))
        loaded.append(read_loaded(requests, workers))
    pairs = [b / a - 1 for a, b in zip(raw, loaded, strict=True)]
    return {
        "chunks": len(regions),
        "raw_s": round(statistics.median(raw), 4),
        "loader_s": round(statistics.median(loaded), 4),
        "overhead_percent": round(100 * statistics.median(pairs), 1),
        "overhead_of_the_best_percent": round(100 * (min(loaded) / min(raw) - 1), 1),
    }


def replace_wishes(total: int, length: int, changed: int) -> dict[str, float]:
    """Microseconds a wish, with `changed` of `length` wishes new in each list."""
    config = OctreeConfig(octree={"loaders": {0: {"delay_queue_ms": 10_000}}})
    loader = ChunkLoader(config)
    source = LevelSource(SimulatedSource((10**9, SIDE), (SIDE, SIDE)), (None, None))
    client = loader.open(lambda: None)

    def request(row: int) -> TileRequest:
        region = ((row * SIDE, (row + 1) * SIDE), (0, SIDE))
        return TileRequest(
            row, source, region, (1, 1), (SIDE, SIDE), np.ascontiguousarray, Tier.IDEAL
        )

    current = [request(row) for row in range(length)]
    client.replace(current)
    spent = longest = cpu = 0.0
    first = 0
    for _ in range(total // length):
        first += changed
        current = current[changed:] + [
            request(first + length - changed + i) for i in range(changed)
        ]
        started, cpu_started = time.perf_counter(), time.thread_time()
        client.replace(current)
        took = time.perf_counter() - started
        cpu += time.thread_time() - cpu_started
        spent += took
        longest = max(longest, took)
    started_reads = sum(s.reads for s in loader.statistics.sources.values())
    cancelled = loader.statistics.cancelled
    loader.close()
    return {
        "wishes": total,
        "list": length,
        "new_per_list": changed,
        "us_per_wish": round(1e6 * spent / total, 2),
        "cpu_us_per_wish": round(1e6 * cpu / total, 2),
        "longest_replace_ms": round(1000 * longest, 2),
        "reads_started": started_reads,
        "dropped_before_start": cancelled,
    }


def main() -> None:
    """Run everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", default="", help="measure only names that contain this")
    options = parser.parse_args()
    results: dict[str, object] = {}

    def note(name: str, measure: Callable[[], object]) -> None:
        if options.only not in name:
            return
        results[name] = measure()
        print(f"{name}: {results[name]}", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.zarr"
        pixels = np.random.default_rng(0).poisson(200, (32 * SIDE, 48 * SIDE)).astype(np.uint16)
        array = zarr.create_array(
            path, shape=pixels.shape, chunks=(SIDE, SIDE), dtype=pixels.dtype, zarr_format=3
        )
        array[:] = pixels
        opened = tensorstore.open(
            {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(path)}}
        ).result()
        by_zarr = wrap_zarr(array)
        vars(by_zarr)["_fast"] = None  # else local arrays are read by tensorstore
        for name, source in (
            ("zarr-python", LevelSource(by_zarr, (None, None))),
            ("tensorstore", as_level_source(opened)),
        ):
            for apron in (0, 1):
                note(
                    f"{name}, local, apron {apron}",
                    lambda s=source, a=apron: compare(s, a, WORKERS, options.repeat),
                )
    far = LevelSource(SlowSource((8 * SIDE, 16 * SIDE), (SIDE, SIDE)), (None, None))
    note("50 ms latency, apron 0", lambda: compare(far, 0, WORKERS, 3))
    note("50 ms latency, apron 1", lambda: compare(far, 1, WORKERS, 3))
    note("replace, all new", lambda: replace_wishes(1_000_000, 1000, 1000))
    note("replace, a tenth new", lambda: replace_wishes(1_000_000, 1000, 100))
    note("replace, nothing new", lambda: replace_wishes(1_000_000, 1000, 0))
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
