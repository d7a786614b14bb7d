"""Switches of a layer's drawing and loading.

Invariants: GUI thread; a switch shows what the layer has, and what is switched is set on all
layers that are followed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.layers import Image
from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_octree.layers.base.octree_layer import OctreeLayer
from napari_octree.layers.base.octree_scalar_field import OctreeScalarField
from napari_octree.rendering.level_colours import LEVEL_COLOURS, colour_name

# Letters of napari's menus (File, View, Layers, Plugins, Window, Help) are not used for keys in a
# dock: both would then only get the focus.
CHECKS = (
    ("show_grid", "Tile &grid", "Draw the borders of the tiles"),
    ("tint_levels", "Colour &by level", "Mark every tile by the level it shows"),
    ("track_view", "Follow &the camera", "Off: keep the tiles of the view as it was"),
    ("freeze_level", "Free&ze the level", "Keep the present level whatever the zoom"),
    ("keep_slice", "&Keep the former slice", "Until something of the new one can be shown"),
)

CHOICES = (
    ("policy", "L&oad", "What is read first, and what is read ahead",
     (("explore", "for exploring"), ("play", "for playing a slider"),
      ("quality", "only what is in view"))),
    ("play", "Pla&ying", "What a playing slider does when a slice comes late",
     (("skip", "skip late slices"), ("wait", "wait for each slice"))),
)  # fmt: skip


class Switches(QWidget):
    """Check boxes and choices of `layer.display`, the level, and contrast by percentiles."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layers: list[OctreeLayer] = []
        self._pixels: list[OctreeScalarField] = []
        form = QFormLayout(self)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.DontWrapRows)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.level = QComboBox()
        self.level.setToolTip("Automatic: as fine as the screen can show")
        self.level.currentIndexChanged.connect(self._lock)
        _may_shrink(self.level)
        form.addRow("L&evel", self.level)
        self.legend = QWidget()
        lines = QVBoxLayout(self.legend)
        lines.setContentsMargins(0, 0, 0, 0)
        lines.setSpacing(0)
        for text in _legend():
            lines.addWidget(QLabel(text))
        self.legend.setToolTip("What the outlines of tiles mean: 0 is the finest level")
        self.legend.hide()
        self.checks: dict[str, QCheckBox] = {}
        for name, text, tip in CHECKS:
            box = self.checks[name] = QCheckBox(text)
            box.setToolTip(tip)
            box.toggled.connect(lambda on, name=name: self._set(name, on))
            form.addRow(box)
            if name == "tint_levels":
                form.addRow(self.legend)
        self.choices: dict[str, QComboBox] = {}
        for name, text, tip, values in CHOICES:
            choice = self.choices[name] = QComboBox()
            for value, label in values:
                choice.addItem(label, value)
            choice.setToolTip(tip)
            _may_shrink(choice)
            choice.currentIndexChanged.connect(
                lambda _, name=name: self._set(name, self.choices[name].currentData())
            )
            form.addRow(text, choice)
        row = QHBoxLayout()
        self.low, self.high = QDoubleSpinBox(), QDoubleSpinBox()
        for spin, percent in ((self.low, 0.1), (self.high, 99.9)):
            spin.setRange(0, 100)
            spin.setDecimals(2)
            spin.setSingleStep(0.1)
            spin.setSuffix(" %")
            spin.setValue(percent)
            spin.setMinimumWidth(50)
            spin.setToolTip("Percentiles of the coarsest level, which is in memory")
            spin.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
            row.addWidget(spin, 1)
        self.contrast = QPushButton("Set contra&st")
        self.contrast.setToolTip("Set the contrast limits to these percentiles of the overview")
        self.contrast.clicked.connect(self._set_contrast)
        form.addRow(QLabel("Contrast limits at percentiles"))
        form.addRow(row)
        form.addRow(self.contrast)

    def show_layers(self, layers: Sequence[OctreeLayer]) -> None:
        """Show what the last of these layers has; switch all of them.

        Points have no tiles and no levels of pixels: what is about these is greyed for them.
        """
        self._layers = list(layers)
        self._pixels = [layer for layer in layers if isinstance(layer, OctreeScalarField)]
        self.setEnabled(bool(layers))
        for widget in (self.level, *self.checks.values(), self.choices["policy"]):
            widget.setEnabled(bool(self._pixels))
        self.refresh()

    def refresh(self) -> None:
        """Show what the layer has now."""
        if not self._layers:
            return
        layer = (self._pixels or self._layers)[-1]
        for name, box in self.checks.items():
            with _Still(box):
                box.setChecked(bool(getattr(layer.display, name)))
        self.legend.setVisible(bool(layer.display.tint_levels))
        for name, choice in self.choices.items():
            with _Still(choice):
                choice.setCurrentIndex(choice.findData(getattr(layer.display, name)))
        pixels = self._pixels[-1] if self._pixels else None
        self._show_level(pixels)
        adjustable = isinstance(pixels, Image) and not pixels.rgb
        for part in (self.low, self.high, self.contrast):
            part.setEnabled(adjustable)

    def _show_level(self, layer: OctreeScalarField | None) -> None:
        octree_slice = None if layer is None else layer.octree_slice
        count = 0 if octree_slice is None else len(octree_slice.octree.levels)
        with _Still(self.level):
            if self.level.count() != count + 1:
                self.level.clear()
                self.level.addItems(["Automatic", *(f"Level {i}" for i in range(count))])
            locked = None if layer is None else layer.locked_data_level
            self.level.setCurrentIndex(0 if locked is None else int(locked) + 1)

    def choose_level(self, level: int | None) -> None:
        """Show a level whatever the zoom; None: automatic."""
        for layer in self._pixels:
            layer.locked_data_level = level
        self.refresh()

    def _lock(self, index: int) -> None:
        self.choose_level(None if index <= 0 else index - 1)

    def _set(self, name: str, value: Any) -> None:
        for layer in self._layers:
            setattr(layer.display, name, value)

    def _set_contrast(self) -> None:
        for layer in self._pixels:
            if isinstance(layer, Image) and not layer.rgb and layer.overview is not None:
                limits = percentile_limits(layer.overview, self.low.value(), self.high.value())
                if limits is not None:
                    layer.contrast_limits = limits


def percentile_limits(pixels: np.ndarray, low: float, high: float) -> tuple[float, float] | None:
    """Contrast limits at percentiles of pixels; None where there are no two finite values."""
    finite = pixels[np.isfinite(pixels)] if pixels.dtype.kind == "f" else pixels.ravel()
    if finite.size == 0:
        return None
    bottom, top = (float(v) for v in np.percentile(finite, sorted((low, high))))
    return (bottom, top) if bottom < top else None


def _legend() -> tuple[str, str]:
    """What the colours of tiles mean: two lines of rich text."""
    parts = [
        f'<span style="color:{colour_name(level)}">■</span>&nbsp;{level}'
        for level in range(len(LEVEL_COLOURS))
    ]
    middle = len(parts) // 2
    return " ".join(parts[:middle]), " ".join(parts[middle:])


def _may_shrink(box: QComboBox) -> None:
    """Let a dock be narrow: texts are cut, not the dock widened."""
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(5)
    box.setMinimumHeight(box.fontMetrics().height() + 8)


class _Still:
    """While inside, a widget tells nobody of its changes."""

    def __init__(self, widget: QWidget) -> None:
        self._widget = widget

    def __enter__(self) -> None:
        self._blocker = QSignalBlocker(self._widget)

    def __exit__(self, *error: object) -> None:
        self._blocker.unblock()
