"""The napari layer: `Labels` whose picture comes tile by tile from an octree.

Invariants: those of `OctreeScalarField`. Labels are integers, and are never mixed: coarser levels
that nobody stored are made by taking pixels ("nearest") or by majority ("mode"), whatever is
set for images. Nothing of napari's that maps whole arrays of labels to texels or colours is
called: it costs time, and raises for large labels with colours of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.components import ViewerModel

from napari_octree.config import OctreeConfig
from napari_octree.layers._napari import (
    is_asked_by_action,
    is_asked_by_new_label,
    is_asked_by_tool,
    labels_drag_modes,
    register_add_method,
    register_layer_type,
)
from napari_octree.layers.base.octree_scalar_field import OctreeScalarField
from napari_octree.layers.data.layer_levels import LayerLevels
from napari_octree.layers.labels.largest_label import largest_label
from napari_octree.layers.labels.painting.paintable import PaintableLabels
from napari_octree.layers.labels.painting.painted_levels import PaintedArray, PaintedLevels
from napari_octree.layers.labels.thumbnail import label_thumbnail
from napari_octree.octree.transform import LevelTransform
from napari_octree.sources.arrays.recast_view import recast
from napari_octree.sources.derived.reduction import Reduction


def _pick(layer: OctreeLabels, event: Any) -> None:
    """Select the label under the cursor: napari's own selects the pair of level and label."""
    value = layer.get_value(
        event.position,
        view_direction=event.view_direction,
        dims_displayed=event.dims_displayed,
        world=True,
    )
    label = value[1] if isinstance(value, tuple) else value
    layer.selected_label = layer.colormap.background_value if label is None else int(label)


class OctreeLabels(PaintableLabels):
    """A labels layer for segmentations far larger than memory.

    Parameters
    ----------
    data : array or sequence of arrays
        The levels of a label image, finest first, or one array; of integers, or bool. Each needs
        `shape`, `dtype` and numpy slicing: numpy, zarr, dask, xarray, tensorstore or own
        classes. Axis order (…, z, y, x). They are read in worker threads only, which must be
        allowed to slice them concurrently.
    config : OctreeConfig, optional
        Sizes, budgets, pools; default: `OctreeConfig.from_environment()`.
    level_transforms : sequence of LevelTransform, optional
        Where each level's pixels lie, over all axes; default: inferred from the shapes, with
        pixel areas aligned.
    **keywords
        Every keyword of `napari.layers.Labels`. `multiscale` and `cache` have no effect.

    Raises
    ------
    TypeError
        Where pixels are no integers.
    ValueError
        Where levels do not make an image: different types or ranks, wrong order, no pixels.
        The message names the level.
    """

    _stock_type = "labels"
    _drag_modes = labels_drag_modes(pick=_pick)

    def __init__(
        self,
        data: Any,
        config: OctreeConfig | None = None,
        *,
        level_transforms: Sequence[LevelTransform] | None = None,
        **keywords: Any,
    ) -> None:
        if isinstance(data, PaintedArray):
            self._copied_from = data.levels
            config = config or data.levels.config
            data = data.levels[0]
        elif isinstance(data, PaintedLevels):
            self._copied_from = data
        super().__init__(self._as_levels(data), config, level_transforms, data, **keywords)

    # ------------------------------------------------------------------ data

    def _as_levels(self, data: Any, fresh: bool = False) -> LayerLevels:
        """As of images, but of integers: bool becomes uint8, floats are refused."""
        levels = super()._as_levels(data, fresh)
        if levels.dtype.kind not in "biu":
            raise TypeError(
                f"Only integer types are supported for Labels layers, but data contains "
                f"{levels.dtype}."
            )
        if levels.dtype.kind == "b":
            arrays = [recast(a, np.uint8) for a in levels.arrays]
            return super()._as_levels(arrays if levels.single is None else arrays[0], fresh)
        return levels

    def _ensure_int_labels(self, data: Any) -> Any:
        return data  # they are, see `_as_levels`

    @property
    def _reduction(self) -> Reduction:
        """How levels that nobody stored are made: a mean of labels is no label."""
        wanted = super()._reduction
        return "nearest" if wanted == "mean" else wanted

    def _announce_data(self) -> None:
        super()._announce_data()
        self.events.features()

    @property
    def _hands_out_single(self) -> bool:
        return self._levels.single is not None

    @property
    def data(self) -> Any:
        """The levels, finest first; by slices the labels of level 0 with what was painted.

        If one array was given by itself: that array, or one with what was painted above it.
        """
        if is_asked_by_new_label():
            in_memory = self._levels.sources[0].storage.in_memory
            array = np.asarray(self._levels.arrays[0]) if in_memory else None
            return np.array([largest_label(self, array)])
        if self._levels.is_plain and is_asked_by_action():
            return np.asarray(self._data)  # with what was painted
        if not self._hands_out_single or is_asked_by_tool():
            return self._data
        return PaintedArray(self._data) if self._label_edits else self._levels.single

    @data.setter
    def data(self, data: Any) -> None:
        OctreeScalarField.data.fset(self, data)  # type: ignore[attr-defined]

    # ------------------------------------------------------------------ looks

    _awaited_colours = 0

    def await_colours(self, number: int) -> None:
        """Count colours that a worker makes for a view (1), and that have come (-1)."""
        self._awaited_colours += number
        self.tell_progress()

    @property
    def _model_settled(self) -> bool:
        return super()._model_settled and not self._awaited_colours

    @property
    def _model_at_rest(self) -> bool:
        return super()._model_at_rest and not self._awaited_colours

    def _slice_dtype(self) -> np.dtype:
        return self.dtype

    def _raw_to_displayed(self, raw: np.ndarray, data_slice: Any = None) -> np.ndarray:
        return raw  # colours and contours are the GPU's

    def _update_thumbnail(self) -> None:
        self.thumbnail = label_thumbnail(
            self._slice.image.raw, self.colormap, self.opacity, self._thumbnail_shape
        )

    # ----------------------------------------------------------------- values

    def _get_properties(self, *args: Any, **keywords: Any) -> list[str]:
        """The features of the label at a position; none while nothing is known of it."""
        if not len(self._label_index) or not self.features.shape[1]:
            return []  # as napari's own, before anything is looked up
        direction = keywords.get("view_direction")
        if direction is not None and np.ndim(direction) == 0:
            keywords["view_direction"] = None  # napari's `get_status` makes an array of None
        value = self.get_value(*args, **keywords)
        known = (value[1] if isinstance(value, tuple) else value) is not None
        return super()._get_properties(*args, **keywords) if known else []


def _add_octreelabels(viewer: ViewerModel, data: Any, **keywords: Any) -> OctreeLabels:
    """Add `OctreeLabels(data, **keywords)` to a viewer."""
    layer: OctreeLabels = viewer.add_layer(OctreeLabels(data, **keywords))
    return layer


register_layer_type(OctreeLabels)
register_add_method(ViewerModel, "add_octreelabels", _add_octreelabels)
