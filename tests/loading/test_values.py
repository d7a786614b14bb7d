import io
import json

import numpy as np

from loading.loader_bench import request
from napari_octree.loading import value_at
from napari_octree.loading.jobs import ReadOutcome
from napari_octree.loading.testing import SimulatedSource
from napari_octree.sources.protocol import LevelSource


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
        ((source.key), ((2, 3), (0, 8), (0, 8))), source.pixels_at(((2, 3), (0, 8), (0, 8))), 0.1
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


def test_the_latency_log_has_a_line_per_read_and_tile(bench, source, tmp_path):
    path = tmp_path / "loader.jsonl"
    b = bench(loader_defaults={"log_path": path})
    client = b.open()
    client.replace([request(source, 0, c, apron=0) for c in range(3)])
    read = b.executor.reads.pop(0)
    read.done(ReadOutcome(source.pixels_at(read.region), None, 0.05, decode_s=0.01))
    b.run(client, seconds=0.05)
    assert b.loader.statistics.sources["simulated"].decode_ms == 10
    b.loader.close()
    events = [json.loads(line) for line in path.read_text().splitlines()]
    reads = [e for e in events if e["event"] == "read"]
    assert len(reads) == 3
    assert [e["decode_ms"] for e in reads] == [10, None, None]  # not every reader can tell
    assert all(e["queue_ms"] == 0 and e["region"] and e["source"] for e in reads)
    assert all(e["read_ms"] == 50 and e["bytes"] == 128 and e["result"] == "loaded" for e in reads)
    assert sum(e["event"] == "tile" for e in events) == 3


def test_the_latency_log_tells_waiting_and_results(bench, tmp_path):
    path = tmp_path / "loader.jsonl"
    source = SimulatedSource(
        (8, 24),
        (8, 8),
        missing=lambda region: region[1][0] == 8,
        error=lambda region: PermissionError("no") if region[1][0] == 16 else None,
    )
    b = bench(loader_defaults={"log_path": path}, octree={"loaders": {0: {"delay_queue_ms": 125}}})
    client = b.open()
    client.replace([request(source, 0, c, apron=0) for c in range(3)])
    b.clock.advance(0.125)
    b.run(client)
    b.loader.close()
    events = [json.loads(line) for line in path.read_text().splitlines()]
    reads = [
        (e["region"], e["queue_ms"], e["bytes"], e["result"])
        for e in events
        if e["event"] == "read"
    ]
    assert reads == [
        ([[0, 8], [0, 8]], 125, 128, "loaded"),
        ([[0, 8], [8, 16]], 125, 0, "missing"),
        ([[0, 8], [16, 24]], 125, 0, "PermissionError"),
    ]


def test_a_full_disk_ends_the_latency_log_and_nothing_else(bench, source, tmp_path):
    class Full(io.RawIOBase):
        def writable(self):
            return True

        def write(self, data):
            raise OSError("the disk is full")

    b = bench(loader_defaults={"log_path": tmp_path / "loader.jsonl"})
    b.loader._crew._log._file.close()
    b.loader._crew._log._file = io.TextIOWrapper(io.BufferedWriter(Full()), line_buffering=True)
    client = b.open()
    client.replace([request(source, 0, c, apron=0) for c in range(3)])
    assert len(b.run(client)) == 3


def test_statistics_are_json_ready(bench, source):
    b = bench()
    client = b.open()
    client.replace([request(source, 0, c, apron=0) for c in range(3)])
    b.executor.finish_all()
    counts = json.loads(json.dumps(b.loader.statistics.as_dict()))
    assert counts["staged"] == 3
    assert counts["staged_bytes"] == 3 * 128
    assert counts["sources"]["simulated"]["reads"] == 3
    assert counts["sources"]["simulated"]["latency_ms"] == 50
