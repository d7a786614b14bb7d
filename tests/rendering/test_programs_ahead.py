"""GL's programs are made while nothing moves: of what comes into view later, none is left to make.

A program takes some 6 ms, in the frame that first draws with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from vispy.gloo.glir import GlirProgram

from napari_octree import OctreeConfig, OctreeImage, OctreeLabels
from napari_octree.rendering.canvas.programs_ahead import ProgramsAhead
from napari_octree.rendering.tiles.atlas.texture_atlas_2d import TextureAtlas2D


class Later:
    """The turns of an event loop, one after the other."""

    def __init__(self) -> None:
        self.due: list[Callable[[], None]] = []

    def __call__(self, ms: int, callback: Callable[[], None]) -> None:
        self.due.append(callback)

    def turn(self) -> None:
        due, self.due = self.due, []
        for callback in due:
            callback()


class Pretended:
    """A view that has something to make, or not."""

    def __init__(self, made: list[Any], takes_time: bool = True) -> None:
        self._made, self._takes_time = made, takes_time

    def compile_ahead(self) -> bool:
        self._made.append(self)
        return self._takes_time


def test_one_program_a_turn() -> None:
    later, made = Later(), []
    ahead = ProgramsAhead(later)
    views = [Pretended(made), Pretended(made, False), Pretended(made), Pretended(made)]
    for view in views:
        ahead.enter(view)
    assert len(later.due) == 1
    assert not made
    later.turn()
    assert made == views[:1]
    later.turn()
    assert made == views[:3], "what takes no time needs no turn of its own"
    later.turn()
    assert made == views
    assert not later.due
    ahead.enter(views[0])
    assert len(later.due) == 1


def test_it_keeps_no_view() -> None:
    later, made = Later(), []
    ahead = ProgramsAhead(later)
    view = Pretended(made)
    ahead.enter(view)
    del view
    later.turn()
    assert not made
    assert not later.due


@pytest.fixture
def linked(monkeypatch) -> list[int]:
    """The ids of all programs that GL has linked."""
    ids: list[int] = []
    link = GlirProgram.link_program

    def note(program: Any) -> None:
        ids.append(program.id)
        link(program)

    monkeypatch.setattr(GlirProgram, "link_program", note)
    return ids


def test_nothing_is_compiled_for_layers_that_come_into_view(
    viewer, look_at, pump_until, linked
) -> None:
    pixels = np.full((64, 64), 200, np.uint8)
    levels = [np.full((256, 256), 7, np.uint16), np.full((128, 128), 7, np.uint16)]
    config = OctreeConfig(octree={"tile_size": 32})
    look_at(viewer, (32, 32), 4.0)
    layers = [
        OctreeImage([pixels]),
        OctreeImage([pixels], translate=(0, 1000), colormap="viridis", interpolation2d="cubic"),
        OctreeImage(levels, config, translate=(300, 1000)),
        OctreeImage([np.dstack([pixels] * 3)], translate=(600, 1000), rgb=True),
        OctreeLabels(levels, config, translate=(900, 1000)),
    ]
    for layer in layers:
        viewer.add_layer(layer)
    look_at(viewer, (32, 32), 4.0)
    programs = [layer._views[0].node._program.id for layer in layers]
    pump_until(lambda: set(programs) <= set(linked))
    assert [layer._views[0].node.n_quads > 0 for layer in layers] == [True, *[False] * 4]
    pump_until(lambda: all(layer.settled and not layer._views[0].moving for layer in layers))
    linked.clear()
    look_at(viewer, (550, 1100), 0.25)
    pump_until(lambda: all(layer.settled for layer in layers))
    assert all(layer._views[0].node.n_quads > 0 for layer in layers[1:])
    assert not set(programs) & set(linked)


def test_another_atlas_needs_no_other_program(viewer) -> None:
    layer = viewer.add_layer(OctreeImage([np.full((64, 64), 200, np.uint16)]))
    assert layer.wait_until_settled(30)
    node = layer._views[0].node
    assert not node._program._need_build
    node.clim = (0, 100)
    node.atlas = TextureAtlas2D(node.atlas.encoding, (64, 64), 0, (2, 2))
    node._make_shaders(node)
    assert not node._program._need_build
    limits = node.shared_program.frag["color_transform"][1]["clim"].value
    np.testing.assert_allclose(limits, np.array([0, 100]) / 65535)
