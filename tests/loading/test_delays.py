import pytest

from loading.loader_bench import request
from napari_octree.loading import Pace
from napari_octree.loading.scheduling.pools import LoaderPool, LoaderPools
from napari_octree.loading.testing import SimulatedSource
from napari_octree.octree.chunk_key import Tier

DELAYED = {
    "loader_defaults": {"auto_sync_ms": 30},
    "octree": {
        "loaders": {
            0: {"delay_queue_ms": 100, "num_workers": 10},
            2: {"delay_queue_ms": 0, "num_workers": 10},
        }
    },
}


def test_a_wish_is_read_only_after_it_stayed_on_the_list(bench, source):
    b = bench(**DELAYED)
    client = b.open()
    wish = request(source, 0, 0)
    client.replace([wish])
    b.clock.advance(0.06)
    client.replace([wish, request(source, 0, 1)])  # the first has waited already
    b.clock.advance(0.05)
    assert len(b.executor.reads) == 1
    b.clock.advance(0.04)
    assert len(b.executor.reads) == 1
    b.clock.advance(0.02)
    assert len(b.executor.reads) == 2


def test_what_is_only_passed_is_never_read(bench, source):
    b = bench(**DELAYED)
    client = b.open()
    client.pace = Pace.RUSHING
    for step in range(40):
        client.replace([request(source, step % 4, c, key=(step, c)) for c in range(5)])
        b.clock.advance(0.016)
    assert not source.reads
    assert not b.executor.reads


@pytest.mark.parametrize("tier", [Tier.OVERVIEW, Tier.COVERAGE])
def test_overview_and_coverage_are_not_delayed(bench, source, tier):
    b = bench(**DELAYED)
    b.open().replace([request(source, 0, 0, tier=tier)])
    assert len(b.executor.reads) == 1


def test_a_wish_that_becomes_coverage_waits_no_longer(bench, source):
    b = bench(**DELAYED)
    client = b.open()
    client.replace([request(source, 0, 0)])
    assert not b.executor.reads
    client.replace([request(source, 0, 0, tier=Tier.COVERAGE)])
    assert len(b.executor.reads) == 1


def test_the_pool_of_the_relative_level_decides(bench, source):
    b = bench(**DELAYED)
    client = b.open()
    client.replace([request(source, 0, level, relative_level=level) for level in range(-1, 4)])
    assert {read.region[1][0] // 8 for read in b.executor.reads} == {2, 3} - {4}


def test_pools_may_be_given_in_any_order():
    pools = {key: LoaderPool(1, 0.0, 0.0) for key in (2, 0)}
    ordered = LoaderPools(pools)
    assert [ordered.of(level) for level in (-1, 0, 1, 2, 9)] == [pools[0]] * 3 + [pools[2]] * 2


def test_pools_have_their_own_workers(bench):
    source = SimulatedSource((8, 400), (8, 8))
    b = bench(
        octree={
            "loaders": {
                0: {"num_workers": 2, "delay_queue_ms": 0},
                2: {"num_workers": 1, "delay_queue_ms": 0},
            }
        }
    )
    client = b.open()
    client.replace(
        [request(source, 0, c, relative_level=0) for c in range(20)]
        + [request(source, 0, c, relative_level=2) for c in range(20, 40)]
    )
    columns = [read.region[1][0] // 8 for read in b.executor.reads]
    assert columns == [0, 1, 20]


def test_a_fast_source_is_not_delayed_unless_the_user_moves(bench, source):
    b = bench(**DELAYED)
    client = b.open()
    client.replace([request(source, 0, 0, tier=Tier.COVERAGE)])
    b.run(client, seconds=0.002)
    client.pace = Pace.RUSHING
    client.replace([request(source, 1, 1)])
    assert not b.executor.reads
    client.pace = Pace.UNCERTAIN
    assert len(b.executor.reads) == 1


def test_each_pool_has_its_own_notion_of_a_fast_source(bench, source):
    pools = {
        0: {"delay_queue_ms": 100, "auto_sync_ms": 5},
        2: {"delay_queue_ms": 100, "auto_sync_ms": 50},
    }
    b = bench(octree={"loaders": pools})
    client = b.open()
    client.replace([request(source, 0, 0, tier=Tier.COVERAGE)])
    b.run(client, seconds=0.02)
    client.replace([request(source, 1, 1), request(source, 2, 2, relative_level=2)])
    assert [read.region for read in b.executor.reads] == [((16, 24), (16, 24))]


def test_a_slow_source_is_delayed(bench, source):
    b = bench(**DELAYED)
    client = b.open()
    client.replace([request(source, 0, 0, tier=Tier.COVERAGE)])
    b.run(client, seconds=0.2)
    client.replace([request(source, 1, 1)])
    assert not b.executor.reads


def test_at_a_steady_pace_nothing_is_delayed(bench, source):
    b = bench(**DELAYED)
    client = b.open()
    client.replace([request(source, 0, 0, tier=Tier.COVERAGE)])
    b.run(client, seconds=0.2)
    client.replace([request(source, 1, 1)])
    assert not b.executor.reads
    client.pace = Pace.STEADY  # the view rests: it will want this for good
    assert len(b.executor.reads) == 1
    client.replace([request(source, 1, 1), request(source, 2, 2)])
    assert len(b.executor.reads) == 2


def test_while_the_view_rushes_all_wait_three_quarters_longer(bench, source):
    b = bench(**DELAYED)
    client = b.open()
    client.pace = Pace.RUSHING
    client.replace([request(source, 1, 1)])
    b.clock.advance(0.174)
    assert not b.executor.reads
    b.clock.advance(0.002)
    assert len(b.executor.reads) == 1


def test_one_client_that_is_steady_does_not_hurry_another(bench, source):
    b = bench(**DELAYED)
    resting, moving = b.open(), b.open()
    moving.replace([request(source, 1, 1)])
    resting.pace = Pace.STEADY
    resting.replace([request(source, 0, 0)])
    assert [read.region for read in b.executor.reads] == [((0, 8), (0, 8))]


def test_what_is_cached_is_not_delayed(bench, source):
    b = bench(**DELAYED)
    client = b.open()
    client.replace([request(source, 0, 0, tier=Tier.COVERAGE)])
    b.run(client, seconds=0.2)
    client.replace([])
    client.replace([request(source, 0, 0)])
    assert client.take() is not None


def test_few_readers_of_a_fast_source_while_the_user_moves(bench):
    source = SimulatedSource((8, 800), (8, 8))
    b = bench()
    client = b.open()
    client.replace([request(source, 0, c, tier=Tier.COVERAGE) for c in range(60)])
    b.run(client, seconds=0.002)
    client.pace = Pace.RUSHING
    client.replace([request(source, 0, c, tier=Tier.COVERAGE) for c in range(60, 100)])
    assert len(b.executor.reads) == 2
    client.pace = Pace.UNCERTAIN
    assert len(b.executor.reads) > 2


def test_many_readers_of_a_far_source_while_the_user_moves(bench):
    source = SimulatedSource((8, 800), (8, 8))
    b = bench()
    client = b.open()
    client.replace([request(source, 0, c, tier=Tier.COVERAGE) for c in range(60)])
    b.run(client, seconds=0.2)
    client.pace = Pace.RUSHING
    client.replace([request(source, 0, c, tier=Tier.COVERAGE) for c in range(60, 100)])
    assert len(b.executor.reads) >= 4
