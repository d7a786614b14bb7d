"""Which arrays are one source, and which are on a network: data, not taken out of names."""

import dask.array as da
import fsspec
import numpy as np
import pytest
import zarr
from zarr.storage import FsspecStore, LocalStore, MemoryStore, ZipStore

from napari_octree.sources import AxisView, as_level_source, as_level_sources
from napari_octree.sources.derived.downsampled import DownsampledArray
from napari_octree.sources.derived.sampled import SampledArray
from napari_octree.sources.derived.thinned import ThinnedArray


class OwnArray:
    """Somebody's own class, without a name."""

    def __init__(self, size=64):
        self.shape = (size, size)
        self.dtype = np.dtype(np.uint8)

    def __getitem__(self, index):
        return np.zeros(self.shape, self.dtype)[index]


def write_levels(store, number=3, path="image"):
    group = zarr.open_group(store, mode="a")
    return [
        group.create_array(f"{path}/{level}", shape=(64 >> level,) * 2, chunks=(8, 8), dtype="u1")
        for level in range(number)
    ]


def groups_of(sources):
    return {source.storage.group for source in sources}


@pytest.mark.parametrize("store", [MemoryStore, lambda: "folder"])
def test_levels_of_an_image_are_one_group(store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (group,) = groups_of(as_level_sources(write_levels(store())))
    assert group.name.endswith("/image")


def test_levels_in_memory_are_one_group():
    levels = [np.zeros((64 >> i,) * 2) for i in range(3)]
    (group,) = groups_of(as_level_sources(levels))
    assert group.name == "numpy array"


def test_levels_wrapped_again_are_the_same_group(tmp_path):
    write_levels(tmp_path)
    first, again = (
        groups_of(as_level_sources([zarr.open(tmp_path)[f"image/{i}"] for i in range(3)]))
        for _ in range(2)
    )
    assert first == again


def test_channels_of_an_image_are_one_group():
    levels = [da.zeros((3, 64 >> i, 64 >> i), chunks=(1, 8, 8)) for i in range(3)]
    channels = [as_level_sources([AxisView(level, 0, c) for level in levels]) for c in range(3)]
    assert len(set.union(*map(groups_of, channels))) == 1


def test_fresh_levels_stay_in_their_group():
    """What was learned of their place still holds."""
    levels = write_levels(MemoryStore())
    assert groups_of(as_level_sources(levels)) == groups_of(as_level_sources(levels, fresh=True))


def test_an_array_that_has_grown_stays_in_its_group(tmp_path):
    levels = write_levels(tmp_path)
    before = groups_of(as_level_sources(levels))
    levels[0].resize((128, 128))
    assert groups_of(as_level_sources(levels)) == before


def test_arrays_side_by_side_are_two_groups(tmp_path):
    one, two = (
        zarr.create_array(tmp_path / f"{name}.zarr", shape=(64, 64), dtype="u1") for name in "ab"
    )
    groups = [as_level_source(array).storage.group for array in (one, two)]
    assert groups[0] != groups[1]
    assert groups[0].name == str(tmp_path / "a.zarr")


@pytest.mark.parametrize("make", [OwnArray, lambda: np.zeros((8, 8)), lambda: da.zeros((8, 8))])
def test_nameless_arrays_of_one_class_are_two_groups(make):
    arrays = [make() for _ in range(2)]
    one, two = (as_level_source(array).storage.group for array in arrays)
    if not isinstance(arrays[0], da.Array):  # dask names equal arrays alike
        assert one != two
    assert one == as_level_source(arrays[0]).storage.group


@pytest.mark.parametrize(
    "make",
    [
        lambda source: DownsampledArray(source, (2, 2)),
        lambda source: SampledArray(source, (2, 2), (8, 8), (8, 8)),
        lambda source: ThinnedArray(source, (2, 2), (1, 1)),
    ],
)
def test_what_is_computed_belongs_to_what_it_is_computed_from(make):
    source = as_level_source(OwnArray())
    array = make(source)
    assert array.group == source.storage.group
    assert array.is_computed
    assert not source.storage.is_computed


def remote(url):
    """A zarr array at an address, of which nothing is asked."""
    array = zarr.create_array(MemoryStore(), shape=(8, 8), dtype="u1")
    file_system, path = fsspec.url_to_fs(url, **({"fo": {}} if "reference" in url else {}))
    store = FsspecStore(_Asynchronous(file_system), path=path)
    return zarr.Array.from_dict(zarr.storage.StorePath(store), array.metadata.to_dict())


class _Asynchronous:
    """Enough of an asynchronous file system to be held by a store."""

    async_impl = True
    asynchronous = True

    def __init__(self, file_system):
        self.sync_fs = file_system
        self.protocol = file_system.protocol
        self.unstrip_protocol = file_system.unstrip_protocol


@pytest.mark.parametrize("url", ["http://example.org/a.zarr", "https://example.org/a.zarr"])
def test_addresses_on_a_network_are_remote(url):
    storage = as_level_source(remote(url)).storage
    assert storage.is_remote
    assert storage.source_name.startswith("http")


@pytest.mark.parametrize("url", ["memory://a.zarr", "reference://"])
def test_other_addresses_are_not(url):
    assert not as_level_source(remote(url)).storage.is_remote


def test_what_is_on_this_machine_is_not_remote(tmp_path):
    with ZipStore(tmp_path / "a.zip", mode="w") as zipped:
        for store in (LocalStore(tmp_path / "a"), MemoryStore(), zipped):
            array = zarr.create_array(store, shape=(8, 8), dtype="u1")
            assert not as_level_source(array).storage.is_remote
    assert not as_level_source(np.zeros((8, 8))).storage.is_remote


def test_tensorstores_on_a_network_are_remote():
    tensorstore = pytest.importorskip("tensorstore")
    metadata = {"shape": [8, 8], "chunks": [8, 8], "dtype": "|u1", "compressor": None}
    metadata |= {"fill_value": 0, "filters": None, "order": "C", "zarr_format": 2}
    spec = {"driver": "zarr", "metadata": metadata, "create": True}
    array = tensorstore.open(spec | {"kvstore": "memory://a"}).result()
    assert not as_level_source(array).storage.is_remote
