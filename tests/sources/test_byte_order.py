"""Pixels come in this machine's byte order, whatever is stored."""

import dask.array as da
import numpy as np
import pytest
import zarr

from loading.loader_bench import request, take_all
from napari_octree.config import OctreeConfig
from napari_octree.loading import ChunkLoader
from napari_octree.loading.testing import SimulatedSource
from napari_octree.sources import AxisView, as_level_source
from napari_octree.sources.derived.downsampled import DownsampledArray, read_region
from napari_octree.sources.derived.thinned import ThinnedArray
from napari_octree.sources.protocol import LevelSource

DTYPES = ["u1", "i1", "b1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"]


def in_numpy(pixels, folder):
    return pixels


def in_a_view(pixels, folder):
    return AxisView(np.stack([pixels, pixels]), 0, 1)


def in_memmap(pixels, folder):
    mapped = np.memmap(folder / "pixels", pixels.dtype, "w+", shape=pixels.shape)
    mapped[:] = pixels
    return mapped


def in_dask(pixels, folder):
    return da.from_array(pixels, chunks=(8, 8))


def in_own_class(pixels, folder):
    class Own:
        shape, dtype, chunks = pixels.shape, pixels.dtype, (8, 8)

        def __getitem__(self, index):
            return pixels[index]

    return Own()


def in_zarr(pixels, folder):
    array = zarr.create_array(
        folder / "b.zarr",
        shape=pixels.shape,
        chunks=(8, 8),
        dtype=pixels.dtype,
        zarr_format=2,
    )
    array[:] = pixels
    return array


def in_zarr_3(pixels, folder):
    codec = zarr.codecs.BytesCodec(endian="big" if pixels.dtype.itemsize > 1 else None)
    array = zarr.create_array(
        folder / "c.zarr",
        shape=pixels.shape,
        chunks=(8, 8),
        dtype=pixels.dtype.newbyteorder("="),
        serializer=codec,
    )
    array[:] = pixels
    return array


def in_h5py(pixels, folder):
    h5py = pytest.importorskip("h5py")
    file = h5py.File(folder / "a.h5", "w")
    return file.create_dataset("pixels", data=pixels, chunks=(8, 8))


def in_xarray(pixels, folder):
    return pytest.importorskip("xarray").DataArray(pixels)


KINDS = [
    in_numpy,
    in_a_view,
    in_memmap,
    in_dask,
    in_own_class,
    in_zarr,
    in_zarr_3,
    in_h5py,
    in_xarray,
]


def read_all(source):
    pixels = read_region(source, tuple((0, n) for n in source.shape), hint=(8, 8))
    assert pixels.dtype == source.dtype
    assert pixels.dtype.isnative
    return pixels


def level(storage):
    return LevelSource(storage, (None, None))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", KINDS)
def test_pixels_come_in_native_order(kind, order, tmp_path):
    for name in DTYPES:
        dtype = np.dtype(name).newbyteorder(order)
        pixels = (1 + np.arange(16 * 16).reshape(16, 16) % 120).astype(dtype)
        folder = tmp_path / name
        folder.mkdir()
        source = as_level_source(kind(pixels, folder))
        assert source.dtype.isnative
        assert source.dtype == np.dtype(name)
        np.testing.assert_array_equal(read_all(source), pixels)
        coarse = level(DownsampledArray(source, (2, 2), "nearest"))
        np.testing.assert_array_equal(read_all(coarse), pixels[::2, ::2])
        if kind is in_memmap:
            thinned = level(ThinnedArray(source, (1, 1), (1, 1)))
            np.testing.assert_array_equal(read_all(thinned), pixels)


def test_means_of_swapped_pixels():
    pixels = np.arange(64, dtype=">i2").reshape(8, 8)
    mean = read_all(level(DownsampledArray(as_level_source(pixels), (2, 2))))
    expected = np.rint(pixels.reshape(4, 2, 4, 2).mean((1, 3)))
    np.testing.assert_array_equal(mean, expected)


def test_somebodys_storage_array_is_converted():
    swapped = SimulatedSource((16, 16), (8, 8), dtype=np.dtype(">i4"))
    source = as_level_source(swapped)
    assert source.dtype.isnative
    np.testing.assert_array_equal(read_all(source), swapped.pixels_at(((0, 16), (0, 16))))
    native = SimulatedSource((16, 16), (8, 8))
    assert as_level_source(native).storage is native


def test_tiles_are_native():
    loader = ChunkLoader(OctreeConfig(loader_defaults={"force_synchronous": True}))
    client = loader.open(lambda: None)
    pixels = np.arange(256, dtype=">u2").reshape(16, 16)
    storage = as_level_source(pixels).storage
    client.replace([request(storage, 0, 0, key="tile", apron=0)])
    (tile,) = take_all(client)
    assert tile.data.dtype == np.dtype("u2").newbyteorder("=")
    np.testing.assert_array_equal(tile.data, pixels[:8, :8])
    loader.close()
