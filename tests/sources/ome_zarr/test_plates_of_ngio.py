"""Plates that ngio writes, with which Fractal's tasks and converters write theirs."""

import numpy as np
import pytest

from napari_octree.sources.ome_zarr.opening import read_ome_zarr
from napari_octree.sources.ome_zarr.plates.model import is_derived

WELLS = {("B", "03"): (0, 0), ("B", "05"): (0, 1), ("C", "03"): (1, 0)}
RNG = np.random.default_rng(3)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_plate_of_ngio_with_labels_and_derived_images(tmp_path, version):
    """Each well shows its image, all pixels of it; what was made of it lies at the same place."""
    ngio = pytest.importorskip("ngio")  # it wants zarr 3.1.6
    path = tmp_path / "screen.zarr"
    listed = [
        ngio.ImageInWellPath(row=row, column=column, path=name)
        for row, column in WELLS
        for name in ("0", "0_registered")
    ]
    ngio.create_empty_plate(path, name="screen", images=listed, ngff_version=version)
    pixels, cells = {}, {}
    for row, column in WELLS:
        for name in ("0", "0_registered"):
            data = RNG.integers(1, 999, (2, 1, 64, 96)).astype("u2")
            if name == "0":
                pixels[row, column] = data
            image = ngio.create_ome_zarr_from_array(
                path / row / column / name, data, pixelsize=0.325, axes_names="czyx",
                channels_meta=["DAPI", "GFP"], levels=2, ngff_version=version, overwrite=True,
            )  # fmt: skip
            if name == "0":
                label = image.derive_label("nuclei", dtype="uint32")
                cells[row, column] = RNG.integers(0, 9, label.shape).astype("u4")
                label.set_array(cells[row, column])
                label.consolidate()
    image, labels = read_ome_zarr(path)
    for opened, truth in ((image, pixels), (labels, cells)):
        height, width = opened.layout.pitch
        for place, (row, column) in WELLS.items():
            y, x = row * height, column * width
            found = opened.levels[0][..., y : y + 64, x : x + 96]
            np.testing.assert_array_equal(found, truth[place])
    assert [channel.label for channel in image.metadata.channels] == ["DAPI", "GFP"]
    assert image.metadata.datasets[0].scale[-1] == 0.325
    assert (image.plate.rows, image.plate.columns) == (("B", "C"), ("03", "05"))
    assert len(image.layout.offsets) == 1
    assert labels.name.endswith("nuclei")
    assert image.levels[0].deviations.counts == {"images made of others": len(WELLS)}


def test_what_is_named_after_another_image():
    """As Fractal's tasks name it; numbered fields are named after nothing."""
    listed = ["0.zarr", "0_mip.zarr", "1", "1_registered_mip", "Site_0", "Site_1", "00"]
    assert [p for p in listed if is_derived(p, listed)] == ["0_mip.zarr", "1_registered_mip"]
