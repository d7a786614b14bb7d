"""Mixed levels, odd factors and huge volumes against a float64 ray caster on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from vispy.color import Colormap

from brick_scene import BRICK, BrickScene, halved, pyramid, smooth_volume
from napari_octree.octree.bricks.selection import select_bricks
from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.octree.octree import Octree
from napari_octree.octree.transform import LevelTransform
from napari_octree.rendering.gpu.node_matrices import volume_matrices
from napari_octree.rendering.gpu.texture_encoding import texture_encoding
from napari_octree.rendering.view.view_3d import volume_view
from napari_octree.rendering.volume.brick_encoding import APRON, BrickEncoding
from napari_octree.rendering.volume.brick_volume import BrickVolume
from volume_reference import Reference, Samples, bordered, trilinear

SIZE = 64
CANVAS = 90
MODES = ("mip", "minip", "average", "additive", "translucent", "attenuated_mip", "iso")


def dress(node: BrickVolume, reference: Reference, mode: str) -> None:
    """Have a node draw greys as a reference takes them."""
    clear = Colormap([(0, 0, 0, 0), (1, 1, 1, reference.opacity)])
    node.method = mode
    node.cmap = clear if mode == "translucent" else "grays"
    node.clim = reference.black, reference.white
    node.attenuation = reference.attenuation
    node.threshold = reference.threshold


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


@dataclass(frozen=True)
class Rays:
    """Some pixels of a picture, and what a reference meets there."""

    pixels: np.ndarray
    samples: list[Samples | None]

    @classmethod
    def of(cls, node: BrickVolume, reference: Reference, count: int) -> Rays:
        pixels = np.random.default_rng(2).integers(3, CANVAS - 3, (count, 2))
        return cls(pixels, [reference.march(*ray) for ray in rays(node, pixels)])

    def compare(
        self, picture: np.ndarray, reference: Reference, mode: str
    ) -> tuple[np.ndarray, int]:
        """|GPU - CPU| in 0-255 where rays meet the volume, and how many pixels are holes."""
        errors, holes = [], 0
        for (column, row), ray in zip(self.pixels, self.samples, strict=True):
            if ray is None or (mode == "iso" and not reference.is_clear(ray)):
                continue
            expected, drawn = reference.shade(ray, mode), picture[row, column]
            holes += expected > 0.02 and drawn == 0
            errors.append(abs(drawn - expected * 255))
        assert len(errors) > len(self.pixels) / 4, "too few rays meet the volume"
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
    white: float = 1.0,
) -> tuple[np.ndarray, int]:
    octree = Octree.from_shapes([a.shape for a in levels], BRICK, transforms, max_overview=2**30)
    shown = some_bricks(octree, 0.75)
    reference = Reference(octree, shown, trilinear(bordered(levels), octree), white=white)
    scene = make_scene()
    node = scene.add_bricks(levels, (0, 1), shown.__contains__, transforms)
    dress(node, reference, mode)
    z, y, x = octree.extent
    scene.look((x / 2 - 0.5, y / 2 - 0.5, z / 2 - 0.5), 1.2 * max(octree.extent))
    picture = scene.picture(node)[..., 0]
    return Rays.of(node, reference, 150).compare(picture, reference, mode)


WHITE = {"additive": 30.0, "iso": 2.2}
"""Where samples are added up, little of everything: nothing is to be told of white."""


@pytest.mark.parametrize("mode", MODES)
def test_mixed_levels(make_scene: Any, mode: str) -> None:
    levels = pyramid(smooth_volume(SIZE))
    errors, holes = run(make_scene, levels, None, mode, WHITE.get(mode, 1.0))
    assert holes == 0
    assert errors.max() <= 4
    assert errors.mean() <= 0.5


def test_surfaces_are_closed_where_levels_meet(make_scene: Any) -> None:
    levels = pyramid(smooth_volume(SIZE))
    octree = Octree.from_shapes([a.shape for a in levels], BRICK, max_overview=2**30)
    met = []
    for share in (1.0, 0.5):
        scene = make_scene()
        node = scene.add_bricks(levels, (0, 1), some_bricks(octree, share).__contains__)
        node.method, node.threshold = "iso", 0.25
        scene.look((SIZE / 2 - 0.5,) * 3, 1.2 * SIZE)
        met.append(scene.picture(node).max(axis=-1) > 0)
    whole, mixed = met
    # The outline of a coarse level lies a voxel of it further in at most.
    reach = int(np.ceil(octree.coarsest.transform.factor[0] * CANVAS / (1.2 * SIZE)))
    shifts = range(-reach, reach + 1)
    inside = np.all([np.roll(whole, (y, x), (0, 1)) for y in shifts for x in shifts], axis=0)
    assert inside.mean() > 0.05
    assert mixed[inside].all()
    assert (mixed != whole).any()


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


def huge_voxel_values(level: int, index: np.ndarray) -> np.ndarray:
    return huge_field(level, *((index + 0.5) * 2.0**level).T)


def huge_voxels(key: ChunkKey) -> np.ndarray:
    factor = 2.0**key.level
    z, y, x = (
        (np.arange(-APRON, HUGE_BRICK + APRON) + 0.5 + i * HUGE_BRICK) * factor for i in key.index
    )
    values = huge_field(key.level, z[:, None, None], y[None, :, None], x[None, None, :])
    return values.astype(np.float32)


@pytest.mark.parametrize("width", [1.3e6, 4000.0, 60.0])
def test_a_million_voxels_a_side(make_scene: Any, width: float) -> None:
    octree = Octree.from_shapes(
        [(HUGE >> k,) * 3 for k in range(16)], HUGE_BRICK, max_overview=HUGE_BRICK
    )
    scene = make_scene()
    scene.view.camera.depth_value = 1.6e6  # as napari sets it for an image of this size
    encoding = BrickEncoding(texture_encoding(np.dtype(np.float32)), (HUGE_BRICK,) * 3)
    node = scene.add_octree(octree, encoding, (0, 1))
    focus = (700001.3, 412345.6, 555555.5) if width < 1e6 else (HUGE / 2,) * 3
    scene.look(focus, width)
    # Only what lies near the focus: next to a million voxels, a few would not count.
    slab = np.zeros((2, 2, 3))
    slab[:, 0] = focus
    slab[:, 1, 2] = 1, -1
    slab[:, 0, 2] -= 0.4 * width * slab[:, 1, 2]
    node.clipping_planes = slab
    scene.picture(node)
    view = volume_view(volume_matrices(node))
    assert view is not None
    selection = select_bricks(octree, view, 250)
    keys = [*selection.ancestors, *selection.leaves]
    scene.fill(node, keys, huge_voxels)
    reference = Reference(
        octree, set(keys), trilinear(huge_voxel_values, octree), planes=slab[..., ::-1]
    )
    met = Rays.of(node, reference, 60)
    values = np.concatenate([ray.values for ray in met.samples if ray is not None])
    narrow = {"black": float(values.min()), "white": float(values.max())}
    looks: dict[str, dict[str, float]] = {
        "mip": narrow,
        "minip": narrow,
        "average": narrow,
        "additive": {"white": width},
        "translucent": {},
        "attenuated_mip": {"attenuation": 2 / width},
        "iso": {"white": 2.2, "threshold": float(np.quantile(values, 0.8))},
    }
    assert looks.keys() == set(MODES)
    for mode, look in looks.items():
        lit = replace(reference, **look)
        dress(node, lit, mode)
        errors, holes = met.compare(scene.picture(node)[..., 0], lit, mode)
        assert holes == 0, mode
        assert errors.max() <= 2, mode
