"""A slide that only openslide can read, as pydicom writes it: DICOM, a file per level."""

import io
from pathlib import Path

import numpy as np
import openslide
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit, VLWholeSlideMicroscopyImageStorage, generate_uid

from napari_octree import open_image
from napari_octree.plugin.command_line import main

SIDE = 64
COLOURS = np.random.default_rng(0).integers(0, 255, (38, 52, 3)).astype(np.uint8)
PIXELS = COLOURS.repeat(8, 0).repeat(8, 1)[:300, :410]


def write_level(path: Path, pixels: np.ndarray, series: str, spacing: float) -> None:
    """Write one level; tiles at the end are padded with black."""
    rows, columns = pixels.shape[:2]
    frames = []
    for top in range(0, rows, SIDE):
        for left in range(0, columns, SIDE):
            tile = np.zeros((SIDE, SIDE, 3), np.uint8)
            part = pixels[top : top + SIDE, left : left + SIDE]
            tile[: part.shape[0], : part.shape[1]] = part
            stream = io.BytesIO()
            Image.fromarray(tile).save(stream, "jpeg", quality=95, subsampling=0)
            frames.append(stream.getvalue())
    slide = Dataset()
    slide.file_meta = FileMetaDataset()
    slide.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    slide.file_meta.MediaStorageSOPClassUID = slide.SOPClassUID = (
        VLWholeSlideMicroscopyImageStorage
    )
    slide.file_meta.MediaStorageSOPInstanceUID = slide.SOPInstanceUID = generate_uid()
    slide.Modality, slide.SeriesInstanceUID, slide.FrameOfReferenceUID = "SM", series, "1.2.3"
    is_first = spacing == 0.5
    slide.ImageType = ["ORIGINAL" if is_first else "DERIVED", "PRIMARY", "VOLUME"]
    slide.ImageType.append("NONE" if is_first else "RESAMPLED")
    slide.TotalPixelMatrixRows, slide.TotalPixelMatrixColumns = rows, columns
    slide.TotalPixelMatrixFocalPlanes = slide.NumberOfOpticalPaths = 1
    slide.Rows = slide.Columns = SIDE
    slide.NumberOfFrames, slide.SamplesPerPixel = len(frames), 3
    slide.PhotometricInterpretation, slide.PlanarConfiguration = "YBR_FULL_422", 0
    slide.BitsAllocated = slide.BitsStored = 8
    slide.HighBit, slide.PixelRepresentation = 7, 0
    slide.DimensionOrganizationType = "TILED_FULL"
    measures, shared, optics = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing = [spacing / 1000, spacing / 1000]
    shared.PixelMeasuresSequence = [measures]
    slide.SharedFunctionalGroupsSequence = [shared]
    optics.OpticalPathIdentifier, optics.ObjectiveLensPower = "1", 20
    slide.OpticalPathSequence = [optics]
    slide.PixelData = encapsulate(frames)
    slide.save_as(path, enforce_file_format=True)


@pytest.fixture
def path(tmp_path):
    series = generate_uid()
    (tmp_path / "slide").mkdir()
    write_level(tmp_path / "slide" / "a.dcm", PIXELS, series, 0.5)
    write_level(tmp_path / "slide" / "b.dcm", PIXELS[::2, ::2].copy(), series, 1.0)
    return tmp_path / "slide" / "a.dcm"


def test_its_levels_are_those_that_openslide_reads(path):
    (layer,) = open_image(path)
    assert layer.rgb
    assert layer.level_shapes.tolist() == [[300, 410], [150, 205]]
    assert layer.scale.tolist() == [0.5, 0.5]
    assert layer.metadata["magnification"] == "20"
    truth = openslide.OpenSlide(str(path))
    for number, (columns, rows) in enumerate(truth.level_dimensions):
        picture = np.asarray(truth.read_region((0, 0), number, (columns, rows)))
        np.testing.assert_array_equal(layer.data[number][...], picture)
        level = layer.level(number)
        np.testing.assert_array_equal(level[7:130:3, ::-1].compute(), picture[7:130:3, ::-1])
    assert np.abs(np.asarray(layer.data[0][..., :3]).astype(int) - PIXELS).mean() < 1


def test_a_pyramid_is_built_of_it(path, tmp_path):
    assert main(["build", str(path), str(tmp_path / "built.zarr")]) == 0
    layers = open_image(tmp_path / "built.zarr")
    assert [layer.name for layer in layers] == ["a: red", "a: green", "a: blue", "a: alpha"]
    (slide,) = open_image(path)
    np.testing.assert_array_equal(layers[1].data[0][...], slide.data[0][..., 1])
