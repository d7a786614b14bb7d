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
from benchmarks.soak.arrays import Faults, pyramid
from benchmarks.soak.exporting import Exporter
from benchmarks.soak.frames import FrameWatch
from benchmarks.soak.invariants import check, check_pixels, check_quiet
from benchmarks.soak.layers import some_layer
from benchmarks.soak.stores import Stores
from napari.layers import Image
from qtpy.QtWidgets import QApplication

from napari_octree import OctreeImage, OctreeLabels
from napari_octree.plugin.commands import conversions

MOST_LAYERS, MOST_VIEWERS = 3, 2
BRIEF_S = 60
PLAIN_LABELS = {"opacity": 1, "blending": "translucent"}
PLAIN = PLAIN_LABELS | {
    "colormap": "gray",
    "gamma": 1,
    "interpolation2d": "nearest",
    "contrast_limits": (0, 127),
}


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
    stores : Stores, optional
        Those on disk and behind a server.
    """

    def __init__(
        self,
        seed: int = 0,
        make_viewer: Callable[[], Any] = small_viewer,
        failing: Sequence[float] = (0.0, 0.0, 0.02),
        stores: Stores | None = None,
    ) -> None:
        self._failing, self._stores = failing, stores
        self._rng = np.random.default_rng(seed)
        self._make_viewer = make_viewer
        self.wrong: list[str] = []
        self.watch = FrameWatch(self.wrong)
        self.exporter = Exporter()
        self._viewers: list[Any] = []
        self._docks: dict[Any, Any] = {}
        self._open_viewer()
        self.moves = self.pixels_checked = self.rests_checked = 0
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
            (1, self.convert),
            (2, self.inspect),
            (1, self.export),
            (0.3, self.cancel_export),
            (0.5, self.reload),
            (0.5, self.hide),
            (0.4, self.other_data),
            (0.3, self.undock),
            (0.3, self.dock),
            (0.3, self.another_viewer),
        ]

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
        if self.wrong:
            raise AssertionError(self.wrong)
        self.moves += 1

    def close(self) -> None:
        """Close all viewers, in the midst of whatever goes on."""
        self.exporter.cancel()
        while self.exporter.busy:
            QApplication.processEvents()
        while self._viewers:
            self._close_viewer(self._viewers[0])
        for _ in range(20):  # what waits for a turn of the loop
            QApplication.processEvents()

    def begin(self) -> None:
        """Open a window, after `close`."""
        self._open_viewer()

    # What can be done, by how often it is.

    def pan_and_zoom(self, viewer: Any) -> None:
        """Move the camera a little."""
        camera = viewer.scene.camera
        if viewer.dims.ndisplay == 3:
            camera.angles = tuple(np.array(camera.angles) + self._rng.normal(0, 10, 3))
            camera.zoom *= float(np.exp2(self._rng.normal(0, 0.3)))
            return
        low, high = self._extent(viewer.layers)
        step = self._rng.normal(0, 100, 2) / camera.zoom
        camera.center = (0, *np.clip(np.array(camera.center[-2:]) + step, low, high))
        zoom = camera.zoom * np.exp2(self._rng.normal(0, 0.5))
        camera.zoom = float(np.clip(zoom, 200 / max(high - low), 8))

    def jump(self, viewer: Any) -> None:
        """Go somewhere else at once: to some place of some layer."""
        if viewer.dims.ndisplay == 2:
            layer = viewer.layers[self._rng.integers(len(viewer.layers))]
            low, high = self._extent([layer])
            viewer.scene.camera.center = (0, *self._rng.uniform(low, high))
            least = np.log2(200 / max(high - low))
            viewer.scene.camera.zoom = float(np.exp2(self._rng.uniform(min(least, 2), 3)))

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
        self.watch.forget()
        viewer.dims.ndisplay = 5 - viewer.dims.ndisplay

    def paint(self, viewer: Any) -> None:
        """Paint a dab on labels where one looks."""
        layer = self._some(viewer, OctreeLabels)
        if layer is None or viewer.dims.ndisplay == 3 or not layer.editable:
            return
        layer.metadata.pop("axes", None)  # its pixels are no longer those of the store
        layer.brush_size = int(self._rng.integers(1, 40))
        world = list(viewer.dims.point)
        world[-2:] = viewer.scene.camera.center[-2:]
        place, label = np.round(layer.world_to_data(world)), int(self._rng.integers(0, 9))
        planes, depths = place[:-2], layer.level_shapes[0][:-2]
        if ((planes >= 0) & (planes < depths)).all():  # napari refuses slices that are not there
            layer.paint(place, label)

    def undo(self, viewer: Any) -> None:
        """Take a dab back, or do it again."""
        layer = self._some(viewer, OctreeLabels)
        if layer is not None:
            (layer.undo if self._rng.random() < 0.7 else layer.redo)()

    def open(self, viewer: Any) -> None:
        """Add a layer, of any type, on any store."""
        if len(viewer.layers) >= MOST_LAYERS:
            return
        viewer.add_layer(some_layer(self._rng, self._stores, self._failing))

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
        """Make another kind of layer of some layer's data."""
        layer = viewer.layers[self._rng.integers(len(viewer.layers))]
        viewer.layers.selection = {layer}
        if isinstance(layer, OctreeLabels):
            conversions.convert_to_image(viewer)
        elif conversions.can_be_labels(layer) and self._rng.random() < 0.5:
            conversions.convert_to_labels(viewer)
        elif len(viewer.layers) < MOST_LAYERS:
            # One of napari's own, which becomes ours, or does not.
            stock = Image(self._rng.integers(0, 99, (300, 400), np.uint8), name="stock")
            viewer.add_layer(stock)
            viewer.layers.selection = {stock}
            if self._rng.random() < 0.7:
                conversions.convert_selected(viewer)
        if self._rng.random() < 0.1:
            conversions.convert_to_plain(viewer) if layer.name == "stock" else None

    def export(self, viewer: Any) -> None:
        """Write a box of an image or of labels, in the background."""
        layer = self._some(viewer, (OctreeImage, OctreeLabels))
        if layer is not None and not getattr(layer, "rgb", False):
            self.exporter.begin(layer, self._rng)

    def cancel_export(self, viewer: Any) -> None:
        """Press the bar's button."""
        self.exporter.cancel()

    def dock(self, viewer: Any) -> None:
        """Open the dock, or close it."""
        if viewer in self._docks:
            viewer.window.remove_dock_widget(self._docks.pop(viewer))
        else:
            dock, _ = viewer.window.add_plugin_dock_widget("napari-octree", "Octree")
            self._docks[viewer] = dock

    def reload(self, viewer: Any) -> None:
        """Read again what failed."""
        layer = self._some(viewer, OctreeImage)
        if layer is not None:
            layer.reload()

    def hide(self, viewer: Any) -> None:
        """Hide a layer, or show it."""
        self.watch.forget()
        layer = viewer.layers[self._rng.integers(len(viewer.layers))]
        layer.visible = not layer.visible

    def other_data(self, viewer: Any) -> None:
        """Give a layer other data of the same kind."""
        layer = self._some(viewer, OctreeImage)
        if layer is not None and not layer.rgb:
            axes = layer.metadata.get("axes")
            if axes is not None:
                name = str(self._rng.choice(["uint8", "float32"]))
                layer.data = pyramid(axes, name, Faults())

    def undock(self, viewer: Any) -> None:
        """Let the layer list float, and dock it again."""
        dock = viewer.window._qt_viewer.dockLayerList
        dock.setFloating(not dock.isFloating())

    def another_viewer(self, viewer: Any) -> None:
        """Open a second window, or close one."""
        if len(self._viewers) == MOST_VIEWERS:
            self._close_viewer(viewer)
        else:
            self._open_viewer()

    def rest(self) -> None:
        """Wait until all is settled, and look at it."""
        all_settled = True
        for viewer in self._viewers:
            for layer in viewer.layers:
                if not hasattr(layer, "settled") or layer.wait_until_settled(BRIEF_S):
                    continue
                all_settled = False
                # Where reads have failed a layer is not settled, but nothing may be on its way.
                if layer.progress.loading or not layer._stuck:
                    raise AssertionError(f"{layer.name} does not settle: {layer.progress}")
            self.pixels_checked += check_pixels(viewer, self._rng)
        if all_settled and not self.exporter.busy and self._rng.random() < 0.3:
            check_quiet(self._viewers)
            self.rests_checked += 1

    def inspect(self, viewer: Any) -> None:
        """Look at one layer alone, plainly, and at its pixels."""
        known = [
            layer
            for layer in viewer.layers
            if layer.metadata.get("axes") and not getattr(layer, "rgb", False)
        ]
        if not known or viewer.dims.ndisplay == 3:
            return
        self.watch.forget()
        chosen = known[self._rng.integers(len(known))]
        shown = {layer: layer.visible for layer in viewer.layers}
        for layer in viewer.layers:
            layer.visible = layer is chosen
        looks = PLAIN if isinstance(chosen, OctreeImage) else PLAIN_LABELS
        before = {name: getattr(chosen, name) for name in looks}
        for name, look in looks.items():
            setattr(chosen, name, look)
        chosen.display.show_grid = chosen.display.tint_levels = False
        if chosen.wait_until_settled(BRIEF_S):
            self.pixels_checked += check_pixels(viewer, self._rng)
        elif chosen.progress.loading or not chosen._stuck:
            raise AssertionError(f"{chosen.name} does not settle: {chosen.progress}")
        for name, look in before.items():
            setattr(chosen, name, look)
        for layer, visible in shown.items():
            layer.visible = visible

    def _open_viewer(self) -> None:
        viewer = self._make_viewer()
        self._viewers.append(viewer)
        self.watch.follow(viewer)
        self.open(viewer)

    def _extent(self, layers: Any) -> tuple[np.ndarray, np.ndarray]:
        """Where layers lie along the last two axes: least and greatest."""
        ends = np.array([layer.extent.world[:, -2:] for layer in layers])
        low, high = ends.min(axis=(0, 1)), ends.max(axis=(0, 1))
        return low, np.maximum(high, low + 1)

    def _some(self, viewer: Any, kind: type | tuple[type, ...]) -> Any:
        found = [layer for layer in viewer.layers if isinstance(layer, kind)]
        return found[self._rng.integers(len(found))] if found else None

    def _close_viewer(self, viewer: Any) -> None:
        if self._rng.random() < 0.5:  # else with all that is open
            viewer.layers.clear()
        self._viewers.remove(viewer)
        self._docks.pop(viewer, None)
        viewer.close()


__all__ = ["User", "small_viewer"]
