"""The latency log: what each line says, and what ends it."""

import io
import json
import logging
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from loading.loader_bench import request
from napari_octree.loading.executors.latency_log import LatencyLog
from napari_octree.loading.testing import SimulatedSource
from napari_octree.loading.work import ReadOutcome

PIXELS = np.zeros((8, 8), np.uint16)
REGION = ((0, 8), (8, 16))
READ = {"event": "read", "source": "https://here/0", "region": [[0, 8], [8, 16]], "queue_ms": 1.5}


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(
    ("outcome", "rest"),
    [
        (
            ReadOutcome(PIXELS, None, 0.05, decode_s=0.0125),
            {"read_ms": 50, "decode_ms": 12.5, "bytes": 128, "result": "loaded"},
        ),
        (
            ReadOutcome(PIXELS, None, 0.0012345),
            {"read_ms": 1.234, "decode_ms": None, "bytes": 128, "result": "loaded"},
        ),
        (
            ReadOutcome(None, None, 0.002, decode_s=0.0),
            {"read_ms": 2, "decode_ms": 0, "bytes": 0, "result": "missing"},
        ),
        (
            ReadOutcome(None, PermissionError("no"), 0.003, decode_s=0.001),
            {"read_ms": 3, "decode_ms": 1, "bytes": 0, "result": "PermissionError"},
        ),
    ],
)
def test_what_a_line_says_of_a_read(tmp_path, outcome, rest):
    log = LatencyLog(tmp_path / "loader.jsonl")
    log.read("https://here/0", REGION, 0.0015, outcome)
    (event,) = lines(tmp_path / "loader.jsonl")  # at once, not when the file is closed
    log.close()
    del event["time"]
    assert event == READ | rest


def test_what_a_line_says_of_a_tile(tmp_path):
    log = LatencyLog(tmp_path / "loader.jsonl")
    log.assembled(("image", 3, 4), 0.0125, 131072, "loaded")
    log.close()
    (event,) = lines(tmp_path / "loader.jsonl")
    del event["time"]
    assert event == {
        "event": "tile",
        "key": "('image', 3, 4)",
        "assemble_ms": 12.5,
        "bytes": 131072,
        "result": "loaded",
    }


def test_lines_have_the_time_of_day_and_are_added_to_those_there_are(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(time, "time", lambda: 1_445_412_480.12345)
    for _ in range(2):  # two sessions
        log = LatencyLog(Path("~/loader.jsonl"))
        log.assembled(0, 0.001, 0, "loaded")
        log.close()
        log.assembled(0, 0.001, 0, "loaded")  # too late
    assert [event["time"] for event in lines(tmp_path / "loader.jsonl")] == [1_445_412_480.123] * 2


def test_numbers_of_numpy_are_written_too(tmp_path):
    log = LatencyLog(tmp_path / "loader.jsonl")
    log.read("here", ((np.int64(0), np.int64(8)),), 0.0, ReadOutcome(None))
    log.close()
    assert len(lines(tmp_path / "loader.jsonl")) == 1


def test_the_loader_writes_a_line_per_read_and_tile(bench, tmp_path):
    path = tmp_path / "loader.jsonl"
    source = SimulatedSource(
        (8, 32),
        (8, 8),
        missing=lambda region: region[1][0] == 8,
        error=lambda region: PermissionError("no") if region[1][0] == 16 else None,
    )
    b = bench(loader_defaults={"log_path": path}, octree={"loaders": {0: {"delay_queue_ms": 125}}})
    client = b.open()

    def slow(block):
        """Take 5 ms of the clock."""
        until = time.perf_counter() + 0.005
        while time.perf_counter() < until:
            pass
        return block

    def bad(block):
        raise ZeroDivisionError

    wishes = [request(source, 0, c, apron=0) for c in range(4)]
    wishes[0] = replace(wishes[0], finish=slow)
    wishes[3] = replace(wishes[3], finish=bad)
    client.replace(wishes)
    b.clock.advance(0.125)
    started = time.perf_counter()
    b.run(client)
    took_ms = 1000 * (time.perf_counter() - started)
    b.loader.close()
    events = lines(path)
    assert [
        (e["region"], e["queue_ms"], e["read_ms"], e["bytes"], e["result"])
        for e in events
        if e["event"] == "read"
    ] == [
        ([[0, 8], [0, 8]], 125, 50, 128, "loaded"),
        ([[0, 8], [8, 16]], 125, 50, 0, "missing"),
        ([[0, 8], [16, 24]], 125, 50, 0, "PermissionError"),
        ([[0, 8], [24, 32]], 125, 50, 128, "loaded"),
    ]
    assert {e["source"] for e in events if e["event"] == "read"} == {"simulated"}
    tiles = [e for e in events if e["event"] == "tile"]
    assert [(e["key"], e["bytes"], e["result"]) for e in tiles] == [
        ("('simulated', 0, 0)", 128, "loaded"),
        ("('simulated', 0, 1)", 128, "missing"),
        ("('simulated', 0, 3)", 0, "ZeroDivisionError"),
    ]
    assert 5 <= tiles[0]["assemble_ms"] <= took_ms


def load_a_row(b, source):
    client = b.open()
    client.replace([request(source, 0, c, apron=0) for c in range(3)])
    return b.run(client)


def test_a_full_disk_ends_the_log_and_nothing_else(bench, source, tmp_path, caplog):
    class Full(io.RawIOBase):
        def writable(self):
            return True

        def write(self, data):
            raise OSError("the disk is full")

    b = bench(loader_defaults={"log_path": tmp_path / "loader.jsonl"})
    log = b.loader._workers._log
    log._file.close()
    log._file = io.TextIOWrapper(io.BufferedWriter(Full()), line_buffering=True)
    with caplog.at_level(logging.WARNING, "napari_octree.loader"):
        assert len(load_a_row(b, source)) == 3
    assert caplog.messages == ["the latency log ends: the disk is full"]
    assert log._file.closed


def test_a_file_that_cannot_be_opened_is_told_and_done_without(bench, source, tmp_path, caplog):
    path = tmp_path / "no such folder" / "loader.jsonl"
    with caplog.at_level(logging.WARNING, "napari_octree.loader"):
        b = bench(loader_defaults={"log_path": path})
    assert str(path) in caplog.text
    assert len(load_a_row(b, source)) == 3
    b.loader.close()


def test_the_file_is_closed_with_the_loader(bench, tmp_path):
    b = bench(loader_defaults={"log_path": tmp_path / "loader.jsonl"})
    file = b.loader._workers._log._file
    assert not file.closed
    b.loader.close()
    assert file.closed
