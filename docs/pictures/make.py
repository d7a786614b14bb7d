"""Make the pictures of the documentation: `make docs` runs it before it builds the pages.

    python docs/pictures/make.py             all, into docs/images/made (not kept in git)
    python docs/pictures/make.py dock labels
    python docs/pictures/make.py zoom        the animation of the README, docs/images/zoom.gif

Nothing is drawn by hand: what the pages show is what this version does.
"""

from __future__ import annotations

import runpy
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import napari
import numpy as np
import zarr
from PIL import Image
from qtpy.QtWidgets import QApplication

from napari_octree import OctreeImage, OctreeLabels, samples
from napari_octree.plugin.browsing import StoreBrowserDock
from napari_octree.plugin.commands.linked import open_linked_views
from napari_octree.plugin.samples import SAMPLES
from napari_octree.qt.desk.dock import OctreeDock

IMAGES = Path(__file__).parents[1] / "images"
MADE = IMAGES / "made"
LONGEST_S = 240.0
THEMES = ("dark", "light")
WHIRL = (-0.743643887, 0.131825904)
"""Real and imaginary part of a place in the Mandelbrot set."""


def wait(seconds: float) -> None:
    """Let the window do what it has to."""
    end = monotonic() + seconds
    while monotonic() < end:
        QApplication.processEvents()


def settle(viewer: napari.Viewer) -> None:
    """Wait until all is loaded; a picture that is not complete must not be published."""
    end = monotonic() + LONGEST_S
    for layer in viewer.layers:
        while hasattr(layer, "wait_until_settled") and not layer.wait_until_settled(10):
            if monotonic() > end:
                raise SystemExit(f"{layer.name}: not complete: {layer.progress}")
    wait(0.5)


def save(pixels: np.ndarray, name: str) -> None:
    """Write a picture."""
    MADE.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(pixels[..., :3])).save(
        MADE / f"{name}.png", optimize=True
    )
    print(f"{name}.png")


@contextmanager
def window(width: int = 1100, height: int = 700) -> Iterator[napari.Viewer]:
    """A viewer, closed at the end."""
    viewer = napari.Viewer()
    viewer.window.resize(width, height)
    wait(0.2)
    try:
        yield viewer
    finally:
        viewer.close()


def show(viewer: napari.Viewer, name: str) -> None:
    """Write the picture of the whole window."""
    settle(viewer)
    save(viewer.window.screenshot(flash=False), name)


def look_at_whirl(viewer: napari.Viewer, width: float) -> None:
    """Have the Mandelbrot set's whirl in view, so many units of the plane wide."""
    pixels = viewer.layers[-1].level_shapes[0][0] / 3
    real, imaginary = WHIRL
    viewer.scene.camera.center = (0, (1.5 - imaginary) * pixels, (real + 2.25) * pixels)
    viewer.scene.camera.zoom = 600 / (width * pixels)


def mandelbrot() -> None:
    """The window as it opens, and deep inside."""
    with window() as viewer:
        viewer.add_layer(SAMPLES["mandelbrot"](None))
        show(viewer, "tour-open")
        look_at_whirl(viewer, 2e-3)
        show(viewer, "tour-deep")
        viewer.layers[0].display.tint_levels = viewer.layers[0].display.show_grid = True
        viewer.layers[0].locked_data_level = viewer.layers[0].data_level + 1
        show(viewer, "tour-grid")


def dock() -> None:
    """The dock in both themes, with what is loaded."""
    for theme in THEMES:
        with window(1200, 900) as viewer:
            viewer.theme = theme
            viewer.add_layer(SAMPLES["checkerboard"](None))
            octree = OctreeDock(viewer)
            viewer.window.add_dock_widget(octree, name="Octree")
            viewer.scene.camera.zoom *= 6
            viewer.scene.camera.center = (0, 2**18, 2**19)
            octree.loaded.setChecked(True)
            settle(viewer)
            wait(0.6)
            show(viewer, f"dock-{theme}")


def browser() -> None:
    """The browser of stores, on a small plate, in both themes."""
    folder = Path(tempfile.mkdtemp()) / "plate.zarr"
    write_plate(folder)
    for theme in THEMES:
        with window(1000, 640) as viewer:
            viewer.theme = theme
            dock = StoreBrowserDock(viewer)
            viewer.window.add_dock_widget(dock, name="Browse a store")
            dock.browse(str(folder))
            wait(1)
            root = dock.tree.topLevelItem(0)
            root.child(0).setExpanded(True)
            wait(0.5)
            root.child(0).child(0).setExpanded(True)
            wait(0.5)
            dock.address.setEditText("https://host/plate.zarr")
            dock.tree.setCurrentItem(root.child(0).child(0))
            dock._open(dock_choice())
            dock.details.clear()
            wait(0.5)
            show(viewer, f"browser-{theme}")


def dock_choice() -> object:
    """What *Add* does."""
    from napari_octree.qt.browse.store import OpenChoice

    return OpenChoice()


def write_plate(folder: Path) -> None:
    """Write six wells of blobs as OME-Zarr 0.5."""
    root = zarr.create_group(folder)
    wells = [
        {"path": f"{row}/{column}", "rowIndex": r, "columnIndex": c}
        for r, row in enumerate("AB")
        for c, column in enumerate("123")
    ]
    names = [{"name": n} for n in "AB"], [{"name": n} for n in "123"]
    plate = {"rows": names[0], "columns": names[1], "wells": wells}
    root.attrs["ome"] = {"version": "0.5", "plate": plate}
    random = np.random.default_rng(1)
    y, x = np.mgrid[:256, :256]
    for number, well in enumerate(wells):
        group = root.create_group(well["path"])
        group.attrs["ome"] = {"version": "0.5", "well": {"images": [{"path": "0"}]}}
        image = group.create_group("0")
        pixels = np.zeros((2, 256, 256))
        for channel in range(2):
            for cy, cx in random.integers(20, 236, (14 - 2 * number + 3 * channel, 2)):
                pixels[channel] += np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (60 + 60 * channel))
        axes = [{"name": n, "type": "space"} for n in "yx"]
        axes = [{"name": "c", "type": "channel"}, *axes]
        datasets = [
            {"path": str(n), "coordinateTransformations": [{"type": "scale", "scale": [1, s, s]}]}
            for n, s in enumerate((1, 2))
        ]
        channels = [
            {"label": label, "color": color, "active": True,
             "window": {"min": 0, "max": 1000, "start": 0, "end": 900}}
            for label, color in (("nuclei", "4060FF"), ("actin", "30D060"))
        ]  # fmt: skip
        image.attrs["ome"] = {
            "version": "0.5",
            "multiscales": [{"axes": axes, "datasets": datasets}],
            "omero": {"channels": channels},
        }
        for n, s in enumerate((1, 2)):
            data = (900 * pixels[:, ::s, ::s]).clip(0, 1000).astype("u2")
            image.create_array(str(n), data=data, chunks=(1, 128, 128))


def linked() -> None:
    """Linked views of a volume."""
    z, y, x = np.ogrid[-40:40, -60:60, -80:80]
    volume = 200 * np.exp(-((z / 20) ** 2 + (y / 40) ** 2 + (x / 30) ** 2))
    volume += 120 * np.exp(-(((z - 10) / 9) ** 2 + ((y + 25) / 9) ** 2 + ((x - 50) / 9) ** 2))
    with window(900, 800) as viewer:
        layer = OctreeImage(volume.clip(0, 255).astype("u1"), name="egg", colormap="magma")
        viewer.add_layer(layer)
        settle(viewer)
        views = open_linked_views(viewer)
        views.resize(900, 800)
        wait(1)
        views.point.move((40, 35, 125))
        wait(1.5)
        for pane in views.panes:
            settle(pane.viewer)
        grab(views, "linked")
        views.close()


def grab(widget: object, name: str) -> None:
    """Write the picture of a widget."""
    MADE.mkdir(parents=True, exist_ok=True)
    widget.grab().save(str(MADE / f"{name}.png"))
    print(f"{name}.png")


def labels() -> None:
    """Cells of the sample: areas above, outlines below."""
    with window() as viewer:
        layer = OctreeLabels(samples.labels(), name="Labels", opacity=1)
        viewer.add_layer(layer)
        viewer.scene.camera.center = (0, 2**19, 2**19)
        viewer.scene.camera.zoom = 1.5
        pictures = []
        for contour in (0, 3):
            layer.contour = contour
            settle(viewer)
            pictures.append(viewer.screenshot(flash=False)[150:350, :, :3])
        save(np.concatenate(pictures), "labels")


def painted() -> None:
    """Three strokes and a polygon over the cells of the sample."""
    middle = 2**19
    with window() as viewer:
        layer = OctreeLabels(samples.labels(), name="Labels", opacity=0.8)
        viewer.add_layer(layer)
        viewer.scene.camera.center = (0, middle, middle)
        viewer.scene.camera.zoom = 1.5
        settle(viewer)
        layer.brush_size = 24
        for label in (3, 11, 20):
            with layer.block_history():
                for step in range(90):
                    wave = 30 * np.sin(step / 12)
                    place = (middle - 90 + 3 * label + wave, middle - 240 + 5 * step)
                    layer.paint(place, label)
        corners = [(-40, 120), (60, 90), (80, 200), (-10, 230)]
        layer.paint_polygon([(middle + y, middle + x) for y, x in corners], 7)
        settle(viewer)
        save(viewer.screenshot(flash=False)[100:400, :, :3], "painted")
        layer.discard_edits()


def volume() -> None:
    """A gyroid in a ball, in 3-D."""
    z, y, x = (np.linspace(-1, 1, 192, dtype="f4").reshape(shape) for shape in
               ((-1, 1, 1), (1, -1, 1), (1, 1, -1)))  # fmt: skip
    k = 14
    gyroid = np.sin(k * x) * np.cos(k * y) + np.sin(k * y) * np.cos(k * z)
    gyroid += np.sin(k * z) * np.cos(k * x)
    ball = 1 - (x**2 + y**2 + z**2)
    pixels = (100 * np.minimum(1.2 - 3 * np.abs(gyroid), 6 * ball) + 100).clip(0, 255).astype("u1")
    with window(900, 620) as viewer:
        viewer.dims.ndisplay = 3
        layer = OctreeImage(
            [pixels, pixels[::2, ::2, ::2]],
            name="gyroid",
            colormap="magma",
            rendering="iso",
            iso_threshold=120,
            contrast_limits=(0, 255),
        )
        viewer.add_layer(layer)
        viewer.scene.camera.angles = (10, 25, 15)
        show(viewer, "volume")


def plate() -> None:
    """The sample plate."""
    with window() as viewer:
        layer = SAMPLES["plate"](None)
        layer.colormap = "viridis"
        viewer.add_layer(layer)
        show(viewer, "plate")


def points() -> None:
    """A million localisations: from far away as sample and density, and near by."""
    example = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "points.py"))
    positions, features = example["localisations"](1_000_000)
    crops = []
    with window(1000, 700) as viewer:
        viewer.add_layer(example["localisation_layer"](positions, features))
        settle(viewer)
        for closer in (1, 20):
            viewer.scene.camera.zoom *= closer
            viewer.scene.camera.center = (0, *np.median(positions, axis=0))
            settle(viewer)
            picture = viewer.screenshot(flash=False)
            height, width = picture.shape[:2]
            side = min(height, width // 2)
            top, left = (height - side) // 2, (width - side) // 2
            crops.append(picture[top : top + side, left : left + side])
    save(np.concatenate(crops, axis=1), "points")


def zoom() -> None:
    """The animation of the README: into the Mandelbrot set, as the screen shows it."""
    frames = []
    with window(640, 420) as viewer:
        viewer.window.resize(640, 420)
        viewer.add_layer(SAMPLES["mandelbrot"](None))
        for panel in ("dockLayerList", "dockLayerControls"):
            getattr(viewer.window._qt_viewer, panel).hide()
        settle(viewer)
        for width in np.geomspace(3, 1e-4, 30):
            look_at_whirl(viewer, width)
            settle(viewer)
            picture = Image.fromarray(viewer.screenshot(flash=False)[..., :3])
            frames.append(picture.resize((360, round(360 * picture.height / picture.width))))
    palette = [frame.quantize(48, dither=Image.Dither.NONE) for frame in frames]
    palette[0].save(
        IMAGES / "zoom.gif", save_all=True, append_images=palette[1:], duration=150, loop=0
    )
    print("zoom.gif")


PICTURES: dict[str, Callable[[], None]] = {
    each.__name__: each
    for each in (mandelbrot, dock, browser, linked, labels, painted, volume, plate, points)
}


def main() -> None:
    """Make those that are asked for, else all but the animation."""
    for name in sys.argv[1:] or PICTURES:
        ({**PICTURES, "zoom": zoom})[name]()


if __name__ == "__main__":
    main()
