"""Types, special values, limits, filters and places: all as stock napari draws them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.layers import Image
from napari.utils.colormaps import AVAILABLE_COLORMAPS, Colormap

from cameras import off_tie_center
from napari_octree import OctreeConfig, OctreeImage

LINEAR_TIES = 3.2
"""A zoom whose screen pixels keep off edges and centres of texels: filters tie at the latter."""

CORNERS = [(256.2, 255.7), (690.3, 880.2)]
"""Where four tiles meet, and where the image ends."""


def stretched(scene: np.ndarray, dtype: str) -> np.ndarray:
    """`scene` over all of a type."""
    if np.dtype(dtype).kind == "f":
        return scene.astype(dtype)
    limits = np.iinfo(dtype)
    span = float(limits.max) - float(limits.min)
    return (limits.min + scene * 0.999 * span).astype(dtype)


@pytest.mark.parametrize(
    "dtype", ["int8", "int16", "int32", "uint32", "int64", "uint64", "float16", "float64"]
)
def test_types(compare, scene, dtype) -> None:
    data = stretched(scene, dtype)
    limits = tuple(float(v) for v in np.quantile(data, [0.1, 0.9]))
    assert compare(data, contrast_limits=limits).max() == 0


def test_bool(compare, scene) -> None:
    assert compare(scene > 0.5).max() == 0


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
@pytest.mark.parametrize("channels", [3, 4])
def test_colours(compare, scene, dtype, channels) -> None:
    rgba = np.stack([scene, scene[::-1], scene[:, ::-1], 1 - scene], axis=-1)[..., :channels]
    top = 1 if dtype.startswith("float") else np.iinfo(dtype).max
    assert compare((rgba * top).astype(dtype), rgb=True).max() == 0


def test_colours_that_get_an_alpha_or_lose_it(compare, scene) -> None:
    rgba = np.stack([scene, scene[::-1], scene[:, ::-1], 1 - scene], axis=-1)
    rgba = (rgba * 255).astype(np.uint8)
    for first, then in ((rgba[..., :3], rgba), (rgba, rgba[..., :3])):

        def assign(viewer: Any, then: np.ndarray = then) -> None:
            layer = viewer.layers[-1]
            if isinstance(layer, OctreeImage):
                assert layer.wait_until_settled(30)  # drawn with the former colours
            layer.data = then

        assert compare(first, rgb=True, arrange=assign).max() == 0


def test_contrast_and_gamma_of_colours(compare, scene) -> None:
    rgb = (np.stack([scene, scene[::-1], scene[:, ::-1]], axis=-1) * 255).astype(np.uint8)
    assert compare(rgb, rgb=True, contrast_limits=(30, 180), gamma=0.7).max() == 0


@pytest.mark.parametrize("colormap", ["gray", "viridis"])
def test_nan_and_infinity(viewer, scene, screenshot, look_at, colormap) -> None:
    """NaN is transparent; Mesa 26 takes the test for it out of stock's shaders, not of ours."""
    data = scene.astype(np.float32)
    data[250:260, 240:270] = np.nan
    data[270:275] = np.inf
    data[280:285] = -np.inf
    looks = {"contrast_limits": (0.1, 0.8), "colormap": colormap}
    backdrop = np.tile(np.linspace(0, 1, 900, dtype=np.float32), (700, 1))
    viewer.add_layer(Image(backdrop, colormap="magma", contrast_limits=(0, 1)))
    look_at(viewer, (256.2, 255.7), 1.7731)
    below = screenshot(viewer)
    pictures = []
    for layer in (Image(np.isnan(data)), Image(data, **looks), OctreeImage(data, **looks)):
        viewer.add_layer(layer)
        if isinstance(layer, OctreeImage):
            assert layer.wait_until_settled(30)
        pictures.append(screenshot(viewer))
        viewer.layers.remove(layer)
    holes, stock, ours = pictures
    nan = holes[..., 0] > 0
    assert 800 < np.count_nonzero(nan) < 1100
    assert (ours[~nan] == stock[~nan]).all()
    assert (ours[nan] == below[nan]).all()


def test_nan_in_colours(compare, scene) -> None:
    data = np.stack([scene, scene[::-1], scene[:, ::-1]], axis=-1).astype(np.float32)
    data[250:260, 240:270] = np.nan
    data[270:275, :, 0] = np.inf
    assert compare(data, rgb=True).max() == 0


@pytest.mark.parametrize(
    ("dtype", "factor", "limits"),
    [
        ("uint16", 65535, (-5000, 90000)),
        ("uint16", 65535, (30000, 30000.0001)),
        ("uint8", 255, (100, 100.5)),
        ("float64", 1e-40, (1e-41, 8e-41)),
    ],
)
def test_unusual_contrast_limits(compare, scene, dtype, factor, limits) -> None:
    assert compare((scene * factor).astype(dtype), contrast_limits=limits).max() == 0


@pytest.mark.parametrize("kind", [Image, OctreeImage])
def test_equal_limits_are_refused(kind, viewer) -> None:
    data = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
    with pytest.raises(ValueError, match="increasing"):
        kind(data, contrast_limits=(100, 100))
    layer = viewer.add_layer(kind(data, contrast_limits=(0, 100)))
    with pytest.raises(ValueError, match="increasing"):
        layer.contrast_limits = (100, 100)
    assert layer.contrast_limits == [0, 100]


@pytest.mark.parametrize("value", [0, 7, -3.5])
def test_an_image_of_one_value(viewer, screenshot, value) -> None:
    data = np.full((300, 400), value, np.float32)
    stock = viewer.add_layer(Image(data))
    expected = screenshot(viewer)
    viewer.layers.clear()
    layer = viewer.add_layer(OctreeImage(data))
    assert layer.wait_until_settled(30)
    assert layer.contrast_limits == stock.contrast_limits
    assert (screenshot(viewer) == expected).all()


def test_limits_beyond_float32(compare, scene) -> None:
    # Both scale the data to float32, with other factors.
    assert compare(scene * 1e39, contrast_limits=(1e38, 8e38)).max() <= 1


def test_narrow_limits_of_large_integers(compare, scene) -> None:
    data = (2**30 + scene * 1000).astype(np.int32)
    assert compare(data, contrast_limits=(2**30 + 100, 2**30 + 900)).max() == 0


def test_limits_that_change_to_what_float32_cannot_hold(viewer, screenshot, scene, pump) -> None:
    layer = OctreeImage((2**30 + scene * 1000).astype(np.int32), contrast_limits=(0, 2**31))
    viewer.add_layer(layer)
    assert layer.wait_until_settled(30)
    assert screenshot(viewer)[100:200, 150:250, 0].std() < 1  # all the same to float32
    layer.contrast_limits = (2**30, 2**30 + 1000)
    assert layer.wait_until_settled(30)
    picture = screenshot(viewer)[100:200, 150:250, 0]
    assert picture.std() > 30
    uploads = layer.statistics.views[0].uploads
    for low in range(2**30, 2**30 + 100, 10):
        layer.contrast_limits = (low, 2**30 + 900)
        pump()
    assert layer.wait_until_settled(30)
    assert layer.statistics.views[0].uploads == uploads


@pytest.mark.parametrize("limits", [(70000, 90000), (-90, -10)])
def test_limits_beyond_the_type(viewer, screenshot, scene, limits) -> None:
    # Stock napari raises here, in its thumbnail.
    layer = OctreeImage((scene * 65535).astype(np.uint16), contrast_limits=limits)
    viewer.add_layer(layer)
    assert layer.wait_until_settled(30)
    expected = 0 if limits[0] > 0 else 255
    assert (screenshot(viewer)[100:200, 150:250, :3] == expected).all()


@pytest.mark.parametrize("interpolation", ["linear", "zero"])
def test_custom_colour_maps(compare, scene, interpolation) -> None:
    controls = [0, 0.3, 1] if interpolation == "linear" else [0, 0.3, 0.6, 1]
    colours = [[1, 0, 0, 1], [0, 1, 0, 0.5], [0, 0, 1, 1]]
    colormap = Colormap(colours, controls=controls, interpolation=interpolation)
    assert compare(stretched(scene, "uint16"), colormap=colormap).max() == 0


def test_every_colour_map(viewer, scene, screenshot, look_at) -> None:
    data = stretched(scene, "uint8")
    layers = [kind(data, contrast_limits=(20, 200)) for kind in (Image, OctreeImage)]
    for layer in layers:
        viewer.add_layer(layer)
    look_at(viewer, (256.2, 255.7), 1.7731)
    assert layers[1].wait_until_settled(30)
    for name in AVAILABLE_COLORMAPS:
        pictures = []
        for layer in layers:
            layer.colormap = name
            layers[0].visible, layers[1].visible = layer is layers[0], layer is layers[1]
            assert layers[1].wait_until_settled(30)
            pictures.append(screenshot(viewer).astype(int))
        # One of NaN's own colour is the same everywhere.
        assert name == "nan" or pictures[0].std() > 5, name
        assert np.abs(pictures[0] - pictures[1]).max() == 0, name


BLENDINGS = [
    "translucent",
    "translucent_no_depth",
    "additive",
    "minimum",
    "multiplicative",
    "opaque",
]


def test_blendings(compare, scene) -> None:
    data = stretched(scene, "uint16")
    for blending in BLENDINGS:
        difference = compare(data, blending=blending, opacity=0.6, colormap="twilight")
        assert difference.max() == 0, blending


def test_inverted_contrast(compare, scene) -> None:
    assert compare(stretched(scene, "uint16"), colormap="gray_r").max() == 0


FILTERS = [
    "linear",
    "cubic",
    "bessel",
    "blackman",
    "catrom",
    "gaussian",
    "hamming",
    "hanning",
    "hermite",
    "kaiser",
    "lanczos",
    "mitchell",
    "spline16",
    "spline36",
]


def test_filters(compare) -> None:
    # Noise: where a kernel is cut off at a tile's border, smooth data hardly show it.
    narrow = OctreeConfig(render={"interpolation_apron": 1})  # grows with the kernel
    data = np.random.default_rng(2).integers(0, 65536, (700, 900), dtype=np.uint16)
    for name in FILTERS:
        difference = compare(data, CORNERS, LINEAR_TIES, config=narrow, interpolation2d=name)
        assert difference.max() <= 1, name


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (3, 9), (21, 21)], ids=str)
def test_custom_kernels(compare, scene, shape) -> None:
    # 21 is wider than the apron that tiles have at first.
    rng = np.random.default_rng(1)
    kernel = rng.uniform(0.2, 1, shape)
    keywords = {
        "interpolation2d": "custom",
        "custom_interpolation_kernel_2d": kernel / kernel.sum(),
    }
    difference = compare(stretched(scene, "uint16"), CORNERS, LINEAR_TIES, **keywords)
    assert difference.max() <= 1


def test_linear_on_coarser_levels(compare, scene) -> None:
    levels = [stretched(scene, "uint16")[:640, :896]]
    for _ in range(2):
        fine = levels[-1].astype(float)
        coarse = fine[::2, ::2] + fine[1::2, ::2] + fine[::2, 1::2] + fine[1::2, 1::2]
        levels.append((coarse / 4).astype(np.uint16))
    difference = compare(levels, (320, 448), 0.45, interpolation2d="linear")
    assert difference.max() <= 1


def turn(order: tuple[int, ...]) -> Any:
    return lambda viewer: setattr(viewer.dims, "order", order)


def test_transposed_axes(compare, scene) -> None:
    assert compare(stretched(scene, "uint16"), arrange=turn((1, 0))).max() == 0


def test_transposed_axes_of_a_volume(compare, scene) -> None:
    volume = np.stack([stretched(scene, "uint16")] * 3, axis=1)
    assert compare(volume, arrange=turn((1, 2, 0))).max() == 0


@pytest.mark.parametrize("units", [("um", "um"), ("um", "nm")], ids="-".join)
def test_units(compare, scene, units) -> None:
    # The backdrop's pixels are micrometres to napari: only where the layer is matters here.
    scale = (0.5, 0.5 if units[1] == "um" else 400)
    data = stretched(scene, "uint16")
    center = (128.03, 128.07)
    difference = compare(data, center, 3.3, generic=True, units=units, scale=scale)
    assert difference.max() == 0


def test_units_of_another_layer(viewer, screenshot, pump, scene) -> None:
    """Where the layers' units differ, napari shows all of them in one."""
    data = stretched(scene, "uint16")
    viewer.add_layer(Image(np.ones((8, 8)), units=("nm", "nm"), scale=(500, 500)))

    def shoot(kind: type[Image]) -> np.ndarray:
        layer = kind(data, units=("um", "um"), scale=(0.5, 0.4), translate=(3, 7))
        viewer.add_layer(layer)
        viewer.reset_view()
        viewer.scene.camera.zoom *= 1.0371
        pump()
        if isinstance(layer, OctreeImage):
            assert layer.wait_until_settled(30)
        picture = screenshot(viewer).astype(int)
        viewer.layers.remove(layer)
        return picture

    stock = shoot(Image)
    assert stock.std() > 5
    assert np.abs(stock - shoot(OctreeImage)).max() == 0


def test_grid_mode(compare, scene, viewer) -> None:
    def grid(viewer: Any) -> None:
        viewer.canvas.grid.enabled = True

    try:
        assert compare(stretched(scene, "uint16"), zoom=0.8113, arrange=grid).max() == 0
    finally:
        viewer.canvas.grid.enabled = False


HIGH_DPI = """
import sys
import numpy as np
import napari
from napari._qt.utils import QImg2array
from napari.layers import Image
from napari_octree import OctreeImage
from qtpy.QtWidgets import QApplication

viewer = napari.Viewer(show=True)
canvas = viewer.window._qt_viewer.canvas
canvas.native.setFixedSize(300, 200)
viewer.window._qt_window.resize(1, 1)
rng = np.random.default_rng(0)
data = rng.integers(0, 65535, (700, 900), dtype=np.uint16)
pictures = []
for layer in (Image(data, contrast_limits=(0, 65535)), OctreeImage(data)):
    viewer.add_layer(layer)
    layer.contrast_limits = (0, 65535)
    viewer.scene.camera.zoom = float(sys.argv[1])
    viewer.scene.camera.center = (0.0, float(sys.argv[2]), float(sys.argv[3]))
    for _ in range(20):
        QApplication.processEvents()
    if isinstance(layer, OctreeImage):
        assert layer.wait_until_settled(30)
        assert layer.data_level == 0
    pictures.append(QImg2array(canvas.native.grabFramebuffer()))
    viewer.layers.remove(layer)
stock, ours = (p.astype(int) for p in pictures)
assert canvas._scene_canvas.pixel_scale == 2
assert stock.shape[:2] == (400, 600)
assert stock.std() > 5
assert np.abs(stock - ours).max() == 0, np.abs(stock - ours).max()
viewer.close()
"""


LOOKS: list[tuple[str, dict[str, Any]]] = [
    ("uint8", {}),
    ("uint16", {"gamma": 0.5}),
    ("int8", {"contrast_limits": (-100, 40)}),
    ("int32", {"colormap": "viridis"}),
    ("float16", {"contrast_limits": (0.4, 0.6)}),
    ("float32", {"colormap": "gray_r"}),
    ("float64", {"colormap": "HiLo", "contrast_limits": (0.3, 0.7)}),
    ("uint8", {"opacity": 0.4, "colormap": "turbo"}),
    ("uint8", {"blending": "additive", "colormap": "green"}),
    ("uint8", {"blending": "minimum"}),
    ("uint8", {"blending": "multiplicative", "opacity": 0.7}),
    ("uint8", {"scale": (2, 0.5), "translate": (-256, 128)}),
    ("uint8", {"scale": (-1, 1), "translate": (512, 0)}),
    ("uint8", {"interpolation2d": "linear"}),
    ("uint8", {"interpolation2d": "lanczos"}),
    ("rgb", {}),
    ("rgba", {"opacity": 0.8}),
    ("nan", {"colormap": "viridis"}),
]
"""What the reference picture shows, six in a row."""


def test_looks_like_the_reference(viewer, scene, screenshot, look_at, like_reference) -> None:
    backdrop = np.tile(np.linspace(0, 1, 900, dtype=np.float32), (700, 1))
    viewer.add_layer(Image(backdrop, colormap="magma", contrast_limits=(0, 1)))
    colours = np.stack([scene, scene[::-1], scene[:, ::-1], 1 - scene], axis=-1)
    holes = scene.astype(np.float32)
    holes[250:256, 250:262], holes[260:263] = np.nan, np.inf
    special = {"rgb": colours[..., :3], "rgba": colours, "nan": holes}
    panels = []
    for kind, looks in LOOKS:
        data = special[kind] if kind in special else stretched(scene, kind)
        limits = {"contrast_limits": (0, 1)} if kind == "nan" else {}
        layer = viewer.add_layer(OctreeImage(data, rgb=kind.startswith("rgb"), **limits, **looks))
        zoom = LINEAR_TIES if "interpolation2d" in looks else 2.31
        look_at(
            viewer, (256.2, 255.7), zoom, np.abs(layer.scale), layer.translate - layer.scale / 2
        )
        assert layer.wait_until_settled(30)
        panels.append(screenshot(viewer)[105:195, 140:260])
        viewer.layers.remove(layer)
    rows = [np.concatenate(panels[i : i + 6], axis=1) for i in range(0, len(panels), 6)]
    like_reference("looks", np.concatenate(rows))


def test_high_dpi(tmp_path: Path) -> None:
    zoom = 0.8113
    center = off_tie_center((300, 300), 2 * zoom, (400, 600))
    environment = {**os.environ, "QT_SCALE_FACTOR": "2", "NAPARI_CONFIG": str(tmp_path / "s.yaml")}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", HIGH_DPI, str(zoom), *map(str, center)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
