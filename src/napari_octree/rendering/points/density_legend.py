"""What an image of densities means: a bar from none to the most, in the corner of a view box.

Invariants: GUI thread only. One legend per view box; it is drawn while a layer of the box shows an
image of densities in place of points, in screenshots too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from vispy.scene.visuals import create_visual_node
from vispy.visuals import CompoundVisual
from vispy.visuals.markers import MarkersVisual
from vispy.visuals.text import TextVisual

from napari_octree.rendering import _vispy
from napari_octree.rendering.canvas.viewbox_overlay import one_per_viewbox
from napari_octree.rendering.gpu.node_matrices import viewbox_of

STEPS, STEP = 16, 6
"""Squares of the bar, and their side in logical pixels."""

INSET, ABOVE = 14, 44
"""From the left, and from the bottom: above the sign that something loads."""

TEXT_POINTS = 8


@dataclass(frozen=True)
class DensityScale:
    """What the brightest place of an image stands for.

    Attributes
    ----------
    mode : {"linear", "log"}
    most : float
        Points in a cell.
    side : float
        Of a cell, in data units.
    colour : three floats
    """

    mode: str
    most: float
    side: float
    colour: tuple[float, ...]

    @property
    def text(self) -> str:
        """What the legend says."""
        scale = "density, log scale" if self.mode == "log" else "density"
        return f"{scale}: 0 – {self.most:,.6g} points in {self.side:.3g} × {self.side:.3g}"


class DensityLegendVisual(CompoundVisual):
    """The bar and its text."""

    def __init__(self) -> None:
        self._scales: WeakKeyDictionary[object, DensityScale] = WeakKeyDictionary()
        self._drawn: Any = None
        self._bar = MarkersVisual(pos=np.zeros((1, 2)), size=STEP, symbol="square")
        self._text = TextVisual("", font_size=TEXT_POINTS, anchor_x="left", anchor_y="center")
        super().__init__([self._bar, self._text])
        self.set_gl_state("translucent", depth_test=False)

    def tell(self, owner: object, scale: DensityScale | None) -> None:
        """Note what `owner` shows; None: no image of densities."""
        if scale is None:
            self._scales.pop(owner, None)
        else:
            self._scales[owner] = scale

    @property
    def text(self) -> str:
        """What it says: of the layer that was told last."""
        scales = list(self._scales.values())
        return scales[-1].text if scales else ""

    def _compute_bounds(self, axis: int, view: Any) -> None:
        return None

    def _prepare_draw(self, view: Any) -> Any:
        viewbox, scales = viewbox_of(self), list(self._scales.values())
        if not scales or viewbox is None:
            return False
        height = float(viewbox.rect.size[1])
        if (height, scales[-1]) != self._drawn:
            self._drawn = (height, scales[-1])
            y = height - ABOVE
            places = np.full((STEPS, 2), y)
            places[:, 0] = INSET + STEP * np.arange(STEPS)
            shades = np.ones((STEPS, 4))
            part = np.linspace(0, 1, STEPS)[:, np.newaxis]
            shades[:, :3] = 0.15 * (1 - part) + np.array(scales[-1].colour[:3]) * part
            self._bar.set_data(
                pos=places, size=STEP, symbol="square", edge_width=0, face_color=shades
            )
            self._text.text = scales[-1].text
            self._text.pos = (INSET + STEP * (STEPS + 1), y)
            self._text.color = (0.7, 0.7, 0.7, 1)  # to be read on black and on white
        return super()._prepare_draw(view)


DensityLegend = create_visual_node(DensityLegendVisual)

density_legend_of = one_per_viewbox(DensityLegend)
"""The legend of a view box, made when first asked for (not within a draw)."""


class DensityNotice:
    """Has the legend drawn for one view."""

    def __init__(self) -> None:
        self._legend: Any = None
        self._scale: DensityScale | None = None
        self._node: Any = None

    def report(self, node: Any, scale: DensityScale | None) -> None:
        """Tell in a draw what a view shows."""
        self._scale = scale
        if self._legend is not None:
            self._legend.tell(self, scale)
        elif scale is not None:
            self._node = node
            _vispy.when_idle(node.canvas, self._make)

    def _make(self) -> None:
        # Outside of a draw, which may not change what there is to draw.
        viewbox = None if self._node is None else viewbox_of(self._node)
        if viewbox is not None and self._legend is None and self._scale is not None:
            self._legend = density_legend_of(viewbox)
            self._legend.tell(self, self._scale)
            self._node.update()

    def close(self) -> None:
        """The view shows nothing any more."""
        self._scale = self._node = None
        if self._legend is not None:
            self._legend.tell(self, None)
