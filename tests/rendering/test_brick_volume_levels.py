"""Mixed levels, odd factors and huge volumes against a float64 ray caster on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from vispy.color import Colormap

from brick_scene import BRICK, BrickScene, halved, pyramid, smooth_volume
from napari_octree.octree.bricks import select_bricks
from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.octree.octree import Octree
from napari_octree.octree.transform import LevelTransform
from napari_octree.rendering.brick_encoding import APRON, BrickEncoding
from napari_octree.rendering.brick_volume import BrickVolume
from napari_octree.rendering.node_matrices import volume_matrices
from napari_octree.rendering.texture_encoding import texture_encoding
from napari_octree.rendering.view_3d import volume_view
from volume_reference import ATTENUATION, OPACITY, Sampler, march, trilinear

SIZE = 64
CANVAS = 90
MODES = ["mip", "minip", "average", "additive", "translucent", "attenuated_mip"]
CLEAR = Colormap([(0, 0, 0, 0), (1, 1, 1, OPACITY)])


def rays(node: BrickVolume, pixels: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, float]]:
    """Rays of (column, row) pixels: place at the depth of the focus, direction, near plane.

    (z, y, x) in octree coordinates.
    """
    half = np.eye(4)
    half[3, :3] = -0.5
    matrices = volume_matrices(node)
    matrix = half @ matrices.to_render
    inverse = np.linalg.inv(matrix)
    focus = np.r_[matrices.focus + 0.5, 1] @ matrix
    depth = focus[2] / focus[3]
    found = []
    for column, row in pixels:
        x, y = (column + 0.5) / CANVAS * 2 - 1, 1 - (row + 0.5) / CANVAS * 2
        points = np.array([[x, y, -1, 1], [x, y, depth, 1]]) @ inverse
        near, origin = points[:, :3] / points[:, 3:]
        length = float(np.linalg.norm(origin - near))
        found.append((origin[::-1], (origin - near)[::-1] / length, -length))
    return found


def differences(
    scene: BrickScene,
    node: BrickVolume,
    octree: Octree,
    shown: set[ChunkKey],
    sampler: Sampler,
    count: int = 150,
) -> tuple[np.ndarray, int]:
    """|GPU - CPU| of random pixels in 0-255, and how many pixels are holes."""
    picture = scene.picture(node)[..., 0]
    pixels = np.random.default_rng(2).integers(3, CANVAS - 3, (count, 2))
    errors, holes = [], 0
    for (column, row), (origin, direction, near) in zip(pixels, rays(node, pixels), strict=True):
        expected = march(octree, shown, sampler, origin, direction, node.method, near)
        drawn = picture[row, column]
        if expected is None:
            continue
        if expected > 0.02 and drawn == 0:
            holes += 1
        errors.append(abs(drawn - np.clip(expected, 0, 1) * 255))
    assert len(errors) > count / 4, "too few rays meet the volume"
    return np.array(errors), holes


@pytest.fixture(params=[0.0, 45.0], ids=["orthographic", "perspective"])
def make_scene(request: Any, qapp: Any) -> Any:
    scenes: list[BrickScene] = []

    def make() -> BrickScene:
        scenes.append(BrickScene(CANVAS, request.param))
        return scenes[-1]

    yield make
    for scene in scenes:
        scene.close()


def some_bricks(octree: Octree, share: float) -> set[ChunkKey]:
    """The coarsest level and a random part of the rest, whatever parents are missing."""
    rng = np.random.default_rng(4)
    return {
        ChunkKey(level.index, index)
        for level in octree.levels
        for index in np.ndindex(*level.grid_shape)
        if level is octree.coarsest or rng.random() < share
    }


def run(
    make_scene: Callable[[], BrickScene],
    levels: list[np.ndarray],
    transforms: list[LevelTransform] | None,
    mode: str,
) -> tuple[np.ndarray, int]:
    octree = Octree.from_shapes([a.shape for a in levels], BRICK, transforms, max_overview=2**30)
    shown = some_bricks(octree, 0.75)
    scene = make_scene()
    cmap = CLEAR if mode == "translucent" else "grays"
    node = scene.add_bricks(levels, (0, 1), shown.__contains__, transforms, cmap=cmap, method=mode)
    node.attenuation = ATTENUATION
    z, y, x = octree.extent
    scene.look((x / 2 - 0.5, y / 2 - 0.5, z / 2 - 0.5), 1.2 * max(octree.extent))
    scene.picture(node)
    return differences(scene, node, octree, shown, trilinear(levels, octree))


@pytest.mark.parametrize("mode", MODES)
def test_mixed_levels(make_scene: Any, mode: str) -> None:
    # Where all samples are added up, little of everything: nothing is to be told of white.
    strength = 0.03 if mode == "additive" else 1.0
    errors, holes = run(make_scene, pyramid(strength * smooth_volume(SIZE)), None, mode)
    assert holes == 0
    assert errors.max() <= 4
    assert errors.mean() <= 0.5


@pytest.mark.parametrize("step", [(1, 2, 2), (2, 1, 4), (3, 3, 3)], ids=str)
def test_anisotropic_factors(make_scene: Any, step: tuple[int, int, int]) -> None:
    size = 54 if 3 in step else SIZE
    levels = [smooth_volume(size)]
    levels.append(halved(levels[0], step))
    levels.append(halved(levels[1], step))
    errors, holes = run(make_scene, levels, None, "average")
    assert holes == 0
    assert errors.max() <= 4


def test_levels_with_translations(make_scene: Any) -> None:
    fine = smooth_volume(SIZE)
    # Every second voxel, from the second on: the coarse level lies half a voxel off.
    coarse, coarsest = fine[1::2, 1::2, 1::2], fine[3::4, 3::4, 3::4]
    transforms = [
        LevelTransform((1.0,) * 3, (0.0,) * 3),
        LevelTransform((2.0,) * 3, (0.5,) * 3),
        LevelTransform((4.0,) * 3, (1.5,) * 3),
    ]
    errors, holes = run(make_scene, [fine, coarse, coarsest], transforms, "mip")
    assert holes == 0
    assert errors.max() <= 4


def test_sizes_that_no_brick_divides(make_scene: Any) -> None:
    fine = smooth_volume(SIZE)[:50, :37, :64]
    levels = [fine, fine[::2, ::2, ::2].copy(), fine[:48:4, :36:4, ::4].copy()]
    errors, holes = run(make_scene, levels, None, "average")
    assert holes == 0
    assert errors.max() <= 4


def test_nothing_loaded_shows_nothing(make_scene: Any) -> None:
    scene = make_scene()
    node = scene.add_bricks(pyramid(smooth_volume(SIZE)), (0, 1), lambda key: False)
    scene.look((SIZE / 2,) * 3, 1.2 * SIZE)
    assert scene.picture(node).max() == 0


HUGE = 2**20
HUGE_BRICK = 32
_RNG = np.random.default_rng(0)
_WAVES = 64.0 * 2 ** np.arange(17)
_PHASES = _RNG.uniform(0, 6.28, (17, 3))
_AMPLITUDES = 0.82 ** np.arange(16, -1, -1)
_AMPLITUDES *= 1.0 / _AMPLITUDES.sum()


def huge_field(level: int, z: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Waves of all lengths that a level can hold well, in [0, 1]; octree coordinates."""
    total = np.full(np.broadcast_shapes(z.shape, y.shape, x.shape), 0.5)
    for wave, phase, amplitude in zip(_WAVES, _PHASES, _AMPLITUDES, strict=True):
        if wave >= 32 * 2**level:
            k = 2 * np.pi / wave
            total = total + 0.5 * amplitude * (
                np.sin(k * z + phase[0]) * np.sin(k * y + phase[1]) * np.sin(k * x + phase[2])
            )
    return total


def huge_voxels(key: ChunkKey) -> np.ndarray:
    factor = 2.0**key.level
    z, y, x = (
        (np.arange(-APRON, HUGE_BRICK + APRON) + 0.5 + i * HUGE_BRICK) * factor for i in key.index
    )
    values = huge_field(key.level, z[:, None, None], y[None, :, None], x[None, None, :])
    return (values * 255 + 0.5).astype(np.uint8)


@pytest.mark.parametrize("width", [1.3e6, 4000.0, 60.0])
def test_a_million_voxels_a_side(make_scene: Any, width: float) -> None:
    octree = Octree.from_shapes(
        [(HUGE >> k,) * 3 for k in range(16)], HUGE_BRICK, max_overview=HUGE_BRICK
    )
    scene = make_scene()
    scene.view.camera.depth_value = 1.6e6  # as napari sets it for an image of this size
    encoding = BrickEncoding(texture_encoding(np.dtype(np.uint8)), (HUGE_BRICK,) * 3)
    node = scene.add_octree(octree, encoding, (0, 255), cmap="grays")
    scene.look((700001.3, 412345.6, 555555.5) if width < 1e6 else (HUGE / 2,) * 3, width)
    scene.picture(node)
    view = volume_view(volume_matrices(node))
    assert view is not None
    selection = select_bricks(octree, view, 250)
    keys = [*selection.ancestors, *selection.leaves]
    scene.fill(node, keys, huge_voxels)
    errors, holes = differences(
        scene,
        node,
        octree,
        set(keys),
        lambda level, places: huge_field(level, *places.T),
        count=100,
    )
    assert holes == 0
    assert errors.max() <= 2
