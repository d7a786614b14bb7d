import numpy as np

from loading.loader_bench import request
from napari_octree.loading import value_at
from napari_octree.loading.testing import SimulatedSource
from napari_octree.sources.protocol import ChunkId, LevelSource


def test_a_cached_value_is_found_without_reading(bench, source):
    b = bench()
    client = b.open()
    client.replace([request(source, 1, 1)])
    b.run(client)
    level = LevelSource(source, (None, None))
    assert value_at(b.loader.cache, level, (9, 10), (8, 8)) == 9 + 31 * 10
    assert value_at(b.loader.cache, level, (0, 0), (8, 8)) is None
    assert value_at(b.loader.cache, level, (9, 40), (8, 8)) is None
    assert value_at(b.loader.cache, level, (-1, 0), (8, 8)) is None
    assert len(source.reads) == 1


def test_values_at_a_fixed_index(bench):
    source = SimulatedSource((3, 8, 8), (1, 8, 8))
    b = bench()
    b.loader.cache.put(
        ChunkId(source.key, ((2, 3), (0, 8), (0, 8))),
        source.pixels_at(((2, 3), (0, 8), (0, 8))),
        0.1,
    )
    level = LevelSource(source, (2, None, None))
    expected = np.uint16(2 + 31 * 4 + 31**2 * 5)
    assert value_at(b.loader.cache, level, (4, 5), (8, 8)) == expected


def test_missing_chunks_have_the_fill_value(bench):
    source = SimulatedSource((8, 8), (8, 8), missing=lambda region: True)
    b = bench()
    client = b.open()
    client.replace([request(source, 0, 0)])
    b.run(client)
    assert value_at(b.loader.cache, LevelSource(source, (None, None)), (1, 1), (8, 8)) == 7
