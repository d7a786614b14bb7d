import gc
import math
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_octree.loading import ChunkId
from napari_octree.loading.cache.chunk_cache import ENTRY_BYTES, ChunkCache
from napari_octree.loading.cache.eviction import ChunkScorer


def chunk(i, storage="a"):
    return ChunkId(storage, ((i, i + 1),))


def pixels(n=100):
    return np.zeros(n, np.uint8)


SIZE = ENTRY_BYTES + 100


def test_cheap_chunks_leave_first():
    cache = ChunkCache(3 * SIZE)
    for i, seconds in enumerate([0.1, 0.001, 0.1]):
        assert cache.put(chunk(i), pixels(), seconds)
    assert cache.put(chunk(3), pixels(), 0.1)
    assert chunk(1) not in cache
    assert cache.evictions == 1


def test_large_chunks_leave_before_small_ones_that_cost_the_same():
    cache = ChunkCache(3 * SIZE)
    assert cache.put(chunk(0), pixels(), 0.1)
    assert cache.put(chunk(1), pixels(100 + SIZE), 0.1)
    assert cache.reserve(SIZE, evict_listed=False)
    assert chunk(0) in cache
    assert chunk(1) not in cache


def test_what_becomes_listed_or_held_may_not_go_any_more():
    cache = ChunkCache(3 * SIZE)
    for i in range(3):
        cache.put(chunk(i), pixels(), 0.1 * (i + 1))
    cache.set_listed(chunk(0), True)
    cache.hold([cache.peek(chunk(1))])
    assert cache.reserve(SIZE, evict_listed=False)
    assert [chunk(i) in cache for i in range(3)] == [True, True, False]
    assert not cache.reserve(SIZE, evict_listed=False)


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize(
    "leave",
    [
        lambda cache: cache.forget("a"),
        lambda cache: cache.clear(),
        lambda cache: cache.discard(chunk(0)),
        lambda cache: cache.put(chunk(0), pixels(), 0.1),
        lambda cache: cache.set_limit(SIZE),
        lambda cache: cache.reserve(2 * SIZE, evict_listed=True),
    ],
    ids=["forget", "clear", "discard", "put", "set_limit", "reserve"],
)
def test_pixels_that_leave_are_freed_at_once(leave, listed):
    cache = ChunkCache(3 * SIZE)
    first = weakref.ref(cache.put(chunk(0), pixels(), 0.01).pixels)
    cache.put(chunk(1), pixels(), 1.0)
    for i in range(2):
        cache.set_listed(chunk(i), listed)
    gc.disable()  # which would find them, some time later
    try:
        leave(cache)
        assert first() is None
    finally:
        gc.enable()


def test_listed_chunks_leave_in_the_order_of_their_need():
    needs = {chunk(0): 1, chunk(1): 2, chunk(2): 0}
    cache = ChunkCache(3 * SIZE, need=needs.__getitem__)
    for i, seconds in enumerate([0.1, 0.001, 1.0]):
        cache.put(chunk(i), pixels(), seconds, listed=True)
    left = []
    cache.on_evict = left.append
    cache.set_limit(0)
    assert left == [chunk(2), chunk(0), chunk(1)]


def test_used_chunks_stay_longer():
    cache = ChunkCache(3 * SIZE)
    for i in range(3):
        cache.put(chunk(i), pixels(), 0.1)
    for _ in range(5):
        cache.use(chunk(0))
    cache.put(chunk(3), pixels(), 0.1)
    assert chunk(0) in cache


def test_listed_chunks_leave_last_and_held_ones_never():
    gone = []
    cache = ChunkCache(4 * SIZE, gone.append)
    for i in range(4):
        cache.put(chunk(i), pixels(), 0.1, listed=i < 3)
    cache.hold([cache.peek(chunk(0))])
    assert not cache.reserve(2 * SIZE, evict_listed=False)
    assert gone == []  # the unlisted one went unannounced
    assert chunk(3) not in cache
    assert cache.reserve(3 * SIZE, evict_listed=True)
    assert sorted(gone) == [chunk(1), chunk(2)]
    assert not cache.reserve(SIZE, evict_listed=True)
    assert chunk(0) in cache


def test_an_unlisted_chunk_can_be_evicted_again():
    cache = ChunkCache(2 * SIZE)
    cache.put(chunk(0), pixels(), 0.1, listed=True)
    cache.put(chunk(1), pixels(), 0.1, listed=True)
    assert not cache.reserve(SIZE, evict_listed=False)
    cache.set_listed(chunk(0), False)
    assert cache.reserve(SIZE, evict_listed=False)
    assert chunk(0) not in cache


def test_equal_regions_of_other_arrays_are_other_chunks():
    cache = ChunkCache(10 * SIZE)
    cache.put(chunk(0, "a"), pixels(), 0.1)
    assert cache.use(chunk(0, "b")) is None
    assert (cache.hits, cache.misses) == (0, 1)
    assert cache.use(chunk(0, "a")) is not None
    assert (cache.hits, cache.misses) == (1, 1)


def test_forget_drops_one_array():
    cache = ChunkCache(10 * SIZE)
    cache.put(chunk(0, "a"), pixels(), 0.1)
    cache.put(chunk(0, "b"), pixels(), 0.1)
    cache.forget("a")
    assert chunk(0, "a") not in cache
    assert chunk(0, "b") in cache
    assert cache.cached_bytes == SIZE


def test_scores_stay_finite_after_millions_of_touches():
    scorer = ChunkScorer(halflife=1)  # ages a thousand times as fast as ours
    first = scorer.touch("a", 1.0)
    for _ in range(20_000):
        if scorer.too_large():
            scorer.scale_down()
        last = scorer.touch("a", None)
    assert math.isfinite(first)
    assert math.isfinite(last)
    scorer.forget("a")
    assert not scorer.cost
    assert not scorer.time


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["put", "use", "list", "unlist", "hold", "let go", "reserve", "free"]),
            st.integers(0, 7),
            st.integers(0, 300),
        ),
        max_size=60,
    )
)
def test_it_never_exceeds_its_limit(steps):
    limit = 4 * SIZE
    cache = ChunkCache(limit)
    held = []
    reserved = []
    for verb, i, size in steps:
        if verb == "put" and chunk(i) not in [entry.chunk_id for entry in held]:
            cache.put(chunk(i), pixels(size), 0.1, listed=size % 2 == 0)
        elif verb == "use":
            cache.use(chunk(i))
        elif verb in ("list", "unlist"):
            cache.set_listed(chunk(i), verb == "list")
        elif verb == "hold" and chunk(i) in cache:
            cache.hold([cache.peek(chunk(i))])
            held.append(cache.peek(chunk(i)))
        elif verb == "let go" and held:
            cache.let_go([held.pop()])
        elif verb == "reserve" and cache.reserve(size, evict_listed=i % 2 == 0):
            reserved.append(size)
        elif verb == "free" and reserved:
            cache.free(reserved.pop())
        assert cache.cached_bytes + cache.reserved_bytes <= limit
        assert cache.reserved_bytes == sum(reserved)
        assert all(entry.chunk_id in cache for entry in held)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 5), st.booleans()), max_size=30))
def test_what_is_cached_of_an_array_is_known(steps):
    cache = ChunkCache(6 * SIZE)
    for storage, i, comes in steps:
        before, known = cache.changes, {s: set(cache.regions_of(s)) for s in "ab"}
        if comes:
            cache.put(chunk(i, storage), pixels(), 0.1)
        else:
            cache.discard(chunk(i, storage))
        for s in "ab":
            regions = cache.regions_of(s)
            assert len(set(regions)) == len(regions)
            assert set(regions) == {chunk(j, s).region for j in range(6) if chunk(j, s) in cache}
            assert cache.bytes_of(s) == len(regions) * SIZE
        same = known == {s: set(cache.regions_of(s)) for s in "ab"}
        assert same or cache.changes > before
