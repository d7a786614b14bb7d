"""What sources keep in memory counts in `ram_bytes`."""

import numpy as np

from napari_octree.config import OctreeConfig
from napari_octree.loading import ChunkLoader
from napari_octree.sources.kept_bytes import KEPT, KeptBytes
from napari_octree.sources.mosaic.thumbnails import COST, THUMBNAILS, Thumbnails


def test_small_pictures_are_counted_and_bounded():
    kept = KeptBytes()
    pictures = Thumbnails(most_bytes=10_000, kept=kept)
    for number in range(100):
        pictures.keep(number, np.zeros(800, np.uint8))
        assert kept.nbytes == pictures.nbytes <= 10_000
    pictures.keep(99, None)
    assert kept.nbytes == pictures.nbytes == 9 * (800 + COST) + COST
    assert kept.left_of(16_000) == 16_000
    pictures.keep("more", None)
    assert kept.nbytes <= 4_000
    kept.add(3 * 2**20)
    assert kept.left_of(2**23) == 2**23 - 2**21


def test_the_loader_leaves_room_for_them():
    """As they come and go."""
    loader = ChunkLoader(OctreeConfig(memory={"ram_bytes": 2**28}))
    client = loader.open(lambda: None)
    dispatcher = loader._dispatcher
    before = KEPT.nbytes
    assert THUMBNAILS.nbytes <= before
    limit = dispatcher.scheduler.cache.limit_bytes
    KEPT.add(2**21)
    try:
        dispatcher.change(lambda scheduler, now: None)
        assert dispatcher.scheduler.cache.limit_bytes == 2**28 - 2**21 - before
    finally:
        KEPT.add(-(2**21))
    dispatcher.change(lambda scheduler, now: None)
    assert dispatcher.scheduler.cache.limit_bytes == limit
    client.close()
    loader.close()
