"""How the voxels of a brick become what is uploaded: texels, and the range of values they span.

Invariants: pure, and run in workers. A brick always fills its whole slot: one at the border of
the image repeats its last voxels. Ranges are what the shader would sample (integer types
are normalised), apron included, so that whatever is interpolated or refined in a cell lies within
the cell's range; a range that is not known (colour, NaN) is everything.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_octree.rendering.gpu.texture_encoding import TextureEncoding

CELL = 32
"""Voxels a side, at most, of the cells that have their own range."""

APRON = 2
"""Voxels around a brick: the gradient of a surface (1.5) and its interpolation (0.5)."""

EVERYTHING = (-3e38, 3e38)


@dataclass(frozen=True)
class BrickEncoding:
    """From voxels to the contents of a slot.

    Attributes
    ----------
    texels : TextureEncoding
    brick_shape : (z, y, x)
        Voxels of a whole brick without apron.
    """

    texels: TextureEncoding
    brick_shape: tuple[int, int, int]

    @property
    def slot_shape(self) -> tuple[int, int, int]:
        """Texels of a slot."""
        z, y, x = self.brick_shape
        return z + 2 * APRON, y + 2 * APRON, x + 2 * APRON

    @property
    def cells(self) -> tuple[int, int, int]:
        """Cells per axis."""
        z, y, x = (-(-n // CELL) for n in self.brick_shape)
        return z, y, x

    @property
    def record(self) -> np.dtype:
        """One brick: `texels`, and `cells` with the lowest and highest value of each.

        A record, since what a worker hands over is one contiguous array.
        """
        colour = (self.texels.channels,) if self.texels.channels > 1 else ()
        return np.dtype(
            [
                ("cells", np.float32, (*self.cells, 2)),
                ("texels", self.texels.texel_dtype, (*self.slot_shape, *colour)),
            ]
        )

    @property
    def nbytes(self) -> int:
        """Bytes of one brick."""
        return self.record.itemsize

    def encode(self, voxels: np.ndarray) -> np.ndarray:
        """Make the record of a brick.

        Parameters
        ----------
        voxels : (z, y, x[, channels]) array
            With an apron of `APRON` on all sides; smaller than a slot at the image's far border.

        Returns
        -------
        (1,) array of `record`
        """
        missing = [(0, n - m) for n, m in zip(self.slot_shape, voxels.shape, strict=False)]
        if any(after for _, after in missing):
            rest = [(0, 0)] * (voxels.ndim - 3)
            voxels = np.pad(voxels, [*missing, *rest], mode="edge")
        brick = np.empty(1, self.record)
        texels = brick["texels"][0] = self.texels.encode(voxels)
        brick["cells"][0] = self._ranges(self.texels.ordered(voxels, texels))
        return brick

    def _ranges(self, values: np.ndarray | None) -> np.ndarray:
        """Lowest and highest value of each cell and its apron: (z, y, x, 2) float32."""
        if values is None:
            return np.broadcast_to(np.array(EVERYTHING, np.float32), (*self.cells, 2))
        low, high = values, values
        for axis, n in enumerate(self.brick_shape):
            count = self.cells[axis]  # as the shader divides a brick: evenly
            ends = [(i * n // count, -(-(i + 1) * n // count)) for i in range(count)]
            spans = [slice(start, stop + 2 * APRON) for start, stop in ends]
            lead = (slice(None),) * axis
            low = np.stack([low[(*lead, span)].min(axis=axis) for span in spans], axis=axis)
            high = np.stack([high[(*lead, span)].max(axis=axis) for span in spans], axis=axis)
        ranges = np.stack([low, high], axis=-1).astype(np.float32)
        if values.dtype.kind in "iu":
            return ranges / np.float32(self.texels.ordered_unit)
        unknown = np.isnan(ranges).any(axis=-1)
        ranges[unknown] = EVERYTHING
        return np.clip(ranges, *EVERYTHING)
