"""What the random user does: opens, looks around, changes things, paints, exports, closes.

Invariants: a walk is the same for the same seed; after every move the invariants are checked.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import napari
import numpy as np
from benchmarks.soak.arrays import COLOURED, DEEP, SIDE, TYPES, Faults, pyramid
from benchmarks.soak.invariants import CONFIG, check, check_pixel
from napari.layers import Image
from qtpy.QtWidgets import QApplication

from napari_octree import OctreeImage, OctreeLabels

MOST_LAYERS, MOST_VIEWERS = 3, 2
BRIEF_S = 60


def small_viewer() -> Any:
    """A viewer with a canvas of 400 × 300."""
    viewer = napari.Viewer(show=True)
    viewer.window._qt_viewer.canvas.native.setFixedSize(400, 300)
    return viewer


class User:
    """Viewers, and what happens to them.

    Parameters
    ----------
    seed : int
    make_viewer : callable
    failing : sequence of float
        Shares of places that fail, one of which a store has.
    """

    def __init__(
        self,
        seed: int = 0,
        make_viewer: Callable[[], Any] = small_viewer,
        failing: Sequence[float] = (0.0, 0.0, 0.02),
    ) -> None:
        self._failing = failing
        self._rng = np.random.default_rng(seed)
        self._make_viewer = make_viewer
        self._viewers: list[Any] = [make_viewer()]
        self.moves = self.pixels_checked = 0
        self.done: dict[str, int] = {}
        self._actions: list[tuple[float, Callable[[Any], None]]] = [
            (40, self.pan_and_zoom),
            (8, self.jump),
            (10, self.scrub),
            (6, self.change_looks),
            (2, self.change_display),
            (3, self.turn),
            (3, self.paint),
            (2, self.undo),
            (3, self.open),
            (2, self.close_layer),
            (1, self.screenshot),
            (0.5, self.export_figure),
            (0.5, self.duplicate),
            (0.5, self.convert),
            (0.5, self.reload),
            (0.5, self.hide),
            (0.4, self.other_data),
            (0.3, self.undock),
            (0.3, self.another_viewer),
        ]
        self.open(self._viewers[0])

    def move(self) -> None:
        """Let one thing happen, and look that all is well."""
        weights = np.array([weight for weight, _ in self._actions])
        action = self._actions[self._rng.choice(len(weights), p=weights / weights.sum())][1]
        viewer = self._viewers[self._rng.integers(len(self._viewers))]
        name = action.__name__
        self.done[name] = self.done.get(name, 0) + 1
        action(viewer)
        for _ in range(2):
            QApplication.processEvents()
        if self._rng.random() < 0.05:
            self.rest()
        for each in self._viewers:
            check(each)
        self.moves += 1

    def close(self) -> None:
        """Close all viewers."""
        while self._viewers:
            self._close_viewer(self._viewers[0])

    # What can be done, by how often it is.

    def pan_and_zoom(self, viewer: Any) -> None:
        """Move the camera a little."""
        camera = viewer.scene.camera
        if viewer.dims.ndisplay == 3:
            camera.angles = tuple(np.array(camera.angles) + self._rng.normal(0, 10, 3))
            camera.zoom *= float(np.exp2(self._rng.normal(0, 0.3)))
            return
        step = self._rng.normal(0, 100, 2) / camera.zoom
        camera.center = (0, *np.clip(np.array(camera.center[-2:]) + step, 0, SIDE))
        camera.zoom = float(np.clip(camera.zoom * np.exp2(self._rng.normal(0, 0.5)), 2e-6, 8))

    def jump(self, viewer: Any) -> None:
        """Go somewhere else at once."""
        if viewer.dims.ndisplay == 2:
            viewer.scene.camera.center = (0, *self._rng.uniform(0, SIDE, 2))
            viewer.scene.camera.zoom = float(np.exp2(self._rng.uniform(-18, 3)))

    def scrub(self, viewer: Any) -> None:
        """Move a slider."""
        if viewer.dims.not_displayed:
            axis = int(self._rng.choice(viewer.dims.not_displayed))
            steps = viewer.dims.nsteps[axis]
            viewer.dims.set_current_step(axis, int(self._rng.integers(steps)))

    def change_looks(self, viewer: Any) -> None:
        """Change how some layer looks."""
        layer = self._some(viewer, OctreeImage)
        if layer is None:
            return
        looks: dict[str, list[Any]] = {
            "interpolation2d": ["nearest", "nearest", "linear", "cubic"],
            "blending": ["additive", "translucent", "translucent", "minimum"],
            "colormap": ["gray", "gray", "viridis"],
            "gamma": [0.5, 1.0, 1.0],
            "opacity": [0.5, 1.0, 1.0],
            "rendering": ["mip", "average", "iso", "translucent"],
        }
        if not layer.rgb:
            looks["contrast_limits"] = [(0, 60), (0, 127), (0, 127)]
        name = str(self._rng.choice(list(looks)))
        setattr(layer, name, looks[name][self._rng.integers(len(looks[name]))])

    def change_display(self, viewer: Any) -> None:
        """Show or hide grid and tint."""
        layer = self._some(viewer, OctreeImage)
        if layer is not None:
            option = str(self._rng.choice(["show_grid", "tint_levels"]))
            setattr(layer.display, option, bool(self._rng.integers(2)))

    def turn(self, viewer: Any) -> None:
        """To three dimensions, and back at the next time."""
        viewer.dims.ndisplay = 5 - viewer.dims.ndisplay

    def paint(self, viewer: Any) -> None:
        """Paint a dab on labels where one looks."""
        layer = self._some(viewer, OctreeLabels)
        if layer is None or viewer.dims.ndisplay == 3 or not layer.editable:
            return
        layer.brush_size = int(self._rng.integers(1, 40))
        world = list(viewer.dims.point)
        world[-2:] = viewer.scene.camera.center[-2:]
        place = np.round(layer.world_to_data(world))
        layer.paint(place, int(self._rng.integers(0, 9)))

    def undo(self, viewer: Any) -> None:
        """Take a dab back, or do it again."""
        layer = self._some(viewer, OctreeLabels)
        if layer is not None:
            (layer.undo if self._rng.random() < 0.7 else layer.redo)()

    def open(self, viewer: Any) -> None:
        """Add a layer, of any type, on any store."""
        if len(viewer.layers) >= MOST_LAYERS:
            return
        rng = self._rng
        faults = Faults(
            int(rng.integers(1000)),
            float(rng.choice([0.0, 0.0, 0.005])),
            float(rng.choice(self._failing)),
        )
        axes = str(rng.choice(["yx", "yx", "tyx", "zyx", "tzyx"]))
        if rng.random() < 0.2:
            name = str(rng.choice(["uint8", "int32", "uint64"]))
            layer: Any = OctreeLabels(pyramid(axes, name, faults), config=CONFIG, name=name)
        else:
            name = str(rng.choice(TYPES + (COLOURED if axes == "yx" else [])))
            colours = name.startswith("rgb")
            layer = OctreeImage(
                pyramid(axes, name, faults),
                config=CONFIG,
                contrast_limits=None if colours or name == "bool" else (0, 127),
                name=f"{name} {axes}",
                rgb=colours,
                metadata={"axes": axes},
            )
        viewer.add_layer(layer)

    def close_layer(self, viewer: Any) -> None:
        """Remove some layer, but the last."""
        if len(viewer.layers) > 1:
            viewer.layers.remove(viewer.layers[self._rng.integers(len(viewer.layers))])

    def screenshot(self, viewer: Any) -> None:
        """Take a picture of the window."""
        viewer.screenshot(canvas_only=bool(self._rng.integers(2)), flash=False)

    def export_figure(self, viewer: Any) -> None:
        """Write a picture of all there is, small enough."""
        with tempfile.TemporaryDirectory() as folder:
            extent = max(float(np.ptp(viewer.layers.extent.world[:, axis])) for axis in (-1, -2))
            if viewer.dims.ndisplay == 2:
                viewer.export_figure(
                    str(Path(folder) / "figure.png"), scale_factor=300 / extent, flash=False
                )

    def duplicate(self, viewer: Any) -> None:
        """Duplicate a layer as the menu does."""
        if len(viewer.layers) < MOST_LAYERS:
            layer = viewer.layers[self._rng.integers(len(viewer.layers))]
            data, state, _kind = layer.as_layer_data_tuple()
            state["name"] = f"{layer.name} copy"
            viewer.add_layer(type(layer)(data, **state))

    def convert(self, viewer: Any) -> None:
        """Make a stock layer of what an image's coarsest level holds."""
        layer = self._some(viewer, OctreeImage)
        if layer is not None and len(viewer.layers) < MOST_LAYERS and layer.ndim == 2:
            viewer.add_layer(Image(np.zeros((64, 64), np.uint8), name="stock"))

    def reload(self, viewer: Any) -> None:
        """Read again what failed."""
        layer = self._some(viewer, OctreeImage)
        if layer is not None:
            layer.reload()

    def hide(self, viewer: Any) -> None:
        """Hide a layer, or show it."""
        layer = viewer.layers[self._rng.integers(len(viewer.layers))]
        layer.visible = not layer.visible

    def other_data(self, viewer: Any) -> None:
        """Give a layer other data of the same kind."""
        layer = self._some(viewer, OctreeImage)
        if layer is not None and not layer.rgb:
            name = str(self._rng.choice(["uint8", "float32"]))
            layer.data = pyramid(layer.metadata["axes"], name, Faults())

    def undock(self, viewer: Any) -> None:
        """Let the layer list float, and dock it again."""
        dock = viewer.window._qt_viewer.dockLayerList
        dock.setFloating(not dock.isFloating())

    def another_viewer(self, viewer: Any) -> None:
        """Open a second window, or close one."""
        if len(self._viewers) == MOST_VIEWERS:
            self._close_viewer(viewer)
        else:
            self._viewers.append(self._make_viewer())
            self.open(self._viewers[-1])

    def rest(self) -> None:
        """Wait until all is settled, and look at a pixel."""
        for viewer in self._viewers:
            for layer in viewer.layers:
                if not hasattr(layer, "settled") or layer.wait_until_settled(BRIEF_S):
                    continue
                # Where reads have failed a layer is not settled, but nothing may be on its way.
                if layer.progress.loading or not layer._stuck:
                    raise AssertionError(f"{layer.name} does not settle: {layer.progress}")
            self.pixels_checked += check_pixel(viewer)

    def _some(self, viewer: Any, kind: type) -> Any:
        found = [layer for layer in viewer.layers if isinstance(layer, kind)]
        return found[self._rng.integers(len(found))] if found else None

    def _close_viewer(self, viewer: Any) -> None:
        viewer.layers.clear()
        self._viewers.remove(viewer)
        viewer.close()


__all__ = ["DEEP", "User", "small_viewer"]
