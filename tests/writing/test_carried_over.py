"""What a file says of its image is in the pyramid that is built from it."""

import json

import numpy as np
import pytest
import tifffile
import zarr
from yaozarrs import validate_zarr_store

from napari_octree import OctreeLabels, open_image, open_ome_zarr
from napari_octree.plugin.command_line import main
from napari_octree.writing.build import BuildOptions, build_pyramid
from napari_octree.writing.errors import WritingError
from napari_octree.writing.from_files import images_in_file
from napari_octree.writing.image_to_write import image_to_write

PIXELS = np.random.default_rng(0).integers(0, 4000, (2, 70, 90)).astype(np.uint16)
NUCLEI = np.random.default_rng(1).integers(0, 9, (70, 90)).astype(np.uint32)


def write_image(path, version, steps=()):
    """An image of two channels with label images beside it, as other programs write it."""
    number = 2 if version == "0.4" else 3
    group = zarr.open_group(str(path), mode="w", zarr_format=number)
    scale = {"type": "scale", "scale": [1, 0.5, 0.25]}
    shift = {"type": "translation", "translation": [0, 7, 8]}
    axes = [{"name": "c", "type": "channel"}] + [
        {"name": n, "type": "space", "unit": "micrometer"} for n in "yx"
    ]

    def document(axes, transformations, **more):
        multiscale = {
            "axes": axes,
            "datasets": [{"path": "a", "coordinateTransformations": transformations}],
        }
        if steps:
            multiscale["coordinateTransformations"] = list(steps)
        if version == "0.4":
            return {"multiscales": [{**multiscale, "version": "0.4"}], **more}
        return {"ome": {"version": version, "multiscales": [multiscale], **more}}

    window = {"min": 5, "max": 3000, "start": 10, "end": 99}
    channels = [
        {"label": "DAPI", "color": "0000FF", "window": window, "active": True},
        {"label": "GFP", "color": "00FF00", "window": window, "active": False, "inverted": True},
    ]
    group.attrs.put(document(axes, [scale, shift], omero={"channels": channels}))
    group.create_array("a", data=PIXELS, chunks=(1, 64, 64))
    labels = group.create_group("labels")
    names = {"labels": ["nuclei", "cells"]}
    labels.attrs.put(names if version == "0.4" else {"ome": {"version": version, **names}})
    said = {
        "colors": [{"label-value": 3, "rgba": [255, 0, 128, 255]}],
        "properties": [{"label-value": 3, "class": "round"}],
        "source": {"image": "../../"},
    }
    for name in names["labels"]:
        own = labels.create_group(name)
        own.attrs.put(
            document(axes[1:], [{"type": "scale", "scale": [0.5, 0.25]}], **{"image-label": said})
        )
        own.create_array("a", data=NUCLEI, chunks=(64, 64))


@pytest.mark.parametrize(("version", "to"), [("0.4", "0.5"), ("0.5", "0.4"), ("0.5", "0.6")])
def test_channels_labels_and_places_of_ome_zarr(tmp_path, version, to):
    source, target = tmp_path / "source.zarr", tmp_path / "target.zarr"
    write_image(source, version)
    options = ["--version", to, "--chunk", "32", "--shard", "64", "--factors", "1,2,2;1,2,2"]
    assert main(["build", str(source), str(target), *options]) == 0
    validate_zarr_store(str(target)) if to != "0.6" else None
    before, after = open_ome_zarr(source), open_ome_zarr(target)
    assert [type(layer) for layer in after] == [type(layer) for layer in before]
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(new.data[0][...], old.data[0][...])
        assert len(new.data) == 3
        np.testing.assert_allclose(new.data_to_world([3, 5]), old.data_to_world([3, 5]))
        assert (new.units, new.visible) == (old.units, old.visible)
        assert new.name.rpartition(": ")[2] == old.name.rpartition(": ")[2]
        if isinstance(new, OctreeLabels):
            assert set(np.unique(new.data[1])) <= set(np.unique(NUCLEI))
            np.testing.assert_allclose(new.get_color(3), old.get_color(3))
            assert new.features["class"].tolist() == ["round"]
        else:
            assert new.contrast_limits == old.contrast_limits == [10, 99]
            assert new.contrast_limits_range == old.contrast_limits_range
            np.testing.assert_allclose(new.colormap.map([0.5]), old.colormap.map([0.5]))


def test_a_place_in_coordinates_of_their_own_is_carried_over(tmp_path):
    steps = [{"type": "scale", "scale": [1, 10, 10]}]
    write_image(tmp_path / "source.zarr", "0.5", steps)
    assert main(["build", str(tmp_path / "source.zarr"), str(tmp_path / "target.zarr")]) == 0
    before, after = (open_ome_zarr(tmp_path / f"{n}.zarr")[0] for n in ("source", "target"))
    np.testing.assert_allclose(after.data_to_world([3, 5]), before.data_to_world([3, 5]))


def test_of_tiff_files(tmp_path):
    said = {
        "axes": "CYX", "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.5,
        "Channel": {"Name": ["DAPI", "GFP"], "Color": [-16776961, 0x00FF00FF]},
    }  # fmt: skip
    tifffile.imwrite(tmp_path / "a.ome.tif", PIXELS, ome=True, metadata=said)
    tifffile.imwrite(tmp_path / "white.tif", PIXELS[0], photometric="miniswhite")
    for name in ("a.ome.tif", "white.tif"):
        assert main(["build", str(tmp_path / name), str(tmp_path / f"{name}.zarr")]) == 0
    for old, new in zip(
        open_image(tmp_path / "a.ome.tif"), open_ome_zarr(tmp_path / "a.ome.tif.zarr"), strict=True
    ):
        assert (new.name, new.scale.tolist()) == (old.name, old.scale.tolist())
        np.testing.assert_allclose(new.colormap.map([0.5]), old.colormap.map([0.5]))
    (white,) = open_ome_zarr(tmp_path / "white.tif.zarr")
    assert white.colormap.map([0.0])[0, 0] > white.colormap.map([1.0])[0, 0]


def test_plain_labels_are_never_mixed(tmp_path):
    tifffile.imwrite(
        tmp_path / "labels.tif",
        np.full((40, 40), 3, np.uint16) * (NUCLEI[:40, :40] % 2 + 1).astype(np.uint16),
    )
    command = ["build", str(tmp_path / "labels.tif"), str(tmp_path / "labels.zarr"), "--labels"]
    assert main([*command, "--factors", "2,2"]) == 0
    assert set(np.unique(zarr.open_array(tmp_path / "labels.zarr" / "1"))) <= {3, 6}
    said = json.loads((tmp_path / "labels.zarr" / "zarr.json").read_text())["attributes"]["ome"]
    assert "image-label" in said
    assert said["multiscales"][0]["type"] == "mode"


def test_an_image_is_never_written_over_itself(tmp_path, capsys):
    source = tmp_path / "folder.zarr" / "source.zarr"
    zarr.open_group(str(tmp_path / "folder.zarr"), mode="w")
    write_image(source, "0.5")
    for target in (source, tmp_path / "folder.zarr", source / "a" / "b.zarr"):
        assert main(["build", str(source), str(target), "--overwrite"]) == 1
        assert "is read from there" in capsys.readouterr().err
    np.testing.assert_array_equal(open_ome_zarr(source)[0].data[0][...], PIXELS[0])
    (image,) = images_in_file(source)
    assert [label.name for label in image.labels] == ["nuclei", "cells"]


def test_something_else_in_the_place_of_a_label_is_found_by_the_check(tmp_path):
    write_image(tmp_path / "source.zarr", "0.5")
    (image,) = images_in_file(tmp_path / "source.zarr")
    build_pyramid(image, str(tmp_path / "target.zarr"))
    other = image_to_write(PIXELS, "cyx")
    with pytest.raises(WritingError, match="something else already"):
        build_pyramid(other, str(tmp_path / "target.zarr"), BuildOptions())
