"""The napari layer: `Points` whose picture comes node by node from a tree.

Invariants: the model holds a sample of the points, which napari's controls work on, and reads no
others in the main thread; what is drawn comes from the source through the loader. Main thread
only, unless a member says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Points
from napari.utils.events import Event
from napari.utils.notifications import show_warning

from napari_octree.config import OctreeConfig
from napari_octree.layers._napari import (
    LayerTypeName,
    register_add_method,
    register_layer_type,
    register_visual,
    variable_name,
    writer_that_asks,
)
from napari_octree.layers.base.octree_layer import OctreeLayer
from napari_octree.layers.points.background_index import index_in_background
from napari_octree.layers.points.copies import copied_state, features_of, points_to_save
from napari_octree.layers.points.given_points import GivenPoints
from napari_octree.layers.points.hovered_points import HoveredPoints
from napari_octree.layers.points.read_only_points import ReadOnlyPoints
from napari_octree.layers.points.slab import Slab
from napari_octree.layers.points.styled_points import StyledPoints
from napari_octree.octree.view import View, VolumeView
from napari_octree.sources.points.points_source import POSITION, PointsSource


class OctreePoints(  # type: ignore[misc] # napari's types are not known here
    ReadOnlyPoints, StyledPoints, HoveredPoints, OctreeLayer, Points
):
    """A points layer for sets far larger than memory.

    Parameters
    ----------
    source : PointsSource or (N, D) array
        A set with its trees (see `open_points`), or points in memory: then a sample is shown at
        once, and the trees are made in a thread. Coordinates (…, z, y, x); points with one that
        is not finite are not shown.
    config : OctreeConfig, optional
    planes : tuple of int, optional
        Of points in memory: axes whose planes get a tree of their own (times, channels). Default:
        all before the last three, and others of whole numbers with enough points in each plane.
    features : DataFrame or mapping of str to (N,) array-like, optional
        Of points in memory: numbers, booleans, strings, categories or times.
    size : float, (N,) array or str
        Diameter in data units: of all points, of each in memory, or the name of a feature.
    symbol, border_width : one for all points
    face_color, border_color : colour or str
        One for all points, or the name of a feature.
    shown_range : (feature, least, greatest), optional
        Which points are shown.
    density : {"auto", "off", "linear", "log"}
        How points are shown where they are denser than pixels.
    **keywords
        The others of `napari.layers.Points`, but for what is of single points: `text`, `shown`.

    Raises
    ------
    SourceError
        These are no points.
    TypeError
        A keyword is given point by point.
    """

    def __init__(
        self,
        source: Any = None,
        config: OctreeConfig | None = None,
        *,
        planes: tuple[int, ...] | None = None,
        features: Any = None,
        properties: Any = None,
        size: Any = 10,
        face_color: Any = "white",
        border_color: Any = "dimgray",
        face_contrast_limits: tuple[float, float] | None = None,
        border_contrast_limits: tuple[float, float] | None = None,
        shown_range: tuple[str, float, float] | None = None,
        density: str = "auto",
        **keywords: Any,
    ) -> None:
        given = GivenPoints.of(source, features if features is not None else properties, planes)
        config = given.config if config is None else config
        given, size = given.with_sizes(size)
        _refuse_single(keywords)
        if keywords.get("name") is None:
            keywords["name"] = variable_name(source) or "OctreePoints"
        self._given = given
        self._points = first = given.first()
        self._indexing = False
        self._reloads = 0
        super().__init__(
            _sample_positions(first), config, features=_sample_table(first), **keywords
        )
        self._pick_from(first)
        self.events.add(look=Event)
        self._follow_looks()
        self._made = True
        self.size = size
        self._set_colour("face", face_color, face_contrast_limits)
        self._set_colour("border", border_color, border_contrast_limits)
        if shown_range is not None:
            self.shown_range = shown_range
        self.density = density
        register_visual()
        if not given.is_first_complete:
            self._indexing = True
            index_in_background(given.whole, self._on_index)

    # ------------------------------------------------------------------ the set

    @property
    def points_source(self) -> PointsSource:
        """The set as it is drawn."""
        return self._points

    @property
    def n_points(self) -> int:
        """Points of the whole set; `data` is a sample of them."""
        return self._points.total

    def _on_index(self, result: PointsSource | BaseException) -> None:
        self._indexing = False
        if isinstance(result, BaseException):
            show_warning(f"{self.name}: only a sample is shown: {result}")
        else:
            self._adopt(result)
        self.tell_progress()

    def _adopt(self, source: PointsSource) -> None:
        """Show this set from now on; its sample takes the place of the former."""
        former = {"face": self._feature_of("face"), "border": self._feature_of("border")}
        self._points = source
        self._pick_from(source)
        with self.events.blocker_all():
            self._set_data(_sample_positions(source))
            Points.features.fset(self, _sample_table(source))
        for part, feature in former.items():
            if feature is not None and source.feature(feature.name) is not None:
                manager = getattr(self, f"_{part}")
                limits = manager.contrast_limits
                known = (feature.low, feature.high)
                kept = None if limits is None or tuple(limits) == known else limits
                self._set_colour(part, feature.name, kept)
        self._look = None
        self._clear_extent()
        self.refresh()
        self.events.look()
        self._views.request_frames()

    def reload(self) -> None:
        """Forget failed and loaded nodes, and read again what is in view."""
        source = self._points
        for level in source.levels:
            self._loader.forget(level.storage.key, source.name)
        self._reloads += 1
        self._views.request_frames()

    @property
    def reloads(self) -> int:
        """How often `reload` was called: what was drawn before is no longer asked for."""
        return self._reloads

    # ----------------------------------------------------------------- slices

    @property
    def slab(self) -> Slab | None:
        """What the sliders choose (main thread)."""
        slices = self._slice_input
        ndim, displayed = self.ndim, tuple(int(axis) for axis in slices.displayed)
        hidden = [int(axis) for axis in slices.not_displayed]
        low, high, at = (np.full(ndim, v) for v in (-np.inf, np.inf, 0.0))
        mode = str(self.projection_mode)
        if hidden:
            point, left, right = self._data_slice[hidden].as_array()
            if mode == "none":
                left = right = np.zeros(len(hidden))
            first, last = point - np.asarray(left), point + np.asarray(right)
            first, last = np.minimum(first, last), np.maximum(first, last)
            thin = np.isclose(last, first)  # as napari's own: a data unit
            low[hidden] = np.where(thin, first - 0.5, first)
            high[hidden] = np.where(thin, last + 0.5, last)
            at[hidden] = point
            if not np.isfinite(at).all():
                return None
        rescale = {"rescale_linear": "linear", "rescale_spherical": "spherical"}.get(mode, "")
        return Slab(displayed, tuple(low), tuple(high), tuple(at), rescale if hidden else "")

    @property
    def _extent_data(self) -> np.ndarray:
        bounds: np.ndarray = self._points.table.bounds
        return bounds

    @property
    def _extent_data_augmented(self) -> np.ndarray:
        extent = self._extent_data.copy()
        extent[0] -= self.reach
        extent[1] += self.reach
        return extent

    _max_points_thumbnail = 1 << 20  # the sample is small: napari's own mixes up colours of more

    # ------------------------------------------------------------------ state

    @property
    def octree_slice(self) -> None:
        """None: this is no image."""
        return None

    @property
    def data_level(self) -> int:
        """How far the view drawn last is from the finest nodes; 0 is the finest."""
        return self._views[-1].level if self._views else 0

    @property
    def view(self) -> View | VolumeView | None:
        """What the view drawn last shows, in data coordinates; None before any."""
        return self._views[-1].view if self._views else None

    @property
    def _model_settled(self) -> bool:
        return not self._indexing

    @property
    def _model_at_rest(self) -> bool:
        return not self._indexing

    def as_layer_data_tuple(self) -> tuple[Any, dict[str, Any], str]:
        """Data, settings and type, from which `Layer.create` makes a copy.

        A writer gets all points, as of a stock layer.

        Raises
        ------
        NotSavedError
            A writer asks, and the points are too many or cannot be read.
        """
        if writer_that_asks() is not None:
            positions, state = points_to_save(self.name, self._points)
            return positions, self._get_base_state() | state, "points"
        state = self._get_base_state() | copied_state(self) | {"density": self._density}
        if self._filter is not None:
            state["shown_range"] = self.shown_range
        return replace(self._given, config=self.config), state, self._type_string

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        """For `copy.deepcopy` and pickles: a new layer of the same points and settings.

        Threads, views and listeners are not copied.
        """
        data, state, _ = self.as_layer_data_tuple()
        return _made_again, (type(self), data, state)

    @property
    def _type_string(self) -> str:
        return LayerTypeName("points", type(self).__name__.lower())


def _made_again(kind: type[OctreePoints], data: Any, state: dict[str, Any]) -> OctreePoints:
    return kind(data, **state)


def _refuse_single(keywords: Mapping[str, Any]) -> None:
    """Raise for keywords that are given point by point."""
    if keywords.get("text") is not None:
        raise TypeError("text of each point cannot be held: extract a region as Points")
    for name in ("shown", "symbol", "border_width"):
        value = keywords.get(name)
        if value is not None and np.ndim(value) and len(np.unique(np.asarray(value, object))) > 1:
            raise TypeError(f"{name} of single points cannot be held: give one for all points")


def _sample_positions(source: PointsSource) -> np.ndarray:
    return np.array(source.sample[POSITION], float).reshape(-1, source.ndim)


def _sample_table(source: PointsSource) -> Any:
    return features_of(source, source.sample)


def _add_octreepoints(viewer: ViewerModel, data: Any, **keywords: Any) -> OctreePoints:
    """Add `OctreePoints(data, **keywords)` to a viewer."""
    layer: OctreePoints = viewer.add_layer(OctreePoints(data, **keywords))
    return layer


register_layer_type(OctreePoints)
register_add_method(ViewerModel, "add_octreepoints", _add_octreepoints)
