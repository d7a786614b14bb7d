"""Fields of plates that bioformats2raw wrote lie where its OME-XML says."""

import numpy as np
import pytest

from napari_octree.sources.ome_zarr.opening import read_ome_zarr
from plate_writer import PlateWriter, noise

# In µm; a pixel is 0.5 µm: the second field lies 60 pixels to the right, the third 40 below.
PLACES = [("2000", "1000"), ("2000", "1030"), ("2020", "1000")]
EXPECTED = ((0, 0), (0, 60), (40, 0))


def ome_xml(
    samples=PLACES, planes=None, unit="µm", size='PhysicalSizeX="0.5" PhysicalSizeY="0.5"'
):
    """Write the file, its images in another order than the fields."""
    order = [2, 0, 1]
    wells = "".join(
        f'<WellSample ID="S:{n}" Index="{n}" PositionY="{y}" PositionX="{x}" '
        f'PositionXUnit="{unit}" PositionYUnit="{unit}"><ImageRef ID="Image:{order.index(n)}"/>'
        "</WellSample>"
        for n, (y, x) in enumerate(samples or [])
    )
    images = "".join(
        f'<Image ID="Image:{k}"><Pixels ID="P:{k}" {size}>'
        + (
            f'<Plane TheC="0" PositionY="{planes[n][0]}" PositionX="{planes[n][1]}" '
            f'PositionXUnit="{unit}" PositionYUnit="{unit}"/><Plane PositionX="9"/>'
            if planes
            else ""
        )
        + "</Pixels></Image>"
        for k, n in enumerate(order)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/'
        f'OME/2016-06"><Plate ID="Plate:0"><Well ID="W" Row="0" Column="0">{wells}</Well></Plate>'
        f"{images}</OME>"
    )


@pytest.fixture
def plate(tmp_path):
    writer = PlateWriter(tmp_path / "p.zarr")
    writer.plate(["A/1"], rows="A", columns="1")
    writer.well("A/1", ["0", "1", "2"])
    for field in "012":
        writer.field("A/1", field, noise())
    writer.group("", {"bioformats2raw.layout": 3})
    writer.group("OME", {"series": ["A/1/2", "A/1/0", "A/1/1"]})
    return writer


def opened(plate, xml):
    (plate.path / "OME" / "METADATA.ome.xml").write_text(xml, encoding="utf-8")
    (image,) = read_ome_zarr(plate.path)
    return image


@pytest.mark.parametrize("xml", [ome_xml(), ome_xml(None, PLACES), ome_xml(unit="um")])
def test_fields_lie_where_the_file_says(plate, xml):
    image = opened(plate, xml)
    assert image.layout.from_positions
    assert image.layout.offsets == EXPECTED
    for field, (y, x) in zip("012", EXPECTED, strict=True):
        shown = np.asarray(image.levels[0][y : y + 32, x : x + 48])
        np.testing.assert_array_equal(shown, plate.pixels["A/1", field])


@pytest.mark.parametrize(
    "xml",
    [
        "", "<OME", "<OME/>", ome_xml(unit="reference frame"), ome_xml(size=""),
        ome_xml([("1", "1")] * 3), ome_xml([("nan", "1"), ("1", "x"), ("3", "1")]),
        ome_xml(PLACES[:2]), '<!DOCTYPE x [<!ENTITY a "b">]>' + ome_xml()[38:],
    ],
    ids=["empty", "cut", "nothing", "no unit", "no size", "equal", "no number", "few", "entities"],
)  # fmt: skip
def test_a_file_that_says_nothing_of_use_leaves_them_in_rows(plate, xml):
    assert not opened(plate, xml).layout.from_positions


def test_translations_come_first(plate):
    for number, field in enumerate("012"):
        plate.field("A/1", field, noise(), translation=(0, 30.0 * number))
    image = opened(plate, ome_xml())
    assert image.layout.offsets == ((0, 0), (0, 60), (0, 120))
