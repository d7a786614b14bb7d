"""The budget of the GPU's memory: never exceeded, and shared so that all show what they need."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vispy.gloo.glir import GlirQueue

from napari_octree import OctreeConfig, OctreeImage
from napari_octree.rendering.gpu.texture_encoding import texture_encoding
from napari_octree.rendering.gpu.vram import VRAM, VramLedger
from napari_octree.rendering.tiles.atlas_lease import NEEDED, AtlasLease, AtlasNeeds

MIB = 2**20
LIMIT = 64 * MIB
FLOATS = texture_encoding(np.dtype(np.float32))
TILE = OctreeConfig(octree={"tile_size": 64}, memory={"vram_bytes": LIMIT})
SLOT_BYTES = (64 + 2 * TILE.render.interpolation_apron) ** 2 * 4


class Layer:
    """A lease, and as much of a canvas as it takes."""

    def __init__(self, ledger: VramLedger, in_view: int) -> None:
        self.in_view, self.woken = in_view, False
        context = SimpleNamespace(glir=GlirQueue())
        nothing = SimpleNamespace(nbytes=0, delete=lambda: None)
        self.node: Any = SimpleNamespace(canvas=SimpleNamespace(context=context), atlas=nothing)
        frame: Any = SimpleNamespace(let_go=lambda: None, shown_atlas=None)
        self.frame, self.ledger = frame, ledger
        self.lease = AtlasLease(frame, TILE, 16384, self.wake, ledger)

    def wake(self) -> None:
        self.woken = True

    def draw(self) -> None:
        """One frame, in which the new atlas gets all there is to show."""
        self.woken = False
        needs = AtlasNeeds(FLOATS, 1.0, (1600.0, 1000.0), 1.0, self.in_view, (64, 64))
        atlas = self.lease.keep(self.node, needs)
        self.slots = atlas.slots.capacity
        self.frame.shown_atlas = atlas
        self.lease.show()

    @property
    def lacks(self) -> bool:
        return self.slots < NEEDED * self.in_view


def draw_all(layers: list[Layer]) -> int:
    """Frames until nobody wants another one."""
    frames = 0
    for layer in layers:
        layer.draw()
    while any(layer.woken for layer in layers):
        for layer in layers:
            if layer.woken:
                layer.draw()
                frames += 1
        assert frames < 20 * len(layers)
    return frames


@pytest.mark.parametrize("grown", [False, True])
def test_the_rich_give_way_to_who_comes_last(grown: bool) -> None:
    ledger, layers = VramLedger(), []
    for _ in range(20):
        layers.append(Layer(ledger, in_view=70))
        draw_all(layers)
        for layer in layers if grown else ():
            layer.lease.grow(10**9)
            layer.draw()
        draw_all(layers)
        assert ledger.held_bytes <= LIMIT
        assert not any(layer.lacks for layer in layers)
    assert 20 * 12**2 * SLOT_BYTES > 0.85 * LIMIT  # there is room for little more
    assert max(layer.slots for layer in layers) < 3 * 12**2


@settings(max_examples=60, deadline=None)
@given(
    events=st.lists(
        st.one_of(
            st.integers(5, 80),  # another layer comes, and shows so many tiles
            st.tuples(st.integers(0, 30), st.integers(0, 150)),  # one shows so many from now on
            st.tuples(st.integers(0, 30)),  # one goes
        ),
        min_size=8,
        max_size=25,
    )
)
def test_all_have_what_they_need_as_long_as_that_is_possible(events: list[Any]) -> None:
    ledger, layers = VramLedger(), []
    for event in events:
        if isinstance(event, int):
            layers.append(Layer(ledger, event))
        elif layers and len(event) == 2:
            layers[event[0] % len(layers)].in_view = event[1]
        elif layers:
            gone = layers.pop(event[0] % len(layers))
            ledger.release(gone.lease)
        draw_all(layers)
        smallest = 4 * SLOT_BYTES * len(layers)
        assert ledger.held_bytes <= LIMIT + smallest
        needs = [int(np.ceil(np.sqrt(NEEDED * layer.in_view))) ** 2 for layer in layers]
        if sum(needs) * SLOT_BYTES + smallest <= LIMIT:
            assert not any(layer.lacks for layer in layers)


def test_what_cannot_give_way_does_not() -> None:
    ledger, volume = VramLedger(), object()
    ledger.take(volume, ledger.available(volume, LIMIT))
    layers = [Layer(ledger, 40) for _ in range(5)]
    draw_all(layers)
    assert ledger.room(volume, LIMIT) >= LIMIT // 2
    assert ledger.held_bytes <= LIMIT
    assert not any(layer.lacks for layer in layers)


def test_many_layers_of_floats_settle(make_viewer, pump_until) -> None:
    """Atlases of the size that their canvas may need would take more than there is."""
    limit = 24 * MIB
    config = OctreeConfig(octree={"tile_size": 32}, memory={"vram_bytes": limit})
    viewer = make_viewer((300, 300))
    data = np.random.default_rng(0).random((1024, 1024), np.float32)
    held, layers = VRAM.held_bytes, []
    for _ in range(10):
        levels = [data, data[::2, ::2].copy(), data[::4, ::4].copy()]
        layers.append(viewer.add_layer(OctreeImage(levels, config=config)))
        if len(layers) == 1:
            viewer.scene.camera.zoom = 1.03
        assert layers[-1].wait_until_settled(60)
    pump_until(lambda: all(layer.settled and layer.data_level == 0 for layer in layers))
    assert VRAM.held_bytes - held <= limit


def test_another_viewer_gives_way_though_nobody_touches_it(
    make_viewer, let_rest, pump_until
) -> None:
    limit = 5 * MIB // 2
    config = OctreeConfig(octree={"tile_size": 32}, memory={"vram_bytes": limit})
    data = np.random.default_rng(0).random((1024, 1024), np.float32)
    held, layers = VRAM.held_bytes, []
    for zoom in (4.03, 1.03):  # few tiles in view, which leave much of the atlas unused; many
        viewer = make_viewer((300, 300))
        levels = [data, data[::2, ::2].copy(), data[::4, ::4].copy()]
        layers.append(viewer.add_layer(OctreeImage(levels, config=config)))
        viewer.scene.camera.zoom = zoom
        let_rest(layers[-1])
        pump_until(lambda: not layers[-1]._views[0].tiles.lease.opening)
        let_rest(layers[-1])
        if len(layers) == 1:
            (rich,) = layers[0].statistics.views
    pump_until(lambda: all(layer.settled and layer.data_level == 0 for layer in layers))
    (less,), (view,) = (layer.statistics.views for layer in layers)
    assert limit - rich.vram_bytes < view.vram_bytes
    assert less.vram_bytes < rich.vram_bytes
    assert VRAM.held_bytes - held <= limit
