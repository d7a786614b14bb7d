import numpy as np
import pytest
import zarr

from napari_octree.sources import as_level_source
from napari_octree.sources.zarr_array import is_all

STORES = {
    "local": lambda tmp_path: tmp_path / "a.zarr",
    "memory": lambda tmp_path: zarr.storage.MemoryStore(),
    "fsspec": lambda tmp_path: zarr.storage.FsspecStore.from_url(f"memory://{tmp_path}"),
}


@pytest.fixture(params=STORES)
def store(request, tmp_path):
    return STORES[request.param](tmp_path)


@pytest.mark.parametrize("fill_value", [0, 7])
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_absent_chunks_are_told_from_stored_ones(store, zarr_format, fill_value):
    array = zarr.create_array(
        store,
        shape=(6, 4),
        chunks=(2, 4),
        dtype="int16",
        fill_value=fill_value,
        zarr_format=zarr_format,
        config={"write_empty_chunks": True},
    )
    array[0:2] = fill_value
    array[2:4] = 3
    storage = as_level_source(array).storage
    assert storage.fill_value == fill_value
    assert (storage.read(((0, 2), (0, 4))) == fill_value).all()
    assert (storage.read(((2, 4), (0, 4))) == 3).all()
    assert storage.read(((4, 6), (0, 4))) is None


def test_absent_shards_are_told(store):
    array = zarr.create_array(
        store, shape=(8, 4), chunks=(2, 4), shards=(4, 4), dtype="f4", fill_value=np.nan
    )
    array[0:2] = 3
    storage = as_level_source(array).storage
    assert (storage.read(((0, 2), (0, 4))) == 3).all()
    assert np.isnan(storage.read(((2, 4), (0, 4)))).all()  # its shard is there
    assert storage.read(((4, 6), (0, 4))) is None


def test_fresh_arrays_tell_absent_chunks_too(store):
    array = zarr.create_array(store, shape=(2, 4), chunks=(2, 4), dtype="u1")
    assert as_level_source(array, fresh=True).storage.read(((0, 2), (0, 4))) is None


def test_the_store_is_never_listed(store, monkeypatch):
    array = zarr.create_array(store, shape=(6, 4), chunks=(2, 4), dtype="u1")

    def refuse(*_):
        raise AssertionError("listed")

    for name in ("list", "list_dir", "list_prefix"):
        monkeypatch.setattr(type(array.store), name, refuse)
    assert as_level_source(array).storage.read(((0, 2), (0, 4))) is None


def test_names_say_where_the_array_is(tmp_path):
    local = zarr.create_array(tmp_path / "a.zarr", shape=(2, 2), dtype="u1")
    assert as_level_source(local).storage.source_name == str(tmp_path / "a.zarr")
    url = zarr.storage.FsspecStore.from_url("memory://some/where")
    remote = zarr.create_array(url, name="a", shape=(2, 2), dtype="u1")
    assert as_level_source(remote).storage.source_name == "memory:///some/where/a"


@pytest.mark.parametrize(
    ("block", "value", "expected"),
    [
        ([[1, 1]], 1, True),
        ([[1, 2]], 1, False),
        ([[2, 1]], 1, False),
        ([[np.nan, np.nan]], np.nan, True),
        ([[np.nan, 1]], np.nan, False),
        ([[]], 0, False),
    ],
)
def test_is_all(block, value, expected):
    assert is_all(np.array(block), value) is expected
