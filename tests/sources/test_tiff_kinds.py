"""Slides by maker, files of other programs, and unusual pixels: what is said of each is used."""

import io
import struct
import sys

import numpy as np
import openslide
import pytest
import tifffile
from PIL import Image

from napari_octree import open_image
from napari_octree.sources import SourceError
from napari_octree.sources.tiff.opening import read_tiff_or_slide
from napari_octree.sources.tiff.reading import read_tiff

RANDOM = np.random.default_rng(0)
COLOURS = RANDOM.integers(0, 255, (96, 130, 3)).astype(np.uint8)
TILED = {"photometric": "rgb", "tile": (64, 64), "metadata": None}


def write_ndpi(path, pictures) -> None:
    """Write Hamamatsu's layout: 64-bit offsets, each level one JPEG with restart markers."""
    out = bytearray(b"II*\0" + bytes(8))
    link = 4
    for pixels, lens in pictures:
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "jpeg", subsampling=0, restart_marker_blocks=8)
        jpeg = stream.getvalue()
        scan = jpeg.index(b"\xff\xda")
        starts = [scan + 2 + int.from_bytes(jpeg[scan + 2 : scan + 4], "big")]
        starts += [
            i + 2
            for i in range(starts[0], len(jpeg))
            if jpeg[i] == 255 and 0xD0 <= jpeg[i + 1] <= 0xD7
        ]
        places = []
        pieces = [
            jpeg + b"\0" * (len(jpeg) % 2),
            struct.pack(f"<{len(starts)}I", *starts),
            struct.pack("<3H", 8, 8, 8),
            struct.pack("<2I", 20000, 1),
            b"Hamamatsu\0",
        ]
        for piece in pieces:
            places.append(len(out))
            out += piece
        rows, columns = pixels.shape[:2]
        lens_bits = struct.unpack("<I", struct.pack("<f", lens))[0]
        tags = [
            (254, 4, 1, 0),
            (256, 4, 1, columns),
            (257, 4, 1, rows),
            (258, 3, 3, places[2]),
            (259, 3, 1, 7),
            (262, 3, 1, 6),
            (271, 2, 10, places[4]),
            (273, 4, 1, places[0]),
            (277, 3, 1, 3),
            (278, 4, 1, rows),
            (279, 4, 1, len(jpeg)),
            (282, 5, 1, places[3]),
            (283, 5, 1, places[3]),
            (296, 3, 1, 3),
            (65420, 4, 1, 1),
            (65421, 11, 1, lens_bits),
            (65422, 9, 1, 0),
            (65423, 9, 1, 0),
            (65424, 9, 1, 0),
            (65426, 4, len(starts), places[1]),
        ]
        out[link : link + 8] = struct.pack("<Q", len(out))
        out += struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
        link = len(out)
        out += bytes(8 + 4 * len(tags))
    path.write_bytes(out)


def test_hamamatsu(tmp_path):
    pixels = RANDOM.integers(0, 255, (32, 64, 3)).repeat(8, 0).repeat(8, 1).astype(np.uint8)
    path = tmp_path / "slide.ndpi"
    write_ndpi(
        path, [(pixels, 20.0), (pixels[::2, ::2].copy(), 10.0), (pixels[::8, ::8].copy(), -1.0)]
    )
    (image,) = read_tiff(path)
    assert [level.shape for level in image.levels] == [(256, 512, 3), (128, 256, 3)]
    assert image.levels[0].layout.segment == (1, 1, 8, 64, 3)  # from marker to marker
    with tifffile.TiffFile(path) as tiff:
        for level, truth in zip(image.levels, tiff.series[0].levels, strict=True):
            np.testing.assert_array_equal(level[...], truth.asarray())
    assert np.abs(image.levels[0][...].astype(int) - pixels).mean() < 4
    assert by_openslide(path, image) == "hamamatsu"
    assert image.scale == (0.5, 0.5)
    assert image.metadata["magnification"] == "20"


PHILIPS = (
    '<DataObject ObjectType="DPUfsImport"><Attribute Name="PIM_DP_SCANNED_IMAGES"><Array>{}'
    "</Array></Attribute></DataObject>"
)
SPACING = (
    '<DataObject ObjectType="PixelDataRepresentation"><Attribute Name="DICOM_PIXEL_SPACING">'
    "&quot;{0}&quot; &quot;{0}&quot;</Attribute></DataObject>"
)
LEICA = (
    '<scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01"><collection sizeX="1300000" '
    'sizeY="2600000">{}</collection></scn>'
)
SCAN = (
    '<image name="image_{number}"><pixels sizeX="{x}" sizeY="{y}">{levels}</pixels>'
    '<view sizeX="{width}" sizeY="{height}" offsetX="{left}" offsetY="{top}"/><scanSettings>'
    "<objectiveSettings><objective>{lens}</objective></objectiveSettings><illuminationSettings>"
    "<illuminationSource>brightfield</illuminationSource></illuminationSettings></scanSettings>"
    "</image>"
)
LEVEL = '<dimension sizeX="{}" sizeY="{}" r="{}" ifd="{}"/>'
VENTANA = b'<iScan ScanRes="0.25" Magnification="40"/>'
STITCHED = (
    '<EncodeInfo Ver="2"><SlideStitchInfo><ImageInfo AOIScanned="1" Width="64" Height="64" '
    'NumRows="2" NumCols="2" Pos-X="0" Pos-Y="0"><TileJointInfo Confidence="99" '
    'Direction="RIGHT" Tile1="1" Tile2="2" OverlapX="{0}" OverlapY="0"/><TileJointInfo '
    'Confidence="99" Direction="UP" Tile1="1" Tile2="4" OverlapX="0" OverlapY="0"/></ImageInfo>'
    '</SlideStitchInfo><AoiOrigin><AOI0 OriginX="0" OriginY="0"/></AoiOrigin></EncodeInfo>'
)


def by_openslide(path, image) -> str:
    """Compare with openslide, level by level; returns whose slide it takes it for."""
    slide = openslide.OpenSlide(path)
    for number, level in enumerate(image.levels):
        truth = np.asarray(slide.read_region((0, 0), number, slide.level_dimensions[number]))
        np.testing.assert_array_equal(level[...][..., :3], truth[..., :3])
    return slide.properties["openslide.vendor"]


def test_leica_begins_with_a_picture_of_the_whole_slide(tmp_path):
    scans = [
        {"number": 0, "x": 26, "y": 52, "width": 1300000, "height": 2600000, "left": 0, "top": 0,
         "lens": "0.6", "levels": LEVEL.format(26, 52, 0, 0)},
        {"number": 1, "x": 130, "y": 96, "width": 65000, "height": 48000, "left": 400000,
         "top": 900000, "lens": "20",
         "levels": LEVEL.format(130, 96, 0, 1) + LEVEL.format(65, 48, 1, 2)},
    ]  # fmt: skip
    path = tmp_path / "slide.scn"
    pages = [COLOURS[:52, :26].copy(), COLOURS, COLOURS[::2, ::2].copy()]
    description = LEICA.format("".join(SCAN.format(**scan) for scan in scans))
    with tifffile.TiffWriter(path, bigtiff=True) as tiff:
        for number, pixels in enumerate(pages):
            tiff.write(pixels, **TILED, description=None if number else description)
    (image,) = read_tiff(path)
    for step, level in zip((1, 2), image.levels, strict=True):
        np.testing.assert_array_equal(level[...], COLOURS[::step, ::step])
    slide = openslide.OpenSlide(path)
    assert slide.properties["openslide.vendor"] == "leica"
    assert image.scale == (0.5, 0.5)
    assert image.translation == (900.25, 400.25)  # the centre of the first pixel
    assert image.metadata["magnification"] == "20"
    only = LEICA.format(SCAN.format(**scans[0]))
    tifffile.imwrite(tmp_path / "only.scn", pages[0], bigtiff=True, **TILED, description=only)
    assert read_tiff(tmp_path / "only.scn")[0].levels[0].shape == (52, 26, 3)


@pytest.mark.parametrize("overlap", [0, 4])
def test_ventana(tmp_path, monkeypatch, overlap):
    path = tmp_path / "slide.bif"
    pixels = np.ascontiguousarray(COLOURS[:64, :128]).repeat(2, 0)
    with tifffile.TiffWriter(path, bigtiff=True) as tiff:
        for page, description, xml in (
            (COLOURS[:32, :32].copy(), "Label_Image", VENTANA),
            (pixels, "level=0 mag=40 quality=95", STITCHED.format(overlap).encode()),
        ):
            tags = [(700, 1, None, xml + b"\0", True)]
            tiff.write(page, **TILED, description=description, extratags=tags)
    (image,) = read_tiff_or_slide(path)  # by openslide where tiles overlap
    assert by_openslide(path, image) == "ventana"
    assert image.levels[0].shape[1] == 128 - overlap
    assert image.scale == (0.25, 0.25)
    assert image.units == ("micrometer", "micrometer")
    assert image.metadata["magnification"] == "40"
    with tifffile.TiffFile(path) as tiff:
        np.testing.assert_array_equal(tiff.series[0].asarray(), pixels)
    np.testing.assert_array_equal(read_tiff(path)[0].levels[0][...], pixels)
    if overlap:
        monkeypatch.setitem(sys.modules, "openslide", None)
        with pytest.warns(match="tiles overlap"):
            (image,) = read_tiff_or_slide(path)
        assert image.levels[0].shape[1] == 128


@pytest.mark.parametrize(
    ("name", "pages", "scale", "magnification"),
    [
        (
            "slide.tiff",
            [
                {
                    "description": PHILIPS.format(
                        SPACING.format(0.00025) + SPACING.format(0.0005)
                    ),
                    "software": "Philips DP v1.0",
                },
                {"description": "level=1"},
            ],
            (0.25, 0.25),
            None,
        ),
    ],
)
def test_philips(tmp_path, name, pages, scale, magnification):
    path = tmp_path / name
    with tifffile.TiffWriter(path, bigtiff=True) as tiff:
        tiff.write(COLOURS, **TILED, **pages[0])
        tiff.write(COLOURS[::2, ::2].copy(), **TILED, **pages[1])
    (image,) = read_tiff(path)
    for step, level in zip((1, 2), image.levels, strict=True):
        np.testing.assert_array_equal(level[...], COLOURS[::step, ::step])
    assert image.scale == scale
    assert image.units == ("micrometer", "micrometer")
    assert image.metadata.get("magnification") == magnification


def test_no_pixel_size_is_read_where_none_is_written(tmp_path):
    Image.fromarray(COLOURS).save(tmp_path / "plain.tif")
    assert read_tiff(tmp_path / "plain.tif")[0].scale == (1.0, 1.0)
    options = {"resolution": (4, 5), "resolutionunit": "MICROMETER"}
    tifffile.imwrite(tmp_path / "said.tif", COLOURS, photometric="rgb", **options)
    assert read_tiff(tmp_path / "said.tif")[0].scale == (0.2, 0.25)


@pytest.mark.parametrize(
    ("mode", "names"),
    [
        ("LAB", ["L", "a", "b"]),
        ("YCbCr", ["Y", "Cb", "Cr"]),
        ("CMYK", ["cyan", "magenta", "yellow", "black"]),
    ],
)
def test_samples_that_are_not_red_green_and_blue_are_channels_with_names(tmp_path, mode, names):
    picture = Image.fromarray(COLOURS[..., [0, 1, 2, 0][: len(names)]], mode)
    picture.save(tmp_path / "odd.tif")
    layers = open_image(tmp_path / "odd.tif")
    assert [layer.name for layer in layers] == [f"odd: {name}" for name in names]
    np.testing.assert_array_equal(layers[1].data[0][...], np.asarray(picture)[..., 1])


def test_many_channels_and_axes_without_names_are_on_sliders(tmp_path):
    stack = RANDOM.integers(0, 9, (130, 20, 30)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "many.ome.tif", stack, ome=True, metadata={"axes": "CYX"})
    (layer,) = open_image(tmp_path / "many.ome.tif")
    assert layer.level_shapes[0].tolist() == [130, 20, 30]
    tifffile.imwrite(
        tmp_path / "plain.tif", stack.reshape(10, 13, 20, 30), photometric="minisblack"
    )
    (layer,) = open_image(tmp_path / "plain.tif")
    assert layer.axis_labels == ("-4", "-3", "y", "x")


@pytest.mark.parametrize("order", [(4, 2, 1), (1, 4, 2), (2, 1, 4)])
@pytest.mark.parametrize("below", [False, True])
def test_levels_may_have_any_order(tmp_path, order, below):
    pixels = RANDOM.integers(0, 9000, (301, 413)).astype(np.uint16)
    options = {"tile": (64, 64), "compression": "zlib"}
    path = tmp_path / "image.ome.tif" if below else tmp_path / "image.tif"
    with tifffile.TiffWriter(path) as tiff:
        if below:  # as pages below the finest
            tiff.write(pixels, subifds=2, **options)
            order = [step for step in order if step > 1]
        for step in order:
            reduced = {"subfiletype": 1} if step > 1 else {}
            tiff.write(pixels[::step, ::step], metadata=None, **reduced, **options)
    (image,) = read_tiff(path)
    for step, level in zip((1, 2, 4), image.levels, strict=True):
        np.testing.assert_array_equal(level[...], pixels[::step, ::step])


def test_a_thumbnail_of_another_shape_is_no_level(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(COLOURS[:30, :30].copy(), photometric="rgb", subfiletype=1, metadata=None)
        tiff.write(COLOURS, photometric="rgb", metadata=None)
    assert [len(image.levels) for image in read_tiff(tmp_path / "a.tif")] == [1, 1]


def test_what_is_missing_of_a_file_is_told_when_it_is_opened(tmp_path):
    path = tmp_path / "cut.tif"
    stack = RANDOM.integers(0, 9, (6, 90, 80)).astype(np.uint8)
    tifffile.imwrite(path, stack, tile=(64, 64), compression="zlib", metadata=None)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.warns(match=r"cut\.tif: not all of it can be shown: invalid page offset"):
        read_tiff(path)


def test_a_compression_that_nobody_knows_is_told_when_it_is_opened(tmp_path):
    path = tmp_path / "odd.tif"
    tifffile.imwrite(path, COLOURS, photometric="rgb", compression="zlib")
    with tifffile.TiffFile(path) as tiff:
        place = tiff.pages[0].tags[259].valueoffset
    data = bytearray(path.read_bytes())
    data[place : place + 2] = struct.pack("<H", 12345)
    path.write_bytes(data)
    with pytest.raises(SourceError, match=r"odd\.tif.*compression \(12345\) is not known"):
        read_tiff(path)
