"""What can be loaded from an HTTP server that misbehaves in every way is loaded."""

import threading
import time

import numpy as np
import pytest
import zarr

from faulty_server import FaultyServer
from loading.loader_bench import take_all
from napari_octree.config import OctreeConfig
from napari_octree.loading import ChunkLoader, TileRequest, TileState
from napari_octree.loading.dispatcher import Dispatcher
from napari_octree.octree.chunk_key import Tier
from napari_octree.sources.levels.level_source import as_level_source

pytest.importorskip("aiohttp")

SIDE = 32
ROWS, COLUMNS = 4, 6


@pytest.fixture
def image(tmp_path):
    pixels = np.random.default_rng(0).integers(
        1, 60_000, (ROWS * SIDE, COLUMNS * SIDE), dtype=np.uint16
    )
    array = zarr.create_array(
        tmp_path / "a.zarr",
        shape=pixels.shape,
        chunks=(SIDE, SIDE),
        dtype=pixels.dtype,
        zarr_format=3,
        fill_value=7,
    )
    array[:] = pixels
    (tmp_path / "a.zarr" / "c" / "3" / "5").unlink()
    pixels[3 * SIDE :, 5 * SIDE :] = 7
    return pixels


def chunk(row, column):
    return f"a.zarr/c/{row}/{column}"


@pytest.fixture
def server(tmp_path, image):
    server = FaultyServer(tmp_path)
    yield server
    server.released.set()
    server.stop()


@pytest.fixture
def loader():
    config = OctreeConfig(octree={"loaders": {0: {"num_workers": 6, "delay_queue_ms": 0}}})
    loader = ChunkLoader(config, dispatcher=Dispatcher(read_limit_s=2.0))
    yield loader
    loader.close()


def load(loader, server, restart_after=None):
    """Load all tiles; return them and the longest time that `replace` or `take` took."""
    level = as_level_source(zarr.open_array(f"{server.url}/a.zarr", mode="r"))
    woken = threading.Event()
    client = loader.open(woken.set)
    requests = [
        TileRequest(
            (r, c),
            level,
            ((r * SIDE, (r + 1) * SIDE), (c * SIDE, (c + 1) * SIDE)),
            (0, 0),
            (SIDE, SIDE),
            np.ascontiguousarray,
            Tier.COVERAGE,
        )
        for r in range(ROWS)
        for c in range(COLUMNS)
    ]
    tiles = {}
    started = time.thread_time()
    client.replace(requests)
    assert time.thread_time() - started < 1
    while client.pending:
        assert woken.wait(60)
        woken.clear()
        tiles |= {tile.key: tile for tile in take_all(client)}
        if restart_after is not None and len(tiles) >= restart_after:
            restart_after = None
            server.stop()
            server.start()
    return tiles | {tile.key: tile for tile in take_all(client)}


def check(tiles, image, failed=frozenset()):
    assert len(tiles) == ROWS * COLUMNS
    for (r, c), tile in tiles.items():
        if (r, c) in failed:
            assert tile.state is TileState.FAILED
        else:
            expected = image[r * SIDE : (r + 1) * SIDE, c * SIDE : (c + 1) * SIDE]
            np.testing.assert_array_equal(tile.data, expected)
            assert tile.state is (TileState.MISSING if (r, c) == (3, 5) else TileState.LOADED)


def test_a_good_server(loader, server, image):
    check(load(loader, server), image)
    assert loader.failures == ()


def test_everything_that_can_be_loaded_is_loaded(loader, server, image):
    server.faults = {
        chunk(0, 0): [503, 503],
        chunk(0, 1): [429],
        chunk(0, 2): ["truncate"],
        chunk(0, 3): ["hang"],
        chunk(1, 0): ["forever 403"],
        chunk(1, 1): [500, "truncate", 503],
    }
    tiles = load(loader, server)
    check(tiles, image, failed={(1, 0)})
    assert [(f.cause, f.count) for f in loader.failures] == [("HTTP 403", 1)]


def test_the_server_restarts_in_the_middle(loader, server, image):
    check(load(loader, server, restart_after=5), image)
    assert loader.failures == ()
