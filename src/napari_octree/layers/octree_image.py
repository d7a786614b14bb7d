"""The napari layer: an `Image` whose picture comes tile by tile from an octree.

Invariants: the model reads no pixels in the main thread, ever: its slice is the overview that
a worker brought, and everything else is drawn by the viewers' own visuals, which attach
themselves here. The state of a view (camera, atlas) belongs to that visual; the layer owns its
data, its overview and its settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image
from napari.utils.notifications import show_warning

from napari_octree.config import OctreeConfig
from napari_octree.layers._napari import (
    OctreeLevels,
    register_add_method,
    register_layer_type,
    register_visual,
    variable_name,
)
from napari_octree.layers.data.background_pyramid import BackgroundPyramid
from napari_octree.layers.data.image_pyramid import ImagePyramid
from napari_octree.layers.data.store_watch import StoreWatch
from napari_octree.layers.image.lazy_image import LazyImage, limits_of_type
from napari_octree.layers.main_loop import MAIN_LOOP
from napari_octree.layers.slices.octree_slice import OctreeSlice
from napari_octree.layers.slices.octree_slices import OctreeSlices
from napari_octree.layers.slices.overview import OverviewLoader
from napari_octree.layers.slices.slice_key import SliceKey
from napari_octree.layers.values.hover import value_under
from napari_octree.layers.values.ray_value import ray_values
from napari_octree.layers.views.display_options import OctreeDisplayOptions
from napari_octree.layers.views.failure_reports import report_failures
from napari_octree.layers.views.octree_view import OctreeView, OctreeViews
from napari_octree.layers.views.plan_log import log_plans
from napari_octree.layers.views.progress import OctreeProgress
from napari_octree.layers.views.progress_events import ProgressEvents
from napari_octree.layers.views.statistics import OctreeStatistics
from napari_octree.layers.views.status import with_progress
from napari_octree.loading.loader import ChunkLoader, default_loader
from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.octree.cover.intersection import OctreeIntersection, intersect
from napari_octree.octree.transform import LevelTransform, infer_level_transforms
from napari_octree.octree.view import View
from napari_octree.sources import as_level_sources
from napari_octree.sources.errors import SourceError
from napari_octree.sources.protocol import LevelSource
from napari_octree.sources.reopen import can_be_reopened


class OctreeImage(LazyImage):
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
            limits = limits_of_type(sources[0].dtype)

        self._loader: ChunkLoader = default_loader(self._config)
        report_failures(self._loader)
        log_plans(self._config.octree.log_path)
        self._views = OctreeViews()
        self._growth = StoreWatch()
        self._sources = sources
        self._level_transforms = level_transforms
        self._slices: OctreeSlices | None = None
        self._overview: OverviewLoader | None = None
        self._background: BackgroundPyramid | None = None
        super().__init__(
            OctreeLevels(levels), multiscale=True, cache=False, contrast_limits=limits, **keywords
        )
        self._progress_events = ProgressEvents(self)
        self.events.contrast_limits.connect(self._stop_following)  # somebody has chosen
        self.display = OctreeDisplayOptions()
        self.display.events.connect(lambda _: self._views.request_frames())
        self._overview = OverviewLoader(self._loader, self._on_overview)
        if self._config.octree.background_pyramid:
            self._background = BackgroundPyramid(self._loader, self._on_refined)
        self._set_slices()
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

    def _set_slices(self) -> None:
        """Begin a new version of the data: nothing of the former is found any more."""
        shapes = [tuple(int(n) for n in shape) for shape in self.level_shapes]
        transforms = self._level_transforms or infer_level_transforms(shapes)
        if len(transforms) != len(shapes):
            raise ValueError(
                f"level_transforms has {len(transforms)} entries for {len(shapes)} levels"
            )
        pyramid = ImagePyramid(
            self._sources,
            tuple(transforms),
            bool(self.rgb),
            self._config.octree.tile_size,
            brick_size=self._config.octree.brick_size,
            blocks=self._loader.blocks,
            reduction=self._config.octree.reduction,
        )
        former, self._slices = self._slices, OctreeSlices(pyramid, self._loader)
        if former is not None:
            former.release()

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
        known = {source.storage.source_name for source in self._sources}
        if any(source.storage.source_name in known for source in sources):
            # Who assigns an array again, or another one in the same place, has changed its pixels.
            sources = self._renewed(levels)
        self._growth.close()
        self._sources = sources
        self._level_transforms = None
        self._overview_slicing.forget_overview()
        self._data = OctreeLevels(levels)
        self._set_slices()
        Image.data.fset(self, self._data)

    def reload(self) -> None:
        """Forget failed and loaded chunks of this layer, and read again what is in view.

        Data that have grown show their new shape: stores are asked for it in a thread of its own,
        and until they have answered the layer is not settled.
        """
        levels = [*self.data]
        if can_be_reopened(levels):
            self._growth.look(levels, self._reopened)
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
        self._growth.watch([*self.data], self._grown, interval_s)

    def _reopened(self, levels: list[Any] | None) -> None:
        self._growth.looked()
        self._show_anew([*self.data] if levels is None else levels)

    def _grown(self, levels: list[Any] | None) -> None:
        if levels is not None:
            self._show_anew(levels)

    def _show_anew(self, levels: list[Any]) -> None:
        """Show this layer's own levels, perhaps opened anew, forgetting what was loaded."""
        try:
            self._sources = self._renewed(levels)
        except SourceError as error:  # half written: some levels have grown, others not yet
            show_warning(f"{self.name}: {error}")
            return
        former = self.level_shapes
        self._data = OctreeLevels(levels)
        self._set_slices()
        if self._overview is not None:
            self._overview.forget()
        if not np.array_equal(former, self.level_shapes):
            Image.data.fset(self, self._data)
        self._on_slice_moved()
        self._views.request_frames()

    def _renewed(self, levels: list[Any]) -> tuple[LevelSource, ...]:
        """Return the levels' sources under new keys, and drop what is kept of them on disk."""
        sources = as_level_sources(levels, fresh=True)
        for source in sources:
            self._loader.forget(source.storage.key, source.storage.source_name)
        return sources

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

    def _on_slice_moved(self) -> None:
        if self._overview is not None:
            self._overview.request(self.octree_slice)
            self._tell_progress()

    def _use_idle_time(self, settled: bool) -> None:
        """Have coarser levels computed while nobody waits, if that is wished for."""
        if self._background is not None:
            idle = settled and not self._views.moving
            self._background.look(self.octree_slice if self._views else None, idle)

    def _on_refined(self) -> None:
        """Show the better overview, and have better tiles loaded."""
        if self._overview is not None:
            self._overview.forget()
            self._overview.request(self.octree_slice)
        self._views.request_frames()
        self._tell_progress()

    def _stop_following(self) -> None:
        self._follow_overview = False

    def _on_overview(self, key: SliceKey, overview: np.ndarray) -> None:
        octree_slice = self.octree_slice
        if octree_slice is None or octree_slice.key != key:
            return
        self._overview_slicing.show_overview(overview, key)
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
        overview = self._overview_slicing.overview_of(octree_slice.key)
        found = value_under(octree_slice, self._loader.cache, point, overview)
        return (self.data_level, None) if found is None else found

    def get_status(self, *args: Any, **keywords: Any) -> dict[str, str]:
        """Status of a position, with how good the value is and how much is loaded."""
        status: dict[str, str] = super().get_status(*args, **keywords)
        octree_slice, level = self.octree_slice, self.data_level
        sampled = octree_slice is not None and octree_slice.is_sampled(level)
        progress = self._progress_events.progress
        return with_progress(status, level, progress, sampled, self._refined_share)

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
        shown, failed = self._views[-1].shown_bricks, self._views[-1].failed_bricks
        values = ray_values(octree_slice, shown, self._loader.cache, start, stop, failed)
        value = self._calculate_value_from_ray(values)
        return None if value is None else (self.data_level, value)

    # ------------------------------------------------------------------- views

    def attach_view(self, view: OctreeView) -> None:
        """Count `view` in: it draws this layer in one viewer."""
        self._views.attach(view)
        self._tell_progress()

    def detach_view(self, view: OctreeView) -> None:
        """Forget `view`: its viewer has closed, or the layer was removed."""
        self._views.detach(view)
        self._tell_progress()

    def _tell_progress(self) -> None:
        """A view has changed: tell the listeners soon."""
        self._progress_events.tell()

    @property
    def data_level(self) -> int:
        """The level that is ideal in the view drawn last (the coarsest before any)."""
        return self._views[-1].level if self._views else len(self._data) - 1

    @property
    def settled(self) -> bool:
        """Every ideal chunk of the current view is drawn, in every viewer that shows the layer."""
        overview = self._overview
        if overview is None or not overview.settled or self._growth.looking:
            return False
        return not self.visible or self._views.settled

    @property
    def progress(self) -> OctreeProgress:
        """Chunks of the current view, summed over the viewers."""
        return self._views.progress

    @property
    def statistics(self) -> OctreeStatistics:
        """What has been counted so far."""
        counted = self._loader.statistics.as_dict()
        return OctreeStatistics(self._views.statistics, counted, self._refined_share)

    @property
    def _refined_share(self) -> float:
        return 1.0 if self._background is None else self._background.share

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
        self._views.request_frames()

        def done() -> bool:
            return self.settled or self._stuck

        MAIN_LOOP.run_until(done, timeout)
        self._progress_events.emit()  # listeners hear of it before the caller goes on
        return self.settled

    @property
    def _stuck(self) -> bool:
        overview = self._overview
        if overview is None or not (overview.settled or overview.failed):
            return False
        return self._views.stuck and not self._growth.looking

    @property
    def _awaited(self) -> bool:
        """Something is to come. While a view moves a sign that flickers would only be nervous."""
        return not (self.settled or self._stuck or self._views.moving)

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


def _add_octreeimage(viewer: ViewerModel, data: Any, **keywords: Any) -> OctreeImage:
    """Add `OctreeImage(data, **keywords)` to a viewer."""
    layer: OctreeImage = viewer.add_layer(OctreeImage(data, **keywords))
    return layer


register_layer_type(OctreeImage)
register_add_method(ViewerModel, "add_octreeimage", _add_octreeimage)
