"""TIFF files are read by their own tiles and strips, with the values that tifffile gives."""

import pickle
import threading
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_octree.sources import SourceError, as_level_source
from napari_octree.sources.tiff.mapped_tiff import MappedTiffArray
from napari_octree.sources.tiff.open_tiff_file import FileVersion
from napari_octree.sources.tiff.reading import read_tiff
from napari_octree.sources.tiff.tiff_array import TiffArray

RANDOM = np.random.default_rng(0)
PLANE = RANDOM.integers(0, 60000, (400, 530)).astype(np.uint16)
COLOURS = RANDOM.integers(0, 255, (300, 410, 3)).astype(np.uint8)
STACK = RANDOM.integers(0, 255, (2, 3, 2, 40, 50)).astype(np.uint8)

KINDS = {
    "tiles": (PLANE, {"tile": (128, 160), "compression": "zlib"}),
    "small tiles": (PLANE, {"tile": (16, 32), "compression": "zlib", "predictor": True}),
    "strips": (PLANE, {"rowsperstrip": 7, "compression": "zlib"}),
    "one strip": (PLANE, {"compression": "zlib"}),
    "contiguous": (PLANE, {}),
    "big-endian": (PLANE, {"byteorder": ">"}),
    "big-endian tiles": (PLANE, {"byteorder": ">", "tile": (64, 64)}),
    "floats": (PLANE.astype(np.float32), {"tile": (64, 64), "predictor": True, "compression": 8}),
    "half floats": (PLANE.astype(np.float16), {"tile": (64, 64)}),
    "signed": (PLANE.view(np.int16), {"tile": (64, 64), "compression": "lzw"}),
    "zstd": (PLANE, {"tile": (64, 64), "compression": "zstd"}),
    "BigTIFF": (PLANE, {"bigtiff": True, "tile": (64, 64)}),
    "RGB": (COLOURS, {"photometric": "rgb", "tile": (64, 64), "compression": "zlib"}),
    "RGB contiguous": (COLOURS, {"photometric": "rgb"}),
    "ImageJ": (STACK, {"imagej": True, "metadata": {"axes": "TZCYX"}}),
    "OME": (STACK, {"ome": True, "metadata": {"axes": "TZCYX"}, "tile": (16, 16)}),
    "volume": (STACK[0], {"photometric": "minisblack", "tile": (16, 16)}),
    "volumetric tiles": (
        RANDOM.integers(0, 9, (40, 60, 70)).astype(np.uint8),
        {"photometric": "minisblack", "tile": (16, 32, 32), "volumetric": True},
    ),
    "one pixel": (PLANE[:1, :1], {}),
}


@pytest.fixture
def write(tmp_path: Path):
    def write_tiff(data: np.ndarray, name: str = "image.tif", **options: object) -> Path:
        tifffile.imwrite(tmp_path / name, data, **options)
        return tmp_path / name

    return write_tiff


@pytest.mark.parametrize("kind", KINDS)
def test_pixels_are_those_that_tifffile_reads(write, kind):
    data, options = KINDS[kind]
    (image,) = read_tiff(write(data, **options))
    (level,) = image.levels
    assert level.shape == data.shape
    assert level.dtype == data.dtype.newbyteorder("=")
    np.testing.assert_array_equal(level[...], data)
    grid = level.grid((37,) * data.ndim)
    whole = tuple((0, n) for n in data.shape)
    for index in grid.indices(whole):
        region = grid.region(index)
        block = level.read(region)
        np.testing.assert_array_equal(block, data[tuple(slice(*side) for side in region)])


@pytest.mark.parametrize("options", [{}, {"tile": (64, 64), "compression": "zlib"}])
def test_separate_planes_of_colours_are_one_picture(write, options):
    path = write(COLOURS.transpose(2, 0, 1), photometric="rgb", planarconfig="separate", **options)
    (image,) = read_tiff(path)
    assert image.rgb
    assert image.axes == ("y", "x")
    np.testing.assert_array_equal(image.levels[0][...], COLOURS)
    np.testing.assert_array_equal(image.levels[0][5:9, ::-3, 1], COLOURS[5:9, ::-3, 1])


def test_uncompressed_pixels_in_one_piece_are_mapped_and_others_are_not(write):
    assert isinstance(read_tiff(write(PLANE))[0].levels[0], MappedTiffArray)
    tiled = read_tiff(write(PLANE, tile=(64, 64)))[0].levels[0]
    assert isinstance(tiled, TiffArray)
    assert tiled.chunks == (128, 128)  # small tiles are read several at once


def test_levels_channels_and_sizes_of_an_ome_tiff(tmp_path):
    data = np.stack([PLANE, PLANE[::-1]])
    path = tmp_path / "pyramid.ome.tif"
    said = {
        "axes": "CYX",
        "PhysicalSizeX": 500,
        "PhysicalSizeXUnit": "nm",
        "PhysicalSizeY": 0.25,
        "PhysicalSizeYUnit": "µm",
        "Channel": {"Name": ["DAPI", "GFP"], "Color": [-16776961, 0x00FF00FF]},
    }
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(data, subifds=2, tile=(64, 64), metadata=said)
        tiff.write(data[:, ::2, ::2], subfiletype=1, tile=(64, 64))
        tiff.write(data[:, ::4, ::4], subfiletype=1, tile=(64, 64))
    (image,) = read_tiff(path)
    assert [level.shape for level in image.levels] == [(2, 400, 530), (2, 200, 265), (2, 100, 133)]
    for step, level in zip((1, 2, 4), image.levels, strict=True):
        np.testing.assert_array_equal(level[...], data[:, ::step, ::step])
    assert image.name == "pyramid"
    assert image.channel_axis == 0
    assert [c.label for c in image.channels] == ["DAPI", "GFP"]
    assert [c.color for c in image.channels] == ["#ff0000", "#00ff00"]
    assert image.scale[1:] == (0.25, 0.5)
    assert image.units[1:] == ("micrometer", "micrometer")


def test_a_slide_has_levels_magnification_and_no_label(tmp_path):
    said = "Aperio Image Library v12.0.15\r\n410x300 |AppMag = 20|MPP = 0.499"
    path = tmp_path / "slide.svs"
    options = {"photometric": "rgb", "metadata": None, "tile": (128, 128)}
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(COLOURS, description=said, compression="jpeg", **options)
        tiff.write(COLOURS[::8, ::8].copy(), description=said, photometric="rgb", metadata=None)
        tiff.write(COLOURS[::4, ::4].copy(), description=said, compression="jpeg", **options)
    (image,) = read_tiff(path)
    with tifffile.TiffFile(path) as reference:
        for level, truth in zip(image.levels, reference.series[0].levels, strict=True):
            np.testing.assert_array_equal(level[...], truth.asarray())
    assert len(image.levels) == 2
    assert image.scale == (0.499, 0.499)
    assert image.metadata["magnification"] == "20"


def test_imagej_tells_depth_time_and_windows(write):
    path = write(
        STACK,
        imagej=True,
        resolution=(4, 5),
        metadata={
            "axes": "TZCYX", "unit": "micron", "spacing": 2.0, "finterval": 3.0,
            "Ranges": (1.0, 99.0, 2.0, 50.0), "mode": "composite",
        },
    )  # fmt: skip
    (image,) = read_tiff(path)
    assert image.axes == ("t", "z", "c", "y", "x")
    assert image.scale == (3.0, 2.0, 1.0, 0.2, 0.25)
    assert [channel.window for channel in image.channels] == [(1, 99), (2, 50)]


@pytest.mark.parametrize("dots", [72, 96, 300])
def test_resolutions_for_printers_are_no_pixel_sizes(write, dots):
    printed = read_tiff(write(PLANE, resolution=(dots, dots), resolutionunit="INCH"))[0]
    assert printed.units == ("pixel", "pixel")
    real = read_tiff(write(PLANE, resolution=(20000, 10000), resolutionunit="CENTIMETER"))[0]
    assert real.scale == pytest.approx((1.0, 0.5))
    assert real.units == ("micrometer", "micrometer")


def test_absent_tiles_are_missing_and_read_as_fill_value(tmp_path):
    path = tmp_path / "sparse.tif"
    blank = np.zeros((128, 128), np.uint8)
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(
            iter([blank + 1, None, None, blank + 4]),
            shape=(256, 256), dtype=np.uint8, tile=(128, 128), compression="zlib",
        )  # fmt: skip
    (level,) = read_tiff(path)[0].levels
    assert level.read(((0, 128), (128, 256))) is None
    np.testing.assert_array_equal(level[::128, ::128], [[1, 0], [0, 4]])


def test_many_threads_read_at_once(write):
    (level,) = read_tiff(write(PLANE, tile=(64, 64), compression="zlib"))[0].levels
    wrong = []

    def read_all() -> None:
        for top in range(0, 400, 100):
            block = level.read(((top, top + 100), (0, 530)))
            if not np.array_equal(block, PLANE[top : top + 100]):
                wrong.append(top)

    threads = [threading.Thread(target=read_all) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("options", [{}, {"tile": (64, 64)}])
def test_arrays_go_to_other_processes_and_are_known_by_their_file(write, options):
    path = write(PLANE, **options)
    (level,) = read_tiff(path)[0].levels
    assert level.read(((0, 9), (0, 9))) is not None  # the file is open now
    twin = pickle.loads(pickle.dumps(level))
    np.testing.assert_array_equal(twin[...], PLANE)
    again = read_tiff(path)[0].levels[0]
    assert as_level_source(again).storage.key == as_level_source(level).storage.key == twin.key
    write(PLANE + 1, **options)
    assert read_tiff(path)[0].levels[0].key != level.key


def test_names_of_what_is_wrong(tmp_path, write):
    with pytest.raises(SourceError, match=r"nothing\.tif: cannot be opened: No such file"):
        read_tiff(tmp_path / "nothing.tif")
    text = tmp_path / "text.tif"
    text.write_text("no picture")
    with pytest.raises(SourceError, match=r"text\.tif: not a TIFF file that can be read"):
        read_tiff(text)
    (tmp_path / "empty.tif").touch()
    with pytest.raises(SourceError, match=r"empty\.tif: not a TIFF file"):
        read_tiff(tmp_path / "empty.tif")


def test_a_file_that_was_cut_off_says_so(write):
    path = write(PLANE)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(SourceError, match=r"image\.tif.*shorter"):
        read_tiff(path)
    path = write(PLANE, tile=(128, 128), compression="zlib")
    with tifffile.TiffFile(path) as tiff:
        offsets = tiff.pages[0].dataoffsets
    path.write_bytes(path.read_bytes()[: max(offsets) + 10])
    (level,) = read_tiff(path)[0].levels
    with pytest.raises(SourceError, match=r"image\.tif.*ends within tile"):
        level[...]


def test_a_damaged_tile_is_named_and_others_are_read(write):
    path = write(PLANE, tile=(128, 128), compression="zlib")
    with tifffile.TiffFile(path) as tiff:
        offset = tiff.pages[0].dataoffsets[0]
    data = bytearray(path.read_bytes())
    data[offset : offset + 40] = bytes(40)
    path.write_bytes(data)
    (level,) = read_tiff(path)[0].levels
    with pytest.raises(SourceError, match=r"tile 0 of page 0 cannot be decoded"):
        level.read(((0, 128), (0, 128)))
    np.testing.assert_array_equal(level[128:256, :128], PLANE[128:256, :128])


def test_a_file_written_anew_is_not_read_as_the_former_one(write):
    path = write(PLANE)
    (level,) = read_tiff(path)[0].levels
    write(PLANE[:100])
    with pytest.raises(SourceError, match="has changed"):
        level[...]
    assert FileVersion.of(path) != level.version
