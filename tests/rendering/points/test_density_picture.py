"""Points that are not drawn, as an image: as bright as if they were, and nothing where all are."""

from __future__ import annotations

import numpy as np
import pytest

from napari_octree import OctreeConfig, OctreePoints
from napari_octree.rendering.points.density_legend import density_legend_of
from napari_octree.rendering.points.dot_profile import dot_profile, drawn_size

RNG = np.random.default_rng(0)
POINTS = np.concatenate([RNG.random((30_000, 2)) * 1000, RNG.normal(500, 60, (30_000, 2))])


@pytest.fixture
def brightness(make_viewer, pump, screenshot):
    """Mean brightness of 4 × 4 parts of the picture with so many points drawn."""
    viewer = make_viewer((240, 240))

    def measure(points: int, **settings) -> tuple[np.ndarray, OctreePoints]:
        viewer.layers.clear()
        config = OctreeConfig(render={"points": points})
        looks = {"size": 1, "blending": "translucent_no_depth", "opacity": 0.1, **settings}
        layer = viewer.add_layer(OctreePoints(POINTS, config, **looks))
        viewer.reset_view()
        pump()
        assert layer.wait_until_settled(60)
        picture = screenshot(viewer)[..., 0].astype(float)
        return picture.reshape(4, 60, 4, 60).mean(axis=(1, 3)), layer

    return measure


@pytest.mark.parametrize("settings", [{}, {"size": 8, "border_width": 0, "face_color": "red"}])
def test_no_jump_from_density_to_points(brightness, settings):
    whole, layer = brightness(10**6, **settings)
    assert layer._drawing.shown_points == len(POINTS)
    assert not layer._drawing.shows_density
    for budget in (30_000, 17_000):
        part, layer = brightness(budget, **settings)
        assert layer._drawing.shown_points < len(POINTS) * 0.6
        assert layer._drawing.shows_density
        bright = whole > 10
        np.testing.assert_allclose(part[bright], whole[bright], rtol=0.08)
        assert abs(part.mean() / whole.mean() - 1) < 0.03
    off, _ = brightness(17_000, density="off", **settings)
    assert off.mean() < 0.7 * whole.mean()


def test_a_density_image_alone(brightness):
    linear, layer = brightness(10**6, density="linear", opacity=1)
    assert layer._drawing.shown_points == 0
    assert "[density image]" in layer.get_status((0, 0), world=True)["value"]
    log, layer = brightness(10**6, density="log", opacity=1)
    assert linear[1:3, 1:3].min() > 3 * linear[0, 0]
    assert linear[0, 0] * 3 < log[0, 0] < log[1, 1]


def test_a_legend_says_what_a_density_image_means(make_viewer, pump, pump_until, screenshot):
    viewer = make_viewer((240, 240))
    layer = viewer.add_layer(
        OctreePoints(POINTS[:40_000], density="log", face_color="red", border_width=0)
    )
    pump()
    assert layer.wait_until_settled(30)
    legend = density_legend_of(viewer.window._qt_viewer.canvas.view)
    pump_until(lambda: "density, log scale: 0 –" in legend.text)
    screenshot(viewer)
    corner = screenshot(viewer)[180:210, 10:120].astype(int)
    assert corner[..., 0].max() - corner[..., 1].max() > 80  # a bar that becomes red
    layer.density = "auto"
    pump()
    assert layer.wait_until_settled(30)
    pump_until(lambda: not legend.text)
    layer.density = "linear"
    pump_until(lambda: legend.text.startswith("density: 0 –"))
    layer.visible = False
    pump_until(lambda: not legend.text)


def test_a_density_image_is_numpy_s_histogram(make_viewer, pump, screenshot):
    """In the middle of each cell, where a cell is five pixels wide, and where a pixel is two."""
    viewer = make_viewer((256, 256))
    points = np.concatenate([RNG.normal(0, 1, (20_000, 2)), RNG.normal(0, 0.05, (20_000, 2))])
    layer = viewer.add_layer(OctreePoints(points, density="linear", border_width=0))
    density = layer.points_source.density
    side, low = density.plan.side, np.array(density.low)
    for wide, zoom in ((side, 5 / side), (2 * side, 0.5 / side)):
        middle = low + np.round(-low / wide) * wide  # between cells, near zero
        viewer.scene.camera.zoom, viewer.scene.camera.center = zoom, (0, *middle)
        pump()
        assert layer.wait_until_settled(20)
        picture = screenshot(viewer)[..., 0].astype(float)
        per_cell = round(wide * zoom)
        half = 128 // per_cell - 1  # cells from the middle to each side
        edges = np.arange(-half, half + 1) * wide
        bins = [middle[0] + edges, middle[1] + edges]
        truth, _, _ = np.histogram2d(points[:, 0], points[:, 1], bins=bins)
        middles = 128 + np.arange(-half, half) * per_cell + per_cell // 2
        found = picture[np.ix_(middles, middles)]
        assert truth.max() > 50  # the densest cell of all is in view, and white
        above = middles < 190  # the legend is below
        expected = truth / truth.max() * 255
        np.testing.assert_allclose(found[above], expected[above], atol=1.01)


def test_the_profile_of_a_dot():
    disc = dot_profile(20, 0, 1e-3, (1, 0, 0, 0.5), (0, 1, 0, 1))
    assert disc.cover == pytest.approx(0.5 * np.pi * 100, rel=0.01)
    assert disc.colour == pytest.approx((1, 0, 0))
    ringed = dot_profile(20, 2, 1e-3, (1, 0, 0, 1), (0, 1, 0, 1))
    assert ringed.cover == pytest.approx(np.pi * 121, rel=0.01)
    assert ringed.colour[1] == pytest.approx(40 / 121, rel=0.03)
    assert drawn_size(0.5, 0.0, (2, 100)) == (2, 1)
    assert drawn_size(5, 0.5, (2, 100)) == (5, 0.5)
