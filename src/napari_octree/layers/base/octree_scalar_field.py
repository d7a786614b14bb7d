"""What octree layers of pixels share, be they images or labels: levels, slices, overview, values.

Invariants: the model reads no pixels in the main thread, ever: its slice is the overview that
a worker brought, and everything else is drawn by the viewers' own visuals. The layer owns its
data, its overview and its settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from napari.utils.notifications import show_warning

from napari_octree.config import OctreeConfig
from napari_octree.layers._napari import (
    LayerTypeName,
    OctreeLevels,
    is_asked_by_action,
    parent_of_new_layer,
    register_visual,
    variable_name,
    writer_that_asks,
    xarray_only_if_imported,
)
from napari_octree.layers.base.array_access import ArrayAccess
from napari_octree.layers.base.hover_values import HoverValues
from napari_octree.layers.data.layer_levels import LayerLevels
from napari_octree.layers.data.saving import pixels_to_save
from napari_octree.layers.data.store_watch import StoreWatch
from napari_octree.layers.slices.background_pyramid import BackgroundPyramid
from napari_octree.layers.slices.octree_slices import OctreeSlices
from napari_octree.layers.slices.overview import OverviewLoader
from napari_octree.layers.source import PLUGIN
from napari_octree.octree.transform import LevelTransform
from napari_octree.sources.derived.cropped import CroppedArray
from napari_octree.sources.errors import SourceError
from napari_octree.sources.identity import SourceGroup
from napari_octree.sources.levels.reopen import can_be_reopened
from napari_octree.sources.protocol import LevelSource


class OctreeScalarField(HoverValues):
    """A layer of pixels on an octree.

    To be named before napari's own class among the bases of a layer, as in
    `class OctreeImage(OctreeScalarField, Image)`.

    Parameters
    ----------
    levels : LayerLevels
    config : OctreeConfig, optional
    level_transforms : sequence of LevelTransform, optional
        Where each level's pixels lie, over all axes but colour; default: inferred from the
        shapes, with pixel areas aligned.
    named_by : any
        What the caller passed as data: without a `name` the layer is called as the variable
        that holds it.
    **keywords
        Those of the class of napari. `multiscale` and `cache` have no effect.
    """

    def __init__(
        self,
        levels: LayerLevels,
        config: OctreeConfig | None,
        level_transforms: Sequence[LevelTransform] | None,
        named_by: Any,
        **keywords: Any,
    ) -> None:
        if keywords.get("name") is None:
            # Without a name napari would look for one in the code below.
            keywords["name"] = variable_name(named_by) or type(self).__name__
        config, level_transforms = _inherited(named_by, config, level_transforms)
        self._levels = levels
        self._level_transforms = level_transforms
        self._store_watch = StoreWatch()
        self._slices: OctreeSlices | None = None
        self._overview: OverviewLoader | None = None
        self._background: BackgroundPyramid | None = None
        self._value_level = 0  # of the value asked for last
        self._refreshes = False  # what napari calls while it makes the layer
        keywords |= {"multiscale": True, "cache": False}
        wrapped = self._wrapped(levels, config, level_transforms)
        with xarray_only_if_imported():
            super().__init__(wrapped, config, **keywords)
        self._overview = OverviewLoader(self._loader, self._on_overview)
        if self._config.octree.background_pyramid:
            self._background = BackgroundPyramid(self._loader, self._on_refined)
        self._set_slices()
        register_visual()
        self._on_slice_moved()

    def _post_init(self) -> None:
        super()._post_init()  # napari's: it refreshes the layer
        self._refreshes = True

    # ------------------------------------------------------------------ data

    def _as_levels(self, data: Any, fresh: bool = False) -> LayerLevels:
        """The levels that a person passes, as `LayerLevels.of`; raises where they are none."""
        levels = LayerLevels.of(data, fresh)
        is_single = isinstance(data, OctreeLevels) and data.is_single
        return replace(levels, single=levels.arrays[0]) if is_single else levels

    _stock_type = "image"
    """The name of the type of stock layers that this one stands for."""

    @property
    def _hands_out_single(self) -> bool:
        """Whether `data` is the one array that was given, as of a stock layer, or a list."""
        return self._levels.is_plain and is_asked_by_action()

    @property
    def multiscale(self) -> bool:
        """Whether `data` is a list of levels; where it is not, coarser ones are computed."""
        return not self._hands_out_single

    @multiscale.setter
    def multiscale(self, value: bool) -> None:
        """Napari sets what it was told by us."""

    @property
    def data(self) -> Any:
        """The levels, finest first; or the one array that was given by itself."""
        return self._levels.single if self._hands_out_single else self._data

    @data.setter
    def data(self, data: Any) -> None:
        levels = self._as_levels(data)
        self._check_data(levels)
        same = [id(array) for array in levels.arrays] == [id(a) for a in self._levels.arrays]
        transforms = self._level_transforms if same else None
        if isinstance(data, OctreeLevels):
            transforms = data.level_transforms
        if levels.names & self._levels.names:
            # Who assigns an array again, or another one in the same place, has changed its pixels.
            levels = self._renewed(levels, levels.arrays)
        self._level_transforms = transforms
        self._overview_slicing.forget_overview()
        self._adopt(levels)
        self._announce_data()

    @property
    def _level_sources(self) -> tuple[LevelSource, ...]:
        return self._levels.sources

    @property
    def _level_places(self) -> tuple[LevelTransform, ...]:
        assert self._slices is not None  # set by __init__
        return self._slices.pyramid.transforms

    @property
    def _displayed_axes(self) -> tuple[int, ...]:
        octree_slice = self.octree_slice
        return () if octree_slice is None else octree_slice.key.displayed

    def _wrapped(
        self,
        levels: LayerLevels,
        config: OctreeConfig | None,
        level_transforms: Sequence[LevelTransform] | None,
    ) -> OctreeLevels:
        """The levels as `data` returns them."""
        is_single = levels.single is not None
        return OctreeLevels(levels.arrays, config, level_transforms, is_single)

    def _check_data(self, levels: LayerLevels) -> None:
        """Raise where `levels` cannot take the place of this layer's data."""

    def _adopt(self, levels: LayerLevels, renewed: bool = False) -> None:
        """Have these levels from now on; a store that is watched is the new one."""
        self._levels = levels
        self._store_watch.follow(levels.arrays)
        self._data = self._wrapped(levels, self._config, self._level_transforms)
        self._set_slices(renewed)

    def _announce_data(self) -> None:
        """Tell of other data: the end of napari's setter, which would wrap the levels anew.

        In what it wraps them in, Duplicate would read them.
        """
        self._data_raw = self._data
        self._reset_data_level()
        self._reset_thumbnail_level_data()
        self._refreshes = False
        self._update_dims()
        self._refreshes = True
        self.events.data(value=self.data)
        self._reset_editable()

    def reads(self, group: SourceGroup) -> bool:
        """Whether this layer shows what is read from there."""
        return any(source.storage.group == group for source in self._levels.sources)

    def refresh(self, event: Any = None, **parts: bool) -> None:
        """Refresh the layer; without arguments, also show what has changed in arrays in memory.

        Stores are asked again by `reload` only. (napari itself calls this with arguments.)
        """
        in_memory = any(source.storage.in_memory for source in self._levels.sources)
        if self._refreshes and in_memory and event is None and not parts:
            self._renew(self._levels.arrays)  # napari brings its slice, and tells of it
        super().refresh(event, **parts)

    def reload(self) -> None:
        """Forget failed and loaded chunks of this layer, and read again what is in view.

        Data that have grown show their new shape: stores are asked for it in a thread of its own,
        and until they have answered the layer is not settled.
        """
        if can_be_reopened(self._levels.arrays):
            self._store_watch.look(self._levels.arrays, self._reopened)
            self.tell_progress()
        else:
            self._show_anew(self._levels.arrays)

    def watch(self, interval_s: float | None) -> None:
        """Look every so many seconds whether the data have grown, and show what is new.

        Goes on with what is assigned to `data` later.

        Parameters
        ----------
        interval_s : float or None
            None: look no more.
        """
        self._store_watch.watch(self._levels.arrays, self._show_anew, interval_s)

    def _reopened(self, arrays: Sequence[Any] | None) -> None:
        self._store_watch.looked()
        self._show_anew(self._levels.arrays if arrays is None else arrays)

    def _show_anew(self, arrays: Sequence[Any]) -> None:
        """Show this layer's own levels, perhaps opened anew, forgetting what was loaded."""
        if self._renew(arrays):
            self._replace_overview()
            self._views.request_frames()

    def _renew(self, arrays: Sequence[Any]) -> bool:
        """Begin a new version of the layer's own levels; False where they cannot be read."""
        try:
            levels = self._renewed(self._levels, arrays)
        except SourceError as error:  # half written, or its file has been closed
            show_warning(f"{self.name}: cannot be read again: {error}")
            self.tell_progress()
            return False
        former = self.level_shapes
        self._adopt(levels, renewed=True)
        if self._overview is not None:
            self._overview.forget()
        if not np.array_equal(former, self.level_shapes):
            self._announce_data()
        return True

    def _renewed(self, levels: LayerLevels, arrays: Sequence[Any]) -> LayerLevels:
        """Return the levels under new keys, and drop what is kept of them on disk."""
        renewed = self._as_levels(arrays, fresh=True)
        levels = levels.renewed(renewed)
        for source in levels.sources:
            self._loader.forget(source.storage.key, source.storage.source_name)
        return levels

    @property
    def _levels_to_save(self) -> LayerLevels:
        """The levels as writers get them."""
        return self._levels

    def as_layer_data_tuple(self) -> tuple[Any, dict[str, Any], str]:
        """Data, settings and type, from which `Layer.create` makes a copy.

        The settings are those of a stock layer, so that napari's actions and other plugins can
        make stock layers with them. What only ours has travels with the levels. A writer gets
        what it would get of a stock layer: the finest level, as one array in memory. Only our own
        writer gets the levels, and so can write layers of any size.

        Raises
        ------
        NotSavedError
            A writer asks, and the pixels are too many or cannot be read.
        """
        _, state, stock_type = super().as_layer_data_tuple()
        writer = writer_that_asks()
        if writer in (PLUGIN, ""):  # "": nobody will write, which napari tells
            return self._levels_for_writer(), state | {"multiscale": True}, str(stock_type)
        if writer is not None:
            pixels = pixels_to_save(self.name, self._levels_to_save)
            return pixels, state | {"multiscale": False}, str(stock_type)
        if self._levels.is_plain or (self._hands_out_single and is_asked_by_action()):
            return self._levels.single, state | {"multiscale": False}, self._type_string
        return self._data, state | {"multiscale": True}, self._type_string

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        """For `copy.deepcopy` and pickles: a new layer of the same data, settings and config.

        Threads, views and listeners are not copied.
        """
        data, state, _ = self.as_layer_data_tuple()
        state |= {"config": self.config, "level_transforms": self._level_transforms}
        return _made_again, (type(self), data, state)

    def _levels_for_writer(self) -> OctreeLevels:
        """The levels as they are to be written: with what was painted, if anything was."""
        levels = self._levels_to_save
        if levels is self._levels:
            return self._data
        boxes = [tuple((0, n) for n in source.shape) for source in levels.sources]
        arrays = [CroppedArray(s, box) for s, box in zip(levels.sources, boxes, strict=True)]
        return OctreeLevels(arrays, self._config, self._level_places)

    @property
    def _type_string(self) -> str:
        """The stock class's name to icons, menus and writers; this class's to `Layer.create`."""
        return LayerTypeName(self._stock_type, type(self).__name__.lower())


def _inherited(
    data: Any, config: OctreeConfig | None, level_transforms: Sequence[LevelTransform] | None
) -> tuple[OctreeConfig | None, Sequence[LevelTransform] | None]:
    """What is not given is that of the layer whose data these are, or that is being copied."""
    if isinstance(data, OctreeLevels):
        config = data.config if config is None else config
        if level_transforms is None:
            level_transforms = data.level_transforms
    parent = parent_of_new_layer()
    if config is None and isinstance(parent, ArrayAccess):
        config = parent.config
    return config, level_transforms


def _made_again(
    cls: type[OctreeScalarField], data: Any, state: dict[str, Any]
) -> OctreeScalarField:
    """Make a layer of what another one was asked for."""
    made: Any = cls
    layer: OctreeScalarField = made(data, **state)
    return layer
