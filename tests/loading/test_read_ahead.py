"""PREFETCH: storage chunks into RAM, when nothing better is to do, and nothing more."""

import numpy as np
import pytest

from loading.loader_bench import expected, request, take_all
from napari_octree.loading import Pace
from napari_octree.loading.testing import SimulatedSource
from napari_octree.octree.chunk_key import Tier


def ahead(source, row, column, **options):
    return request(source, row, column, tier=Tier.PREFETCH, **options)


def test_chunks_are_cached_and_nothing_is_made_of_them(bench, source):
    b = bench()
    client = b.open()
    client.replace([ahead(source, r, c) for r in range(4) for c in range(5)])
    assert client.pending == 0
    b.clock.advance(1)
    b.executor.finish_all()
    assert len(source.reads) == len(set(source.reads)) > 1
    assert len(b.loader.cache) == len(source.reads)
    assert take_all(client) == []
    assert b.wakes == 0
    assert b.loader.statistics.in_flight_bytes == 0
    assert b.clock.scheduled == []


def test_what_was_read_ahead_is_not_read_again(bench, source):
    b = bench()
    client = b.open()
    client.replace([ahead(source, 0, 0)])
    b.clock.advance(1)
    b.executor.finish_all()
    wish = request(source, 0, 0)
    client.replace([wish])
    b.clock.advance(1)
    (tile,) = take_all(client)
    np.testing.assert_array_equal(tile.data[1:-1, 1:-1], expected(source, wish)[1:-1, 1:-1])
    assert len(source.reads) == 1


def test_nothing_is_read_ahead_while_anything_waits_on_any_list(bench, source):
    b = bench()
    client, other = b.open(), b.open()
    client.replace([request(source, 0, 0), ahead(source, 3, 4)])
    other.replace([request(source, 0, 2)])
    b.clock.advance(1)
    assert len(source.reads) == len(b.executor.reads) - 2 == 0
    b.executor.finish()
    assert len(b.executor.reads) == 1
    b.executor.finish()
    assert [read.region[0][0] for read in b.executor.reads] == [24]


def test_a_wish_in_its_delay_goes_before(bench, source):
    b = bench(octree={"loaders": {0: {"delay_queue_ms": 100}, 2: {"delay_queue_ms": 0}}})
    client = b.open()
    client.replace([ahead(source, 3, 4, relative_level=2), request(source, 0, 0)])
    assert b.executor.reads == []  # though the first has no delay of its own


@pytest.mark.parametrize(("seconds", "reads"), [(0.001, 1), (0.3, 0)])
def test_while_the_user_moves_only_fast_sources_are_read_ahead(bench, source, seconds, reads):
    b = bench()
    client = b.open()
    client.replace([request(source, 0, 0)])
    b.clock.advance(1)
    b.executor.finish(seconds=seconds)
    client.pace = Pace.RUSHING
    client.replace([ahead(source, 3, 4)])
    b.clock.advance(1)
    assert len(b.executor.reads) == reads
    client.pace = Pace.UNCERTAIN
    b.clock.advance(1)
    assert len(b.executor.reads) == 1


def test_half_of_the_source_stays_free(bench, source):
    b = bench()
    client = b.open()
    client.replace([ahead(source, r, c) for r in range(4) for c in range(5)])
    b.clock.advance(1)
    assert 0 < len(b.executor.reads) <= b.loader.statistics.sources["simulated"].concurrency / 2


def test_chunks_of_the_view_are_not_evicted_for_it(bench):
    source = SimulatedSource((64, 8), (8, 8))
    b = bench(ram_bytes=4_000)  # six chunks with their entries
    client = b.open()
    view = [request(source, r, 0) for r in range(4)]
    client.replace(view)
    b.clock.advance(1)
    b.executor.finish_all()
    assert len(take_all(client)) >= 4
    client.replace([*view, *(ahead(source, r, 0) for r in range(4, 8))])
    b.clock.advance(1)
    b.executor.finish_all()
    assert b.loader.cache.cached_bytes <= 4_000
    assert len(source.reads) > 4
    assert all((source.key, region) in b.loader.cache for region in source.reads[:4])


def test_it_leaves_before_the_chunks_of_the_view_however_dear_it_was(bench):
    source = SimulatedSource((64, 8), (8, 8))
    b = bench(ram_bytes=4_000)  # six chunks with their entries
    client = b.open()

    def load(wishes, seconds):
        client.replace(wishes)
        b.clock.advance(1)
        while b.executor.finish(seconds=seconds) is not None:
            take_all(client)
        take_all(client)

    view = [request(source, r, 0, apron=0) for r in range(3)]
    read_ahead = [ahead(source, r, 0, apron=0) for r in range(3, 6)]
    load(view, 0.001)
    load([*view, *read_ahead], 1.0)
    cache = b.loader.cache
    assert all((source.key, wish.region) in cache for wish in [*view, *read_ahead])
    view.append(request(source, 6, 0, apron=0))
    load([*view, *read_ahead], 0.001)
    assert all((source.key, wish.region) in cache for wish in view)
    assert not all((source.key, wish.region) in cache for wish in read_ahead)


def test_a_chunk_read_ahead_completes_aprons_once_it_is_wished_for(bench, source):
    b = bench()
    client = b.open()
    one, next_to_it = request(source, 0, 0), request(source, 0, 1)
    client.replace([one])
    b.clock.advance(1)
    b.executor.finish_all()
    assert not take_all(client)[-1].complete
    client.replace([one, *(ahead(source, r, c) for r, c in ((0, 1), (1, 0), (1, 1)))])
    b.clock.advance(1)
    b.executor.finish_all()
    assert take_all(client) == []  # a settled view stays settled
    others = [request(source, 1, 0), request(source, 1, 1)]
    client.replace([one, next_to_it, *others])
    b.clock.advance(1)
    delivered = {tile.key: tile for tile in take_all(client)}
    assert delivered[one.key].complete
    np.testing.assert_array_equal(delivered[one.key].data, expected(source, one))


def test_a_failure_ahead_is_no_failed_tile(bench):
    source = SimulatedSource((8, 8), (8, 8), error=lambda region: PermissionError("no"))
    b = bench()
    client = b.open()
    client.replace([ahead(source, 0, 0)])
    b.clock.advance(1)
    b.executor.finish_all()
    assert client.failed == frozenset()
    assert take_all(client) == []


def test_the_overview_of_a_slice_ahead_is_handed_out_and_not_awaited(bench, source):
    b = bench(octree={"loaders": {0: {"delay_queue_ms": 100}}})
    client = b.open()
    ideal, ahead_of_it = request(source, 0, 0), request(source, 3, 4, tier=Tier.AHEAD)
    client.replace([ideal, ahead_of_it, ahead(source, 0, 4)])
    assert client.pending == 1
    assert [read.region[0][0] for read in b.executor.reads] == [24], "it is not delayed"
    b.executor.finish_all()
    assert [tile.key for tile in take_all(client)] == [ahead_of_it.key]
    assert client.pending == 1
    # The slider has come: what was taken is not brought again, and the rest is awaited now.
    client.replace([request(source, 3, 4, tier=Tier.OVERVIEW), request(source, 2, 2)])
    assert client.pending == 1
    b.clock.advance(1)
    b.executor.finish_all()
    assert client.pending == 0
    assert len(take_all(client)) == 1


def test_work_in_the_background_comes_last_and_is_handed_out(bench, source):
    b = bench()
    client, other = b.open(), b.open()
    work = request(source, 3, 4, tier=Tier.BACKGROUND)
    client.replace([work, request(source, 0, 0), ahead(source, 1, 2)])
    other.replace([request(source, 0, 2)])
    b.clock.advance(1)
    b.executor.finish_all()
    rows_and_columns = [tuple(start for start, _ in region) for region in source.reads]
    assert rows_and_columns[-1][0] == 24
    assert len(rows_and_columns) == 4
    assert client.pending == 0
    assert work.key in {tile.key for tile in take_all(client)}


@pytest.mark.parametrize("seconds", [0.001, 0.3])
def test_nothing_is_done_in_the_background_while_the_user_moves(bench, source, seconds):
    b = bench()
    client, other = b.open(), b.open()
    client.replace([request(source, 0, 0)])
    b.clock.advance(1)
    b.executor.finish(seconds=seconds)
    other.pace = Pace.RUSHING
    client.replace([request(source, 3, 4, tier=Tier.BACKGROUND)])
    b.clock.advance(1)
    assert b.executor.reads == []
    other.pace = Pace.UNCERTAIN
    b.clock.advance(1)
    assert len(b.executor.reads) == 1
