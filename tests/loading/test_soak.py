"""100,000 simulated frames: memory stays flat, nothing is left behind."""

import gc
import random

from loading.loader_bench import request
from napari_octree.loading import Pace, assembly
from napari_octree.loading.scheduling import tile_chunks
from napari_octree.loading.testing import SimulatedSource
from napari_octree.octree.chunk_key import Tier

FRAMES = 100_000
LEAKED = (FRAMES - FRAMES // 5) // 1000
"""Objects that one in a thousand frames leaves behind from a fifth of the way on: too many."""


class EndlessSource(SimulatedSource):
    """Counts reads but does not remember them, as the test would grow otherwise."""

    def read(self, region):
        self.count = getattr(self, "count", 0) + 1
        return self.pixels_at(region)


def test_memory_stays_flat(bench):
    b = bench(ram_bytes=40_000, octree={"loaders": {0: {"delay_queue_ms": 30}}})
    source = EndlessSource((80_000, 80_000), (4, 4))
    client = b.open()
    rng = random.Random(0)
    row = column = 10_000
    used = []
    for frame in range(FRAMES):
        if frame % 10 == 0:
            client.pace = Pace.UNCERTAIN if frame % 20 else Pace.RUSHING
            row = max(row + rng.randint(-2, 2), 0)
            column = max(column + rng.randint(-2, 2), 0)
            tier = Tier.COVERAGE if frame % 80 == 0 else Tier.IDEAL
            client.replace(
                [
                    request(source, row + r, column + c, size=4, tier=tier)
                    for r in range(2)
                    for c in range(2)
                ]
            )
        elif frame % 2 == 0 and b.executor.reads:
            b.executor.finish(b.executor.reads[-1])
        client.take()
        b.clock.advance(0.016)
        if frame % (FRAMES // 10) == FRAMES // 10 - 1:
            for memo in (assembly._axis, tile_chunks._cells):  # bounded, and more or less full
                memo.cache_clear()
            gc.collect()
            used.append(len(gc.get_objects()))
            counts = b.loader.statistics
            assert counts.cached_bytes + counts.in_flight_bytes + counts.staged_bytes <= 40_000
    assert source.count > FRAMES / 20
    assert b.loader.statistics.evictions > 1000
    assert max(used[2:]) < used[1] + LEAKED, f"objects alive at each tenth: {used}"
