"""The napari layer: an `Image` whose picture comes tile by tile from an octree.

Invariants: those of `OctreeScalarField`. Here is what is only an image: contrast, thumbnail and
histogram of the overview.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image

from napari_octree.config import OctreeConfig
from napari_octree.layers._napari import (
    OctreeHistogram,
    calc_data_range,
    register_add_method,
    register_layer_type,
)
from napari_octree.layers.base.octree_scalar_field import OctreeScalarField
from napari_octree.layers.data.layer_levels import LayerLevels
from napari_octree.layers.image.data_range import DataRange
from napari_octree.layers.image.type_limits import limits_of_type
from napari_octree.octree.transform import LevelTransform


class OctreeImage(OctreeScalarField, Image):
    """An image layer for data far larger than memory.

    Parameters
    ----------
    data : array or sequence of arrays
        The levels of an image, finest first, or one array. Each needs `shape`, `dtype` and
        numpy slicing: numpy, zarr, dask, xarray, tensorstore or own classes. Axis order
        (…, z, y, x), with a last axis of 3 or 4 colours if `rgb`. They are read in
        worker threads only, which must be allowed to slice them concurrently.
    config : OctreeConfig, optional
        Sizes, budgets, pools; default: `OctreeConfig.from_environment()`.
    level_transforms : sequence of LevelTransform, optional
        Where each level's pixels lie, over all axes but colour; default: inferred from the
        shapes, with pixel areas aligned.
    **keywords
        Every keyword of `napari.layers.Image`. `multiscale` and `cache` have no effect.

    Raises
    ------
    ValueError, TypeError
        Where levels do not make an image: different types or ranks, wrong order, no pixels,
        complex numbers. The message names the level.

    Notes
    -----
    Without `contrast_limits` they follow the overview as soon as it has arrived.
    """

    def __init__(
        self,
        data: Any,
        config: OctreeConfig | None = None,
        *,
        level_transforms: Sequence[LevelTransform] | None = None,
        **keywords: Any,
    ) -> None:
        levels = self._as_levels(data)
        limits = keywords.pop("contrast_limits", None)
        self._follow_overview = limits is None and levels.dtype != np.uint8
        self._given_threshold = keywords.get("iso_threshold") is not None
        self._data_range = DataRange(self._use_range)
        if self._follow_overview and levels.is_plain and not keywords.get("rgb"):
            limits = self._data_range.of(levels.arrays[0])
            self._follow_overview = False
        keywords["contrast_limits"] = limits_of_type(levels.dtype) if limits is None else limits
        super().__init__(levels, config, level_transforms, data, **keywords)
        self.events.contrast_limits.connect(self._stop_following)  # somebody has chosen

    @property
    def _hands_out_single(self) -> bool:
        return self._levels.single is not None

    def _check_data(self, levels: LayerLevels) -> None:
        shape = levels.sources[0].shape
        if self.rgb and shape[-1] not in (3, 4):
            raise ValueError(f"an RGB layer needs a last axis of 3 or 4, the new data has {shape}")

    def _announce_data(self) -> None:
        super()._announce_data()
        if self.auto_contrast:
            self.reset_contrast_limits()

    def _stop_following(self) -> None:
        self._follow_overview = False
        self._data_range.cancel()

    def _post_init(self) -> None:
        super()._post_init()
        self._data_range.begin()

    def _use_range(self, low: float, high: float) -> None:
        """Have the range of an array in memory as limits, as stock layers have."""
        self.contrast_limits_range = (low, high)
        self.contrast_limits = (low, high)
        if not self._given_threshold:
            self.iso_threshold = low + (high - low) / 2
        self.tell_progress()

    @property
    def _model_settled(self) -> bool:
        return super()._model_settled and not self._data_range.awaited

    @property
    def _model_at_rest(self) -> bool:
        return super()._model_at_rest and not self._data_range.awaited

    def _use_overview(self) -> None:
        """Have contrast limits follow the overview, if nobody has chosen any."""
        if self._follow_overview:
            self._follow_overview = False
            self.reset_contrast_limits_range()
            self.reset_contrast_limits()
        elif self.auto_contrast:
            self.reset_contrast_limits()

    def _calc_data_range(self, mode: Literal["data", "slice"] = "data") -> tuple[float, float]:
        """Range of the overview; or of all data, if those of the coarsest level are at hand."""
        if mode not in ("data", "slice"):
            raise ValueError(f"mode must be 'data' or 'slice', not {mode!r}")
        array = self._levels.coarsest_in_memory
        if mode == "data" and array is not None and not self.rgb:
            known = self._data_range.known(array)
            if known is not None:
                return known
        low, high = calc_data_range(self._slice.image.raw, rgb=self.rgb, dtype=self.dtype)
        return low, high

    def _update_thumbnail(self) -> None:
        """As napari's own, which raises where no value of the type is within the limits."""
        low, high = self.contrast_limits
        if not self.rgb and np.issubdtype(self.dtype, np.integer):
            type_low, type_high = limits_of_type(self.dtype)
            if low > type_high or high < type_low:
                colour = self.colormap.map([0.0 if low > type_high else 1.0])
                self.thumbnail = np.broadcast_to(colour, self._thumbnail_shape)
                return
        super()._update_thumbnail()

    @property
    def histogram(self) -> OctreeHistogram:
        """Histogram of the overview."""
        if not hasattr(self, "_histogram"):
            self._histogram = OctreeHistogram(self)
        return self._histogram


def _add_octreeimage(viewer: ViewerModel, data: Any, **keywords: Any) -> OctreeImage:
    """Add `OctreeImage(data, **keywords)` to a viewer."""
    layer: OctreeImage = viewer.add_layer(OctreeImage(data, **keywords))
    return layer


register_layer_type(OctreeImage)
register_add_method(ViewerModel, "add_octreeimage", _add_octreeimage)
