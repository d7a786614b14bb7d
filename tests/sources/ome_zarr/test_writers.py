"""Images of other people's writers: every pixel, where it lies, and how it is named.

None of them writes 0.1 to 0.3 any more; those are written here, as their texts say.
"""

import warnings

import dask.array as da
import numpy as np
import ome_zarr.format
import ome_zarr.writer
import pytest
import zarr
from bioio_ome_zarr.writers import Channel, OMEZarrWriter
from iohub.ngff import open_ome_zarr as open_iohub
from iohub.ngff.models import TransformationMeta

from napari_octree import open_ome_zarr
from napari_octree.layers.labels.octree_labels import OctreeLabels

SHAPE = (2, 3, 40, 60)
PIXELS = np.random.default_rng(7).integers(0, 4000, SHAPE).astype("u2")
LABELS = (PIXELS[0] > 2000).astype("u2") * 5


@pytest.fixture(autouse=True)
def _same_codecs_afterwards():
    """Newer iohub switches zarr to other codecs, for the whole process."""
    with zarr.config.set({"codec_pipeline.path": zarr.config.get("codec_pipeline.path")}):
        yield


def layers_of(path, **keywords):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return open_ome_zarr(path, **keywords)


def assert_shows(layers, scale, translate=(0, 0, 0), levels=1):
    assert len(layers) == SHAPE[0]
    for index, layer in enumerate(layers):
        assert "".join(layer.axis_labels).lower().endswith("zyx")
        np.testing.assert_array_equal(np.asarray(layer.data[0]).squeeze(), PIXELS[index])
        np.testing.assert_allclose(layer.scale[-3:], scale)
        np.testing.assert_allclose(layer.translate[-3:], translate, atol=1e-12)
        assert len(layer.data) == levels


@pytest.mark.parametrize("version", ["0.1", "0.2", "0.3"])
def test_by_hand(tmp_path, version):
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    separator = "." if version == "0.1" else "/"
    key = {"name": "v2", "separator": separator}
    for k in range(2):
        data = PIXELS[None, ..., :: 2**k, :: 2**k]
        group.create_array(str(k), data=data, chunks=(1, 1, 3, 16, 16), chunk_key_encoding=key)
    image = {"version": version, "datasets": [{"path": "0"}, {"path": "1"}]}
    if version == "0.3":
        image["axes"] = ["t", "c", "z", "y", "x"]
    group.attrs["multiscales"] = [image]
    layers = layers_of(tmp_path / "a.zarr")
    assert_shows(layers, (1, 1, 1), levels=2)
    assert layers[0]._level_transforms[1].factor == (1, 1, 2, 2)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_ome_zarr_py(tmp_path, version):
    fmt = {"0.4": ome_zarr.format.FormatV04, "0.5": ome_zarr.format.FormatV05}[version]()
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=fmt.zarr_format)
    scale = {"c": 1.0, "z": 2.0, "y": 0.5, "x": 0.25}
    ome_zarr.writer.write_image(
        PIXELS, group, fmt=fmt, axes="czyx", scale_factors=(2,), scale=scale
    )
    layers = layers_of(tmp_path / "a.zarr")
    assert_shows(layers, (2, 0.5, 0.25), levels=2)
    stored = np.asarray(group["s1" if "s1" in group else "1"])
    np.testing.assert_array_equal(np.asarray(layers[1].data[1]), stored[1])


def test_labels_of_ome_zarr_py(tmp_path):
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    fmt = ome_zarr.format.FormatV04()
    scale = {"c": 1.0, "z": 2.0, "y": 0.5, "x": 0.25}
    ome_zarr.writer.write_image(
        PIXELS, group, fmt=fmt, axes="czyx", scale=scale, scale_factors=(2,)
    )
    ome_zarr.writer.write_labels(
        LABELS,
        group,
        name="cells",
        fmt=fmt,
        axes="zyx",
        scale={axis: scale[axis] for axis in "zyx"},
        scale_factors=(2,),
        label_metadata={"colors": [{"label-value": 5, "rgba": [0, 255, 0, 255]}]},
    )
    *_, cells = layers_of(tmp_path / "a.zarr")
    assert isinstance(cells, OctreeLabels)
    np.testing.assert_array_equal(np.asarray(cells.data[0]), LABELS)
    assert tuple(cells.scale) == (2, 0.5, 0.25)
    np.testing.assert_allclose(cells.colormap.map(np.array([5])), [[0, 1, 0, 1]])


@pytest.mark.parametrize("version", ["0.4", "0.5", "0.6"])
@pytest.mark.parametrize("ending", [".zarr", ".ozx"])
def test_ngff_zarr(tmp_path, version, ending):
    ngff_zarr = pytest.importorskip("ngff_zarr")  # it wants dask 2026
    if ending == ".ozx" and version == "0.4":
        ending = ".zarr"  # archives begin with 0.5
    image = ngff_zarr.to_ngff_image(
        da.from_array(PIXELS, chunks=(1, 3, 16, 16)),
        dims=("c", "z", "y", "x"),
        scale={"z": 2.0, "y": 0.5, "x": 0.25},
        translation={"z": 7.0, "y": 1.0, "x": 3.0},
        axes_units=dict.fromkeys("zyx", "micrometer"),
    )
    pyramid = ngff_zarr.to_multiscales(image, scale_factors=[2])
    path = tmp_path / f"a{ending}"
    ngff_zarr.to_ngff_zarr(path, pyramid, version=version)
    layers = layers_of(path)
    assert_shows(layers, (2, 0.5, 0.25), (7, 1, 3), levels=2)
    assert [str(unit) for unit in layers[0].units] == ["micrometer"] * 3


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_bioio_ome_zarr(tmp_path, zarr_format):
    writer = OMEZarrWriter(
        str(tmp_path / "a.ome.zarr"),
        level_shapes=[SHAPE, (2, 3, 20, 30)],
        dtype="uint16",
        zarr_format=zarr_format,
        channels=[Channel(label="DAPI", color="0000FF"), Channel(label="GFP", color="00FF00")],
        axes_names=["c", "z", "y", "x"],
        axes_types=["channel", "space", "space", "space"],
        axes_units=[None, "micrometer", "micrometer", "micrometer"],
        physical_pixel_size=[1.0, 2.0, 0.5, 0.25],
        image_name="cells",
    )
    writer.write_full_volume(PIXELS)
    layers = layers_of(tmp_path / "a.ome.zarr")
    assert_shows(layers, (2, 0.5, 0.25), levels=2)
    assert [layer.name for layer in layers] == ["cells: DAPI", "cells: GFP"]
    assert [layer.colormap.name for layer in layers] == ["blue", "green"]


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_iohub(tmp_path, version):
    scale = TransformationMeta(type="scale", scale=[1, 1, 2, 0.5, 0.25])
    with open_iohub(
        tmp_path / "a.zarr", layout="fov", mode="w", channel_names=["DAPI", "GFP"], version=version
    ) as dataset:
        dataset.create_image("0", PIXELS[None], transform=[scale])
    layers = layers_of(tmp_path / "a.zarr")
    assert_shows(layers, (2, 0.5, 0.25))
    assert [layer.name for layer in layers] == ["0: DAPI", "0: GFP"]
