"""A bare canvas with a volume in it: napari's own and ours, of the same voxels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from vispy.scene import ArcballCamera, SceneCanvas
from vispy.util.quaternion import Quaternion

from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.octree.octree import Octree
from napari_octree.octree.transform import LevelTransform
from napari_octree.rendering._vispy import Volume
from napari_octree.rendering.gpu.texture_encoding import TextureEncoding, texture_encoding
from napari_octree.rendering.volume.brick_encoding import APRON, BrickEncoding
from napari_octree.rendering.volume.brick_volume import BrickVolume
from napari_octree.rendering.volume.texture_atlas_3d import TextureAtlas3D, slot_grid

BRICK = 16


def smooth_volume(size: int, seed: int = 1, empty: bool = False) -> np.ndarray:
    """Blobs in [0, 1], float32; with `empty`, two thirds and more are exactly 0."""
    rng = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*[(np.arange(size) + 0.5) / size] * 3, indexing="ij")
    field = np.zeros((size,) * 3)
    for _ in range(12):
        a, b, c = rng.uniform(0.1, 0.9, 3)
        width = rng.uniform(0.05, 0.18)
        bump = ((z - a) ** 2 + (y - b) ** 2 + (x - c) ** 2) / (2 * width**2)
        field += rng.uniform(0.3, 1) * np.exp(-bump)
    field /= field.max()
    if empty:
        field = np.clip((field - 0.45) / 0.55, 0, 1)
    return field.astype(np.float32)


def halved(volume: np.ndarray, step: Sequence[int] = (2, 2, 2)) -> np.ndarray:
    """Means of blocks; sizes must divide."""
    z, y, x = (n // s for n, s in zip(volume.shape, step, strict=True))
    blocks = volume.reshape(z, step[0], y, step[1], x, step[2])
    return blocks.mean(axis=(1, 3, 5)).astype(volume.dtype)


def pyramid(volume: np.ndarray, smallest: int = BRICK) -> list[np.ndarray]:
    """Halved until a brick holds all."""
    levels = [volume]
    while max(levels[-1].shape) > smallest:
        levels.append(halved(levels[-1]))
    return levels


def brick_voxels(level: np.ndarray, index: Sequence[int], brick: int = BRICK) -> np.ndarray:
    """Voxels of a brick and its apron; the volume's border repeats, as the loader does it."""
    axes = [
        np.clip(np.arange(i * brick - APRON, min((i + 1) * brick, n) + APRON), 0, n - 1)
        for i, n in zip(index, level.shape, strict=False)
    ]
    return level[np.ix_(*axes)]


class BrickScene:
    """A canvas, an arcball camera, and nodes of which one is shown at a time."""

    def __init__(self, size: int = 120, fov: float = 0.0) -> None:
        self.canvas = SceneCanvas(size=(size, size), show=False, bgcolor="black")
        self.view = self.canvas.central_widget.add_view()
        self.view.camera = ArcballCamera(fov=fov)
        self.view.camera.depth_value = 1e4
        self.nodes: list[Any] = []

    def look(
        self, centre: Sequence[float], width: float, turn: Sequence[float] = (0.4, 0.7, 0.3)
    ) -> None:
        """Point the camera: centre (x, y, z) and width of the view in data units."""
        camera = self.view.camera
        camera.center = tuple(centre)
        camera.scale_factor = width
        camera._quaternion = Quaternion.create_from_euler_angles(*turn)
        camera.view_changed()

    def add_stock(self, volume: np.ndarray, clim: tuple[float, float], **keywords: Any) -> Any:
        """Napari's own volume."""
        keywords = {"interpolation": "linear", "cmap": "viridis", **keywords}
        node = Volume(volume, texture_format="auto", clim=clim, parent=self.view.scene, **keywords)
        self.nodes.append(node)
        return node

    def add_bricks(
        self,
        levels: Sequence[np.ndarray],
        clim: tuple[float, float],
        shown: Callable[[ChunkKey], bool] = lambda key: True,
        transforms: Sequence[LevelTransform] | None = None,
        brick: int = BRICK,
        **keywords: Any,
    ) -> BrickVolume:
        """Ours, with all bricks resident for which `shown` is true."""
        octree = Octree.from_shapes(
            [level.shape[:3] for level in levels], brick, transforms, max_overview=2**30
        )
        keys = [
            ChunkKey(level.index, index)
            for level in octree.levels
            for index in np.ndindex(*level.grid_shape)
        ]
        colour = levels[0].shape[3:]
        texels = texture_encoding(levels[0].dtype, colour[0] if colour else 1)
        node = self.add_octree(octree, BrickEncoding(texels, (brick,) * 3), clim, **keywords)
        self.fill(
            node,
            [key for key in keys if shown(key)],
            lambda key: brick_voxels(levels[key.level], key.index, brick),
        )
        return node

    def add_octree(
        self, octree: Octree, encoding: BrickEncoding, clim: tuple[float, float], **keywords: Any
    ) -> BrickVolume:
        """Ours, with nothing resident."""
        keywords = {"interpolation": "linear", "cmap": "viridis", **keywords}
        node = BrickVolume(encoding, octree, lambda node: None, parent=self.view.scene, **keywords)
        node.clim = clim
        self.nodes.append(node)
        return node

    @staticmethod
    def fill(
        node: BrickVolume,
        keys: Sequence[ChunkKey],
        voxels: Callable[[ChunkKey], np.ndarray],
        texels: TextureEncoding | None = None,
    ) -> None:
        """Make these bricks resident, given their voxels with apron, in other texels if given."""
        encoding = node.atlas.encoding
        if texels is not None:
            encoding = replace(encoding, texels=texels)
        atlas = TextureAtlas3D(encoding, slot_grid(encoding, len(keys), 2**30, 2048))
        atlas.reserve(len(keys))
        node.bind(atlas, node.geometry)
        numbers = []
        for key in keys:
            slot, evicted = atlas.stage(key, True, ())
            assert slot is not None
            assert evicted is None
            record = encoding.encode(voxels(key))
            for planes, _ in atlas.slabs(record, 2**30):
                atlas.write(slot, record, planes)
            numbers.append(atlas.number(slot))
        slots = np.array(numbers, np.int64)
        node.nodes.write(keys, slots, atlas.value_ranges(slots))

    def picture(self, node: Any) -> np.ndarray:
        """Draw one node: (height, width, 3) int."""
        for other in self.nodes:
            other.visible = other is node
        return self.canvas.render(alpha=False).astype(int)

    def close(self) -> None:
        self.canvas.close()
