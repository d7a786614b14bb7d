"""The octree: the levels of a pyramid over the displayed axes (2 in 2-D, 3 in 3-D).

Invariants: immutable; levels go from fine to coarse and no factor shrinks on the way; level 0 is
the identity; the levels from `virtual_from` on do not exist in the data but are computed (in
workers, elsewhere) by halving the level below.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from napari_octree.octree.level import OctreeLevel
from napari_octree.octree.level_tables import LevelTables
from napari_octree.octree.transform import LevelTransform, infer_level_transforms


@dataclass(frozen=True)
class Octree:
    """Geometry of a pyramid.

    Attributes
    ----------
    levels : tuple of OctreeLevel
        Finest first.
    virtual_from : int or None
        Index of the first level that the data do not have. Level k ≥ `virtual_from` is
        made from level k − 1 by halving the axes whose factor doubles.
    """

    levels: tuple[OctreeLevel, ...]
    virtual_from: int | None = None

    def __post_init__(self) -> None:
        first = self.levels[0].transform
        if {*first.factor, 1.0} != {1.0} or {*first.translation, 0.0} != {0.0}:
            raise ValueError(f"level 0 defines the coordinates, its transform cannot be {first}")
        for fine, coarse in zip(self.levels[:-1], self.levels[1:], strict=True):
            pairs = zip(fine.transform.factor, coarse.transform.factor, strict=True)
            if any(c < f for f, c in pairs):
                raise ValueError(
                    f"levels must go from fine to coarse: pixels of level {coarse.index} "
                    f"are {coarse.transform.factor} level-0 pixels, those of "
                    f"level {fine.index} {fine.transform.factor}"
                )

    @classmethod
    def from_shapes(
        cls,
        shapes: Sequence[Sequence[int]],
        tile_size: int | Sequence[int],
        transforms: Sequence[LevelTransform] | None = None,
        max_overview: int = 1024,
        whole_overview: bool = False,
        smaller_tiles: Mapping[int, Sequence[int]] | None = None,
    ) -> Octree:
        """Build the octree of given levels, with virtual coarser ones where they stop early.

        Parameters
        ----------
        shapes : sequence of shapes
            Displayed axes only, finest first.
        tile_size : int or sequence of int
            Side of a tile, in pixels of its level, for all axes or per axis.
        transforms : sequence of LevelTransform, optional
            Inferred from the shapes if not given.
        max_overview : int
            Levels are appended (factor 2 on the axes that exceed) until no axis of the
            coarsest has more pixels than this.
        whole_overview : bool
            The coarsest level is one tile, however large.
        smaller_tiles : mapping of int to sequence of int, optional
            Shapes of the tiles of some levels; level 0 has none, and none is larger than others.

        Raises
        ------
        ValueError
            Empty or growing levels, or a tile size that is not positive.
        """
        inferred = infer_level_transforms(shapes)
        all_transforms = list(inferred if transforms is None else transforms)
        all_shapes = [tuple(int(n) for n in shape) for shape in shapes]
        rank = len(all_shapes[0])
        tile_shape = (tile_size,) * rank if isinstance(tile_size, int) else tuple(tile_size)
        if len(tile_shape) != rank or min(tile_shape) < 1 or max_overview < 1:
            raise ValueError(f"tile size {tile_size} does not fit {rank} axes")
        if len(all_transforms) != len(all_shapes):
            raise ValueError(f"{len(all_transforms)} transforms for {len(all_shapes)} levels")
        while max(all_shapes[-1]) > max_overview:
            step = tuple(2 if n > max_overview else 1 for n in all_shapes[-1])
            below = all_transforms[-1]
            all_transforms.append(
                LevelTransform(
                    tuple(f * s for f, s in zip(below.factor, step, strict=True)),
                    below.translation,
                )
            )
            all_shapes.append(tuple(-(-n // s) for n, s in zip(all_shapes[-1], step, strict=True)))
        tiles = [tile_shape] * len(all_shapes)
        for level, shape in (smaller_tiles or {}).items():
            if not level or any(not 0 < n <= m for n, m in zip(shape, tile_shape, strict=True)):
                raise ValueError(f"tiles of level {level} cannot be {shape}, others {tile_shape}")
            tiles[level] = tuple(shape)
        if whole_overview:
            tiles[-1] = tuple(max(n, t) for n, t in zip(all_shapes[-1], tile_shape, strict=True))
        levels = tuple(
            OctreeLevel(i, shape, tile, transform, all_shapes[0])
            for i, (shape, tile, transform) in enumerate(
                zip(all_shapes, tiles, all_transforms, strict=True)
            )
        )
        return cls(levels, len(shapes) if len(levels) > len(shapes) else None)

    @property
    def extent(self) -> tuple[int, ...]:
        """Shape of level 0: the octree covers [0, n) per axis in octree coordinates."""
        return self.levels[0].shape

    @property
    def coarsest(self) -> OctreeLevel:
        """The level that serves as overview."""
        return self.levels[-1]

    @cached_property
    def factors(self) -> tuple[tuple[float, ...], ...]:
        """Per axis: the factor of every level, finest first (never falling)."""
        return tuple(zip(*(level.transform.factor for level in self.levels), strict=True))

    @cached_property
    def tables(self) -> LevelTables:
        """The same geometry as arrays over all levels."""
        return LevelTables.of(self.levels)

    @cached_property
    def slack(self) -> float:
        """Width below which an overlap of tiles of two levels is rounding.

        Octree coordinates. Edges of levels with fractional factors are rounded to about
        2^-52 of their value.
        """
        return max(2.0**-20, max(self.extent) * 2.0**-50)
