"""StyledPoints: how a layer of points looks: sizes, colours, what is shown, densities.

Invariants: main thread. napari's own settings hold for the sample, which its controls work on;
`point_look` says the same of all points, as a value. What would be of single points is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.layers import Points
from napari.utils.colormaps.standardize_color import transform_color

from napari_octree.layers.points.colours import colour_of, known_values
from napari_octree.layers.points.point_look import PointFilter, PointLook, codes_of
from napari_octree.sources.points.feature import Feature
from napari_octree.sources.points.points_source import PointsSource, column_of

DENSITIES = ("auto", "off", "linear", "log")

_LOOKS = (
    "size",
    "symbol",
    "face_color",
    "border_color",
    "border_width",
    "border_width_is_relative",
    "antialiasing",
    "canvas_size_limits",
    "shading",
)


class StyledPoints(Points):
    """A layer of points whose look is that of all of them. To be named before napari's own."""

    _points: PointsSource
    _made: bool
    _size_feature: str | None = None
    _filter: PointFilter | None = None
    _look: PointLook | None = None
    _density = "auto"

    def _follow_looks(self) -> None:
        """Notice every change of what decides the look."""
        for name in _LOOKS:
            getattr(self.events, name).connect(self._on_look)
        for manager in (self._face, self._border):
            manager.events.connect(self._on_look)

    @property
    def point_look(self) -> PointLook:
        """How points are drawn: the same object until something changes."""
        if self._look is None:
            self._look = self._make_look()
        return self._look

    def _make_look(self) -> PointLook:
        feature = self._size_feature
        return PointLook(
            colour_of(self._face, self._feature_of("face")),
            colour_of(self._border, self._feature_of("border")),
            1.0 if feature is not None else float(self._current_size),
            None if feature is None else column_of(feature),
            str(self._symbol_of_all),
            float(self._current_border_width),
            bool(self.border_width_is_relative),
            float(self.antialiasing),
            tuple(self.canvas_size_limits),
            str(self.shading) == "spherical",
            self._filter,
        )

    def _on_look(self, event: Any = None) -> None:
        self._look = None
        if self._made:
            self.events.look()

    @property
    def _symbol_of_all(self) -> Any:
        return self._symbol[0] if len(self._symbol) else self._current_symbol

    def _feature_of(self, part: str) -> Feature | None:
        """The feature that faces or borders follow."""
        manager = getattr(self, f"_{part}")
        mode = str(getattr(manager.color_mode, "value", manager.color_mode))
        if mode == "direct" or manager.color_properties is None:
            return None
        return self._points.feature(manager.color_properties.name)

    def _set_colour(self, part: str, colour: Any, limits: Any = None) -> None:
        """Colour faces or borders: all alike, or by a feature."""
        manager = getattr(self, f"_{part}")
        feature = self._points.feature(colour) if isinstance(colour, str) else None
        if feature is None:
            if np.ndim(colour) > 1 and len(colour) > 1:
                raise TypeError(
                    f"{part}_color of each point cannot be held: name a feature, or one colour"
                )
            manager.color_mode = "direct"
            getattr(Points, f"{part}_color").fset(self, colour)
            if self._made:  # the swatch among the controls shows it
                manager.current_color = transform_color(colour)[0]
            self._on_look()
            return
        if feature.time is not None:
            raise TypeError(
                f"{self.name}: {feature.name!r} is of times: colours follow numbers and categories"
            )
        values = known_values(feature)
        # Else each category would get its colour when a sample happens to hold it.
        if values is not None and len(values):
            manager.categorical_colormap.map(values)
        # napari's own raises for categories while it maps numbers to colours.
        manager.color_mode = "direct"
        # Else it compares numbers with text, at which some versions of numpy (2.0.0, 2.1) raise.
        manager.color_properties = None
        getattr(Points, f"{part}_color").fset(self, colour)
        if str(getattr(manager.color_mode, "value", manager.color_mode)) == "colormap":
            known = (feature.low, feature.high)
            manager.contrast_limits = known if limits is None and np.isfinite(known[0]) else limits
        self._on_look()

    @property
    def face_color(self) -> np.ndarray:
        """(n, 4): colours of the sample's faces. Set one for all, or the name of a feature."""
        return self._face.colors

    @face_color.setter
    def face_color(self, colour: Any) -> None:
        self._set_colour("face", colour) if self._made else Points.face_color.fset(self, colour)

    @property
    def border_color(self) -> np.ndarray:
        """(n, 4): as `face_color`, of borders."""
        return self._border.colors

    @border_color.setter
    def border_color(self, colour: Any) -> None:
        if self._made:
            self._set_colour("border", colour)
        else:
            Points.border_color.fset(self, colour)

    @property
    def size(self) -> np.ndarray:
        """(n,): sizes of the sample. Set one for all in data units, or the name of a feature."""
        return self._size

    @size.setter
    def size(self, size: Any) -> None:
        if not self._made:
            Points.size.fset(self, size)
            return
        feature = None
        if isinstance(size, str):
            feature = self._points.feature(size)
            if feature is None or feature.is_category or feature.time is not None:
                raise ValueError(f"{self.name}: there is no feature {size!r} of numbers")
            sample = self._points.sample[column_of(size)].astype(float)
        else:
            values = np.unique(np.asarray(size, float))
            if len(values) != 1:
                raise TypeError(
                    "sizes of single points cannot be held: name a feature, or one size"
                )
            sample = values[0]
            self._current_size = float(values[0])
        self._size_feature = None if feature is None else feature.name
        Points.size.fset(self, sample)
        self.events.size()

    @property
    def border_width(self) -> np.ndarray:
        """(n,): border widths of the sample. Set one for all."""
        return self._border_width

    @border_width.setter
    def border_width(self, width: Any) -> None:
        values = np.unique(np.asarray(width, float))
        if len(values) == 1:
            self._current_border_width = float(values[0])
        elif self._made and len(self._data):
            raise TypeError("border widths of single points cannot be held: give one for all")
        Points.border_width.fset(self, width)

    @property
    def density(self) -> str:
        """How points are shown where they are denser than pixels, in flat views.

        "auto": those that are not drawn are an image under those that are, of the brightness that
        they would have; "off": they are not shown; "linear", "log": an image of densities alone,
        its opacity the number of points in a pixel's place, or its logarithm.
        """
        return self._density

    @density.setter
    def density(self, density: str) -> None:
        if density not in DENSITIES:
            raise ValueError(f"density is one of {', '.join(DENSITIES)}, not {density!r}")
        self._density = density
        self._on_look()

    @property
    def size_feature(self) -> str | None:
        """The feature that sizes follow."""
        return self._size_feature

    def colour_feature(self, part: str) -> str | None:
        """The feature that colours of the "face" or the "border" follow."""
        feature = self._feature_of(part)
        return None if feature is None else feature.name

    @property
    def shown_range(self) -> tuple[str, float, float] | None:
        """Which points are shown: (feature, least, greatest value), both included; None: all.

        Another range of the same feature uploads nothing. Hidden points count in the budget all
        the same: of a rare category few are seen from far away.
        """
        shown = self._filter
        return None if shown is None else (shown.feature, shown.low, shown.high)

    @shown_range.setter
    def shown_range(self, shown: tuple[str, float, float] | None) -> None:
        if shown is not None:
            name, low, high = shown
            feature = self._points.feature(name)
            if feature is None:
                raise ValueError(f"{self.name}: there is no feature {name!r}")
            ends = feature.number(low), feature.number(high)
            self._filter = PointFilter(name, *ends, feature.origin)
        else:
            self._filter = None
        self._on_look()

    @property
    def reach(self) -> float:
        """How far a point may be drawn around its position, in data units."""
        feature = None if self._size_feature is None else self._points.feature(self._size_feature)
        size = float(self._current_size) if feature is None else float(np.nan_to_num(feature.high))
        scale = np.abs(np.asarray(self.scale, float))
        return size / 2 * float(scale[-1] / scale.min()) if scale.min() else size / 2

    def show_categories(self, feature: str, wanted: Sequence[str]) -> None:
        """Show the points of some categories only, which must lie side by side in their order."""
        known = self._points.feature(feature)
        if known is None or not known.is_category:
            raise ValueError(f"{self.name}: there is no feature {feature!r} of categories")
        self.shown_range = (feature, *codes_of(known, wanted))
