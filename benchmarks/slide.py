"""A slide-like TIFF beside its OME-Zarr twin and an image in RAM: opening, browsing, decoding.

    python -m benchmarks.slide [side] [repeats]

The slide is RGB, in JPEG tiles of 256², with levels by factors of 2 (few tiles, repeated, are
encoded: only how it is read counts). Opening: seconds of `open_image` in turns, each in a process
of its own. Browsing: longest gap of the event loop, beside that of a numpy pyramid of 8192².
Decoding: how often the tile that was decoded most often was.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
import zarr

TILE = 256
RAM_SIDE = 8192
DISTINCT = 24

OPENING = """
import sys, time
from napari_octree import open_image
for small in sys.argv[2:]:
    open_image(small)  # imports, and whatever a first layer costs
begin = time.perf_counter()
layers = open_image(sys.argv[1])
print(time.perf_counter() - begin)
"""


def tiles(count: int) -> Iterator[np.ndarray]:
    """Smooth pictures with some noise, as of tissue."""
    y, x = np.mgrid[:TILE, :TILE].astype(np.float32)
    for seed in range(count):
        random = np.random.default_rng(seed)
        waves = sum(
            np.sin(y / length + seed) * np.cos(x / length - seed) for length in (7, 31, 101)
        )
        base = np.stack([200 + 15 * waves, 120 + 25 * waves, 180 + 20 * waves], -1)
        yield np.clip(base + random.normal(0, 6, base.shape), 1, 254).astype(np.uint8)


def write_slide(path: Path, side: int) -> list[int]:
    """Write the slide; returns the sides of its levels."""
    encoded = [imagecodecs.jpeg8_encode(tile, level=85) for tile in tiles(DISTINCT)]
    sides = [side]
    while sides[-1] > 1024:
        sides.append(-(-sides[-1] // 2))
    with tifffile.TiffWriter(path, bigtiff=True) as tiff:
        for number, length in enumerate(sides):
            count = (-(-length // TILE)) ** 2
            options: dict[str, Any] = {"subfiletype": 1} if number else {"subifds": len(sides) - 1}
            tiff.write(
                (encoded[(i * 7919) % DISTINCT] for i in range(count)),
                shape=(length, length, 3),
                dtype=np.uint8,
                tile=(TILE, TILE),
                compression="jpeg",
                photometric="ycbcr",
                metadata=None,
                **options,
            )
    return sides


def write_twin(path: Path, sides: list[int]) -> None:
    """An OME-Zarr image of the same levels; its pixels do not matter for opening it."""
    group = zarr.open_group(str(path), mode="w")
    for number, length in enumerate(sides):
        group.create_array(
            str(number), shape=(3, length, length), chunks=(1, TILE, TILE), dtype="u1"
        )
    datasets = [
        {
            "path": str(number),
            "coordinateTransformations": [{"type": "scale", "scale": [1, 2**number, 2**number]}],
        }
        for number in range(len(sides))
    ]
    axes = [{"name": "c", "type": "channel"}, *({"name": a, "type": "space"} for a in "yx")]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}


def browse(kind: str, path: str) -> None:
    """Run one session and print its figures."""
    from benchmarks.compare.cameras import CANVAS_SHAPE, ZOOM_STEPS, geometric
    from benchmarks.compare.peers import PEERS
    from benchmarks.compare.session import Session
    from benchmarks.compare.stores import Opened

    from napari_octree.sources.tiff.tiff_array import TiffArray

    decoded: Counter[tuple[int, int, int]] = Counter()
    if kind == "tiff":
        from napari_octree.sources.tiff.reading import read_tiff

        levels: list[Any] = list(read_tiff(path)[0].levels)
        decode = TiffArray._decode

        def counted(self: TiffArray, page: Any, segment: int, number: int) -> Any:
            decoded[self.level, number, segment] += 1
            return decode(self, page, segment, number)

        TiffArray._decode = counted  # type: ignore[method-assign]
    else:
        few = list(tiles(DISTINCT))
        count = RAM_SIDE // TILE
        rows = [
            np.concatenate([few[(i * count + j) * 7919 % DISTINCT] for j in range(count)], 1)
            for i in range(count)
        ]
        levels = [np.concatenate(rows)]
        while len(levels[-1]) > 1024:
            levels.append(np.ascontiguousarray(levels[-1][::2, ::2]))

    session = Session(PEERS["ours"], Opened(levels), watch=False)
    side = levels[0].shape[0]
    rgb = levels[0].shape[-1] == 3
    session.warm_up()
    session.phase("open", [lambda: session.peer.add_image(session.viewer, levels, rgb=rgb)])
    overview = (side / 2, side / 2, 0.95 * CANVAS_SHAPE[0] / side)
    place = (0.317 * side, 0.554 * side, 1.0)
    for name, journey in (
        ("zoom in", geometric(overview, place, ZOOM_STEPS)),
        ("zoom out", geometric(place, overview, ZOOM_STEPS)),
    ):
        session.phase(name, [lambda c=camera: session.look_at(*c) for camera in journey])
    gaps = {name: phase["longest_gap_ms"] for name, phase in session.phases.items()}
    session.viewer.close()
    print(json.dumps({"gaps": gaps, "decoded": max(decoded.values(), default=0)}))


def main() -> None:
    """Write, run and print."""
    if sys.argv[1:2] == ["browse"]:
        browse(*sys.argv[2:4])
        return
    side = int(sys.argv[1]) if len(sys.argv) > 1 else 60_000
    repeats = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    folder = Path(tempfile.mkdtemp())
    try:
        slide, twin = folder / "slide.tif", folder / "twin.ome.zarr"
        write_twin(twin, write_slide(slide, side))
        small = folder / "small.tif", folder / "small.zarr"
        write_twin(small[1], write_slide(small[0], 512))
        print(f"{side}² RGB, {slide.stat().st_size / 2**30:.2f} GiB", flush=True)
        seconds: dict[str, list[float]] = {"tiff": [], "zarr": []}
        for _ in range(max(repeats, 5)):
            for name, path in (("tiff", slide), ("zarr", twin)):
                command = [sys.executable, "-W", "ignore", "-c", OPENING, path, *small]
                ran = subprocess.run(command, capture_output=True, text=True, check=True)
                seconds[name].append(float(ran.stdout.splitlines()[-1]))
        tiff, other = (statistics.median(seconds[name]) for name in ("tiff", "zarr"))
        print(f"opens in {1000 * tiff:.0f} ms, its twin in {1000 * other:.0f}: {tiff / other:.2f}")
        runs: dict[str, list[dict[str, Any]]] = {"tiff": [], "ram": []}
        for _ in range(repeats):
            for name in runs:
                command = [sys.executable, "-m", "benchmarks.slide", "browse", name, str(slide)]
                ran = subprocess.run(command, capture_output=True, text=True, check=True)
                runs[name].append(json.loads(ran.stdout.splitlines()[-1]))
        for phase in runs["tiff"][0]["gaps"]:
            one, other = (
                statistics.median(run["gaps"][phase] for run in runs[name]) for name in runs
            )
            print(f"{phase:9} {one:7.1f} ms, in RAM {other:7.1f}: {one / other:.2f}")
        most = max(run["decoded"] for run in runs["tiff"])
        print(f"the tile that was decoded most often was so {most} times")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
