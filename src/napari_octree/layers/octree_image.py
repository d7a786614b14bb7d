"""The napari layer: an `Image` whose picture comes tile by tile from an octree.

Invariants: the model reads no pixels in the main thread, ever: its slice is the overview that
a worker brought, and everything else is drawn by the viewers' own visuals, which attach
themselves here. The state of a view (camera, atlas) belongs to that visual; the layer owns its
data, its overview and its settings.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from typing import Any, Literal, Protocol, cast

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image
from napari.utils.events import Event
from napari.utils.notifications import show_warning

from napari_octree.config import OctreeConfig
from napari_octree.layers._napari import (
    OctreeHistogram,
    OctreeLevels,
    OverviewSlicingState,
    calc_data_range,
    get_dtype_limits,
    normalize_dtype,
    register_add_method,
    register_layer_type,
    register_visual,
    variable_name,
)
from napari_octree.layers.data_lease import DataLease
from napari_octree.layers.display_options import OctreeDisplayOptions
from napari_octree.layers.failure_reports import report_failures
from napari_octree.layers.growth import GrowthWatch
from napari_octree.layers.hover import value_under
from napari_octree.layers.main_loop import MAIN_LOOP
from napari_octree.layers.octree_slice import ImagePyramid, OctreeSlice
from napari_octree.layers.overview import OverviewLoader
from napari_octree.layers.progress import OctreeProgress
from napari_octree.layers.ray_value import ray_values
from napari_octree.layers.slice_key import SliceKey
from napari_octree.layers.statistics import OctreeStatistics, ViewStatistics
from napari_octree.loading.loader import ChunkLoader, default_loader
from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.octree.intersection import OctreeIntersection, intersect
from napari_octree.octree.transform import LevelTransform, infer_level_transforms
from napari_octree.octree.view import View
from napari_octree.sources import as_level_sources
from napari_octree.sources.errors import SourceError
from napari_octree.sources.reopen import can_be_reopened

_VERSIONS = itertools.count()


class OctreeView(Protocol):
    """What a viewer's visual tells the layer."""

    @property
    def settled(self) -> bool:
        """Every ideal chunk of the view is drawn."""
        ...

    @property
    def stuck(self) -> bool:
        """Nothing more will come by itself, though it is not settled: reads have failed."""
        ...

    @property
    def progress(self) -> OctreeProgress:
        """Chunks of the view."""
        ...

    @property
    def statistics(self) -> ViewStatistics:
        """Counts so far."""
        ...

    @property
    def level(self) -> int:
        """The ideal level."""
        ...

    @property
    def shown_bricks(self) -> Collection[ChunkKey]:
        """What a 3-D view shows of the current slice (any thread)."""
        ...

    @property
    def moving(self) -> bool:
        """The view is being moved right now."""
        ...

    def request_frame(self) -> None:
        """Draw again soon."""
        ...


class OctreeImage(Image):
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
        self._config = config if config is not None else OctreeConfig.from_environment()
        levels = _as_levels(data)
        sources = as_level_sources(levels)
        if keywords.get("name") is None:
            keywords["name"] = variable_name(data)
        keywords.pop("multiscale", None)
        keywords.pop("cache", None)
        limits = keywords.pop("contrast_limits", None)
        self._follow_overview = limits is None and sources[0].dtype != np.uint8
        if limits is None:
            limits = _type_limits(sources[0].dtype)

        self._loader: ChunkLoader = default_loader(self._config)
        report_failures(self._loader)
        self._views: list[OctreeView] = []
        self._overview: OverviewLoader | None = None
        self._sources = sources
        self._level_transforms = level_transforms
        self._pyramid: ImagePyramid | None = None
        self._lease: DataLease | None = None
        self._octree_slices: dict[SliceKey, OctreeSlice] = {}
        self._was_settled = False
        self._last_progress = OctreeProgress()
        self._told_level = -1
        self._reopening: GrowthWatch | None = None
        self._watching: GrowthWatch | None = None
        super().__init__(
            OctreeLevels(levels), multiscale=True, cache=False, contrast_limits=limits, **keywords
        )
        self.events.add(settled=Event, progress=Event)
        self.events.contrast_limits.connect(self._stop_following)  # somebody has chosen
        self.display = OctreeDisplayOptions()
        self.display.events.connect(lambda _: self._request_frames())
        self._overview = OverviewLoader(self._loader, self._on_overview)
        self._set_pyramid()
        register_visual()
        self._on_slice_moved()

    # ------------------------------------------------------------------ data

    @property
    def config(self) -> OctreeConfig:
        """The settings this layer was made with."""
        return self._config

    @property
    def loader(self) -> ChunkLoader:
        """The process's loader."""
        return self._loader

    @property
    def _colour_axis(self) -> tuple[int, ...]:
        return tuple(self._data.shape[-1:]) if self.rgb else ()

    def _set_pyramid(self) -> None:
        shapes = [tuple(int(n) for n in shape) for shape in self.level_shapes]
        transforms = self._level_transforms or infer_level_transforms(shapes)
        if len(transforms) != len(shapes):
            raise ValueError(
                f"level_transforms has {len(transforms)} entries for {len(shapes)} levels"
            )
        self._version = next(_VERSIONS)
        self._octree_slices.clear()
        former, self._lease = self._lease, DataLease(self._loader)
        self._lease.use(source.storage.key for source in self._sources)
        if former is not None:
            former.release()
        self._pyramid = ImagePyramid(
            self._sources,
            tuple(transforms),
            bool(self.rgb),
            self._config.octree.tile_size,
            brick_size=self._config.octree.brick_size,
            blocks=self._loader.blocks,
        )

    @property
    def data(self) -> OctreeLevels:
        """The levels, finest first."""
        return self._data

    @data.setter
    def data(self, data: Any) -> None:
        levels = _as_levels(data)
        sources = as_level_sources(levels)
        if self.rgb and sources[0].shape[-1] not in (3, 4):
            raise ValueError(
                f"an RGB layer needs a last axis of 3 or 4, the new data has {sources[0].shape}"
            )
        self._stop_looking()
        self._sources = sources
        self._level_transforms = None
        cast(OverviewSlicingState, self._slicing_state)._overview = None
        self._data = OctreeLevels(levels)
        self._set_pyramid()
        Image.data.fset(self, self._data)

    def reload(self) -> None:
        """Forget failed and loaded chunks of this layer, and read again what is in view.

        Data that have grown show their new shape: stores are asked for it in a thread of its own,
        and until they have answered the layer is not settled.
        """
        levels = [*self.data]
        if can_be_reopened(levels):
            self._reopening = GrowthWatch(levels, self._reopened)
            self._tell_progress()
        else:
            self._show_anew(levels)

    def watch(self, interval_s: float | None) -> None:
        """Look every so many seconds whether the data have grown, and show what is new.

        Parameters
        ----------
        interval_s : float or None
            None: look no more.
        """
        if self._watching is not None:
            self._watching.close()
        self._watching = None
        if interval_s is not None:
            self._watching = GrowthWatch([*self.data], self._grown, interval_s)

    def _reopened(self, levels: list[Any] | None) -> None:
        self._reopening = None
        self._show_anew([*self.data] if levels is None else levels)

    def _grown(self, levels: list[Any] | None) -> None:
        if levels is not None:
            self._show_anew(levels)

    def _stop_looking(self) -> None:
        for look in (self._reopening, self._watching):
            if look is not None:
                look.close()
        self._reopening = self._watching = None

    def _show_anew(self, levels: list[Any]) -> None:
        """Show this layer's own levels, perhaps opened anew, forgetting what was loaded."""
        try:
            self._sources = as_level_sources(levels, fresh=True)
        except SourceError as error:  # half written: some levels have grown, others not yet
            show_warning(f"{self.name}: {error}")
            return
        former = self.level_shapes
        self._data = OctreeLevels(levels)
        self._set_pyramid()
        if self._overview is not None:
            self._overview.forget()
        if not np.array_equal(former, self.level_shapes):
            Image.data.fset(self, self._data)
        self._on_slice_moved()
        self._request_frames()

    # ------------------------------------------------- slicing without reading

    def _get_layer_slicing_state(self, data: Any, cache: bool) -> OverviewSlicingState:
        return OverviewSlicingState(self, data, cache)

    def _reset_thumbnail_level_data(self) -> None:
        # Stock materialises a whole level here, in the main thread.
        self._thumbnail_level = len(self._data) - 1
        self._level_materializer = None

    def _update_level_and_corners(self, *args: Any) -> None:
        """Leave level and tiles to the visuals: stock would slice in the middle of a draw."""

    def _calc_data_range(self, mode: Literal["data", "slice"] = "data") -> tuple[float, float]:
        low, high = calc_data_range(self._slice.image.raw, rgb=self.rgb, dtype=self.dtype)
        return low, high

    def _update_thumbnail(self) -> None:
        """As napari's own, which raises where no value of the type is within the limits."""
        low, high = self.contrast_limits
        if not self.rgb and np.issubdtype(self.dtype, np.integer):
            type_low, type_high = _type_limits(self.dtype)
            if low > type_high or high < type_low:
                colour = self.colormap.map([0.0 if low > type_high else 1.0])
                self.thumbnail = np.broadcast_to(colour, self._thumbnail_shape)
                return
        super()._update_thumbnail()

    def _display_bounding_box_augmented_data_level(self, dims_displayed: list[int]) -> np.ndarray:
        # The nodes are in level-0 coordinates whatever the level.
        return self._extent_data_augmented[:, dims_displayed].T

    @property
    def histogram(self) -> OctreeHistogram:
        """Histogram of the overview."""
        if not hasattr(self, "_histogram"):
            self._histogram = OctreeHistogram(self)
        return self._histogram

    @property
    def octree_slice(self) -> OctreeSlice | None:
        """The slice that the sliders name, or None where it lies outside the data."""
        if self._pyramid is None:
            return None
        key = cast(OverviewSlicingState, self._slicing_state).slice_key(
            self._version, self._pyramid.shapes[0], str(self.projection_mode)
        )
        if key is None:
            return None
        found = self._octree_slices.get(key)
        if found is None:
            like = (s for s in self._octree_slices.values() if s.key.displayed == key.displayed)
            alike = next(like, None)
            found = OctreeSlice(self._pyramid, key) if alike is None else alike.at(key)
            self._octree_slices[key] = found
            while len(self._octree_slices) > 8:  # a few, for viewers at different slices
                del self._octree_slices[next(iter(self._octree_slices))]
            if self._lease is not None:
                self._lease.use(source.storage.key for source in found.sources)
        return found

    def _on_slice_moved(self) -> None:
        if self._overview is not None:
            self._overview.request(self.octree_slice)
            self._tell_progress()

    def _stop_following(self) -> None:
        self._follow_overview = False

    def _on_overview(self, key: SliceKey, overview: np.ndarray) -> None:
        octree_slice = self.octree_slice
        if octree_slice is None or octree_slice.key != key:
            return
        cast(OverviewSlicingState, self._slicing_state).show_overview(overview, key)
        if self._follow_overview:
            self._follow_overview = False
            self.reset_contrast_limits_range()
            self.reset_contrast_limits()
        elif self.auto_contrast:
            self.reset_contrast_limits()
        self._update_thumbnail()
        self.events.set_data()
        self._tell_progress()

    # ------------------------------------------------------------------ values

    def _get_value(self, position: Sequence[float]) -> tuple[int, Any]:
        """(level, value) under a position from RAM only: the finest level that is cached.

        napari calls this in a thread of its own.
        """
        octree_slice = self.octree_slice
        if octree_slice is None:
            return (self.data_level, None)
        point = np.asarray(position, dtype=float)[-self.ndim :] + 0.5
        state = cast(OverviewSlicingState, self._slicing_state)
        overview = state.overview_of(octree_slice.key)
        found = value_under(octree_slice, self._loader.cache, point, overview)
        return (self.data_level, None) if found is None else found

    def get_status(self, *args: Any, **keywords: Any) -> dict[str, str]:
        """Status of a position, with how good the value is and how much is loaded."""
        status: dict[str, str] = super().get_status(*args, **keywords)
        if status["value"]:
            level, _, value = status["value"].partition(", ")
            progress = self._last_progress
            if value and level.isdigit() and int(level) > self.data_level:
                status["value"] += " (coarser)"
            if progress.loading:
                share = progress.resident / progress.ideal
                status["value"] += f" [{share:.0%} loaded]"
            status["coordinates"] = ": ".join((status["coords"], status["value"]))
        return status

    def _get_value_3d(
        self,
        start_point: np.ndarray | None,
        end_point: np.ndarray | None,
        dims_displayed: list[int],
    ) -> tuple[int, Any] | None:
        """(level, value) of a line of sight, from RAM only: through the bricks that are shown.

        Points are in data coordinates. napari calls this in a thread of its own.
        """
        octree_slice = self.octree_slice
        if start_point is None or end_point is None or octree_slice is None:
            return None
        axes = list(octree_slice.key.displayed)
        if len(axes) != 3 or not self._views:
            return None
        start, stop = (np.asarray(p, float)[axes] + 0.5 for p in (start_point, end_point))
        shown = self._views[-1].shown_bricks
        values = ray_values(octree_slice, shown, self._loader.cache, start, stop)
        value = self._calculate_value_from_ray(values)
        return None if value is None else (self.data_level, value)

    # ------------------------------------------------------------------- views

    def attach_view(self, view: OctreeView) -> None:
        """Count `view` in: it draws this layer in one viewer."""
        self._views.append(view)
        self._tell_progress()

    def detach_view(self, view: OctreeView) -> None:
        """Forget `view`: its viewer has closed, or the layer was removed."""
        if view in self._views:
            self._views.remove(view)
            self._tell_progress()

    def _request_frames(self) -> None:
        for view in self._views:
            view.request_frame()

    def _tell_progress(self) -> None:
        """Emit the events outside of the draw path, where listeners may do as they please."""
        MAIN_LOOP.post(self._emit_progress)

    def _emit_progress(self) -> None:
        settled, progress = self.settled, self.progress
        if progress != self._last_progress:
            self._last_progress = progress
            self.events.progress(value=progress)
        if settled != self._was_settled:
            self._was_settled = settled
            self.events.settled(value=settled)
        # While the view moves a sign that comes and goes would only be nervous.
        awaited = not (settled or self._stuck or any(view.moving for view in self._views))
        state = cast(OverviewSlicingState, self._slicing_state)
        if awaited != state.awaited:
            state.awaited = awaited
            self.events.loaded()
        if settled and self.data_level != self._told_level:
            self._told_level = self.data_level
            self.events.set_data()  # napari's layer controls show the level

    @property
    def data_level(self) -> int:
        """The level that is ideal in the view drawn last (the coarsest before any)."""
        return self._views[-1].level if self._views else len(self._data) - 1

    @property
    def settled(self) -> bool:
        """Every ideal chunk of the current view is drawn, in every viewer that shows the layer."""
        overview = self._overview
        if overview is None or not overview.settled or self._reopening is not None:
            return False
        return not self.visible or all(view.settled for view in self._views)

    @property
    def progress(self) -> OctreeProgress:
        """Chunks of the current view, summed over the viewers."""
        return sum((view.progress for view in self._views), OctreeProgress())

    @property
    def statistics(self) -> OctreeStatistics:
        """What has been counted so far."""
        return OctreeStatistics(
            views=tuple(view.statistics for view in self._views),
            loader=self._loader.statistics.as_dict(),
        )

    def wait_until_settled(self, timeout: float = 30) -> bool:
        """Run the event loop until the layer is settled.

        For scripts, screenshots and tests; main thread only.

        Parameters
        ----------
        timeout : float
            Seconds.

        Returns
        -------
        bool
            Whether it is settled. False early where reads have failed and nothing more
            will come: see `progress.failed`.
        """
        self._request_frames()

        def done() -> bool:
            return self.settled or self._stuck

        MAIN_LOOP.run_until(done, timeout)
        self._emit_progress()  # listeners hear of it before the caller goes on
        return self.settled

    @property
    def _stuck(self) -> bool:
        overview = self._overview
        if overview is None or not (overview.settled or overview.failed):
            return False
        if self._reopening is not None:
            return False
        return all(view.settled or view.stuck for view in self._views)

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

    def as_layer_data_tuple(self) -> tuple[Any, dict[str, Any], str]:
        """Levels, settings and type, from which `Layer.create` makes a copy.

        The type is this class's own: as 'image', Duplicate would make a stock layer, which
        reads in the main thread.
        """
        data, state, _ = super().as_layer_data_tuple()
        state["config"] = self._config
        state["level_transforms"] = self._level_transforms
        return data, state, type(self).__name__.lower()

    @property
    def _type_string(self) -> str:
        return "image"  # icon, context menus and writers of images


def _as_levels(data: Any) -> list[Any]:
    """A list of levels from whatever a person passes."""
    if isinstance(data, (list, tuple, OctreeLevels)):
        return list(data)
    if not hasattr(data, "shape") and hasattr(data, "__iter__"):
        return list(data)
    return [data]


def _type_limits(dtype: np.dtype) -> tuple[float, float]:
    """Contrast limits to begin with: what the type can hold, (0, 1) for floats."""
    dtype = np.dtype(normalize_dtype(dtype))
    if np.issubdtype(dtype, np.integer):
        low, high = get_dtype_limits(dtype)
        return low, high
    return 0, 1


def _add_octreeimage(viewer: ViewerModel, data: Any, **keywords: Any) -> OctreeImage:
    """Add `OctreeImage(data, **keywords)` to a viewer."""
    layer: OctreeImage = viewer.add_layer(OctreeImage(data, **keywords))
    return layer


register_layer_type(OctreeImage)
register_add_method(ViewerModel, "add_octreeimage", _add_octreeimage)
