"""Images of a bioformats2raw collection lie where the stage was, or are one scan."""

import numpy as np
import pytest

from napari_octree import open_ome_zarr
from napari_octree.sources.ome_zarr.opening import read_ome_zarr
from napari_octree.sources.ome_zarr.plates.opening import MosaicImage
from plate_writer import PlateWriter, noise

PIXEL = 0.5
"""µm, in the OME-XML and in the images."""


def ome_xml(places, unit="µm", size=PIXEL):
    images = "".join(
        f'<Image ID="Image:{n}"><Pixels ID="P:{n}" PhysicalSizeX="{size}" PhysicalSizeY="{size}">'
        + ("" if place is None else (
            f'<Plane TheC="0" TheT="0" TheZ="0" PositionY="{place[0]}" PositionX="{place[1]}" '
            f'PositionYUnit="{unit}" PositionXUnit="{unit}"/>'))
        + "</Pixels></Image>"
        for n, place in enumerate(places)
    )  # fmt: skip
    return f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">{images}</OME>'


def collection(path, places, shapes=None, names=None, unit="µm", **more):
    """Write a collection of images of 32 × 48 pixels, or of those shapes."""
    writer = PlateWriter(path)
    names = names or [f"{n}" for n in range(len(places))]
    writer.group("", {"bioformats2raw.layout": 3})
    writer.group("OME", {"series": names})
    for n, name in enumerate(names):
        writer.field("", name, noise((shapes or {}).get(n, (32, 48))), scale=PIXEL, **more)
    (path / "OME" / "METADATA.ome.xml").write_text(ome_xml(places, unit), encoding="utf-8")
    return writer


@pytest.mark.parametrize(("unit", "factor"), [("µm", 1), ("mm", 1e-3), ("m", 1e-6)])
def test_images_lie_where_the_stage_was(tmp_path, unit, factor):
    """Far apart they are images of their own, in the coordinates of the stage."""
    places = [(100 * factor, 200 * factor), (500 * factor, -900 * factor)]
    collection(tmp_path / "c.zarr", places, unit=unit)
    first, second = open_ome_zarr(tmp_path / "c.zarr")
    assert np.allclose(first.translate, (100, 200))
    assert np.allclose(second.translate, (500, -900))
    assert np.allclose(second.scale, (PIXEL, PIXEL))


def test_who_has_no_place_stays_where_it_was(tmp_path):
    """A macro image beside a scan, say; and one whose own metadata say where it is."""
    writer = collection(tmp_path / "c.zarr", [(100, 200), None, (300, 50)])
    writer.field("", "2", noise(), scale=PIXEL, translation=(7.0, 9.0))
    first, second, third = open_ome_zarr(tmp_path / "c.zarr")
    assert np.allclose(first.translate, (100, 200))
    assert np.allclose(second.translate, (0, 0))
    assert np.allclose(third.translate, (7, 9))


def test_tiles_of_a_scan_are_one_layer(tmp_path):
    """Pixel by pixel, with an overlap of 4 pixels where the first image is on top."""
    pixels = [(y, x) for y in (0, 32) for x in (0, 44, 88)]
    places = [(1000 + y * PIXEL, 2000 + x * PIXEL) for y, x in pixels]
    names = ["5", "0", "3", "1", "2", "4"]
    writer = collection(tmp_path / "scan.zarr", places, names=names)
    (layer,) = open_ome_zarr(tmp_path / "scan.zarr")
    expected = np.zeros((64, 136), "u2")
    for name, (y, x) in reversed(list(zip(names, pixels, strict=True))):
        expected[y : y + 32, x : x + 48] = writer.pixels["", name]
    found = np.asarray(layer.data[0] if layer.multiscale else layer.data)
    assert np.array_equal(found[:64, :136], expected)
    assert np.allclose(layer.translate, (1000, 2000))
    assert np.allclose(layer.scale, (PIXEL, PIXEL))
    (image,) = read_ome_zarr(tmp_path / "scan.zarr")
    assert image.levels[0].place_at((40, 100)) == "scan field 6"
    assert image.fields.path_of(5) == "4"


@pytest.mark.parametrize(
    ("places", "shapes"),
    [
        ([(0, 0), (0, 24), (0, 100)], None),  # two touch, one does not
        ([(0, 0), (0, 1)], None),  # the same place twice
        ([(0, 0), (0, 24)], {1: (32, 40)}),  # images of two kinds
        ([(0, 0), None], None),
    ],
)
def test_what_is_no_scan(tmp_path, places, shapes):
    """Images that lie alone, over each other, or differ are layers of their own."""
    collection(tmp_path / "c.zarr", places, shapes)
    images = read_ome_zarr(tmp_path / "c.zarr")
    assert len(images) == len(places)
    assert not any(isinstance(image, MosaicImage) for image in images)


@pytest.mark.parametrize("xml", ["", "<OME", "<!DOCTYPE a><OME/>", "<OME/>", ome_xml([(1, 1)])])
def test_a_file_that_says_nothing_of_use(tmp_path, xml):
    """Leaves the images where they were."""
    collection(tmp_path / "c.zarr", [(5, 5), (90, 90)])
    (tmp_path / "c.zarr" / "OME" / "METADATA.ome.xml").write_text(xml)
    first, second = read_ome_zarr(tmp_path / "c.zarr")
    assert not any(second.metadata.datasets[0].translation or ())
    moved = any(first.metadata.datasets[0].translation or ())
    assert moved == ("Image:0" in xml)


def test_entries_that_are_no_paths_keep_their_number(tmp_path):
    """The order of the OME-XML counts them too."""
    writer = collection(tmp_path / "c.zarr", [(100, 200), (1, 1), (500, 900)])
    writer.group("OME", {"series": ["0", "../x", "2"]})
    with pytest.warns(UserWarning, match="no path"):
        images = read_ome_zarr(tmp_path / "c.zarr")
    found = [image.metadata.datasets[0].translation for image in images]
    assert np.allclose(found, [(100, 200), (500, 900)])


def test_labels_go_with_their_image(tmp_path):
    """A label image of half the size lies where its image does."""
    writer = collection(tmp_path / "c.zarr", [(100, 200), (500, 900)])
    writer.group("1/labels", {"labels": ["cells"]})
    writer.field("1/labels", "cells", noise((16, 24), "u1"), scale=2 * PIXEL)
    writer.group("1/labels/cells", {"image-label": {}})
    *_, labels = read_ome_zarr(tmp_path / "c.zarr")
    assert labels.label is not None
    assert np.allclose(labels.metadata.datasets[0].translation, (500, 900))
