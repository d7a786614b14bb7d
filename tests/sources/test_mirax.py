"""A MIRAX slide (3DHISTECH), written in its layout: it is read as openslide reads it."""

import io
import struct
from pathlib import Path

import numpy as np
import openslide
import pytest
from PIL import Image

from napari_octree import open_image
from napari_octree.sources import SourceError
from napari_octree.sources.tiff.opening import read_tiff_or_slide

ACROSS, DOWN, SIDE = 4, 2, 64
PIXELS = (
    np.random.default_rng(0).integers(0, 255, (DOWN * SIDE, ACROSS * SIDE, 3)).astype(np.uint8)
)
ID = "0123456789ABCDEF"

LEVEL = """
[LAYER_0_LEVEL_{0}_SECTION]
OVERLAP_X = 0
OVERLAP_Y = 0
MICROMETER_PER_PIXEL_X = {1}
MICROMETER_PER_PIXEL_Y = {1}
IMAGE_FORMAT = PNG
IMAGE_FILL_COLOR_BGR = 16777215
DIGITIZER_WIDTH = {2}
DIGITIZER_HEIGHT = {2}
IMAGE_CONCAT_FACTOR = {3}
"""


def write_mirax(path: Path, levels: list[np.ndarray], lost: tuple[int, ...] = ()) -> None:
    """Write levels, each half as large as the former; pictures of level 0 may be lost.

    Source: https://openslide.org/formats/mirax.
    """
    folder = path.with_suffix("")
    folder.mkdir()
    path.write_bytes(b"")
    said = (
        f"[GENERAL]\nSLIDE_ID = {ID}\nIMAGENUMBER_X = {ACROSS}\nIMAGENUMBER_Y = {DOWN}\n"
        "OBJECTIVE_MAGNIFICATION = 20\n"
        f"[HIERARCHICAL]\nHIER_COUNT = 1\nNONHIER_COUNT = 0\nINDEXFILE = Index.dat\n"
        f"HIER_0_NAME = Slide zoom level\nHIER_0_COUNT = {len(levels)}\n"
    )
    for n in range(len(levels)):
        said += f"HIER_0_VAL_{n}_SECTION = LAYER_0_LEVEL_{n}_SECTION\n"
    said += "[DATAFILE]\nFILE_COUNT = 1\nFILE_0 = Data0000.dat\n"
    data, pages = bytearray(b"some header"), []
    for number, pixels in enumerate(levels):
        said += LEVEL.format(number, 0.25 * 2**number, SIDE, int(number > 0))
        step = 2**number
        items = []
        for index in range(ACROSS * DOWN):
            y, x = divmod(index, ACROSS)
            if y % step or x % step or (number == 0 and index in lost):
                continue
            top, left = y // step * SIDE, x // step * SIDE
            stream = io.BytesIO()
            Image.fromarray(pixels[top : top + SIDE, left : left + SIDE]).save(stream, "png")
            items.append((index, len(data), len(stream.getvalue()), 0))
            data += stream.getvalue()
        pages.append(items)
    # From here to there: roots, a pointer for each level, an empty first page, a page of items.
    index_file = bytearray(b"01.02" + ID.encode())
    table = len(index_file) + 8
    index_file += struct.pack("<2i", table, 0)
    place = table + 4 * len(pages)
    pointers, body = [], b""
    for items in pages:
        pointers.append(place + len(body))
        body += struct.pack("<2i", 0, place + len(body) + 8)
        body += struct.pack("<2i", len(items), 0) + b"".join(struct.pack("<4i", *i) for i in items)
    index_file += struct.pack(f"<{len(pointers)}i", *pointers) + body
    (folder / "Slidedat.ini").write_text(said)
    (folder / "Index.dat").write_bytes(index_file)
    (folder / "Data0000.dat").write_bytes(data)


def test_it_is_read_as_openslide_reads_it(tmp_path):
    path = tmp_path / "größe.mrxs"
    write_mirax(path, [PIXELS, PIXELS[::2, ::2].copy()])
    (image,) = read_tiff_or_slide(path)
    slide = openslide.OpenSlide(path)
    assert slide.properties["openslide.vendor"] == "mirax"
    assert [level.shape[:2] for level in image.levels] == [(128, 256), (64, 128)]
    for step, (number, level) in zip((1, 2), enumerate(image.levels), strict=True):
        truth = slide.read_region((0, 0), number, slide.level_dimensions[number])
        np.testing.assert_array_equal(level[...], np.asarray(truth))
        np.testing.assert_array_equal(level[...][..., :3], PIXELS[::step, ::step])
    assert image.scale == (0.25, 0.25)
    assert image.units == ("micrometer", "micrometer")
    assert image.metadata["magnification"] == "20"
    (layer,) = open_image(path)
    assert layer.rgb
    assert layer.name == "größe"


def test_what_was_not_scanned_is_transparent(tmp_path):
    write_mirax(tmp_path / "a.mrxs", [PIXELS], lost=(2,))
    (image,) = read_tiff_or_slide(tmp_path / "a.mrxs")
    alpha = image.levels[0][...][..., 3]
    assert not alpha[:SIDE, 2 * SIDE : 3 * SIDE].any()
    assert alpha[SIDE:].all()


def test_a_slide_without_its_folder_is_told(tmp_path):
    write_mirax(tmp_path / "a.mrxs", [PIXELS])
    (tmp_path / "a" / "Index.dat").unlink()
    with pytest.raises(SourceError, match=r"a\.mrxs"):
        read_tiff_or_slide(tmp_path / "a.mrxs")
    (tmp_path / "b.mrxs").write_bytes(b"")
    with pytest.raises(SourceError, match=r"b\.mrxs"):
        read_tiff_or_slide(tmp_path / "b.mrxs")
