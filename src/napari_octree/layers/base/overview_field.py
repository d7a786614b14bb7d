"""The slices of a layer, and the overview of the one that the sliders name.

Invariants: main thread, unless a member says otherwise; nothing is read here: a worker brings the
overview, and everything else is drawn by the viewers' own visuals.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from napari_octree.config import OctreeConfig
from napari_octree.layers._napari import OctreeLevels
from napari_octree.layers.base.array_access import ArrayAccess
from napari_octree.layers.base.lazy_scalar_field import LazyScalarField
from napari_octree.layers.data.image_pyramid import ImagePyramid, PixelEdits
from napari_octree.layers.data.layer_levels import LayerLevels
from napari_octree.layers.data.store_watch import StoreWatch
from napari_octree.layers.slices.background_pyramid import BackgroundPyramid
from napari_octree.layers.slices.octree_slice import OctreeSlice
from napari_octree.layers.slices.octree_slices import OctreeSlices
from napari_octree.layers.slices.overview import OverviewLoader
from napari_octree.layers.slices.slice_key import SliceKey
from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.octree.cover.intersection import OctreeIntersection, intersect
from napari_octree.octree.transform import LevelTransform, infer_level_transforms
from napari_octree.octree.view import View
from napari_octree.sources.derived.reduction import Reduction

LEAST_FOR_LARGE_TILES = 64 * 2**20
"""Bytes of the GPU's memory in which a tile as large as the canvas is no loss."""


class OverviewField(ArrayAccess, LazyScalarField):
    """What a layer of pixels does with its slices."""

    _levels: LayerLevels
    _level_transforms: Sequence[LevelTransform] | None
    _store_watch: StoreWatch
    _slices: OctreeSlices | None
    _overview: OverviewLoader | None
    _background: BackgroundPyramid | None

    @property
    def _edits(self) -> PixelEdits | None:
        """What was painted above the levels."""
        return None

    @property
    def _reduction(self) -> Reduction:
        """How levels that nobody stored are made."""
        return self._config.octree.reduction

    def _set_slices(self, renewed: bool = False) -> None:
        """Begin a new version of the data: nothing of the former is found any more.

        Where the same data are `renewed`, what is drawn of them may stay until it is replaced.
        """
        shapes = [tuple(int(n) for n in shape) for shape in self.level_shapes]
        transforms = self._level_transforms or infer_level_transforms(shapes)
        if len(transforms) != len(shapes):
            raise ValueError(
                f"level_transforms has {len(transforms)} entries for {len(shapes)} levels"
            )
        pyramid = ImagePyramid(
            self._levels.sources,
            tuple(transforms),
            bool(self.rgb),
            self._config.octree.given_tile_size,
            brick_size=self._config.octree.brick_size,
            blocks=self._loader.blocks,
            reduction=self._reduction,
            edits=self._edits,
            large_tiles=has_large_tiles(self._config),
        )
        former = self._slices
        self._slices = OctreeSlices(pyramid, self._loader, former if renewed else None)
        if former is not None:
            former.release()

    @property
    def octree_slice(self) -> OctreeSlice | None:
        """The slice that the sliders name, or None where it lies outside the data (any thread)."""
        slices = self._slices
        if slices is None:
            return None
        shape, projection = slices.pyramid.shapes[0], str(self.projection_mode)
        key = self._overview_slicing.slice_key(slices.version, shape, projection)
        if key is None:
            return None
        plain, background = slices.at(key), self._background
        return plain if background is None else background.best(plain)

    @property
    def overview(self) -> np.ndarray | None:
        """Pixels of the coarsest level of the present slice, as displayed; None until it is there.

        Axes are those displayed, and that of colours; never to be written to.
        """
        octree_slice = self.octree_slice
        if octree_slice is None:
            return None
        return self._overview_slicing.overview_of(octree_slice.key)

    @property
    def _has_overview(self) -> bool:
        return self.overview is not None

    def _on_slice_moved(self) -> None:
        """Bring the overview of the slice that the sliders name now.

        What is at hand is shown as a stock layer's slice is: napari tells of it itself, and the
        next frame shows it all.
        """
        if self._overview is not None and not (self._bring_overview() and self._views):
            self.tell_progress()

    def _bring_overview(self) -> bool:
        """Have the overview of the present slice; return whether it was at hand, and is there."""
        assert self._overview is not None
        octree_slice = self.octree_slice
        overview = self._overview.request(octree_slice) if self.visible else None
        if octree_slice is None or overview is None:
            return False
        self._overview_slicing.show_overview(overview, octree_slice.key)
        self._use_overview()
        return True

    def _on_visible_changed(self) -> None:
        super()._on_visible_changed()
        if self._overview is not None and not self.visible:
            self._overview.pause()  # napari asks anew when the layer is shown again

    def _on_config(self, former: OctreeConfig) -> None:
        if isinstance(self._data, OctreeLevels):
            self._data.config = self._config
        if self._overview is not None:
            self._overview.follow(self._loader)
        self._background = None
        if self._config.octree.background_pyramid:
            self._background = BackgroundPyramid(self._loader, self._on_refined)
        if _tiling(self._config) != _tiling(former):
            self._set_slices(renewed=True)
            if self._overview is not None:
                self._overview.forget()
                self._replace_overview()

    def _show_awaited(self, awaited: bool) -> None:
        self._overview_slicing.awaited = awaited

    def _use_idle_time(self, settled: bool) -> None:
        """Have coarser levels computed while nobody waits, if that is wished for."""
        if self._background is not None:
            idle = settled and not self._views.moving
            shown = bool(self._views) and self.visible
            self._background.look(self.octree_slice if shown else None, idle)

    def _on_refined(self) -> None:
        """Show the better overview, and have better tiles loaded."""
        if self._overview is not None:
            self._overview.forget()
            self._replace_overview()
        self._views.request_frames()

    def _on_overview(self, key: SliceKey, overview: np.ndarray) -> None:
        octree_slice = self.octree_slice
        if octree_slice is None or octree_slice.key != key:
            return
        self._overview_slicing.show_overview(overview, key)
        self._use_overview()
        self._announce_overview()

    def _replace_overview(self) -> None:
        """Bring another overview, though no slider has moved."""
        if self._overview is not None and self._bring_overview():
            self._announce_overview()
        else:
            self.tell_progress()

    def _announce_overview(self) -> None:
        self._update_thumbnail()
        self.events.set_data()
        self.tell_progress()

    def _use_overview(self) -> None:
        """Hear that there is a new overview, before thumbnail and listeners."""

    @property
    def _model_settled(self) -> bool:
        overview = self._overview
        return overview is not None and overview.settled and not self._store_watch.looking

    @property
    def _model_at_rest(self) -> bool:
        overview = self._overview
        if overview is None or not (overview.settled or overview.failed):
            return False
        return not self._store_watch.looking

    @property
    def _refined_share(self) -> float:
        return 1.0 if self._background is None else self._background.share

    def get_intersection(self, view: View) -> OctreeIntersection:
        """The ideal level and its tiles in `view` (as napari's octree documents name it)."""
        octree_slice = self.octree_slice
        if octree_slice is None:
            raise ValueError("the current slice lies outside the data")
        return intersect(
            octree_slice.octree,
            view,
            locked_level=self.locked_data_level,
            level_bias=self._config.render.level_bias,
        )

    def get_drawable_chunks(self, view: View) -> list[ChunkKey]:
        """The ideal chunks of `view`, in no particular order."""
        intersection = self.get_intersection(view)
        return [
            ChunkKey(intersection.level, tuple(int(i) for i in index))
            for index in intersection.tiles
        ]


def has_large_tiles(config: OctreeConfig) -> bool:
    """Whether a small image, or level, may be one large tile."""
    return config.memory.vram_bytes >= LEAST_FOR_LARGE_TILES


def _tiling(config: OctreeConfig) -> tuple[Any, ...]:
    """What slices are made with."""
    octree = config.octree
    large = has_large_tiles(config)
    return octree.given_tile_size, octree.brick_size, octree.reduction, large
