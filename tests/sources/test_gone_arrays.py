"""What is no longer there is an error; what never was is the fill value."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import zarr

from faulty_server import FaultyServer
from napari_octree.sources import SourceError
from napari_octree.sources.arrays.zarr_arrays import gone
from napari_octree.sources.arrays.zarr_arrays.direct_zarr_array import array_from_document
from napari_octree.sources.arrays.zarr_arrays.zarr_array import wrap_zarr
from napari_octree.sources.ome_zarr.nodes import child, open_node
from napari_octree.sources.stores.opening import open_bytes
from napari_octree.sources.stores.zarr_metadata.documents import Documents

FIRST, LAST = ((0, 8), (0, 8)), ((24, 32), (24, 32))


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setattr(gone, "_SEEN", {})
    found = FaultyServer(tmp_path, latency_s=0)
    yield found
    found.stop()


def write(path: Path, size: int = 32, zarr_format: int = 3, stored: int = 32) -> zarr.Array:
    shape, chunks = (size, size), (8, 8)
    array = zarr.create_array(
        path, shape=shape, chunks=chunks, dtype="u1", zarr_format=zarr_format
    )
    array[:stored, :stored] = 5
    return array


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_an_array_deleted_on_a_server_is_an_error(tmp_path, server, zarr_format):
    write(tmp_path / "a.zarr", zarr_format=zarr_format)
    array = wrap_zarr(open_node(f"http://127.0.0.1:{server.port}/a.zarr"))
    assert (array.read(FIRST) == 5).all()
    shutil.rmtree(tmp_path / "a.zarr")
    for _ in range(2):
        with pytest.raises(FileNotFoundError, match="the array is gone"):
            array.read(LAST)


def test_a_plates_array_deleted_on_a_server_is_an_error(tmp_path, server):
    write(tmp_path / "p.zarr/0")
    store = open_bytes(f"http://127.0.0.1:{server.port}/p.zarr")
    document = Documents(store, 3).array("0")
    assert document is not None
    array = array_from_document(store, "0", document)
    assert (array.read(FIRST) == 5).all()
    shutil.rmtree(tmp_path / "p.zarr")
    with pytest.raises(FileNotFoundError, match="the array is gone"):
        array.read(LAST)


def test_a_sparse_array_on_a_server_is_asked_for_once(tmp_path, server):
    write(tmp_path / "a.zarr", stored=8)
    array = wrap_zarr(open_node(f"http://127.0.0.1:{server.port}/a.zarr"))
    server.requests.clear()
    assert (array.read(FIRST) == 5).all()
    whole = len(server.requests)
    assert not any("zarr.json" in str(request) for request in server.requests)
    for start in (8, 16, 24):
        assert array.read(((start, start + 8), (0, 8))) is None
    documents = [request for request in server.requests[whole:] if "zarr.json" in str(request)]
    assert len(documents) == 1


def test_a_group_without_consolidated_metadata_stands_for_nothing(tmp_path, server):
    write(tmp_path / "p.zarr/0")
    group = {"zarr_format": 3, "node_type": "group", "consolidated_metadata": None}
    (tmp_path / "p.zarr/zarr.json").write_text(json.dumps(group))
    store = open_bytes(f"http://127.0.0.1:{server.port}/p.zarr")
    document = Documents(store, 3).array("0")
    assert document is not None
    array = array_from_document(store, "0", document)
    shutil.rmtree(tmp_path / "p.zarr/0")
    with pytest.raises(FileNotFoundError, match="the array is gone"):
        array.read(LAST)


def test_consolidated_metadata_stand_for_an_array_without_a_document(tmp_path, server):
    group = zarr.open_group(tmp_path / "g.zarr", mode="w", zarr_format=2)
    group.create_array("0", shape=(32, 32), chunks=(8, 8), dtype="u1")
    zarr.consolidate_metadata(tmp_path / "g.zarr", zarr_format=2)
    os.remove(tmp_path / "g.zarr/0/.zarray")
    address = f"http://127.0.0.1:{server.port}/g.zarr"
    array = child(open_node(address), "0", address)
    assert wrap_zarr(array).read(FIRST) is None


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_what_a_smaller_array_has_no_more_is_an_error(tmp_path, zarr_format):
    array = wrap_zarr(write(tmp_path / "a.zarr", zarr_format=zarr_format))
    shutil.rmtree(tmp_path / "a.zarr")
    write(tmp_path / "a.zarr", size=16, stored=8, zarr_format=zarr_format)
    later = array.written + 10**9
    name = "zarr.json" if zarr_format == 3 else ".zarray"
    os.utime(tmp_path / "a.zarr" / name, ns=(later, later))
    assert array.read(((8, 16), (8, 16))) is None
    with pytest.raises(SourceError, match=r"written anew, with the shape \(16, 16\)"):
        array.read(LAST)


def test_an_array_that_has_grown_is_none_that_is_smaller(tmp_path):
    opened = write(tmp_path / "a.zarr", stored=8)
    array = wrap_zarr(opened)
    opened.resize((64, 64))
    assert array.read(LAST) is None
    np.testing.assert_array_equal(array.read(FIRST), 5)
