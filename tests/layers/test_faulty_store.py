"""A store behind a server that fails in every way, as the user sees it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr
from napari.layers import Image

from faulty_server import FaultyServer
from napari_octree import OctreeConfig, OctreeImage

pytest.importorskip("aiohttp")

SIDE, ROWS, COLUMNS = 32, 4, 6
FORBIDDEN = (1, 2)


def chunk(row: int, column: int) -> str:
    return f"a.zarr/c/{row}/{column}"


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(
        1, 60_000, (ROWS * SIDE, COLUMNS * SIDE), dtype=np.uint16
    )


@pytest.fixture
def server(tmp_path: Path, pixels: np.ndarray):
    array = zarr.create_array(
        tmp_path / "a.zarr", shape=pixels.shape, chunks=(SIDE, SIDE), dtype=pixels.dtype
    )
    array[:] = pixels
    (tmp_path / chunk(3, 5)).unlink()  # 404, which means zeros
    pixels[3 * SIDE :, 5 * SIDE :] = 0
    server = FaultyServer(tmp_path)
    yield server
    server.released.set()
    server.stop()


def test_what_can_be_loaded_is_shown_and_the_rest_is_marked(
    viewer, server, pixels, recording_array, read_log, look_at, screenshot, pump_until
) -> None:
    limits = (0, 60_000)
    viewer.add_layer(Image(pixels, contrast_limits=limits))
    look_at(viewer, (ROWS * SIDE / 2, COLUMNS * SIDE / 2), 2)
    expected = screenshot(viewer)
    viewer.layers.clear()

    remote = zarr.open_array(f"{server.url}/a.zarr", mode="r")
    server.faults = {
        chunk(0, 0): [503, 503],
        chunk(0, 1): [429],
        chunk(0, 2): ["truncate"],
        chunk(0, 3): ["hang"],
        chunk(1, 1): [500, "truncate", 503],
        chunk(*FORBIDDEN): ["forever 403"],
    }
    layer = OctreeImage(
        recording_array(remote, (SIDE, SIDE)),
        config=OctreeConfig(octree={"tile_size": SIDE}),
        contrast_limits=limits,
    )
    layer.display.show_loading = False  # the dot would stay, for what has failed
    viewer.add_layer(layer)
    look_at(viewer, (ROWS * SIDE / 2, COLUMNS * SIDE / 2), 2)
    pump_until(lambda: layer.progress.resident > 3)
    server.stop()
    server.start()
    # All but what hangs is there, and what hangs holds nobody up.
    pump_until(lambda: layer.progress.resident == ROWS * COLUMNS - 2)
    server.released.set()
    assert not layer.wait_until_settled(30)
    progress = layer.progress
    assert (progress.failed, progress.loading) == (1, 0)

    shown = screenshot(viewer)
    different = (shown != expected).any(axis=-1)
    rows, columns = np.nonzero(different)
    middle = np.array(different.shape) / 2
    first = middle + 2 * (np.array(FORBIDDEN) * SIDE - np.array(pixels.shape) / 2)
    assert different.any()
    assert (rows >= first[0] - 2).all()
    assert (rows <= first[0] + 2 * SIDE + 2).all()
    assert (columns >= first[1] - 2).all()
    assert (columns <= first[1] + 2 * SIDE + 2).all()
    assert read_log.reads
    assert not any(read.in_gui_thread for read in read_log.reads)
