"""Points beside stock napari: frames, first pictures, memory; as ratios taken in one run.

    python benchmarks/points.py [--quick]

Frames are drawn one after the other, each waited for until GL has done it, with the camera moved a
little in between; those of the contestants alternate, and medians are compared.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from typing import Any

import napari
import numpy as np
import psutil
from qtpy.QtWidgets import QApplication

from napari_octree import OctreeConfig, OctreePoints
from napari_octree.octree.points.node_selection import select_nodes
from napari_octree.samples import points as generated
from napari_octree.sources.points.memory_points import index_points

ROUNDS = 3


def frame(viewer: napari.Viewer) -> float:
    """Draw a frame with the camera moved, and wait for it: milliseconds."""
    canvas = viewer.window._qt_viewer.canvas._scene_canvas
    y, x = viewer.scene.camera.center[-2:]
    span = 1 / viewer.scene.camera.zoom
    viewer.scene.camera.center = (0, y, x + span)
    canvas.set_current()
    start = time.perf_counter()
    canvas.on_draw(None)
    canvas.context.finish()  # sends what vispy has queued, too
    return (time.perf_counter() - start) * 1e3


def settled(layer: OctreePoints, seconds: float = 300) -> None:
    """Wait until all is drawn."""
    if not layer.wait_until_settled(seconds):
        raise RuntimeError(f"{layer.name}: not settled: {layer.progress}")


def frames_beside_stock(viewer: napari.Viewer) -> None:
    """A million points in memory, ours and stock's, in turn; at rest and while moving."""
    rng = np.random.default_rng(0)
    positions = rng.random((1_000_000, 2)) * 10_000
    features = {"score": rng.random(len(positions))}
    looks: dict[str, Any] = {"size": 5, "face_color": "score", "border_width": 0}
    start = time.perf_counter()
    stock = viewer.add_points(positions, features=features, name="stock", **looks)
    stock_s = time.perf_counter() - start
    stock.visible = False  # its frames would be counted as ours
    start = time.perf_counter()
    ours = OctreePoints(positions, features=features, **looks)
    viewer.add_layer(ours)
    QApplication.processEvents()
    first_s = time.perf_counter() - start
    settled(ours)
    viewer.reset_view()
    settled(ours)
    times: dict[str, list[float]] = {"stock": [], "at rest": [], "moving": []}
    for _ in range(ROUNDS):
        stock.visible, ours.visible = True, False
        frame(viewer)
        times["stock"].append(frame(viewer))
        stock.visible, ours.visible = False, True
        settled(ours)
        drawing = ours._views[0].drawing
        drawing.quality._wanted = 1.0
        times["at rest"].append(frame(viewer))
        for _ in range(6):
            moving = frame(viewer)
            QApplication.processEvents()
        times["moving"].append(moving)
    stock_ms = float(np.median(times["stock"]))
    for name in ("at rest", "moving"):
        ratio = float(np.median(times[name])) / stock_ms
        print(f"frame {name} / stock's, 10^6 points: {ratio:.2f} (stock {stock_ms:.0f} ms)")
    print(f"adding: first picture after {first_s:.2f} s, stock's layer alone {stock_s:.2f} s")
    viewer.layers.clear()


def cost_by_size(viewer: napari.Viewer, counts: tuple[int, ...]) -> None:
    """Frames, selections and memory for more and more generated points."""
    layers = {}
    for count in counts:
        layer = OctreePoints(generated(count), size=40, border_width=0, name=f"{count:.0e}")
        layers[count] = layer
        viewer.add_layer(layer)
        viewer.reset_view()
        settled(layer)
        layer.visible = False
    times: dict[int, list[float]] = {count: [] for count in counts}
    for _ in range(ROUNDS):
        for count, layer in layers.items():
            layer.visible = True
            settled(layer)
            frame(viewer)
            times[count].append(frame(viewer))
            layer.visible = False
    least = float(np.median(times[counts[0]]))
    for count, layer in layers.items():
        view = layer._views[0].drawing._view
        start = time.perf_counter()
        for _ in range(20):
            chosen = select_nodes(layer.points_source.table, view, 1_000_000)
        ms = (time.perf_counter() - start) / 20 * 1e3
        print(
            f"{count:.0e} points: frame {np.median(times[count]) / least:.2f} of that of "
            f"{counts[0]:.0e}, {len(chosen.rows)} nodes chosen of "
            f"{len(layer.points_source.table)} in {ms:.1f} ms"
        )
    viewer.layers.clear()


class Slow:
    """A reader that takes a while."""

    def __init__(self, reader: Any, seconds: float) -> None:
        self._reader, self._seconds = reader, seconds

    def read(self, *arguments: Any) -> np.ndarray:
        """Read after a while."""
        time.sleep(self._seconds)
        return self._reader.read(*arguments)


def first_picture(viewer: napari.Viewer, latency_s: float) -> None:
    """How long the first points take, in read latencies, beyond what they take without any."""
    took: dict[float, float] = {}
    for latency in (0.0, 0.0, latency_s):  # the first one warms up
        known = generated(10_000_000)
        source = replace(known, reader=Slow(known.reader, latency), key=("slow", time.time()))
        layer = OctreePoints(source, OctreeConfig(), size=40)
        start = time.perf_counter()
        viewer.add_layer(layer)
        while not (layer._views and layer._views[0].drawing.shown_points):
            QApplication.processEvents()
        took[latency] = time.perf_counter() - start
        viewer.layers.clear()
    waited = (took[latency_s] - took[0.0]) / latency_s
    print(
        f"first points: {waited:.2f} read latencies of {latency_s:g} s, and {took[0.0]:.2f} s "
        "which they take without"
    )


def longest_gaps(viewer: napari.Viewer, latency_s: float) -> None:
    """The longest time without a frame on a flight, from a slow store and from memory."""
    rng = np.random.default_rng(0)
    known = index_points(rng.random((2_000_000, 2)) * 10_000, {})
    slow = replace(
        known, reader=Slow(known.reader, latency_s), key=("slow", time.time()), in_memory=False
    )
    config = OctreeConfig(memory={"ram_bytes": 2**26})
    longest: dict[str, list[float]] = {"memory": [], "store": []}
    for _ in range(ROUNDS):
        for name, source in (("memory", known), ("store", slow)):
            layer = OctreePoints(source, config, size=5, border_width=0)
            viewer.add_layer(layer)
            viewer.reset_view()
            settled(layer)
            longest[name].append(_fly(viewer, rng.random(2) * 6000 + 2000))
            settled(layer)
            viewer.layers.clear()
            slow = replace(slow, key=("slow", time.time()))
    ratio = np.median(longest["store"]) / np.median(longest["memory"])
    print(
        f"longest gap on a flight, from a store of {latency_s * 1e3:g} ms / from memory: "
        f"{ratio:.2f} ({np.median(longest['memory']):.0f} ms)"
    )


def _fly(viewer: napari.Viewer, goal: np.ndarray) -> float:
    """Zoom in and back, a step a frame; return the longest time between two frames, in ms."""
    canvas = viewer.window._qt_viewer.canvas._scene_canvas
    times: list[float] = []

    def drawn(event: Any = None) -> None:
        times.append(time.perf_counter())

    canvas.events.draw.connect(drawn, position="last")
    try:
        start = viewer.scene.camera.zoom
        for step in [*range(24), *range(24, 0, -1)]:
            part = step / 24
            viewer.scene.camera.zoom = start * 100**part
            viewer.scene.camera.center = (0, *(np.array([5000, 5000]) * (1 - part) + goal * part))
            frames = len(times)
            while len(times) == frames:
                QApplication.processEvents()
    finally:
        canvas.events.draw.disconnect(drawn)
    return float(np.diff(times).max() * 1e3)


def memory(viewer: napari.Viewer) -> None:
    """Bytes of the process before and after flying through a billion points."""
    process = psutil.Process()
    layer = OctreePoints(generated(1_000_000_000), size=40)
    viewer.add_layer(layer)
    settled(layer)
    before = process.memory_info().rss
    rng = np.random.default_rng(0)
    for _ in range(12):
        viewer.scene.camera.center = (0, *(rng.random(2) * 2**20))
        viewer.scene.camera.zoom = 10 ** rng.uniform(-3, 0)
        settled(layer)
    grown = process.memory_info().rss - before
    counted = layer.statistics.as_dict()["loader"]
    kept = {k: v for k, v in counted.items() if "bytes" in k}
    print(f"memory after twelve views of 10^9 points: +{grown / 2**20:.0f} MiB; loader: {kept}")


def main() -> None:
    """Run all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="up to 10^8 points only")
    options = parser.parse_args()
    viewer = napari.Viewer()
    viewer.window.resize(1000, 800)
    QApplication.processEvents()
    frames_beside_stock(viewer)
    cost_by_size(viewer, (10**7, 10**8) if options.quick else (10**7, 10**8, 10**9))
    first_picture(viewer, 1.0)
    longest_gaps(viewer, 0.05)
    if not options.quick:
        memory(viewer)
    viewer.close()


if __name__ == "__main__":
    main()
