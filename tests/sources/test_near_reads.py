"""How many threads read small files of a near store at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import count

import numpy as np
import pytest

from napari_octree.sources.mosaic import mosaic_array
from napari_octree.sources.mosaic.field import GivenFields
from napari_octree.sources.mosaic.given_mosaic import given_mosaic
from napari_octree.sources.mosaic.near_reads import MOST, NearReads


def clock(step: float) -> Iterator[float]:
    return map(float, count(0, step))


def test_one_thread_reads_at_a_time() -> None:
    near, order = NearReads(), []

    def read() -> None:
        with near.turn():
            order.append("other")

    other = threading.Thread(target=read)
    with near.turn():
        other.start()
        while other.is_alive() and not near._changed._waiters:  # until it waits for its turn
            pass
        order.append("first")
    other.join(30)
    assert order == ["first", "other"]


def test_an_error_ends_a_turn() -> None:
    near = NearReads()
    for _ in range(2):
        with pytest.raises(OSError, match="gone"), near.turn():
            raise OSError("gone")


@pytest.mark.parametrize(("took", "others", "at_once"), [(100, 0, MOST), (2, 0, 1), (100, 98, 1)])
def test_more_read_where_the_store_is_waited_for(took: int, others: int, at_once: int) -> None:
    """Not where it is other threads, which have the interpreter, that reads wait for."""
    near = NearReads(clock(took).__next__, clock(1).__next__, clock(1 + others).__next__)
    for _ in range(4):
        with near.turn():
            pass
    assert near.at_once == at_once


def test_one_read_that_takes_long_says_nothing() -> None:
    near = NearReads(iter([0.0, 1000.0]).__next__, clock(1).__next__, clock(1).__next__)
    with near.turn():
        pass
    assert near.at_once == 1


def test_only_small_chunks_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large ones are decoded without the interpreter: side by side is faster."""
    turns: list[int] = []
    turn = GivenFields.turn
    monkeypatch.setattr(GivenFields, "turn", lambda self: (turns.append(1), turn(self))[1])
    for side, expected in ((16, 1), (512, 0)):
        turns.clear()
        (level, *_), _ = given_mosaic([([np.ones((side, side), "u1")], (0, 0))])
        assert side**2 <= mosaic_array.SMALL_BYTES or not expected
        level.read(((0, side), (0, side)))
        assert len(turns) == expected
