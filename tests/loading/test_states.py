"""Tiles and chunks change their states as the diagrams of docs/architecture.md say, no other way.

While random stories are told (test_state_machine.py) every change is watched as well.
"""

import re
from pathlib import Path

import pytest

from loading.loader_bench import request
from loading.watched_states import transitions
from napari_octree.loading import ChunkId
from napari_octree.loading.scheduling.healing import FIRST_PAUSE_S
from napari_octree.loading.scheduling.model import ChunkState, Stage
from napari_octree.loading.testing import SimulatedSource
from napari_octree.octree.chunk_key import Tier

PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"


def drawn(states):
    """The arrows of the diagram of an enumeration."""
    page = PAGE.read_text(encoding="utf-8")
    for diagram in re.findall(r"```mermaid\n(stateDiagram-v2.*?)```", page, re.DOTALL):
        arrows = re.findall(r"^ *(\w+) --> (\w+)", diagram, re.MULTILINE)
        if {name for arrow in arrows for name in arrow} == set(states.__members__):
            return {(states[a], states[b]) for a, b in arrows}
    raise AssertionError(f"no diagram of {states}")


@pytest.fixture
def tell(bench):
    """Make a bench, a client and a source with given answers."""

    def make(error=None, missing=False, **options):
        b = bench(**options)
        answers = [error]
        source = SimulatedSource(
            (8, 80),
            (8, 8),
            key=object(),
            error=lambda region: answers[0],
            missing=lambda region: missing,
        )
        return b, b.open(), source, answers

    return make


def let_time_pass(b, client, seconds=100.0, until=lambda: False):
    b.run(client)
    end = b.clock.time + seconds
    while not until() and b.clock.next_call is not None and b.clock.next_call <= end:
        b.clock.advance(max(b.clock.next_call - b.clock.time, 0))
        b.run(client)


def tell_all(tell):
    """Stories in which every arrow occurs."""
    for missing in (False, True):
        b, client, source, _ = tell(missing=missing)
        client.replace([request(source, 0, 0), request(source, 0, 1, tier=Tier.PREFETCH)])
        b.run(client)
        client.replace([request(source, 0, 2)])  # whose neighbour comes later
        b.run(client)
        client.replace([request(source, 0, c) for c in (2, 3)])
        b.run(client)
        client.replace([])
        client.replace([request(source, 0, c) for c in (2, 3)])  # which are cached
        b.loader.forget(source.key)
        b.run(client)

    b, client, source, answers = tell(error=TimeoutError())
    client.replace([request(source, 0, 0)])
    let_time_pass(b, client, until=lambda: client.failed)
    answers[0] = None
    let_time_pass(b, client, FIRST_PAUSE_S)

    for taken in (False, True):
        b, client, source, answers = tell(error=PermissionError())
        client.replace([request(source, 0, 0)])
        b.executor.finish_all()
        if taken:
            client.take()
        client.replace([])
        client.replace([request(source, 0, 0)])  # known to fail
        if taken:
            client.take()
        answers[0] = None
        client.retry()
        b.run(client)

    for missing in (False, True):  # computed on the way, while the request waits for its delay
        b, client, source, _ = tell(octree={"loaders": {0: {"delay_queue_ms": 1000}}})
        client.replace([request(source, 0, 0)])
        region = ((0, 8), (0, 8))
        pixels = None if missing else source.pixels_at(region)
        b.loader.blocks.keep(ChunkId(source.key, region), pixels, 0.01, source.group)


def test_the_diagrams_are_complete_and_right(tell):
    with transitions() as seen:
        tell_all(tell)
    assert seen == drawn(Stage) | drawn(ChunkState)
