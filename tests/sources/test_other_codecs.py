"""A process that has switched zarr to other codecs, as iohub does: ours are zarr-python's own."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import zarr
from zarr.core.codec_pipeline import BatchedCodecPipeline
from zarr.registry import register_pipeline

from napari_octree import open_ome_zarr
from napari_octree.plugin.command_line import main
from napari_octree.sources import as_level_source
from napari_octree.sources.arrays.zarr_arrays import zarr_array as module
from napari_octree.sources.stores.own_codecs import own_codecs
from recording_array import random_pixels


class OtherPipeline(BatchedCodecPipeline):
    """Knows nothing; what is in shards it leaves to zarr-python, as zarrs does."""

    @classmethod
    def from_codecs(cls, codecs, **keywords):
        return BatchedCodecPipeline.from_codecs(codecs, **keywords)

    @classmethod
    def from_array_metadata_and_store(cls, array_metadata, store):
        parts = BatchedCodecPipeline.from_codecs(array_metadata.codecs)
        return cls(**{name: getattr(parts, name) for name in parts.__dataclass_fields__})

    async def read(self, *args, **keywords):
        raise RuntimeError("not supported")

    async def write(self, *args, **keywords):
        raise RuntimeError("not supported")

    read_sync = write_sync = property(lambda self: 1 / 0)  # of newer zarr


OTHER = {"codec_pipeline.path": f"{OtherPipeline.__module__}.{OtherPipeline.__qualname__}"}
register_pipeline(OtherPipeline)


@pytest.fixture
def array(tmp_path):
    """Written before anybody has switched."""
    array = zarr.create_array(tmp_path / "a.zarr", shape=(64, 64), chunks=(32, 32), dtype=">u2")
    array[:] = random_pixels((64, 64), "uint16")
    return array


@pytest.fixture
def other_codecs(array):
    with zarr.config.set(OTHER):
        yield
        assert zarr.config.get("codec_pipeline.path") == OTHER["codec_pipeline.path"]


def test_the_others_cannot_read(array, other_codecs) -> None:
    with pytest.raises(RuntimeError, match="not supported"):
        zarr.open_array(array.store)[:]


def test_ours_read(array, other_codecs, monkeypatch) -> None:
    monkeypatch.setattr(module, "tensorstore", None)
    given = zarr.open_array(array.store)  # with the other codecs
    source = as_level_source(given)
    np.testing.assert_array_equal(source.storage.read(((0, 32), (32, 64))), array[:32, 32:])


def test_files_open_and_are_built(array, tmp_path, other_codecs) -> None:
    expected = array[:]
    assert main(["build", str(tmp_path / "a.zarr"), str(tmp_path / "b.zarr")]) == 0
    (layer,) = open_ome_zarr(tmp_path / "b.zarr")
    with own_codecs():
        found = zarr.open_array(tmp_path / "b.zarr" / "0")[:]
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(np.asarray(layer.data[0]), expected)


def test_threads_leave_the_choice_as_it_was(other_codecs) -> None:
    inside, leave = threading.Barrier(2, timeout=60), threading.Event()
    seen = []

    def first() -> None:
        with own_codecs():
            inside.wait()
            leave.wait(60)

    def second() -> None:
        inside.wait()
        with own_codecs():
            seen.append(zarr.config.get("codec_pipeline.path"))

    threads = [threading.Thread(target=work) for work in (first, second)]
    for thread in threads:
        thread.start()
    leave.set()
    for thread in threads:
        thread.join(60)
    assert seen == ["zarr.core.codec_pipeline.BatchedCodecPipeline"]
