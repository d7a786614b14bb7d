"""What drawing in 2-D costs.

`python -m benchmarks.draw [seconds of each measurement [frames [FILE.json]]]`

Invariants: nothing is read while something is timed; stock and ours are measured in turns in the
same window with the same canvas, since other work on the machine disturbs; `glFinish` stands
before and after what is timed on the GPU; Python is timed by the thread's processor time.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import napari
import numpy as np
from napari.layers import Image
from qtpy.QtWidgets import QApplication
from vispy.gloo import gl

from napari_octree import OctreeConfig, OctreeImage
from napari_octree.layers.base.octree_scalar_field import OctreeScalarField
from napari_octree.rendering._vispy import delete_texture
from napari_octree.rendering._vispy.textures import _sub_image
from napari_octree.rendering.gpu.texture_encoding import texture_encoding
from napari_octree.rendering.gpu.upload_budget import UploadBudget
from napari_octree.rendering.tiles.atlas.texture_atlas_2d import TextureAtlas2D

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
            as_on_screen(layer)
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


def as_on_screen(layer: OctreeScalarField) -> None:
    """Have draws that are no paint events be frames: else they would be exports, which wait."""
    layer._views[0]._exports = None


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
    as_on_screen(ours)
    pump(0.5)
    tiles = ours.progress.ideal
    end = time.perf_counter() + 2 * seconds
    while time.perf_counter() < end:
        for name, layer in (("stock", stock), ("ours", ours)):
            stock.visible, ours.visible = layer is stock, layer is ours
            scene.frame()
            times[name] += [scene.frame() for _ in range(5)]
    medians = {name: statistics.median(values) for name, values in times.items()}
    least = {name: tenth(values) for name, values in times.items()}
    return {
        "tiles": tiles,
        **medians,
        "ratio": medians["ours"] / medians["stock"],
        "ratio of the quickest tenths": least["ours"] / least["stock"],
    }


def cpu_ms(call: Callable[[], object]) -> float:
    """Milliseconds of this thread's processor time: waiting for the processor is not counted."""
    start = time.thread_time()
    call()
    return (time.thread_time() - start) * 1e3


def tenth(values: list[float]) -> float:
    """The tenth percentile: what else runs on the machine only ever adds."""
    return sorted(values)[len(values) // 10]


def python_per_frame(scene: Scene, seconds: float) -> dict[str, float]:
    """What a frame's own work takes: nothing changed; moved; panned by a row of resident tiles.

    In whole frames, between which the renderer empties the processor's caches, and without
    drawing: all that the node does in a draw before vispy hands it to GL, from the matrices to the
    vertices and to telling the layer. Nothing is uploaded, as that has a budget.
    """
    config = OctreeConfig(octree={"tile_size": 64})
    layer = scene.show(OctreeImage([image()], config=config, contrast_limits=(0, 65535)))
    node, camera = layer._views[0].node, scene.viewer.scene.camera
    prepare = type(node)._prepare_draw
    took: list[float] = []

    def timed(node: object, view: object) -> bool | None:
        drawn = None

        def work() -> None:
            nonlocal drawn
            drawn = prepare(node, view)

        took.append(cpu_ms(work))
        return drawn

    def measure(name: str, move: Callable[[int], None]) -> dict[str, float]:
        figures = {}
        for how, draw in (("in frames", scene.frame), ("alone", lambda: timed(node, node))):
            type(node)._prepare_draw = timed if draw == scene.frame else prepare
            took.clear()
            end, count = time.perf_counter() + seconds, 0
            while time.perf_counter() < end:
                move(count)
                count += 1
                draw()
            figures[f"{name}, {how}"] = tenth(took)
            figures[f"median of {name}, {how}"] = statistics.median(took)
        scene.canvas.context.flush_commands()
        type(node)._prepare_draw = prepare
        return figures

    for dy in (0, 64.0):
        camera.center = (0, 1023.6 + dy, 1023.6)
        pump(0.3)
        assert layer.wait_until_settled(60)

    def pan(step: float) -> Callable[[int], None]:
        def move(i: int) -> None:
            camera.center = (0, 1023.6 + step * (i % 2), 1023.6)

        return move

    return {
        "tiles": layer.progress.ideal,
        **measure("unchanged", lambda i: None),
        **measure("moved", pan(0.25)),
        **measure("other row", pan(64.0)),
    }


def uploads(scene: Scene, tile_size: int, tiles: int = 600) -> dict[str, float]:
    """Upload tiles as a frame does, and by bare glTexSubImage2D, eight of each in turns.

    Bare by vispy's function, and by the C function itself with all arguments at hand.
    """
    scene.viewer.layers.clear()
    pump(0.2)
    context = scene.canvas.context
    side = 3840 // tile_size
    atlas = TextureAtlas2D(
        texture_encoding(np.dtype(np.uint16)), (tile_size, tile_size), 1, (side, side)
    )
    scene.canvas.set_current()
    size = atlas.slot_shape[0]
    data = [
        np.random.default_rng(i).integers(0, 65535, (size, size), dtype=np.uint16)
        for i in range(8)
    ]
    budget = UploadBudget(context.flush_commands)
    for i in range(side**2):
        atlas.add(i, data[i % 8], True, ())
    gl.glFinish()
    texture = context.shared.parser.get_object(atlas.id)
    ours: list[float] = []
    raw: list[float] = []
    barest: list[float] = []
    send = _sub_image()

    def as_a_frame(places: list[int]) -> None:
        budget.begin(1e6)
        atlas.begin()
        before = budget.upload_ms
        for tile, place in zip(data, places, strict=True):
            budget.spend(lambda t=tile, p=place: atlas.add(p, t, True, ()), tile.nbytes)
        atlas.end()
        ours.append(budget.upload_ms - before)

    def bare(places: list[int]) -> None:
        origins = [atlas.origin(atlas.slots[place]) for place in places]
        start = time.perf_counter()
        texture.activate()
        for tile, (_, row, column) in zip(data, origins, strict=True):
            gl.glTexSubImage2D(
                gl.GL_TEXTURE_2D, 0, column, row, gl.GL_LUMINANCE, gl.GL_UNSIGNED_SHORT, tile
            )
        raw.append((time.perf_counter() - start) * 1e3)

    def in_c(places: list[int]) -> None:
        origins = [atlas.origin(atlas.slots[place]) for place in places]
        kind = (size, size, gl.GL_LUMINANCE, gl.GL_UNSIGNED_SHORT)
        calls = [
            (gl.GL_TEXTURE_2D, 0, column, row, *kind, tile.ctypes.data)
            for tile, (_, row, column) in zip(data, origins, strict=True)
        ]
        texture.activate()
        start = time.perf_counter()
        for call in calls:
            send(*call)
        barest.append((time.perf_counter() - start) * 1e3)

    # Each goes where the others have not been just now, and first as often as second and third.
    ways = (as_a_frame, bare, in_c)
    for i in range(0, tiles, 8):
        for turn in range(3):
            places = [(i + k + turn * side**2 // 3) % side**2 for k in range(8)]
            ways[(turn + i // 8) % 3](places)
            gl.glFinish()
    delete_texture(scene.canvas, atlas)
    return {
        "texels": size,
        "ours ms": tenth(ours) / 8,
        "raw ms": tenth(raw) / 8,
        "rate": tenth(raw) / tenth(ours),
        "rate of medians": statistics.median(raw) / statistics.median(ours),
        "in C ms": tenth(barest) / 8,
        "rate to that": tenth(barest) / tenth(ours),
    }


def budget(scene: Scene, frames: int) -> dict[str, float]:
    """Pan and zoom at random while tiles come: how many frames exceed budget and one tile.

    By the clock, as the layer counts, and by this thread's processor time: the difference is
    what the thread waited for in the midst of an upload. Why it waited is told by the kernel, of
    each wait over a millisecond: another thread was given its processor, or it had to wait for
    something itself (a lock, GL).
    """
    data = image(8192)
    layer = OctreeImage([data[:: 2**k, :: 2**k] for k in range(4)], contrast_limits=(0, 65535))
    scene.qt.canvas.native.setFixedSize(496, 496)
    scene.show(layer)
    counted = layer._views[0].tiles.budget
    work = UploadBudget(lambda: None, time.thread_time)
    begin, spend, end = counted.begin, counted.spend, counted.end
    waits = {"processor taken": [0.0], "waited itself": [0.0], "neither": [0.0]}

    def watched(upload: Callable[[], None]) -> None:
        switches, start, cpu = _switches(), time.perf_counter(), time.thread_time()
        upload()
        waited = (time.perf_counter() - start) - (time.thread_time() - cpu)
        if waited > 1e-3:
            taken, itself = (after - n for n, after in zip(switches, _switches(), strict=True))
            why = "processor taken" if taken else "waited itself" if itself else "neither"
            waits[why].append(waited * 1e3)

    counted.begin = lambda limit_ms: (begin(limit_ms), work.begin(limit_ms))
    counted.spend = lambda upload, nbytes: spend(
        lambda: work.spend(lambda: watched(upload), nbytes), nbytes
    )
    counted.end = lambda: (work.end(), end())
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
        "over, processor time": work.over_budget,
        "longest ms": after.longest_upload_ms,
        "longest ms, processor time": work.longest_ms,
        "mean tile ms": after.upload_ms / max(after.uploads, 1),
        **{f"waits, {why}": len(ms) - 1 for why, ms in waits.items()},
        **{f"longest ms, {why}": max(ms) for why, ms in waits.items()},
    }


def _switches() -> tuple[int, int]:
    """How often this thread has lost its processor to another, and given it up itself."""
    usage = resource.getrusage(resource.RUSAGE_THREAD)
    return usage.ru_nivcsw, usage.ru_nvcsw


def idle(scene: Scene, seconds: float) -> dict[str, float]:
    """Frames drawn while nobody touches anything."""
    layer = scene.show(OctreeImage([image()], contrast_limits=(0, 65535)))
    pump(1)
    before = layer.statistics.views[0].frames
    pump(seconds)
    return {"seconds": seconds, "frames": layer.statistics.views[0].frames - before}


def main(seconds: float = 5.0, frames: int = 10_000, path: str = "") -> None:
    """Print all figures, and write them as JSON."""
    found: dict[str, dict[str, float]] = {}
    scene = Scene()
    scene.canvas.set_current()
    print("GL:", gl.glGetParameter(gl.GL_RENDERER), gl.glGetParameter(gl.GL_VERSION))
    for name, measure in (
        ("draw, ms per frame", lambda: draw_against_stock(scene, seconds)),
        ("Python per frame, ms", lambda: python_per_frame(scene, seconds)),
        ("upload of a tile of 64", lambda: uploads(scene, 64)),
        ("upload of a tile of 256", lambda: uploads(scene, 256)),
        ("upload of a tile of 512", lambda: uploads(scene, 512)),
        ("idle", lambda: idle(scene, max(2 * seconds, 10))),
        ("budget", lambda: budget(scene, frames)),
    ):
        figures = found[name] = measure()
        print(f"{name}:", ", ".join(f"{key} {value:.4g}" for key, value in figures.items()))
        sys.stdout.flush()
    scene.viewer.close()
    if path:
        Path(path).write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    words = dict(enumerate(sys.argv[1:]))
    main(float(words.get(0, 5.0)), int(words.get(1, 10_000)), words.get(2, ""))
