"""A volume in larger pixels and longer steps: alike, and right with what is around it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from vispy.color import Colormap
from vispy.scene.visuals import Plane
from vispy.visuals.transforms import STTransform as Shift

from brick_scene import BrickScene, pyramid, smooth_volume
from napari_octree.rendering.volume.brick_volume import BrickVolume
from napari_octree.rendering.volume.volume_shaders import MODES

SIZE = 64
CLEAR = Colormap([(0, 0, 0, 0), (1, 0.5, 0, 0.1)])
OUTLINES = 0.03
"""Share of pixels that may differ: those of a picture's outlines and creases."""


@pytest.fixture(scope="module")
def pair(qapp: Any) -> Iterator[tuple[BrickScene, BrickVolume]]:
    """A volume, and a green plane through its middle."""
    scene = BrickScene(fov=45.0)
    node = scene.add_bricks(pyramid(smooth_volume(SIZE)), (0.1, 0.9), cmap="hot")
    plane = Plane(SIZE, SIZE, direction="+z", color=(0, 1, 0, 1), parent=scene.view.scene)
    plane.transform = Shift(translate=(SIZE / 2,) * 3)
    plane.order = -1
    scene.look((SIZE / 2,) * 3, 1.3 * SIZE)
    yield scene, node
    scene.close()


def share_of_others(scene: BrickScene, node: BrickVolume, **settings: Any) -> float:
    """How many pixels differ clearly from the picture in full quality."""
    for name, value in settings.items():
        setattr(node, name, value)
    node.pictures.step_factor = node.pictures.pixel_size = 1.0
    full = scene.picture(node)
    assert (full == (0, 255, 0)).all(axis=-1).any(), "the plane is to be seen"
    node.pictures.step_factor = node.pictures.pixel_size = 2.0
    reduced = scene.picture(node)
    assert (full != reduced).any()
    return float((np.abs(full - reduced).max(axis=-1) > 30).mean())


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "minip"])
def test_alike_in_every_mode(pair: Any, mode: str) -> None:
    scene, node = pair
    node.set_gl_state("translucent", depth_test=False)
    node.cmap = "hot" if mode == "iso" else CLEAR
    assert share_of_others(scene, node, method=mode, threshold=0.5) < OUTLINES


def test_what_lies_before_and_behind_is_as_before(pair: Any) -> None:
    scene, node = pair
    node.cmap = "hot"
    node.set_gl_state("translucent", depth_test=True)
    assert share_of_others(scene, node, method="iso", threshold=0.5) < OUTLINES
    plane = {"plane_position": (SIZE / 2,) * 3, "plane_normal": (1, 0.5, 0.2)}
    share = share_of_others(
        scene, node, method="mip", raycasting_mode="plane", plane_thickness=2.0, **plane
    )
    node.raycasting_mode = "volume"
    assert share < OUTLINES


def test_blended_as_before(pair: Any) -> None:
    scene, node = pair
    node.set_gl_state(depth_test=False, blend=True, blend_func=("src_alpha", "one"))
    assert share_of_others(scene, node, method="mip") < OUTLINES


def test_the_canvas_is_as_it_was_afterwards(pair: Any) -> None:
    scene, node = pair
    node.set_gl_state("translucent", depth_test=True)
    node.pictures.pixel_size = node.pictures.step_factor = 1.0
    before = scene.picture(node)
    node.pictures.pixel_size = 3.3
    scene.picture(node)
    assert node.pictures.reduced.nbytes == 8 * 36 * 36
    node.pictures.pixel_size = 1.0
    node.pictures.reduced.release(scene.canvas)
    assert node.pictures.reduced.nbytes == 0
    assert (scene.picture(node) == before).all()
