"""The generated arrays that are shown: planes, stacks, volumes and labels, each as a pyramid.

Invariants: the same kind and size give the same pixels; no pixel of a plane is 0, so that a
picture without background pixels is a whole picture; a coarser level is the mean of the level
below (of labels: every second pixel).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import zarr
from benchmarks.compare.stores import PLATE
from benchmarks.plate_data import write_plate
from zarr.storage import LocalStore

STRIP = 2048
COARSEST = 256


def write(kind: str, folder: Path, size: int) -> Path:
    """Write what a scenario asks for, unless it is there; return its folder."""
    path = folder / f"{kind}-{size}"
    if not (path / "complete").exists():
        path.mkdir(parents=True, exist_ok=True)
        makers = {
            "plane": _plane, "stack": _stack, "volume": _volume, "labels": _labels, "plate": _plate
        }  # fmt: skip
        makers[kind](path, size)
        (path / "complete").touch()
    return path


def _plane(path: Path, size: int) -> None:
    levels = []
    pixels = np.concatenate(
        [_waves(start, min(STRIP, size), size) for start in range(0, size, STRIP)]
    )
    while True:
        levels.append(pixels)
        _zarr(path / f"{len(levels) - 1}", pixels, (256, 256))
        shard = min(2048, pixels.shape[0])
        _zarr(path / "sharded" / f"{len(levels) - 1}", pixels, (256, 256), (shard, shard))
        if pixels.shape[0] <= COARSEST:
            break
        pixels = _halved(pixels)
    _tiff(path / "levels.tif", levels)


def _stack(path: Path, size: int) -> None:
    pixels = np.stack([_waves(STRIP * z, size, size) for z in range(64)])
    for level in range(3):
        _zarr(path / f"{level}", pixels[:, :: 2**level, :: 2**level], (1, 256, 256))


def _volume(path: Path, size: int) -> None:
    for level in range(4):
        n = size >> level
        axis = (np.arange(n, dtype=np.float32) + 0.5) / n
        waves = np.sin(23 * axis)[:, None, None] * np.sin(17 * axis)[:, None] * np.sin(29 * axis)
        _zarr(path / f"{level}", (np.clip(waves, 0, 1) * 60000).astype(np.uint16), (64, 64, 64))


def _labels(path: Path, size: int) -> None:
    cell = np.arange(size) // 24
    pixels = (1 + cell[:, None] * (size // 24 + 1) + cell[None, :]).astype(np.int32)
    pixels[np.arange(size) % 24 < 4] = 0
    for level in range(int(np.log2(size // COARSEST)) + 1):
        _zarr(path / f"{level}", pixels[:: 2**level, :: 2**level], (256, 256))


def _plate(path: Path, size: int) -> None:
    written = write_plate(path, wells=96, channels=2, side=size, levels=4)
    (path / PLATE).symlink_to(written.name)


def _waves(start: int, rows: int, size: int) -> np.ndarray:
    """Waves of many lengths with some noise: something to see at every zoom."""
    y = np.arange(start, start + rows, dtype=np.float32)[:, np.newaxis]
    x = np.arange(size, dtype=np.float32)
    waves = sum(np.sin(y / length + 1.3) * np.cos(x / length) for length in (11, 97, 701, 4801))
    noise = np.random.default_rng(start).integers(0, 2048, (rows, size), np.uint16)
    return (30_000 + 6_000 * waves).astype(np.uint16) + noise


def _halved(pixels: np.ndarray) -> np.ndarray:
    rows, columns = pixels.shape
    return pixels.reshape(rows // 2, 2, columns // 2, 2).mean(axis=(1, 3)).astype(np.uint16)


def _zarr(
    path: Path, pixels: np.ndarray, chunks: tuple[int, ...], shards: tuple[int, ...] | None = None
) -> None:
    fitting = tuple(min(c, n) for c, n in zip(chunks, pixels.shape, strict=True))
    store = LocalStore(path)
    zarr.create_array(store, shape=pixels.shape, chunks=fitting, shards=shards, dtype=pixels.dtype)
    zarr.open_array(store, mode="r+")[:] = pixels


def _tiff(path: Path, levels: list[np.ndarray]) -> None:
    import tifffile

    with tifffile.TiffWriter(path, bigtiff=True) as file:
        look = {"tile": (256, 256), "photometric": "minisblack", "compression": "zlib"}
        file.write(levels[0], subifds=len(levels) - 1, metadata=None, **look)
        for level in levels[1:]:
            file.write(level, subfiletype=1, metadata=None, **look)
