"""With all bricks of level 0, ours equals napari's own volume in every rendering mode."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from scipy import ndimage
from vispy.color import Colormap
from vispy.scene.visuals import Mesh

from brick_scene import BrickScene, pyramid, smooth_volume
from napari_octree.rendering.volume.volume_shaders import MODES

SIZE = 64


def as_type(volume: np.ndarray, dtype: str) -> tuple[np.ndarray, float]:
    if dtype == "float32":
        return volume, 1.0
    top = np.iinfo(dtype).max
    return (volume * top).astype(dtype), float(top)


@pytest.fixture(scope="module", params=[0.0, 45.0], ids=["orthographic", "perspective"])
def fov(request: Any) -> float:
    return float(request.param)


@pytest.fixture(scope="module", params=["uint8", "uint16", "float32"])
def pair(request: Any, fov: float, qapp: Any) -> Iterator[tuple[BrickScene, Any, Any]]:
    """A scene with stock's and our node, of the same blobs."""
    volume, top = as_type(smooth_volume(SIZE), request.param)
    scene = BrickScene(fov=fov)
    clim = (0.1 * top, 0.9 * top)
    stock = scene.add_stock(volume, clim)
    ours = scene.add_bricks(pyramid(volume), clim)
    scene.look((SIZE / 2,) * 3, 1.3 * SIZE)
    yield scene, stock, ours
    scene.close()


@pytest.fixture
def compare(pair: Any) -> Any:
    """Draw both with some settings; then put the settings back."""
    scene, stock, ours = pair
    defaults = {
        "method": "mip",
        "cmap": "viridis",
        "interpolation": "linear",
        "gamma": 1.0,
        "clipping_planes": None,
        "raycasting_mode": "volume",
        "threshold": 0.5,
        "attenuation": 0.05,
        "mip_cutoff": None,
        "minip_cutoff": None,
    }

    def run(**settings: Any) -> np.ndarray:
        for name, value in {**defaults, **settings}.items():
            setattr(stock, name, value)
            setattr(ours, name, value)
        expected = scene.picture(stock)
        assert expected.std() > 5, "nothing to compare"
        return np.abs(expected - scene.picture(ours)).max(axis=-1)

    return run


def assert_equal(difference: np.ndarray) -> None:
    assert difference.mean() <= 0.01
    assert (difference > 2).mean() <= 0.001


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "iso"])
def test_mode(compare: Any, mode: str) -> None:
    assert_equal(compare(method=mode))


@pytest.mark.parametrize("gamma", [1.0, 0.6])
def test_colours_that_begin_transparent(compare: Any, gamma: float) -> None:
    cmap = Colormap([(0, 0, 0, 0), (1, 0, 0, 0), (1, 0.5, 0, 0.1), (1, 1, 0.5, 0.3)])
    assert_equal(compare(method="translucent", cmap=cmap, gamma=gamma))


def test_iso_but_for_silhouettes(compare: Any) -> None:
    difference = compare(method="iso")
    # Where the surface is seen edge on, one sample more or less decides.
    assert difference.mean() <= 0.02
    assert (difference > 2).mean() <= 0.002


@pytest.mark.parametrize("turn", [(0.4, 0.7, 0.3), (-0.4, 0.5, -0.3)], ids=["outside", "inside"])
def test_a_surface_that_crosses_bricks_is_lit_evenly(
    qapp: Any, fov: float, turn: tuple[float, float, float]
) -> None:
    z, y, x = np.meshgrid(*[np.arange(SIZE)] * 3, indexing="ij")
    # A slope of 2.5 voxels: as far as the gradient reaches. Behind it all voxels
    # are the same: rays that begin there meet no gradient.
    slope = np.clip(0.5 + 0.2 * (z + 0.6 * y + 0.8 * x - 1.2 * SIZE), 0, 1).astype(np.float32)
    scene = BrickScene(fov=fov)
    nodes = scene.add_stock(slope, (0, 1)), scene.add_bricks(pyramid(slope), (0, 1))
    scene.look((SIZE / 2,) * 3, SIZE, turn)
    for node in nodes:
        node.method, node.threshold = "iso", 0.5
    expected, found = map(scene.picture, nodes)
    scene.close()
    assert (expected.max(axis=-1) > 0).mean() > 0.3
    difference = np.abs(expected - found).max(axis=-1)
    assert difference.mean() <= 0.02
    assert (difference > 2).mean() <= 0.002  # silhouettes


@pytest.mark.parametrize(
    "settings",
    [
        {"gamma": 0.5},
        {"interpolation": "nearest"},
        {"mip_cutoff": 0.3},
        {"method": "minip", "minip_cutoff": 0.6},
        {"clipping_planes": np.array([[[32, 32, 32], [1, 0.3, 0.2]]])},
        {"clipping_planes": np.array([[[32, 30, 32], [0, 1, 0]], [[20, 0, 0], [-1, 0, 0.1]]])},
    ],
    ids=lambda settings: "-".join(settings),
)
def test_settings(compare: Any, settings: dict[str, Any]) -> None:
    assert_equal(compare(**settings))


@pytest.mark.parametrize("mode", ["mip", "average", "translucent"])
def test_plane(compare: Any, mode: str) -> None:
    plane = {
        "plane_position": (SIZE / 2,) * 3,
        "plane_normal": (1, 0.5, 0.2),
        "plane_thickness": 6.0,
    }
    assert_equal(compare(method=mode, raycasting_mode="plane", **plane))


def test_clipping_hides_all(compare: Any, pair: Any) -> None:
    scene, _, ours = pair
    ours.clipping_planes = np.array([[[1e4, 0, 0], [1, 0, 0]]])
    assert scene.picture(ours).max() == 0


def test_the_comparison_sees_half_a_voxel(compare: Any, monkeypatch: Any) -> None:
    from napari_octree.rendering.volume import brick_volume

    original = brick_volume.volume_matrices

    def shifted(node: Any) -> Any:
        matrices = original(node)
        to_render = matrices.to_render.copy()
        to_render[3] += 0.5 * to_render[0]
        return matrices._replace(to_render=to_render)

    monkeypatch.setattr(brick_volume, "volume_matrices", shifted)
    with pytest.raises(AssertionError):
        assert_equal(compare())


@pytest.fixture
def scene(fov: float, qapp: Any) -> Iterator[BrickScene]:
    scene = BrickScene(160, fov)
    yield scene
    scene.close()


def test_a_surface_just_behind_a_border_is_lit_by_its_own_brick(scene: BrickScene) -> None:
    # Its gradient reaches further than the apron of the brick that the ray has come to.
    noise = ndimage.gaussian_filter(np.random.default_rng(0).random((48,) * 3), 0.6)
    noise = ((noise - noise.min()) / np.ptp(noise)).astype(np.float32)
    looks = {"method": "iso", "threshold": 0.6}
    stock = scene.add_stock(noise, (0, 1), **looks)
    ours = scene.add_bricks([noise], (0, 1), brick=8, **looks)
    scene.look((23.5,) * 3, 62)
    difference = np.abs(scene.picture(stock) - scene.picture(ours)).max(axis=-1)
    assert (difference > 4).mean() <= 0.001


def test_the_mean_of_bricks_of_one_value(scene: BrickScene) -> None:
    blocks = np.kron(np.random.default_rng(0).random((2, 2, 2)), np.ones((40,) * 3))
    blocks = blocks.astype(np.float32)
    stock = scene.add_stock(blocks, (0, 1), method="average")
    ours = scene.add_bricks([blocks], (0, 1), method="average")
    scene.look((39.5,) * 3, 100)
    expected, picture = scene.picture(stock), scene.picture(ours)
    assert expected.std() > 20
    assert np.abs(expected - picture).max() <= 2


def test_a_plane_lies_as_deep_as_stock_napari_s(scene: BrickScene) -> None:
    volume = smooth_volume(40)
    nodes = [scene.add_stock(volume, (0, 1)), scene.add_bricks([volume], (0, 1))]
    for node in nodes:
        node.method, node.raycasting_mode, node.order = "average", "plane", 1
        node.plane_position, node.plane_normal = (19.3, 20.1, 18.7), (1, 0.4, 0.2)
        node.plane_thickness = 3
        node.set_gl_state("translucent", depth_test=True)
    scene.view.camera.depth_value = 200
    corners = np.array([[-20, -20, -5], [60, -20, 30], [60, 60, 45], [-20, 60, 10]], float)
    sheet = Mesh(corners, [[0, 1, 2], [0, 2, 3]], color=(1, 0, 0, 1), parent=scene.view.scene)
    sheet.set_gl_state("opaque", depth_test=True, cull_face=False)
    scene.look((19.5,) * 3, 60)
    expected, picture = map(scene.picture, nodes)
    red = (expected == (255, 0, 0)).all(axis=-1)
    assert 0.1 < red.mean() < 0.9, "the sheet cuts the plane"
    assert (np.abs(expected - picture).max(axis=-1) > 4).mean() <= 0.0005
