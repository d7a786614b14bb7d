"""How often a far store is waited for before an image is open."""

from __future__ import annotations

import json

import numpy as np
import pytest
import zarr

from faulty_server import FaultyServer
from napari_octree.sources.ome_zarr.opening import read_ome_zarr
from napari_octree.sources.stores.side_by_side import POOL, RequestPool


@pytest.fixture
def server(tmp_path):
    found = FaultyServer(tmp_path, latency_s=0)
    yield found
    found.stop()


@pytest.fixture
def rounds(monkeypatch):
    """The numbers of requests that were sent at once."""
    sizes: list[int] = []
    run = RequestPool.run

    def counted(pool, tasks, turn):
        if tasks:
            sizes.append(len(tasks))
        return run(pool, tasks, turn)

    monkeypatch.setattr(RequestPool, "run", counted)
    assert type(POOL) is RequestPool
    return sizes


def write(path, zarr_format):
    group = zarr.open_group(path, mode="w", zarr_format=zarr_format)
    for k in range(3):
        group.create_array(f"{k}", data=np.ones((64 >> k, 64 >> k), "u1"))
    image = {
        "axes": [{"name": "y"}, {"name": "x"}],
        "datasets": [{"path": f"{k}"} for k in range(3)],
    }
    if zarr_format == 3:
        group.attrs["ome"] = {"version": "0.5", "multiscales": [image]}
    else:
        group.attrs["multiscales"] = [{"version": "0.4", **image}]


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.filterwarnings("ignore:.*has no coordinateTransformations")
def test_an_image_is_open_after_two_rounds(tmp_path, server, rounds, zarr_format):
    write(tmp_path / "a.zarr", zarr_format)
    (image,) = read_ome_zarr(f"http://127.0.0.1:{server.port}/a.zarr")
    assert len(image.levels) == 3
    assert rounds == ([5, 4] if zarr_format == 3 else [5, 12])
    assert len(set(server.requests)) == len(server.requests)


@pytest.mark.filterwarnings("ignore:.*has no coordinateTransformations")
def test_what_has_changed_is_seen_by_the_next_opening(tmp_path, server):
    write(tmp_path / "a.zarr", 2)
    address = f"http://127.0.0.1:{server.port}/a.zarr"
    assert len(read_ome_zarr(address)[0].levels) == 3
    document = json.loads((tmp_path / "a.zarr/0/.zarray").read_text())
    (tmp_path / "a.zarr/0/.zarray").write_text(json.dumps({**document, "shape": [70, 64]}))
    (image,) = read_ome_zarr(address)
    assert image.levels[0].shape == (70, 64)
