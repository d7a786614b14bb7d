"""What octree layers of pixels share, be they images or labels: levels, slices, overview, values.

Invariants: the model reads no pixels in the main thread, ever: its slice is the overview that
a worker brought, and everything else is drawn by the viewers' own visuals. The layer owns its
data, its overview and its settings.
"""

from __future__ import annotations

from collections.abc import Sequence
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
from napari_octree.layers.base.lazy_scalar_field import LazyScalarField
from napari_octree.layers.data.image_pyramid import ImagePyramid, PixelEdits
from napari_octree.layers.data.layer_levels import LayerLevels
from napari_octree.layers.data.saving import pixels_to_save
from napari_octree.layers.data.store_watch import StoreWatch
from napari_octree.layers.slices.background_pyramid import BackgroundPyramid
from napari_octree.layers.slices.octree_slice import OctreeSlice
from napari_octree.layers.slices.octree_slices import OctreeSlices
from napari_octree.layers.slices.overview import OverviewLoader
from napari_octree.layers.slices.slice_key import SliceKey
from napari_octree.layers.source import PLUGIN
from napari_octree.layers.values.hover import value_under
from napari_octree.layers.values.place import onto_plane, place_under
from napari_octree.layers.values.ray_value import ray_values
from napari_octree.layers.views.shown_level import ShownLevel
from napari_octree.layers.views.status import with_place, with_progress
from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.octree.cover.intersection import OctreeIntersection, intersect
from napari_octree.octree.transform import LevelTransform, infer_level_transforms
from napari_octree.octree.view import View, VolumeView
from napari_octree.sources.derived.cropped import CroppedArray
from napari_octree.sources.derived.reduction import Reduction
from napari_octree.sources.errors import SourceError
from napari_octree.sources.levels.reopen import can_be_reopened
from napari_octree.sources.protocol import LevelSource

LEAST_FOR_LARGE_TILES = 64 * 2**20
"""Bytes of the GPU's memory in which a tile as large as the canvas is no loss."""


class OctreeScalarField(ArrayAccess, LazyScalarField):
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
        return LayerLevels.of(data, fresh)

    _stock_type = "image"
    """The name of the type of stock layers that this one stands for."""

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
            large_tiles=self._config.memory.vram_bytes >= LEAST_FOR_LARGE_TILES,
        )
        former = self._slices
        self._slices = OctreeSlices(pyramid, self._loader, former if renewed else None)
        if former is not None:
            former.release()

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
        return OctreeLevels(levels.arrays, config, level_transforms)

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

    # ------------------------------------------------------------------ slices

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

    # ------------------------------------------------------------------ values

    def get_value(
        self,
        position: Any,
        *,
        view_direction: Any = None,
        dims_displayed: list[int] | None = None,
        world: bool = False,
    ) -> Any:
        """The value at a position, from RAM only; arguments as of `napari.layers.Layer`.

        Returns
        -------
        (int, value), or value
            With the level that it is of, or without where `data` is one array, as of a stock
            layer. The value is None outside of the image and where nothing is at hand yet.
        """
        if self.ndim == 2 and world and view_direction is not None and len(position) > 2:
            # napari takes the place under the cursor in the plane of the camera's focus.
            position = onto_plane(position, view_direction)
        return super().get_value(
            position, view_direction=view_direction, dims_displayed=dims_displayed, world=world
        )

    def _get_value(self, position: Sequence[float]) -> Any:
        """As napari's own, which calls this in a thread of its own."""
        level, value = self._value_at(position)
        self._value_level = -1 if value is None else level
        return value if self._hands_out_single else (level, value)

    def _value_at(self, position: Sequence[float]) -> tuple[int, Any]:
        """(level, value) under a position from RAM only: the finest level that is cached."""
        octree_slice = self.octree_slice
        if octree_slice is None:
            return (self.data_level, None)
        point = np.asarray(position, dtype=float)[-self.ndim :] + 0.5
        overview = self._overview_slicing.overview_of(octree_slice.key)
        found = value_under(
            octree_slice, self._loader.cache, point, overview, self.locked_data_level or 0
        )
        return (self.data_level, None) if found is None else found

    def get_status(self, *args: Any, **keywords: Any) -> dict[str, str]:
        """Status of a position, with how good the value is and how much is loaded."""
        status: dict[str, str] = super().get_status(*args, **keywords)
        octree_slice, level = self.octree_slice, self.data_level
        sampled = octree_slice is not None and octree_slice.is_sampled(level)
        progress = self._progress_events.progress
        coarser = bool(status["value"]) and self._value_level > level
        status = with_progress(status, coarser, progress, sampled, self._refined_share)
        return with_place(status, place_under(self, self._levels.sources[0], *args, **keywords))

    def _get_value_3d(
        self,
        start_point: np.ndarray | None,
        end_point: np.ndarray | None,
        dims_displayed: list[int],
    ) -> Any:
        """(level, value) of a line of sight, from RAM only: through the bricks that are shown.

        Without the level where `data` is one array.

        Points are in octree coordinates: napari has added half a pixel to those of the data.
        It calls this in a thread of its own.
        """
        octree_slice = self.octree_slice
        if start_point is None or end_point is None or octree_slice is None:
            return None
        axes = list(octree_slice.key.displayed)
        if len(axes) != 3 or not self._views:
            return None
        start, stop = (np.asarray(p, float)[axes] for p in (start_point, end_point))
        shown, failed = self._views[-1].shown_bricks, self._views[-1].failed_bricks
        values = ray_values(octree_slice, shown, self._loader.cache, start, stop, failed)
        value = self._calculate_value_from_ray(values)
        self._value_level = self.data_level
        if value is None or self._hands_out_single:
            return value
        return (self.data_level, value)

    # ---------------------------------------------------------- level and state

    @property
    def data_level(self) -> int:
        """The level that is ideal in the view drawn last (the coarsest before any).

        In a text it names all levels that a 3-D view shows, as "0–2".
        """
        if not self._views:
            return len(self._data) - 1
        view = self._views[-1]
        mixes = isinstance(view.view, VolumeView)
        return ShownLevel(view.level, view.levels if mixes else ())

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


def _tiling(config: OctreeConfig) -> tuple[Any, ...]:
    """What slices are made with."""
    octree = config.octree
    return octree.given_tile_size, octree.brick_size, octree.reduction


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
