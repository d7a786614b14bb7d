"""Channels of one image show a tile together, whoever is drawn first, and never wait for ever."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_octree import OctreeConfig, OctreeImage
from napari_octree.layers.slices.slice_key import SliceKey
from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.rendering.tiles import channel_group
from napari_octree.rendering.tiles.channel_group import PATIENCE_S, ChannelGroup, ChannelMember

PLACE = SliceKey(0, (0, 1), (None, None))
TILES = [ChunkKey(0, (0, n)) for n in range(3)]


class Channel:
    """A layer that gets tiles when it is told."""

    def __init__(self, group: ChannelGroup, clock: Any) -> None:
        self.resident: set[ChunkKey] = set()
        self.failed: set[ChunkKey] = set()
        self.arriving: set[ChunkKey] = set()
        self.member = ChannelMember(group, self, clock)

    def has(self, place: SliceKey, chunk: ChunkKey) -> bool:
        return chunk in self.resident or chunk in self.failed

    def draw(self) -> set[ChunkKey]:
        self.member.begin()
        self.member.fresh |= self.arriving - self.resident
        self.resident |= self.arriving
        self.arriving = set()
        return self.resident - self.member.hold_back(PLACE, self.resident)


@pytest.fixture
def channels() -> Any:
    return make_channels()


def make_channels(count: int = 3) -> Any:
    now = [0.0]
    group = ChannelGroup()
    made = [Channel(group, lambda: now[0]) for _ in range(count)]
    for channel in made * 2:
        channel.draw()
    return made, now


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(TILES)), max_size=20))
def test_a_tile_is_shown_by_all_in_the_same_round(arrivals: Any) -> None:
    channels, _ = make_channels()
    for number, tile in arrivals:
        channels[number].arriving.add(tile)
        shown = [channel.draw() for channel in channels]
        assert shown[0] == shown[1] == shown[2]
    again = [channel.draw() for channel in channels]
    common = set.intersection(*(channel.resident for channel in channels))
    assert again == [common] * 3


def test_a_tile_that_failed_in_several_channels_is_marked_by_the_first_of_each_round(
    channels,
) -> None:
    (first, second, _), _ = channels
    for _ in range(2):  # rounds, whoever is drawn first
        for order in ((first, second), (second, first)):
            marked = []
            for channel in order:
                channel.draw()
                failed = TILES[:2] if channel is first else TILES[1:]
                marked.append(set(failed) - channel.member.marked_before(failed))
            assert marked[0] | marked[1] == set(TILES)
            assert not marked[0] & marked[1]


def test_another_round_is_asked_for_when_all_have_it(channels) -> None:
    (first, second, third), _ = channels
    for channel in (first, third):
        channel.arriving.add(TILES[0])
    for channel in (first, second, third):
        channel.draw()
    assert not any(c.member.more for c in (first, second, third))
    second.arriving.add(TILES[0])
    for channel in (first, second, third):
        channel.draw()
    assert any(c.member.more for c in (first, second, third))
    assert [c.draw() for c in (first, second, third)] == [{TILES[0]}] * 3
    assert not any(c.member.more for c in (first, second, third))


def test_nobody_waits_for_the_failed_the_hidden_or_for_ever(channels) -> None:
    (first, second, third), now = channels
    first.arriving.add(TILES[0])
    second.failed.add(TILES[0])
    for _ in range(3):  # the third is hidden from now on
        shown = [channel.draw() for channel in (first, second)]
    assert shown == [{TILES[0]}, set()]
    first.arriving.add(TILES[1])
    assert first.draw() == {TILES[0]}
    assert first.member.wait_ms == pytest.approx(PATIENCE_S * 1e3)
    second.draw()
    now[0] += PATIENCE_S
    assert first.draw() == set(TILES[:2])
    assert first.member.wait_ms is None
    assert third.member.wait_ms is None


def test_one_channel_alone_waits_for_nothing() -> None:
    (only,), _ = make_channels(1)
    only.arriving.add(TILES[0])
    assert only.draw() == {TILES[0]}


@pytest.mark.parametrize("together", [True, False])
def test_colours_that_are_added_come_together(
    request,
    viewer,
    look_at,
    screenshot,
    pump_until,
    recording_array,
    read_log,
    monkeypatch,
    together,
) -> None:
    monkeypatch.setattr(channel_group, "PATIENCE_S", 1e5)
    gates = {f"fine {colour}": threading.Event() for colour in ("red", "green")}
    for gate in gates.values():
        request.addfinalizer(gate.set)

    def hold(read: Any) -> None:
        if read.array in gates:
            gates[read.array].wait()

    read_log.failure = hold
    # More workers than there are chunks: reads that wait for long do not count as running, and
    # could take all of them.
    config = OctreeConfig(octree={"tile_size": 64, "loaders": {0: {"num_workers": 40}}})

    def channel(colour: str) -> OctreeImage:
        levels = [
            recording_array(np.full((256, 256), 200, np.uint8), (64, 64), f"fine {colour}"),
            recording_array(np.full((64, 64), 50, np.uint8), (64, 64), f"coarse {colour}"),
        ]
        layer = OctreeImage(levels, config, colormap=colour, blending="additive")
        layer.display.channel_group = "image" if together else None
        return viewer.add_layer(layer)

    def colours() -> set[tuple[int, int]]:
        pixels = screenshot(viewer)[100:200, 150:250, :2].reshape(-1, 2)
        return {(int(red), int(green)) for red, green in pixels}

    red, green = channel("red"), channel("green")
    look_at(viewer, (127.3, 127.3), 1.0)
    pump_until(lambda: colours() == {(50, 50)})  # a channel is alone until the others are drawn
    gates["fine red"].set()
    pump_until(lambda: red.progress.resident == red.progress.ideal > 0)
    pump_until(lambda: colours() == ({(50, 50)} if together else {(200, 50)}))
    assert not green.settled
    assert red.settled is not together
    seen = set()
    gates["fine green"].set()
    while not (red.settled and green.settled):
        seen |= colours()
    if together:
        assert seen <= {(50, 50), (200, 200)}
    assert colours() == {(200, 200)}


def test_a_channel_that_does_not_come_is_not_waited_for(
    viewer, look_at, screenshot, pump_until, recording_array, read_log
) -> None:
    read_log.failure = lambda read: OSError("gone") if read.array == "fine green" else None
    layers = []
    for colour in ("red", "green"):
        levels = [
            recording_array(np.full((256, 256), 200, np.uint8), (64, 64), f"fine {colour}"),
            recording_array(np.full((64, 64), 50, np.uint8), (64, 64), f"coarse {colour}"),
        ]
        config = OctreeConfig(octree={"tile_size": 64})
        layers.append(OctreeImage(levels, config, colormap=colour, blending="additive"))
        layers[-1].display.channel_group = "image"
        viewer.add_layer(layers[-1])
    look_at(viewer, (127.3, 127.3), 1.0)
    assert layers[0].wait_until_settled(30)
    assert not layers[1].settled
    layers[1].visible = False
    assert (screenshot(viewer)[140:160, 190:210, 0] == 200).all()
