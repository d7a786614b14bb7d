"""What labels cost against stock's and images: `python -m benchmarks.labels [rounds [PART]]`.

Parts: `draw`, `dab`, `browse`; default: all. Invariants: as in `benchmarks.draw`: stock and ours,
or labels and an image of the same pixels, in turns in one window, ratios of medians.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import Any

import numpy as np
from benchmarks.draw import Scene, as_on_screen, pump
from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap

from napari_octree import OctreeImage, OctreeLabels, samples

SIDE = 2048


def cells(side: int = SIDE, dtype: str = "int32") -> np.ndarray:
    """A label for each block of 24² pixels."""
    rows = side // 24 + 1
    seeds = np.arange(rows * rows, dtype=dtype).reshape(rows, rows)
    return np.kron(seeds, np.ones((24, 24), dtype))[:side, :side].copy()


def looks() -> dict[str, Any]:
    """What is set on both layers."""
    colours = {n: np.random.default_rng(n).random(4) for n in range(1, 60)}
    direct = DirectLabelColormap(color_dict={**colours, None: "red", 0: "transparent"})
    return {
        "cyclic": {},
        "selected": {"show_selected_label": True, "selected_label": 70},
        "contour 1": {"contour": 1},
        "contour 3": {"contour": 3},
        "contour 6": {"contour": 6},
        "direct": {"colormap": direct},
    }


def draw_ratios(scene: Scene, dtype: str, rounds: int) -> None:
    """Print how long a draw takes, stock's and ours in turns."""
    data = cells(dtype=dtype)
    stock, ours = Labels(data, opacity=1), OctreeLabels(data, opacity=1)
    scene.viewer.layers.clear()
    for layer in (stock, ours):
        scene.viewer.add_layer(layer)
    scene.viewer.scene.camera.zoom = 1.0
    scene.viewer.scene.camera.center = (0, SIDE / 2 - 0.4, SIDE / 2 - 0.4)
    for name, look in looks().items():
        times: dict[Any, list[float]] = {stock: [], ours: []}
        for layer in (stock, ours):
            for key, value in look.items():
                setattr(layer, key, value)
        for _ in range(rounds):
            for layer, other in ((stock, ours), (ours, stock)):
                layer.visible, other.visible = True, False
                pump(0.05)
                if layer is ours:
                    assert ours.wait_until_settled(60)
                    as_on_screen(ours)
                scene.frame()
                times[layer].append(min(scene.frame() for _ in range(5)))
        for layer in (stock, ours):
            layer.contour, layer.show_selected_label = 0, False
        medians = [statistics.median(times[layer]) for layer in (stock, ours)]
        print(
            f"{dtype:7} {name:10} stock {medians[0]:6.2f} ms  ours {medians[1]:6.2f} ms  "
            f"ratio {medians[1] / medians[0]:.2f}",
            flush=True,
        )


def dab_ratio(scene: Scene, rounds: int) -> None:
    """Print what a dab of radius 20 on 4096² takes until it is drawn, stock's and ours in turns.

    The main thread's processor time: of the paint alone, and of paint and frame together. (What
    the software renderer's own threads do for a frame is what `draw_ratios` is about.)
    """
    data = cells(4096)
    stock, ours = Labels(data.copy()), OctreeLabels(data.copy())
    scene.viewer.layers.clear()
    for layer in (stock, ours):
        scene.viewer.add_layer(layer)
        layer.brush_size = 41
    scene.viewer.scene.camera.zoom = 1.0
    scene.viewer.scene.camera.center = (0, 2048.4, 2048.4)
    assert ours.wait_until_settled(60)
    as_on_screen(ours)
    places = np.random.default_rng(0).integers(1600, 2500, (rounds, 2))
    times: dict[Any, list[tuple[float, float]]] = {stock: [], ours: []}
    for n, place in enumerate(places.tolist()):
        for layer, other in ((stock, ours), (ours, stock)):
            layer.visible, other.visible = True, False
            pump(0.05)
            scene.frame()
            start = time.thread_time()
            layer.paint(place, 10_000 + n)
            painted = time.thread_time()
            scene.frame()
            shown = time.thread_time()
            times[layer].append(((painted - start) * 1e3, (shown - start) * 1e3))
    for part, name in ((0, "paint"), (1, "paint and frame")):
        medians = [statistics.median(t[part] for t in times[layer]) for layer in (stock, ours)]
        print(
            f"dab, {name}: stock {medians[0]:.3f} ms  ours {medians[1]:.3f} ms  "
            f"ratio {medians[1] / medians[0]:.2f}",
            flush=True,
        )


def stops(ndim: int, side: int) -> list[tuple[tuple[float, ...], float]]:
    """Where the camera rests on a journey: centre, and zoom from that of the overview on."""
    place = np.array([0.41, 0.317, 0.554][-ndim:]) * side
    closer = [2.0**octave for octave in range(11 if ndim == 2 else 4)]
    steps = [(tuple(place), zoom) for zoom in closer]
    shift = side / closer[-1] / 3
    steps += [((*place[:-1], place[-1] + shift * n), closer[-1]) for n in (1, 2, 3)]
    return [*steps, *[(tuple(place), zoom) for zoom in closer[::-3]]]


def journey(scene: Scene, layer: Any, ndim: int, side: int) -> tuple[int, int, float, float]:
    """Reads, uploads, seconds until all stops have settled, longest turn of the loop in ms."""

    def reads() -> int:
        sources = layer.statistics.as_dict()["loader"]["sources"]
        return sum(source["reads"] for source in sources.values())

    before, longest, settled = reads(), 0.0, 0.0
    scene.viewer.layers.clear()
    scene.viewer.dims.ndisplay = ndim
    scene.viewer.add_layer(layer)
    overview = scene.viewer.scene.camera.zoom
    for centre, zoom in stops(ndim, side):
        scene.viewer.scene.camera.center = (*(0,) * (3 - ndim), *centre)
        scene.viewer.scene.camera.zoom = overview * zoom
        begin = turn = time.perf_counter()
        while (not layer.settled or turn - begin < 0.1) and turn - begin < 600:
            pump(0.001)
            now = time.perf_counter()
            longest, turn = max(longest, now - turn), now
        assert layer.settled, (layer, layer.progress)
        settled += turn - begin
    views = layer.statistics.views
    return reads() - before, sum(view.uploads for view in views), settled, 1e3 * longest


def browse_ratios(scene: Scene, rounds: int) -> None:
    """Print what a journey over unique labels takes, as an image and as labels, in turns."""
    for ndim, side in ((2, 2**20), (3, 2**14)):
        found: dict[str, list[tuple[int, int, float, float]]] = {"image": [], "labels": []}
        for n in range(2 * rounds):
            kind = ("image", "labels")[(n + n // 2) % 2]
            levels = samples.labels(side, ndim=ndim)
            layer: Any = OctreeLabels(levels)
            if kind == "image":
                layer = OctreeImage(
                    levels, contrast_limits=(0, 2**32 - 1), rendering="iso", iso_threshold=0.5
                )
            found[kind].append(journey(scene, layer, ndim, side))
        for place, name in enumerate(("reads", "uploads", "settled s", "longest turn ms")):
            image, labels = (
                statistics.median(run[place] for run in found[kind]) for kind in found
            )
            print(
                f"browse {ndim}-D {name}: image {image:.5g}  labels {labels:.5g}  "
                f"ratio {labels / image:.2f}",
                flush=True,
            )


def main() -> None:
    """Run what is asked for."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    parts = sys.argv[2:] or ["dab", "draw", "browse"]
    scene = Scene()
    if "dab" in parts:
        dab_ratio(scene, 10 * rounds)
    for dtype in ("int32", "uint8", "int64") if "draw" in parts else ():
        draw_ratios(scene, dtype, rounds)
    if "browse" in parts:
        browse_ratios(scene, rounds)
    scene.viewer.close()


if __name__ == "__main__":
    main()
