"""OME-TIFF files that are written read back equal, by tifffile; nothing is left of failures."""

from dataclasses import replace

import numpy as np
import pytest
import tifffile

from napari_octree import open_image
from napari_octree.writing.errors import CancelledError, WritingError
from napari_octree.writing.image_to_write import ChannelToWrite, image_to_write
from napari_octree.writing.tiff import write_tiff

PIXELS = np.random.default_rng(0).integers(0, 60000, (2, 700, 1030)).astype(np.uint16)


def written(tmp_path, **options):
    image = image_to_write(
        PIXELS,
        "cyx",
        name="cells",
        scale=[1, 0.5, 0.25],
        translation=[0, 7, -8.5],
        units=[None, "micrometer", "micrometer"],
        channels=[ChannelToWrite("DAPI", "FF0000"), ChannelToWrite("GFP", "00FF00")],
    )
    write_tiff(image, tmp_path / "cells.ome.tif", **options)
    return tmp_path / "cells.ome.tif"


@pytest.mark.parametrize("compression", [None, "zlib", "zstd"])
def test_pixels_and_levels_read_back(tmp_path, compression):
    path = written(tmp_path, compression=compression)
    with tifffile.TiffFile(path) as tiff:
        assert tiff.is_bigtiff
        (series,) = tiff.series
        assert series.axes == "CYX"
        np.testing.assert_array_equal(series.asarray(), PIXELS)
        assert [level.shape for level in series.levels] == [
            (2, 700, 1030),
            (2, 350, 515),
            (2, 175, 258),
        ]
        half = series.levels[1].asarray()
    box = PIXELS[1, 10:12, 20:22].astype(float)
    assert half[1, 5, 10] == np.rint(box.mean())


def test_what_is_known_of_it_comes_back(tmp_path):
    red, green = open_image(written(tmp_path))
    assert red.name.endswith("DAPI")
    assert green.name.endswith("GFP")
    assert red.scale.tolist() == [0.5, 0.25]
    assert red.translate.tolist() == [7, -8.5]
    assert [str(unit) for unit in red.units] == ["micrometer", "micrometer"]
    np.testing.assert_allclose(green.colormap.map([1.0])[0, :3], [0, 1, 0])


def test_each_plane_says_where_it_lies(tmp_path):
    image = image_to_write(
        PIXELS[:, None, None, :9, :9].repeat(3, 1).repeat(2, 2), "tczyx", name="a<&>ä",
        scale=[2, 1, 0.5, 1, 1], translation=[4, 0, 3, 0, 0],
        units=["second", None, "micrometer", "nanometer", None],
        channels=[ChannelToWrite("DAPI", "FF0000", (1, 2.5), (0, 9), False, True)],
    )  # fmt: skip
    write_tiff(image, tmp_path / "größe.ome.tif")
    with tifffile.TiffFile(tmp_path / "größe.ome.tif") as tiff:
        document = tiff.ome_metadata
    planes = tifffile.xml2dict(document)["OME"]["Image"]["Pixels"]["Plane"]
    assert [(p["TheT"], p["TheC"], p["TheZ"], p["DeltaT"], p["PositionZ"]) for p in planes] == [
        (t, c, z, 4 + 2 * t, 3 + 0.5 * z) for t in range(2) for c in range(3) for z in range(2)
    ]
    first, *_ = layers = open_image(tmp_path / "größe.ome.tif")
    assert first.translate.tolist() == [4, 3, 0, 0]
    assert first.contrast_limits == [1, 2.5]
    assert first.contrast_limits_range == [0, 9]
    assert [layer.visible for layer in layers] == [False, True, True]
    np.testing.assert_allclose(first.colormap.map([0.0, 1.0])[:, :3], [[1, 0, 0], [0, 0, 0]])


def test_places_in_the_reference_frame_of_a_microscope_are_no_places(tmp_path):
    said = {"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "Plane": {"PositionX": [9]}}
    tifffile.imwrite(tmp_path / "a.ome.tif", PIXELS[0], metadata=said)
    (layer,) = open_image(tmp_path / "a.ome.tif")
    assert layer.translate.tolist() == [0, 0]


def test_cancelling_leaves_nothing(tmp_path):
    asked = iter(range(100))
    with pytest.raises(CancelledError):
        written(tmp_path, cancelled=lambda: next(asked) > 3)
    assert not list(tmp_path.iterdir())


def test_a_failure_leaves_the_former_file(tmp_path):
    (tmp_path / "cells.ome.tif").write_text("precious")

    class Broken:
        shape, dtype = (600, 600), np.dtype("u1")

        def __getitem__(self, index):
            raise OSError("the disk is gone")

    with pytest.raises(WritingError, match="the disk is gone"):
        write_tiff(image_to_write(Broken()), tmp_path / "cells.ome.tif")
    assert (tmp_path / "cells.ome.tif").read_text() == "precious"
    assert len(list(tmp_path.iterdir())) == 1


def test_types_that_ome_does_not_know_are_refused(tmp_path):
    with pytest.raises(WritingError, match="int64"):
        write_tiff(image_to_write(np.zeros((9, 9), np.int64)), tmp_path / "x.ome.tif")


def test_progress_counts_every_tile(tmp_path):
    told = []
    written(tmp_path, progress=lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1] == 2 * (2 * 3 + 1 * 2 + 1)


def test_labels_are_never_mixed(tmp_path):
    labels = np.random.default_rng(1).integers(0, 2, (1100, 700)).astype(np.uint16) * 7
    write_tiff(replace(image_to_write(labels), is_label=True), tmp_path / "labels.ome.tif")
    with tifffile.TiffFile(tmp_path / "labels.ome.tif") as tiff:
        levels = [level.asarray() for level in tiff.series[0].levels]
    assert [level.shape for level in levels] == [(1100, 700), (550, 350), (275, 175)]
    assert set(np.unique(levels[2])) == {0, 7}


def test_each_pixel_is_read_once_and_few_at_a_time(tmp_path):
    read = np.zeros((2300, 2300), int)

    class Counted:
        shape, dtype, chunks = read.shape, np.dtype("u1"), (256, 256)

        def __getitem__(self, index):
            read[index] += 1
            sides = [len(range(n)[part]) for n, part in zip(self.shape, index, strict=True)]
            assert np.prod(sides) <= 1024 * 1024
            return np.ones(sides, np.uint8)

    write_tiff(image_to_write(Counted()), tmp_path / "a.ome.tif")
    assert read.max() == 1
    assert [p.name for p in tmp_path.iterdir()] == ["a.ome.tif"]
    assert tifffile.imread(tmp_path / "a.ome.tif", level=2).all()
