"""What the loader costs: beside the raw reader on the same chunks, and per wish.

    python benchmarks/loader.py [--repeat 5] [--json FILE]

"Raw" reads the same storage chunks with the same number of threads of a plain pool and keeps
the arrays, as a cache has to. "Tiles" then puts each tile and its apron together from them, in
the same pool, once and with all neighbours there: the least that anything which delivers
tiles has to do. "Loader" is ours. All three in turns, so that the machine's load falls on all,
and with the allocator keeping what is freed: whose turn it is to touch new memory, which takes
longer than to read a chunk, would else be chance.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import re
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import tensorstore
import zarr

from napari_octree.config import OctreeConfig
from napari_octree.loading import ChunkLoader, TileRequest
from napari_octree.loading.assembly import assemble, grow
from napari_octree.loading.scheduling.tile_chunks import boxes
from napari_octree.loading.testing import SimulatedSource
from napari_octree.octree.chunk_key import Tier
from napari_octree.sources.arrays.zarr_arrays.zarr_array import wrap_zarr
from napari_octree.sources.levels.level_source import as_level_source
from napari_octree.sources.protocol import LevelSource, StorageArray

SIDE = 256
ROWS, COLUMNS = 40, 24
"""Of the local image, in chunks: so many that a frame more or less is no matter."""
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
            tier=Tier.IDEAL,
            relative_level=0,
        )
        for index in grid.indices(whole)
    ]


def keep_freed_memory() -> None:
    """Let glibc's allocator give nothing back to the system; does nothing elsewhere."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        trim_threshold, mmap_threshold, arenas = -1, -3, -8
        mallopt(arenas, 1)
        mallopt(mmap_threshold, 2**25)
        mallopt(trim_threshold, 2**31 - 1)


@dataclass
class Cost:
    """What a run took."""

    elapsed_s: float
    processor_s: float

    @classmethod
    def of(cls, work: Callable[[], object]) -> Cost:
        """Run `work`."""
        elapsed, processor = time.perf_counter(), time.process_time()
        work()
        return cls(time.perf_counter() - elapsed, time.process_time() - processor)


def read_raw(storage: StorageArray, regions: list, workers: int) -> Cost:
    """Read regions with a plain thread pool, and keep them as a cache has to."""
    with ThreadPoolExecutor(workers) as pool:
        return Cost.of(lambda: list(pool.map(storage.read, regions)))


def read_tiles(requests: list[TileRequest], workers: int) -> Cost:
    """Read with a plain thread pool, then put each tile and its apron together in it."""
    source = requests[0].source
    storage = source.storage
    grid = storage.grid((SIDE, SIDE))
    kept = {}

    def read(request: TileRequest) -> None:
        kept[request.region] = storage.read(request.region)

    def tile(request: TileRequest) -> None:
        around = boxes(grid, grow(request.region, request.apron, storage.shape))
        parts = [(box, kept[box]) for box in around]
        fill = storage.fill_value
        assemble(request.region, request.apron, storage.shape, storage.dtype, fill, parts)

    def work() -> None:
        for _ in pool.map(read, requests):
            pass
        for _ in pool.map(tile, requests):
            pass

    with ThreadPoolExecutor(workers) as pool:
        return Cost.of(work)


def read_loaded(requests: list[TileRequest], workers: int) -> tuple[Cost, int]:
    """Load until all tiles are delivered, their aprons included; say how often one was."""
    config = OctreeConfig(
        octree={"loaders": {0: {"num_workers": workers, "delay_queue_ms": 0}}},
        memory={"ram_bytes": 2**31},
    )
    loader = ChunkLoader(config)
    woken = threading.Event()
    client = loader.open(woken.set)
    complete = set()
    deliveries = 0

    def work() -> None:
        nonlocal deliveries
        client.replace(requests)
        while len(complete) < len(requests):
            woken.wait()
            time.sleep(FRAME_S)
            woken.clear()
            while (tile := client.take()) is not None:
                deliveries += 1
                if tile.complete or not any(requests[0].apron):
                    complete.add(tile.key)

    cost = Cost.of(work)
    loader.close()
    return cost, deliveries


class SlowSource(SimulatedSource):
    """A far store: a read takes 50 ms and no processor."""

    def read(self, region):  # noqa: D102
        time.sleep(0.05)
        return np.zeros((SIDE, SIDE), np.uint16)


def compare(source: LevelSource, apron: int, workers: int, repeat: int) -> dict[str, object]:
    """Each way in turns; each cost beside those of "raw" right before and right after it.

    The machine's speed changes by half within seconds, so the medians of these ratios say more
    than the ratio of any two medians, or of the least of each.
    """
    requests = tile_requests(source, apron)
    regions = [source.storage_region(request.region) for request in requests]
    read_raw(source.storage, regions, workers)
    read_loaded(requests, workers)
    raw, tiles, loaded, deliveries = [], [], [], []
    for _ in range(repeat):
        raw.append(read_raw(source.storage, regions, workers))
        cost, delivered = read_loaded(requests, workers)
        loaded.append(cost)
        raw.append(read_raw(source.storage, regions, workers))
        tiles.append(read_tiles(requests, workers))
        deliveries.append(delivered / len(requests))
    result: dict[str, object] = {"chunks": len(regions)}
    for clock in ("elapsed_s", "processor_s"):
        raws = [getattr(cost, clock) for cost in raw]
        beside = [(before + after) / 2 for before, after in pairwise(raws)]
        result[f"raw_{clock}"] = round(statistics.median(raws), 4)
        for name, costs, near in (
            ("loader", loaded, beside[::2]),
            ("tiles", tiles, [*beside[1::2], raws[-1]]),
        ):
            ratios = [getattr(cost, clock) / n for cost, n in zip(costs, near, strict=True)]
            low, middle, high = statistics.quantiles(ratios, n=4)
            over = f"{name}_over_raw_{clock[:-2]}_percent"
            result[over] = round(100 * (middle - 1), 1)
            result[over + "_quartiles"] = [round(100 * (low - 1)), round(100 * (high - 1))]
    return result | {"deliveries_per_tile": round(statistics.median(deliveries), 2)}


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
    parser.add_argument("--repeat", type=int, default=15)
    parser.add_argument("--json", type=Path)
    parser.add_argument(
        "--only", default="", help="measure only names in which this pattern is found"
    )
    options = parser.parse_args()
    results: dict[str, object] = {}
    keep_freed_memory()

    def note(name: str, measure: Callable[[], object]) -> None:
        if not re.search(options.only, name):
            return
        results[name] = measure()
        print(f"{name}: {results[name]}", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.zarr"
        pixels = (
            np.random.default_rng(0).poisson(200, (ROWS * SIDE, COLUMNS * SIDE)).astype(np.uint16)
        )
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
    note("50 ms latency, apron 0", lambda: compare(far, 0, WORKERS, min(3, options.repeat)))
    note("50 ms latency, apron 1", lambda: compare(far, 1, WORKERS, min(3, options.repeat)))
    note("replace, all new", lambda: replace_wishes(1_000_000, 1000, 1000))
    note("replace, a tenth new", lambda: replace_wishes(1_000_000, 1000, 100))
    note("replace, nothing new", lambda: replace_wishes(1_000_000, 1000, 0))
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
