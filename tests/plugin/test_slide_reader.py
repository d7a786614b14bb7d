"""napari opens slides and OME-TIFF files with this plugin, and leaves plain TIFFs alone."""

import numpy as np
import pytest
import tifffile
from npe2 import PluginManifest

from napari_octree.plugin.reader import get_reader
from napari_octree.sources.tiff.slide_names import SLIDE_ENDINGS


def test_the_manifest_claims_the_names_that_the_reader_takes():
    manifest = PluginManifest.from_distribution("napari-octree")
    patterns = [set(reader.filename_patterns) for reader in manifest.contributions.readers]
    assert {f"*{ending}" for ending in SLIDE_ENDINGS} in patterns


@pytest.mark.parametrize("name", ["slide.SVS", "image.ome.tif"])
def test_claimed_names_are_opened(tmp_path, name):
    tifffile.imwrite(tmp_path / name, np.ones((30, 40), np.uint8))
    read = get_reader(str(tmp_path / name))
    (layer,) = read(str(tmp_path / name))
    assert layer.level_shapes[0].tolist() == [30, 40]


def test_other_names_are_not_claimed(tmp_path):
    for name in ("image.tif", "image.tiff"):
        tifffile.imwrite(tmp_path / name, np.ones((30, 40), np.uint8))
        assert get_reader(str(tmp_path / name)) is None
    assert get_reader([str(tmp_path / "a.svs")]) is None
    assert get_reader(str(tmp_path / "absent.svs")) is None
