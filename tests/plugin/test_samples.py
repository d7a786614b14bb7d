import numpy as np
import pytest
from napari.components import ViewerModel

from napari_octree import OctreeImage, OctreeLabels, OctreePoints
from napari_octree.plugin.command_line import DEMOS
from napari_octree.plugin.reader import get_reader
from napari_octree.plugin.samples import SAMPLES, mandelbrot_colormap
from napari_octree.sources import SourceError


def test_napari_opens_the_sample(octree_plugin):
    viewer = ViewerModel()
    (layer,) = viewer.open_sample("napari-octree", "mandelbrot")
    assert isinstance(layer, OctreeImage | OctreeLabels)
    assert layer.name == "Mandelbrot set"
    assert len(layer.data) == 18
    assert layer.level_shapes[0].tolist() == [2**27, 2**27]
    assert layer.source.sample == ("napari-octree", "mandelbrot")
    (bulb,) = viewer.open_sample("napari-octree", "mandelbulb")
    assert bulb.source.path == "octree://mandelbulb"


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_can_be_opened_as_an_address(octree_plugin, name):
    viewer = ViewerModel()
    (layer,) = viewer.open(f"octree://{name}", plugin="napari-octree")
    assert isinstance(layer, OctreeImage | OctreeLabels | OctreePoints)


def test_every_sample_is_a_demo_and_in_the_menu(octree_plugin):
    assert set(DEMOS) == set(SAMPLES)
    contributed = octree_plugin.get_manifest("napari-octree").contributions.sample_data
    assert {sample.key for sample in contributed} == set(SAMPLES)
    addresses = {sample.uri for sample in contributed if hasattr(sample, "uri")}
    assert addresses == {f"octree://{name}" for name in SAMPLES} - {"octree://mandelbrot"}


def test_what_is_to_be_seen_in_3_d_opens_in_3_d(octree_plugin, make_napari_viewer):
    viewer = make_napari_viewer()
    viewer.open_sample("napari-octree", "mandelbrot")
    assert viewer.dims.ndisplay == 2
    viewer.open_sample("napari-octree", "mandelbulb")
    assert viewer.dims.ndisplay == 3


def test_other_addresses_are_refused():
    assert get_reader("https://mandelbrot") is None
    assert get_reader(["octree://mandelbrot"]) is None
    read = get_reader("octree://mandelbro")
    with pytest.raises(SourceError, match="octree://mandelbro: there is no such sample"):
        read("octree://mandelbro")


def test_the_set_is_black_and_what_escapes_first_is_night():
    colors = mandelbrot_colormap().map([0.0, 8600 / 65535, 0.3, 1.0])
    np.testing.assert_allclose(colors[0], [0, 0, 0, 1])
    np.testing.assert_allclose(colors[1][:3], [0.01, 0.02, 0.12], atol=0.02)
