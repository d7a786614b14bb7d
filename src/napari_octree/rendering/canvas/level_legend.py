"""Which colour means which level: a legend in the corner of a view box, while tiles are coloured.

Invariants: one legend per view box, however many layers are coloured in it; it names the levels
that are drawn, and is part of screenshots and exports, as the colours are. GUI thread only.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

import numpy as np
from vispy.scene.visuals import create_visual_node
from vispy.visuals import CompoundVisual
from vispy.visuals.markers import MarkersVisual
from vispy.visuals.text import TextVisual

from napari_octree.rendering import _vispy
from napari_octree.rendering.canvas.viewbox_overlay import one_per_viewbox
from napari_octree.rendering.gpu.node_matrices import viewbox_of
from napari_octree.rendering.level_colours import level_colours

SIZE, STEP, INSET = 18, 24, 22
"""Side of a square, from one to the next, and from the upper left corner: logical pixels."""

TEXT_POINTS = 9


class LevelLegendVisual(CompoundVisual):
    """Squares in the levels' colours, each with its number in it."""

    def __init__(self) -> None:
        self._levels: dict[weakref.ref[Any], tuple[int, ...]] = {}
        self._drawn: tuple[int, ...] = ()
        self._squares = MarkersVisual(pos=np.zeros((1, 2)), size=SIZE, symbol="square")
        self._numbers = TextVisual("", bold=True, font_size=TEXT_POINTS)
        super().__init__([self._squares, self._numbers])
        self.set_gl_state("translucent", depth_test=False)

    def tell(self, owner: object, levels: Iterable[int] | None) -> tuple[int, int] | None:
        """Note which levels `owner` colours; None for none.

        Returns
        -------
        (int, int) or None
            Its number, from 1, among those that colour levels, and how many there are.
        """
        key = weakref.ref(owner)
        if levels is None:
            self._levels.pop(key, None)
            return None
        self._levels[key] = tuple(levels)
        for gone in [known for known in self._levels if known() is None]:
            del self._levels[gone]
        return list(self._levels).index(key) + 1, len(self._levels)

    @property
    def levels(self) -> tuple[int, ...]:
        """Those that are named."""
        return tuple(sorted({level for levels in self._levels.values() for level in levels}))

    def _compute_bounds(self, axis: int, view: Any) -> None:
        return None

    def _prepare_draw(self, view: Any) -> Any:
        levels = self.levels
        if not levels or viewbox_of(self) is None:
            return False
        if levels != self._drawn:
            self._drawn = levels
            colours = level_colours(np.array(levels))
            places = np.full((len(levels), 2), float(INSET))
            places[:, 0] += STEP * np.arange(len(levels))
            self._squares.set_data(
                pos=places,
                size=SIZE,
                symbol="square",
                edge_width=1,
                edge_color="black",
                face_color=colours,
            )
            self._numbers.text = [str(level) for level in levels]
            self._numbers.pos = places
            self._numbers.color = [_readable_on(colour) for colour in colours]
        return super()._prepare_draw(view)


def _readable_on(colour: np.ndarray) -> str:
    """Black or white, whichever is further from a colour in brightness."""
    return "black" if colour @ (0.299, 0.587, 0.114) > 0.45 else "white"


LevelLegend = create_visual_node(LevelLegendVisual)

legend_of = one_per_viewbox(LevelLegend)
"""The legend of a view box, made when first asked for (not within a draw)."""


class LevelNotice:
    """Has the levels that one view colours named in the legend of its view box.

    Attributes
    ----------
    legend : LevelLegend or None
        Made when it is first needed.
    """

    def __init__(self) -> None:
        self.legend: Any = None
        self._node: Any = None

    def show(self, node: Any, levels: tuple[int, ...]) -> tuple[int, int]:
        """Name levels of a node that is being drawn.

        Returns
        -------
        (int, int)
            As of `LevelLegendVisual.tell`.
        """
        self._node = node
        if self.legend is None:
            # Outside of a draw, which may not change what there is to draw.
            _vispy.when_idle(node.canvas, self._make)
        return self.tell(levels) or (1, 1)

    def tell(self, levels: tuple[int, ...]) -> tuple[int, int] | None:
        """Name other levels, if there is a legend."""
        return None if self.legend is None else self.legend.tell(self, levels)

    def hide(self) -> None:
        """Name none."""
        self._node = None
        if self.legend is not None:
            self.legend.tell(self, None)

    def _make(self) -> None:
        viewbox = None if self._node is None else viewbox_of(self._node)
        if viewbox is not None and self.legend is None:
            self.legend = legend_of(viewbox)
            self._node.update()
