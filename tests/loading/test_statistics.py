"""What the loader counts, of all loading and of each source."""

import json

import pytest

from loading.loader_bench import request
from napari_octree.loading.scheduling.source_record import (
    MOST_RECORDS,
    Processors,
    SourceRecords,
)
from napari_octree.loading.testing import SimulatedSource
from napari_octree.loading.work import ReadOutcome
from napari_octree.octree.chunk_key import Tier
from napari_octree.sources.identity import SourceGroup


def finish(b, seconds, **measured):
    """End the oldest read well, as after `seconds`."""
    read = b.executor.reads.pop(0)
    pixels = read.storage.pixels_at(read.region)
    read.done(ReadOutcome(pixels, None, seconds, **measured))


def test_what_is_counted_of_a_source(bench):
    source = SimulatedSource(
        (8, 80), (8, 8), error=lambda region: PermissionError() if region[1][0] == 32 else None
    )
    b = bench()
    client = b.open()
    client.replace([request(source, 0, c, apron=0) for c in range(10)])
    of_source = b.loader.statistics.sources["simulated"]
    assert (of_source.reads, of_source.nbytes, of_source.running) == (0, 0, 8)
    assert of_source.latency_ms is of_source.decode_ms is of_source.mb_per_s is None
    finish(b, 0.05, decode_s=0.01)
    finish(b, 0.09)  # a reader that cannot tell decoding from fetching
    finish(b, 0.07, decode_s=0.03)
    of_source = b.loader.statistics.sources["simulated"]
    assert (of_source.reads, of_source.retries, of_source.failures) == (3, 0, 0)
    assert of_source.nbytes == 3 * 128
    assert of_source.latency_ms == pytest.approx(0.75 * (0.75 * 50 + 0.25 * 90) + 0.25 * 70)
    assert of_source.decode_ms == pytest.approx(20)
    assert of_source.mb_per_s == pytest.approx(3 * 128e-6 / 0.21)
    assert of_source.running == len(b.executor.reads)
    assert of_source.concurrency >= of_source.running
    b.executor.finish_all()
    of_source = b.loader.statistics.sources["simulated"]
    assert (of_source.reads, of_source.retries, of_source.failures) == (9, 0, 1)
    assert of_source.running == 0


def test_a_read_that_is_tried_again_is_counted_as_such(bench, source):
    b = bench()
    client = b.open()
    client.replace([request(source, 0, 0, apron=0)])
    b.executor.reads.pop(0).done(ReadOutcome(None, TimeoutError(), 0.05))
    of_source = b.loader.statistics.sources["simulated"]
    assert (of_source.reads, of_source.retries, of_source.failures) == (0, 1, 0)
    assert of_source.latency_ms is None


def test_levels_of_one_image_are_one_source(bench):
    b = bench()
    client = b.open()
    image = SourceGroup("a", "https://here/a.zarr")
    levels = [SimulatedSource((8, 8), (8, 8), key=i, group=image) for i in range(2)]
    others = [SimulatedSource((8, 8), (8, 8), key=k) for k in ("https://here/b.zarr", "alone")]
    client.replace([request(source, 0, 0) for source in (*levels, *others)])
    b.executor.finish_all()
    sources = b.loader.statistics.sources
    assert {name: sources[name].reads for name in sources} == {
        "https://here/a.zarr": 2,
        "https://here/b.zarr": 1,
        "alone": 1,
    }


def test_sources_of_one_name_are_told_apart(bench):
    b = bench()
    client = b.open()
    array = SimulatedSource((8, 80), (8, 8), key=1, group=SourceGroup(1, "MyArray"))
    namesake = SimulatedSource(
        (8, 80),
        (8, 8),
        key=2,
        group=SourceGroup(2, "MyArray"),
        error=lambda region: PermissionError(),
    )
    client.replace([request(source, 0, c) for source in (array, namesake) for c in range(2)])
    b.executor.finish_all()
    sources = b.loader.statistics.sources
    assert (sources["MyArray"].reads, sources["MyArray"].failures) == (2, 0)
    assert (sources["MyArray (2)"].reads, sources["MyArray (2)"].failures) == (0, 2)
    assert [failure.source_name for failure in b.loader.failures] == ["MyArray (2)"]


def test_not_every_source_there_ever_was_is_remembered():
    records = SourceRecords(Processors(1))
    busy = records.of(SourceGroup("busy", "busy"), 1)
    busy.concurrency.started(0.0)
    for number in range(2 * MOST_RECORDS):
        records.of(SourceGroup(number, str(number)), 1)
    assert len(records.items()) <= MOST_RECORDS + 1
    assert records.of(SourceGroup("busy", "busy"), 1) is busy


def test_what_is_counted_of_all_loading(bench):
    source = SimulatedSource(
        (8, 80), (8, 8), error=lambda region: PermissionError() if region[1][0] == 8 else None
    )
    b = bench(ram_bytes=30_000)
    b.executor.assemble_at_once = False
    client, other = b.open(), b.open()
    client.replace([request(source, 0, c) for c in range(10)])  # eight are read at once
    client.replace([request(source, 0, c) for c in range(8)])
    for _ in range(3):
        b.executor.finish()
    counts = b.loader.statistics
    assert (counts.clients, counts.limit_bytes) == (2, 30_000)
    assert (counts.pending, counts.failed, counts.cancelled) == (7, 1, 2)
    assert (counts.reading, counts.assembling, counts.staged) == (5, 2, 1)  # the failed one
    assert counts.cached_bytes == b.loader.cache.cached_bytes > 2 * 128
    assert counts.staged_bytes == 0
    assert counts.in_flight_bytes == b.loader.cache.reserved_bytes > 5 * 128
    while b.executor.works:
        b.executor.works.pop(0)()
    counts = b.loader.statistics
    assert (counts.pending, counts.assembling, counts.staged) == (5, 0, 3)
    assert counts.staged_bytes == 2 * 200  # with their aprons
    assert counts.in_flight_bytes == b.loader.cache.reserved_bytes - 2 * 200
    other.close()
    assert b.loader.statistics.clients == 1


def test_hits_misses_and_evictions_are_counted(bench):
    source = SimulatedSource((8, 800), (8, 8))
    b = bench(ram_bytes=5_000)
    client = b.open()
    for _ in range(2):
        client.replace([request(source, 0, 0, apron=0, tier=Tier.COVERAGE)])
        b.run(client)
        client.replace([])
    counts = b.loader.statistics
    assert (counts.hits, counts.misses, counts.evictions) == (1, 1, 0)
    for c in range(1, 30):
        client.replace([request(source, 0, c, apron=0)])
        b.run(client)
    counts = b.loader.statistics
    assert (counts.hits, counts.misses) == (1, 30)
    assert counts.evictions == 30 - len(b.loader.cache)


def test_they_are_json_ready(bench, source):
    b = bench()
    client = b.open()
    client.replace([request(source, 0, c, apron=0) for c in range(3)])
    b.executor.finish_all()
    counts = json.loads(json.dumps(b.loader.statistics.as_dict()))
    assert counts["staged"] == 3
    assert counts["staged_bytes"] == 3 * 128
    assert counts["sources"]["simulated"]["reads"] == 3
    assert counts["sources"]["simulated"]["latency_ms"] == 50


def test_what_is_counted_of_pools(bench):
    source = SimulatedSource((8, 80), (8, 8))
    b = bench()
    client = b.open()
    pools = b.loader.statistics.pools
    assert {pool.reads for pool in pools.values()} == {0}
    assert {pool.latency_p50_ms for pool in pools.values()} == {None}
    client.replace([request(source, 0, c, apron=0) for c in range(4)])
    for seconds in (0.04, 0.01, 0.02, 0.03):
        finish(b, seconds)
    (served,) = [pool for pool in b.loader.statistics.pools.values() if pool.reads]
    assert (served.reads, served.running) == (4, 0)
    assert served.latency_p50_ms == pytest.approx(30)
    assert served.latency_p95_ms == pytest.approx(40)


def test_totals_are_the_counts_without_the_sources(bench, source):
    b = bench()
    client = b.open()
    client.replace([request(source, 0, c, apron=0) for c in range(3)])
    b.executor.finish_all()
    totals, counts = b.loader.totals.as_dict(), b.loader.statistics.as_dict()
    assert counts.pop("sources")
    assert totals.pop("sources") == {}
    assert totals == counts
    assert (totals["reads"], totals["nbytes"]) == (3, 3 * 128)
