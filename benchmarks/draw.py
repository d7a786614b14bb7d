"""What drawing in 2-D costs: `python -m benchmarks.draw [seconds of each measurement]`.

Invariants: nothing is read while something is timed; stock and ours are measured in turns in the
same window with the same canvas, since other work on the machine disturbs; times are medians, and
`glFinish` stands before and after what is timed on the GPU.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import napari
import numpy as np
from napari.layers import Image
from qtpy.QtWidgets import QApplication
from vispy.gloo import gl

from napari_octree import OctreeConfig, OctreeImage
from napari_octree.rendering.texture_atlas_2d import TextureAtlas2D
from napari_octree.rendering.texture_encoding import texture_encoding

CANVAS = (992, 992)
"""Height and width: with tiles of 64 texels at a zoom of 1, 256 tiles are seen in it."""


def pump(seconds: float = 0.0) -> None:
    """Run the event loop."""
    end = time.perf_counter() + seconds
    while True:
        QApplication.processEvents()
        if time.perf_counter() >= end:
            return


class Scene:
    """A window with one layer, and the draw of its canvas."""

    def __init__(self) -> None:
        self.viewer = napari.Viewer(show=True)
        self.qt = self.viewer.window._qt_viewer
        self.qt.dockLayerControls.setVisible(False)
        self.qt.dockLayerList.setVisible(False)
        self.canvas = self.qt.canvas._scene_canvas
        self.qt.canvas.native.setFixedSize(*CANVAS[::-1])
        while tuple(self.qt.canvas.size) != CANVAS:
            pump()

    def show(self, layer: Image) -> Image:
        """Have only `layer`, one texel per pixel, off the borders of tiles, settled."""
        self.viewer.layers.clear()
        self.viewer.add_layer(layer)
        self.viewer.scene.camera.zoom = 1.0
        self.viewer.scene.camera.center = (0, 1023.6, 1023.6)
        pump(0.3)
        if isinstance(layer, OctreeImage):
            assert layer.wait_until_settled(60)
        pump(0.3)
        return layer

    def frame(self) -> float:
        """Milliseconds of one whole draw of the canvas, the GPU's work included."""
        self.canvas.set_current()
        gl.glFinish()
        start = time.perf_counter()
        self.canvas.on_draw(None)
        self.canvas.context.flush_commands()
        gl.glFinish()
        return (time.perf_counter() - start) * 1e3


def image(side: int = 2048) -> np.ndarray:
    """Noise of 16 bits."""
    return np.random.default_rng(0).integers(0, 65535, (side, side), dtype=np.uint16)


def draw_against_stock(scene: Scene, seconds: float) -> dict[str, float]:
    """Draw 256 visible tiles, and stock's one quad, in turns."""
    config = OctreeConfig(octree={"tile_size": 64})
    data = image()
    times: dict[str, list[float]] = {"stock": [], "ours": []}
    stock = scene.show(Image(data, contrast_limits=(0, 65535)))
    ours = OctreeImage([data], config=config, contrast_limits=(0, 65535))
    scene.viewer.add_layer(ours)
    assert ours.wait_until_settled(60)
    pump(0.5)
    tiles = ours.progress.ideal
    end = time.perf_counter() + 2 * seconds
    while time.perf_counter() < end:
        for name, layer in (("stock", stock), ("ours", ours)):
            stock.visible, ours.visible = layer is stock, layer is ours
            scene.frame()
            times[name] += [scene.frame() for _ in range(5)]
    medians = {name: statistics.median(values) for name, values in times.items()}
    return {"tiles": tiles, **medians, "ratio": medians["ours"] / medians["stock"]}


def python_per_frame(scene: Scene, seconds: float) -> dict[str, float]:
    """What a frame's own work takes: nothing changed; and panned by a tile, all resident."""
    config = OctreeConfig(octree={"tile_size": 64})
    layer = scene.show(OctreeImage([image()], config=config, contrast_limits=(0, 65535)))
    view = layer._views[0]._tiles
    took: list[float] = []
    prepare = view.prepare

    def timed(now: float) -> bool:
        start = time.perf_counter()
        moved = prepare(now)
        took.append((time.perf_counter() - start) * 1e3)
        return moved

    view.prepare = timed

    def median(before: Callable[[int], None]) -> float:
        took.clear()
        end = time.perf_counter() + seconds
        count = 0
        while time.perf_counter() < end:
            before(count)
            count += 1
            scene.frame()
        return statistics.median(took)

    unchanged = median(lambda i: None)
    centres = [(0, 1023.6 + dy, 1023.6) for dy in (0, 64.0)]
    for centre in centres:
        scene.viewer.scene.camera.center = centre
        pump(0.3)
        assert layer.wait_until_settled(60)

    def pan(step: float) -> Callable[[int], None]:
        def move(i: int) -> None:
            scene.viewer.scene.camera.center = (0, 1023.6 + step * (i % 2), 1023.6)

        return move

    return {
        "tiles": layer.progress.ideal,
        "unchanged": unchanged,
        "moved": median(pan(0.25)),
        "other tiles": median(pan(64.0)),
    }


def uploads(scene: Scene, tiles: int = 400) -> dict[str, float]:
    """Upload tiles as a frame does, and by bare glTexSubImage2D, in turns."""
    scene.viewer.layers.clear()
    pump(0.2)
    context = scene.canvas.context
    atlas = TextureAtlas2D(texture_encoding(np.dtype(np.uint16)), 256, 4, 15)
    context.glir.associate(atlas.glir)
    scene.canvas.set_current()
    size = atlas.slot_size
    data = [
        np.random.default_rng(i).integers(0, 65535, (size, size), dtype=np.uint16)
        for i in range(64)
    ]
    for i in range(225):
        atlas.add(i, data[i % 64], True, ())
        context.flush_commands()
    gl.glFinish()
    ours: list[float] = []
    raw: list[float] = []
    for i in range(tiles):
        tile = data[i % 64]
        start = time.perf_counter()
        atlas.add(i % 225, tile, True, ())
        context.flush_commands()
        ours.append(time.perf_counter() - start)
        gl.glFinish()
        row, column = atlas.origin(atlas.slots[i % 225])
        context.shared.parser.get_object(atlas.id).activate()
        gl.glPixelStorei(gl.GL_UNPACK_ALIGNMENT, 1)
        start = time.perf_counter()
        gl.glTexSubImage2D(gl.GL_TEXTURE_2D, 0, column, row, gl.GL_RED, gl.GL_UNSIGNED_SHORT, tile)
        raw.append(time.perf_counter() - start)
        gl.glFinish()
    ours_ms, raw_ms = statistics.median(ours) * 1e3, statistics.median(raw) * 1e3
    return {"ours ms": ours_ms, "raw ms": raw_ms, "rate": raw_ms / ours_ms}


def budget(scene: Scene, frames: int) -> dict[str, float]:
    """Pan and zoom at random while tiles come: how many frames exceed budget and one tile."""
    data = image(8192)
    layer = OctreeImage([data[:: 2**k, :: 2**k] for k in range(4)], contrast_limits=(0, 65535))
    scene.show(layer)
    rng = np.random.default_rng(0)
    camera = scene.viewer.scene.camera
    before = layer.statistics.views[0]
    for _ in range(frames):
        camera.zoom = float(np.exp(rng.uniform(-2, 1)))
        camera.center = (0, *rng.uniform(0, 8192, 2))
        scene.frame()
        pump()
    after = layer.statistics.views[0]
    return {
        "frames": after.frames - before.frames,
        "uploads": after.uploads - before.uploads,
        "over": after.over_budget - before.over_budget,
        "longest ms": after.longest_upload_ms,
        "mean tile ms": after.upload_ms / max(after.uploads, 1),
    }


def idle(scene: Scene, seconds: float) -> dict[str, float]:
    """Frames drawn while nobody touches anything."""
    layer = scene.show(OctreeImage([image()], contrast_limits=(0, 65535)))
    pump(1)
    before = layer.statistics.views[0].frames
    pump(seconds)
    return {"seconds": seconds, "frames": layer.statistics.views[0].frames - before}


def main(seconds: float = 5.0) -> None:
    """Print all figures."""
    scene = Scene()
    scene.canvas.set_current()
    print("GL:", gl.glGetParameter(gl.GL_RENDERER), gl.glGetParameter(gl.GL_VERSION))
    for name, figures in (
        ("draw, ms per frame", draw_against_stock(scene, seconds)),
        ("Python per frame, ms", python_per_frame(scene, seconds)),
        ("upload of a tile", uploads(scene)),
        ("budget", budget(scene, int(2000 * seconds))),
        ("idle", idle(scene, 2 * seconds)),
    ):
        print(f"{name}:", ", ".join(f"{key} {value:.4g}" for key, value in figures.items()))
        sys.stdout.flush()
    scene.viewer.close()


if __name__ == "__main__":
    main(*(float(argument) for argument in sys.argv[1:]))
