"""`open_image` chooses by what is there, and makes the layers that the file describes."""

import numpy as np
import pytest
import tifffile
import zarr

from napari_octree import open_image
from napari_octree.plugin.reader import get_reader
from napari_octree.sources import SourceError

PIXELS = np.random.default_rng(1).integers(0, 255, (64, 80)).astype(np.uint8)


def test_content_decides_not_the_name(tmp_path):
    tifffile.imwrite(tmp_path / "image.zarr", PIXELS)
    zarr.save(str(tmp_path / "folder.tif"), PIXELS)
    for name in ("image.zarr", "folder.tif"):
        (layer,) = open_image(tmp_path / name)
        np.testing.assert_array_equal(layer.data[0][...], PIXELS)


def test_addresses_of_files(tmp_path):
    """Percent-decoded, for every kind of file; the reader of napari takes them too."""
    tifffile.imwrite(tmp_path / "an image é.ome.tif", PIXELS)
    zarr.save(str(tmp_path / "a folder.zarr"), PIXELS)
    for name in ("an image é.ome.tif", "a folder.zarr"):
        address = (tmp_path / name).as_uri()
        assert "%20" in address
        (layer,) = open_image(address)
        np.testing.assert_array_equal(layer.data[0][...], PIXELS)
        assert get_reader(address) is not None
    with pytest.raises(SourceError, match="absent"):
        open_image((tmp_path / "absent.tif").as_uri())


def test_what_is_no_image_is_said(tmp_path):
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(SourceError, match=r"notes\.txt: not an image that can be opened here"):
        open_image(tmp_path / "notes.txt")
    with pytest.raises(SourceError, match="absent"):
        open_image(tmp_path / "absent.tif")


def test_layers_of_a_hyperstack(tmp_path):
    stack = np.zeros((4, 2, 32, 40), np.uint16)
    tifffile.imwrite(
        tmp_path / "stack.tif",
        stack,
        imagej=True,
        resolution=(2, 2),
        metadata={"axes": "ZCYX", "unit": "um", "spacing": 3.0, "mode": "composite"},
    )
    layers = open_image(tmp_path / "stack.tif")
    assert [layer.name for layer in layers] == ["stack: channel 0", "stack: channel 1"]
    for layer in layers:
        assert layer.level_shapes[0].tolist() == [4, 32, 40]
        assert layer.scale.tolist() == [3, 0.5, 0.5]
        assert layer.axis_labels == ("z", "y", "x")
        assert layer.blending == "additive"


def test_samples_that_are_no_colours_are_channels(tmp_path):
    tifffile.imwrite(tmp_path / "five.tif", np.zeros((20, 30, 5), np.uint8), planarconfig="contig",
                     photometric="minisblack", tile=(16, 16))  # fmt: skip
    layers = open_image(tmp_path / "five.tif")
    assert len(layers) == 5
    assert layers[0].level_shapes[0].tolist() == [20, 30]


def test_a_palette_gives_the_colours(tmp_path):
    colours = np.random.default_rng(2).integers(0, 65535, (3, 256)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "map.tif", PIXELS, photometric="palette", colormap=colours)
    (layer,) = open_image(tmp_path / "map.tif")
    shown = layer.colormap.map(np.array([7, 200]) / 255)
    np.testing.assert_allclose(shown[:, :3], colours.T[[7, 200]] / 65535, atol=1e-3)
    assert layer.contrast_limits == [0, 255]


def test_white_is_zero(tmp_path):
    tifffile.imwrite(tmp_path / "white.tif", PIXELS, photometric="miniswhite")
    (layer,) = open_image(tmp_path / "white.tif")
    assert layer.colormap.name == "gray_r"


def test_openslide_reads_what_tifffile_does(tmp_path):
    from napari_octree.sources.tiff.openslide_array import read_openslide

    rgb = np.random.default_rng(3).integers(0, 255, (300, 410, 3)).astype(np.uint8)
    said = "Aperio Image Library v12.0.15\r\n410x300 |AppMag = 20|MPP = 0.499"
    tifffile.imwrite(tmp_path / "slide.svs", rgb, description=said, photometric="rgb",
                     tile=(128, 128), compression="jpeg", metadata=None)  # fmt: skip
    (slide,) = read_openslide(tmp_path / "slide.svs")
    (level,) = slide.levels
    assert level.chunks == (128, 128, 4)
    assert slide.scale == (0.499, 0.499)
    (ours,) = open_image(tmp_path / "slide.svs")
    np.testing.assert_array_equal(level[..., :3], ours.data[0][...])
    np.testing.assert_array_equal(level[250:300, 7:30, :3], ours.data[0][250:300, 7:30])


def test_a_tiff_file_at_an_address_is_told_for_what_it_is():
    with pytest.raises(SourceError, match="TIFF files and slides are opened on this machine only"):
        open_image("http://127.0.0.1:9/slide.svs")
