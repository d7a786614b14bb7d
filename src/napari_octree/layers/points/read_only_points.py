"""ReadOnlyPoints: what of napari's points layer would change points, refused.

Invariants: scripts get an error that says what to do instead; buttons and keys a notice, and
nothing changes. What sets the look of new or selected points in napari sets that of all points.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Points
from napari.utils.notifications import show_info

REFUSED = (
    "{name} shows points where they are stored and cannot change them. To edit some of them, use "
    "Layers ▸ Data ▸ Extract region as Points: it makes a points layer of what is in a rectangle "
    "or in view."
)


FIXED = (
    "{name}: {what} cannot be set: they are stored with the points. Make a new layer, "
    "OctreePoints(positions, features=…), or extract a region as Points."
)

SINGLE = "{name}: {what} of single points cannot be held: extract a region as Points to have some."


class NotEditableError(TypeError):
    """A layer of points cannot be changed; the message says what can be done."""


class ReadOnlyPoints(Points):
    """A points layer that nobody can edit. To be named before napari's own among the bases."""

    _made = False  # what napari does while it makes the layer is allowed

    def _refusal(self) -> str:
        return REFUSED.format(name=self.name)

    def _refuse(self) -> None:
        raise NotEditableError(self._refusal())

    def add(self, coords: Any) -> None:
        """Refuse: see `NotEditableError`."""
        self._refuse()

    def remove(self, indices: Any) -> None:
        """Refuse: see `NotEditableError`."""
        self._refuse()

    def pop(self, index: int = -1) -> dict[str, Any]:
        """Refuse: see `NotEditableError`."""
        raise NotEditableError(self._refusal())

    @property
    def data(self) -> np.ndarray:
        """(n, D): positions of a random sample of the points."""
        return self._data

    @data.setter
    def data(self, data: Any) -> None:
        raise NotEditableError(FIXED.format(name=self.name, what="positions"))

    @property
    def features(self) -> Any:
        """A table of the sample's features."""
        return self._feature_table.values

    @features.setter
    def features(self, features: Any) -> None:
        raise NotEditableError(FIXED.format(name=self.name, what="features"))

    @property
    def shown(self) -> np.ndarray:
        """(n,): all of the sample. To show some points only, set `shown_range`."""
        return self._shown

    @shown.setter
    def shown(self, shown: Any) -> None:
        if not np.all(shown):
            raise NotEditableError(
                f"{self.name}: which points are shown follows a feature: set shown_range"
            )
        Points.shown.fset(self, True)

    @property
    def text(self) -> Any:
        """No text."""
        return self._text

    @text.setter
    def text(self, text: Any) -> None:
        if text is not None:
            raise NotEditableError(SINGLE.format(name=self.name, what="text"))

    @property
    def symbol(self) -> np.ndarray:
        """(n,): that of all points."""
        return self._symbol

    @symbol.setter
    def symbol(self, symbol: Any) -> None:
        several = np.ndim(symbol) and len({str(each) for each in symbol}) > 1
        if several and self._made:
            raise NotEditableError(SINGLE.format(name=self.name, what="symbols"))
        Points.symbol.fset(self, symbol[0] if np.ndim(symbol) and len(symbol) else symbol)
        if self._made and len(self._symbol):  # the controls show it
            self._current_symbol = self._symbol[0]
            self.events.current_symbol()

    def to_mask(self, **keywords: Any) -> np.ndarray:
        """Refuse: it would be that of a sample."""
        raise NotEditableError(SINGLE.format(name=self.name, what="masks"))

    def remove_selected(self) -> None:
        """Tell that it cannot be done: a key is bound to this."""
        show_info(self._refusal())

    def _move(self, selection_indices: Any, position: Any) -> None:
        show_info(self._refusal())

    def _paste_data(self) -> None:
        show_info(self._refusal())

    @property
    def editable(self) -> bool:
        """False, whatever it is set to: napari's controls set it with the displayed axes."""
        return False

    @editable.setter
    def editable(self, editable: bool) -> None:
        self._editable = False

    def _mode_setter_helper(self, mode: Any) -> Any:
        wanted = self._modeclass(mode)
        if wanted.name in ("ADD", "SELECT"):
            show_info(self._refusal())
            return super()._mode_setter_helper("pan_zoom")
        return super()._mode_setter_helper(mode)

    @property
    def selected_data(self) -> Any:
        """Nothing can be selected."""
        return self._selected_data

    @selected_data.setter
    def selected_data(self, selected: Any) -> None:
        if len(selected):
            show_info(self._refusal())

    # ------------------------- what is of new points in napari, of all of them here

    @property
    def current_size(self) -> Any:
        """Size of all points, in data units."""
        return self._current_size

    @current_size.setter
    def current_size(self, size: Any) -> None:
        size = size[-1] if isinstance(size, list | tuple | np.ndarray) else size
        if size < 0:
            raise ValueError("current_size value must be positive.")
        self._current_size = float(size)
        self.size = self._current_size
        self.events.current_size()

    @property
    def current_symbol(self) -> Any:
        """Symbol of all points."""
        return self._current_symbol

    @current_symbol.setter
    def current_symbol(self, symbol: Any) -> None:
        former = getattr(self, "_current_symbol", None)
        Points.current_symbol.fset(self, symbol)
        if self._made and self._current_symbol != former:
            self.symbol = self._current_symbol

    @property
    def current_face_color(self) -> str:
        """Colour of all faces, unless they follow a feature."""
        return str(Points.current_face_color.fget(self))

    @current_face_color.setter
    def current_face_color(self, colour: Any) -> None:
        Points.current_face_color.fset(self, colour)
        if self._made:
            self.face_color = colour

    @property
    def current_border_color(self) -> str:
        """Colour of all borders, unless they follow a feature."""
        return str(Points.current_border_color.fget(self))

    @current_border_color.setter
    def current_border_color(self, colour: Any) -> None:
        Points.current_border_color.fset(self, colour)
        if self._made:
            self.border_color = colour

    @property
    def current_border_width(self) -> Any:
        """Width of all borders."""
        return self._current_border_width

    @current_border_width.setter
    def current_border_width(self, width: Any) -> None:
        Points.current_border_width.fset(self, width)
        if self._made:
            self.border_width = width
