"""What a plate costs to open and to look at: from disk, over HTTP, again from the disk cache.

    python benchmarks/plate.py [--wells 384] [--ms 50] [--channels 4] [--repeat 3] [--json FILE]

"Raw" fetches the same documents and chunks of the coarsest level with 64 threads of a plain
pool and decodes nothing: the least that anything which shows the plate waits for. The two take
turns, so that the machine's load falls on both. The server is a process of its own on the same
machine. Run it with a display (`xvfb-run -a` will do).
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import napari
from plate_data import write_plate
from qtpy.QtCore import QEventLoop, QTimer
from qtpy.QtWidgets import QApplication

from napari_octree import OctreeConfig
from napari_octree.plugin.opening.open_ome_zarr import open_layers

AT_ONCE = 64


class Server:
    """The HTTP server."""

    def __init__(self, folder: Path, milliseconds: float) -> None:
        script = Path(__file__).with_name("http_store.py")
        self.process = subprocess.Popen(
            [sys.executable, str(script), str(folder), f"{milliseconds}"], stdout=subprocess.PIPE
        )
        assert self.process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}"

    @property
    def requests(self) -> int:
        """Answered so far."""
        with urllib.request.urlopen(f"{self.url}/count") as answer:
            return int(answer.read())


def raw_seconds(url: str, folder: Path, channels: int, level: int) -> tuple[float, int]:
    """Fetch wells, then fields and arrays, then chunks, 64 at once."""
    import obstore
    from obstore.store import HTTPStore

    store = HTTPStore(url, client_options={"allow_http": True})
    wells = [p.parent.relative_to(folder) for p in sorted(folder.glob("[A-Z]*/*/zarr.json"))]
    fields = [f"{well}/{n}" for well in wells for n in range(4)]
    rounds = [
        [f"{well}/zarr.json" for well in wells],
        [f"{field}/{name}" for field in fields for name in ("zarr.json", f"{level}/zarr.json")],
        [f"{field}/{level}/c/{c}/0/0" for field in fields for c in range(channels)],
    ]
    started = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for names in rounds:
            list(pool.map(lambda name: obstore.get(store, name).bytes(), names))
    return time.perf_counter() - started, sum(map(len, rounds))


def look(
    viewer: napari.Viewer, address: str, config: OctreeConfig, channels: int
) -> dict[str, Any]:
    """Open a plate and wait until all of it is shown."""
    started, busy = time.perf_counter(), time.process_time()
    found: dict[str, Any] = {}
    layers = open_layers(address, config)[:channels]
    found["opened"] = time.perf_counter() - started
    for layer in layers:
        viewer.add_layer(layer)
    gap, last = 0.0, time.perf_counter()

    def done() -> bool:
        nonlocal gap, last
        now = time.perf_counter()
        gap, last = max(gap, now - last), now
        if "first" not in found and any(_tiles_on_gpu(layer) for layer in layers):
            found["first"] = now - started
        return all(layer.settled for layer in layers)

    run_until(done)
    found["whole"] = time.perf_counter() - started
    found["processor"] = time.process_time() - busy
    found["longest gap"] = gap
    found["tiles"] = [layer.progress.ideal for layer in layers]
    found["level"] = layers[0].data_level
    return found


def _tiles_on_gpu(layer: Any) -> int:
    return sum(view.resident for view in layer.statistics.views)


def run_until(done: Callable[[], bool], limit_s: float = 120) -> None:
    """Run the event loop as napari does, looking every 10 ms whether it is done."""
    loop, timer = QEventLoop(), QTimer()
    until = time.perf_counter() + limit_s

    def look_again() -> None:
        if done() or time.perf_counter() > until:
            loop.quit()

    timer.timeout.connect(look_again)
    timer.start(10)
    loop.exec_() if hasattr(loop, "exec_") else loop.exec()
    timer.stop()


def zoom(viewer: napari.Viewer) -> float:
    """From the whole plate to one cell at full resolution."""
    layers = list(viewer.layers)
    _, y, x = viewer.camera.center
    viewer.camera.center = (0, y + 900, x + 700)
    viewer.camera.zoom = 2 / layers[0].scale[-1]
    started = time.perf_counter()
    QApplication.processEvents()
    run_until(lambda: all(layer.settled for layer in layers))
    return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--wells", type=int, default=384)
    parser.add_argument("--ms", type=float, default=50)
    parser.add_argument("--channels", type=int, default=4)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "plates")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    folder = write_plate(options.folder, options.wells)
    disk = tempfile.mkdtemp()
    plain = OctreeConfig()
    kept = OctreeConfig(memory={"disk_bytes": 2**30, "disk_path": disk})
    server = Server(options.folder, options.ms)
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1400, 1000)
    results: dict[str, list[Any]] = {}

    def note(name: str, value: Any) -> None:
        results.setdefault(name, []).append(value)
        print(f"{name}: {value}", flush=True)

    for run in range(options.repeat):
        before = server.requests
        seconds, count = raw_seconds(
            f"{server.url}/run{run}r/{folder.name}", folder, options.channels, 4
        )
        note("raw", round(seconds, 2))
        note("raw requests", count)
        before = server.requests
        found = look(viewer, f"{server.url}/run{run}/{folder.name}", plain, options.channels)
        note("http", {k: round(v, 2) if isinstance(v, float) else v for k, v in found.items()})
        note("http requests", server.requests - before)
        note("whole / raw", round(found["whole"] / seconds, 2))
        note("zoom over http", round(zoom(viewer), 2))
        viewer.layers.clear()
    for run in ("first", "second"):
        address = f"{server.url}/run99/{folder.name}"
        before = server.requests
        found = look(viewer, address, kept, options.channels)
        note(f"disk cache, {run}", round(found["whole"], 2))
        note(f"disk cache, {run}, requests", server.requests - before)
        for layer in list(viewer.layers):  # as a new session would: nothing of it in RAM
            for source in layer._levels.sources:
                layer.loader._dispatcher.change(
                    lambda scheduler, _, key=source.storage.key: scheduler.forget(key)
                )
        viewer.layers.clear()
    for run in range(options.repeat):
        copy = options.folder / f"link{run}"
        copy.unlink(missing_ok=True)
        copy.symlink_to(folder)
        found = look(viewer, str(folder), plain, options.channels)
        note("local", {k: round(v, 2) if isinstance(v, float) else v for k, v in found.items()})
        note("local zoom", round(zoom(viewer), 2))
        for layer in list(viewer.layers):
            layer.reload()
        viewer.layers.clear()
    note("peak MB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
    server.process.terminate()
    viewer.close()
    medians = {
        name: statistics.median(values)
        for name, values in results.items()
        if isinstance(values[0], int | float)
    }
    print(json.dumps(medians, indent=1))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1, default=str))


if __name__ == "__main__":
    main()
