"""TextureAtlas3D: many bricks in one 3-D texture.

Invariants: every slot holds a whole brick with its apron; slot 0 is never given away (the node
texture keeps the octree's root there). The atlas begins with one layer of slots and grows by
layers, so that slots keep their numbers, and their bricks, without being uploaded again: memory is
taken as views need it (drivers clear it, which a first picture would wait for). Contrast limits,
gamma and colour map act in the shader: nothing here depends on them. GUI thread with a current GL
context only.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator
from math import prod

import numpy as np
from vispy.gloo import Texture3D

from napari_octree.rendering._vispy import GPUScaledTexture3D, extend, upload
from napari_octree.rendering.gpu.atlas_slots import AtlasSlots, Slot
from napari_octree.rendering.volume.brick_encoding import BrickEncoding


class TextureAtlas3D(GPUScaledTexture3D):
    """A box of slots, and the ranges of values of their cells.

    Parameters
    ----------
    encoding : BrickEncoding
    grid : (z, y, x)
        Slots per axis, at most.

    Attributes
    ----------
    largest, grid : (z, y, x)
        Slots per axis, at most and now.
    most : int
        Slots that it may come to, for now; see `allow`.
    """

    def __init__(self, encoding: BrickEncoding, grid: tuple[int, int, int]) -> None:
        self.encoding = encoding
        self.largest = grid
        layers, rows, columns = grid
        # The root's slot is one of them: one more is needed at the least.
        self.grid = grid = (min(layers, 1 + (rows * columns < 2)), rows, columns)
        self.most = layers * rows * columns - 1
        self.slots: AtlasSlots[Hashable] = AtlasSlots(prod(grid) - 1)
        self._ranges = np.zeros((prod(grid), 2), np.float32)
        channels = encoding.texels.channels
        shape: tuple[int, ...] = (10, 10, 10)
        if channels > 1:
            shape = (*shape, channels)
        super().__init__(
            np.zeros(shape, encoding.texels.texel_dtype),
            internalformat="auto",
            interpolation="linear",
            wrapping="clamp_to_edge",
        )
        self._resize((*self.texture_shape, channels))
        # From here on the limits are normalised by the data's type, not the texels'.
        self._data_dtype = encoding.texels.clim_dtype
        self.ranges = Texture3D(
            (*self._cells, 2), format="rg", internalformat="rg32f", interpolation="nearest"
        )

    @property
    def texture_shape(self) -> tuple[int, ...]:
        """Texels per axis."""
        return tuple(g * n for g, n in zip(self.grid, self.encoding.slot_shape, strict=True))

    @property
    def _cells(self) -> tuple[int, ...]:
        """Cells per axis."""
        return tuple(g * n for g, n in zip(self.grid, self.encoding.cells, strict=True))

    @property
    def nbytes(self) -> int:
        """Bytes on the GPU."""
        return prod(self.grid) * self.encoding.nbytes

    @property
    def layer_bytes(self) -> int:
        """Bytes of a layer of slots."""
        return prod(self.grid[1:]) * self.encoding.nbytes

    def allow(self, nbytes: int) -> None:
        """Let it come to `nbytes` on the GPU, or stay as large as it is."""
        layers = min(max(nbytes // self.layer_bytes, self.grid[0]), self.largest[0])
        self.most = layers * prod(self.grid[1:]) - 1

    def reserve(self, slots: int) -> bool:
        """Have room for so many bricks, as far as it may grow; at least twice as many as before.

        Returns
        -------
        bool
            Whether what was in it is still there.
        """
        if min(slots, self.most) <= self.slots.capacity:
            return True
        per_layer = prod(self.grid[1:])
        wanted = min(max(slots, 2 * self.slots.capacity), self.most)
        self.grid = (-(-(wanted + 1) // per_layer), *self.grid[1:])
        channels = self.encoding.texels.channels
        resizes: dict[Texture3D, Callable[[], None]] = {
            self: lambda: self._resize((*self.texture_shape, channels)),
            self.ranges: lambda: self.ranges.resize((*self._cells, 2)),
        }
        kept = True
        for texture, resize in resizes.items():
            if len(self.slots):
                kept &= extend(texture, resize)
            else:
                resize()
        self._ranges = np.pad(self._ranges, ((0, prod(self.grid) - len(self._ranges)), (0, 0)))
        self.slots.extend(prod(self.grid) - 1)
        if not kept:
            self.slots.clear()
        return kept

    def texture_value(self, value: float) -> float:
        """What the shader samples for a value of the data."""
        if not self.is_normalized:
            return self.encoding.texels.texel_value(value)
        return float(self.normalize_value(value, self.encoding.texels.clim_dtype))

    def stage(
        self, key: Hashable, complete: bool, protected: Collection[Hashable]
    ) -> tuple[Slot | None, Hashable | None]:
        """Give `key` a slot, as `AtlasSlots.add`; what it holds is still to be written."""
        return self.slots.add(key, self.encoding.slot_shape, complete, protected)

    def number(self, slot: Slot) -> int:
        """The slot's number from 1 on, as node entries name it."""
        return slot.number + 1

    def value_ranges(self, numbers: np.ndarray) -> np.ndarray:
        """Lowest and highest value of the bricks in slots, (N, 2)."""
        return self._ranges[numbers]

    def slabs(self, brick: np.ndarray, largest_bytes: int) -> Iterator[tuple[slice, int]]:
        """Cut a brick into uploads (planes, bytes) of at most `largest_bytes`, or of one plane."""
        depth = self.encoding.slot_shape[0]
        plane = brick["texels"].nbytes // depth
        step = max(min(largest_bytes // plane, depth), 1)
        for start in range(0, depth, step):
            planes = slice(start, min(start + step, depth))
            yield planes, (planes.stop - planes.start) * plane

    def write(self, slot: Slot, brick: np.ndarray, planes: slice) -> None:
        """Queue the upload of some planes of a brick.

        Parameters
        ----------
        slot : Slot
        brick : (1,) array of the encoding's record
            Must not change any more.
        planes : slice
        """
        place = np.unravel_index(self.number(slot), self.grid)
        origin = [int(p * n) for p, n in zip(place, self.encoding.slot_shape, strict=True)]
        origin[0] += planes.start
        upload(self, brick["texels"][0][planes], tuple(origin))
        if planes.start == 0:
            cells = brick["cells"][0]
            first = tuple(int(p * n) for p, n in zip(place, self.encoding.cells, strict=True))
            upload(self.ranges, cells, first)
            self._ranges[self.number(slot)] = cells[..., 0].min(), cells[..., 1].max()

    def delete(self) -> None:
        """Free the GPU's memory."""
        self.ranges.delete()
        super().delete()


def slot_grid(
    encoding: BrickEncoding, bricks: int, vram_bytes: int, max_side: int
) -> tuple[int, int, int]:
    """How many slots an atlas should have per axis (z, y, x).

    Parameters
    ----------
    encoding : BrickEncoding
    bricks : int
        More are never needed: all bricks of all levels.
    vram_bytes : int
        What the texture may take. One brick beside the root's slot is always there, whatever it
        says: with less there is no picture.
    max_side : int
        GL's limit of texels per axis.
    """
    wanted, allowed = bricks + 1, max(vram_bytes // encoding.nbytes, 2)
    limits = [max(max_side // n, 1) for n in encoding.slot_shape]
    best, best_grid = (0, 0), (1, 1, 2)
    for y in range(1, limits[1] + 1):
        for x in range(1, min(limits[2], allowed // y) + 1):
            z = min(-(-wanted // (y * x)), allowed // (y * x), limits[0])
            # As many as wanted or allowed, then near to a cube: GL's caches like it.
            score = (min(z * y * x, wanted), -max(z, y, x))
            if score > best:
                best, best_grid = score, (z, y, x)
    return best_grid
