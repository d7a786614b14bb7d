"""Several loaders, one process: one cache, one limit, one read of each chunk, fair shares."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from loading.loader_bench import request, take_all
from napari_octree.config import OctreeConfig
from napari_octree.loading import ChunkId, ChunkLoader, TileRequest, TileState, default_loader
from napari_octree.loading.cache.chunk_cache import ENTRY_BYTES
from napari_octree.loading.dispatcher import Dispatcher
from napari_octree.loading.testing import SimulatedSource, VirtualClock, VirtualExecutor
from napari_octree.loading.work import ReadOutcome
from napari_octree.octree.chunk_key import Tier
from napari_octree.sources.identity import SourceGroup
from napari_octree.sources.protocol import LevelSource

MEBIBYTE = 2**20


def config(workers, ram_bytes, delay_queue_ms=0):
    return OctreeConfig(
        octree={"loaders": {0: {"num_workers": workers, "delay_queue_ms": delay_queue_ms}}},
        memory={"ram_bytes": ram_bytes},
    )


@pytest.fixture
def shared():
    """Two loaders of unequal settings."""
    dispatcher = Dispatcher(VirtualClock(), seed=0)
    loaders = [
        ChunkLoader(config(workers, ram), dispatcher=dispatcher, executor=VirtualExecutor())
        for workers, ram in ((1, 2 * MEBIBYTE), (3, 4 * MEBIBYTE))
    ]
    yield loaders
    for loader in loaders:
        loader.close()


def finish_all(loaders):
    while reads := [read for loader in loaders for read in loader._workers.executor.reads]:
        executors = [loader._workers.executor for loader in loaders]
        next(e for e in executors if reads[0] in e.reads).finish(reads[0])


def test_layers_of_unequal_settings_share_the_process(shared):
    one, two = shared
    source = SimulatedSource((32, 40), (8, 8))
    clients = [loader.open(lambda: None) for loader in (one, two)]
    for client in clients:
        client.replace([request(source, r, c, apron=0) for r in range(4) for c in range(5)])
    # Each reads with as many as its own settings say; the source bears what the second allows.
    assert [len(loader._workers.executor.reads) for loader in shared] == [1, 2]
    finish_all(shared)
    assert len(source.reads) == len(set(source.reads)) == 20
    assert all(len(take_all(client)) == 20 for client in clients)
    assert one.cache is two.cache
    # All is counted for the process, but pools are those of a loader's own settings.
    counted = [loader.statistics for loader in shared]
    assert sum(each.pools[0].reads for each in counted) == 20
    assert replace(counted[0], pools={}) == replace(counted[1], pools={})


def test_the_least_limit_of_those_at_work_holds_for_all(shared):
    one, two = shared
    source = SimulatedSource((256 * 20, 256), (256, 256))  # 128 KiB a chunk
    wishes = [request(source, r, 0, size=256, apron=0) for r in range(20)]
    large = two.open(lambda: None)
    assert two.cache.limit_bytes == 4 * MEBIBYTE
    large.replace(wishes)
    while two._workers.executor.finish() is not None:
        take_all(large)
    assert two.cache.cached_bytes > 2 * MEBIBYTE
    large.replace([])
    small = one.open(lambda: None)
    assert two.cache.limit_bytes == 2 * MEBIBYTE
    assert two.cache.cached_bytes <= 2 * MEBIBYTE
    small.close()
    assert two.cache.limit_bytes == 4 * MEBIBYTE


def test_one_loader_closes_without_the_other(shared):
    one, two = shared
    source = SimulatedSource((8, 40), (8, 8))
    first, second = one.open(lambda: None), two.open(lambda: None)
    first.replace([request(source, 0, 0)])
    second.replace([request(source, 0, 4)])
    one.close()
    with pytest.raises(RuntimeError, match="closed"):
        one.open(lambda: None)
    assert first.pending == 0
    finish_all(shared)
    assert len(take_all(second)) == 1


def plane(source, index):
    """All of one plane of a three-dimensional source."""
    level = LevelSource(source, (index, None, None))
    return TileRequest(
        index, level, ((0, 16), (0, 16)), (0, 0), (16, 16), np.ascontiguousarray, Tier.IDEAL
    )


def test_channels_in_one_chunk_are_read_once(bench):
    source = SimulatedSource((3, 16, 16), (3, 16, 16))
    b = bench()
    clients = [b.open() for _ in range(3)]
    for channel, client in enumerate(clients):
        client.replace([plane(source, channel)])
    b.executor.finish_all()
    for channel, client in enumerate(clients):
        (tile,) = take_all(client)
        pixels = source.pixels_at(((channel, channel + 1), (0, 16), (0, 16)))
        np.testing.assert_array_equal(tile.data, pixels[0])
    assert len(source.reads) == 1


def test_scrolling_within_a_chunk_reads_nothing(bench):
    source = SimulatedSource((32, 16, 16), (16, 16, 16))
    b = bench()
    client = b.open()
    for z in range(17):
        client.replace([plane(source, z)])
        (tile,) = b.run(client)
        pixels = source.pixels_at(((z, z + 1), (0, 16), (0, 16)))
        np.testing.assert_array_equal(tile.data, pixels[0])
        assert len(source.reads) == (1 if z < 16 else 2)


def test_another_plane_under_the_same_keys_replaces_the_former_one(bench):
    """A slider has moved: what was asked for, and how, is the same but for the fixed index."""
    source = SimulatedSource((8, 16, 16), (2, 16, 16))
    b = bench()
    client = b.open()
    for z in (0, 1, 2, 6):  # in RAM, next to be read, elsewhere
        wish = replace(plane(source, z), key="tile")
        client.replace([wish])
        assert client.pending + client.ready == 1
        (tile,) = b.run(client)
        pixels = source.pixels_at(((z, z + 1), (0, 16), (0, 16)))
        np.testing.assert_array_equal(tile.data, pixels[0])
        client.replace([replace(plane(source, z), key="tile")])  # the same once more
        assert client.pending + client.ready == 0
    assert len(source.reads) == 3


def test_the_process_has_one_cache():
    loaders = [default_loader(config(1, n * MEBIBYTE)) for n in (3, 5, 3)]
    assert loaders[0] is loaders[2]
    assert loaders[0] is not loaders[1]
    assert loaders[0].cache is loaders[1].cache


def test_a_layer_that_is_browsed_fast_leaves_another_its_share(bench):
    b = bench(ram_bytes=40_000)
    quiet, busy = b.open(), b.open()
    still = SimulatedSource((8, 8 * 20), (8, 8), key="still")
    quiet.replace([request(still, 0, c, apron=0) for c in range(20)])
    b.run(quiet)
    quiet.replace([])  # looks elsewhere, and will come back
    other = SimulatedSource((8, 8 * 500), (8, 8), key="other")
    for c in range(0, 500, 5):
        busy.replace([request(other, 0, c + i, apron=0) for i in range(5)])
        b.run(busy)
    assert b.loader.statistics.evictions > 400
    quiet.replace([request(still, 0, c, apron=0) for c in range(20)])
    b.run(quiet)
    assert len(still.reads) == 20


@pytest.mark.parametrize("seconds", [0.0001, 0.05])
def test_an_overview_stays_while_its_view_moves_over_more_than_memory_holds(bench, seconds):
    """It is on every list, however cheap it was to read and however long ago."""
    b = bench(ram_bytes=20_000)
    client = b.open()
    coarse = SimulatedSource((8, 8), (8, 8), key="image/1")
    fine = SimulatedSource((8, 8 * 500), (8, 8), key="image/0")  # one source, one share
    overview = request(coarse, 0, 0, apron=0, tier=Tier.OVERVIEW)
    client.replace([overview])
    b.run(client, seconds)
    for c in range(0, 500, 5):
        client.replace([overview, *(request(fine, 0, c + i, apron=0) for i in range(5))])
        b.run(client)
        assert client.at_hand(overview)
    assert b.loader.statistics.evictions > 400
    assert len(coarse.reads) == 1


def test_what_a_closed_loader_leaves_undone_is_done_by_the_other(shared):
    one, two = shared
    source = SimulatedSource((32, 40), (8, 8))
    gone, stays = one.open(lambda: None), two.open(lambda: None)
    executor = one._workers.executor
    executor.assemble_at_once = False
    gone.replace([request(source, 0, 0)])
    executor.finish()
    assert executor.works  # an assembly has been given out
    gone.replace([request(source, 0, 0), request(source, 0, 1, apron=0)])
    stays.replace([request(source, 0, 1, apron=0)])
    (given_out,) = executor.reads
    assert not two._workers.executor.reads  # as the first one reads it
    one.close()
    finish_all([two])
    assert [tile.key for tile in take_all(stays)] == [("simulated", 0, 1)]
    counts = two.statistics
    assert (counts.assembling, counts.reading, counts.in_flight_bytes) == (0, 0, 0)
    given_out.done(ReadOutcome(source.pixels_at(given_out.region)))  # too late: ignored
    assert two.statistics == counts


def load_after_a_delay(loader):
    """Load a tile that waits for the delay queue."""
    woken = threading.Event()
    client = loader.open(woken.set)
    client.replace([request(SimulatedSource((8, 8), (8, 8), key=object()), 0, 0)])
    assert woken.wait(30)
    assert client.take().state is TileState.LOADED


def test_a_default_loader_that_was_closed_is_made_anew(no_loaders):
    settings = config(1, 3 * MEBIBYTE, delay_queue_ms=20)
    loaders = []
    for _ in range(2):
        loaders.append(default_loader(settings))
        load_after_a_delay(loaders[-1])
        loaders[-1].close()
        assert loaders[-1].is_closed
        with pytest.raises(RuntimeError, match="closed"):
            loaders[-1].open(lambda: None)
    assert loaders[0] is not loaders[1]


def test_delays_go_on_after_all_others_have_closed(no_loaders):
    default_loader(config(1, 3 * MEBIBYTE)).close()
    loader = default_loader(config(2, 3 * MEBIBYTE, delay_queue_ms=20))
    load_after_a_delay(loader)
    loader.close()


def test_closing_one_of_two_leaves_the_delays_of_the_other(no_loaders):
    one = default_loader(config(1, 3 * MEBIBYTE))
    two = default_loader(config(2, 3 * MEBIBYTE, delay_queue_ms=20))
    one.close()
    load_after_a_delay(two)
    two.close()


def test_an_image_with_computed_levels_has_one_fair_share(shared):
    """What is kept of its levels counts together, so that it cannot crowd out another image."""
    loader = shared[0]
    image = SourceGroup("image", "image")
    stored = SimulatedSource((8, 8000), (8, 8), key="stored", group=image)
    computed = [SimulatedSource((8, 8000), (8, 8), key=i, group=image) for i in range(3)]
    other = SimulatedSource((8, 8000), (8, 8), key="other")
    pixels = np.zeros((8, 8), np.uint16)
    loader.open(lambda: None)
    fits = loader.cache.limit_bytes // (pixels.nbytes + ENTRY_BYTES)

    def chunk(source, i):
        return ChunkId(source.key, ((0, 8), (8 * i, 8 * i + 8)))

    def keep(source, number):
        for i in range(number):
            loader.blocks.keep(chunk(source, i), pixels, 0.001, source.group)

    keep(other, fits // 2 - 10)
    for source in (stored, *computed):
        keep(source, fits // 3)
    assert all(loader.blocks.find(chunk(other, i)) for i in range(fits // 2 - 10))
