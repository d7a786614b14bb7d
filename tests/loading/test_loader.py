import gc
import threading
import tracemalloc
import weakref
from dataclasses import replace

import numpy as np
import pytest

from loading.loader_bench import expected, request, take_all
from napari_octree.config import OctreeConfig
from napari_octree.loading import ChunkLoader, TileRequest, TileState
from napari_octree.loading.testing import SimulatedSource, VirtualExecutor
from napari_octree.loading.work import read_checked
from napari_octree.octree.chunk_key import Tier
from napari_octree.sources.levels.level_source import as_level_source


def all_requests(source, **options):
    return [request(source, r, c, **options) for r in range(4) for c in range(5)]


def test_every_wished_tile_is_delivered_with_its_pixels(bench, source):
    b = bench()
    client = b.open()
    wishes = all_requests(source)
    client.replace(wishes)
    assert client.pending == len(wishes)
    tiles = b.run(client)
    last = {tile.key: tile for tile in tiles}
    assert set(last) == {wish.key for wish in wishes}
    for wish in wishes:
        assert last[wish.key].state is TileState.LOADED
        assert last[wish.key].complete
        np.testing.assert_array_equal(last[wish.key].data, expected(source, wish))
    assert client.pending == 0
    assert b.wakes >= len(wishes)


def test_each_chunk_is_read_once_for_all_tiles_and_clients(bench, source):
    b = bench()
    clients = [b.open(), b.open()]
    for client in clients:
        client.replace(all_requests(source, size=4))
    b.executor.finish_all()
    assert len(source.reads) == len(set(source.reads)) == 6
    assert len({tile.key for client in clients for tile in take_all(client)}) == 20


def test_a_list_that_cannot_be_made_changes_nothing(bench, source):
    b = bench()
    client = b.open()
    client.replace(all_requests(source))

    def broken():
        yield request(source, 0, 0)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        client.replace(broken())
    assert client.pending == 20
    assert len({tile.key for tile in b.run(client)}) == 20


def test_reads_start_best_first(bench, source):
    b = bench(loader_defaults={"num_workers": 1}, octree={"loaders": {0: {"delay_queue_ms": 0}}})
    client = b.open()
    wishes = [request(source, 0, c, apron=0) for c in (3, 0, 4, 1)]
    client.replace(wishes)
    b.executor.finish_all()
    assert [region[1][0] // 8 for region in source.reads] == [3, 0, 4, 1]
    assert [tile.key for tile in take_all(client)] == [wish.key for wish in wishes]


def test_an_outward_request_is_read_from_its_middle(bench):
    b = bench(loader_defaults={"num_workers": 1}, octree={"loaders": {0: {"delay_queue_ms": 0}}})
    source = SimulatedSource((40, 56), (8, 8))
    client = b.open()
    whole = replace(request(source, 0, 0, size=56, apron=0), outward=True)
    client.replace([whole])
    b.executor.finish_all()
    middles = [[sum(pair) / 2 for pair in region] for region in source.reads]
    distances = [(y - 20) ** 2 + (x - 28) ** 2 for y, x in middles]
    assert distances[0] == 0
    assert distances == sorted(distances)
    assert len(distances) == 35
    (tile,) = take_all(client)
    np.testing.assert_array_equal(tile.data, expected(source, whole))


def test_what_left_the_list_is_never_started(bench, source):
    b = bench(loader_defaults={"num_workers": 1}, octree={"loaders": {0: {"delay_queue_ms": 0}}})
    client = b.open()
    client.replace([request(source, 0, c) for c in range(5)])
    client.replace([request(source, 3, 0)])
    b.executor.finish_all()
    assert [r[0][0] // 8 for r in source.reads] == [0, 3]
    assert b.loader.statistics.cancelled == 4
    assert [tile.key[1] for tile in take_all(client)] == [3]


def test_a_started_read_is_cached_although_nobody_wants_it_any_more(bench, source):
    b = bench()
    client = b.open()
    client.replace([request(source, 0, 0)])
    client.replace([])
    b.executor.finish_all()
    assert take_all(client) == []
    client.replace([request(source, 0, 0)])
    assert len(take_all(client)) == 1
    assert len(source.reads) == 1


def test_clients_do_not_cancel_each_other(bench, source):
    b = bench(loader_defaults={"num_workers": 1}, octree={"loaders": {0: {"delay_queue_ms": 0}}})
    one, two = b.open(), b.open()
    one.replace([request(source, 0, c) for c in range(5)])
    two.replace([request(source, 0, c) for c in range(5)])
    one.close()
    assert len({tile.key for tile in b.run(two)}) == 5


def test_a_taken_tile_is_not_delivered_again_while_it_stays(bench, source):
    b = bench()
    client = b.open()
    wish = request(source, 0, 0, apron=0)
    client.replace([wish])
    assert len(b.run(client)) == 1
    client.replace([wish, request(source, 0, 1, apron=0)])
    assert [tile.key[2] for tile in b.run(client)] == [1]
    client.replace([])
    client.replace([wish])
    assert len(b.run(client)) == 1
    assert len(source.reads) == 2


def test_a_tile_is_delivered_again_once_when_its_apron_has_become_complete(bench, source):
    b = bench()
    client = b.open()
    centre = request(source, 1, 1)
    around = [request(source, r, c) for r in range(3) for c in range(3) if (r, c) != (1, 1)]
    client.replace([centre, *around])
    (first,) = [b.executor.finish() and client.take()]
    assert first.key == centre.key
    assert not first.complete
    own = expected(source, request(source, 1, 1, apron=0))
    np.testing.assert_array_equal(first.data, np.pad(own, 1, mode="edge"))
    again = [tile for tile in b.run(client) if tile.key == centre.key]
    assert len(again) == 1
    assert again[0].complete
    np.testing.assert_array_equal(again[0].data, expected(source, centre))


def test_a_client_is_not_done_while_an_apron_is_being_improved(bench):
    executor = VirtualExecutor(assemble_at_once=False)
    client = bench(executor=executor).open()
    source = SimulatedSource((16, 16), (8, 8))
    client.replace([request(source, r, c) for r in range(2) for c in range(2)])
    last, incomplete = {}, 0
    while executor.works or executor.reads:
        executor.works.pop()() if executor.works else executor.finish()  # the best one ends last
        last |= {tile.key: tile for tile in take_all(client)}
        good = len(last) == 4 and all(tile.complete for tile in last.values())
        assert good == (client.pending == 0 and not client.ready)
        incomplete += len(last) == 4 and not good
    assert good
    assert incomplete, "all had come at least once, and one was to come again"


def test_an_apron_alone_reads_nothing(bench, source):
    b = bench()
    client = b.open()
    client.replace([request(source, 1, 1)])
    tiles = b.run(client)
    assert len(source.reads) == 1
    assert [tile.complete for tile in tiles] == [False]


def test_an_apron_is_improved_when_the_awaited_neighbour_leaves_the_list(bench, source):
    b = bench(loader_defaults={"num_workers": 1}, octree={"loaders": {0: {"delay_queue_ms": 0}}})
    client = b.open()
    wishes = [request(source, 0, 1), request(source, 0, 0), request(source, 0, 2)]
    client.replace(wishes)
    b.executor.finish()
    assert not client.take().complete
    b.executor.finish()  # the left neighbour; the right one is being read
    left = client.take()
    assert left.key == wishes[1].key
    client.replace(wishes[:2])
    b.executor.finish()  # arrives, although no longer wished for
    again = take_all(client)
    assert [tile.key for tile in again] == [wishes[0].key]


def test_missing_chunks_are_fill_value(bench):
    source = SimulatedSource((8, 16), (8, 8), missing=lambda region: region[1][0] == 0)
    b = bench()
    client = b.open()
    client.replace(
        [request(source, 0, 0, apron=0), request(source, 0, 0, size=16, apron=0, key="both")]
    )
    tiles = {tile.key: tile for tile in b.run(client)}
    assert tiles[("simulated", 0, 0)].state is TileState.MISSING
    assert (tiles[("simulated", 0, 0)].data == 7).all()
    assert tiles["both"].state is TileState.LOADED
    assert (tiles["both"].data[:, :8] == 7).all()
    client.replace([])
    client.replace([request(source, 0, 0, apron=0)])
    assert len(b.run(client)) == 1
    assert len(source.reads) == 2  # that it is missing is remembered


def test_memory_is_sliced_in_a_worker_with_its_apron_and_not_cached(bench):
    source = SimulatedSource((32, 40), (8, 8), in_memory=True)
    b = bench()
    b.executor.assemble_at_once = False
    client = b.open()
    wish = request(source, 1, 1)
    client.replace([wish])
    assert source.reads == []
    b.executor.works.pop()()
    tile = client.take()
    assert tile.complete
    np.testing.assert_array_equal(tile.data, expected(source, wish))
    assert b.loader.statistics.cached_bytes == 0


IN_MEMORY = np.arange(2**20, dtype=np.uint32).reshape(1024, 1024)


def load_from_memory(bench, apron):
    """Return a block of 512² pixels and the most that was allocated to make it."""
    wish = TileRequest(
        "tile",
        as_level_source(IN_MEMORY),
        ((256, 768), (0, 512)),
        (apron, apron),
        (512, 512),
        lambda block: block,
        Tier.IDEAL,
    )
    b = bench()
    client = b.open()
    tracemalloc.start()
    client.replace([wish])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return client.take().data, peak


def test_memory_that_needs_no_apron_is_given_as_it_is(bench):
    block, peak = load_from_memory(bench, 0)
    np.testing.assert_array_equal(block, IN_MEMORY[256:768, :512])
    assert np.shares_memory(block, IN_MEMORY)
    assert peak < 0.5 * block.nbytes


def test_memory_is_copied_once_for_its_apron(bench):
    block, peak = load_from_memory(bench, 1)
    np.testing.assert_array_equal(block, np.pad(IN_MEMORY, 1, mode="edge")[256:770, :514])
    assert peak < 1.5 * block.nbytes


def test_new_data_under_the_same_key_is_loaded_anew(bench):
    old, new = (SimulatedSource((8, 8), (8, 8), key=k) for k in ("old", "new"))
    b = bench()
    client = b.open()
    client.replace([request(old, 0, 0, key="tile")])
    b.run(client)
    client.replace([request(new, 0, 0, key="tile")])
    assert len(b.run(client)) == 1
    assert len(new.reads) == 1


def test_a_promoted_wish_overtakes(bench, source):
    b = bench(loader_defaults={"num_workers": 1}, octree={"loaders": {0: {"delay_queue_ms": 0}}})
    client = b.open()
    client.replace([request(source, 0, c, tier=Tier.PREFETCH) for c in range(4)])
    client.replace(
        [request(source, 0, 3), *(request(source, 0, c, tier=Tier.PREFETCH) for c in range(3))]
    )
    b.executor.finish_all()
    assert [region[1][0] // 8 for region in source.reads] == [0, 3, 1, 2]


def test_a_closed_client_leaves_nothing_behind(bench, source):
    b = bench()
    client = b.open()
    client.replace(all_requests(source))
    b.executor.finish()
    client.close()
    client.close()
    client.replace(all_requests(source))
    b.executor.finish_all()
    assert client.take() is None
    counts = b.loader.statistics
    assert (counts.clients, counts.in_flight_bytes, counts.staged_bytes) == (0, 0, 0)
    wakes = b.wakes
    b.clock.advance(100)
    assert b.wakes == wakes
    assert b.clock.calls == 0


def test_the_loader_does_not_keep_a_sources_arrays_alive(bench):
    b = bench()
    client = b.open()
    source = SimulatedSource((8, 8), (8, 8), key="gone")
    client.replace([request(source, 0, 0)])
    b.run(client)
    client.close()
    seen = weakref.ref(source)
    del source
    gc.collect()
    assert seen() is None


def test_force_synchronous_loads_inside_replace_and_nowhere_else():
    config = OctreeConfig(loader_defaults={"force_synchronous": True})  # and its usual delays
    threads = set()

    def note(region):
        threads.add(threading.current_thread())

    source = SimulatedSource((32, 40), (8, 8), error=note)
    others = set(threading.enumerate())
    loader = ChunkLoader(config)
    client = loader.open(lambda: None)
    client.replace(all_requests(source))
    assert client.pending == 0
    assert {tile.key for tile in take_all(client)} == {w.key for w in all_requests(source)}
    assert threads == {threading.current_thread()}
    assert not {t.name for t in set(threading.enumerate()) - others} - {"napari-octree-delays"}
    loader.close()


def test_opening_a_closed_loader_is_an_error(bench):
    b = bench()
    b.loader.close()
    with pytest.raises(RuntimeError, match="closed"):
        b.open()


def test_an_idle_loader_has_nothing_scheduled(bench, source):
    b = bench(octree={"loaders": {0: {"delay_queue_ms": 100}}})
    client = b.open()
    client.replace(all_requests(source))
    assert b.clock.scheduled
    b.clock.advance(0.2)
    b.run(client)
    assert client.pending == 0
    assert not b.clock.scheduled


def test_a_better_tile_that_waits_for_memory_does_not_stall_those_that_hold_it(bench, source):
    b = bench(
        ram_bytes=4000,
        loader_defaults={"num_workers": 1},
        octree={"loaders": {0: {"delay_queue_ms": 0}}},
    )
    client = b.open()
    large = request(source, 0, 1, size=16, apron=0)
    better = request(source, 0, 0, apron=0, key="better", tier=Tier.COVERAGE)
    client.replace([large])
    client.replace([better, large])
    assert {tile.key for tile in b.run(client)} == {large.key, "better"}


def test_a_tile_that_is_one_chunk_is_there_as_soon_as_it_is_read(bench, source):
    b = bench()
    b.executor.assemble_at_once = False
    client = b.open()
    wish = request(source, 1, 2, apron=0)
    client.replace([wish])
    b.executor.finish()
    assert not b.executor.works  # nobody else had to be found to make it
    tile = client.take()
    np.testing.assert_array_equal(tile.data, expected(source, wish))
    chunk = b.loader.cache.peek((source.key, wish.region))
    assert np.shares_memory(tile.data, chunk.pixels)


def test_a_tile_that_was_made_for_a_list_it_has_left_is_dropped(bench, source):
    b = bench()
    client = b.open()
    wish = request(source, 1, 2, apron=0)

    def leave(block):
        client.replace([])
        return block

    client.replace([replace(wish, finish=leave)])
    b.executor.finish()
    assert client.take() is None
    assert b.loader.statistics.in_flight_bytes == 0
    assert b.loader.statistics.staged_bytes == 0
    client.replace([wish])
    assert client.take() is not None
    assert len(source.reads) == 1


@pytest.mark.parametrize(
    "wrong",
    [lambda pixels: pixels[:-1], lambda pixels: pixels.astype(np.float32)],
    ids=["shape", "type"],
)
def test_a_chunk_that_is_not_what_was_announced_fails_at_once(bench, wrong):
    class Wrong(SimulatedSource):
        def read(self, region):
            return wrong(super().read(region))

    source = Wrong((8, 8), (8, 8))
    b = bench()
    client = b.open()
    client.replace([request(source, 0, 0)])
    b.clock.advance(1)
    b.executor.finish_all()
    (tile,) = take_all(client)
    assert tile.state is TileState.FAILED
    assert len(source.reads) == 1
    assert [failure.cause for failure in b.loader.failures] == ["ShapeMismatchError"]


def test_a_small_view_of_a_large_array_does_not_keep_it():
    class View(SimulatedSource):
        def read(self, region):
            return np.zeros((100, 8, 8), self.dtype)[3]

    pixels = read_checked(View((8, 8), (8, 8)), ((0, 8), (0, 8)))
    assert pixels.shape == (8, 8)
    assert pixels.base is None


def test_a_missing_tile_is_missing_whatever_lies_around_it(bench):
    source = SimulatedSource((8, 16), (8, 8), missing=lambda region: region[1][0] == 0)
    b = bench()
    client = b.open()
    client.replace([request(source, 0, 1), request(source, 0, 0)])
    states = {tile.key[2]: tile.state for tile in b.run(client) if tile.complete}
    assert states == {0: TileState.MISSING, 1: TileState.LOADED}


def test_a_closed_loader_keeps_no_pixels(bench, source):
    b = bench()
    client = b.open()
    client.replace(all_requests(source))
    b.run(client)
    assert len(b.loader.cache) == 20
    b.loader.close()
    assert len(b.loader.cache) == 0
    assert b.loader.cache.cached_bytes == 0
