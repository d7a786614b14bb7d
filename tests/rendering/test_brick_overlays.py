"""What can be seen of the octree itself in 3-D."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from brick_scene import BRICK, BrickScene, pyramid
from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.rendering.level_colours import LEVEL_COLOURS
from napari_octree.rendering.volume.brick_volume import BrickVolume

SIZE = 32
MISSING = ChunkKey(0, (1, 1, 1))
"""A corner: it is seen in the lower right quarter of the picture, among others."""


@pytest.fixture(scope="module")
def pair(qapp: Any) -> Iterator[tuple[BrickScene, BrickVolume]]:
    """A grey cube of eight bricks of which one is not there, seen along an axis."""
    scene = BrickScene(64)
    volume = np.full((SIZE,) * 3, 0.5, np.float32)
    node = scene.add_bricks(pyramid(volume), (0, 1), MISSING.__ne__, cmap="grays", method="iso")
    node.threshold = 0.4
    scene.look((SIZE / 2 - 0.5,) * 3, 40, turn=(0, 0, 0))
    scene.picture(node)
    yield scene, node
    scene.close()


def quarters(picture: np.ndarray) -> list[np.ndarray]:
    """Pixels well within the quarters of the cube, (16, 16, 3) each."""
    return [picture[y : y + 16, x : x + 16] for y in (14, 34) for x in (14, 34)]


def show(node: BrickVolume, failed: list[ChunkKey]) -> None:
    """Show the seven bricks and the root, with others marked as failed."""
    keys = [key for key in node.atlas.slots if isinstance(key, ChunkKey)]
    slots = np.array([node.atlas.number(node.atlas.slots[key]) for key in keys])
    node.nodes.write(keys, slots, node.atlas.value_ranges(slots), failed)
    node.set_overlays(tint=False, grid=False, failed=bool(failed))


def levels_in(picture: np.ndarray) -> set[int]:
    """The levels whose hue is that of most of a quarter of the picture, well within bricks."""
    found = set()
    for quarter in quarters(picture):
        middle = np.median(quarter[4:12, 4:12].reshape(-1, 3), axis=0)
        hues = LEVEL_COLOURS[:2] - LEVEL_COLOURS[:2].mean(axis=1, keepdims=True)
        found.add(int(np.argmax(hues @ (middle - middle.mean()))))
    return found


def test_tints_tell_what_stands_in(pair: Any) -> None:
    scene, node = pair
    seen = []
    # From behind, where the missing brick is the nearest of its quarter, or the other way round.
    for turn in ((0, 0, 0), (0, np.pi, 0)):
        scene.look((SIZE / 2 - 0.5,) * 3, 40, turn=turn)
        plain = scene.picture(node)
        node.set_overlays(tint=True, grid=False)
        tinted = scene.picture(node)
        node.set_overlays(tint=False, grid=False)
        seen.append(levels_in(tinted))
        lit = plain[20:28, 20:28].max(axis=-1)
        assert np.abs(tinted[20:28, 20:28].max(axis=-1) - lit).max() <= 2, (
            "no brighter than it was"
        )
    scene.look((SIZE / 2 - 0.5,) * 3, 40, turn=(0, 0, 0))
    assert sorted(seen, key=len) == [{0}, {0, 1}]


def test_the_grid_is_where_bricks_meet(pair: Any) -> None:
    scene, node = pair
    plain = scene.picture(node)
    node.set_overlays(tint=False, grid=True)
    changed = np.abs(scene.picture(node) - plain).max(axis=-1) > 20
    node.set_overlays(tint=False, grid=False)
    assert not any(changed[y : y + 16, x : x + 16].any() for y in (14, 34) for x in (14, 34))
    # Bricks meet in the middle; the cube's own faces are not lines.
    assert changed[20, 30:34].any()
    assert changed[30:34, 20].any()
    assert changed.mean() < 0.1


@pytest.mark.parametrize("mode", ["iso", "mip", "average"])
def test_rays_through_failed_bricks_are_hatched(pair: Any, mode: str) -> None:
    scene, node = pair
    node.method = mode
    plain = scene.picture(node)
    scene.look((SIZE / 2 - 0.5,) * 3, 40, turn=(0, np.pi, 0))
    behind = scene.picture(node)
    show(node, [MISSING, ChunkKey(0, (0, 0, 0))])  # an older version of the second is shown
    hatched_behind = (scene.picture(node) - behind)[..., 0] > 20
    scene.look((SIZE / 2 - 0.5,) * 3, 40, turn=(0, 0, 0))
    hatched = (scene.picture(node) - plain)[..., 0] > 20
    show(node, [])
    assert (scene.picture(node) == plain).all()
    node.method = "iso"
    marked = [q.mean() > 0.1 for h in (hatched, hatched_behind) for q in quarters(h)]
    # A surface hides what lies behind it; other rays go all the way.
    assert sum(marked) == (1 if mode == "iso" else 2)


def test_bricks_below_a_failed_one_are_not_taken_for_others(pair: Any) -> None:
    scene, node = pair
    plain = scene.picture(node)
    show(node, [ChunkKey(1, (0, 0, 0))])  # the root itself: shown in an older version
    assert (scene.picture(node) == plain).all()
    assert BRICK * 2 == SIZE
    show(node, [])
